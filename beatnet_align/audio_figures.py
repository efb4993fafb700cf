"""Compare the audio of two takes: where a sound went, how far the spectra are apart, which attacks came and went.

Takes are read a window or a block at a time, so their length does not matter. :mod:`beatnet_align.metrics` turns these
measurements into figures.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft
from scipy.ndimage import maximum_filter1d
from scipy.signal import fftconvolve

from beatnet_align.take import Take
from beatnet_align.units import FloatArray, IntArray, power_to_db, seconds_to_samples

LAG_BEFORE_SECONDS, LAG_AFTER_SECONDS = 0.005, 0.030
"""The window around an onset that is looked for elsewhere: the attack and the first of the decay."""
LAG_REACH_SECONDS = 0.080
"""How far it is looked for. Sixteenths at 187 BPM are this far apart."""
AS_GOOD_CORRELATION = 0.02

SPECTRAL_WINDOWS_SAMPLES = (512, 1024, 2048)
SPECTRAL_FLOOR = 1e-5
"""Amplitude a sample of window, added to every bin: −100 dB, so that inaudible differences do not count."""
SPECTRAL_BLOCK_SAMPLES = 2**17

ATTACK_FRAME_SECONDS = 0.002
ATTACK_RISE_DB, ATTACK_ROOF_DB = 9.0, 35.0
ATTACK_GAP_FRAMES = 8
"""Attacks on one channel are at least 16 ms apart."""
ATTACK_LOOK_BACK_FRAMES = (2, 10)
"""A frame is compared with the loudest of those 4 to 20 ms before it."""
ATTACK_POWER_FLOOR = 1e-10
ATTACK_BLOCK_FRAMES = 8_192


class Lags(NamedTuple):
    """Where each channel's sound went, [channels] each.

    Attributes:
        samples: The lag that fits best, positive is later.
        correlation: How well it fits, −1 to 1.
        agreed_samples: Of the lags that fit about as well, the one nearest to the other channels' lag: a ringing drum
            matches itself at every period.
        rise_db: How much louder the 35 ms window is than the same time just before it: whether the channel hears
            the hit at all.
    """

    samples: IntArray
    correlation: FloatArray
    agreed_samples: IntArray
    rise_db: FloatArray


def lag_window_samples(sample_rate: int) -> tuple[int, int]:
    """How much before and after an onset :func:`lags` listens to."""
    return seconds_to_samples(LAG_BEFORE_SECONDS, sample_rate), seconds_to_samples(LAG_AFTER_SECONDS, sample_rate)


def lags(reference: Take, estimated: Take, at_samples: int, centre_samples: int | None = None) -> Lags | None:
    """Find what ``reference`` holds around a place again in ``estimated``, channel by channel.

    The lag is where the normalised cross-correlation is greatest: the inner product of the 35 ms window and each
    stretch of the same length, over the root of both energies.

    Args:
        reference: Holds the sound to look for.
        estimated: Same channels and rate.
        at_samples: The onset in ``reference``.
        centre_samples: Where it is expected in ``estimated``, ``at_samples`` when absent. Lags count from there, and
            reach 80 ms to both sides.

    Returns:
        The lags, or None where the window does not lie inside ``reference``.
    """
    rate = reference.sample_rate
    before, after = lag_window_samples(rate)
    if at_samples < before or at_samples + after > reference.samples:
        return None
    reach = seconds_to_samples(LAG_REACH_SECONDS, rate)
    start = (at_samples if centre_samples is None else centre_samples) - before
    wanted = reference.read(at_samples - before, at_samples + after).astype(np.float64)
    searched = estimated.read(start - reach, start + before + after + reach).astype(np.float64)
    products = fftconvolve(searched, wanted[:, ::-1], mode="valid", axes=1)
    running = np.cumsum(np.pad(searched**2, ((0, 0), (1, 0))), axis=1)
    energies = running[:, wanted.shape[1] :] - running[:, : -wanted.shape[1]]
    wanted_energies = np.sum(wanted**2, axis=1, keepdims=True)
    correlations = products / np.sqrt(np.maximum(energies, 1e-12) * np.maximum(wanted_energies, 1e-12))
    best = np.argmax(correlations, axis=1)
    fits = correlations[np.arange(len(best)), best]
    common = int(np.median(best))
    agreed = [_nearest_fit(row, int(lag), common) for row, lag in zip(correlations, best, strict=True)]
    earlier = reference.read(at_samples - 2 * before - after, at_samples - before).astype(np.float64)
    rise_db = power_to_db(wanted_energies[:, 0]) - power_to_db(np.sum(earlier**2, axis=1))
    return Lags(best.astype(np.int64) - reach, fits, np.array(agreed, np.int64) - reach, rise_db)


def _nearest_fit(correlations: FloatArray, best: int, common: int) -> int:
    """The local maximum nearest to ``common`` of those about as high as the greatest, which is at ``best``."""
    inner = correlations[1:-1]
    peaks = np.flatnonzero(
        (inner >= correlations[:-2]) & (inner >= correlations[2:]) & (inner >= correlations[best] - AS_GOOD_CORRELATION)
    )
    places = np.append(peaks + 1, best)
    return int(places[np.argmin(np.abs(places - common))])


def spectral_distance_db(reference: Take, estimated: Take) -> FloatArray:
    """Mean distance between the log-magnitude spectrograms, over windows of 512, 1024 and 2048 samples.

    Multi-resolution log-spectral distance after Yamamoto et al. 2020 (Parallel WaveGAN), with a floor. Phase does not
    count.

    Args:
        reference: At least 2048 samples long.
        estimated: Same channels and rate; where one is longer, the rest is left out.

    Returns:
        [channels], in decibels.
    """
    samples = min(reference.samples, estimated.samples)
    hops = [window // 4 for window in SPECTRAL_WINDOWS_SAMPLES]
    overlap = max(window - hop for window, hop in zip(SPECTRAL_WINDOWS_SAMPLES, hops, strict=True))
    sums = np.zeros((len(hops), len(reference.channels)))
    counts = np.zeros((len(hops), 1))
    for start in range(0, samples, SPECTRAL_BLOCK_SAMPLES):
        stop = min(samples, start + SPECTRAL_BLOCK_SAMPLES + overlap)
        pair = np.stack([reference.read(start, stop), estimated.read(start, stop)])
        for row, (window, hop) in enumerate(zip(SPECTRAL_WINDOWS_SAMPLES, hops, strict=True)):
            stretch = pair[..., : SPECTRAL_BLOCK_SAMPLES + window - hop]
            if stretch.shape[-1] < window:
                continue
            spectra_db = _log_spectra_db(stretch, window, hop)
            sums[row] += np.abs(spectra_db[0] - spectra_db[1]).sum(axis=(1, 2), dtype=np.float64)
            counts[row] += spectra_db.shape[2] * spectra_db.shape[3]
    return np.asarray(np.mean(sums / counts, axis=0))


def _log_spectra_db(audio: npt.NDArray[Any], window: int, hop: int) -> npt.NDArray[Any]:
    """[..., samples] to [..., frames, bins] in decibels."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, window, axis=-1)[..., ::hop, :]
    magnitudes = np.abs(rfft(frames * np.hanning(window).astype(audio.dtype), axis=-1))
    return np.asarray(20.0 * np.log10(magnitudes + audio.dtype.type(SPECTRAL_FLOOR * window)))


