"""Continue or complete what was sounding by autoregressive models: each sample a weighted sum of those before it.

Ringing is what such a model knows best: a sum of decaying tones goes on as it was, and in every microphone by itself,
so that phase between them stays.
"""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_toeplitz, solveh_banded
from scipy.signal import lfilter, lfiltic

from beatnet_align.take import Audio
from beatnet_align.units import FloatArray, seconds_to_samples

CONTEXT_SECONDS = 0.040
"""A model learns from so much of what sounds before a gap."""

ORDER_SECONDS = 0.005
"""Length of the model: 221 coefficients at 44.1 kHz, a few times as many as a drum has tones (Janssen 1986)."""

TINY = 1e-30
"""Energy of silence."""

PHASE_SEED = 0
"""Two renders of one plan are equal."""

JANSSEN_ROUNDS = 3
LOADING = 1e-9
"""Keeps equations solvable where pure tones ring: 90 dB below what is heard."""


def prediction_errors_filter(signals: FloatArray, order: int) -> FloatArray:
    """Filters that leave of each signal what its own past does not predict, by the autocorrelation method.

    Its models never grow, and die away a little faster than what they heard; Burg's, which ring on longer, were no
    nearer to the truth on held-out joins, for three times the work. Source: Makhoul 1975, "Linear prediction: a
    tutorial review".

    Args:
        signals: [channels, samples].
        order: Samples that predict the next one, fewer than ``samples``.

    Returns:
        [channels, order + 1], the first of each 1.
    """
    size = next_fast_len(2 * signals.shape[1], real=True)
    likeness = irfft(np.abs(rfft(signals, size)) ** 2, size)[:, : order + 1]
    model = np.zeros((len(signals), order + 1))
    model[:, 0] = 1.0
    if order:
        for row, lags in zip(model, likeness, strict=True):
            lags[0] += LOADING * lags[0] + TINY
            row[1:] = -solve_toeplitz(lags[:-1], lags[1:])
    return model


def continued(tail: Audio, samples: int, sample_rate: int) -> Audio:
    """Go on with what a tail sounded like.

    The model rings on from the tail's last samples. What no model predicts, noise of wires and metal, comes from the
    tail's own prediction errors, with other phases, the same in all channels, and falling as they fell.

    Args:
        tail: [channels, n], no attack inside.
        samples: Wanted.
        sample_rate: In hertz.

    Returns:
        [channels, samples] of the same type.
    """
    context = np.asarray(tail[:, -seconds_to_samples(CONTEXT_SECONDS, sample_rate) :], np.float64)
    order = _order(context.shape[1], sample_rate)
    models = prediction_errors_filter(context, order)
    errors = np.stack([lfilter(model, [1.0], row)[order:] for model, row in zip(models, context, strict=True)])
    falls = _falls_nepers_per_sample(errors)[:, None]
    steady = _without_attacks(errors * np.exp(-falls * np.arange(errors.shape[1])))
    later = np.arange(samples)
    excitation = steady[:, later % errors.shape[1]] * np.exp(falls * (errors.shape[1] + later))
    out = np.zeros((len(tail), samples), tail.dtype)
    for row, excited, heard, model in zip(out, excitation, context, models, strict=True):
        row[:] = lfilter([1.0], model, excited, zi=lfiltic([1.0], model, heard[::-1][:order]))[0]
    return out


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
    order = _order(left.shape[1], sample_rate)
    out = np.zeros((len(before), samples), before.dtype)
    models = prediction_errors_filter(left, order)
    for _ in range(JANSSEN_ROUNDS):
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


def _order(samples: int, sample_rate: int) -> int:
    return min(seconds_to_samples(ORDER_SECONDS, sample_rate), samples // 3)


def _without_attacks(errors: FloatArray) -> FloatArray:
    """The same spectra and phases between channels, [channels, samples], with phases that gather nowhere in time."""
    spectra = rfft(errors)
    turns = np.random.default_rng(PHASE_SEED).uniform(0.0, 2.0 * np.pi, spectra.shape[1])
    return np.asarray(irfft(spectra * np.exp(1j * turns), errors.shape[1]), np.float64)


def _falls_nepers_per_sample(errors: FloatArray) -> FloatArray:
    """How fast prediction errors [channels, samples] fall, from their energy in two halves; they never rise."""
    half = max(1, errors.shape[1] // 2)
    early, late = (np.mean(part**2, axis=1) + TINY for part in (errors[:, :half], errors[:, -half:]))
    return np.asarray(np.minimum(0.0, 0.5 * np.log(late / early) / half), np.float64)
