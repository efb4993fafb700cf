"""Small sounds that are no hits and have no label: ticks of sticks, thumps of stands, and the pedal before a kick.

Existing detectors take them for hits: on real recordings most false finds are ticks more than 32 dB down, many of them
40 to 160 ms before a kick (docs/evidence.md).
"""

from dataclasses import dataclass

import numpy as np

from beatnet_align.units import Float32Array, seconds_to_samples
from datagen.recorded.stage import Layers, Moment, add_stretch, from_db


@dataclass(frozen=True)
class Ticks:
    """Ticks or thumps at fixed absolute times.

    Attributes:
        at_samples: Absolute times.
        peak_db: Peak of each in its loudest channel, at full scale.
        frequency_hz: Pitch of the resonance that each excites: 2 to 8 kHz for ticks, 40 to 120 Hz for thumps.
        decay_seconds: Time constant.
        spread_db: How far channels differ.
        seed: Fixes waveforms and how loud each channel hears them.
    """

    at_samples: tuple[int, ...]
    peak_db: tuple[float, ...]
    frequency_hz: float
    decay_seconds: float
    spread_db: float
    seed: int

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; added to the recording alone."""
        rng = np.random.default_rng(self.seed)
        for place, peak_db in zip(self.at_samples, self.peak_db, strict=True):
            pitch_hz = self.frequency_hz * float(rng.lognormal(0.0, 0.2))
            sound = _knock(rng, pitch_hz, self.decay_seconds, moment.sample_rate)
            gains = from_db(peak_db - self.spread_db * rng.uniform(0.0, 1.0, layers.shape[1]))
            add_stretch(layers[0], gains[:, None] * sound, place - moment.start_samples)
        return layers


@dataclass(frozen=True)
class PedalNoise:
    """The pedal's travel before a kick; the same for the same number of kick in a take and its target.

    Attributes:
        probability: That a kick has it.
        lead_seconds: Least and greatest time before the kick.
        peak_db: One a channel, at full scale.
        seed: Fixes which kicks, and how.
    """

    probability: float
    lead_seconds: tuple[float, float]
    peak_db: tuple[float, ...]
    seed: int

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; added to the recording alone."""
        gains = from_db(self.peak_db)[:, None]
        for number, kick in enumerate(moment.kick_samples):
            rng = np.random.default_rng([self.seed, number])
            if rng.uniform() >= self.probability:
                continue
            lead = seconds_to_samples(float(rng.uniform(*self.lead_seconds)), moment.sample_rate)
            sound = _knock(
                rng, float(rng.uniform(350.0, 4_500.0)), float(rng.uniform(0.001, 0.009)), moment.sample_rate
            )
            level = np.float32(rng.uniform(0.2, 1.0))
            add_stretch(layers[0], gains * level * sound, int(kick) - lead - moment.start_samples)
        return layers


def _knock(rng: np.random.Generator, pitch_hz: float, decay_seconds: float, sample_rate: int) -> Float32Array:
    """A dull or bright knock: noise and a tone under one decay, [samples], peaking at 1."""
    time = np.arange(max(16, seconds_to_samples(6.0 * decay_seconds, sample_rate))) / sample_rate
    tone = np.sin(2.0 * np.pi * min(pitch_hz, 0.45 * sample_rate) * time)
    kernel = max(1, round(0.25 * sample_rate / pitch_hz))  # a running mean keeps the noise below the tone
    noise = np.convolve(rng.standard_normal(len(time) + kernel - 1), np.full(kernel, kernel**-0.5), mode="valid")
    rise = 1.0 - np.exp(-time / (0.1 * decay_seconds))
    sound = (tone + 0.7 * noise) * rise * np.exp(-time / decay_seconds)
    return np.asarray(sound / np.max(np.abs(sound)), np.float32)