def attack_frames(take: Take) -> list[IntArray]:
    """Find the attacks on each channel: rises of 9 dB within 20 ms, down to 35 dB under the channel's loudest.

    Plainer than hit finding on purpose: it judges audio whose makers may be wrong about their hits.

    Returns:
        One array a channel of frame numbers, frames of 2 ms, ascending.
    """
    levels_db = _levels_db(take)
    near, far = ATTACK_LOOK_BACK_FRAMES
    span = far - near + 1
    padded = np.pad(levels_db, ((0, 0), (far, 0)), constant_values=-100.0)
    before_db = maximum_filter1d(padded, span, axis=1, origin=-(span // 2))[:, : levels_db.shape[1]]
    rising = levels_db - before_db >= ATTACK_RISE_DB
    loud = levels_db > levels_db.max(axis=1, keepdims=True) - ATTACK_ROOF_DB
    return [_spread_out(np.flatnonzero(channel)) for channel in rising & loud]


def _levels_db(take: Take) -> FloatArray:
    """Level of every whole frame of 2 ms, [channels, frames]."""
    frame = int(ATTACK_FRAME_SECONDS * take.sample_rate)
    frames = take.samples // frame
    levels_db = np.empty((len(take.channels), frames))
    for first in range(0, frames, ATTACK_BLOCK_FRAMES):
        last = min(frames, first + ATTACK_BLOCK_FRAMES)
        block = take.read(first * frame, last * frame).astype(np.float64)
        power = np.mean(block.reshape(len(block), last - first, frame) ** 2, axis=2)
        levels_db[:, first:last] = power_to_db(power + ATTACK_POWER_FLOOR)
    return levels_db


def _spread_out(frames: npt.NDArray[np.intp]) -> IntArray:
    kept: list[int] = []
    for frame in frames:
        if not kept or frame - kept[-1] >= ATTACK_GAP_FRAMES:
            kept.append(int(frame))
    return np.array(kept, np.int64)


def unmatched(events: IntArray, partners: IntArray, reach: int) -> int:
    """Count the events that find no partner of their own within ``reach``; both ascending, same unit.

    Greedy in time, which pairs as many as can be paired when every event reaches equally far.
    """
    lonely = place = 0
    for event in events:
        while place < len(partners) and partners[place] < event - reach:
            place += 1
        if place < len(partners) and partners[place] <= event + reach:
            place += 1
        else:
            lonely += 1
    return lonely
