"""From what HitNet says of each frame to hits: peaks, their pieces, their channels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from beatnet_align.hit_outputs import (
    GROUP,
    GROUP_OFFSET,
    HIT,
    HIT_OFFSET,
    OWN,
    PIECE,
    PIECE_GROUPS,
    PIECES,
    VELOCITY,
)
from beatnet_align.hits import Piece
from beatnet_align.units import Float32Array

SAME_EVENT_FRAMES = 2.0
"""A piece's peak this close to the take's belongs to it; 11.6 ms, so that wider flams stay two hits."""

LEAP_FRAMES = 4
"""A leap this close to a hit is that hit's; 23 ms, since several microphones leap one after the other."""

SHARED_ONSET_FRAMES = 0.35
"""Pieces that differ by less than 2 ms are timed by the take's own output, which is the more exact one."""

_FIRST_OF_GROUP = np.cumsum([0] + [len(pieces) for pieces in PIECE_GROUPS.values()])


@dataclass(frozen=True)
class Thresholds:
    """From which probability on a peak counts.

    Attributes:
        hit: Of the take's output.
        hit_after: The same soon after another hit: what follows a strike is often its snare wires or its room.
        group: Of a piece group, beside a hit of the take.
        soon_frames: Until how many frames after a hit ``hit_after`` holds: 8 are 46 ms.
    """

    hit: float = 0.4
    hit_after: float = 0.5
    group: float = 0.4
    soon_frames: float = 8.0


@dataclass(frozen=True, order=True)
class FoundHit:
    """A hit in frames.

    Attributes:
        onset_frames: From the beginning of the first frame.
        group: Index of the piece group.
        piece: UNKNOWN where no group is likely.
        channel: That it belongs to, or is heard best in.
        velocity: 0 to 1.
        hit_logit: Of the take's output.
        group_logit: Of the piece group's; the confidence of a hit beside others is no higher than this.
        doubted: Whether the network did not count it.
    """

    onset_frames: float
    group: int
    piece: Piece
    channel: int
    velocity: float
    hit_logit: float
    group_logit: float
    doubted: bool = False


def decode(
    take: Float32Array, channels: Float32Array, thresholds: Thresholds, leaps: npt.NDArray[np.int64] | None = None
) -> list[FoundHit]:
    """Find the hits in a stretch of frames.

    Args:
        take: [TAKE_ROWS, frames], see :mod:`beatnet_align.hit_outputs`.
        channels: [channels, CHANNEL_ROWS, frames].
        thresholds: What counts.
        leaps: Frames that count where the network finds nothing near; it is taken to be as sure of them as of the
            least that counts.

    Returns:
        In order of time; several of one time where several pieces were struck.
    """
    least_group_logit = logit(thresholds.group)
    events = _events(take[HIT], thresholds)
    doubted = _missed([] if leaps is None else leaps.tolist(), events)
    events = np.sort(np.append(events, np.array(doubted, np.int64)))
    group_peaks = [peaks(row, least_group_logit) for row in take[GROUP]]
    event_onsets = onsets_at(take[HIT_OFFSET], events)
    group_onsets = [onsets_at(row, at) for row, at in zip(take[GROUP_OFFSET], group_peaks, strict=True)]
    found: list[FoundHit] = []
    for event, onset in zip(events.tolist(), event_onsets, strict=True):
        hits = []
        beside = _pieces_beside(event, onset, events, event_onsets, group_peaks, group_onsets)
        if not beside:
            group = int(np.argmax(take[GROUP, event]))
            known = event in doubted or take[GROUP, event][group] > least_group_logit - 2.0
            hits.append(_hit(take, channels, event, onset, event, group, known=bool(known)))
        for group, at, own_onset in beside:
            alone = len(beside) == 1 or abs(own_onset - onset) < SHARED_ONSET_FRAMES
            hits.append(_hit(take, channels, event, onset if alone else own_onset, at, group, known=True))
        found += [_overruled(hit, thresholds) for hit in hits] if event in doubted else hits
    return sorted(found)


def _missed(leaps: Sequence[int], events: npt.NDArray[np.int64]) -> list[int]:
    """Leaps that lie apart from all hits and from each other."""
    missed: list[int] = []
    for leap in leaps:
        if not (np.abs(np.append(events, missed[-1:]) - leap) <= LEAP_FRAMES).any():
            missed.append(leap)
    return missed


def _overruled(hit: FoundHit, thresholds: Thresholds) -> FoundHit:
    """A hit that the network doubts, as sure as the least that counts."""
    sure, sure_of_group = logit(thresholds.hit), logit(thresholds.group)
    return replace(
        hit, hit_logit=max(hit.hit_logit, sure), group_logit=max(hit.group_logit, sure_of_group), doubted=True
    )


def _events(logits: Float32Array, thresholds: Thresholds) -> npt.NDArray[np.int64]:
    """Frames of the take's hits, in order."""
    kept: list[int] = []
    least_after = logit(thresholds.hit_after)
    for frame in peaks(logits, logit(thresholds.hit)).tolist():
        if not kept or frame - kept[-1] > thresholds.soon_frames or logits[frame] > least_after:
            kept.append(frame)
    return np.array(kept, np.int64)


def peaks(logits: Float32Array, least: float) -> npt.NDArray[np.int64]:
    """Frames that are higher than their neighbours and than ``least``; of equal ones the first."""
    padded = np.pad(logits, 1, constant_values=-np.inf)
    higher = (logits > padded[:-2]) & (logits >= padded[2:]) & (logits > least)
    return np.flatnonzero(higher)


def onsets_at(offsets: Float32Array, frames: npt.NDArray[np.int64]) -> Float32Array:
    """Onset times, in frames, that the offset output gives at each peak."""
    return np.asarray(frames + 0.5 + np.clip(offsets[frames], -1.0, 1.0), np.float32)


def logit(probability: float) -> float:
    """Log odds."""
    return float(np.log(probability / (1.0 - probability)))


def sigmoid(logits: Float32Array | np.float32) -> Float32Array:
    """Probabilities of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0))), np.float32)


def _pieces_beside(
    event: int,
    onset: float,
    events: npt.NDArray[np.int64],
    event_onsets: Float32Array,
    group_peaks: list[npt.NDArray[np.int64]],
    group_onsets: list[Float32Array],
) -> list[tuple[int, int, float]]:
    """Group, frame and onset of the peaks of pieces that lie nearer to this event than to any other."""
    beside = []
    for group, (at, onsets) in enumerate(zip(group_peaks, group_onsets, strict=True)):
        near = np.flatnonzero(np.abs(onsets - onset) <= SAME_EVENT_FRAMES)
        for i in near:
            closest = events[np.argmin(np.abs(event_onsets - onsets[i]))]
            if closest == event:
                beside.append((group, int(at[i]), float(onsets[i])))
    return beside


def _hit(
    take: Float32Array, channels: Float32Array, event: int, onset: float, frame: int, group: int, *, known: bool
) -> FoundHit:
    """A hit of a piece group; what is said of the group is read at its own peak."""
    window = slice(max(0, frame - 1), frame + 2)
    channel = int(np.argmax(channels[:, OWN][:, group, window].max(axis=1)))
    first, last = _FIRST_OF_GROUP[group], _FIRST_OF_GROUP[group + 1]
    piece = PIECES[first + int(np.argmax(take[PIECE, frame][first:last]))]
    velocity = float(sigmoid(take[VELOCITY, frame][group]))
    group_logit = float(take[GROUP, window][group].max())
    return FoundHit(
        float(onset), group, piece if known else Piece.UNKNOWN, channel, velocity, float(take[HIT, event]), group_logit
    )
