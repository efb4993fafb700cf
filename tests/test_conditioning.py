"""The metronome and the positional encodings say where the beat is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.conditioning import (
    BAR_AMPLITUDE,
    BEAT_AMPLITUDE,
    ENCODINGS,
    ROWS,
    conditioning_rows,
    metronome,
    positional_encodings,
)
from beatnet_align.grid import Grid, parse_grid
from beatnet_align.tempo_map import TempoChange, TempoMap, TimeSignature

RATE = 44_100


def test_a_click_starts_on_every_beat_and_bars_are_accented() -> None:
    track = metronome(TempoMap.constant(120.0, 0.25, 3, 4), 4 * RATE, RATE)
    for beat in range(7):
        at = round((0.25 + 0.5 * beat) * RATE)
        assert track[at] == pytest.approx(BAR_AMPLITUDE if beat % 3 == 0 else BEAT_AMPLITUDE)
        assert np.abs(track[at - 2_000 : at]).max() < 0.01


@given(bpm=st.floats(40, 240), first=st.floats(-2, 2), beat=st.integers(0, 60))
def test_encodings_are_phases_on_the_unit_circle(bpm: float, first: float, beat: int) -> None:
    tempo_map = TempoMap.constant(bpm, first)
    times = tempo_map.to_seconds(beat + np.array([0.0, 0.25, 0.5]))
    encodings = dict(zip(ENCODINGS, positional_encodings(tempo_map, times), strict=True))
    for name in ("bar", "beat", "subdivision"):
        np.testing.assert_allclose(encodings[f"{name}_sin"] ** 2 + encodings[f"{name}_cos"] ** 2, 1.0, atol=1e-5)
    np.testing.assert_allclose(encodings["beat_cos"], [1.0, 0.0, -1.0], atol=1e-3)
    np.testing.assert_allclose(encodings["subdivision_cos"], 1.0, atol=1e-3)
    assert encodings["bar_cos"][0] == pytest.approx(np.cos(np.pi / 2 * (beat % 4)), abs=1e-3)


def test_encodings_follow_tempo_and_signature_changes() -> None:
    tempo_map = TempoMap(
        (TempoChange(0.0, 120.0), TempoChange(4.0, 60.0)), 0.0, (TimeSignature(0.0, 4, 4), TimeSignature(4.0, 3, 4))
    )
    bar_starts = tempo_map.to_seconds(np.array([0.0, 4.0, 7.0, 10.0]))
    encodings = positional_encodings(tempo_map, bar_starts)
    np.testing.assert_allclose(encodings[ENCODINGS.index("bar_cos")], 1.0, atol=1e-5)


@given(bpm=st.floats(60, 200), first=st.floats(-1, 1), cuts=st.lists(st.integers(1, 23_999), max_size=4, unique=True))
def test_a_stretch_is_told_what_the_whole_take_is_told_there(bpm: float, first: float, cuts: list[int]) -> None:
    tempo_map, grid, edges = TempoMap.constant(bpm, first, 3, 4), parse_grid("1/16", 0.6), [0, *sorted(cuts), 24_000]
    whole = conditioning_rows(tempo_map, grid, 0.5, 8_000, 0, 24_000)
    parts = [conditioning_rows(tempo_map, grid, 0.5, 8_000, *pair) for pair in itertools.pairwise(edges)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)
    assert whole.shape == (ROWS, 24_000)
    np.testing.assert_array_equal(whole[0], metronome(tempo_map, 24_000, 8_000))
    assert (whole[-1] == 0.5).all()


@pytest.mark.parametrize("grid", [parse_grid("1/8T"), parse_grid("1/16", 0.66)], ids=["triplets", "swing"])
def test_the_third_phase_follows_the_grid_that_was_chosen(grid: Grid) -> None:
    tempo_map = TempoMap.constant(120.0, 0.0)
    lines = np.rint(tempo_map.to_seconds(grid.lines_beats(0.0, 4.0)) * RATE).astype(int)
    rows = conditioning_rows(tempo_map, grid, 1.0, RATE, 0, 2 * RATE)
    np.testing.assert_allclose(rows[6, lines[:-1]], 1.0, atol=1e-3)
