"""Figures for onset times alone: detection against the truth, and tightness against grid lines.

Times are seconds, in 1-d arrays that ascend where they are events. Errors and deviations are signed: positive is late.
A figure for which nothing could be measured is NaN.
"""

from collections.abc import Sequence

import mir_eval
import numpy as np
import numpy.typing as npt

from beatnet_align.errors import InputError
from beatnet_align.nearest import nearest
from beatnet_align.units import FloatArray, seconds_to_ms

TOLERANCES_SECONDS = (0.002, 0.005, 0.010)
ONSET_WINDOWS_SECONDS = (0.002, 0.005, 0.025, 0.050)
BIAS_WINDOW_SECONDS = 0.025
MAX_EVENT_SECONDS = 86_400.0


def validate_events(seconds: FloatArray, name: str) -> None:
    """Check a 1-d array of event times in seconds.

    Raises:
        InputError: Wrong shape, not finite, out of order, or so late that the unit must be another.
    """
    if seconds.ndim != 1:
        raise InputError(
            f"{name} must be one row of times, found shape {seconds.shape}; did you supply intervals or audio?"
        )
    if not np.isfinite(seconds).all():
        raise InputError(f"{name} hold NaN or infinity; leave out hits without a time")
    if len(seconds) and seconds.max() > MAX_EVENT_SECONDS:
        raise InputError(
            f"{name} reach {seconds.max():g} s, longer than a day; "
            "did you supply samples or milliseconds instead of seconds?"
        )
    if (np.diff(seconds) < 0).any():
        raise InputError(f"{name} must ascend; sort them, and check that they come from one take")


def onset_scores(
    reference_seconds: FloatArray,
    estimated_seconds: FloatArray,
    windows_seconds: Sequence[float] = ONSET_WINDOWS_SECONDS,
) -> dict[str, float]:
    """Precision, recall and F-measure of onsets at several tolerances, and their bias.

    Every onset is matched once, as many as can be (mir_eval.util.match_events, as in
    mir_eval.onset.f_measure).

    Args:
        reference_seconds: [onsets], true, ascending.
        estimated_seconds: [onsets], detected, ascending.
        windows_seconds: Tolerances.

    Returns:
        ``precision_2_ms`` and so on, then ``bias_seconds``: the median signed error of those matched within 25 ms,
        positive where detection is late.

    Raises:
        InputError: See :func:`validate_events`.
    """
    validate_events(reference_seconds, "reference onsets")
    validate_events(estimated_seconds, "estimated onsets")
    scores: dict[str, float] = {}
    for window_seconds in windows_seconds:
        matched = len(mir_eval.util.match_events(reference_seconds, estimated_seconds, window_seconds))
        precision, recall = _ratio(matched, len(estimated_seconds)), _ratio(matched, len(reference_seconds))
        unit = f"{seconds_to_ms(window_seconds):g}_ms"
        scores[f"precision_{unit}"], scores[f"recall_{unit}"] = precision, recall
        scores[f"f_measure_{unit}"] = _ratio(2.0 * precision * recall, precision + recall)
    matches = mir_eval.util.match_events(reference_seconds, estimated_seconds, BIAS_WINDOW_SECONDS)
    errors = np.array([estimated_seconds[late] - reference_seconds[true] for true, late in matches])
    scores["bias_seconds"] = percentile(errors, 50)
    return scores


def grid_deviation(
    onsets_seconds: FloatArray, lines_seconds: FloatArray, line_of_onset: FloatArray | None = None
) -> dict[str, float]:
    """How tightly onsets sit on grid lines, from the times alone.

    Args:
        onsets_seconds: [onsets].
        lines_seconds: [lines], ascending.
        line_of_onset: [onsets], the time in seconds of the line each is meant for; the nearest of ``lines_seconds``
            when absent.

    Returns:
        Mean (positive is late), standard deviation and median absolute deviation from the line, shares within 2, 5 and
        10 ms, and the median spread of the onsets that share a line.

    Raises:
        InputError: No lines, lines out of order, or counts that do not match.
    """
    validate_events(np.sort(onsets_seconds), "onsets")
    validate_events(lines_seconds, "grid lines")
    if line_of_onset is None:
        if not len(lines_seconds):
            raise InputError("there are no grid lines; did the grid end before the take begins?")
        line_of_onset = nearest(onsets_seconds, lines_seconds)
    if line_of_onset.shape != onsets_seconds.shape:
        raise InputError(f"{len(onsets_seconds)} onsets but {len(line_of_onset)} lines meant; give one for every onset")
    deviations = onsets_seconds - line_of_onset
    return {
        "onsets": float(len(deviations)),
        "deviation_mean_seconds": float(np.mean(deviations)) if len(deviations) else np.nan,
        "deviation_sd_seconds": float(np.std(deviations)) if len(deviations) else np.nan,
        "deviation_median_abs_seconds": percentile(np.abs(deviations), 50),
        **shares_within("deviation", deviations),
        "flam_spread_median_seconds": percentile(flam_spreads_seconds(deviations, line_of_onset), 50),
    }


def flam_spreads_seconds(deviations_seconds: FloatArray, lines: FloatArray) -> FloatArray:
    """Distance between the first and the last of the hits on each line that holds several.

    Args:
        deviations_seconds: [hits], from each hit's own place; NaN is left out.
        lines: [hits], the same number for hits of one line (beats, seconds or an index).

    Returns:
        [lines with two or more hits], in the order of ``lines``.

    Raises:
        InputError: The two differ in length.
    """
    if deviations_seconds.shape != lines.shape:
        raise InputError(f"{len(deviations_seconds)} deviations but {len(lines)} lines; give the line of every hit")
    known = np.isfinite(deviations_seconds)
    spreads = []
    for line in np.unique(lines[known]):
        together = deviations_seconds[known & (lines == line)]
        if len(together) > 1:
            spreads.append(float(np.ptp(together)))
    return np.array(spreads)


def shares_within(name: str, values_seconds: FloatArray) -> dict[str, float]:
    """Shares of signed ``values_seconds`` within 2, 5 and 10 ms of 0, called ``{name}_within_2_ms`` and so on."""
    return {
        f"{name}_within_{seconds_to_ms(tolerance):g}_ms": share(np.abs(values_seconds) <= tolerance)
        for tolerance in TOLERANCES_SECONDS
    }


def share(yes: npt.NDArray[np.bool_]) -> float:
    """Share of True, NaN of nothing."""
    return float(np.mean(yes)) if yes.size else np.nan


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def percentile(values: FloatArray, percent: float) -> float:
    """Percentile, NaN of nothing."""
    return float(np.percentile(values, percent)) if values.size else np.nan
