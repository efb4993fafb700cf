"""What may happen to a take's features in training: bleed, mix-downs, noise, equalisers, other levels.

Powers of independent sounds add, so a good part of what a studio does can be done to features without rendering audio
again. Each function draws from its generator, then applies; levels are decibels, [channels, frames, features].
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.hit_features import (
    BLOCK_SAMPLES,
    FEATURE_RATE_HZ,
    FEATURES,
    LEVEL_FEATURES,
    MEL_WINDOWS,
    reference_db,
)
from beatnet_align.hit_outputs import ROLES
from beatnet_align.roles import Role
from beatnet_align.units import Float32Array

_LEVELS = 3 * LEVEL_FEATURES
_FIRST_BANDS = MEL_WINDOWS[0][1]
_MEL_COLUMNS = ((_LEVELS, _FIRST_BANDS), (_LEVELS + _FIRST_BANDS, MEL_WINDOWS[1][1]))
_PLACES, _SINES = 5, 3
_LEVEL_PLACES = (0.5, 2.5, 4.0)
"""Of the places in the spectrum, from low to high, those that rule the signal's level and that of its differences."""

BLOCK_SECONDS = BLOCK_SAMPLES / FEATURE_RATE_HZ


@dataclass(frozen=True)
class FeatureAugmentation:
    """How likely and how strong each change is; all zero changes nothing.

    Attributes:
        bleed_probability, bleed_db, bleed_delay_seconds: Each other channel's level in a channel, and how much later it
            is heard there. Real kicks lie 2 dB under the snare in a snare microphone (gogodze), where the generator's
            arrays hear them 20 dB lower.
        mixdown_probability: That all channels become one.
        far_probability: That only overheads and rooms are kept, where there are any.
        drop_probability: Of each channel.
        noise_probability, noise_db: Against a channel's reference level.
        equaliser_probability, equaliser_db: Largest change of a band.
        ripple_probability, ripple_db, ripple_hz: Slow swells, each band by itself, as of snare wires that rattle on a
            kick or of an open hat: standard deviation and rate. What only swells is no hit.
        level_db: Largest error of the reference level.
        role_probability: That a channel's role is known.
    """

    bleed_probability: float = 0.5
    bleed_db: tuple[float, float] = (-30.0, -3.0)
    bleed_delay_seconds: tuple[float, float] = (0.0, 0.004)
    mixdown_probability: float = 0.15
    far_probability: float = 0.1
    drop_probability: float = 0.15
    noise_probability: float = 0.4
    noise_db: tuple[float, float] = (-75.0, -38.0)
    equaliser_probability: float = 0.5
    equaliser_db: float = 8.0
    ripple_probability: float = 0.0
    ripple_db: tuple[float, float] = (0.5, 6.0)
    ripple_hz: tuple[float, float] = (3.0, 25.0)
    level_db: float = 6.0
    role_probability: float = 0.6


NO_AUGMENTATION = FeatureAugmentation(
    bleed_probability=0.0,
    mixdown_probability=0.0,
    far_probability=0.0,
    drop_probability=0.0,
    noise_probability=0.0,
    equaliser_probability=0.0,
    ripple_probability=0.0,
    level_db=0.0,
    role_probability=1.0,
)

_FAR = [ROLES.index(Role.OVERHEAD), ROLES.index(Role.ROOM)]
_OTHER = ROLES.index(Role.OTHER)


def choose_channels(
    rng: np.random.Generator, roles: npt.NDArray[np.int64], most: int, chances: FeatureAugmentation
) -> npt.NDArray[np.int64]:
    """Which channels of a take to keep, in what order; at least one."""
    kept = np.flatnonzero(rng.random(len(roles)) >= chances.drop_probability)
    far = np.flatnonzero(np.isin(roles, _FAR))
    if len(far) and rng.random() < chances.far_probability:
        kept = far
    if not len(kept):
        kept = rng.integers(len(roles), size=1)
    return rng.permutation(kept)[:most]


def forget_roles(
    rng: np.random.Generator, roles: npt.NDArray[np.int64], chances: FeatureAugmentation
) -> npt.NDArray[np.int64]:
    """Roles, some of them unknown: often all at once, as in takes whose channels are only numbered."""
    if rng.random() < 0.5 * (1.0 - chances.role_probability):
        return np.full_like(roles, _OTHER)
    known = rng.random(len(roles)) < 0.5 * (1.0 + chances.role_probability)
    return np.where(known, roles, _OTHER)


def augment(rng: np.random.Generator, features_db: Float32Array, chances: FeatureAugmentation) -> Float32Array:
    """Change the features of one crop.

    Args:
        rng: Draws.
        features_db: [channels, frames, FEATURES]; left as it is.
        chances: What may happen.
    """
    changed = features_db
    if len(changed) > 1 and rng.random() < chances.bleed_probability:
        changed = _with_bleed(rng, changed, chances)
    if rng.random() < chances.equaliser_probability:
        changed = changed + _curves(rng, len(changed), chances.equaliser_db)
    if rng.random() < chances.ripple_probability:
        changed = changed + _ripple(rng, len(changed), changed.shape[1], chances)
    if rng.random() < chances.noise_probability:
        changed = _with_noise(rng, changed, chances.noise_db)
    return changed


def mix_down(rng: np.random.Generator, features_db: Float32Array) -> Float32Array:
    """All channels as one, each at its own level: [1, frames, FEATURES]."""
    levelled = features_db - reference_db(features_db)
    return _mixed(levelled, db_to_power(rng.uniform(-15.0, 0.0, size=(1, len(features_db)))))


