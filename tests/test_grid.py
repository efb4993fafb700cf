"""Grid lines: order, nearness by brute force, swing, templates."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.grid import Grid, parse_grid
from beatnet_align.groove import DIVISION_TICKS, GrooveTemplate, division_step_beats

STRAIGHT = ("1/4", "1/8", "1/16", "1/32")
BEATS = st.lists(st.floats(-50, 500), min_size=1, max_size=20).map(np.array)


@st.composite
def templates(draw: st.DrawFn) -> GrooveTemplate:
    division = draw(st.sampled_from(list(DIVISION_TICKS)))
    step_beats = division_step_beats(division)
    lines = draw(st.integers(1, 24))
    offsets = draw(st.lists(st.floats(-0.49, 0.49), min_size=lines, max_size=lines))
    return GrooveTemplate(division, lines * step_beats, tuple(offset * step_beats for offset in offsets))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    kind = draw(st.sampled_from(["union", "swing", "template"]))
    if kind == "swing":
        return Grid((draw(st.sampled_from(STRAIGHT)),), draw(st.floats(0.5, 0.75)))
    divisions = tuple(draw(st.lists(st.sampled_from(list(DIVISION_TICKS)), min_size=1, max_size=3, unique=True)))
    return Grid(divisions, template=draw(templates()) if kind == "template" else None)


@given(grids(), st.floats(-20, 300), st.floats(0, 12))
def test_lines_are_sorted_unique_and_inside(grid: Grid, start: float, length: float) -> None:
    lines = grid.lines_beats(start, start + length)
    assert np.all(np.diff(lines) > 0)
    assert np.all((lines >= start) & (lines < start + length))
    assert len(grid.nominal_lines_beats(start, start + length)) == len(lines)
    parts = np.concatenate(
        [grid.lines_beats(start, start + length / 3), grid.lines_beats(start + length / 3, start + length)]
    )
    np.testing.assert_array_equal(parts, lines)


@given(grids(), BEATS)
def test_the_nearest_line_is_nearest_by_brute_force(grid: Grid, beats: np.ndarray) -> None:
    lines = grid.lines_beats(beats.min() - 5, beats.max() + 5)
    nearest = grid.nearest_line(beats)
    assert np.isin(nearest, lines).all()
    np.testing.assert_array_equal(np.abs(nearest - beats), np.abs(lines[:, None] - beats).min(axis=0))
    np.testing.assert_array_equal(grid.nearest_line(nearest), nearest)
    nominals = grid.nominal_lines_beats(beats.min() - 5, beats.max() + 5)
    np.testing.assert_array_equal(grid.nominal_of_nearest(beats), nominals[np.searchsorted(lines, nearest)])


@given(grids(), BEATS)
def test_no_hit_is_further_from_its_line_than_half_a_step(grid: Grid, beats: np.ndarray) -> None:
    assert np.all(np.abs(beats - grid.nearest_line(beats)) <= grid.step_beats_at(beats) / 2 * (1 + 1e-9))


@given(st.sampled_from(STRAIGHT), BEATS)
def test_swing_one_half_is_straight(division: str, beats: np.ndarray) -> None:
    step = division_step_beats(division)
    np.testing.assert_allclose(Grid((division,), 0.5).lines_beats(0, 8), np.arange(0, 8, step), atol=1e-12)
    zero = GrooveTemplate(division, 4.0, (0.0,) * round(4 / step))
    np.testing.assert_array_equal(
        Grid((division,), template=zero).nearest_line(beats), Grid((division,)).nearest_line(beats)
    )


@given(grids())
def test_json_gives_back_the_same_grid(grid: Grid) -> None:
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid


def test_lines_worked_out_by_hand() -> None:
    np.testing.assert_array_equal(parse_grid("1/16").lines_beats(0, 1), [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(parse_grid("1/8t").lines_beats(0, 1.5), [0, 1 / 3, 2 / 3, 1, 4 / 3])
    np.testing.assert_allclose(parse_grid("1/4T").lines_beats(0, 2), [0, 2 / 3, 4 / 3])
    np.testing.assert_allclose(parse_grid("1/16 + 1/8T").lines_beats(0, 1), [0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4])
    np.testing.assert_allclose(parse_grid("1/8", swing=2 / 3).lines_beats(0, 2), [0, 2 / 3, 1, 5 / 3])
    np.testing.assert_allclose(parse_grid("1/16", swing=0.75).lines_beats(0, 1), [0, 0.375, 0.5, 0.875])
    np.testing.assert_array_equal(parse_grid("1/16", swing=0.75).nominal_lines_beats(0, 1), [0, 0.25, 0.5, 0.75])


def test_local_steps_and_ties() -> None:
    swung = Grid(("1/8",), 0.6)
    np.testing.assert_allclose(swung.step_beats_at(np.array([0.0, 0.5, 0.6, 0.9, -0.2])), [0.6, 0.6, 0.4, 0.4, 0.4])
    np.testing.assert_array_equal(Grid(("1/4",)).nearest_line(np.array([0.5, 1.5, 0.51])), [0, 1, 1])
    assert Grid().nearest_line(np.empty(0)).shape == (0,)


def test_a_template_moves_the_lines_of_other_divisions_too() -> None:
    template = GrooveTemplate("1/8", 2.0, (0.0, 0.1, 0.02, 0.08))
    np.testing.assert_allclose(
        Grid(("1/8",), template=template).lines_beats(-1, 2.4), [-0.98, -0.42, 0, 0.6, 1.02, 1.58, 2.0]
    )
    np.testing.assert_allclose(Grid(("1/16",), template=template).lines_beats(0, 0.7), [0, 0.3, 0.6])


@pytest.mark.parametrize(
    ("text", "swing", "message"),
    [
        ("1/12", 0.5, r"unknown grid division '1/12', choose from 1/4, 1/8"),
        ("", 0.5, "unknown grid division"),
        ("1/16", 0.8, "swing must be"),
        ("1/16", float("nan"), "swing must be"),
        ("1/8T", 0.6, "triplets"),
        ("1/16+1/8", 0.6, "single division"),
    ],
)
def test_bad_grids_say_what_is_wrong(text: str, swing: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_grid(text, swing)


def test_other_bad_input() -> None:
    with pytest.raises(InputError, match="its own swing"):
        Grid(("1/8",), 0.6, GrooveTemplate("1/8", 1.0, (0.0, 0.1)))
    with pytest.raises(InputError, match="finite"):
        Grid().nearest_line(np.array([0.0, np.nan]))
    with pytest.raises(InputError, match="malformed"):
        Grid.from_json({"divisions": ["1/16"]})
