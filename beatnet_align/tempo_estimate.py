"""Estimate a constant tempo and its first downbeat from the hits of a take, and say what was assumed.

Classical: the tempo is where the hits, seen as phasors, agree best on beats, halves and quarters of beats; the phase is
where kick, snare and loud hits fall on the strong places of the beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.errors import InputError
from beatnet_align.hits import Hit, Piece
from beatnet_align.tempo_map import MAX_BPM, MIN_BPM, TempoMap
from beatnet_align.units import FloatArray, samples_to_seconds

PRIOR_BPM, PRIOR_OCTAVES = 100.0, 0.6  # gave the fewest octave errors on the beats of the Groove MIDI Dataset
HINT_TOLERANCE = 0.2
GOOD_FIT = 0.35  # a performance to a click with a timing spread of 20 ms reaches 0.6 at 120 BPM
_FEW_HITS = 12
_WINDOW_SECONDS = 16.0
_FIRST_SPAN_SECONDS = 60.0  # of the fine search; each further span is four times as long
_WHOLE_BPM_SPREADS = 1.5  # a whole BPM is taken where it moves no hit by more than this many typical deviations
_KICK, _SNARE = (Piece.KICK,), (Piece.SNARE, Piece.SIDESTICK)
_CRASHES = (Piece.CRASH, Piece.CHINA, Piece.SPLASH)
_PIECE_WEIGHTS = {Piece.KICK: 1.0, Piece.SNARE: 1.0, Piece.SIDESTICK: 0.8, Piece.HIHAT_PEDAL: 0.3}
_OTHER_WEIGHT = 0.5
_SUBDIVISIONS = (1.0, 2.0, 3.0, 4.0)
_SUBDIVISION_WEIGHTS = (1.0, 1.0, 0.3, 0.6)
_LINES_IN_BEAT = ((0.0, 1.0), (0.5, 0.5), (0.25, 0.2), (0.75, 0.2), (1 / 3, 0.1), (2 / 3, 0.2))
_LINE_WIDTH_BEATS = 0.05


@dataclass(frozen=True)
class TempoEstimate:
    """What was found, how well it fits, and what the caller should tell the user.

    Attributes:
        tempo_map: 4/4; one constant tempo, or one that follows the drummer where no constant one fits.
        fit: 0 to 1, how closely the hits lie on the grid of that tempo.
        assumptions: What was taken for granted, one sentence each.
        warnings: Why not to trust it, one sentence each; empty when all is well.
    """

    tempo_map: TempoMap
    fit: float
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Onsets:
    """The hits as arrays [n]: times, weights, and the same weights for kicks, snares and crashes alone."""

    seconds: FloatArray
    weights: FloatArray
    kicks: FloatArray
    snares: FloatArray
    crashes: FloatArray


def estimate_tempo(
    hits: Sequence[Hit], sample_rate: int, *, bpm_hint: float | None = None, bpm_range: tuple[float, float] = (60, 200)
) -> TempoEstimate:
    """Estimate tempo, first downbeat and fit.

    Args:
        hits: In any order.
        sample_rate: Of the hits' onsets, in hertz.
        bpm_hint: About the tempo: searched within 20 %, so it also decides between half and double tempo.
        bpm_range: Lowest and highest tempo to consider without a hint.

    Raises:
        InputError: Fewer than two places in time are struck, or the range or hint is out of range.
    """
    low_bpm, high_bpm = bpm_range
    if bpm_hint is not None:
        low_bpm, high_bpm = bpm_hint * (1 - HINT_TOLERANCE), bpm_hint * (1 + HINT_TOLERANCE)
    low_bpm, high_bpm = max(low_bpm, MIN_BPM), min(high_bpm, MAX_BPM)
    if not low_bpm < high_bpm:
        raise InputError(
            f"tempo out of range: cannot search {bpm_hint or bpm_range} BPM inside {MIN_BPM:g}-{MAX_BPM:g}"
        )
    onsets = read_hits(hits, sample_rate)
    if len(onsets.seconds) < 2 or np.ptp(onsets.seconds) < 60.0 / high_bpm / 4:
        raise InputError(f"cannot estimate a tempo from {len(hits)} hits: give the tempo with --bpm")
    measured_bpm = _refine(onsets, _coarse_bpm(onsets, low_bpm, high_bpm, bpm_hint is None), low_bpm, high_bpm)
    bpm = float(round(measured_bpm))
    moved_seconds = abs(bpm / measured_bpm - 1) * np.ptp(onsets.seconds) / 2
    if moved_seconds > _WHOLE_BPM_SPREADS * _spread_seconds(onsets, 60.0 / measured_bpm):
        return place_first_beat(onsets, measured_bpm, f"assumed constant tempo {measured_bpm:.2f} BPM")
    return place_first_beat(onsets, bpm, f"assumed constant tempo {bpm:.0f} BPM (measured {measured_bpm:.3f})")


def estimate_first_beat(hits: Sequence[Hit], sample_rate: int, bpm: float) -> TempoEstimate:
    """Estimate where bar 1 begins when the tempo is known exactly.

    Args:
        hits: In any order; without any, the first beat is the take's beginning.
        sample_rate: Of the hits' onsets, in hertz.
        bpm: The tempo.

    Raises:
        InputError: The tempo is out of range.
    """
    tempo_map = TempoMap.constant(bpm, 0.0)
    onsets = read_hits(hits, sample_rate)
    if not len(onsets.seconds):
        return TempoEstimate(tempo_map, 0.0, ("first beat at 0.000 s: the start of the take",), ("found no hits",))
    return place_first_beat(onsets, bpm, f"constant tempo {bpm:g} BPM")


def read_hits(hits: Sequence[Hit], sample_rate: int) -> Onsets:
    """Hits as arrays in order of time."""
    ordered = sorted(hits)
    strengths = np.array([max(hit.velocity, 0.05) * max(hit.confidence, 0.0) for hit in ordered])
    pieces = [hit.piece for hit in ordered]

    def of(chosen: tuple[Piece, ...]) -> FloatArray:
        return strengths * np.array([piece in chosen for piece in pieces], np.float64)

    importance = np.array([_PIECE_WEIGHTS.get(piece, _OTHER_WEIGHT) for piece in pieces])
    seconds = np.array([samples_to_seconds(hit.onset_samples, sample_rate) for hit in ordered])
    return Onsets(seconds, strengths * importance, of(_KICK), of(_SNARE), of(_CRASHES))


def _phasors(seconds: FloatArray, weights: FloatArray, frequencies_hz: FloatArray) -> npt.NDArray[np.complex128]:
    """[frequencies] weighted sum of the hits' phasors at each frequency."""
    found = np.empty(len(frequencies_hz), np.complex128)
    for start in range(0, len(frequencies_hz), 64):
        turns = np.outer(frequencies_hz[start : start + 64], seconds)
        found[start : start + 64] = np.exp(-2j * np.pi * turns) @ weights
    return found


