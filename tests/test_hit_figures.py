"""Figures of hit finders: what perfect and shifted estimates get, what merging keeps, and counts worked out by hand."""

from dataclasses import replace

import mir_eval
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray
from models.hit_figures import Share, hit_figures, reliability
from models.onset_figures import (
    BIAS_WINDOW_SECONDS,
    EstimatedHit,
    HeardTake,
    TrueHit,
    median_bias_seconds,
    merged,
    onset_figures,
)

KNOWN_PIECES = [piece for piece in Piece if piece is not Piece.UNKNOWN]

times = st.lists(st.integers(0, 4_000), max_size=40).map(lambda ms: np.sort(np.array(ms, np.float64) / 1_000.0))
true_hits = st.builds(
    TrueHit,
    seconds=st.integers(0, 20_000).map(lambda ms: ms / 1_000.0),
    piece=st.sampled_from(KNOWN_PIECES),
    velocity=st.floats(0.0, 1.0),
    ornament=st.booleans(),
    own_channel=st.sampled_from([None, "close"]),
)


def heard(true: FloatArray, estimated: FloatArray) -> HeardTake:
    return HeardTake("take", tuple(TrueHit(float(s)) for s in true), tuple(EstimatedHit(float(s)) for s in estimated))


def perfect(hits: list[TrueHit]) -> HeardTake:
    return HeardTake("take", tuple(hits), tuple(EstimatedHit(hit.seconds, hit.piece, 1.0) for hit in hits))


@given(onsets=times, window_ms=st.integers(0, 50))
def test_events_begin_at_onsets_lie_apart_and_leave_no_onset_out(onsets: FloatArray, window_ms: int) -> None:
    window = window_ms / 1_000.0
    events = merged(onsets, window)
    assert set(events) <= set(onsets)
    assert (np.diff(events) > window).all()
    for onset in onsets:
        assert any(event <= onset and onset - event <= window for event in events)
    np.testing.assert_array_equal(merged(events, window), events)


@given(hits=st.lists(true_hits, min_size=1, max_size=30))
def test_the_truth_itself_gets_full_marks(hits: list[TrueHit]) -> None:
    figures = hit_figures([perfect(hits)])
    assert figures.bias_seconds == 0.0
    for at in figures.onsets.values():
        assert (at.f_measure, at.precision, at.recall, at.pooled_f_measure) == (1.0, 1.0, 1.0, 1.0)
    shares = [figures.soft, figures.ornaments, figures.flams, *figures.pieces.values(), *figures.groups.values()]
    assert all(share.part == share.whole for share in [*shares, *figures.velocities.values()])
    assert sum(share.whole for share in figures.pieces.values()) == len(hits)
    assert sum(share.whole for share in figures.velocities.values()) == len(hits)
    assert sum(share.whole for share in figures.groups.values()) == sum(hit.own_channel is not None for hit in hits)
    assert figures.reliability[-1].right == Share(len(hits), len(hits))


@given(count=st.integers(1, 20), shift_ms=st.floats(-40.0, 40.0))
def test_a_constant_lateness_is_bias_and_costs_nothing(count: int, shift_ms: float) -> None:
    assume(abs(shift_ms) > 1.0)
    exact = perfect([TrueHit(0.25 * i, Piece.SNARE, own_channel="snare") for i in range(1, count + 1)])
    late = tuple(replace(hit, seconds=hit.seconds + shift_ms / 1_000.0) for hit in exact.estimated_hits)
    figures, unshifted = hit_figures([replace(exact, estimated_hits=late)]), hit_figures([exact])
    assert figures.bias_seconds == pytest.approx(shift_ms / 1_000.0, abs=1e-9)
    assert (figures.onsets, figures.pieces, figures.groups) == (unshifted.onsets, unshifted.pieces, unshifted.groups)


@given(true=times, estimated=times)
def test_one_take_is_scored_as_mir_eval_scores_it(true: FloatArray, estimated: FloatArray) -> None:
    assume(len(true) and len(estimated))
    figures = onset_figures([heard(true, estimated)], (0.005, 0.05), merge_seconds=0.012)
    for window, at in zip((0.005, 0.05), figures.values(), strict=True):
        expected = mir_eval.onset.f_measure(merged(true, 0.012), merged(estimated, 0.012), window)
        assert (at.f_measure, at.precision, at.recall) == pytest.approx(expected)
        assert (at.pooled_f_measure, at.pooled_precision, at.pooled_recall) == pytest.approx(expected)


