"""What microphones, cables and preamplifiers do to a channel: level, polarity, equaliser, offset, noise and hum."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.fft import irfft, rfftfreq
from scipy.signal import sosfilt

from beatnet_align.units import Float32Array, FloatArray
from datagen.recorded.stage import CONTROL_SAMPLES, Layers, Moment, apply_control, from_db, looped

NOISE_LOOP_SAMPLES = 1 << 18
"""Noise repeats after 5.9 s at 44.1 kHz."""


@dataclass(frozen=True)
class Level:
    """Gain and polarity of each channel.

    Attributes:
        gain_db: One a channel.
        inverted: Whether each channel is upside down.
    """

    gain_db: tuple[float, ...]
    inverted: tuple[bool, ...]

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; exact."""
        signs = np.where(self.inverted, np.float32(-1.0), np.float32(1.0))
        layers *= (from_db(self.gain_db) * signs)[:, None]
        return layers


@dataclass(frozen=True)
class LevelRide:
    """Slow changes of level that all channels share, as a hand on a fader makes them.

    Attributes:
        seconds_per_point: Distance of the points below.
        points_db: Levels, joined by half cosines; the last one holds.
    """

    seconds_per_point: float
    points_db: tuple[float, ...]

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; tied to absolute time."""
        periods = -(-layers.shape[-1] // CONTROL_SAMPLES)
        seconds = (moment.start_samples + CONTROL_SAMPLES * np.arange(periods)) / moment.sample_rate
        places = np.clip(seconds / self.seconds_per_point, 0.0, len(self.points_db) - 1.0)
        eased = np.floor(places) + 0.5 - 0.5 * np.cos(np.pi * (places % 1.0))
        gain = from_db(np.interp(eased, np.arange(len(self.points_db)), self.points_db))
        return apply_control(layers, gain[None])


@dataclass(frozen=True)
class Band:
    """One section of an equaliser: 'low_shelf', 'high_shelf' and 'peak' have a gain, 'low_cut' and 'high_cut' none."""

    kind: str
    frequency_hz: float
    gain_db: float = 0.0
    quality: float = 0.7

    def section(self, sample_rate: int) -> FloatArray:
        """Second-order section [6], from Bristow-Johnson's "Audio EQ Cookbook"; minimum phase."""
        angle = 2.0 * np.pi * min(self.frequency_hz, 0.45 * sample_rate) / sample_rate
        cosine, alpha = np.cos(angle), np.sin(angle) / (2.0 * self.quality)
        amplitude = 10.0 ** (self.gain_db / 40.0)
        if self.kind == "peak":
            b = [1 + alpha * amplitude, -2 * cosine, 1 - alpha * amplitude]
            a = [1 + alpha / amplitude, -2 * cosine, 1 - alpha / amplitude]
        elif self.kind in ("low_cut", "high_cut"):
            side = 1 + cosine if self.kind == "low_cut" else 1 - cosine
            b = [side / 2, -side if self.kind == "low_cut" else side, side / 2]
            a = [1 + alpha, -2 * cosine, 1 - alpha]
        else:
            sign = 1.0 if self.kind == "low_shelf" else -1.0
            plus, minus, root = amplitude + 1, sign * (amplitude - 1), 2 * np.sqrt(amplitude) * alpha
            b = [
                amplitude * (plus - minus * cosine + root),
                2 * amplitude * sign * ((amplitude - 1) - sign * plus * cosine),
                amplitude * (plus - minus * cosine - root),
            ]
            a = [plus + minus * cosine + root, -2 * sign * ((amplitude - 1) + sign * plus * cosine), 0.0]
            a[2] = plus + minus * cosine - root
        return np.asarray(np.array([*b, *a]) / a[0])


@dataclass(frozen=True)
class Equaliser:
    """Sections for each channel.

    Attributes:
        channels: One tuple of bands a channel; may be empty.
    """

    channels: tuple[tuple[Band, ...], ...]

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; minimum phase, so onsets stay where they are."""
        for channel, bands in enumerate(self.channels):
            if bands:
                sections = np.array([band.section(moment.sample_rate) for band in bands], np.float64)
                layers[:, channel] = sosfilt(sections, layers[:, channel], axis=-1)
        return layers


@dataclass(frozen=True)
class Bed:
    """The noise below everything: hiss, rumble, hum of the mains, and a constant offset.

    Noise and hum are made as one seamless loop in the frequency domain. It is read by absolute time, so a take and its
    target have the same noise under different hits.

    Attributes:
        noise_db: Level of each channel's noise, RMS at full scale.
        tilt_db_per_octave: Slope of each channel's noise from 100 Hz up; −3 is pink.
        hum_db: Level of each channel's hum, RMS.
        mains_hz: 50 or 60.
        hum_harmonics_db: Level of each harmonic against the strongest.
        offset: Constant of each channel.
        seed: Fixes the noise.
    """

    noise_db: tuple[float, ...]
    tilt_db_per_octave: tuple[float, ...]
    hum_db: tuple[float, ...]
    mains_hz: float
    hum_harmonics_db: tuple[float, ...]
    offset: tuple[float, ...]
    seed: int

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; added to the recording alone."""
        layers[0] += looped(self._loop(moment.sample_rate), moment.start_samples, layers.shape[-1])
        return layers

    @cached_property
    def _loops(self) -> dict[int, Float32Array]:
        return {}

    def _loop(self, sample_rate: int) -> Float32Array:
        if sample_rate not in self._loops:
            self._loops[sample_rate] = self._make_loop(sample_rate)
        return self._loops[sample_rate]

    def _make_loop(self, sample_rate: int) -> Float32Array:
        """[channels, loop]."""
        rng = np.random.default_rng(self.seed)
        frequencies_hz = rfftfreq(NOISE_LOOP_SAMPLES, 1.0 / sample_rate)
        octaves = np.log2(np.clip(frequencies_hz, 20.0, None) / 100.0).astype(np.float32)
        shape = np.exp2(octaves * (np.array(self.tilt_db_per_octave, np.float32)[:, None] / 6.02))
        shape[:, 0] = 0.0
        shape *= from_db(self.noise_db)[:, None] / np.sqrt(2.0 * np.sum(shape * shape, axis=1, keepdims=True))
        shape *= np.float32(NOISE_LOOP_SAMPLES / np.sqrt(2.0))
        spectrum = rng.standard_normal((*shape.shape, 2), np.float32).view(np.complex64)[..., 0] * shape
        harmonics = from_db(self.hum_harmonics_db)
        bins = np.rint(self.mains_hz * np.arange(1, len(harmonics) + 1) * NOISE_LOOP_SAMPLES / sample_rate)
        phases = np.exp(1j * rng.uniform(0.0, 2.0 * np.pi, len(harmonics)))  # one mains, one phase in every channel
        power = np.sqrt(np.sum(harmonics**2))
        spectrum[:, bins.astype(np.int64)] += (
            from_db(self.hum_db)[:, None] * harmonics / power * phases * (NOISE_LOOP_SAMPLES / np.sqrt(2.0))
        ).astype(np.complex64)
        spectrum[:, 0] = np.array(self.offset) * NOISE_LOOP_SAMPLES
        return np.asarray(irfft(spectrum, NOISE_LOOP_SAMPLES), np.float32)
