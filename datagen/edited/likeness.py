"""How an edited take differs from the recorded one where both hold the same hit; so, where a prediction fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from beatnet_align.take import Take
from beatnet_align.units import FloatArray, seconds_to_samples
from datagen.edited.lags import Anchor

Bools = npt.NDArray[np.bool_]

SMOOTHING_SECONDS = 0.001
UNLIKE = 9.0
"""A prediction fails where its error, smoothed over 1 ms, has this many times the power it has at hits."""

EXACT_SHARE = 0.5
MOST_PLACES = 100
LEAST_STEP_POWER = 2.0**-34
"""About the power of rounding to 16 bits, 2^-30 / 12: what any export may add."""


@dataclass(frozen=True)
class Likeness:
    """How an edited take differs from the recorded one where both hold the same hit.

    Attributes:
        gains: [channels], level after over before; with its sign.
        exact: [channels], whether hits are the same bit for bit.
        steady: [channels], power of what was added at any level, as by dither.
        relative: [channels], power of the error that grows with the sound, as by equalisation, over that of the sound.
        weights: [channels], one over the usual power of all this.
    """

    gains: FloatArray
    exact: Bools
    steady: FloatArray
    relative: FloatArray
    weights: FloatArray

    @classmethod
    def at(cls, anchors: Sequence[Anchor], before: Take, after: Take) -> Self:
        """Measure it at places that were found, at least one; a hundred of many are enough."""
        anchors = anchors[:: -(-len(anchors) // MOST_PLACES)]
        frame = max(8, seconds_to_samples(SMOOTHING_SECONDS, before.sample_rate))
        inner, outer, same = [], [], []
        windows = [_frames(anchor, before, after, frame) for anchor in anchors]
        for recorded, edited in windows:
            inner.append(np.sum(recorded**2, axis=(1, 2)))
            outer.append(np.sum(recorded * edited, axis=(1, 2)))
            same.append(np.all(recorded == edited, axis=(1, 2)))
        energies, products = np.array(inner), np.array(outer)
        loud = energies >= np.median(energies, axis=0)
        ratios = np.where(loud & (energies > 0.0), products / np.maximum(energies, 1e-30), np.nan)
        silent = np.isnan(ratios).all(axis=0)
        gains = np.nanmedian(np.where(silent, 1.0, ratios), axis=0)
        exact = np.mean(same, axis=0) > EXACT_SHARE
        gains = np.where(exact, 1.0, gains)
        powers, errors = [], []
        for recorded, edited in windows:
            predicted = gains[:, None, None] * recorded
            powers.append(np.mean(predicted**2, axis=2))
            errors.append(np.mean((edited - predicted) ** 2, axis=2))
        power, error = np.concatenate(powers, axis=1), np.concatenate(errors, axis=1)
        steady = np.maximum(np.quantile(error, 0.2, axis=1), LEAST_STEP_POWER)
        relative = np.median(np.maximum(error - steady[:, None], 0.0) / np.maximum(power, 1e-20), axis=1)
        relative = np.where(exact, 0.0, relative)
        weights = 1.0 / (steady + relative * np.median(power, axis=1))
        return cls(gains, exact, steady, relative, weights)

    def errors(self, recorded: FloatArray, edited: FloatArray, smoothing: int) -> tuple[FloatArray, Bools]:
        """Error of a prediction, [samples] summed over channels, and where it fails, [samples]."""
        from scipy.ndimage import uniform_filter1d  # noqa: PLC0415 - slow to import

        predicted = self.gains[:, None] * recorded
        error = (edited - predicted) ** 2
        failed = np.any(error[self.exact] > 0.0, axis=0)
        rough = ~self.exact
        if rough.any():
            smooth_error = uniform_filter1d(error[rough], smoothing, axis=1)
            allowed = uniform_filter1d(predicted[rough] ** 2, smoothing, axis=1) * self.relative[rough, None]
            failed |= np.any(smooth_error > UNLIKE * (allowed + self.steady[rough, None]), axis=0)
        return self.weights @ error, failed


def _frames(anchor: Anchor, before: Take, after: Take, frame: int) -> tuple[FloatArray, FloatArray]:
    """Both windows of a place, [channels, frames, samples of a frame]."""
    count = max(1, (anchor.stop_samples - anchor.onset_samples) // frame)
    start, stop = anchor.onset_samples, anchor.onset_samples + count * frame
    shape = (len(before.channels), count, frame)
    recorded = before.read(start, stop).astype(np.float64).reshape(shape)
    edited = after.read(start + anchor.shift_samples, stop + anchor.shift_samples).astype(np.float64).reshape(shape)
    return recorded, edited
