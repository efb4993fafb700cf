"""Continue what was sounding by an autoregressive model: each sample a weighted sum of those before it.

Ringing is what such a model knows best: a sum of decaying tones goes on as it was, and in every microphone by itself,
so that phase between them stays.
"""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter, lfiltic

from beatnet_align.take import Audio
from beatnet_align.units import FloatArray, seconds_to_samples

CONTEXT_SECONDS = 0.040
"""A model learns from so much of what sounds before a gap."""

ORDER_SECONDS = 0.005
"""Length of the model: 221 coefficients at 44.1 kHz, a few times as many as a drum has tones."""

TINY = 1e-30
"""Energy of silence."""

PHASE_SEED = 0
"""Two renders of one plan are equal."""

FLOOR = 1e-8
"""Noise that a model takes for granted, against the energy of what is heard: pure tones alone have no one model."""


def prediction_errors_filter(signals: FloatArray, order: int) -> FloatArray:
    """Filters that leave of each signal what its own past does not predict, by the autocorrelation method.

    Its models do not grow, but for rounding, and die away a little faster than what they heard; Burg's, which ring on
    longer, were no nearer to the truth on held-out joins, for three times the work. Source: Makhoul 1975, "Linear
    prediction: a tutorial review".

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
            lags[0] += FLOOR * lags[0] + TINY
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
    order = model_order(context.shape[1], sample_rate)
    models = prediction_errors_filter(context, order)
    errors = np.stack([lfilter(model, [1.0], row)[order:] for model, row in zip(models, context, strict=True)])
    falls = _falls_nepers_per_sample(errors)[:, None]
    steady = _without_attacks(errors * np.exp(-falls * np.arange(errors.shape[1])))
    later = np.arange(samples)
    excitation = steady[:, later % errors.shape[1]] * np.exp(falls * (errors.shape[1] + later))
    out = np.zeros((len(tail), samples), tail.dtype)
    for row, excited, heard, model in zip(out, excitation, context, models, strict=True):
        rung = lfilter([1.0], model, excited, zi=lfiltic([1.0], model, heard[::-1][:order]))[0]
        loudest = np.abs(heard).max()  # a tail gets no louder, whatever rounding does to a model
        row[:] = np.clip(np.nan_to_num(rung), -loudest, loudest)
    return out


def model_order(samples: int, sample_rate: int) -> int:
    """How many coefficients a context of so many samples carries."""
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
