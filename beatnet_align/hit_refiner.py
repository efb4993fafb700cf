"""Say where, within 5 ms of a rough estimate, a hit begins in its trigger channel; or leave the estimate as it is.

A small network looks at the raw audio around the estimate and gives each place a probability, and one more to "no
telling". Only where nearly all probability lies at one place is the estimate replaced by it: always replacing it would
throw a minority of hits far off. Training and the effect share the windows and the decoding here.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from beatnet_align.hit_features import FEATURE_RATE_HZ
from beatnet_align.hit_outputs import PIECE_GROUPS
from beatnet_align.onnx_networks import load_network, open_network, other_weights
from beatnet_align.onset_timing import smoothed_energy
from beatnet_align.take import Audio
from beatnet_align.units import FloatArray, IntArray, power_to_db

Windows = npt.NDArray[np.float32]
"""[hits, ROWS, WINDOW_SAMPLES]."""

REFINER_RATE_HZ = FEATURE_RATE_HZ
BEFORE_SAMPLES, AFTER_SAMPLES = 384, 512
"""8.7 ms before the estimate and 11.6 ms behind it: the peak that an onset is measured against comes later."""

WINDOW_SAMPLES = BEFORE_SAMPLES + AFTER_SAMPLES
SIGNAL_ROWS = 5
ROWS = SIGNAL_ROWS + len(PIECE_GROUPS)
STRIDE_SAMPLES = 2
REACH_STEPS = 110
"""Places that the network can name lie ``STRIDE_SAMPLES`` apart and so many steps (5 ms) to either side."""

POSITIONS = 2 * REACH_STEPS + 1
NEAR_STEPS, SURE_STEPS = 5, 16
"""The best place is the one with most probability within 0.23 ms; it is trusted for what lies within 0.73 ms."""

SILENT = 1e-6
RANGE_DB = 80.0
CENTRE_DB, SCALE_DB = -40.0, 20.0
COMPANDING = 100.0
"""Levels down to 40 dB under the peak are drawn out, so that the onset at 30 dB under it can be seen."""

WEIGHTS_NAME = "refiner.onnx"
INPUT_NAME, OUTPUT_NAME, THRESHOLD_NAME = "windows", "logits", "threshold"
FEWEST_TIMED = 5
"""Hits of a piece group in a channel and block, from which on they say how far off estimates usually are there."""

HITS_AT_ONCE = 256


def without_offset(signal: Audio) -> Audio:
    """The signal about its own mean: a constant offset is no level."""
    return signal - signal.mean() if signal.size else signal


def cut_windows(signal: Audio, places_samples: IntArray, before_samples: int, after_samples: int) -> Audio:
    """Stretches of a signal; what lies before its start or behind its end is silence.

    Args:
        signal: [samples].
        places_samples: [places].
        before_samples: How far each reaches back.
        after_samples: How far it reaches ahead.

    Returns:
        [places, before_samples + after_samples].
    """
    columns = places_samples[:, None] + np.arange(-before_samples, after_samples)
    inside = (columns >= 0) & (columns < len(signal))
    if not signal.size:
        return np.zeros(columns.shape, signal.dtype)
    return np.where(inside, signal[np.clip(columns, 0, len(signal) - 1)], signal.dtype.type(0.0))


def window_rows(around: Audio, groups: IntArray) -> Windows:
    """What the network sees of each stretch: the same whatever its gain and polarity.

    The first three rows are the energy of the onset definition, in decibels under its own peak, of the signal and its
    first two differences: a cymbal over the tail of a kick shows in those. The next two are the signal and its first
    difference themselves, with small values drawn out. The others say which piece is meant, as 1 in its group's row:
    two that are struck a few milliseconds apart sound in one channel.

    Args:
        around: [hits, WINDOW_SAMPLES], without offset.
        groups: [hits], places in ``PIECE_GROUPS``, or ``UNKNOWN_GROUP``.
    """
    largest = np.take_along_axis(around, np.abs(around).argmax(axis=1)[:, None], axis=1)
    signal = np.divide(around, largest, out=np.zeros_like(around), where=np.abs(largest) > SILENT)
    differences = [signal]
    for _ in range(2):
        differences.append(np.diff(differences[-1], axis=1, prepend=differences[-1][:, :1]))
    rows = [_level(difference) for difference in differences]
    rows += [_companded(difference) for difference in differences[:2]]
    windows = np.empty((len(around), ROWS, around.shape[1]), np.float32)
    windows[:, :SIGNAL_ROWS] = np.stack(rows, axis=1)
    windows[:, SIGNAL_ROWS:] = (groups[:, None] == np.arange(len(PIECE_GROUPS)))[:, :, None]
    return windows


def decode(logits: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """Where each hit begins and how sure that is.

    Args:
        logits: [hits, POSITIONS + 1], those of the places, then that of "no telling".

    Returns:
        Samples from the estimate to the place with most probability near it, averaged over that neighbourhood, [hits];
        and the probability that the onset lies around there, [hits].
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    probability = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    padded = np.pad(probability[:, :POSITIONS], ((0, 0), (SURE_STEPS, SURE_STEPS)))
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * SURE_STEPS + 1, axis=1)
    near = around[:, :, SURE_STEPS - NEAR_STEPS : SURE_STEPS + NEAR_STEPS + 1]
    best = near.sum(axis=2).argmax(axis=1)
    hits = np.arange(len(logits))
    weights = near[hits, best]
    lean = weights @ np.arange(-NEAR_STEPS, NEAR_STEPS + 1) / np.maximum(weights.sum(axis=1), 1e-12)
    return (best - REACH_STEPS + lean) * STRIDE_SAMPLES, around[hits, best].sum(axis=1)


