"""How well a detector's onsets match the true ones: hits merged into events, bias, F-measure.

Times are seconds. Onsets are matched through mir_eval, each at most once, after hits that are one event to the ear are
merged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mir_eval
import numpy as np

from beatnet_align.hits import Piece
from beatnet_align.onset_metrics import ONSET_WINDOWS_SECONDS, percentile, validate_events
from beatnet_align.units import FloatArray, seconds_to_ms

MERGE_SECONDS = 0.012
"""Hits this close are one event; docs/evidence.md warns that wider merging erases flams."""

BIAS_WINDOW_SECONDS = 0.050


@dataclass(frozen=True)
class TrueHit:
    """A hit as it was played.

    Attributes:
        seconds: Its onset.
        piece: What was struck; UNKNOWN where labels do not say.
        velocity: 0 to 1.
        ornament: Whether it belongs to a drag, ruff or ghost double.
        own_channel: Name of the microphone that stands at its piece; None where there is none.
        rise_db: How far it, or what sounds with it, raises that one of the heard channels that it raises most, see
            ``hit_rises.py``; NaN where nobody measured.
    """

    seconds: float
    piece: Piece = Piece.UNKNOWN
    velocity: float = 1.0
    ornament: bool = False
    own_channel: str | None = None
    rise_db: float = np.nan


@dataclass(frozen=True)
class EstimatedHit:
    """A hit as a detector found it; onset detectors know neither its piece nor a confidence (NaN)."""

    seconds: float
    piece: Piece = Piece.UNKNOWN
    confidence: float = np.nan


@dataclass(frozen=True)
class HeardTake:
    """What one detector found in one take, beside what is true; both in any order."""

    name: str
    true_hits: tuple[TrueHit, ...]
    estimated_hits: tuple[EstimatedHit, ...]

    @property
    def true_seconds(self) -> FloatArray:
        """[true hits], ascending."""
        return np.sort([hit.seconds for hit in self.true_hits]).astype(np.float64)

    @property
    def estimated_seconds(self) -> FloatArray:
        """[estimated hits], ascending."""
        return np.sort([hit.seconds for hit in self.estimated_hits]).astype(np.float64)


@dataclass(frozen=True)
class OnsetFigures:
    """Onsets at one tolerance: means over the takes in which anything was struck, and the same of pooled counts."""

    f_measure: float
    precision: float
    recall: float
    pooled_f_measure: float
    pooled_precision: float
    pooled_recall: float


def merged(seconds: FloatArray, window_seconds: float = MERGE_SECONDS) -> FloatArray:
    """Merge onsets that are one event: an event begins where an onset comes later than the window after the last began.

    Args:
        seconds: [onsets], ascending.
        window_seconds: Longest event.

    Returns:
        [events], the first time of each.
    """
    firsts: list[float] = []
    for onset in seconds:
        if not firsts or onset - firsts[-1] > window_seconds:
            firsts.append(float(onset))
    return np.array(firsts, np.float64)


def median_bias_seconds(takes: Sequence[HeardTake], merge_seconds: float = MERGE_SECONDS) -> float:
    """Median error of the merged onsets of all takes that match within 50 ms, positive is late; 0 where none does."""
    errors: list[float] = []
    for take in takes:
        true, estimated = merged(take.true_seconds, merge_seconds), merged(take.estimated_seconds, merge_seconds)
        matches = mir_eval.util.match_events(true, estimated, BIAS_WINDOW_SECONDS)
        errors += [estimated[late] - true[on_time] for on_time, late in matches]
    return percentile(np.array(errors), 50) if errors else 0.0


def onset_figures(
    takes: Sequence[HeardTake],
    windows_seconds: Sequence[float] = ONSET_WINDOWS_SECONDS,
    merge_seconds: float = MERGE_SECONDS,
    bias_seconds: float = 0.0,
    left_out: Callable[[HeardTake], FloatArray] = lambda _: np.zeros(0),
) -> dict[str, OnsetFigures]:
    """F-measure, precision and recall at several tolerances.

    Args:
        takes: Of one detector.
        windows_seconds: Tolerances.
        merge_seconds: True and estimated onsets this close are one.
        bias_seconds: Taken off the estimates.
        left_out: Tells of a take which true onsets count neither way, ascending: an estimate that matches one, and no
            other, is no false one.

    Raises:
        InputError: Times are not finite, or not in seconds.
    """
    onsets = []
    for take in takes:
        validate_events(take.true_seconds, f"true onsets of {take.name}")
        validate_events(take.estimated_seconds, f"estimated onsets of {take.name}")
        unjudged = left_out(take)
        true = merged(take.true_seconds[~np.isin(take.true_seconds, unjudged)], merge_seconds)
        onsets.append((true, unjudged, merged(take.estimated_seconds, merge_seconds) - bias_seconds))
    figures = {}
    for window_seconds in windows_seconds:
        counts = [_counts(*of_take, window_seconds) for of_take in onsets]
        each = np.array([_scores(*count) for count in counts if count[2]])
        means = each.mean(axis=0) if len(each) else np.full(3, np.nan)
        matched, estimates, events = (sum(count[i] for count in counts) for i in range(3))
        pooled = _scores(matched, estimates, events) if events else (np.nan, np.nan, np.nan)
        figures[f"{seconds_to_ms(window_seconds):g}_ms"] = OnsetFigures(
            float(means[0]), float(means[1]), float(means[2]), *pooled
        )
    return figures


def _counts(
    true: FloatArray, unjudged: FloatArray, estimated: FloatArray, window_seconds: float
) -> tuple[int, int, int]:
    """Matches, estimates that are judged, and true events."""
    matches = mir_eval.util.match_events(true, estimated, window_seconds)
    others = np.delete(estimated, [late for _, late in matches])
    return len(matches), len(estimated) - len(mir_eval.util.match_events(unjudged, others, window_seconds)), len(true)


def _scores(matched: int, estimated: int, true: int) -> tuple[float, float, float]:
    """F-measure, precision, recall; 0 of nothing, as mir_eval has it."""
    precision, recall = matched / estimated if estimated else 0.0, matched / true if true else 0.0
    together = precision + recall
    return (2.0 * precision * recall / together if together else 0.0), precision, recall
