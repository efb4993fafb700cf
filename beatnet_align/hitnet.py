"""Find hits with HitNet: features, network and decoding over blocks, then exact timing; a second maker of ``Hit``s.

The network hears all channels together. A take is read in overlapping blocks, so its length does not matter; frames
fall on the same samples whatever the blocks, and what lies in an overlap is taken from one block alone.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from math import gcd
from pathlib import Path

import numpy as np
import numpy.typing as npt

from beatnet_align.ahead import ahead
from beatnet_align.bleed import ROLE_PRIORITY_DB
from beatnet_align.collection import OnsetSettings, trigger_channels
from beatnet_align.hit_decoding import FoundHit, Thresholds, decode, logit, sigmoid
from beatnet_align.hit_features import (
    FEATURE_RATE_HZ,
    HOP_SAMPLES,
    LEVEL_FEATURES,
    Features,
    hit_features,
    normalised,
    reference_db,
    to_feature_rate,
)
from beatnet_align.hit_outputs import OWN, PIECE_GROUPS, ROLES, groups_of
from beatnet_align.hit_refiner import HitRefiner, shipped_refiner, with_usual_correction
from beatnet_align.hits import Hit, Piece
from beatnet_align.kicks import KICK, HeardHits, kick_echoes, kicks_among_snares
from beatnet_align.leaps import leaps
from beatnet_align.onnx_networks import load_network, open_network, other_weights
from beatnet_align.roles import Role
from beatnet_align.take import Audio, Take
from beatnet_align.travel import extra_travel_seconds
from beatnet_align.units import FloatArray, seconds_to_samples

WEIGHTS_NAME = "hitnet.onnx"
FEATURES_NAME, ROLES_NAME, TAKE_NAME, CHANNELS_NAME = "features", "roles", "take", "channels"
DECODING_NAME = "decoding"

BLOCK_SECONDS, CONTEXT_SECONDS = 30.0, 1.7
"""The networks in configs/models/ hear at most 1.6 s to either side of a frame."""

GATE_DB = 36.0
"""What lies further than this under the loudest hit in every channel is a tick or pedal noise (docs/evidence.md).
Levels are those of the signal's first difference: a soft hat lies 40 dB under a kick in energy, not in brightness."""

DOUBTED_GATE_DB = 20.0
"""The same of what only a leap makes a hit: where nobody plays for a block, something else is loudest. Of 43 leaps in
takes as they are and with noise and bleed 40 were hits, the softest of them 18.8 dB under."""

LEVEL_FRAMES = 3
CLEAR_DB = 20.0
"""A channel whose loudest hit does not rise so far over what it hears all the time says nothing of levels."""

PICKIEST, MOST_OPEN = 0.7, 0.1
"""Probabilities that a hit must reach at sensitivities of 0 and 1; the trained threshold lies at 0.5."""

_BRIGHT = slice(LEVEL_FEATURES, 2 * LEVEL_FEATURES)
_GROUP_ROLES = (Role.KICK, Role.SNARE, Role.HIHAT, Role.TOM, Role.RIDE, Role.CYMBAL)
_CYMBALS = (Role.HIHAT, Role.RIDE, Role.CYMBAL)


