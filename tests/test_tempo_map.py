"""Tempo maps: inverse laws first, then maps worked out by hand."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.tempo_map import TempoChange, TempoMap, TimeSignature

SIGNATURES = st.tuples(st.integers(1, 13), st.sampled_from([2, 4, 8, 16]))


@st.composite
def tempo_maps(draw: st.DrawFn) -> TempoMap:
    gaps = draw(st.lists(st.floats(0.01, 200), min_size=0, max_size=8))
    start = draw(st.floats(-50, 50))
    beats = np.cumsum([start, *gaps])
    tempi = tuple(TempoChange(float(beat), draw(st.floats(20, 400))) for beat in beats)
    signature_gaps = draw(st.lists(st.floats(0.5, 40), max_size=4))
    signatures = tuple(
        TimeSignature(float(beat), *draw(SIGNATURES)) for beat in np.concatenate([[0.0], np.cumsum(signature_gaps)])
    )
    return TempoMap(tempi, draw(st.floats(-10, 600)), signatures)


POSITIONS = st.lists(st.floats(-2000, 2000), min_size=1, max_size=20).map(np.array)


@given(tempo_maps(), POSITIONS)
def test_beats_and_seconds_are_inverses(tempo_map: TempoMap, positions: np.ndarray) -> None:
    np.testing.assert_allclose(tempo_map.to_beats(tempo_map.to_seconds(positions)), positions, atol=1e-7)
    np.testing.assert_allclose(tempo_map.to_seconds(tempo_map.to_beats(positions)), positions, atol=1e-7)


@given(tempo_maps(), POSITIONS)
def test_later_beats_sound_later_and_scalars_agree(tempo_map: TempoMap, positions: np.ndarray) -> None:
    ordered = np.unique(positions.round(3))
    seconds = tempo_map.to_seconds(ordered)
    assert np.all(np.diff(seconds) > 0)
    assert tempo_map.to_seconds(float(ordered[0])) == seconds[0]
    assert tempo_map.to_seconds(0.0) == pytest.approx(tempo_map.first_beat_seconds, abs=1e-9)


@given(tempo_maps())
def test_json_gives_back_the_same_map(tempo_map: TempoMap) -> None:
    assert TempoMap.from_json(json.loads(json.dumps(tempo_map.to_json()))) == tempo_map


@given(tempo_maps(), st.integers(-20, 200))
def test_a_bar_starts_in_itself(tempo_map: TempoMap, bar: int) -> None:
    start = np.array([tempo_map.bar_start_beats(bar)])
    assert tempo_map.bar_of(start)[0] == bar
    assert tempo_map.beat_in_bar(start)[0] == pytest.approx(0.0, abs=1e-6)
    assert tempo_map.bar_start_beats(bar + 1) > start[0]


@given(
    st.floats(0, 100), st.lists(st.floats(0.16, 2.9), min_size=1, max_size=30), st.integers(-8, 8), st.floats(0.5, 1.0)
)
def test_a_map_from_beat_times_passes_through_them(
    start: float, gaps: list[float], first: int, step_beats: float
) -> None:
    seconds = np.cumsum(np.array([start, *(gap * step_beats for gap in gaps)]))
    tempo_map = TempoMap.from_beat_times(seconds, float(first), step_beats)
    beats = np.array([first + step_beats * i for i in range(len(seconds))])
    np.testing.assert_allclose(tempo_map.to_seconds(beats), seconds, atol=1e-9)


def test_a_step_from_120_to_90_bpm_at_beat_4() -> None:
    tempo_map = TempoMap((TempoChange(0, 120), TempoChange(4, 90)), 1.0)
    beats = np.array([-2.0, 0.0, 1.0, 4.0, 5.5, 7.0])
    np.testing.assert_allclose(tempo_map.to_seconds(beats), [0.0, 1.0, 1.5, 3.0, 4.0, 5.0])
    np.testing.assert_allclose(tempo_map.to_beats(np.array([3.0, 4.0])), [4.0, 5.5])
    np.testing.assert_array_equal(tempo_map.bpm_at(beats), [120, 120, 120, 90, 90, 90])


def test_bars_with_a_signature_that_cuts_a_bar_short() -> None:
    signatures = (TimeSignature(0, 4, 4), TimeSignature(6, 7, 8), TimeSignature(13, 3, 4))
    tempo_map = TempoMap((TempoChange(0, 100),), 0.0, signatures)
    assert [tempo_map.bar_start_beats(bar) for bar in range(-1, 8)] == [-8, -4, 0, 4, 6, 9.5, 13, 16, 19]
    np.testing.assert_array_equal(
        tempo_map.bar_of(np.array([-0.1, 0, 3.9, 5.9, 6, 9.4, 13, 16])), [0, 1, 1, 2, 3, 3, 5, 6]
    )
    np.testing.assert_allclose(tempo_map.beat_in_bar(np.array([-1, 5.5, 10.0, 18.5])), [3, 1.5, 0.5, 2.5])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TempoMap.constant(19, 0), "tempo out of range"),
        (lambda: TempoMap.constant(float("nan"), 0), "tempo out of range"),
        (lambda: TempoMap.constant(120, float("inf")), "finite"),
        (lambda: TempoMap.constant(120, 0, 4, 3), "denominator"),
        (lambda: TempoMap((), 0.0), "at least one"),
        (lambda: TempoMap((TempoChange(1, 100), TempoChange(1, 90)), 0.0), "in order"),
        (lambda: TempoMap((TempoChange(0, 100),), 0.0, (TimeSignature(1, 4, 4),)), "start at beat 0"),
        (lambda: TempoMap.from_beat_times(np.array([1.0])), "two or more"),
        (lambda: TempoMap.from_beat_times(np.array([1.0, 0.5])), "rising"),
        (lambda: TempoMap.from_beat_times(np.array([1.0, 1.01])), "tempo out of range"),
        (lambda: TempoMap.from_json({"tempi": [[0, 120]]}), "malformed"),
        (lambda: TempoMap.from_json({"tempi": [[0]], "time_signatures": [], "first_beat_seconds": 0}), "malformed"),
        (lambda: TempoMap.from_json({"tempi": [[0, 900]], "time_signatures": [], "first_beat_seconds": 0}), "range"),
    ],
)
def test_bad_maps_say_what_is_wrong(make: Callable[[], TempoMap], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
