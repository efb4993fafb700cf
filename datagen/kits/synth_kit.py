"""Synthesise dry strikes of a drum kit from nothing: struck modes and shaped noise, brighter the harder they are hit.

A drum or cymbal is a frozen description of its tuning; ``strike`` draws what differs from blow to blow (where the stick
landed, the noise of wires and metal) and applies it. Every strike is mono, its attack begins at sample 0, and its
loudest sample follows :func:`strike_peak`.

Modal synthesis of struck membranes follows Fletcher and Rossing, "The Physics of Musical Instruments", chapters 3
(membranes), 18 (drums) and 20 (cymbals).
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.signal import butter, sosfilt

from beatnet_align.onset_timing import ENERGY_SMOOTHING_SECONDS, ONSET_BELOW_PEAK_DB
from beatnet_align.units import FloatArray, IntArray, seconds_to_samples

MEMBRANE_RATIOS = np.array([1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501, 3.600, 3.652, 4.060, 4.154])
"""Mode frequencies of an ideal circular membrane: zeros of the Bessel functions over the first, 2.405."""

VELOCITY_RANGE_DB = 32.0
"""Distance in level between the softest and the hardest blow."""

BEATING_SHARE = 0.6
"""Share of kicks and toms whose heads are tuned far enough apart to be heard beating."""


class Voice(Protocol):
    """Anything that can be struck."""

    def strike(self, velocity: float, sample_rate: int, rng: np.random.Generator) -> FloatArray:
        """One dry blow: [samples], peak at :func:`strike_peak` of ``velocity`` (0 to 1)."""
        ...


def strike_peak(velocity: float) -> float:
    """Largest absolute sample of a strike at ``velocity`` (0 to 1): 1 for the hardest."""
    return float(10.0 ** (VELOCITY_RANGE_DB * (velocity - 1.0) / 20.0))


def onset_in_strike(strike: FloatArray, sample_rate: int) -> int:
    """Find the onset of a dry strike by the rule of ``onset_timing.py``.

    The energy is smoothed over a window centred on each sample, so that a sharp attack at sample 0 has its onset up to
    half a window before it.

    Args:
        strike: [samples], nothing but the one strike.
        sample_rate: In hertz.

    Returns:
        Samples from the strike's first sample; may be negative.
    """
    window = seconds_to_samples(ENERGY_SMOOTHING_SECONDS, sample_rate)
    energy = np.convolve(strike * strike, np.ones(window))
    return int(np.argmax(energy > energy.max() * 10.0 ** (-ONSET_BELOW_PEAK_DB / 10.0))) - window // 2


def modes(
    frequencies_hz: FloatArray, decays_seconds: FloatArray, amplitudes: FloatArray, phases: FloatArray, time: FloatArray
) -> FloatArray:
    """Sum of decaying sines; parameters are [modes], ``time`` is [samples] in seconds, the result [samples]."""
    audible = frequencies_hz < 0.47 / (time[1] - time[0])
    sines = np.sin(2.0 * np.pi * np.outer(frequencies_hz[audible], time) + phases[audible, None])
    return np.asarray(amplitudes[audible] @ (sines * np.exp(-np.outer(1.0 / decays_seconds[audible], time))))


def band_noise(low_hz: float, high_hz: float, samples: int, sample_rate: int, rng: np.random.Generator) -> FloatArray:
    """White noise of unit power through a band-pass of 12 dB an octave, [samples]."""
    warm_up = sample_rate // 50
    sos = butter(2, [low_hz, min(high_hz, 0.47 * sample_rate)], "bandpass", fs=sample_rate, output="sos")
    noise = sosfilt(sos, rng.standard_normal(samples + warm_up))[warm_up:]
    return np.asarray(noise / np.sqrt(np.mean(noise * noise)))


def contact(time: FloatArray, contact_seconds: float) -> FloatArray:
    """Push of a stick or beater on the head: half a sine of ``contact_seconds``, shorter for harder blows."""
    return np.where(time < contact_seconds, np.sin(np.pi * time / contact_seconds), 0.0)


def finish(strike: FloatArray, velocity: float, time: FloatArray, attack_seconds: float) -> FloatArray:
    """Ease in over ``attack_seconds``, out over the last tenth, and scale to :func:`strike_peak`."""
    ease_in = 0.5 - 0.5 * np.cos(np.pi * np.minimum((time + time[1]) / attack_seconds, 1.0))
    ease_out = np.clip((1.0 - time / time[-1]) / 0.1, 0.0, 1.0)
    shaped = strike * ease_in * ease_out
    return np.asarray(shaped * (strike_peak(velocity) / np.max(np.abs(shaped))))


def _time(seconds: float, sample_rate: int) -> FloatArray:
    return np.arange(seconds_to_samples(seconds, sample_rate)) / sample_rate


def _swept_phase(frequency_hz: float, sweep: FloatArray, time: FloatArray) -> FloatArray:
    """Phase in radians of a tone whose frequency is ``frequency_hz`` times 1 + ``sweep``, starting at 0."""
    cycles = np.cumsum(frequency_hz * (1.0 + sweep)) * time[1]
    return np.asarray(2.0 * np.pi * (cycles - cycles[0]))


def _heads(
    frequency_hz: float, sweep: FloatArray, decay_seconds: float, other: "OtherHead", time: FloatArray
) -> FloatArray:
    """The fundamental of a drum, [samples]: of the struck head, and of the other one that beats with it."""
    tone = np.sin(_swept_phase(frequency_hz, sweep, time)) * np.exp(-time / decay_seconds)
    if other.level > 0.0:
        answer = np.sin(_swept_phase(frequency_hz + other.apart_hz, sweep, time))
        tone += other.level * answer * np.exp(-time / (other.decay_ratio * decay_seconds))
    return np.asarray(tone)


@dataclass(frozen=True)
class OtherHead:
    """The head that is not struck. Two heads tuned apart beat: a drum may get louder again 20 to 60 ms after its blow.

    Gogodze's kick does so by 10 dB, 40 ms after the blow.

    Attributes:
        level: Beside the struck head; 0 for a drum that decays evenly.
        apart_hz: How much higher it is tuned.
        decay_ratio: How much longer it rings.
    """

    level: float = 0.0
    apart_hz: float = 25.0
    decay_ratio: float = 1.0

    @classmethod
    def draw(cls, rng: np.random.Generator, apart_hz: tuple[float, float]) -> "OtherHead":
        """Draw one; two drums of five decay evenly."""
        level = float(rng.uniform(0.2, 1.0)) * float(rng.random() < BEATING_SHARE)
        return cls(level, float(rng.uniform(*apart_hz)), float(rng.uniform(0.7, 1.8)))


@dataclass(frozen=True)
class Kick:
    """A bass drum with a hole in the front head: a falling tone, a few head modes and the click of the beater."""

    fundamental_hz: float = 52.0
    decay_seconds: float = 0.115
    click: float = 0.32
    other_head: OtherHead = field(default_factory=OtherHead)

    def strike(self, velocity: float, sample_rate: int, rng: np.random.Generator) -> FloatArray:
        """See :class:`Voice`."""
        tuning, place = rng.normal(1.0, 0.006), rng.lognormal(0.0, 0.25, len(MEMBRANE_RATIOS))
        time = _time(0.55, sample_rate)
        sweep = (0.6 + 0.4 * velocity) * (2.2 * np.exp(-time / 0.006) + 0.55 * np.exp(-time / 0.03))
        body = _heads(self.fundamental_hz * tuning, sweep, self.decay_seconds, self.other_head, time)
        body = np.tanh((0.8 + 0.6 * velocity) * body)
        overtones_hz = 1.9 * self.fundamental_hz * tuning * MEMBRANE_RATIOS
        decays_seconds = 0.045 / MEMBRANE_RATIOS**0.8
        head = modes(overtones_hz, decays_seconds, place / MEMBRANE_RATIOS, np.zeros(len(place)), time)
        noise = band_noise(1_800.0, 6_500.0, len(time), sample_rate, rng)
        beater = contact(time, 0.0028 - 0.0014 * velocity) + 0.35 * noise * np.exp(-time / 0.0045)
        air = 0.02 * band_noise(150.0, 1_200.0, len(time), sample_rate, rng) * np.exp(-time / 0.06)
        brightness = velocity**1.2
        mixture = body + 0.10 * head + self.click * (0.12 + 0.88 * brightness) * beater + air
        return finish(mixture, velocity, time, 0.0006)


@dataclass(frozen=True)
class Snare:
    """A snare drum: modes of both heads, shell ring, the stick, and wires that rattle a moment later.

    Attributes:
        fundamental_hz, decay_seconds: Of the lowest mode.
        wires: Level of the rattle.
        swell_seconds: How slowly the wires begin to move; loose ones are loudest 30 ms after the blow.
        flutter: How much they slap at the head's own rate.
    """

    fundamental_hz: float = 186.0
    decay_seconds: float = 0.085
    wires: float = 0.55
    swell_seconds: float = 0.0012
    flutter: float = 0.35

    def strike(self, velocity: float, sample_rate: int, rng: np.random.Generator) -> FloatArray:
        """See :class:`Voice`."""
        tuning, place = rng.normal(1.0, 0.006), rng.lognormal(0.0, 0.3, len(MEMBRANE_RATIOS))
        time = _time(0.45, sample_rate)
        frequency_hz = self.fundamental_hz * tuning
        sweep = 0.07 * velocity * np.exp(-time / 0.012)
        fundamental = np.sin(_swept_phase(frequency_hz, sweep, time)) * np.exp(-time / self.decay_seconds)
        overtones = MEMBRANE_RATIOS[1:]
        amplitudes = place[1:] * overtones ** -(1.5 - 0.7 * velocity)
        decays_seconds = self.decay_seconds / overtones**0.9
        heads = fundamental + modes(
            overtones * frequency_hz, decays_seconds, amplitudes, np.zeros(len(overtones)), time
        )
        ring = modes(
            frequency_hz * np.array([4.9, 6.7]), np.array([0.05, 0.035]), np.array([0.06, 0.04]), place[:2], time
        )
        rattle = band_noise(1_400.0, 6_000.0 + 5_500.0 * velocity, len(time), sample_rate, rng)
        rattle += 0.5 * band_noise(450.0, 2_200.0, len(time), sample_rate, rng)
        swell = 1.0 - np.exp(-time / self.swell_seconds)
        envelope = swell * (0.72 * np.exp(-time / 0.030) + 0.28 * np.exp(-time / (0.07 + 0.05 * velocity)))
        envelope *= 1.0 + self.flutter * np.sin(2.0 * np.pi * frequency_hz * time) * np.exp(-time / 0.05)
        noise = band_noise(2_800.0, 9_500.0, len(time), sample_rate, rng)
        stick = contact(time, 0.0011 - 0.0004 * velocity) + 0.5 * noise * np.exp(-time / 0.0012)
        mixture = 0.8 * heads + ring + self.wires * rattle * envelope + (0.15 + 0.35 * velocity) * stick
        return finish(mixture, velocity, time, 0.0002)


@dataclass(frozen=True)
class Tom:
    """A tom: head modes that fall a little in pitch, the stick, and the air that both heads push."""

    fundamental_hz: float = 110.0
    decay_seconds: float = 0.22
    stick: float = 0.35
    air: float = 0.05
    other_head: OtherHead = field(default_factory=OtherHead)

    def strike(self, velocity: float, sample_rate: int, rng: np.random.Generator) -> FloatArray:
        """See :class:`Voice`."""
        tuning, place = rng.normal(1.0, 0.005), rng.lognormal(0.0, 0.25, len(MEMBRANE_RATIOS))
        time = _time(0.9, sample_rate)
        frequency_hz = self.fundamental_hz * tuning
        sweep = (0.10 + 0.16 * velocity) * np.exp(-time / 0.03)
        fundamental = _heads(frequency_hz, sweep, self.decay_seconds, self.other_head, time)
        overtones = MEMBRANE_RATIOS[1:]
        amplitudes = 0.6 * place[1:] * overtones ** -(2.0 - 0.8 * velocity)
        decays_seconds = 0.6 * self.decay_seconds / overtones
        heads = fundamental + modes(
            overtones * frequency_hz, decays_seconds, amplitudes, np.zeros(len(overtones)), time
        )
        noise = band_noise(1_500.0, 7_000.0, len(time), sample_rate, rng)
        stick = contact(time, 0.0016 - 0.0006 * velocity) + 0.4 * noise * np.exp(-time / 0.002)
        air = band_noise(300.0, 2_000.0 + 5_000.0 * velocity, len(time), sample_rate, rng) * np.exp(-time / 0.035)
        return finish(heads + (0.12 + self.stick * velocity) * stick + self.air * air, velocity, time, 0.0003)


def _hat_partials() -> FloatArray:
    """Modes of one pair of hats, fixed as those of a real cymbal are: sparse below 1 kHz, dense above 4."""
    return 320.0 + 15_500.0 * np.sort(np.random.default_rng(14).beta(1.35, 1.5, 110))


@dataclass(frozen=True)
class HiHat:
    """A pair of hats: many inharmonic partials over hissing noise; ``openness`` (0 to 1) sets how long they ring.

    Attributes:
        openness: 0 pressed shut, 1 wide open.
        closes_seconds: When the foot shuts the hats again; the strike dies within 20 ms of it.
        partials_hz: [modes], the same for every blow on this pair.
    """

    openness: float = 0.0
    closes_seconds: float = 2.0
    partials_hz: FloatArray = field(default_factory=_hat_partials)

    def strike(self, velocity: float, sample_rate: int, rng: np.random.Generator) -> FloatArray:
        """See :class:`Voice`."""
        count = len(self.partials_hz)
        place, phases = rng.lognormal(0.0, 0.5, count), rng.uniform(0.0, 2.0 * np.pi, count)
        ring_seconds = 0.038 * (0.75 + 0.5 * velocity) + 0.30 * self.openness
        time = _time(min(6.0 * ring_seconds, self.closes_seconds + 0.08), sample_rate)
        decays_seconds = ring_seconds * (self.partials_hz / 5_000.0) ** -0.45
        tilt = (self.partials_hz / 6_000.0) ** np.where(self.partials_hz < 6_000.0, 0.9, velocity - 1.3)
        metal = modes(self.partials_hz, decays_seconds, place * tilt / np.sqrt(count / 2.0), phases, time)
        hiss = band_noise(5_200.0, 15_500.0, len(time), sample_rate, rng)
        hiss *= 0.35 * np.exp(-time / (0.8 * ring_seconds)) + 0.65 * np.exp(-time / 0.014)
        hiss *= 1.0 + (1.0 + 1.5 * velocity) * np.exp(-time / 0.0018)
        chick = band_noise(900.0, 4_500.0, len(time), sample_rate, rng) * np.exp(-time / 0.004)
        tip = velocity * contact(time, 0.0005)
        closing = np.minimum(1.0, np.exp(-(time - self.closes_seconds) / 0.012))
        return finish((metal + (0.5 + 0.3 * velocity) * hiss + chick + tip) * closing, velocity, time, 0.0004)


def place_strike(audio: FloatArray, image: FloatArray, start_samples: int | IntArray) -> None:
    """Add ``image`` [channels, n] into ``audio`` [channels, samples] from ``start_samples`` on, where both overlap."""
    start = int(start_samples)
    first, last = max(0, start), min(audio.shape[1], start + image.shape[1])
    if first < last:
        audio[:, first:last] += image[:, first - start : last - start]