@dataclass(frozen=True)
class Decoding:
    """What was measured on validation takes, kept in the weights' file.

    Attributes:
        thresholds: With the best F-measure.
        hit_calibration, group_calibration: Slope and intercept that turn logits into log odds of being right (Platt
            1999).
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    hit_calibration: tuple[float, float] = (1.0, 0.0)
    group_calibration: tuple[float, float] = (1.0, 0.0)

    def to_json(self) -> str:
        """For a file's metadata."""
        return json.dumps(
            {
                "thresholds": asdict(self.thresholds),
                "hit_calibration": self.hit_calibration,
                "group_calibration": self.group_calibration,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Decoding":
        """Read what :meth:`to_json` wrote."""
        values = json.loads(text)
        thresholds = Thresholds(**values["thresholds"])
        hit, group = values["hit_calibration"], values["group_calibration"]
        return cls(thresholds, (hit[0], hit[1]), (group[0], group[1]))

    def at(self, sensitivity: float) -> Thresholds:
        """Thresholds for a sensitivity of 0 to 1."""
        knots = [logit(PICKIEST), logit(self.thresholds.hit), logit(MOST_OPEN)]
        change = float(np.interp(sensitivity, [0.0, 0.5, 1.0], knots)) - knots[1]
        hit, after = (
            float(sigmoid(np.float32(logit(threshold) + change)))
            for threshold in (self.thresholds.hit, self.thresholds.hit_after)
        )
        return replace(self.thresholds, hit=hit, hit_after=after)

    def confidence(self, hit: FoundHit) -> float:
        """Probability that a hit is one, and of its piece."""
        odds = [self.hit_calibration[0] * hit.hit_logit + self.hit_calibration[1]]
        if hit.piece is not Piece.UNKNOWN:
            odds.append(self.group_calibration[0] * hit.group_logit + self.group_calibration[1])
        return float(sigmoid(np.float32(min(odds))))


class HitNetModel:
    """The exported network, ready to run on a CPU.

    Args:
        model: An ONNX file's bytes, with its decoding among its metadata.
        threads: How many it may use; the machine's cores, up to four, when None.

    Raises:
        InputError: The file is no HitNet.
    """

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        self._session, self.decoding = open_network(model, "HitNet", threads, DECODING_NAME, Decoding.from_json)

    def __call__(
        self, features: Features, roles: Sequence[Role]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Run the network.

        Args:
            features: [channels, frames, FEATURES], normalised.
            roles: One a channel.

        Returns:
            [TAKE_ROWS, frames] and [channels, CHANNEL_ROWS, frames].
        """
        known = np.array([ROLES.index(role) for role in roles], np.int64)
        take, channels = self._session.run([TAKE_NAME, CHANNELS_NAME], {FEATURES_NAME: features, ROLES_NAME: known})
        return np.asarray(take), np.asarray(channels)


def shipped_hitnet() -> HitNetModel:
    """The network that comes with the package, or the one that is put before it, loaded once."""
    return _loaded(other_weights())


@lru_cache(maxsize=1)
def _loaded(folder: Path | None) -> HitNetModel:
    return load_network(HitNetModel, WEIGHTS_NAME, folder)


def find_hits(
    take: Take,
    settings: OnsetSettings | None = None,
    progress: Callable[[int], None] = lambda _: None,
    *,
    model: HitNetModel | None = None,
    refiner: HitRefiner | None = None,
    refine: bool = True,
    as_heard: bool = False,
) -> list[Hit]:
    """Find the hits of a take with the network.

    Args:
        take: Any number of channels; read once, in blocks.
        settings: Sensitivity and trigger channels; only those are heard. Its merge window is the classical detector's.
        progress: Told how many further samples have been analysed.
        model: The shipped one when None.
        refiner: Times hits in their channel's audio; the shipped one when None.
        refine: Whether to; otherwise hits keep the network's own timing.
        as_heard: Whether kicks and snares without a microphone of their own stay where an overhead hears them, and are
            not taken back by :mod:`beatnet_align.travel`.

    Returns:
        In order of time; pieces struck together are hits of their own. Empty where nothing was struck.

    Raises:
        InputError: A trigger channel does not exist.
    """
    settings = settings or OnsetSettings()
    triggers = sorted(trigger_channels(take, settings))
    if not triggers:
        progress(take.samples)
        return []
    model = model or shipped_hitnet()
    refiner = (refiner or shipped_refiner()) if refine else None
    thresholds = model.decoding.at(settings.sensitivity)
    roles = [take.channels[channel].role for channel in triggers]
    of_others = _of_others(roles)
    levelled: list[_LevelledHit] = []
    usual_db: list[npt.NDArray[np.float32]] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        # The next block's features are worked out while the network hears this one.
        for block, features_db in ahead(_with_features(_blocks(take, triggers), pool)):
            loudest_db = reference_db(features_db)
            of_take, of_channels = model(normalised(features_db, loudest_db), roles)
            of_channels[:, OWN][of_others] = -np.inf
            hits = decode(of_take, of_channels, thresholds, leaps(features_db, loudest_db, roles))
            found = [hit for hit in hits if block.owns(hit.onset_frames)]
            onsets = _onsets_in_block(found, block.audio, refiner)
            for hit, onset in zip(found, onsets, strict=True):
                levels_db = _levels_db(features_db, hit.onset_frames)
                levelled.append(_LevelledHit(hit, block.first_sample + onset, levels_db))
            usual_db.append(np.median(features_db[:, :, _BRIGHT].max(axis=2), axis=1))
            progress(block.done_samples)
    gated = _gated(levelled, np.median(usual_db, axis=0))
    struck = _without_echoes(_without_kicks_as_snares(gated, roles), len(roles))
    return _finished(struck, triggers, take, model.decoding, as_heard=as_heard)


def _of_others(roles: Sequence[Role]) -> npt.NDArray[np.bool_]:
    """Which groups' hits are not to be given to a channel, [channels, groups].

    Overheads are the microphones of cymbals that have none of their own: the snare's may be nearer to the hats, but
    hears them 1.3 ms earlier (the bench's kit), and belongs to the snare.
    """
    close = np.array([role.is_close for role in roles], np.bool_)
    left_to_overheads = [own in _CYMBALS and own not in roles and Role.OVERHEAD in roles for own in _GROUP_ROLES]
    return np.logical_and.outer(close, left_to_overheads)


@dataclass(frozen=True)
class _LevelledHit:
    """A hit, its onset in samples at the feature rate, and its level in every channel."""

    found: FoundHit
    onset_samples: float
    levels_db: npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Block:
    """Audio at the feature rate with context on both sides.

    Attributes:
        audio: [channels, samples].
        first_sample: Of the audio, at the feature rate.
        start_frame, stop_frame: Hits from here to there are this block's, counted from the audio's first frame.
        done_samples: Samples of the take that are the block's own.
    """

    audio: npt.NDArray[np.float32]
    first_sample: int
    start_frame: float
    stop_frame: float
    done_samples: int

    def owns(self, onset_frames: float) -> bool:
        return self.start_frame <= onset_frames < self.stop_frame


def _blocks(take: Take, channels: Sequence[int]) -> Iterator[_Block]:
    """Blocks whose frames fall on whole samples at both rates."""
    grain_source, grain_target = _grain(take.sample_rate)
    length, context = (
        max(1, round(seconds * FEATURE_RATE_HZ / grain_target)) for seconds in (BLOCK_SECONDS, CONTEXT_SECONDS)
    )
    grains = -(-take.samples // grain_source)

    for start in range(0, grains, length):
        first, stop = max(0, start - context), min(grains, start + length)
        last_sample = min(take.samples, (stop + context) * grain_source)
        audio = take.read(first * grain_source, last_sample)[list(channels)]
        frame = grain_target // HOP_SAMPLES
        ends = stop == grains
        yield _Block(
            _at_least_a_frame(to_feature_rate(audio, take.sample_rate)),
            first * grain_target,
            (start - first) * frame if start else -np.inf,
            np.inf if ends else (stop - first) * frame,
            (take.samples if ends else stop * grain_source) - start * grain_source,
        )


def _with_features(blocks: Iterator[_Block], pool: ThreadPoolExecutor) -> Iterator[tuple[_Block, Features]]:
    """Each block with its features in decibels, several channels at a time."""
    for block in blocks:
        of_channels = pool.map(hit_features, np.split(block.audio, len(block.audio)))
        yield block, np.concatenate(list(of_channels))


def _grain(sample_rate: int) -> tuple[int, int]:
    """The shortest stretch that is whole samples at both rates and whole frames, in samples of each."""
    common = gcd(sample_rate, FEATURE_RATE_HZ)
    source, target = sample_rate // common, FEATURE_RATE_HZ // common
    times = HOP_SAMPLES // gcd(HOP_SAMPLES, target)
    return source * times, target * times


def _at_least_a_frame(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    missing = HOP_SAMPLES - audio.shape[1]
    return np.pad(audio, ((0, 0), (0, missing))) if missing > 0 else audio


def _onsets_in_block(found: Sequence[FoundHit], audio: Audio, refiner: HitRefiner | None) -> FloatArray:
    """Onsets in samples from the block's first; timed in each hit's channel where that can be told."""
    onsets = np.array([hit.onset_frames * HOP_SAMPLES for hit in found], np.float64)
    if refiner is not None:
        channels = np.array([hit.channel for hit in found], np.int64)
        groups = groups_of(hit.piece for hit in found)
        for channel in np.unique(channels):
            of_channel = channels == channel
            coarse = onsets[of_channel]
            refined, sure = refiner.refine(audio[channel], coarse, groups[of_channel])
            onsets[of_channel] = with_usual_correction(coarse, refined, sure, groups[of_channel])
    return onsets


def _levels_db(features_db: Features, onset_frames: float) -> npt.NDArray[np.float32]:
    """Peak level of a hit in each channel over the 17 ms from its onset, [channels]."""
    first = min(max(0, int(onset_frames)), features_db.shape[1] - 1)
    return np.asarray(features_db[:, first : first + LEVEL_FRAMES, _BRIGHT].max(axis=(1, 2)), np.float32)


def _gated(hits: Sequence[_LevelledHit], usual_db: npt.NDArray[np.float32]) -> list[_LevelledHit]:
    """Hits that are not far under the loudest one, in their own channel or in any other that hears hits clearly.

    Args:
        hits: Of the whole take.
        usual_db: [channels], the median level of each.
    """
    if not hits:
        return []
    levels_db = np.stack([hit.levels_db for hit in hits])
    channels = np.array([hit.found.channel for hit in hits])
    loudest_db = levels_db.max(axis=0)
    under_db = np.where(loudest_db >= usual_db + CLEAR_DB, loudest_db - levels_db, np.inf).min(axis=1)
    for channel in np.unique(channels):
        own = channels == channel
        under_db[own] = np.minimum(under_db[own], levels_db[own, channel].max() - levels_db[own, channel])
    gates_db = [DOUBTED_GATE_DB if hit.found.doubted else GATE_DB for hit in hits]
    return [hit for hit, under, gate in zip(hits, under_db, gates_db, strict=True) if under <= gate]


def _without_kicks_as_snares(hits: Sequence[_LevelledHit], roles: Sequence[Role]) -> list[_LevelledHit]:
    """Hits of a whole take; a snare that is a kick's sound in the snare's microphone is that kick."""
    found = kicks_among_snares(_heard(hits, len(roles)), roles)
    kick_channels = [channel for channel, role in enumerate(roles) if role is Role.KICK]
    named = []
    for hit, doubled, is_kick in zip(hits, found.doubled, found.kicks, strict=True):
        if is_kick:
            channel = max(kick_channels, key=lambda one: float(hit.levels_db[one]))
            kick = replace(hit.found, group=KICK, piece=Piece.KICK, channel=channel)
            onset_samples = hit.onset_samples - found.late_seconds * FEATURE_RATE_HZ
            named.append(replace(hit, found=kick, onset_samples=onset_samples))
        elif not doubled:
            named.append(hit)
    return named


def _without_echoes(hits: Sequence[_LevelledHit], channels: int) -> list[_LevelledHit]:
    """Hits of a whole take that were struck, and do not follow from a kick."""
    echoes = kick_echoes(_heard(hits, channels))
    return [hit for hit, is_echo in zip(hits, echoes, strict=True) if not is_echo]


def _heard(hits: Sequence[_LevelledHit], channels: int) -> HeardHits:
    """Hits of a whole take in columns."""
    return HeardHits(
        groups_of(hit.found.piece for hit in hits),
        np.array([hit.onset_samples for hit in hits], np.float64) / FEATURE_RATE_HZ,
        np.array([hit.found.channel for hit in hits], np.int64),
        np.array([hit.levels_db for hit in hits], np.float64).reshape(len(hits), channels),
        np.array([hit.found.group_logit for hit in hits], np.float64),
    )


def _finished(
    hits: Sequence[_LevelledHit], triggers: Sequence[int], take: Take, decoding: Decoding, *, as_heard: bool
) -> list[Hit]:
    finished = []
    heard_roles = frozenset(take.channels[channel].role for channel in triggers)
    for hit in hits:
        found, channel = hit.found, triggers[hit.found.channel]
        velocity = float(np.clip(found.velocity, 0.01, 1.0))
        # What was struck counts, not where it was heard: a hat in the snare's microphone leads no kick.
        role = take.channels[channel].role if found.piece is Piece.UNKNOWN else _GROUP_ROLES[found.group]
        priority_db = ROLE_PRIORITY_DB.get(role, 0.0)
        onset_seconds = hit.onset_samples / FEATURE_RATE_HZ
        if not as_heard:
            onset_seconds -= extra_travel_seconds(role, take.channels[channel].role, heard_roles)
        finished.append(
            Hit(
                onset_samples=int(np.clip(seconds_to_samples(onset_seconds, take.sample_rate), 0, take.samples - 1)),
                channel=channel,
                piece=found.piece,
                velocity=round(velocity, 3),
                confidence=round(decoding.confidence(found), 3),
                salience=round(20.0 * float(np.log10(velocity)) + priority_db, 2),
            )
        )
    return sorted(finished)


assert len(_GROUP_ROLES) == len(PIECE_GROUPS)
