"""Lines chosen from hand-made probabilities: order and one stroke a line where they cost little, and never by force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align import line_decoding
from beatnet_align.grid_tokens import ANSWERS, CANDIDATES, LEAVE, ORNAMENT
from beatnet_align.line_decoding import BACKWARDS_NATS, NO_LINE_NATS, REPEATED_NATS, ChosenLines, choose_lines
from beatnet_align.units import FloatArray

STEP_BEATS = 0.25


def lines_around(nearest: list[int]) -> FloatArray:
    """[hits, CANDIDATES] of a 16th grid, by the number of each hit's nearest line."""
    return np.asarray(STEP_BEATS * (np.array(nearest)[:, None] + np.arange(CANDIDATES) - CANDIDATES // 2), np.float64)


def told(*hits: dict[int, float]) -> FloatArray:
    """[hits, ANSWERS] log-probabilities: those given by column, and next to nothing for the rest."""
    weights = np.full((len(hits), ANSWERS), 1e-9)
    for row, given_weights in zip(weights, hits, strict=True):
        for column, weight in given_weights.items():
            row[column] = weight
    return np.asarray(np.log(weights / weights.sum(axis=1, keepdims=True)))


def chosen(nearest: list[int], strokes: list[str], *hits: dict[int, float]) -> tuple[list[float | None], ChosenLines]:
    found = choose_lines(told(*hits), lines_around(nearest), strokes)
    return [found.line_beats(i) for i in range(len(hits))], found


def test_the_most_probable_lines_are_chosen_where_nothing_speaks_against_them() -> None:
    lines, found = chosen([4, 5, 8], ["snare"] * 3, {4: 0.9, 5: 0.1}, {4: 0.3, 5: 0.7}, {3: 1.0})
    assert lines == [1.0, 1.5, 1.75]
    assert [found.confidence(i) for i in range(3)] == pytest.approx([0.9, 0.7, 1.0], abs=1e-6)
    assert found.runner_up_beats(0) == 1.25
    assert found.runner_up_beats(1) == 1.25
    assert found.confidence_of(1, 1.25) == pytest.approx(0.3, abs=1e-6)
    assert found.confidence_of(1, 99.0) == 0.0


def test_a_hit_that_leans_a_little_backwards_is_kept_in_order() -> None:
    lines, found = chosen([5, 4], ["kick", "hat"], {4: 1.0}, {4: 0.6, 5: 0.4})
    assert lines == [1.25, 1.25]
    assert found.confidence(1) == pytest.approx(0.4, abs=1e-6)
    assert found.runner_up_beats(1) == 1.0


def test_a_hit_that_is_sure_goes_backwards() -> None:
    odds = np.exp(BACKWARDS_NATS)
    assert chosen([5, 4], ["kick", "hat"], {4: 1.0}, {4: 1.1 * odds, 5: 1.0})[0] == [1.25, 1.0]
    assert chosen([5, 4], ["kick", "hat"], {4: 1.0}, {4: 0.9 * odds, 5: 1.0})[0] == [1.25, 1.25]


def test_the_first_of_two_gives_way_where_that_costs_less() -> None:
    assert chosen([5, 4], ["kick", "hat"], {3: 0.4, 4: 0.6}, {4: 1.0})[0] == [1.0, 1.0]


@pytest.mark.parametrize("between", [LEAVE, ORNAMENT])
def test_hits_without_a_line_hide_nothing(between: int) -> None:
    lines, _ = chosen([5, 5, 4], ["kick", "kick", "hat"], {4: 1.0}, {between: 1.0}, {4: 0.6, 5: 0.4})
    assert lines == [1.25, None, 1.25]


def test_a_second_stroke_of_a_piece_takes_the_line_beside() -> None:
    odds = np.exp(REPEATED_NATS)
    assert chosen([4, 4], ["kick", "kick"], {4: 1.0}, {4: 0.9 * odds, 5: 1.0})[0] == [1.0, 1.25]
    assert chosen([4, 4], ["kick", "kick"], {4: 1.0}, {4: 1.1 * odds, 5: 1.0})[0] == [1.0, 1.0]
    assert chosen([4, 4], ["kick", "hat"], {4: 1.0}, {4: 0.6, 5: 0.4})[0] == [1.0, 1.0]
    assert chosen([4, 4], ["kick", "kick"], {4: 1.0}, {4: 0.6, ORNAMENT: 0.4 * np.exp(NO_LINE_NATS)})[0] == [1.0, None]


@pytest.mark.parametrize(("apart_beats", "lines"), [(0.06, [1.0, 1.25]), (0.04, [1.0, 1.0])])
def test_strokes_too_close_for_two_lines_may_share_one(apart_beats: float, lines: list[float]) -> None:
    said, around = told({4: 1.0}, {4: 0.7, 5: 0.3}), lines_around([4, 4])
    for strokes, wanted in ((["snare", "snare"], lines), (["snare", "kick"], [1.0, 1.0])):
        found = choose_lines(said, around, strokes, beats=np.array([1.03, 1.03 + apart_beats]))
        assert [found.line_beats(i) for i in range(2)] == wanted


@pytest.mark.parametrize("between", [LEAVE, 4])
def test_closeness_counts_from_the_first_stroke_on_the_line(between: int) -> None:
    said = told({4: 1.0}, {between: 1.0}, {4: 0.7, 5: 0.3})
    found = choose_lines(said, lines_around([4, 4, 4]), ["snare"] * 3, beats=np.array([0.98, 1.02, 1.06]))
    assert found.line_beats(2) == 1.25


@pytest.mark.parametrize("lines", [[0.75, 1.0, 1.375], [0.625, 1.0, 1.25]])
def test_uneven_lines_are_as_close_as_the_nearer_one(lines: list[float]) -> None:
    around = np.array([[lines[0] - 1.0, lines[0] - 0.75, lines[0] - 0.5, *lines, 2.0, 2.5, 3.0]] * 2)
    found = choose_lines(told({4: 1.0}, {4: 0.7, 5: 0.3}), around, ["snare"] * 2, beats=np.array([1.0, 1.06]))
    assert [found.line_beats(i) for i in range(2)] == [1.0, lines[2]]


def given_at(line: float, nearest: list[int], strokes: list[str], *hits: dict[int, float]) -> list[float | None]:
    """Lines where the place of the middle hit is given."""
    found = choose_lines(told(*hits), lines_around(nearest), strokes, {len(hits) // 2: line})
    return [found.line_beats(i) for i in range(len(hits))]


def test_a_given_place_is_kept_and_no_hit_goes_to_its_wrong_side_however_sure() -> None:
    sure = {4: 1.0}
    assert given_at(1.0, [4, 5, 6], ["kick", "snare", "hat"], sure, sure, sure) == [1.0, 1.0, 1.5]
    assert given_at(1.8, [4, 5, 6], ["kick", "snare", "hat"], sure, sure, {4: 1.0, 6: 0.01}) == [1.0, 1.8, 2.0]
    assert given_at(0.8, [4, 5, 6], ["kick", "snare", "hat"], {4: 1.0, 3: 0.01}, sure, sure) == [0.75, 0.8, 1.5]


def test_a_line_that_is_given_to_a_hit_has_no_other_stroke_of_its_piece() -> None:
    leaning = {4: 1.0, 3: 0.001}
    assert given_at(1.0, [4, 5, 6], ["snare", "snare", "hat"], leaning, {4: 1.0}, {4: 1.0}) == [0.75, 1.0, 1.5]
    assert given_at(1.0, [4, 5, 6], ["kick", "snare", "hat"], leaning, {4: 1.0}, {4: 1.0}) == [1.0, 1.0, 1.5]


def test_a_hit_that_given_places_leave_no_line_has_none() -> None:
    found = choose_lines(told({4: 1.0}, {4: 1.0}), lines_around([4, 9]), ["kick", "hat"], {0: 9.0})
    assert (found.line_beats(1), found.best_line_beats(1)) == (None, None)


def test_no_hits_have_no_lines() -> None:
    found = choose_lines(np.zeros((0, ANSWERS)), np.zeros((0, CANDIDATES)), [])
    assert found.answers.shape == (0,)


def cost(said: FloatArray, lines: FloatArray, strokes: list[int], answers: tuple[int, ...]) -> float:
    """What a row of answers is worth, by the definition."""
    total, furthest, own = 0.0, -np.inf, dict.fromkeys(strokes, -np.inf)
    for i, answer in enumerate(answers):
        total += said[i, answer]
        if answer < CANDIDATES:
            line = lines[i, answer]
            total -= BACKWARDS_NATS * (line < furthest) + REPEATED_NATS * (line == own[strokes[i]])
            furthest, own[strokes[i]] = max(furthest, line), line
        else:
            total -= NO_LINE_NATS
    return float(total)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), steps=st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_a_wide_beam_finds_the_best_of_all(seed: int, steps: list[int]) -> None:
    rng = np.random.default_rng(seed)
    said = np.log(rng.dirichlet(np.full(ANSWERS, 0.5), 3) + 1e-6)
    lines, strokes = lines_around(np.cumsum(steps).tolist()), rng.integers(0, 2, 3).tolist()
    best = max(cost(said, lines, strokes, answers) for answers in product(range(ANSWERS), repeat=3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_decoding, "BEAM_WIDTH", 10_000)
        found = choose_lines(said, lines, strokes)
    assert cost(said, lines, strokes, tuple(found.answers.tolist())) == pytest.approx(best)


def test_a_long_take_is_decoded() -> None:
    rng = np.random.default_rng(0)
    said = np.log(rng.dirichlet(np.ones(ANSWERS), 3_000))
    found = choose_lines(said, lines_around(list(range(3_000))), ["snare", "kick"] * 1_500)
    assert found.answers.shape == (3_000,)
    assert said[np.arange(3_000), found.answers].mean() > said.mean()
