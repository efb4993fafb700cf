"""Follow the beats of a drummer without a click: a tempo that wanders, ramps or slows down.

Dynamic programming over the times of beats (Ellis 2007, "Beat Tracking by Dynamic Programming"), on hits instead of an
onset envelope, with a period that follows the take; then a local straight line through the beats, so that the map
takes up the drummer's tempo and not every stroke's deviation.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Hit
from beatnet_align.tempo_estimate import GOOD_FIT, TempoEstimate, estimate_tempo, place_first_beat, read_hits
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray

STEP_SECONDS = 0.005
HIT_SPREAD_SECONDS = 0.015
TIGHTNESS = 80.0
"""Cost of a beat of another length, times the squared logarithm of the ratio; Ellis has 100 beside an onset envelope
of unit standard deviation, as here."""

PERIOD_REACH, PERIOD_STEPS = 0.12, 49
"""How far the period may wander from what was estimated for the whole take, and how finely it is searched."""

PERIOD_WINDOW_SECONDS, PERIOD_HOP_SECONDS = 12.0, 2.0
PERIOD_CHANGE_COST = 6_000.0
"""Of the period changing from hop to hop, times the squared logarithm of the ratio; agreement counts up to 2.5."""

SMOOTHING_BEATS = 4
LEAST_BEATS = 8
CLEARLY_BETTER = 0.1
"""By how much a followed tempo must fit better than a constant one, which needs less to be believed."""

_MULTIPLES, _MULTIPLE_WEIGHTS = (1.0, 2.0, 4.0), (1.0, 1.0, 0.5)


def estimate_beats(hits: Sequence[Hit], sample_rate: int, *, about_bpm: float | None = None) -> TempoEstimate:
    """Estimate a constant tempo; or follow the drummer, where that fits the hits clearly better.

    Args:
        hits: In any order.
        sample_rate: Of their onsets, in hertz.
        about_bpm: As ``bpm_hint`` of :func:`~beatnet_align.tempo_estimate.estimate_tempo`.

    Raises:
        InputError: There are too few hits, or ``about_bpm`` is out of range.
    """
    constant = estimate_tempo(hits, sample_rate, bpm_hint=about_bpm)
    if constant.fit >= GOOD_FIT:
        return constant
    try:
        return _followed(hits, sample_rate, constant)
    except InputError:  # a beat so short or long that no tempo map has it
        return constant


def _followed(hits: Sequence[Hit], sample_rate: int, constant: TempoEstimate) -> TempoEstimate:
    onsets = read_hits(hits, sample_rate)
    emphasis = onsets.weights + onsets.kicks + onsets.snares
    beats = follow_beats(onsets.seconds, emphasis, 60.0 / float(constant.tempo_map.tempi[0].bpm))
    if len(beats) < LEAST_BEATS:
        return constant
    # With its beats as the measure of time the take has a tempo of 60 BPM, whose phase and downbeat are to be found.
    followed = TempoMap.from_beat_times(beats)
    placed = place_first_beat(replace(onsets, seconds=followed.to_beats(onsets.seconds)), 60.0, "")
    if placed.fit < constant.fit + CLEARLY_BETTER:
        return constant
    first = placed.tempo_map.first_beat_seconds
    whole = np.arange(np.ceil(-first), np.floor(len(beats) - 1.0 - first) + 1.0)
    tempo_map = TempoMap.from_beat_times(followed.to_seconds(first + whole), float(whole[0]))
    bpms = [change.bpm for change in tempo_map.tempi]
    assumptions = (
        f"followed the drummer: no constant tempo fits; {min(bpms):.1f} to {max(bpms):.1f} BPM",
        f"first beat at {tempo_map.first_beat_seconds:.3f} s: the bar line nearest to the first strong hit",
        constant.assumptions[-1],
    )
    poor = f"even so the hits fit it poorly ({placed.fit:.0%}): give a tempo map or a click track"
    return TempoEstimate(tempo_map, placed.fit, assumptions, (poor,) if placed.fit < GOOD_FIT else ())


def follow_beats(seconds: FloatArray, weights: FloatArray, beat_seconds: float) -> FloatArray:
    """Times of successive beats, or of places that lie equally far between them.

    Args:
        seconds: [hits], rising; their times.
        weights: [hits], how much each tells of the beat.
        beat_seconds: Length of a beat, about.

    Returns:
        [beats], rising; from up to one beat before the first hit to up to one behind the last.
    """
    start = seconds[0] - 2.0 * beat_seconds
    steps = int(np.ceil((seconds[-1] + 2.0 * beat_seconds - start) / STEP_SECONDS)) + 1
    strength = _strength((seconds - start) / STEP_SECONDS, weights, steps)
    periods = _periods(seconds, weights, beat_seconds)
    period_steps = np.interp(start + STEP_SECONDS * np.arange(steps), *periods) / STEP_SECONDS
    beats = start + STEP_SECONDS * _best_chain(strength, period_steps)
    return _smoothed(beats[(beats > seconds[0] - beat_seconds) & (beats < seconds[-1] + beat_seconds)])


def _strength(places: FloatArray, weights: FloatArray, steps: int) -> FloatArray:
    """Hits as bumps on a raster, [steps], of unit standard deviation."""
    comb = np.bincount(np.clip(np.rint(places).astype(np.int64), 0, steps - 1), weights, steps)
    reach = int(np.ceil(3.0 * HIT_SPREAD_SECONDS / STEP_SECONDS))
    bump = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP_SECONDS / HIT_SPREAD_SECONDS) ** 2)
    raised = np.convolve(comb, bump, "same")
    return np.asarray(raised / max(float(raised.std()), 1e-12))


def _periods(seconds: FloatArray, weights: FloatArray, beat_seconds: float) -> tuple[FloatArray, FloatArray]:
    """Times and the length of a beat there: the smoothest course through windows' agreement with each length."""
    ratios = np.linspace(-PERIOD_REACH, PERIOD_REACH, PERIOD_STEPS)
    candidates = beat_seconds * np.exp(ratios)
    times = np.arange(seconds[0], seconds[-1] + PERIOD_HOP_SECONDS, PERIOD_HOP_SECONDS)
    scores = np.zeros((len(times), PERIOD_STEPS))
    for row, time in enumerate(times):
        near = slice(*np.searchsorted(seconds, [time - PERIOD_WINDOW_SECONDS, time + PERIOD_WINDOW_SECONDS]))
        since = seconds[near] - time
        shares = weights[near] * np.exp(-0.5 * (since / (PERIOD_WINDOW_SECONDS / 4.0)) ** 2)
        for multiple, share in zip(_MULTIPLES, _MULTIPLE_WEIGHTS, strict=True):
            phasors = np.exp(2j * np.pi * multiple * np.outer(1.0 / candidates, since))
            scores[row] += share * np.abs(phasors @ shares) / max(float(shares.sum()), 1e-12)
    cost = PERIOD_CHANGE_COST * (ratios[:, None] - ratios) ** 2
    best, came_from = scores[0].copy(), np.zeros((len(times), PERIOD_STEPS), np.int64)
    for row in range(1, len(times)):
        through = best[None, :] - cost
        came_from[row] = through.argmax(axis=1)
        best = scores[row] + through.max(axis=1)
    at = int(best.argmax())
    course = np.empty(len(times))
    for row in range(len(times) - 1, -1, -1):
        course[row] = candidates[at]
        at = int(came_from[row, at])
    return times, course


