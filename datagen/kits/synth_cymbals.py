"""Synthesise cymbals and hats that ring for seconds: hundreds of modes over the stick's noise, quick to compute.

The levels and decays of each kind were read off real recordings: octave bands over time of Muldjord's cymbals,
FluidR3's and Gogodze's (measured on their files). The rise of the treble some 10 to 60 ms after a hard blow
is the energy that the metal passes upwards (Fletcher and Rossing, "The Physics of Musical Instruments", chapter 20).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from beatnet_align.units import FloatArray, IntArray, seconds_to_samples
from datagen.kits.synth_kit import band_noise, finish

OCTAVES_HZ = np.array([210.0, 420.0, 850.0, 1_700.0, 3_400.0, 6_800.0, 13_600.0])
HIGHEST_HZ, HIGHEST_DB = 20_500.0, -18.0
"""The modes end here, this far under the highest octave."""
AIR_HZ = 14_000.0
"""Above this, air and the metal's own losses swallow a mode more than twice as fast."""
LONGEST_RING = 2.0
"""Decay of the lowest modes against those at 5 kHz; air and stand damp what the metal would not."""
PLACE_SPREAD, FLIPPED_SHARE = 0.22, 0.15
"""How much where the stick lands changes each mode, and how many turn over: two blows on a real cymbal differ by 1 to
2 dB in third octaves."""
_BLOCK = 512

Samples = npt.NDArray[np.float32]


def ringing(
    phasors: FloatArray, decays_seconds: FloatArray, frequencies_hz: FloatArray, time: FloatArray
) -> FloatArray:
    """Sum of decaying sines, as two matrix products: a mode at sample 512 a + b is its value at 512 a turned on by b.

    Args:
        phasors: [2, modes], sine and cosine amplitudes at the start.
        decays_seconds: [modes], time to fall by 1/e.
        frequencies_hz: [modes]; those near half the sample rate are left out.
        time: [samples], in seconds.

    Returns:
        [samples], in float32's precision.
    """
    period = float(time[1])
    audible = frequencies_hz < 0.47 / period
    cycles, losses = frequencies_hz[audible] * period, period / decays_seconds[audible]
    block_starts = np.arange(0, len(time), _BLOCK)
    sines, cosines = _turned(block_starts, cycles, losses)
    sine, cosine = phasors[:, audible].astype(np.float32)
    left = np.concatenate([sine * cosines - cosine * sines, sine * sines + cosine * cosines], axis=1)
    right = np.concatenate(_turned(np.arange(_BLOCK), cycles, losses), axis=1)
    # A mode is sine · sin(φ) + cosine · cos(φ); φ at 512 a + b is the sum of both angles.
    return (left @ right.T).reshape(-1)[: len(time)].astype(np.float64)


def _turned(places: IntArray, cycles: FloatArray, losses: FloatArray) -> tuple[Samples, Samples]:
    """Decayed sine and cosine of every mode at some samples, [places, modes]; whole turns go before float32 does."""
    turns = np.outer(places, cycles)
    turns -= np.rint(turns)
    angles = (2.0 * np.pi * turns).astype(np.float32)
    faded = np.exp(-np.outer(places, losses).astype(np.float32))
    return faded * np.sin(angles), faded * np.cos(angles)


