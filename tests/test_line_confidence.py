"""Confidences of lines: what they say by definition, and that trouble around a hit tells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import ANSWERS, CANDIDATES, LEAVE, GridTokens, Struck, grid_tokens
from beatnet_align.line_confidence import BAR_HITS, SIGNS, LineConfidence, line_signs
from beatnet_align.line_decoding import ChosenLines, choose_lines
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray

STEP_SECONDS = 0.125
MIDDLE = CANDIDATES // 2


def sixteenths(late_seconds: FloatArray) -> GridTokens:
    """A run at 120 BPM."""
    seconds = STEP_SECONDS * np.arange(1, len(late_seconds) + 1) + late_seconds
    count = len(seconds)
    struck = Struck(seconds, np.zeros(count, np.int64), np.full(count, 0.8), np.ones(count))
    return grid_tokens(struck, TempoMap.constant(120.0, 0.0), Grid())


def nearest(tokens: GridTokens, sure: float = 0.99) -> ChosenLines:
    """Every hit on its nearest line; the rest of the probability is the next one's."""
    probabilities = np.full((len(tokens.beats), ANSWERS), 1e-9)
    probabilities[:, MIDDLE], probabilities[:, MIDDLE + 1] = sure, 1.0 - sure
    return ChosenLines(np.full(len(tokens.beats), MIDDLE), probabilities, tokens.lines_beats)


def signs_of(tokens: GridTokens, chosen: ChosenLines) -> dict[str, FloatArray]:
    return dict(zip(SIGNS, line_signs(tokens, chosen).T, strict=True))


@given(seed=st.integers(0, 99), hits=st.integers(0, 60), bias=st.floats(-9.0, 9.0))
def test_a_confidence_is_one_whatever_the_weights(seed: int, hits: int, bias: float) -> None:
    rng = np.random.default_rng(seed)
    tokens = sixteenths(np.sort(rng.normal(0.0, 0.05, hits)))
    said = np.log(rng.dirichlet(np.full(ANSWERS, 0.2), hits) + 1e-12)
    chosen = choose_lines(said, tokens.lines_beats, tokens.groups.tolist())
    told = LineConfidence(bias, tuple(rng.normal(0.0, 3.0, len(SIGNS)).tolist()))(tokens, chosen)
    assert told.shape == (hits,)
    assert ((told >= 0.0) & (told <= 1.0)).all()


@pytest.mark.parametrize("sure", [0.5, 0.9, 0.99, 0.999])
def test_without_weights_it_is_the_chance_that_a_bar_of_such_hits_is_right(sure: float) -> None:
    tokens = sixteenths(np.zeros(40))
    assert LineConfidence()(tokens, nearest(tokens, sure)) == pytest.approx(np.full(40, sure**BAR_HITS), rel=1e-6)


def test_hits_without_a_line_are_as_sure_as_the_network_whatever_the_weights() -> None:
    tokens = sixteenths(np.zeros(9))
    chosen = nearest(tokens)
    chosen.answers[4], chosen.probabilities[4, LEAVE] = LEAVE, 0.98
    told = LineConfidence(20.0, (0.0,) * len(SIGNS))(tokens, chosen)
    assert told[4] == pytest.approx(0.98**BAR_HITS)
    assert np.delete(told, 4) == pytest.approx(0.0, abs=1e-6)


def test_the_signs_of_a_drummer_who_is_late_all_along_and_of_one_who_strays() -> None:
    steady = signs_of(tokens := sixteenths(np.full(40, 0.025)), nearest(tokens))
    assert steady["step"] == pytest.approx(np.full(40, np.log(STEP_SECONDS)), abs=1e-5)
    assert steady["spread"] == pytest.approx(np.zeros(40), abs=1e-3)
    assert steady["apart"] == pytest.approx(np.zeros(40), abs=1e-5)
    assert steady["log_odds"] == pytest.approx(np.full(40, np.log(99.0)), abs=1e-5)
    straying = np.where(np.arange(40) % 2, 0.025, -0.025)
    astray = signs_of(tokens := sixteenths(straying), nearest(tokens))
    assert astray["spread"][8:32] == pytest.approx(np.full(24, 0.2), abs=0.002)
    one = np.zeros(40)
    one[20] = 0.05
    alone = signs_of(tokens := sixteenths(one), nearest(tokens))
    assert alone["apart"].argmax() == 20
    assert alone["apart"][20] == pytest.approx(0.4, abs=0.02)


def test_doubts_of_others_are_heard_and_earlier_lines_are_told_from_later() -> None:
    tokens = sixteenths(np.zeros(64))
    chosen = nearest(tokens, 0.999)
    before = signs_of(tokens, chosen)
    chosen.probabilities[32, [MIDDLE - 1, MIDDLE]] = 0.5
    after = signs_of(tokens, chosen)
    near = np.abs(tokens.beats - tokens.beats[32]) <= 4.0
    assert (after["doubts"][near] > before["doubts"][near]).all()
    assert after["doubts"][~near] == pytest.approx(before["doubts"][~near])
    assert after["earlier_lines"].argmax() == 32
    worried = LineConfidence(-4.0, (-1.0, 0.0, 0.0, 0.0, 0.0, 1.0))(tokens, chosen)
    assert worried[near].max() < worried[~near].min()


def test_hits_whose_place_is_given_raise_no_doubts() -> None:
    tokens = sixteenths(np.zeros(40))
    said = np.log(nearest(tokens).probabilities)
    plain = signs_of(tokens, choose_lines(said, tokens.lines_beats, ["snare"] * 40))
    given_beats = {20: float(tokens.beats[20]) + 0.1}
    locked = signs_of(tokens, choose_lines(said, tokens.lines_beats, ["snare"] * 40, given_beats))
    assert (locked["doubts"] <= plain["doubts"] + 1e-9).all()
    assert locked["spread"] == pytest.approx(plain["spread"], abs=1e-4)


@settings(max_examples=30)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1 + len(SIGNS), max_size=1 + len(SIGNS)))
def test_it_is_read_as_it_is_written(numbers: list[float]) -> None:
    confidence = LineConfidence(numbers[0], tuple(numbers[1:]))
    assert LineConfidence.parse(str(confidence)) == confidence


@pytest.mark.parametrize(
    "text", ["", "warm", "3", "{}", "[]", "[1, 2]", "[1, 2, 3, 4, 5, 6, NaN]", '[1, 2, 3, 4, 5, 6, "x"]']
)
def test_what_is_no_confidence_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="a confidence"):
        LineConfidence.parse(text)