def _best_chain(strength: FloatArray, period_steps: FloatArray) -> FloatArray:
    """Steps of the beats of the best chain."""
    steps = len(strength)
    total, came_from = strength.copy(), np.full(steps, -1)
    for i in range(steps):
        period = period_steps[i]
        first, last = max(0, round(i - 1.6 * period)), round(i - 0.6 * period)
        if last <= first:
            continue
        before = np.arange(first, last)
        through = total[first:last] - TIGHTNESS * np.log((i - before) / period) ** 2
        best = int(through.argmax())
        if through[best] > 0.0:
            total[i] += through[best]
            came_from[i] = before[best]
    last_period = max(1, round(float(period_steps[-1])))
    at = steps - last_period + int(total[-last_period:].argmax())
    chain = []
    while at >= 0:
        chain.append(at)
        at = int(came_from[at])
    return np.array(chain[::-1], np.float64)


def _smoothed(beats: FloatArray) -> FloatArray:
    """Every beat on a straight line through those around it."""
    numbers = np.arange(len(beats), dtype=np.float64)
    found = np.empty(len(beats))
    for i in range(len(beats)):
        near = slice(max(0, i - SMOOTHING_BEATS), i + SMOOTHING_BEATS + 1)
        _, offset = np.polyfit(numbers[near] - i, beats[near], 1)
        found[i] = offset
    return found
