"""What rings along when something else is struck: the snare's wires, and toms."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from beatnet_align.units import Float32Array
from datagen.recorded.stage import CONTROL_SAMPLES, Layers, Moment, follow, from_db, looped, peaks

_LOOP_SAMPLES = 1 << 17
_EXCITING_HZ = (70.0, 450.0)  # what moves a snare's lower head: kicks, toms, bass
_WIRES_HZ = (1_300.0, 9_500.0)


@dataclass(frozen=True)
class SnareBuzz:
    """Wires that rattle while kicks and toms sound: bright noise that follows their low-mid energy a little later.

    Attributes:
        level_db: Rattle in each channel against the excitation, one a channel.
        rise_seconds: How slowly wires begin to move.
        release_db_per_second: How fast they come to rest.
        threshold_db: Excitation below which they lie still, at full scale.
        slap: How much they slap at the rate of what excites them, 0 to 1: at 50 Hz, every 20 ms.
        seed: Fixes the noise.
    """

    level_db: tuple[float, ...]
    rise_seconds: float
    release_db_per_second: float
    threshold_db: float
    slap: float
    seed: int

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; added to the recording alone."""
        sample_rate, samples = moment.sample_rate, layers.shape[-1]
        mono = np.mean(layers[0], axis=0)
        excitation = sosfilt(butter(1, _EXCITING_HZ, "bandpass", fs=sample_rate, output="sos"), mono)
        level_db = 20.0 * np.log10(np.maximum(peaks(excitation.astype(np.float32)), 1e-5))
        # Delayed by a control period: a period's peak must not move the wires before it has happened.
        level_db = np.concatenate([np.full(1, -100.0, np.float32), level_db[:-1]])
        envelope_db = follow(level_db, 0.0, self.release_db_per_second, sample_rate)
        amplitude = np.maximum(from_db(envelope_db) - from_db(self.threshold_db), 0.0)
        pole = float(np.exp(-CONTROL_SAMPLES / (self.rise_seconds * sample_rate)))
        amplitude = lfilter([1.0 - pole], [1.0, -pole], amplitude)
        noise = looped(self._noise(sample_rate), moment.start_samples, samples)
        rattle = noise * np.repeat(amplitude, CONTROL_SAMPLES)[:samples].astype(np.float32)
        if self.slap > 0.0:
            # The head pushes the wires away in one half of its swing and lets them fall back in the other.
            swing = excitation / np.repeat(from_db(envelope_db), CONTROL_SAMPLES)[:samples]
            rattle *= (1.0 + self.slap * np.clip(swing, -1.0, 1.0)).astype(np.float32)
        layers[0] += from_db(self.level_db)[:, None] * rattle
        return layers

    def _noise(self, sample_rate: int) -> Float32Array:
        white = np.random.default_rng(self.seed).standard_normal(_LOOP_SAMPLES, np.float32)
        band = (_WIRES_HZ[0], min(_WIRES_HZ[1], 0.45 * sample_rate))
        sections = butter(1, band, "bandpass", fs=sample_rate, output="sos")
        noise = sosfilt(sections, np.concatenate([white[-4096:], white]))[4096:]  # warmed up, so that it loops
        return np.asarray(noise / np.std(noise), np.float32)


@dataclass(frozen=True)
class TomRing:
    """Toms that sing along at their own pitch.

    Attributes:
        frequencies_hz: One a tom.
        decay_seconds: Time constant of their amplitude.
        level_db: Of each channel, against the excitation.
    """

    frequencies_hz: tuple[float, ...]
    decay_seconds: float
    level_db: tuple[float, ...]

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; added to the recording alone."""
        mono = np.mean(layers[0], axis=0)
        ring = np.zeros_like(mono)
        radius = float(np.exp(-1.0 / (self.decay_seconds * moment.sample_rate)))
        for frequency_hz in self.frequencies_hz:
            angle = 2.0 * np.pi * frequency_hz / moment.sample_rate
            # The zero at 0 Hz keeps offsets out; the peak gain is about 1.
            b, a = [1.0 - radius, 0.0, radius - 1.0], [1.0, -2.0 * radius * np.cos(angle), radius * radius]
            ring += lfilter(b, a, mono).astype(np.float32)
        layers[0] += from_db(self.level_db)[:, None] * ring
        return layers
