"""A session to look into: what was played, what it should be, and who decides what becomes of it."""

from enum import StrEnum
from pathlib import Path
from typing import assert_never

from beatnet_align.audio_files import load
from beatnet_align.edit_plan import EditPlan, RepairSettings
from beatnet_align.effect import BeatDetective
from beatnet_align.engines import Engine, Render
from beatnet_align.errors import InputError, OutputError
from beatnet_align.take import Take
from beatnet_align.tempo_source import TempoRequest
from datagen.perfect_plan import perfect_plan_of_session, session_tempo_map

TAKE_NAME, TARGET_NAME = "take", "target"
PAGE_NAME = "index.html"


class Knows(StrEnum):
    """Who decides where the hits are and where they go."""

    TRUTH = "truth"
    NEURAL = "neural"


def load_pair(session: Path) -> tuple[Take, Take]:
    """The take and the target of a session.

    Raises:
        InputError: One is missing, or they differ in shape.
    """
    take, target = load(session / TAKE_NAME), load(session / TARGET_NAME)
    if (take.sample_rate, take.samples, take.channels) != (target.sample_rate, target.samples, target.channels):
        raise InputError(f"the take and the target in {session} differ in rate, length or channels; make them again")
    return take, target


def decided(session: Path, take: Take, engine: Knows, render: Render) -> EditPlan:
    """The plan for a session's take.

    Args:
        session: Gives tempo and truth.
        take: Its take.
        engine: Who decides.
        render: How the plan is to be rendered.

    Raises:
        InputError: The truth cannot be used.
    """
    match engine:
        case Knows.TRUTH:
            return perfect_plan_of_session(session, take, RepairSettings(render))
        case Knows.NEURAL:
            detective = BeatDetective(engine=Engine.NEURAL, render=render)
            return detective.plan(take, TempoRequest(tempo_map=session_tempo_map(session)))
        case _:
            assert_never(engine)


def make_folder(out_dir: Path) -> None:
    """Make the folder of an inspection.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {out_dir}: {error.strerror}; choose another folder with -o") from error