@given(true=times, estimated=times)
def test_swapping_truth_and_estimates_swaps_precision_and_recall(true: FloatArray, estimated: FloatArray) -> None:
    assume(len(true) and len(estimated))
    window = 0.0255  # between whole milliseconds, where rounding cannot tell the two ways apart
    there, back = (
        next(iter(onset_figures([heard(*pair)], (window,)).values())) for pair in ((true, estimated), (estimated, true))
    )
    assert (there.precision, there.recall) == (back.recall, back.precision)


@given(true=times, estimated=times)
def test_a_wider_tolerance_never_scores_less(true: FloatArray, estimated: FloatArray) -> None:
    recalls = [at.pooled_recall for at in onset_figures([heard(true, estimated)]).values()]
    assert np.isnan(recalls).all() or recalls == sorted(recalls)


@given(hits=st.lists(true_hits, max_size=12), seed=st.integers(0, 99))
def test_the_order_of_hits_does_not_matter(hits: list[TrueHit], seed: int) -> None:
    take = perfect(hits[1:])
    order = np.random.default_rng(seed).permutation(len(hits))
    one, other = (HeardTake("take", tuple(given), take.estimated_hits) for given in (hits, [hits[i] for i in order]))
    assert repr(hit_figures([one])) == repr(hit_figures([other]))


def test_the_mean_of_takes_counts_takes_alike_and_pooling_counts_hits_alike() -> None:
    good = heard(np.arange(1.0, 10.0), np.arange(1.0, 10.0))
    missed, empty = heard(np.array([1.0]), np.zeros(0)), heard(np.zeros(0), np.array([1.0]))
    at = onset_figures([good, missed, empty], (0.05,))["50_ms"]
    assert at.f_measure == 0.5  # the take without hits has no F-measure of its own
    assert (at.pooled_precision, at.pooled_recall) == (0.9, 0.9)  # but its false hit is one of ten


def test_bias_ignores_what_lies_beyond_its_window() -> None:
    late = heard(np.array([1.0, 2.0, 3.0]), np.array([1.01, 2.01, 3.0 + 2.0 * BIAS_WINDOW_SECONDS]))
    assert median_bias_seconds([late]) == pytest.approx(0.01)
    assert median_bias_seconds([heard(np.array([1.0]), np.zeros(0))]) == 0.0


def test_a_flam_needs_both_of_its_hits() -> None:
    hits = (
        TrueHit(1.0, Piece.KICK),
        TrueHit(1.02, Piece.SNARE),  # a flam, both found
        TrueHit(2.0, Piece.KICK),
        TrueHit(2.02, Piece.SNARE),  # a flam, one found
        TrueHit(3.0, Piece.KICK),
        TrueHit(3.008, Piece.SNARE),  # too close for a flam
        TrueHit(4.0, Piece.SNARE),
        TrueHit(4.03, Piece.SNARE),  # one piece
    )
    estimates = tuple(EstimatedHit(seconds) for seconds in (1.0, 1.02, 2.0, 3.0, 4.0, 4.03))
    assert hit_figures([HeardTake("flams", hits, estimates)]).flams == Share(1, 2)


def test_hits_that_stand_alone_are_judged_by_the_rise_in_level() -> None:
    hits = (
        TrueHit(1.0, rise_db=1.0),  # not found
        TrueHit(2.0, rise_db=2.0),
        TrueHit(3.0, rise_db=20.0),
        TrueHit(4.0, rise_db=20.0),  # another is too near
        TrueHit(4.02, rise_db=20.0),
        TrueHit(5.0),  # nobody measured
    )
    rises = hit_figures([HeardTake("rises", hits, tuple(EstimatedHit(hit.seconds) for hit in hits[1:]))]).rises
    assert rises == {"0-3 dB": Share(1, 2), "3-6 dB": Share(0, 0), "6-12 dB": Share(0, 0), "over 12 dB": Share(1, 1)}


