"""Turn the true hits of a crop into what each output of HitNet should say, and how much each frame counts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.hit_outputs import GROUP_OF_PIECE, PIECE_GROUPS, PIECES
from beatnet_align.units import Float32Array
from models.hit_pool import HitLabels
from models.hit_rises import AUDIBLE_DB

SPREAD_FRAMES = 0.6
"""Standard deviation of the bump around an onset. Without any spread ADTOF was "way worse" (docs/evidence.md); with
this one, two hits 12 ms apart still have a valley between them."""

REACH_FRAMES = 1.6
"""Frames whose middle is this close to an onset learn how far away it is."""

IGNORED_FRAMES = 4.0
"""Around hits that nobody could hear, nothing is learned."""

SIBLING_FRAMES = 0.5
_GROUP_OF = np.array([GROUP_OF_PIECE[piece] for piece in PIECES])


@dataclass(frozen=True, eq=False)
class Targets:
    """For ``frames`` frames and ``channels`` channels; every weight is 0 to 1.

    Attributes:
        hit, hit_weight, hit_offset: [frames]; offsets from a frame's middle to the nearest onset, in frames, NaN far
            from any.
        group, group_weight, group_offset, velocity: [groups, frames]; velocity is NaN where there is no hit.
        piece: [pieces, frames]; NaN but around hits of the piece's group.
        heard, heard_weight, heard_offset: [channels, frames].
        own, own_weight: [channels, groups, frames].
    """

    hit: Float32Array
    hit_weight: Float32Array
    hit_offset: Float32Array
    group: Float32Array
    group_weight: Float32Array
    group_offset: Float32Array
    velocity: Float32Array
    piece: Float32Array
    heard: Float32Array
    heard_weight: Float32Array
    heard_offset: Float32Array
    own: Float32Array
    own_weight: Float32Array


@dataclass(frozen=True, eq=False)
class _HeardHits:
    """The hits of a take as a crop hears them, times in frames from its start.

    Attributes:
        onsets: [hits].
        arrivals: [hits, channels].
        audible: [hits, channels].
        reference: [hits], the channel that times each; −1 where none hears it.
        group: [hits].
        frames: Length of the crop.
    """

    onsets: Float32Array
    arrivals: Float32Array
    audible: npt.NDArray[np.bool_]
    reference: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    frames: int

    @property
    def is_audible(self) -> npt.NDArray[np.bool_]:
        return (self.reference >= 0) & self.audible.any(axis=1)


def make_targets(
    labels: HitLabels, roles: npt.NDArray[np.int64], channels: npt.NDArray[np.int64], start_frame: int, frames: int
) -> Targets:
    """Targets of a crop of some of a take's channels.

    A hit's onset is that of its reference channel where that is kept, else its earliest arrival in a kept channel: what
    can be heard. The effect takes off what is known of the way, see :mod:`beatnet_align.travel`.

    Args:
        labels: Of the whole take.
        roles: [channels of the take].
        channels: Which of them are kept, in the order of the crop.
        start_frame: Where the crop begins.
        frames: Its length.
    """
    hits = _heard_hits(labels, channels, start_frame, frames)
    hit, hit_offset = bumps(hits.onsets[hits.is_audible], frames)
    hit_weight = _weight(hits.onsets[~hits.is_audible], hit)
    group, group_weight, group_offset = _group_targets(hits)
    velocity, piece = _what_was_struck(hits, labels)
    own, own_weight = _own_targets(hits, labels.is_own, roles[channels], group, group_weight)
    heard, heard_weight, heard_offset = _heard_targets(hits)
    return Targets(
        hit, hit_weight, hit_offset, group, group_weight, group_offset, velocity, piece,
        heard, heard_weight, heard_offset, own, own_weight,
    )  # fmt: skip


def _heard_hits(labels: HitLabels, channels: npt.NDArray[np.int64], start_frame: int, frames: int) -> _HeardHits:
    arrivals = labels.arrival_frames[:, channels] - np.float32(start_frame)
    audible = (np.nan_to_num(labels.rise_db[:, channels]) >= AUDIBLE_DB) & np.isfinite(arrivals)
    reference = reference_channels(labels, channels, audible)
    own = np.take_along_axis(arrivals, np.maximum(reference, 0)[:, None], 1)[:, 0]
    labelled = labels.onset_frames - np.float32(start_frame)
    onsets = np.where((reference >= 0) & np.isfinite(own), own, labelled)
    return _HeardHits(onsets, arrivals, audible, reference, _GROUP_OF[labels.piece], frames)


def reference_channels(
    labels: HitLabels, channels: npt.NDArray[np.int64], audible: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Which kept channel times each hit, [hits]; −1 where none hears it.

    Args:
        labels: Of the whole take.
        channels: The kept ones.
        audible: [hits, kept channels].
    """
    arrivals = np.where(audible, labels.arrival_frames[:, channels], np.inf)
    earliest = np.where(audible.any(axis=1), np.argmin(arrivals, axis=1), -1)
    place = np.full(int(max(channels.max(), labels.reference.max(initial=0))) + 1, -1, np.int64)
    place[channels] = np.arange(len(channels))
    labelled = place[labels.reference]
    return np.where(labelled >= 0, labelled, earliest)


