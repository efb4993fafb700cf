"""What every stage of a recording chain shares: the shape of its audio, the moment it is heard at, and control signals.

A stage works on layers: layer 0 is the recording, any further layers are parts of it (the image of one piece, say).
Filters and gains treat all layers alike, with gains measured on layer 0; what is added goes to layer 0 alone. So the
layers that add up to the recording before a linear or gain stage add up to it afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from beatnet_align.units import Float32Array, IntArray

Layers = npt.NDArray[np.float32]
"""[layers, channels, samples], full scale ±1."""
AnyFloatArray = npt.NDArray[np.float32] | npt.NDArray[np.float64]

CONTROL_SAMPLES = 32
"""Gains and envelopes change this often: 0.7 ms at 44.1 kHz."""


def _no_kicks() -> IntArray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Moment:
    """When and where a stage is heard.

    Attributes:
        sample_rate: In hertz.
        start_samples: Absolute time of the first sample; noise and leakage follow it.
        kick_samples: Absolute times of the kicks, for the pedal noise before them.
    """

    sample_rate: int
    start_samples: int = 0
    kick_samples: IntArray = field(default_factory=_no_kicks)


class Stage(Protocol):
    """One device or disturbance in the chain; a frozen dataclass of plain values."""

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """Return the layers after this stage; may work in place. Timing is kept to the sample."""
        ...


def from_db(level_db: float | tuple[float, ...] | AnyFloatArray) -> Float32Array:
    """Amplitude of a level, or of many."""
    return np.asarray(10.0 ** (np.asarray(level_db, np.float64) / 20.0), np.float32)


def looped(period: Float32Array, start: int, samples: int) -> Float32Array:
    """Read ``samples`` from a seamless loop [..., period], from absolute time ``start`` on."""
    length = period.shape[-1]
    first = start % length
    if first + samples <= length:
        return period[..., first : first + samples]
    turns = -(-(first + samples) // length)
    return np.tile(period, turns)[..., first : first + samples]


def add_stretch(rows: Float32Array, sound: Float32Array, place: int) -> None:
    """Add ``sound`` [..., n] into ``rows`` [..., samples] from ``place`` on, as far as they overlap."""
    first, last = max(0, place), min(rows.shape[-1], place + sound.shape[-1])
    if first < last:
        rows[..., first:last] += sound[..., first - place : last - place]


def peaks(audio: Float32Array) -> Float32Array:
    """Largest magnitude in each control period, [..., periods]; the last period may be short."""
    starts = np.arange(0, audio.shape[-1], CONTROL_SAMPLES)
    return np.asarray(np.maximum.reduceat(np.abs(audio), starts, axis=-1))


def follow(
    level_db: AnyFloatArray, attack_seconds: float, release_db_per_second: float, sample_rate: int
) -> Float32Array:
    """Smooth a level: falls at a constant rate, then rises through a one-pole low-pass.

    The constant fall is a running maximum along a slope, which needs no loop over samples.

    Args:
        level_db: [..., periods] of :data:`CONTROL_SAMPLES`.
        attack_seconds: Time constant of the rise; 0 follows at once.
        release_db_per_second: Rate of the fall.
        sample_rate: In hertz.
    """
    seconds = np.arange(level_db.shape[-1]) * (CONTROL_SAMPLES / sample_rate)
    slope = release_db_per_second * seconds
    held = np.maximum.accumulate(level_db + slope, axis=-1) - slope
    if attack_seconds <= 0.0:
        return np.asarray(held, np.float32)
    pole = float(np.exp(-CONTROL_SAMPLES / (attack_seconds * sample_rate)))
    start = pole * held[..., :1]
    return np.asarray(lfilter([1.0 - pole], [1.0, -pole], held, axis=-1, zi=start)[0], np.float32)


def apply_control(layers: Layers, gain: Float32Array) -> Layers:
    """Multiply every layer by a gain [channels or 1, periods] that runs straight between control periods."""
    samples = layers.shape[-1]
    ramp = (np.arange(CONTROL_SAMPLES, dtype=np.float32) + 0.5) / CONTROL_SAMPLES
    ends = np.concatenate([gain[:, 1:], gain[:, -1:]], axis=1)
    curve = gain[..., None] + (ends - gain)[..., None] * ramp
    layers *= curve.reshape(len(gain), -1)[:, :samples]
    return layers


def shape_layers(layers: Layers, curve: Callable[[Float32Array], Float32Array]) -> Layers:
    """Bend the recording's waveform by ``curve``; parts get the same gain sample by sample."""
    recording = layers[0]
    shaped = np.asarray(curve(recording), np.float32)
    if len(layers) > 1:
        safe = np.where(np.abs(recording) > 1e-9, recording, 1.0)
        layers[1:] *= np.where(np.abs(recording) > 1e-9, shaped / safe, 1.0)
    layers[0] = shaped
    return layers
