"""What one stick can play: strokes of a piece keep their order and some distance, ornaments their spacing."""

from bisect import bisect_left, insort

import numpy as np
import numpy.typing as npt

from beatnet_align.units import FloatArray, IntArray

MIN_STROKE_SECONDS = 0.020
"""Least distance of two plain strokes of a piece: fast single-stroke rolls have 50 ms, buzz rolls about 15."""
MIN_ORNAMENT_SECONDS = 0.010


def playable(
    target_seconds: FloatArray, pieces: IntArray, main: IntArray, spacing_seconds: FloatArray
) -> npt.NDArray[np.bool_]:
    """Which strokes can all be played on their lines: of strokes that collide the earlier wins, main strokes first.

    Args:
        target_seconds: [strokes] of an ornament, its main stroke's plus its spacing.
        pieces: [strokes] piece numbers.
        main: [strokes] main stroke of an ornament, -1 for plain strokes.
        spacing_seconds: [strokes] of ornaments to their main stroke.
    """
    keep = np.zeros(len(target_seconds), bool)
    mains: dict[int, list[float]] = {}
    placed: dict[int, list[float]] = {}
    for i in np.argsort(target_seconds, kind="stable").tolist():
        if main[i] >= 0 or target_seconds[i] < 0.0:
            continue
        own = mains.setdefault(int(pieces[i]), [])
        if not own or target_seconds[i] - own[-1] >= MIN_STROKE_SECONDS:
            keep[i] = True
            own.append(float(target_seconds[i]))
    placed = {piece: list(times) for piece, times in mains.items()}
    ornaments = np.flatnonzero(main >= 0)
    for i in ornaments[np.argsort(np.abs(spacing_seconds[ornaments]), kind="stable")].tolist():
        if not keep[main[i]] or target_seconds[i] < 0.0:
            continue
        time, main_time = float(target_seconds[i]), float(target_seconds[main[i]])
        own, taken = mains[int(pieces[main[i]])], placed.setdefault(int(pieces[i]), [])
        at = bisect_left(taken, time)
        near = min((abs(time - other) for other in taken[max(at - 1, 0) : at + 1]), default=np.inf)
        between = bisect_left(own, max(time, main_time)) - bisect_left(own, min(time, main_time)) - (time > main_time)
        if near >= MIN_ORNAMENT_SECONDS and not between:
            keep[i] = True
            insort(taken, time)
    return keep


def keep_apart(
    performed_seconds: FloatArray, pieces: IntArray, main: IntArray, spacing_seconds: FloatArray
) -> FloatArray:
    """Move main strokes as little as possible (in squares) until every piece can be played as its order demands.

    Main strokes of a piece keep their order and 20 ms, 10 ms between ornaments of neighbours; ornaments follow their
    main stroke at their spacing; nothing comes before 0 s.

    Args:
        performed_seconds: [strokes] main strokes of each piece in the order in which they are meant.
        pieces: [strokes]; an ornament has its main stroke's piece.
        main: [strokes] main stroke of an ornament, -1 for plain strokes.
        spacing_seconds: [strokes] of ornaments.

    Returns:
        [strokes] times that keep these laws.
    """
    times = performed_seconds.copy()
    first, last = np.zeros(len(times)), np.zeros(len(times))
    ornaments = np.flatnonzero(main >= 0)
    np.minimum.at(first, main[ornaments], spacing_seconds[ornaments])
    np.maximum.at(last, main[ornaments], spacing_seconds[ornaments])
    plain = main < 0
    for piece in np.unique(pieces[plain]):
        own = np.flatnonzero(plain & (pieces == piece))
        bare = (last[own][:-1] == 0.0) & (first[own][1:] == 0.0)
        gaps = last[own][:-1] - first[own][1:] + np.where(bare, MIN_STROKE_SECONDS, MIN_ORNAMENT_SECONDS)
        gaps = np.maximum(gaps, MIN_STROKE_SECONDS)
        least = np.concatenate([[0.0], np.cumsum(gaps)])
        slack = np.maximum(rising(times[own] - least), np.maximum.accumulate(-first[own] - least))
        times[own] = slack + least
    times[ornaments] = times[main[ornaments]] + spacing_seconds[ornaments]
    return times


def rising(values: FloatArray) -> FloatArray:
    """The non-decreasing sequence nearest to ``values`` in squares (pool adjacent violators)."""
    if np.all(np.diff(values) >= 0.0):
        return values
    means: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        means.append(value)
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            count = counts[-2] + counts[-1]
            means[-2] = (means[-2] * counts[-2] + means[-1] * counts[-1]) / count
            counts[-2] = count
            del means[-1], counts[-1]
    return np.repeat(np.array(means), counts)