def test_what_nobody_can_hear_counts_neither_way_in_the_second_figures() -> None:
    hits = (
        TrueHit(1.0, rise_db=1.0),  # not found
        TrueHit(2.0, rise_db=2.0),  # found
        TrueHit(3.0, rise_db=20.0),
        TrueHit(4.0, rise_db=1.0),  # found; another is near, and may be what is heard
        TrueHit(4.02, rise_db=1.0),
        TrueHit(6.0, rise_db=1.0),  # found three times
        TrueHit(7.0, rise_db=1.0),
        TrueHit(7.035, rise_db=20.0),  # found, and none of the one before
    )
    found = (2.003, 3.003, 4.003, 5.003, 5.985, 6.003, 6.021, 7.019)  # one at 5 s and two at 6 s are false
    figures = hit_figures([HeardTake("unheard", hits, tuple(EstimatedHit(seconds) for seconds in found))])
    assert figures.bias_seconds == pytest.approx(0.003)
    at = figures.onsets["25_ms"]
    assert (at.precision, at.recall) == (5 / 8, 5 / 8)
    at = figures.heard["25_ms"]
    assert (at.precision, at.recall) == (3 / 6, 3 / 4)


def test_a_late_estimate_of_what_nobody_can_hear_is_no_false_one_where_it_would_have_matched() -> None:
    hits = (*(TrueHit(float(i), rise_db=20.0) for i in range(1, 9)), TrueHit(9.0, rise_db=1.0))
    estimates = tuple(EstimatedHit(float(i)) for i in range(1, 9))
    figures = hit_figures([HeardTake("late", hits, (*estimates, EstimatedHit(9.04)))])
    assert figures.heard["50_ms"].precision == 1.0
    assert figures.heard["25_ms"].precision == 8 / 9


def test_a_true_hit_without_a_time_is_an_error() -> None:
    with pytest.raises(InputError, match="true onsets of take hold NaN"):
        hit_figures([heard(np.array([1.0, np.nan]), np.array([1.0]))])


def test_pieces_are_judged_by_group_where_a_found_hit_has_its_own_microphone() -> None:
    hits = (
        TrueHit(1.0, Piece.SNARE, own_channel="snare"),  # called a sidestick: the same group
        TrueHit(2.0, Piece.SNARE, own_channel="snare"),  # called a tom
        TrueHit(3.0, Piece.SNARE, own_channel="snare"),  # not found
        TrueHit(4.0, Piece.SNARE),  # no microphone of its own
        TrueHit(5.0, Piece.KICK, own_channel="kick"),  # a hat is nearer, but the kick is there
    )
    estimates = (
        EstimatedHit(1.0, Piece.SIDESTICK, 0.9),
        EstimatedHit(2.0, Piece.TOM_HIGH, 0.9),
        EstimatedHit(4.0, Piece.SNARE, 0.9),
        EstimatedHit(5.0, Piece.HIHAT_CLOSED, 0.9),
        EstimatedHit(5.02, Piece.KICK, 0.9),
    )
    groups = hit_figures([HeardTake("pieces", hits, estimates)]).groups
    assert groups["snare"] == Share(1, 2) and groups["kick"] == Share(1, 1)
    assert all(share.whole == 0 for group, share in groups.items() if group not in ("snare", "kick"))
    blind = tuple(EstimatedHit(hit.seconds) for hit in estimates)
    assert all(not share.whole for share in hit_figures([HeardTake("pieces", hits, blind)]).groups.values())


@given(confidences=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), right=st.integers(0, 30))
def test_every_estimate_is_in_the_bin_of_its_confidence(confidences: list[float], right: int) -> None:
    right = min(right, len(confidences))
    estimates = tuple(EstimatedHit(float(i), Piece.KICK, confidence) for i, confidence in enumerate(confidences))
    take = HeardTake("take", tuple(TrueHit(float(i), Piece.KICK) for i in range(right)), estimates)
    bins = reliability([take])
    assert sum(part.right.whole for part in bins) == len(confidences)
    assert sum(part.right.part for part in bins) == right
    for i, part in enumerate(bins):
        assert not part.right.whole or i / 10 - 1e-9 <= part.mean_confidence <= (i + 1) / 10 + 1e-9


def test_estimates_without_confidence_have_no_reliability() -> None:
    assert reliability([heard(np.array([1.0]), np.array([1.0]))]) == ()


@pytest.mark.parametrize("seconds", [np.nan, 44_100.0 * 60.0])
def test_times_that_are_no_seconds_are_refused(seconds: float) -> None:
    with pytest.raises(InputError, match="estimated onsets of take"):
        onset_figures([heard(np.array([1.0]), np.array([seconds]))])
