"""Fill a gap from both sides by an autoregressive model: the classical mark for any repair."""

import numpy as np
from scipy.linalg import solveh_banded
from scipy.signal import lfilter

from beatnet_align.autoregression import CONTEXT_SECONDS, model_order, prediction_errors_filter
from beatnet_align.take import Audio
from beatnet_align.units import FloatArray, seconds_to_samples

ROUNDS = 3
LOADING = 1e-9
"""Keeps the equations of a gap solvable where pure tones ring: 90 dB below the energy of the model."""


def completed(before: Audio, samples: int, after: Audio, sample_rate: int) -> Audio:
    """Fill a gap so that a model of both its sides errs least.

    Source: Janssen, Veldhuis and Vries 1986, "Adaptive interpolation of discrete-time signals that can be modeled as
    autoregressive processes": model and gap are found in turn.

    Args:
        before: [channels, n], what sounds in front of the gap, no attack inside.
        samples: Length of the gap, at least 1.
        after: [channels, m], what sounds behind it.
        sample_rate: In hertz.

    Returns:
        [channels, samples] of the type of ``before``.
    """
    context = seconds_to_samples(CONTEXT_SECONDS, sample_rate)
    left = np.asarray(before[:, -context:], np.float64)
    right = np.asarray(after[:, :context], np.float64)
    order = model_order(left.shape[1], sample_rate)
    out = np.zeros((len(before), samples), before.dtype)
    models = prediction_errors_filter(left, order)
    for _ in range(ROUNDS):
        for row, first, last, model in zip(out, left, right, models, strict=True):
            row[:] = _least_error(first, last, samples, model)
        models = prediction_errors_filter(np.concatenate([left, out, right], axis=1), order)
    return out


def _least_error(before: FloatArray, after: FloatArray, samples: int, model: FloatArray) -> FloatArray:
    """The gap for which the prediction errors of a model, over it and as far as it is heard behind it, are least."""
    order = len(model) - 1
    after = after[:order]
    known = np.concatenate([np.pad(before, (order, 0))[-order:] if order else before[:0], np.zeros(samples), after])
    errors = lfilter(model, [1.0], known)[order:]
    pulled = np.correlate(np.pad(errors, (0, order)), model, "valid")[:samples]
    # Normal equations in bands: lag by lag, the model against itself, as far as there are errors to count.
    heard = np.arange(samples)[::-1] + len(after)
    bands = np.zeros((min(order + 1, samples), samples))
    for lag, band in enumerate(bands):
        sums = np.cumsum(model[: order + 1 - lag] * model[lag:])
        band[: samples - lag] = sums[np.minimum(heard[lag:], order - lag)]
    bands[0] *= 1.0 + LOADING
    return -np.asarray(solveh_banded(bands, pulled, lower=True), np.float64)
