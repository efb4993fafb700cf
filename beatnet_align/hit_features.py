"""What HitNet hears: levels over time, coarse in frequency and fine in time. Training and the effect share this code.

A frame lasts 5.8 ms. Its first 24 features are levels in eight stretches of 0.73 ms, of the signal and of its first two
differences: they carry the timing inside the frame. The others are levels in mel bands around the frame's middle, from
a short and a long window: they tell the pieces apart. docs/evidence.md has the trial that these shapes come from.
"""

from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt

from beatnet_align.take import Audio

Features = npt.NDArray[np.float32]
"""[channels, frames, FEATURES]."""

FEATURE_RATE_HZ = 44_100
"""Audio at any other rate is resampled first, so that one network hears them all alike."""

HOP_SAMPLES = 256
FRAME_SECONDS = HOP_SAMPLES / FEATURE_RATE_HZ
BLOCK_SAMPLES = 32
MEL_WINDOWS = ((384, 16, 60.0), (1024, 40, 30.0))
"""Samples, bands and lowest frequency of each window."""

FRAMES_AT_ONCE = 128
"""So few that their spectra stay in a core's cache: a third less time."""

HIGHEST_HZ = 18_000.0
LEVEL_FEATURES = HOP_SAMPLES // BLOCK_SAMPLES
DIFFERENCES = 3
"""The signal, its first and its second difference."""
FEATURES = DIFFERENCES * LEVEL_FEATURES + sum(bands for _, bands, _ in MEL_WINDOWS)

FLOOR_DB = -120.0
REFERENCE_QUANTILE = 0.995
"""A channel's loudest frames but for 10 in 2,000: a click of some samples does not set its level."""

LOWEST_REFERENCE_DB = -90.0
RANGE_DB = 80.0
CENTRE_DB, SCALE_DB = -40.0, 20.0


def to_feature_rate(audio: Audio, sample_rate: int) -> npt.NDArray[np.float32]:
    """Resample to ``FEATURE_RATE_HZ``; each sample stays at its time.

    Args:
        audio: [channels, samples].
        sample_rate: In hertz.
    """
    signal = audio.astype(np.float32, copy=False)
    if sample_rate == FEATURE_RATE_HZ:
        return signal
    from scipy.signal import resample_poly  # noqa: PLC0415 - slow to import, and --help must be quick

    common = gcd(sample_rate, FEATURE_RATE_HZ)
    resampled = resample_poly(signal, FEATURE_RATE_HZ // common, sample_rate // common, axis=1, padtype="line")
    return np.asarray(resampled, np.float32)


def hit_features(audio: Audio) -> Features:
    """Levels in decibels against full scale.

    Args:
        audio: [channels, samples] at ``FEATURE_RATE_HZ``, at least a frame long.

    Returns:
        Frame ``i`` begins at sample ``i * HOP_SAMPLES``; what is left of the last frame is dropped.
    """
    return np.stack([_channel_features(row) for row in audio])


def reference_db(features_db: Features) -> Features:
    """Level of each channel's loudest frames, [channels, 1, 1]: what its features are measured against."""
    loudest = features_db[:, :, :LEVEL_FEATURES].max(axis=2)
    level = np.quantile(loudest, REFERENCE_QUANTILE, axis=1).astype(np.float32)
    return np.asarray(np.maximum(level, np.float32(LOWEST_REFERENCE_DB))[:, None, None], np.float32)


def normalised(features_db: Features, reference: Features) -> Features:
    """Features as the network takes them: against each channel's own reference, so that gains do not matter."""
    normal = features_db - reference  # and the rest in place: fresh memory takes longer than the sums
    np.maximum(normal, np.float32(-RANGE_DB), out=normal)
    normal -= np.float32(CENTRE_DB)
    normal /= np.float32(SCALE_DB)
    return normal


def _channel_features(signal: npt.NDArray[np.float32]) -> Features:
    frames = len(signal) // HOP_SAMPLES
    signal = signal[: frames * HOP_SAMPLES] - signal.mean()  # a constant offset is no level
    power = np.empty((frames, FEATURES), np.float32)
    stretches = power[:, : DIFFERENCES * LEVEL_FEATURES]
    difference = signal
    for order, columns in enumerate(np.split(stretches, DIFFERENCES, axis=1)):
        if order:
            difference = np.diff(difference, prepend=difference[:1])
        blocks = difference.reshape(frames, LEVEL_FEATURES, BLOCK_SAMPLES)
        np.vecdot(blocks, blocks, out=columns)
    stretches /= np.float32(BLOCK_SAMPLES)
    first = stretches.shape[1]
    for window_samples, bands, lowest_hz in MEL_WINDOWS:
        filters = _mel_filters(window_samples, bands, lowest_hz)
        np.matmul(_power(signal, frames, window_samples), filters, out=power[:, first : first + bands])
        first += bands
    np.maximum(power, np.float32(10.0 ** (FLOOR_DB / 10.0)), out=power)
    np.log10(power, out=power)
    power *= np.float32(10.0)
    return power


def _power(signal: npt.NDArray[np.float32], frames: int, window_samples: int) -> npt.NDArray[np.float32]:
    """Of every bin, [frames, bins], from windows centred on the middle of each frame.

    All frames, since the product with the filters is one then: for small ones the threads of the linear algebra library
    wait longer than they work.
    """
    from scipy.fft import rfft  # noqa: PLC0415

    beyond = (window_samples - HOP_SAMPLES) // 2
    padded = np.pad(signal, beyond, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, window_samples)[::HOP_SAMPLES][:frames]
    window = _window(window_samples)
    power = np.empty((frames, window_samples // 2 + 1), np.float32)
    windowed = np.empty((min(frames, FRAMES_AT_ONCE), window_samples), np.float32)
    for start in range(0, frames, FRAMES_AT_ONCE):
        stop = min(start + FRAMES_AT_ONCE, frames)
        np.multiply(windows[start:stop], window, out=windowed[: stop - start])
        parts = rfft(windowed[: stop - start], axis=1).view(np.float32)
        np.square(parts, out=parts)
        np.add(parts[:, ::2], parts[:, 1::2], out=power[start:stop])
    return power


@lru_cache(maxsize=4)
def _window(samples: int) -> npt.NDArray[np.float32]:
    """A Hann window that gives a full-scale sine a power of about a half."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(samples) + 0.5) / samples)
    return np.asarray(window * (2.0 / window.sum()), np.float32)


@lru_cache(maxsize=4)
def _mel_filters(window_samples: int, bands: int, lowest_hz: float) -> npt.NDArray[np.float32]:
    """[bins, bands]: triangles evenly spaced in mel (O'Shaughnessy: 2595 log10(1 + f / 700)), a bin wide or more."""
    edges_mel = np.linspace(_mel(lowest_hz), _mel(HIGHEST_HZ), bands + 2)
    edges_hz = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bin_hz = FEATURE_RATE_HZ / window_samples
    bins_hz = np.arange(window_samples // 2 + 1)[:, None] * bin_hz
    low, middle, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz - low) / np.maximum(middle - low, bin_hz)
    falling = (high - bins_hz) / np.maximum(high - middle, bin_hz)
    rising = np.where(middle - low < bin_hz, 1.0 - (middle - bins_hz) / bin_hz, rising)
    falling = np.where(high - middle < bin_hz, 1.0 - (bins_hz - middle) / bin_hz, falling)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)


def _mel(frequency_hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + frequency_hz / 700.0))
