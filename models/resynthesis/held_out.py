"""Takes that nothing was trained on, with their targets and truth, and what cutting makes of them."""

from dataclasses import dataclass, replace
from pathlib import Path

from beatnet_align.audio_files import load
from beatnet_align.compare import COMPARED
from beatnet_align.edit_plan import EditPlan
from beatnet_align.effect import BeatDetective
from beatnet_align.engines import engine_called
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.reference_hits import ReferenceHit, reference_hits_from_truth
from beatnet_align.rendering import render_whole
from beatnet_align.take import ArraySource, Audio, Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest
from datagen.config import Split
from datagen.dataset import read_pairs
from datagen.oracle import PERFECT, read_example
from datagen.perfect_plan import perfect_plan, perfect_plan_of_session, session_tempo_map

CUTTERS = (*(engine.value for engine in COMPARED), PERFECT)


@dataclass(frozen=True, eq=False)
class HeldOutTake:
    """A take and what it should become.

    Attributes:
        name: For headings.
        take: As played.
        target: On the grid; same channels, rate and length.
        hits: The truth.
        tempo_map: Told to everybody.
        grid: Told to everybody.
        told: The plan of a splice that knows every hit.
    """

    name: str
    take: Take
    target: Take
    hits: tuple[ReferenceHit, ...]
    tempo_map: TempoMap
    grid: Grid
    told: EditPlan


def of_dataset(folder: Path, split: Split, examples: int) -> list[HeldOutTake]:
    """The first takes of a split of a dataset.

    Raises:
        InputError: The folder is no finished dataset, or has no examples of the split.
    """
    entries = [entry for entry in read_pairs(folder) if entry["split"] == split.value][:examples]
    if not entries:
        raise InputError(f"{folder} holds no examples for {split}")
    found = []
    for entry in entries:
        take, target, hits = read_example(folder, entry)
        tempo_map, grid = TempoMap.from_json(entry["tempo_map"]), Grid.from_json(entry["grid"])
        name = f"{split} {entry['index']}"
        found.append(HeldOutTake(name, take, target, hits, tempo_map, grid, perfect_plan(take, entry)))
    return found


def of_session(session: Path) -> HeldOutTake:
    """A session: a folder with take/, target/ and truth.json.

    Raises:
        InputError: Something of it is missing or broken.
    """
    take, target = load(session / "take"), load(session / "target")
    return HeldOutTake(
        session.name,
        take,
        target,
        tuple(reference_hits_from_truth(session)),
        session_tempo_map(session),
        Grid(),
        perfect_plan_of_session(session, take),
    )


def cut(held: HeldOutTake, cutter: str) -> Audio:
    """What one of ``CUTTERS`` makes of a take, [channels, samples]."""
    plan = held.told
    if cutter != PERFECT:
        engine = engine_called(cutter)
        detective = BeatDetective(engine=engine, grid=held.grid.name, swing=held.grid.swing)
        plan = detective.plan(held.take, TempoRequest(tempo_map=held.tempo_map))
    return render_whole(held.take, plan)


def heard_as(take: Take, audio: Audio) -> Take:
    """Audio with the channels and the rate of a take."""
    return replace(take, source=ArraySource(audio))