def _coarse_bpm(onsets: Onsets, low_bpm: float, high_bpm: float, use_prior: bool) -> float:
    """Tempo to about 0.5 %, and its octave: agreement inside windows, so that a drifting drummer is followed too."""
    candidates_bpm = np.geomspace(low_bpm, high_bpm, max(2, int(np.log(high_bpm / low_bpm) / 0.002)))
    score = np.zeros(len(candidates_bpm))
    backbeat = onsets.kicks - onsets.snares
    for start in np.arange(onsets.seconds[0], onsets.seconds[-1] + 1e-9, _WINDOW_SECONDS / 2):
        inside = (onsets.seconds >= start) & (onsets.seconds < start + _WINDOW_SECONDS)
        seconds, weights = onsets.seconds[inside] - start, onsets.weights[inside]
        for multiple, share in zip(_SUBDIVISIONS, _SUBDIVISION_WEIGHTS, strict=True):
            score += share * np.abs(_phasors(seconds, weights, multiple * candidates_bpm / 60))
        score += np.abs(_phasors(seconds, backbeat[inside], candidates_bpm / 120))
    if use_prior:
        score *= np.exp(-0.5 * np.square(np.log2(candidates_bpm / PRIOR_BPM) / PRIOR_OCTAVES))
    return float(candidates_bpm[np.argmax(score)])


