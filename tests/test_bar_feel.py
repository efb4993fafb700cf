"""The feel of bars from plans made by hand: subdivision, swing and drift come back as they were put in."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.bar_feel import NOT_MEANT, bar_feel
from beatnet_align.edit_plan import EditPlan, Flag, Move, TakeFacts
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.tempo_map import TempoMap

RATE = 48_000
TEMPO = TempoMap.constant(120.0, 1.0)
EIGHTHS, SIXTEENTHS = np.arange(0.0, 4.0, 0.5), np.arange(0.0, 4.0, 0.25)


def plan_of(
    lines_beats: Sequence[float | None],
    onsets_beats: Sequence[float],
    grid: Grid | None = None,
    flags: tuple[Flag, ...] = (),
) -> EditPlan:
    moves = [
        Move(round(TEMPO.to_seconds(onset) * RATE), 0, "kick", Piece.KICK, 0.9, 1.0, line_beats=line, flags=flags)
        for line, onset in zip(lines_beats, onsets_beats, strict=True)
    ]
    facts = TakeFacts("made up", RATE, 100 * RATE, ("kick",), (Role.KICK,))
    return EditPlan(facts, tuple(moves), TEMPO, grid or Grid())


@pytest.mark.parametrize(
    ("lines_beats", "subdivision"),
    [
        ([0.0, 2.0], "1/4"),
        ([0.0, 2 / 3, 4 / 3, 2.0], "1/4T"),
        ([0.0, 0.5, 3.5], "1/8"),
        ([0.0, 1 / 3, 1.0], "1/8T"),
        ([0.0, 0.5, 0.75], "1/16"),
        ([0.0, 1 / 6], "1/16T"),
        ([0.0, 1 / 8], "1/32"),
        ([0.5, 1 / 3], "1/8+1/8T"),
        ([0.25, 1 / 3], "1/16+1/8T"),
        ([1 / 8, 1 / 6], "1/32+1/16T"),
    ],
)
def test_the_coarsest_subdivision_that_holds_all_lines_is_named(lines_beats: list[float], subdivision: str) -> None:
    (feel,) = bar_feel(plan_of(lines_beats, lines_beats, Grid(("1/32", "1/16T"))))
    assert (feel.bar, feel.hits, feel.subdivision) == (1, len(lines_beats), subdivision)


@given(swing=st.floats(0.5, 0.7), drift_beats=st.floats(-0.2, 0.2))
def test_swung_8ths_are_told_on_a_straight_grid(swing: float, drift_beats: float) -> None:
    late = np.where(EIGHTHS % 1.0 == 0.5, swing - 0.5, 0.0) + drift_beats
    (feel,) = bar_feel(plan_of(EIGHTHS.tolist(), (EIGHTHS + late).tolist(), Grid(("1/8",))))
    assert feel.swing_8ths == pytest.approx(swing, abs=1e-3)
    assert feel.swing_16ths is None
    assert feel.drift_seconds == pytest.approx(drift_beats / 2, abs=1e-4)


@given(swing=st.floats(0.5, 0.7))
def test_swung_16ths_are_told_on_a_straight_grid_and_on_their_own(swing: float) -> None:
    onsets = SIXTEENTHS + np.where(SIXTEENTHS % 0.5 == 0.25, (swing - 0.5) / 2, 0.0)
    swung = Grid(("1/16",), swing)
    for grid, lines in ((Grid(), SIXTEENTHS), (swung, swung.lines_beats(0.0, 4.0))):
        (feel,) = bar_feel(plan_of(lines.tolist(), onsets.tolist(), grid))
        assert feel.swing_16ths == pytest.approx(swing, abs=1e-3)
        assert feel.swing_8ths == pytest.approx(0.5, abs=1e-3)
        assert feel.drift_seconds == pytest.approx(0.0, abs=1e-4)


def test_bars_are_told_apart() -> None:
    lines = [0.0, 1.0, 4.0, 5.0, 5.5, 12.0]
    late = [0.02, 0.04, -0.1, -0.1, -0.1, 0.0]
    feels = bar_feel(plan_of(lines, np.add(lines, late).tolist()))
    assert [(feel.bar, feel.hits, feel.subdivision) for feel in feels] == [(1, 2, "1/4"), (2, 3, "1/8"), (4, 1, "1/4")]
    assert [feel.drift_seconds for feel in feels] == pytest.approx([0.015, -0.05, 0.0], abs=1e-4)


def test_swing_is_not_told_from_off_lines_alone() -> None:
    (feel,) = bar_feel(plan_of([0.5, 1.5], [0.6, 1.6]))
    assert feel.swing_8ths is None
    assert feel.drift_seconds == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("flag", sorted(NOT_MEANT))  # the same order in every process
def test_hits_that_were_meant_for_no_line_say_nothing(flag: Flag) -> None:
    assert bar_feel(plan_of([0.0, 1.0], [0.1, 1.1], flags=(flag,))) == ()
    assert bar_feel(plan_of([None, None], [0.1, 1.1])) == ()
