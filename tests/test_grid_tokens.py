"""What GridNet is told: lines around every hit whatever the grid, tempo and metre, and the take's own pattern."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import (
    CANDIDATE_FEATURES,
    CANDIDATES,
    GROUPS,
    PATTERN_FEATURES,
    TOKEN_FEATURES,
    GridTokens,
    Struck,
    grid_tokens,
)
from beatnet_align.hit_outputs import UNKNOWN_GROUP
from beatnet_align.hits import Hit, Piece
from beatnet_align.tempo_map import TempoChange, TempoMap, TimeSignature
from beatnet_align.units import FloatArray

STRAIGHT = Grid(("1/16",))
MIDDLE = CANDIDATES // 2
SIX_EIGHT = TempoMap((TempoChange(0.0, 90.0), TempoChange(9.0, 120.0)), 2.0, (TimeSignature(0.0, 6, 8),))


def struck(seconds: FloatArray, group: int = 0) -> Struck:
    count = len(seconds)
    return Struck(np.asarray(seconds), np.full(count, group), np.full(count, 0.7), np.ones(count))


@settings(max_examples=30)
@given(
    grid=st.sampled_from([STRAIGHT, Grid(("1/16", "1/8T")), Grid(("1/8",), 0.64), Grid(("1/4",))]),
    tempo_map=st.sampled_from([TempoMap.constant(120.0, 1.0), SIX_EIGHT]),
    seed=st.integers(0, 99),
)
def test_the_middle_line_is_the_nearest_and_lines_rise(grid: Grid, tempo_map: TempoMap, seed: int) -> None:
    seconds = np.sort(np.random.default_rng(seed).uniform(0.0, 20.0, 30))  # the first ones lie before bar 1
    tokens = grid_tokens(struck(seconds), tempo_map, grid)
    np.testing.assert_allclose(tokens.lines_beats[:, MIDDLE], grid.nearest_line(tokens.beats))
    assert (np.diff(tokens.lines_beats, axis=1) > 0.0).all()
    assert tokens.features.shape == (30, TOKEN_FEATURES)
    assert tokens.candidates.shape == (30, CANDIDATES, CANDIDATE_FEATURES)
    assert np.isfinite(tokens.features).all() and np.isfinite(tokens.candidates).all()
    assert tokens.bars.min() == 0 and (tokens.slots >= 0).all()


def test_playing_a_bar_later_tells_the_same() -> None:
    tempo_map, seconds = TempoMap.constant(100.0, 0.5), 0.5 + np.sort(np.random.default_rng(1).uniform(0.0, 9.0, 40))
    here, there = (grid_tokens(struck(seconds + later), tempo_map, STRAIGHT) for later in (0.0, 4 * 60 / 100.0))
    np.testing.assert_allclose(here.features, there.features, atol=1e-4)
    np.testing.assert_allclose(here.candidates, there.candidates, atol=1e-4)
    np.testing.assert_array_equal(here.slots, there.slots)


def test_swung_lines_keep_their_nominal_place() -> None:
    tokens = grid_tokens(struck(np.array([1.4])), TempoMap.constant(60.0, 0.0), Grid(("1/8",), 0.66))
    assert tokens.lines_beats[0, MIDDLE] == pytest.approx(1.66)
    assert tokens.nominals_beats[0, MIDDLE] == pytest.approx(1.5)


def test_slots_count_within_bars_of_any_length() -> None:
    tempo_map = TempoMap.constant(60.0, 0.0, 3, 4)
    tokens = grid_tokens(struck(np.array([0.0, 3.0, 4.5])), tempo_map, STRAIGHT)
    assert tokens.slots[:, MIDDLE].tolist() == [0, 0, 36]
    assert np.diff(tokens.bars[:, MIDDLE]).tolist() == [1, 0]


def test_the_pattern_is_what_the_other_bars_strike() -> None:
    """Kick on one in three bars of four; a snare on one in the fourth."""
    tempo_map = TempoMap.constant(240.0, 0.0)  # a bar a second
    hits = Struck(np.arange(4.0), np.array([0, 0, 0, 1]), np.full(4, 0.7), np.ones(4))
    tokens = grid_tokens(hits, tempo_map, STRAIGHT)
    certain = np.eye(CANDIDATES)[np.full(4, MIDDLE)]
    found = tokens.pattern(certain)
    assert found.shape == (4, CANDIDATES, PATTERN_FEATURES)
    bars = int(tokens.bars.max())  # bars beside the hit's own
    np.testing.assert_allclose(found[:, MIDDLE, 0] * bars, [2.0, 2.0, 2.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(found[:, MIDDLE, 1] * bars, [3.0, 3.0, 3.0, 3.0], atol=1e-5)
    assert not found[:, [0, 1], :].any()


@pytest.mark.parametrize("count", [0, 1])
def test_few_hits_are_no_trouble(count: int) -> None:
    tokens: GridTokens = grid_tokens(struck(np.arange(float(count))), SIX_EIGHT, STRAIGHT)
    assert tokens.pattern(np.ones((count, CANDIDATES))).shape == (count, CANDIDATES, PATTERN_FEATURES)
    assert np.isfinite(tokens.features).all()


def test_hits_at_one_time_have_the_shortest_gap() -> None:
    tokens = grid_tokens(struck(np.array([1.0, 1.0, 1.0])), SIX_EIGHT, STRAIGHT)
    assert np.isfinite(tokens.features).all()


def test_pieces_become_groups() -> None:
    pieces = (Piece.KICK, Piece.HIHAT_OPEN, Piece.UNKNOWN)
    hits = [Hit(100 * i, 0, piece, 0.5, 0.9) for i, piece in enumerate(pieces)]
    found = Struck.of(hits, 1_000)
    assert found.groups.tolist() == [0, 2, UNKNOWN_GROUP]
    assert found.seconds.tolist() == [0.0, 0.1, 0.2]
    assert GROUPS == UNKNOWN_GROUP + 1
