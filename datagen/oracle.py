"""What perfect knowledge reaches: a dataset's takes aligned by a phase-locked splice that is told the truth.

    python -m datagen.oracle DIR [--examples N] [--split test]

The figures are the ceiling for every engine that cuts, beside the untouched takes and the engines, which are told the
tempo and the grid alone.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from beatnet_align.audio_files import load
from beatnet_align.compare import COMPARED, UNTOUCHED, figures_table, mean_figures
from beatnet_align.cut_list import segments
from beatnet_align.edit_plan import EditPlan, Move, SpliceSettings, TakeFacts
from beatnet_align.effect import BeatDetective
from beatnet_align.errors import BeatnetAlignError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.metrics import evaluate
from beatnet_align.quantise import uncrowded
from beatnet_align.reference_hits import ReferenceHit
from beatnet_align.rendering import render_whole
from beatnet_align.roles import Role
from beatnet_align.take import Audio, Channel, Take, take_from_array
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest
from beatnet_align.units import seconds_to_samples
from datagen.config import Split
from datagen.dataset import read_pairs

PERFECT = "perfect knowledge, spliced"


def read_example(folder: Path, entry: Mapping[str, Any]) -> tuple[Take, Take, tuple[ReferenceHit, ...]]:
    """Take, target and true hits of a manifest entry.

    Raises:
        InputError: Its audio is missing or broken.
    """
    names = [channel["name"] for channel in entry["channels"]]
    roles = [Role(channel["role"]) for channel in entry["channels"]]
    takes = []
    for name in ("take", "target"):
        loaded = load(folder / entry[name])
        takes.append(take_from_array(loaded.read(0, loaded.samples), loaded.sample_rate, names, roles, name))
    hits = tuple(
        ReferenceHit(
            piece=Piece(hit["piece"]),
            channel=hit["close"],
            performed_seconds=hit["performed_seconds"],
            target_seconds=hit["target_seconds"],
            score_beats=hit["score_beats"],
            velocity=hit["velocity"],
            ornament=hit["ornament"],
            main=hit["main"],
            own_energy=hit["own_energy"],
        )
        for hit in entry["hits"]
    )
    return takes[0], takes[1], hits


def perfect_plan(take: Take, entry: Mapping[str, Any]) -> EditPlan:
    """The plan of an engine that knows every hit and its place."""
    rate = take.sample_rate
    moves = [
        Move(
            onset_samples=seconds_to_samples(hit["performed_seconds"], rate),
            destination_samples=min(seconds_to_samples(hit["target_seconds"], rate), take.samples - 1),
            channel=hit["close"],
            piece=Piece(hit["piece"]),
            velocity=hit["velocity"],
            confidence=1.0,
            leads=hit["main"],
            line_beats=float(hit["line"]),
        )
        for hit in entry["hits"]
    ]
    moves.sort(key=lambda move: move.onset_samples)
    # Where lines cross, a run of one line's hits may lack its leading one: the first leads then.
    led = [
        move if any(other.leads for other in segment) else replace(move, leads=i == 0)
        for segment in segments(moves)
        for i, move in enumerate(segment)
    ]
    splice, facts = SpliceSettings(), TakeFacts.of(take)
    placed = tuple(uncrowded(led, [facts.channels], take, splice))
    return EditPlan(
        facts, placed, TempoMap.from_json(entry["tempo_map"]), Grid.from_json(entry["grid"]), "oracle", splice
    )


def measure(folder: Path, entry: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Figures of one example by engine."""
    take, target, hits = read_example(folder, entry)
    grid = Grid.from_json(entry["grid"])
    tempo = TempoRequest(tempo_map=TempoMap.from_json(entry["tempo_map"]))
    plans = {
        engine.value: BeatDetective(engine=engine, grid=grid.name, swing=grid.swing).plan(take, tempo)
        for engine in COMPARED
    }
    plans[PERFECT] = perfect_plan(take, entry)
    rows = {UNTOUCHED: evaluate(take, take, target, hits)}
    for name, plan in plans.items():
        rows[name] = evaluate(take, _like(take, render_whole(take, plan)), target, hits)
    return rows


def _like(take: Take, audio: Audio) -> Take:
    channels: list[Channel] = list(take.channels)
    return take_from_array(audio, take.sample_rate, [c.name for c in channels], [c.role for c in channels])


def _chosen(folder: Path, split: str, examples: int) -> Iterator[Mapping[str, Any]]:
    entries = [entry for entry in read_pairs(folder) if entry["split"] == split]
    yield from entries[:examples]


def main() -> int:
    """Measure and print; 0, or 2 where the dataset cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="folder with a manifest.jsonl")
    parser.add_argument("--split", choices=[split.value for split in Split], default="test", help="(%(default)s)")
    parser.add_argument("--examples", type=int, default=1000, help="at most so many (%(default)d)")
    chosen = parser.parse_args()

    from tqdm import tqdm  # noqa: PLC0415

    try:
        entries = list(_chosen(chosen.dataset, chosen.split, chosen.examples))
        rows = [measure(chosen.dataset, entry) for entry in tqdm(entries, unit=" examples", disable=None)]
    except BeatnetAlignError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not rows:
        print(f"error: {chosen.dataset} holds no examples for {chosen.split}", file=sys.stderr)
        return 2
    print(f"mean of {len(rows)} examples\n{figures_table(mean_figures(rows))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
