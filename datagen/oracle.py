"""What perfect knowledge reaches: takes aligned by a phase-locked splice, and by separation, that are told the truth.

    python -m datagen.oracle DIR [--examples N] [--split test] [--errors] [--causes]
    python -m datagen.oracle SESSION -o OUT --render separate [--fill neural]

The figures of a dataset are the ceiling for every engine that cuts or separates, beside the untouched takes and the
engines, which are told the tempo and the grid alone; --errors spoils what the separation is told, --causes tells why
hits are not in their place. Of a session, a folder with take/ and truth.json, the aligned stems are written, for a
scorer elsewhere.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from beatnet_align.audio_files import load, open_take
from beatnet_align.compare import COMPARED, UNTOUCHED, figures_table, mean_figures
from beatnet_align.edit_plan import RepairSettings
from beatnet_align.effect import BeatDetective
from beatnet_align.engines import Fill, Render
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.metrics import evaluate
from beatnet_align.reference_hits import ReferenceHit
from beatnet_align.rendering import render, render_whole
from beatnet_align.roles import Role
from beatnet_align.stem_writer import check_out_dir, write_stems
from beatnet_align.take import ArraySource, Take, take_from_array
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest
from datagen.commands import exit_status
from datagen.config import Split
from datagen.dataset import read_split
from datagen.misplaced import Cause, misplaced
from datagen.perfect_plan import perfect_plan, perfect_plan_of_session, reference_hit
from datagen.plan_errors import ERRORS, spoilt

PERFECT, SEPARATED = "perfect knowledge, spliced", "the same, separated"
_ERRORS_SEED = 1


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
    hits = tuple(reference_hit(hit) for hit in entry["hits"])
    return takes[0], takes[1], hits


@dataclass(frozen=True)
class ExampleFigures:
    """Of one example.

    Attributes:
        rows: Engine to figure to value.
        misplaced: Engine to the number of hits that are scored, and to how many are not in place for each cause; of no
            engine where nobody asked.
    """

    rows: Mapping[str, Mapping[str, float]]
    misplaced: Mapping[str, tuple[int, Mapping[Cause, int]]]


def measure(folder: Path, entry: Mapping[str, Any], *, errors: bool = False, causes: bool = False) -> ExampleFigures:
    """Figures of one example by engine; with ``errors`` of spoilt knowledge too, with ``causes`` what went wrong."""
    take, target, hits = read_example(folder, entry)
    grid = Grid.from_json(entry["grid"])
    tempo = TempoRequest(tempo_map=TempoMap.from_json(entry["tempo_map"]))
    plans = {
        engine.value: BeatDetective(engine=engine, grid=grid.name, swing=grid.swing).plan(take, tempo)
        for engine in COMPARED
    }
    told = perfect_plan(take, entry, RepairSettings(Render.SEPARATE))
    plans[PERFECT], plans[SEPARATED] = replace(told, repair=RepairSettings()), told
    if errors:
        rng = np.random.default_rng([_ERRORS_SEED, entry["index"]])
        plans |= {f"separated, {name}": spoilt(take, told, one, rng) for name, one in ERRORS.items()}
    rows = {UNTOUCHED: evaluate(take, take, target, hits)}
    astray = {}
    for name, plan in plans.items():
        output = replace(take, source=ArraySource(render_whole(take, plan)))
        rows[name] = evaluate(take, output, target, hits)
        if causes:
            astray[name] = misplaced(plan, target, output, hits)
    return ExampleFigures(rows, astray)


def causes_table(examples: Sequence[ExampleFigures]) -> str:
    """By engine, the share of all examples' hits that are in place, and of those that are not by cause, as text."""
    shares = {}
    for engine in examples[0].misplaced:
        counts = [example.misplaced[engine] for example in examples]
        hits = sum(scored for scored, _ in counts)
        of_causes = {
            cause.value: sum(astray.get(cause, 0) for _, astray in counts) / hits if hits else np.nan for cause in Cause
        }
        shares[engine] = {"in place": 1.0 - sum(of_causes.values()), **of_causes}
    return figures_table(shares)


def write_session(session: Path, out_dir: Path, way: Render, fill: Fill = Fill.AUTO, *, force: bool = False) -> None:
    """Align a session that is told its truth, and write the stems.

    Raises:
        InputError: The session lacks something, or the stems are there already.
        OutputError: They cannot be written.
    """
    with open_take(session / "take") as opened:
        check_out_dir(opened, out_dir, force)
        plan = perfect_plan_of_session(session, opened.take, RepairSettings(way))
        plan = replace(plan, splice=replace(plan.splice, fill=fill))
        with closing(render(opened.take, plan)) as blocks:
            write_stems(opened, blocks, out_dir, force=force)


def main() -> int:
    """Measure and print, or write; 0, or 2 where the input cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="folder with a manifest.jsonl, or a session with a truth.json")
    parser.add_argument("--split", choices=[split.value for split in Split], default="test", help="(%(default)s)")
    parser.add_argument("--examples", type=int, default=1000, help="at most so many (%(default)d)")
    parser.add_argument("--errors", action="store_true", help="also separate with spoilt knowledge")
    parser.add_argument("--causes", action="store_true", help="also tell why hits are not in their place")
    parser.add_argument("-o", "--out", type=Path, help="write the stems of a session here")
    parser.add_argument("--render", choices=list(Render), help=f"of a session ({Render.AUTO})")
    parser.add_argument("--fill", choices=list(Fill), help=f"of a session ({Fill.AUTO})")
    parser.add_argument("--force", action="store_true", help="replace stems that are there")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    from tqdm import tqdm  # noqa: PLC0415

    if (chosen.dataset / "truth.json").is_file():
        if chosen.errors or chosen.causes:
            raise InputError(f"{chosen.dataset} is a session; --errors and --causes are for datasets")
        if chosen.out is None:
            raise InputError(f"{chosen.dataset} is a session: say with -o where its aligned stems go")
        way, fill = Render(chosen.render or Render.AUTO), Fill(chosen.fill or Fill.AUTO)
        write_session(chosen.dataset, chosen.out, way, fill, force=chosen.force)
        print(f"the stems are in {chosen.out}")
        return
    if chosen.out or chosen.render or chosen.fill or chosen.force:
        raise InputError(f"{chosen.dataset} is no session; -o, --render, --fill and --force are for sessions")
    entries = read_split(chosen.dataset, Split(chosen.split))[: chosen.examples]
    examples = [
        measure(chosen.dataset, entry, errors=chosen.errors, causes=chosen.causes)
        for entry in tqdm(entries, unit=" examples", disable=None)
    ]
    print(f"mean of {len(examples)} examples\n{figures_table(mean_figures([one.rows for one in examples]))}")
    if chosen.causes:
        print(f"\nhits within 2 ms of their place and beyond it, share of all hits together\n{causes_table(examples)}")


if __name__ == "__main__":
    sys.exit(main())
