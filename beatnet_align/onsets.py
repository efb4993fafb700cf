"""Find where the level of each channel jumps: candidates for hits, exact to the sample.

A candidate is a jump heard by one microphone, whoever made it; :mod:`beatnet_align.collection` decides which
candidates are hits of their own and which are bleed. The take is read in blocks, so its length does not matter.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.take import Audio, Take
from beatnet_align.units import FloatArray, power_to_db, seconds_to_samples

Frames = npt.NDArray[np.float32]

HOP_SECONDS = 0.0029
WINDOW_HOPS = 4
BAND_EDGES_HZ = (40, 130, 260, 450, 700, 1100, 1700, 2600, 4000, 6000, 9000, 13000, 18000)
RISE_FROM_FRAMES, RISE_TO_FRAMES = 2, 8
"""A frame is compared with the loudest of those 2 to 7 hops (6 to 20 ms) before it: ripple in a decay is no rise."""

ONSET_BELOW_PEAK_DB = 30.0
ENERGY_SMOOTHING_SECONDS = 0.0005
"""The onset definition of DESIGN.md: energy smoothed over 0.5 ms, 30 dB under the strike's peak."""

ONSET_ABOVE_BACKGROUND_DB = 3.0
QUIET_BEFORE_ONSET_SECONDS = 0.001
LOOK_BACK_SECONDS, LOOK_AHEAD_SECONDS = 0.025, 0.016
ATTACK_SECONDS = 0.005
CLEARER_DB = 6.0
BLOCK_SECONDS, CONTEXT_SECONDS = 12.0, 0.15
MIN_RISE_DB = 3.0
MIN_GAP_FRAMES = 3
"""Two jumps of one channel are at least 9 ms apart; EVIDENCE.md warns of gaps over 12 ms, which erase flams."""


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
        for block in _blocks(take):
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
    hop = _hop_samples(take.sample_rate)
    length = seconds_to_samples(BLOCK_SECONDS, take.sample_rate) // hop * hop
    context = (seconds_to_samples(CONTEXT_SECONDS, take.sample_rate) // hop + 1) * hop
    with ThreadPoolExecutor(max_workers=1) as reader:
        starts = range(0, take.samples, length)

        def read(start: int) -> Audio:
            return _read_beyond(take, start - context, min(start + length, take.samples) + context)

        coming = reader.submit(read, 0)
        for start in starts:
            audio = coming.result()
            if start + length < take.samples:
                coming = reader.submit(read, start + length)
            yield _Block(audio, start - context, start, min(start + length, take.samples), take.sample_rate)


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


def _hop_samples(sample_rate: int) -> int:
    return max(16, round(HOP_SECONDS * sample_rate))


def _channel_candidates(block: _Block, channel: int) -> list[Candidate]:
    from scipy.signal import find_peaks  # noqa: PLC0415 - slow to import, and --help must be quick

    signal = block.audio[channel]
    hop = _hop_samples(block.sample_rate)
    rises_db = rise_db(band_levels_db(signal, block.sample_rate))
    peaks, _ = find_peaks(rises_db, height=MIN_RISE_DB, distance=MIN_GAP_FRAMES)
    found = []
    for frame in peaks:
        at = int(frame) * hop
        if block.start_samples <= block.offset_samples + at < block.stop_samples:
            found.append(_refined(signal, at, float(rises_db[frame]), block, channel))
    return found


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

    hop = _hop_samples(sample_rate)
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


def smoothed_energy(signal: Audio, sample_rate: int) -> FloatArray:
    """Energy of a channel, averaged over 0.5 ms around each sample.

    Args:
        signal: [samples].
        sample_rate: In hertz.

    Returns:
        [samples].
    """
    width = max(1, seconds_to_samples(ENERGY_SMOOTHING_SECONDS, sample_rate))
    total = np.concatenate([[0.0], np.cumsum(signal.astype(np.float64) ** 2)])
    first = np.arange(len(signal)) - (width - 1) // 2
    last = np.minimum(first + width, len(signal))
    return np.asarray((total[last] - total[np.maximum(first, 0)]) / width)


def _refined(signal: Audio, at: int, rise: float, block: _Block, channel: int) -> Candidate:
    """Time a jump on the raw signal, or on its differences where those show it more clearly.

    A cymbal over the tail of a kick hardly shows in the energy, which the low end rules; in the differences, which rise
    by 6 dB an octave, it does.
    """
    rate = block.sample_rate
    start = max(0, at - seconds_to_samples(LOOK_BACK_SECONDS, rate))
    around = signal[start : at + seconds_to_samples(LOOK_AHEAD_SECONDS, rate)]
    raw = _attack(around, at - start, rate)
    bright = _attack(np.diff(around, prepend=around[:1]), at - start, rate)
    best = bright if bright.above_background_db > raw.above_background_db + CLEARER_DB else raw
    low, high = _spectral_shares(signal[at : at + seconds_to_samples(0.012, rate)], rate)
    return Candidate(
        onset_samples=max(0, block.offset_samples + start + best.onset_samples),
        channel=channel,
        rise_db=rise,
        level_db=raw.level_db,
        above_background_db=best.above_background_db,
        low=low,
        high=high,
    )


@dataclass(frozen=True)
class _Attack:
    onset_samples: int
    level_db: float
    above_background_db: float


def _attack(signal: Audio, at: int, sample_rate: int) -> _Attack:
    """Walk back from the peak around ``at`` to where it rises out of what sounded before."""
    energy = smoothed_energy(signal, sample_rate)
    attack = seconds_to_samples(ATTACK_SECONDS, sample_rate)
    earliest = max(1, at - attack)
    peak = earliest + int(np.argmax(energy[earliest:]))
    background = float(np.quantile(energy[: max(1, earliest - attack)], 0.9))
    threshold = max(
        energy[peak] * 10 ** (-ONSET_BELOW_PEAK_DB / 10), background * 10 ** (ONSET_ABOVE_BACKGROUND_DB / 10)
    )
    quiet = seconds_to_samples(QUIET_BEFORE_ONSET_SECONDS, sample_rate)
    onset = _last_quiet_end(energy[:peak] < threshold, quiet)
    level = float(energy[onset : onset + attack].max(initial=0.0))
    loudest_before = float(energy[: max(1, onset - 2 * quiet)].max())
    level_db, before_db = power_to_db(np.array([level, loudest_before]), floor=1e-20)
    return _Attack(onset, float(level_db), float(level_db - before_db))


def _last_quiet_end(quiet: npt.NDArray[np.bool_], hold_samples: int) -> int:
    """Index just behind the last run of at least ``hold_samples`` true values; 0 if there is none."""
    counts = np.concatenate([[0], np.cumsum(quiet)])
    hold = max(1, min(hold_samples, len(quiet)))
    full = np.flatnonzero(counts[hold:] - counts[:-hold] == hold)
    return int(full[-1]) + hold if len(full) else 0


def _spectral_shares(attack: Audio, sample_rate: int) -> tuple[float, float]:
    from scipy.fft import rfft  # noqa: PLC0415

    power = np.abs(rfft(attack.astype(np.float32, copy=False))) ** 2
    total = float(power.sum()) + 1e-20
    hertz = np.arange(len(power)) * sample_rate / max(1, len(attack))
    return float(power[hertz < 200].sum() / total), float(power[hertz > 5000].sum() / total)
