"""Dynamic programming with drift: exact takes stay, offsets change nothing, drift is followed, lines keep order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import CANDIDATES, Struck, grid_tokens
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray
from datagen.played.patterns import Patterns
from datagen.played.performance import EXACT, perform
from models.drift_viterbi import drift_viterbi
from models.heard_takes import GridTake, take_of

KICK, SNARE, HAT = 0, 1, 2
LINE_BEATS = 1e-5  # patterns round their beats to a millionth
TEMPO = TempoMap.constant(120.0, 1.0)


def struck(beats: FloatArray, groups: list[int], late_seconds: FloatArray | float = 0.0) -> Struck:
    seconds = TEMPO.to_seconds(beats) + late_seconds
    ones = np.ones(len(beats))
    return Struck(seconds, np.array(groups, np.int64), 0.8 * ones, 0.95 * ones)


def rock(bars: int) -> tuple[FloatArray, list[int]]:
    """Eighth hats, kick on 1 and 3, snare on 2 and 4, a kick before 3."""
    strokes = [(i / 2, HAT) for i in range(8 * bars)] + [(float(i), SNARE if i % 2 else KICK) for i in range(4 * bars)]
    strokes += [(4.0 * bar + 1.75, KICK) for bar in range(bars)]
    strokes.sort()
    return np.array([beats for beats, _ in strokes]), [group for _, group in strokes]


def chosen_beats(hits: Struck, grid: Grid = Grid(), tempo_map: TempoMap = TEMPO) -> FloatArray:  # noqa: B008
    tokens = grid_tokens(hits, tempo_map, grid)
    answers = drift_viterbi(tokens, hits, tempo_map)
    assert answers.shape == hits.seconds.shape and np.all((answers >= 0) & (answers < CANDIDATES))
    return np.asarray(tokens.nominals_beats[np.arange(len(answers)), answers])


@given(seed=st.integers(0, 999))
@settings(max_examples=12)
def test_what_is_played_exactly_stays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    performance = perform(Patterns().pick(rng, 2), EXACT, rng)
    take: GridTake = take_of(performance, performance.grid)
    found = chosen_beats(take.struck, take.grid, take.tempo_map)
    np.testing.assert_allclose(found[take.counted], take.nominals_beats[take.counted], atol=LINE_BEATS)


@pytest.mark.parametrize("late_seconds", [-0.04, -0.015, 0.015, 0.04])
def test_a_constant_lateness_changes_nothing(late_seconds: float) -> None:
    beats, groups = rock(4)
    np.testing.assert_allclose(chosen_beats(struck(beats, groups, late_seconds)), beats, atol=LINE_BEATS)


@pytest.mark.parametrize("peak_seconds", [-0.1, 0.08, 0.1])
def test_drift_beyond_half_a_step_is_followed(peak_seconds: float) -> None:
    beats, groups = rock(12)
    late = peak_seconds * np.sin(2.0 * np.pi * beats / 48.0)
    nearest = Grid().nearest_line(np.asarray(TEMPO.to_beats(TEMPO.to_seconds(beats) + late)))
    assert np.mean(nearest != beats) > 0.1
    hits = struck(beats, groups, late)
    order = np.argsort(hits.seconds, kind="stable")
    assert np.all(order == np.arange(len(order)))
    np.testing.assert_allclose(chosen_beats(hits), beats, atol=LINE_BEATS)


def test_strokes_struck_together_share_a_line() -> None:
    beats, groups = rock(2)
    late = np.where(np.array(groups) == HAT, 0.0, 0.009)
    np.testing.assert_allclose(chosen_beats(struck(beats, groups, late)), beats, atol=LINE_BEATS)


def test_one_of_two_grids_fits() -> None:
    triplets = np.arange(24) / 3.0
    found = chosen_beats(struck(triplets, [HAT] * 24, 0.004), Grid(("1/16", "1/8T")))
    np.testing.assert_allclose(found, triplets, atol=LINE_BEATS)


def test_a_single_hit_goes_to_the_line_beside_it() -> None:
    assert chosen_beats(struck(np.array([2.52]), [SNARE])).tolist() == [2.5]


def test_no_hits_no_answers() -> None:
    assert chosen_beats(struck(np.zeros(0), [])).shape == (0,)
