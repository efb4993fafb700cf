"""Why hits are not in their place: plans that go wrong in one way, of the demo take left as it was played."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from beatnet_align.audio_files import load
from beatnet_align.demo import demo_folder
from beatnet_align.edit_plan import EditPlan, Move, RepairSettings
from beatnet_align.engines import Render
from beatnet_align.hits import Piece
from beatnet_align.reference_hits import reference_hits_from_truth
from beatnet_align.take import Take
from datagen.misplaced import Cause, misplaced
from datagen.perfect_plan import perfect_plan_of_session


@pytest.fixture(scope="module")
def told(demo_take: Take) -> EditPlan:
    """All hits, found exactly and lifted to their places."""
    return perfect_plan_of_session(demo_folder(), demo_take, RepairSettings(Render.SEPARATE))


def renamed(move: Move) -> Move:
    return replace(move, piece=Piece.RIDE)


def found_late(move: Move) -> Move:
    return replace(move, onset_samples=move.onset_samples + 441)


def timed_late(move: Move) -> Move:
    return replace(move, onset_samples=move.onset_samples + 221)


def sent_a_beat_on(move: Move) -> Move:
    assert move.line_beats is not None
    return replace(move, line_beats=move.line_beats + 1.0, destination_samples=move.destination_samples + 20_000)


def left(move: Move) -> Move:
    return replace(move, line_beats=None, destination_samples=move.onset_samples)


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda move: move, Cause.HARD_TO_HEAR),
        (renamed, Cause.MISNAMED),
        (found_late, Cause.BADLY_TIMED),
        (timed_late, Cause.BADLY_TIMED),
        (sent_a_beat_on, Cause.WRONG_LINE),
        (left, Cause.NOT_FREE),
    ],
)
def test_a_plan_that_goes_wrong_in_one_way_is_told_so(
    told: EditPlan, demo_take: Take, spoil: Callable[[Move], Move], cause: Cause
) -> None:
    plan = replace(told, moves=tuple(map(spoil, told.moves)))
    target = load(demo_folder() / "target")
    scored, astray = misplaced(plan, target, demo_take, reference_hits_from_truth(demo_folder()))
    assert astray[cause] > 0.8 * sum(astray.values())  # where hits are close, one may be taken for another
    assert 0.7 * scored < sum(astray.values()) < scored  # some were played in time


def test_hits_that_nobody_found_are_told(told: EditPlan, demo_take: Take) -> None:
    target, hits = load(demo_folder() / "target"), reference_hits_from_truth(demo_folder())
    _, astray = misplaced(replace(told, moves=()), target, demo_take, hits)
    assert set(astray) == {Cause.NOT_FOUND}


def test_a_take_in_time_has_no_misplaced_hits(told: EditPlan) -> None:
    target = load(demo_folder() / "target")
    assert misplaced(told, target, target, reference_hits_from_truth(demo_folder()))[1] == {}