def bumps(onsets: Float32Array, frames: int) -> tuple[Float32Array, Float32Array]:
    """A bump around each onset, and each frame's way to its nearest one; NaN beyond ``REACH_FRAMES``."""
    value, offset = np.zeros(frames, np.float32), np.full(frames, np.nan, np.float32)
    for onset in onsets:
        near = _near(onset, frames)
        distance = (onset - (np.arange(near.start, near.stop) + 0.5)).astype(np.float32)
        value[near] = np.maximum(value[near], np.exp(-0.5 * np.square(distance / SPREAD_FRAMES)))
        closer = ~(np.abs(offset[near]) <= np.abs(distance))
        offset[near] = np.where(closer, distance, offset[near])
    return value, offset


def _near(onset: float, frames: int) -> slice:
    first = int(np.ceil(onset - REACH_FRAMES - 0.5))
    last = int(np.floor(onset + REACH_FRAMES - 0.5))
    return slice(min(max(first, 0), frames), min(max(last + 1, 0), frames))


def _weight(ignored: Float32Array, value: Float32Array) -> Float32Array:
    """0 around ``ignored`` onsets, but for frames where something that counts happens."""
    weight = np.ones_like(value)
    for onset in ignored:
        reaches = (-IGNORED_FRAMES, IGNORED_FRAMES + 1.0)
        first, last = (int(np.clip(onset + reach, 0, len(value))) for reach in reaches)
        weight[first:last] = 0.0
    return np.where(value > 0.05, 1.0, weight).astype(np.float32)


def _group_targets(hits: _HeardHits) -> tuple[Float32Array, Float32Array, Float32Array]:
    group, weight, offset = [], [], []
    for g in range(len(PIECE_GROUPS)):
        of_group = hits.group == g
        value, way = bumps(hits.onsets[of_group & hits.is_audible], hits.frames)
        group.append(value)
        offset.append(way)
        weight.append(_weight(hits.onsets[of_group & ~hits.is_audible], value))
    return np.stack(group), np.stack(weight), np.stack(offset)


def _what_was_struck(hits: _HeardHits, labels: HitLabels) -> tuple[Float32Array, Float32Array]:
    """Velocities, [groups, frames], and pieces, [pieces, frames]."""
    velocity = np.full((len(PIECE_GROUPS), hits.frames), np.nan, np.float32)
    piece = np.full((len(PIECES), hits.frames), np.nan, np.float32)
    for i in np.flatnonzero(hits.is_audible):
        near = _near(hits.onsets[i], hits.frames)
        velocity[hits.group[i], near] = labels.velocity[i]
        piece[hits.group[i] == _GROUP_OF, near] = 0.0
        piece[labels.piece[i], near] = 1.0
    return velocity, piece


def _own_targets(
    hits: _HeardHits,
    is_own: npt.NDArray[np.bool_],
    roles: npt.NDArray[np.int64],
    group: Float32Array,
    group_weight: Float32Array,
) -> tuple[Float32Array, Float32Array]:
    """The channel that each hit belongs to; its siblings (kick in and out, a stereo pair) are left open."""
    own = np.zeros((len(roles), *group.shape), np.float32)
    weight = np.repeat(group_weight[None], len(roles), axis=0)
    for i in np.flatnonzero(hits.is_audible):
        g, near, reference = hits.group[i], _near(hits.onsets[i], hits.frames), hits.reference[i]
        siblings = (roles == roles[reference]) & (np.arange(len(roles)) != reference)
        if not is_own[i]:
            siblings &= np.abs(hits.arrivals[i] - hits.arrivals[i, reference]) < SIBLING_FRAMES
        weight[siblings, g, near] = 0.0
        own[reference, g, near] = np.maximum(own[reference, g, near], group[g, near])
    return own, weight


def _heard_targets(hits: _HeardHits) -> tuple[Float32Array, Float32Array, Float32Array]:
    heard, weight, offset = [], [], []
    for arrivals, audible in zip(hits.arrivals.T, hits.audible.T, strict=True):
        value, way = bumps(arrivals[audible], hits.frames)
        heard.append(value)
        offset.append(way)
        weight.append(_weight(arrivals[np.isfinite(arrivals) & ~audible], value))
    return np.stack(heard), np.stack(weight), np.stack(offset)