def _with_bleed(rng: np.random.Generator, features_db: Float32Array, chances: FeatureAugmentation) -> Float32Array:
    """Every channel with all others in it, each with a level and a delay of its own."""
    channels = len(features_db)
    gains = db_to_power(rng.uniform(*chances.bleed_db, size=(channels, channels)))
    delays = rng.uniform(*chances.bleed_delay_seconds, size=(channels, channels)) / BLOCK_SECONDS
    power = np.power(np.float32(10.0), features_db * np.float32(0.1))
    bled = power.copy()
    for listener in range(channels):
        for source in range(channels):
            if source != listener:
                bled[listener] += gains[listener, source] * _delayed(power[source], round(delays[listener, source]))
    return _levels_db(bled)


def _delayed(power: Float32Array, blocks: int) -> Float32Array:
    """One channel's powers, [frames, FEATURES], so many blocks of the fine levels later; bands are interpolated."""
    if blocks == 0:
        return power
    later = np.empty_like(power)
    for start in range(0, _LEVELS, LEVEL_FEATURES):
        row = power[:, start : start + LEVEL_FEATURES].ravel()
        moved = np.concatenate([np.repeat(row[:1], blocks), row[:-blocks]])
        later[:, start : start + LEVEL_FEATURES] = moved.reshape(-1, LEVEL_FEATURES)
    share = np.float32(min(1.0, blocks / LEVEL_FEATURES))
    bands = power[:, _LEVELS:]
    later[:, _LEVELS:] = (1.0 - share) * bands + share * np.concatenate([bands[:1], bands[:-1]])
    return later


def _mixed(features_db: Float32Array, power_gains: Float32Array) -> Float32Array:
    """Channels as sums of all channels' powers, [outputs, inputs]."""
    power = np.power(np.float32(10.0), features_db * np.float32(0.1)).reshape(len(features_db), -1)
    return _levels_db((power_gains @ power).reshape(len(power_gains), *features_db.shape[1:]))


def _levels_db(power: Float32Array) -> Float32Array:
    return np.asarray(10.0 * np.log10(np.maximum(power, 1e-12)), np.float32)


def _curves(rng: np.random.Generator, channels: int, most_db: float) -> Float32Array:
    """A smooth curve over the bands for each channel; the levels of the signal and its differences follow roughly."""
    points = rng.uniform(-most_db, most_db, size=(channels, _PLACES))
    curves = np.empty((channels, 1, FEATURES), np.float32)
    for row, at in zip(curves[:, 0], points, strict=True):
        row[:_LEVELS] = np.repeat(np.interp(_LEVEL_PLACES, np.arange(_PLACES), at), LEVEL_FEATURES)
        for start, bands in _MEL_COLUMNS:
            row[start : start + bands] = np.interp(np.linspace(0.0, _PLACES - 1.0, bands), np.arange(_PLACES), at)
    return curves


def _ripple(rng: np.random.Generator, channels: int, frames: int, chances: FeatureAugmentation) -> Float32Array:
    """Levels that swell and fade, a sum of some slow sines at each of five places of the spectrum, in decibels.

    Half of it is common to all channels, as what one instrument does is.
    """
    shape = (channels + 1, _PLACES, _SINES, 1)
    rates_hz, phases = rng.uniform(*chances.ripple_hz, size=shape), rng.uniform(0.0, 2.0 * np.pi, size=shape)
    depths_db = rng.uniform(*chances.ripple_db, size=(channels + 1, _PLACES, 1)) / np.sqrt(_SINES)
    seconds = (np.arange(frames * LEVEL_FEATURES) + 0.5) * BLOCK_SECONDS
    swells = depths_db * np.sin(2.0 * np.pi * rates_hz * seconds + phases).sum(axis=2)
    swells = (swells[1:] + swells[:1]).astype(np.float32)  # [channels, places, blocks]
    ripple = np.empty((channels, frames, FEATURES), np.float32)
    for row, place in enumerate(_LEVEL_PLACES):
        low = int(place)
        blend = (1.0 - (place - low)) * swells[:, low] + (place - low) * swells[:, min(low + 1, _PLACES - 1)]
        ripple[:, :, row * LEVEL_FEATURES : (row + 1) * LEVEL_FEATURES] = blend.reshape(channels, frames, -1)
    of_frames = swells.reshape(channels, _PLACES, frames, LEVEL_FEATURES).mean(axis=3)
    for start, bands in _MEL_COLUMNS:
        places = np.linspace(0.0, _PLACES - 1.0, bands)
        near = np.maximum(0.0, 1.0 - np.abs(places - np.arange(_PLACES)[:, None])).astype(np.float32)
        ripple[:, :, start : start + bands] = np.einsum("cpf,pb->cfb", of_frames, near)
    return ripple


def _with_noise(rng: np.random.Generator, features_db: Float32Array, noise_db: tuple[float, float]) -> Float32Array:
    """Steady noise of a random tilt under every channel; its power in a band fluctuates as a sum of some squares."""
    level = reference_db(features_db) + rng.uniform(*noise_db, size=(len(features_db), 1, 1)).astype(np.float32)
    tilt = _curves(rng, len(features_db), 6.0)
    fluctuation = rng.standard_gamma(6.0, size=features_db.shape, dtype=np.float32) / np.float32(6.0)
    noise = np.power(np.float32(10.0), (level + tilt) * np.float32(0.1)) * fluctuation
    power = np.power(np.float32(10.0), features_db * np.float32(0.1)) + noise
    return _levels_db(power)


def db_to_power(level_db: npt.NDArray[np.float64]) -> Float32Array:
    """Power ratios of an array of decibels."""
    return np.power(10.0, level_db / 10.0).astype(np.float32)