def _refine(onsets: Onsets, bpm: float, low_bpm: float, high_bpm: float) -> float:
    """Tempo to the last digit: agreement over the whole take near ``bpm``, then robust least squares on the lines."""
    middle_seconds, length_seconds = float(np.median(onsets.seconds)), float(np.ptp(onsets.seconds))
    beat_hz, span_seconds, reach_hz = bpm / 60, _FIRST_SPAN_SECONDS, 0.015 * bpm / 60
    while True:
        inside = np.abs(onsets.seconds - middle_seconds) <= span_seconds / 2
        near_hz = np.arange(beat_hz - reach_hz, beat_hz + reach_hz, 0.025 / min(span_seconds, length_seconds))
        near_hz = near_hz[(near_hz >= low_bpm / 60) & (near_hz <= high_bpm / 60)]
        agreement = np.zeros(len(near_hz))
        for multiple in (1.0, 2.0, 4.0):
            agreement += np.abs(_phasors(onsets.seconds[inside], onsets.weights[inside], multiple * near_hz))
        beat_hz = float(near_hz[np.argmax(agreement)]) if len(near_hz) else beat_hz
        if span_seconds >= 2 * length_seconds:
            break
        reach_hz, span_seconds = 0.5 / span_seconds, 4 * span_seconds
    beat_seconds = 1.0 / beat_hz
    for _ in range(5):
        phase_seconds = _beat_phase(onsets, beat_seconds)
        lines, near = _lines_of(onsets.seconds, phase_seconds, beat_seconds)
        if np.ptp(lines[near] if near.any() else np.zeros(1)) < 1:
            break
        weights = np.sqrt(onsets.weights[near])
        fitted = float(np.polyfit(lines[near], onsets.seconds[near], 1, w=weights)[0])
        if abs(fitted / beat_seconds - 1) > 0.005:
            break
        beat_seconds = fitted
    return float(np.clip(60.0 / beat_seconds, low_bpm, high_bpm))