class HitRefiner:
    """The trained network, ready to run on a CPU.

    Args:
        model: An ONNX file's bytes, with the threshold among its metadata.
        threads: How many the network may use.
        threshold: Probability from which on an estimate is replaced; that of the file when None.

    Raises:
        InputError: The file is no refiner.
    """

    def __init__(self, model: bytes, threads: int = 1, threshold: float | None = None) -> None:
        self._session, shipped = open_network(model, "refiner", threads, THRESHOLD_NAME, float)
        self.threshold = shipped if threshold is None else threshold

    def refine(
        self, signal: Audio, onsets_samples: FloatArray, groups: IntArray
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Time hits anew.

        Args:
            signal: [samples] at ``REFINER_RATE_HZ``, the channel that the hits are timed in.
            onsets_samples: [hits], estimates, at best within 5 ms.
            groups: [hits], see :func:`window_rows`.

        Returns:
            [hits] onsets, and [hits] which of them were replaced; the others are returned as they came.
        """
        refined, sure = onsets_samples.astype(np.float64), np.zeros(len(onsets_samples), np.bool_)
        centred = without_offset(signal)
        for start in range(0, len(refined), HITS_AT_ONCE):
            some = slice(start, start + HITS_AT_ONCE)
            places = np.rint(refined[some]).astype(np.int64)
            around = cut_windows(centred, places, BEFORE_SAMPLES, AFTER_SAMPLES)
            offsets, confidence = decode(self.logits(window_rows(around, groups[some])))
            sure[some] = (confidence >= self.threshold) & (np.abs(around).max(axis=1) > SILENT)
            refined[some] = np.where(sure[some], places + offsets, refined[some])
        return refined, sure

    def logits(self, windows: Windows) -> npt.NDArray[np.float32]:
        """What the network says of each window, [hits, POSITIONS + 1]."""
        return np.asarray(self._session.run([OUTPUT_NAME], {INPUT_NAME: windows})[0], np.float32)


def shipped_refiner() -> HitRefiner:
    """The network that comes with the package, or the one that is put before it, loaded once."""
    return _loaded(other_weights())


@lru_cache(maxsize=1)
def _loaded(folder: Path | None) -> HitRefiner:
    return load_network(HitRefiner, WEIGHTS_NAME, folder)


def with_usual_correction(
    coarse_samples: FloatArray, refined_samples: FloatArray, sure: npt.NDArray[np.bool_], groups: IntArray
) -> FloatArray:
    """Correct hits of one channel that could not be timed as those were, usually, that could: estimates are off alike.

    Else some hits of a mono mix would stay a millisecond behind the others.

    Args:
        coarse_samples: [hits], the estimates.
        refined_samples: [hits], what :meth:`HitRefiner.refine` made of them.
        sure: [hits], which of them it timed.
        groups: [hits]; those of each are corrected alike, where :data:`FEWEST_TIMED` of it were timed.

    Returns:
        [hits], onsets in samples.
    """
    corrected = refined_samples.copy()
    for group in np.unique(groups):
        timed = sure & (groups == group)
        if timed.sum() >= FEWEST_TIMED:
            usual = np.median((refined_samples - coarse_samples)[timed])
            corrected[(groups == group) & ~sure] += usual
    return corrected


def _level(signal: Audio) -> Windows:
    """Energy by the onset definition, [hits, samples], from the row's peak down to ``RANGE_DB`` under it."""
    level_db = power_to_db(smoothed_energy(signal, REFINER_RATE_HZ))
    relative_db = np.maximum(level_db - level_db.max(axis=1, keepdims=True), -RANGE_DB)
    return np.asarray((relative_db - CENTRE_DB) / SCALE_DB, np.float32)


def _companded(signal: Audio) -> Windows:
    peak = np.maximum(np.abs(signal).max(axis=1, keepdims=True), SILENT)
    return np.asarray(np.arcsinh(signal * (COMPANDING / peak)) / np.arcsinh(COMPANDING), np.float32)
