"""Continue what was sounding by an autoregressive model: each sample a weighted sum of those before it.

Ringing is what such a model knows best: a sum of decaying tones goes on as it was, and in every microphone by itself,
so that phase between them stays.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_toeplitz

from beatnet_align.take import Audio
from beatnet_align.units import FloatArray, seconds_to_samples

CONTEXT_SECONDS = 0.080
"""A model learns from so much of what sounds before a gap."""

ORDER_SECONDS = 0.010
"""Length of the model: 441 coefficients at 44.1 kHz. Half of both is further from the truth by a twentieth in held-out
gaps of more than 30 ms."""

BLOCK_SAMPLES = 512
"""Continued at a time: half or twice of it takes a third longer."""

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


@dataclass(frozen=True, eq=False)
class TailModel:
    """What a tail sounded like, ready to go on.

    It is modelled as if it did not fall, and falls again when it goes on: else its loud beginning decides.

    Attributes:
        heard: [channels, n], the end of the tail, levelled.
        models: [channels, order + 1], see :func:`prediction_errors_filter`.
        hiss: [channels, n − order], its prediction errors without attacks, levelled as well.
        slopes: [channels, 1], nepers a sample by which the tail fell; never above 0.
        hiss_slopes: [channels, 1], by how much less the hiss fell.
    """

    heard: FloatArray
    models: FloatArray
    hiss: FloatArray
    slopes: FloatArray
    hiss_slopes: FloatArray

    def voices(self, samples: int) -> tuple[FloatArray, FloatArray]:
        """Both parts of the continuation, [channels, samples] each.

        Ringing is what the model alone makes of the tail's last samples. Hissing is what no model predicts, noise of
        wires and metal, as the model colours it: from the tail's own prediction errors, with other phases, the same in
        all channels, and falling as they fell.
        """
        later = np.arange(samples)
        excitation = self.hiss[:, later % self.hiss.shape[1]] * np.exp(self.hiss_slopes * later)
        # A tail gets no louder, whatever rounding does to a model.
        loudest = np.abs(self.heard).max(axis=1, keepdims=True)
        parts = np.clip(np.nan_to_num(_rung_on(self.heard, excitation, self.models)), -loudest, loudest)
        parts *= np.exp(self.slopes * np.arange(1, 1 + samples))
        return parts[0], parts[1]


def tail_model(tail: Audio, sample_rate: int) -> TailModel:
    """Learn what a tail sounds like.

    Args:
        tail: [channels, n], no attack inside; its last ``CONTEXT_SECONDS`` are heard.
        sample_rate: In hertz.
    """
    heard = np.asarray(tail[:, -seconds_to_samples(CONTEXT_SECONDS, sample_rate) :], np.float64)
    slopes = np.minimum(0.0, _slopes(heard))
    levelled = _levelled(heard, slopes)
    order = model_order(heard.shape[1], sample_rate)
    models = prediction_errors_filter(levelled, order)
    size = next_fast_len(heard.shape[1] + order, real=True)
    errors = irfft(rfft(levelled, size) * rfft(models, size), size)[:, order : heard.shape[1]]
    hiss_slopes = np.minimum(-slopes, _slopes(errors))
    return TailModel(levelled, models, _without_attacks(_levelled(errors, hiss_slopes)), slopes, hiss_slopes)


def continued(tail: Audio, samples: int, sample_rate: int) -> Audio:
    """Go on with what a tail sounded like: the model rings on from the tail's last samples, and its noise goes on.

    Args:
        tail: [channels, n], no attack inside.
        samples: Wanted.
        sample_rate: In hertz.

    Returns:
        [channels, samples] of the same type.
    """
    out = np.empty((len(tail), samples), tail.dtype)
    model = tail_model(tail, sample_rate)
    ringing, hissing = model.voices(samples)
    loudest = np.abs(model.heard).max(axis=1, keepdims=True)
    out[:] = np.clip(ringing + hissing, -loudest, loudest)
    return out


def model_order(samples: int, sample_rate: int) -> int:
    """How many coefficients a context of so many samples carries."""
    return min(seconds_to_samples(ORDER_SECONDS, sample_rate), samples // 3)


def _rung_on(heard: FloatArray, excited: FloatArray, models: FloatArray) -> FloatArray:
    """What recursions make of ``heard``, and of errors ``excited``, each by itself: [2, channels, samples of errors].

    A block at a time: what the past still adds to it, and its errors, go through the model's impulse response.
    Convolutions by FFT, all channels at once, take a third of the time of LAPACK's triangular solver.
    """
    channels, samples = excited.shape
    order = models.shape[1] - 1
    block = max(1, min(samples, BLOCK_SAMPLES))
    size = next_fast_len(max(2 * block, 2 * order + 1), real=True)
    filters, answers = rfft(models, size), rfft(_impulse_responses(models, block), size)
    out = np.zeros((2, channels, order + samples))
    out[0, :, :order] = heard[:, heard.shape[1] - order :]
    for start in range(0, samples, block):
        stop = min(start + block, samples)
        known = np.zeros((2, channels, stop - start))
        known[1] = excited[:, start:stop]
        past = irfft(rfft(out[..., start : start + order], size) * filters, size) if order else known[..., :0]
        still_heard = past[..., order : min(2 * order, order + stop - start)]
        known[..., : still_heard.shape[-1]] -= still_heard
        out[..., order + start : order + stop] = irfft(rfft(known, size) * answers, size)[..., : stop - start]
    return out[..., order:]


def _impulse_responses(models: FloatArray, samples: int) -> FloatArray:
    """What each recursion makes of a single error of 1, [channels, samples].

    The inverse of a power series by Newton's iteration, which doubles what is known each time (Kung 1974, "On computing
    reciprocals of power series").
    """
    known = np.ones((len(models), 1))
    while known.shape[1] < samples:
        before, after = known.shape[1], min(2 * known.shape[1], samples)
        size = next_fast_len(2 * after, real=True)
        answers = rfft(known, size)
        errors = irfft(rfft(models[:, :after], size) * answers, size)[:, before:after]
        known = np.concatenate([known, -irfft(rfft(errors, size) * answers, size)[:, : after - before]], axis=1)
    return known


def _without_attacks(errors: FloatArray) -> FloatArray:
    """The same spectra and phases between channels, [channels, samples], with phases that gather nowhere in time."""
    spectra = rfft(errors)
    turns = np.random.default_rng(PHASE_SEED).uniform(0.0, 2.0 * np.pi, spectra.shape[1])
    return np.asarray(irfft(spectra * np.exp(1j * turns), errors.shape[1]), np.float64)


def _slopes(signals: FloatArray) -> FloatArray:
    """Nepers a sample by which signals [channels, samples] rise, from their energy in two halves: [channels, 1]."""
    half = max(1, signals.shape[1] // 2)
    early, late = (np.mean(part**2, axis=1, keepdims=True) + TINY for part in (signals[:, :half], signals[:, -half:]))
    return np.asarray(0.5 * np.log(late / early) / half, np.float64)


def _levelled(signals: FloatArray, slopes: FloatArray) -> FloatArray:
    """As loud throughout as at their ends."""
    return np.asarray(signals * np.exp(slopes * np.arange(signals.shape[1] - 1, -1, -1)))
