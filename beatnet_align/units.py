"""Conversions between seconds, samples, milliseconds and decibels, and names for arrays.

Beats are converted by a :class:`~beatnet_align.tempo_map.TempoMap`, which knows the tempo at every place.
"""

from typing import overload

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@overload
def seconds_to_samples(seconds: float, sample_rate: int) -> int: ...
@overload
def seconds_to_samples(seconds: FloatArray, sample_rate: int) -> IntArray: ...
def seconds_to_samples(seconds: float | FloatArray, sample_rate: int) -> int | IntArray:
    """Round a time, or an array of times, to the nearest sample."""
    if isinstance(seconds, np.ndarray):
        return np.rint(seconds * sample_rate).astype(np.int64)
    return round(seconds * sample_rate)


@overload
def samples_to_seconds(samples: int, sample_rate: int) -> float: ...
@overload
def samples_to_seconds(samples: IntArray, sample_rate: int) -> FloatArray: ...
def samples_to_seconds(samples: int | IntArray, sample_rate: int) -> float | FloatArray:
    """Turn a sample position, or an array of them, into seconds."""
    if isinstance(samples, np.ndarray):
        return samples.astype(np.float64) / sample_rate
    return samples / sample_rate


def ms_to_seconds(ms: float) -> float:
    """Turn milliseconds, which only the command line speaks, into seconds."""
    return ms / 1000.0


def seconds_to_ms(seconds: float) -> float:
    """Turn seconds into milliseconds for print."""
    return seconds * 1000.0


def db_to_power(db: float) -> float:
    """Power ratio of a level difference in decibels."""
    return float(10.0 ** (db / 10.0))


def power_to_db(power: FloatArray, floor: float = 1e-12) -> FloatArray:
    """Level in decibels of a power, not below that of ``floor``."""
    return 10.0 * np.log10(np.maximum(power, floor))
