"""Find where the level of each channel jumps: candidates for hits, exact to the sample.

A candidate is a jump heard by one microphone, whoever made it; :mod:`beatnet_align.collection` decides which
candidates are hits of their own and which are bleed. The take is read in blocks, so its length does not matter.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.ahead import ahead
from beatnet_align.onset_timing import ATTACK_SECONDS, LOOK_BACK_SECONDS, smoothed_energy, time_attacks
from beatnet_align.take import Audio, Take
from beatnet_align.units import FloatArray, IntArray, power_to_db, seconds_to_samples

Frames = npt.NDArray[np.float32]

HOP_SECONDS = 0.0029
WINDOW_HOPS = 4
BAND_EDGES_HZ = (40, 130, 260, 450, 700, 1100, 1700, 2600, 4000, 6000, 9000, 13000, 18000)
RISE_FROM_FRAMES, RISE_TO_FRAMES = 2, 8
"""A frame is compared with the loudest of those 2 to 7 hops (6 to 20 ms) before it: ripple in a decay is no rise."""

BLOCK_SECONDS, CONTEXT_SECONDS = 12.0, 0.15
COLOUR_SECONDS = 0.012
OPENING_SECONDS = (0.06, 0.08)
"""What sounds from 60 ms on for 80 ms tells whether a take opens with a strike or in the middle of a sound."""

MIN_RISE_DB = 3.0
MIN_GAP_FRAMES = 3
"""Two jumps of one channel are at least 9 ms apart; docs/evidence.md warns of gaps over 12 ms, which erase flams."""


@dataclass(frozen=True)
class Candidate:
    """A jump in the level of one channel.

    Attributes:
        onset_samples: Where it begins.
        channel: Index in the take.
        rise_db: Mean rise of the half of the bands that rise most, against the loudest of the 20 ms before.
        level_db: Peak energy of the attack, smoothed over 0.5 ms, against full scale.
        above_background_db: The same against what sounded just before.
        low, high: Shares of the attack's energy below 200 Hz and above 5 kHz.
    """

    onset_samples: int
    channel: int
    rise_db: float
    level_db: float
    above_background_db: float
    low: float
    high: float


def find_candidates(take: Take, progress: Callable[[int], None] = lambda _: None) -> list[Candidate]:
    """Find every jump in every channel of a take.

    Args:
        take: Read once, from start to end, a block at a time.
        progress: Told how many further samples are done.

    Returns:
        In order of time, then channel.
    """
    found: list[Candidate] = []
    channels = range(len(take.channels))
    with ThreadPoolExecutor(max_workers=2) as pool:
        for block in ahead(_blocks(take)):
            for candidates in pool.map(lambda channel, block=block: _channel_candidates(block, channel), channels):
                found += candidates
            progress(block.stop_samples - block.start_samples)
    return sorted(found, key=lambda candidate: (candidate.onset_samples, candidate.channel))


@dataclass(frozen=True)
class _Block:
    """Audio with context on both sides; candidates are kept when their peak lies from start to stop."""

    audio: Audio
    offset_samples: int
    start_samples: int
    stop_samples: int
    sample_rate: int


def _blocks(take: Take) -> Iterator[_Block]:
    hop = hop_samples(take.sample_rate)
    length = seconds_to_samples(BLOCK_SECONDS, take.sample_rate) // hop * hop
    context = (seconds_to_samples(CONTEXT_SECONDS, take.sample_rate) // hop + 1) * hop
    for start in range(0, take.samples, length):
        stop = min(start + length, take.samples)
        audio = _read_beyond(take, start - context, stop + context)
        yield _Block(audio, start - context, start, stop, take.sample_rate)


def _read_beyond(take: Take, start: int, stop: int) -> Audio:
    """Read a range that may reach out of the take, without a step at its ends where sound, or an offset, is cut off."""
    audio = take.read(start, stop)
    first, behind = max(0, -start), take.samples - start
    # What reaches out is a copy. The median, since the first sample may belong to a strike; the last one goes on.
    strike = seconds_to_samples(ATTACK_SECONDS, take.sample_rate)
    if first:
        audio[:, :first] = np.median(audio[:, first : min(first + strike, behind)], axis=1, keepdims=True)
    if behind < audio.shape[1]:
        audio[:, behind:] = audio[:, behind - 1 : behind]
    return audio


def hop_samples(sample_rate: int) -> int:
    """Samples from one frame of :func:`band_levels_db` to the next."""
    return max(16, round(HOP_SECONDS * sample_rate))


def _channel_candidates(block: _Block, channel: int) -> list[Candidate]:
    from scipy.signal import find_peaks  # noqa: PLC0415 - slow to import, and --help must be quick

    signal, rate = block.audio[channel], block.sample_rate
    rises_db = rise_db(band_levels_db(signal, rate))
    frames, _ = find_peaks(rises_db, height=MIN_RISE_DB, distance=MIN_GAP_FRAMES)
    places = frames.astype(np.int64) * hop_samples(rate)
    inside = (places >= block.start_samples - block.offset_samples) & (
        places < block.stop_samples - block.offset_samples
    )
    places, frames = places[inside], frames[inside]
    attacks = time_attacks(signal, places, rate)
    onsets = np.maximum(attacks.onsets_samples + block.offset_samples, 0)
    above_db = attacks.above_background_db.copy()
    opening = onsets < seconds_to_samples(LOOK_BACK_SECONDS, rate)
    above_db[opening] = np.minimum(above_db, attacks.levels_db - _level_after_db(block, signal))[opening]
    low, high = _spectral_shares(signal, places, rate)
    columns = (onsets, rises_db[frames], attacks.levels_db, above_db, low, high)
    return [
        Candidate(onset, channel, *figures)
        for onset, *figures in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _level_after_db(block: _Block, signal: Audio) -> float:
    """Level that follows the opening of a take: a sound that was there before it began is no hit."""
    start = max(0, -block.offset_samples) + seconds_to_samples(OPENING_SECONDS[0], block.sample_rate)
    after = signal[start : start + seconds_to_samples(OPENING_SECONDS[1], block.sample_rate)]
    return float(power_to_db(np.median(smoothed_energy(after, block.sample_rate), keepdims=True), floor=1e-20)[0])


def band_levels_db(signal: Audio, sample_rate: int) -> Frames:
    """Level of a channel over time in twelve bands.

    Args:
        signal: [samples].
        sample_rate: In hertz; bands above half of it are left out.

    Returns:
        [frames, bands] in decibels, a frame every ``HOP_SECONDS``, the first centred on the first sample.
    """
    from scipy.fft import rfft  # noqa: PLC0415
    from scipy.signal import get_window  # noqa: PLC0415

    hop = hop_samples(sample_rate)
    length = WINDOW_HOPS * hop
    padded = np.pad(signal.astype(np.float32, copy=False), (length // 2, length))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][: len(signal) // hop + 1]
    spectrum = rfft(frames * get_window("hann", length).astype(np.float32), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    edges = np.unique(np.searchsorted(np.arange(power.shape[1]) * sample_rate / length, BAND_EDGES_HZ))
    edges = edges[edges < power.shape[1]]
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    return (10.0 * np.log10(bands / length + 1e-20)).astype(np.float32, copy=False)


def rise_db(levels_db: Frames) -> FloatArray:
    """How far each frame rises above the 6 to 20 ms before it, on average over the bands that rise most.

    Args:
        levels_db: [frames, bands].

    Returns:
        [frames], zero where nothing rises.
    """
    from scipy.ndimage import maximum_filter1d  # noqa: PLC0415

    span = RISE_TO_FRAMES - RISE_FROM_FRAMES
    before = np.pad(levels_db, ((RISE_TO_FRAMES, 0), (0, 0)), mode="edge")
    first = span // 2 + 1  # the filter centred there covers the frames 7 to 2 before the first
    loudest = maximum_filter1d(before, span, axis=0)[first : first + len(levels_db)]
    rises = np.maximum(levels_db - loudest, np.float32(0.0))
    strongest = max(1, rises.shape[1] // 2)
    top = np.partition(rises, rises.shape[1] - strongest, axis=1)[:, -strongest:]
    means: FloatArray = top.mean(axis=1).astype(np.float64)
    return means


def _spectral_shares(signal: Audio, places_samples: IntArray, sample_rate: int) -> tuple[FloatArray, FloatArray]:
    """Shares of the energy below 200 Hz and above 5 kHz in the 12 ms behind each place, [places] each."""
    from scipy.fft import rfft  # noqa: PLC0415

    length = seconds_to_samples(COLOUR_SECONDS, sample_rate)
    attacks = np.lib.stride_tricks.sliding_window_view(signal, length)[places_samples]
    power = np.abs(rfft(attacks.astype(np.float32, copy=False), axis=1)) ** 2
    total = power.sum(axis=1) + 1e-20
    hertz = np.arange(power.shape[1]) * sample_rate / length
    return power[:, hertz < 200].sum(axis=1) / total, power[:, hertz > 5000].sum(axis=1) / total
