"""Sounds of other instruments that leak into drum microphones, and the wash of cymbals; all tied to absolute time.

Notes are read from one period of a band-limited waveform, so that a minute of music costs a few milliseconds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft
from scipy.signal import butter, sosfilt

from beatnet_align.units import Float32Array, FloatArray, seconds_to_samples
from datagen.recorded.stage import CONTROL_SAMPLES, Layers, Moment, add_stretch, from_db, looped

_TABLE = 2_048
_LOOP_SAMPLES = 1 << 18
_MAX_NOTE_SECONDS = 1.6


@dataclass(frozen=True)
class Timbre:
    """How an instrument sounds.

    Attributes:
        lowest_hz, highest_hz: Of the fundamentals.
        harmonics: How many.
        slope: Harmonic h is h to the power of −slope.
        attack_seconds: Of a note.
        decay_seconds: Time constant, after the attack.
        voices: Notes sounding together.
        vibrato: Depth as a share of the frequency, at about 5.5 Hz.
        formants_hz: Resonances that shape the harmonics; empty for strings.
    """

    lowest_hz: float
    highest_hz: float
    harmonics: int
    slope: float
    attack_seconds: float
    decay_seconds: float
    voices: int = 1
    vibrato: float = 0.0
    formants_hz: tuple[float, ...] = ()


BASS = Timbre(41.0, 130.0, 14, 1.4, 0.006, 0.45)
GUITAR = Timbre(110.0, 420.0, 24, 1.05, 0.004, 0.55, voices=4)
VOICE = Timbre(110.0, 520.0, 30, 1.0, 0.060, 1.50, vibrato=0.012, formants_hz=(650.0, 1_150.0, 2_700.0))
INSTRUMENTS = {"bass": BASS, "guitar": GUITAR, "voice": VOICE}


@dataclass(frozen=True)
class OtherInstrument:
    """One instrument that leaks in.

    Attributes:
        instrument: Key of :data:`INSTRUMENTS`.
        note_samples: Absolute times of its notes.
        level_db: About the peak of its loudest note in each channel, at full scale.
        seed: Fixes pitches, lengths and strengths.
    """

    instrument: str
    note_samples: tuple[int, ...]
    level_db: tuple[float, ...]
    seed: int

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; added to the recording alone."""
        music = self.play(moment.sample_rate, moment.start_samples, layers.shape[-1])
        for channel, gain in enumerate(from_db(self.level_db)):
            layers[0, channel] += gain * music
        return layers

    def play(self, sample_rate: int, start_samples: int, samples: int) -> Float32Array:
        """The instrument alone, [samples] from absolute time ``start_samples`` on; its loudest note peaks near 1."""
        timbre = INSTRUMENTS[self.instrument]
        rng = np.random.default_rng(self.seed)
        table = _waveform(timbre)
        scale = timbre.lowest_hz * 2.0 ** (np.array([0, 3, 5, 7, 10, 12, 15, 17, 19]) / 12.0)
        scale = scale[scale <= timbre.highest_hz]
        music = np.zeros(samples, np.float32)
        for start in self.note_samples:
            roots_hz = rng.choice(scale, timbre.voices)
            seconds, strength = float(rng.uniform(0.15, _MAX_NOTE_SECONDS)), float(rng.uniform(0.35, 1.0))
            phase = rng.uniform(0.0, 1.0, timbre.voices)
            if start - start_samples >= samples or start + seconds * sample_rate <= start_samples:
                continue
            time = np.arange(seconds_to_samples(seconds, sample_rate), dtype=np.float32) / np.float32(sample_rate)
            wobble = timbre.vibrato / (2.0 * np.pi * 5.5) * np.sin(2.0 * np.pi * 5.5 * time) if timbre.vibrato else 0.0
            note = np.zeros(len(time), np.float32)
            for root_hz, cycle in zip(roots_hz, phase, strict=True):
                cycles = root_hz * (time + wobble) + cycle
                note += table[(cycles * _TABLE).astype(np.int64) & (_TABLE - 1)]
            envelope = np.minimum(time / timbre.attack_seconds, 1.0) * np.exp(-time / timbre.decay_seconds)
            envelope *= np.minimum(1.0, (seconds - time) / 0.03)
            add_stretch(music, note * envelope * np.float32(strength / timbre.voices), start - start_samples)
        return music


def _waveform(timbre: Timbre) -> Float32Array:
    """One period, peaking at 1: [table]."""
    harmonic = np.arange(1, timbre.harmonics + 1)
    amplitudes = harmonic**-timbre.slope
    if timbre.formants_hz:
        frequencies_hz = harmonic * float(np.sqrt(timbre.lowest_hz * timbre.highest_hz))
        resonances = [np.exp(-0.5 * ((frequencies_hz - formant) / 160.0) ** 2) for formant in timbre.formants_hz]
        amplitudes = amplitudes * (0.12 + np.sum(resonances, axis=0))
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    spectrum[harmonic] = amplitudes * np.exp(2j * np.pi * 0.381966 * harmonic**2)  # golden phases keep the peak low
    wave = irfft(spectrum, _TABLE)
    return np.asarray(wave / np.max(np.abs(wave)), np.float32)


@dataclass(frozen=True)
class CymbalWash:
    """Cymbals ridden without end: dense treble that swells and sinks but has no attacks.

    Attributes:
        level_db: RMS at the loudest swell in each channel at full scale.
        low_cut_hz: Where the metal begins.
        swell_seconds: Mean distance of swells.
        depth_db: How far the wash sinks between them.
        seed: Fixes noise and swells.
    """

    level_db: tuple[float, ...]
    low_cut_hz: float
    swell_seconds: float
    depth_db: float
    seed: int

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; added to the recording alone."""
        rng = np.random.default_rng(self.seed)
        sample_rate, samples = moment.sample_rate, layers.shape[-1]
        sections = butter(2, self.low_cut_hz, "highpass", fs=sample_rate, output="sos")
        white = rng.standard_normal((2, _LOOP_SAMPLES), np.float32)  # two, so that left and right differ
        noise = sosfilt(sections, np.concatenate([white[:, -4096:], white], axis=1), axis=1)[:, 4096:]
        noise = (noise / np.std(noise)).astype(np.float32)
        points: FloatArray = rng.uniform(-self.depth_db, 0.0, 64)
        periods = -(-samples // CONTROL_SAMPLES)
        seconds = (moment.start_samples + CONTROL_SAMPLES * np.arange(periods)) / sample_rate
        places = (seconds / self.swell_seconds) % (len(points) - 1)
        eased = np.floor(places) + 0.5 - 0.5 * np.cos(np.pi * (places % 1.0))
        envelope = np.repeat(from_db(np.interp(eased, np.arange(len(points)), points)), CONTROL_SAMPLES)[:samples]
        wash = looped(noise, moment.start_samples, samples) * envelope
        for channel, gain in enumerate(from_db(self.level_db)):
            layers[0, channel] += gain * wash[channel % 2]
        return layers