def _unsteady(time: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A slow, random course between −1 and 1, [samples]: 0 at the blow, turning every 15 to 60 ms."""
    spacing = float(rng.uniform(0.015, 0.06))
    turns = np.arange(0.0, time[-1] + 4.0 * spacing, spacing)
    return np.asarray(CubicSpline(turns, np.append(0.0, rng.uniform(-0.8, 0.8, len(turns) - 1)))(time)).clip(-1.0, 1.0)


@dataclass(frozen=True)
class Metal:
    """What kind of cymbal.

    Attributes:
        octaves_db: [7], level of the ringing in each octave of ``OCTAVES_HZ``, for a hard blow.
        ring_seconds: Time to fall by 1/e at 5 kHz.
        slope: How much shorter higher modes ring: their decay goes with frequency to the power of −slope.
        rise_seconds: How long the treble takes to build up; lower modes follow sooner.
        stick_db: Level of the stick's noise against the ringing.
        lowest_hz: Of the modes.
        modes: How many.
        bell: Strength of a few strong modes of 1.5 to 6 kHz, 0 where none stands out.
        seconds: Length of a strike.
    """

    octaves_db: tuple[float, ...]
    ring_seconds: float
    slope: float
    rise_seconds: float
    stick_db: float
    lowest_hz: float
    modes: int
    bell: float
    seconds: float

    def varied(self, rng: np.random.Generator) -> "Metal":
        """Another cymbal of the same kind."""
        size = float(rng.lognormal(0.0, 0.12))
        octaves_db = np.array(self.octaves_db) + rng.normal(0.0, 1.0) * np.linspace(2.5, -2.5, 7)
        octaves_db += rng.normal(0.0, 1.5, 7)
        return Metal(
            octaves_db=tuple(float(level) for level in octaves_db),
            ring_seconds=self.ring_seconds * float(rng.lognormal(0.0, 0.22)),
            slope=self.slope + float(rng.normal(0.0, 0.05)),
            rise_seconds=self.rise_seconds * float(rng.lognormal(0.0, 0.3)),
            stick_db=self.stick_db + float(rng.normal(0.0, 2.5)),
            lowest_hz=self.lowest_hz / size,
            modes=round(self.modes * float(np.clip(size, 0.75, 1.3))),
            bell=self.bell * float(rng.lognormal(0.0, 0.2)),
            seconds=self.seconds,
        )


RIDE = Metal((-43, -34, -32, -27, -23, -22, -22), 0.78, 0.55, 0.002, 6.0, 260.0, 420, 0.6, 3.6)
RIDE_BELL = Metal((-46, -42, -36, -24, -15, -22, -24), 0.70, 0.50, 0.001, 0.0, 300.0, 260, 4.0, 3.2)
CRASH = Metal((-38, -29, -26, -21, -16, -15, -22), 0.72, 0.35, 0.018, -3.0, 200.0, 460, 0.0, 3.8)
SPLASH = Metal((-50, -42, -35, -27, -21, -18, -21), 0.37, 0.15, 0.004, 2.0, 420.0, 340, 0.0, 2.2)
CHINA = Metal((-38, -34, -26, -16, -18, -17, -22), 0.27, 0.20, 0.010, -4.0, 180.0, 440, 0.0, 2.4)
HIHAT_OPEN = Metal((-40, -29, -28, -24, -21, -19, -21), 0.45, 0.15, 0.006, 0.0, 280.0, 360, 0.0, 2.2)
HIHAT_CLOSED = Metal((-46, -43, -43, -41, -34, -27, -26), 0.060, 0.05, 0.0006, 4.0, 300.0, 240, 0.0, 0.45)
HIHAT_PEDAL = Metal((-28, -30, -30, -30, -25, -22, -19), 0.050, 0.05, 0.005, -6.0, 220.0, 240, 0.0, 0.4)


@dataclass(frozen=True)
class Cymbal:
    """One cymbal or pair of hats. Its modes are its own, every blow only excites them differently.

    Attributes:
        metal: What kind, as varied.
        attack_seconds: How long the softest blow takes to reach its level; hard ones take less than half of it.
        frequencies_hz, decays_seconds, levels: [modes].
        closes_seconds: When a foot shuts the hats, with a soft chick; infinite where nothing does.
        clatter: How unsteadily two hats that touch ring, 0 to 1.
    """

    metal: Metal
    attack_seconds: float
    frequencies_hz: FloatArray
    decays_seconds: FloatArray
    levels: FloatArray
    closes_seconds: float = np.inf
    clatter: float = 0.0

    @classmethod
    def draw(
        cls,
        metal: Metal,
        attack_seconds: float,
        rng: np.random.Generator,
        closes_seconds: float = np.inf,
        clatter: float = 0.0,
    ) -> "Cymbal":
        """Draw the modes of a cymbal: dense and about as many in each kilohertz, as those of a plate are."""
        metal = metal.varied(rng)
        frequencies = metal.lowest_hz + (HIGHEST_HZ - metal.lowest_hz) * np.sort(rng.beta(1.0, 1.3, metal.modes))
        slowness = np.minimum((frequencies / 5_000.0) ** -metal.slope, LONGEST_RING)
        slowness /= 1.0 + (frequencies / AIR_HZ) ** 2
        decays = metal.ring_seconds * slowness * rng.lognormal(0.0, 0.3, metal.modes)
        octaves_db = np.interp(
            np.log(frequencies),
            np.log([*OCTAVES_HZ, HIGHEST_HZ]),
            [*metal.octaves_db, metal.octaves_db[-1] + HIGHEST_DB],
        )
        levels = 10.0 ** (octaves_db / 20.0) / np.sqrt(frequencies / 1_000.0) * rng.lognormal(0.0, 0.5, metal.modes)
        levels *= rng.choice([-1.0, 1.0], metal.modes)
        if metal.bell:
            strong = rng.choice(np.flatnonzero((frequencies > 1_500.0) & (frequencies < 6_000.0)), 7, replace=False)
            levels[strong] *= 1.0 + metal.bell
        return cls(metal, attack_seconds, frequencies, decays, levels, closes_seconds, clatter)

    def strike(self, velocity: float, sample_rate: int, rng: np.random.Generator) -> FloatArray:
        """See :class:`datagen.kits.synth_kit.Voice`."""
        metal, count = self.metal, len(self.levels)
        place = rng.lognormal(0.0, PLACE_SPREAD, count) * np.where(rng.random(count) < FLIPPED_SHARE, -1.0, 1.0)
        phases = rng.normal(0.0, 0.6, count)
        seconds = min(metal.seconds * (0.7 + 0.3 * velocity), self.closes_seconds + 0.1)
        time = np.arange(seconds_to_samples(seconds, sample_rate)) / sample_rate
        above = np.maximum(np.log2(self.frequencies_hz / 1_500.0), 0.0)
        amplitudes = self.levels * place * 10.0 ** (-(1.0 - velocity) * 3.5 * above / 20.0)
        phasors = amplitudes * np.array([np.cos(phases), np.sin(phases)])
        rises = metal.rise_seconds * (0.5 + velocity) * (self.frequencies_hz / 8_000.0) ** 0.5
        ring = ringing(phasors, self.decays_seconds, self.frequencies_hz, time)
        rising = time[: seconds_to_samples(10.0 * float(rises.max()), sample_rate) + 1]
        missing_decays = 1.0 / (1.0 / self.decays_seconds + 1.0 / rises)
        # A tenth of each mode sounds at once, the rest builds up.
        ring[: len(rising)] -= 0.9 * ringing(phasors, missing_decays, self.frequencies_hz, rising)
        closing = np.minimum(1.0, np.exp(-np.maximum(time - self.closes_seconds, 0.0) / 0.015))
        if self.clatter > 0.0:
            ring *= 1.0 + self.clatter * _unsteady(time, rng)
        mixture = ring * closing + self._stick(velocity, ring, time, sample_rate, rng)
        if self.closes_seconds < time[-1]:
            mixture += self._chick(ring, time, sample_rate, rng)
        attack = self.attack_seconds * (1.0 - 0.6 * velocity)
        return finish(mixture, velocity, time, max(attack, 0.0003))

    def _chick(self, ring: FloatArray, time: FloatArray, sample_rate: int, rng: np.random.Generator) -> FloatArray:
        """The hats meeting: a soft, slow noise, some 6 to 24 dB under what rings then."""
        since = time - self.closes_seconds
        rise, fall = float(rng.uniform(0.004, 0.02)), float(rng.uniform(0.015, 0.04))
        envelope = np.where(since > 0.0, (1.0 - np.exp(-since / rise)) * np.exp(-np.maximum(since, 0.0) / fall), 0.0)
        closes = int(np.searchsorted(since, 0.0))
        level = np.sqrt(np.mean(ring[max(0, closes - sample_rate // 50) : closes + 1] ** 2))
        noise = band_noise(float(rng.uniform(400.0, 3_000.0)), 9_000.0, len(time), sample_rate, rng)
        return np.asarray(level * 10.0 ** (-float(rng.uniform(6.0, 24.0)) / 20.0) * envelope * noise)

    def _stick(
        self, velocity: float, ring: FloatArray, time: FloatArray, sample_rate: int, rng: np.random.Generator
    ) -> FloatArray:
        """Noise of the blow itself: a few milliseconds, brighter the harder, against the early ringing."""
        samples = min(len(time), seconds_to_samples(0.06, sample_rate))
        early = time[:samples]
        bright = band_noise(4_000.0, 9_000.0 + 8_000.0 * velocity, samples, sample_rate, rng)
        body = band_noise(500.0, 3_500.0, samples, sample_rate, rng)
        burst = bright * np.exp(-early / (0.0035 + self.attack_seconds)) + 0.2 * body * np.exp(-early / 0.006)
        level = np.sqrt(np.mean(ring[: seconds_to_samples(0.05, sample_rate)] ** 2))
        stick = np.zeros_like(time)
        stick[:samples] = level * 10.0 ** ((self.metal.stick_db + 6.0 * velocity - 3.0) / 20.0) * burst
        return stick