def _lines_of(
    seconds: FloatArray, phase_seconds: float, beat_seconds: float
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The eighth-note line nearest to each onset, in beats, and whether the onset is near enough to belong to it."""
    beats = (seconds - phase_seconds) / beat_seconds
    lines = np.rint(beats * 2) / 2
    return lines, np.abs(beats - lines) < 0.1


def _spread_seconds(onsets: Onsets, beat_seconds: float) -> float:
    """How far a hit typically lies from its eighth-note line; at least 2 ms."""
    phase_seconds = _beat_phase(onsets, beat_seconds)
    lines, near = _lines_of(onsets.seconds, phase_seconds, beat_seconds)
    deviations_seconds = onsets.seconds - phase_seconds - lines * beat_seconds
    return max(0.002, float(np.median(np.abs(deviations_seconds[near])))) if near.any() else 0.002


def _beat_phase(onsets: Onsets, beat_seconds: float) -> float:
    """Where in time, 0 to ``beat_seconds``, beats lie: the metrical pattern of a beat laid over all hits at once."""
    folded = (onsets.seconds / beat_seconds) % 1.0
    phases = np.arange(0.0, 1.0, 1 / 192)
    emphasis = onsets.weights + onsets.kicks + onsets.snares
    histogram = np.bincount((folded * 192).astype(np.int64) % 192, emphasis, 192)
    place = (np.arange(192) + 0.5) / 192
    pattern = np.zeros(192)
    for line, share in _LINES_IN_BEAT:
        distance = (place - line + 0.5) % 1.0 - 0.5
        pattern += share * np.exp(-0.5 * np.square(distance / _LINE_WIDTH_BEATS))
    score = np.fft.irfft(np.fft.rfft(histogram) * np.conj(np.fft.rfft(pattern)), 192)
    phase = float(phases[np.argmax(score)]) + 0.5 / 192
    for _ in range(3):
        lines, near = _lines_of(onsets.seconds, phase * beat_seconds, beat_seconds)
        if near.any():
            deviation = (onsets.seconds / beat_seconds - phase - lines)[near]
            order = np.argsort(deviation)
            passed = np.cumsum(emphasis[near][order])
            phase += float(deviation[order][np.searchsorted(passed, passed[-1] / 2)])
    return phase % 1.0 * beat_seconds


def place_first_beat(onsets: Onsets, bpm: float, tempo_sentence: str) -> TempoEstimate:
    """Choose the first downbeat for a tempo, and judge the result."""
    beat_seconds = 60.0 / bpm
    phase_seconds = _beat_phase(onsets, beat_seconds)
    beats = (onsets.seconds - phase_seconds) / beat_seconds
    on_beat = np.abs(beats - np.rint(beats)) < 0.15
    beat_of_bar = np.rint(beats).astype(np.int64) % 4
    evidence = np.zeros(4)
    for piece_weights, pattern in (
        (onsets.kicks, (1.0, 0.0, 0.6, 0.0)),
        (onsets.snares, (0.0, 1.0, 0.0, 1.0)),
        (onsets.crashes, (2.0, 0.0, 0.0, 0.0)),
    ):
        struck = np.bincount(beat_of_bar[on_beat], piece_weights[on_beat], 4)
        evidence += [float(np.roll(pattern, shift) @ struck) for shift in range(4)]
    strong = np.flatnonzero(onsets.weights >= 0.5 * np.percentile(onsets.weights, 90))
    first_strong = float(beats[strong[0]]) if len(strong) else float(beats[0])
    evidence[round(first_strong) % 4] += max(0.05 * evidence.max(), 1e-9)  # music tends to begin on the bar line
    downbeat = int(np.argmax(evidence))
    first = downbeat + 4 * round((first_strong - downbeat) / 4)
    while first * beat_seconds + phase_seconds < 0:
        first += 4
    first_beat_seconds = first * beat_seconds + phase_seconds
    fit = _fit(onsets, beat_seconds)
    assumptions = (
        tempo_sentence,
        f"first beat at {first_beat_seconds:.3f} s: the bar line nearest to the first strong hit",
        "assumed a time signature of 4/4",
    )
    return TempoEstimate(
        TempoMap.constant(bpm, first_beat_seconds), fit, assumptions, _warnings(onsets, fit, beat_seconds)
    )


def _fit(onsets: Onsets, beat_seconds: float) -> float:
    """Agreement of all hits with the best of eighths, sixteenths and their triplets; 1 is perfect."""
    agreement = np.abs(_phasors(onsets.seconds, onsets.weights, np.array([2.0, 3.0, 4.0, 6.0]) / beat_seconds))
    return float(min(1.0, agreement.max() / max(onsets.weights.sum(), 1e-12)))


def _warnings(onsets: Onsets, fit: float, beat_seconds: float) -> tuple[str, ...]:
    """Reasons not to trust an estimate."""
    found = []
    if len(onsets.seconds) < _FEW_HITS:
        found.append(f"only {len(onsets.seconds)} hits to estimate from: check the tempo and the first beat")
    if fit < GOOD_FIT:
        found.append(
            f"the hits fit a constant tempo of {60 / beat_seconds:.2f} BPM poorly ({fit:.0%}): the tempo may drift; "
            "give a tempo map or a click track"
        )
    return tuple(found)
