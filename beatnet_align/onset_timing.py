"""Time attacks to the sample, by one definition of an onset, in the presence of what sounded before them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from beatnet_align.take import Audio
from beatnet_align.units import FloatArray, IntArray, power_to_db, seconds_to_samples

ONSET_BELOW_PEAK_DB = 30.0
ENERGY_SMOOTHING_SECONDS = 0.0005
"""What an onset is, everywhere in this project: where energy, smoothed over 0.5 ms, comes within 30 dB of the strike's
peak."""

ONSET_ABOVE_BACKGROUND_DB = 3.0
QUIET_BEFORE_ONSET_SECONDS = 0.001
LOOK_BACK_SECONDS, LOOK_AHEAD_SECONDS = 0.025, 0.016
ATTACK_SECONDS = 0.005
CLEARER_DB = 6.0
BACKGROUND_QUANTILE = 0.9
ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Attacks:
    """What was found around each of several places in a channel, [places] each.

    Attributes:
        onsets_samples: Where the attack begins.
        levels_db: Its peak energy, smoothed over 0.5 ms, against full scale.
        above_background_db: The same against the loudest of the 25 ms before.
    """

    onsets_samples: IntArray
    levels_db: FloatArray
    above_background_db: FloatArray


def time_attacks(signal: Audio, places_samples: IntArray, sample_rate: int) -> Attacks:
    """Find where the attack near each place begins.

    Each is timed on the raw signal, or on its differences where those show it more clearly: a cymbal over the tail of a
    kick hardly shows in the energy, which the low end rules; in the differences, which rise by 6 dB an octave, it does.

    Args:
        signal: [samples], reaching 25 ms before the first place and 16 ms behind the last.
        places_samples: [places], roughly where the level rises.
        sample_rate: In hertz.
    """
    back = seconds_to_samples(LOOK_BACK_SECONDS, sample_rate)
    ahead = seconds_to_samples(LOOK_AHEAD_SECONDS, sample_rate)
    windows = np.lib.stride_tricks.sliding_window_view(signal, back + ahead)
    parts: list[Attacks] = []
    for places in _some_at_a_time(places_samples):
        around = np.asarray(windows[places - back], np.float64)
        raw = _attacks(around, back, sample_rate)
        bright = _attacks(np.diff(around, axis=1, prepend=around[:, :1]), back, sample_rate)
        clearer = bright.above_background_db > raw.above_background_db + CLEARER_DB
        onsets = np.where(clearer, bright.onsets_samples, raw.onsets_samples)
        above_db = np.where(clearer, bright.above_background_db, raw.above_background_db)
        parts.append(Attacks(places - back + onsets, raw.levels_db, above_db))
    if not parts:
        return Attacks(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    return Attacks(
        np.concatenate([part.onsets_samples for part in parts]),
        np.concatenate([part.levels_db for part in parts]),
        np.concatenate([part.above_background_db for part in parts]),
    )


def smoothed_energy(signal: Audio, sample_rate: int) -> FloatArray:
    """Energy, averaged over 0.5 ms around each sample.

    Args:
        signal: [..., samples].
        sample_rate: In hertz.

    Returns:
        [..., samples]; over fewer samples at the ends, as if silence lay behind them.
    """
    samples = signal.shape[-1]
    width = max(1, seconds_to_samples(ENERGY_SMOOTHING_SECONDS, sample_rate))
    before = (width - 1) // 2
    total = np.zeros((*signal.shape[:-1], samples + width + 1))
    np.cumsum(np.square(signal, dtype=np.float64), axis=-1, out=total[..., before + 1 : before + 1 + samples])
    total[..., before + 1 + samples :] = total[..., before + samples : before + 1 + samples]
    return np.asarray((total[..., width : width + samples] - total[..., :samples]) / width)


def _some_at_a_time(places_samples: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(places_samples), ROWS_AT_ONCE):
        yield places_samples[start : start + ROWS_AT_ONCE]


def _attacks(around: Audio, at: int, sample_rate: int) -> Attacks:
    """Walk back from the peak around column ``at`` of each row to where it rises out of what sounded before."""
    energy = smoothed_energy(around, sample_rate)
    columns = np.arange(energy.shape[1])
    attack = max(1, seconds_to_samples(ATTACK_SECONDS, sample_rate))
    earliest = at - attack
    peaks = earliest + np.argmax(energy[:, earliest:], axis=1)
    peak_energy = np.take_along_axis(energy, peaks[:, None], axis=1)
    before = energy[:, : earliest - attack]
    rank = int(BACKGROUND_QUANTILE * (before.shape[1] - 1))
    background = np.partition(before, rank, axis=1)[:, rank, None]
    threshold = np.maximum(
        peak_energy * 10 ** (-ONSET_BELOW_PEAK_DB / 10), background * 10 ** (ONSET_ABOVE_BACKGROUND_DB / 10)
    )
    quiet = max(1, seconds_to_samples(QUIET_BEFORE_ONSET_SECONDS, sample_rate))
    onsets = _behind_last_run((energy < threshold) & (columns < peaks[:, None]), quiet)[:, None]
    levels = np.where((columns >= onsets) & (columns < onsets + attack), energy, 0.0).max(axis=1)
    loudest_before = np.where(columns < np.maximum(onsets - 2 * quiet, 1), energy, 0.0).max(axis=1)
    levels_db, before_db = power_to_db(levels, floor=1e-20), power_to_db(loudest_before, floor=1e-20)
    return Attacks(onsets[:, 0], levels_db, levels_db - before_db)


def _behind_last_run(yes: np.ndarray[tuple[int, int], np.dtype[np.bool_]], least: int) -> IntArray:
    """In each row the column behind the last run of at least ``least`` true values; 0 where there is none."""
    counts = np.zeros((yes.shape[0], yes.shape[1] + 1), np.int32)
    np.cumsum(yes, axis=1, out=counts[:, 1:])
    full = counts[:, least:] - counts[:, :-least] == least
    last = full.shape[1] - 1 - np.argmax(full[:, ::-1], axis=1)
    return np.where(full.any(axis=1), last + least, 0)
