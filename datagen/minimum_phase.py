"""Filters that colour sound without making it earlier or much later: causal, and the shortest with their magnitude."""

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft

from beatnet_align.units import FloatArray


def curve_log_magnitude(curve_db: FloatArray, points_hz: FloatArray, frequencies_hz: FloatArray) -> FloatArray:
    """A curve that is straight in decibels over log-frequency between its points, and level beyond them.

    Args:
        curve_db: [..., points].
        points_hz: [points], rising.
        frequencies_hz: [bins], above 0.

    Returns:
        [..., bins], natural logarithm.
    """
    places = np.interp(np.log(frequencies_hz), np.log(points_hz), np.arange(len(points_hz)))
    hats = np.maximum(1.0 - np.abs(places[None] - np.arange(len(points_hz))[:, None]), 0.0)
    return np.asarray(curve_db @ hats * (np.log(10.0) / 20.0))


def minimum_phase(log_magnitude: FloatArray, taps: int) -> npt.NDArray[np.float32]:
    """Shortest causal filter with a given magnitude, by folding the real cepstrum (Oppenheim and Schafer, 13).

    Args:
        log_magnitude: [..., bins] of a real FFT of even size, natural logarithm.
        taps: Kept; the last quarter fades out.

    Returns:
        [..., taps].
    """
    size = 2 * (log_magnitude.shape[-1] - 1)
    cepstrum = irfft(log_magnitude, size)
    cepstrum[..., 1 : size // 2] *= 2.0
    cepstrum[..., size // 2 + 1 :] = 0.0
    response = irfft(np.exp(rfft(cepstrum)), size)[..., :taps]
    return np.asarray(response * np.minimum(1.0, np.linspace(4.0, 0.0, taps)), np.float32)
