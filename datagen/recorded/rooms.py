"""Draw the room of a recording: early reflections of a box, and a diffuse field that builds up and dies away.

Reflections come from image sources of the first two orders, so that they agree between microphones. What follows is a
statistical field: noise in five bands, each with its own decay, swelling from the direct sound's arrival until 5 to
18 ms after it. A snare, which itself lasts some 10 ms, then builds up until 18 to 30 ms in a room microphone, as
measured (docs/evidence.md). Image sources of higher order would cost a
hundred times as much and sound less diffuse, since real walls scatter.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import log

import numpy as np
from scipy.fft import irfft, rfft, rfftfreq
from scipy.signal import lfilter

from beatnet_align.errors import InputError
from beatnet_align.units import Float32Array, FloatArray, IntArray, seconds_to_samples

SPEED_OF_SOUND_M_PER_SECOND = 343.0  # dry air at 20 °C
BAND_EDGES_HZ = (200.0, 800.0, 2_500.0, 7_000.0)
BANDS = len(BAND_EDGES_HZ) + 1
RT60_LIMITS_SECONDS = (0.1, 1.5)
"""From a booth full of blankets to a small hall."""

_BAND_DECAY = np.array([1.25, 1.05, 1.0, 0.75, 0.5])  # air and soft walls swallow treble first, bass stays
_POOL_SAMPLES = 1 << 18
_POOL_SEED = 20_240  # the pool is one fixed stretch of noise; a room's draw lies in where it reads from it
_EARLY_SECONDS = 0.06
_WALL_CUTOFF_HZ = 5_000.0  # one bounce dulls the sound about as much as a first-order low-pass here
_IMAGES = np.array([n for n in product(range(-2, 3), repeat=3) if 0 < sum(map(abs, n)) <= 2])
_ORDERS = np.abs(_IMAGES).sum(axis=1)


@dataclass(frozen=True)
class RoomRanges:
    """What may be drawn for a room.

    Attributes:
        rt60_seconds: Time in which the middle bands fall by 60 dB, drawn evenly on a logarithmic scale.
        build_up_seconds: When the diffuse field of an impulse is loudest, after the direct sound's arrival.
        width_m, depth_m, height_m: The box.
        liveliness_db: Diffuse field against what statistical acoustics predicts; negative for gobos and carpets.
    """

    rt60_seconds: tuple[float, float] = (0.14, 0.9)
    build_up_seconds: tuple[float, float] = (0.005, 0.018)
    width_m: tuple[float, float] = (3.6, 9.0)
    depth_m: tuple[float, float] = (5.0, 12.0)
    height_m: tuple[float, float] = (2.4, 5.0)
    liveliness_db: tuple[float, float] = (-15.0, -2.0)

    def __post_init__(self) -> None:
        limits = {
            "rt60_seconds": RT60_LIMITS_SECONDS,
            "build_up_seconds": (0.001, 0.05),
            "width_m": (2.0, 50.0),
            "depth_m": (4.5, 80.0),
            "height_m": (2.2, 20.0),
            "liveliness_db": (-60.0, 12.0),
        }
        for name, (lowest, highest) in limits.items():
            low, high = getattr(self, name)
            if not lowest <= low <= high <= highest:
                raise InputError(f"room {name} must rise within {lowest:g} to {highest:g}, found {low:g} to {high:g}")


DEFAULT_ROOM_RANGES = RoomRanges()


@dataclass(frozen=True, eq=False)
class Room:
    """A drawn room.

    Attributes:
        sample_rate: In hertz.
        size_m: Width, depth and height.
        kit_m: Where the kit's origin stands on the floor: across and from the back wall.
        rt60_seconds: [bands].
        build_up_seconds: When the diffuse field is loudest, after the direct sound.
        reflection: Amplitude that a wall gives back, 0 to 1.
        diffuse_db: Energy of the whole diffuse field, over that of the direct sound at 1 m.
        band_db: [bands], colour of the diffuse field.
        offsets: [pieces, microphones, bands], where each tail reads from the pool of noise.
    """

    sample_rate: int
    size_m: tuple[float, float, float]
    kit_m: tuple[float, float]
    rt60_seconds: FloatArray
    build_up_seconds: float
    reflection: float
    diffuse_db: float
    band_db: FloatArray
    offsets: IntArray

    @property
    def tail_samples(self) -> int:
        """Samples until the slowest band of the diffuse field has fallen by 60 dB."""
        return seconds_to_samples(float(self.rt60_seconds.max()), self.sample_rate)

    def tail(self, piece: int, samples: int) -> Float32Array:
        """Diffuse field behind the direct sound of one piece.

        Args:
            piece: Index of the piece's place in the draw.
            samples: Wanted length; the last tenth fades out.

        Returns:
            [microphones, samples], unit energy each; sample 0 is the direct sound's arrival.
        """
        pool = _noise_pool(self.sample_rate)
        time = np.arange(samples) / self.sample_rate
        decay_rates = 3.0 * np.log(10.0) / self.rt60_seconds
        swell_seconds = _swell_seconds(self.build_up_seconds, float(decay_rates[2]))
        envelopes = np.exp(-np.outer(decay_rates, time)) * (-np.expm1(-time / swell_seconds)) ** 2
        envelopes *= np.minimum(1.0, (samples - np.arange(samples)) / (0.1 * samples))
        envelopes *= 10.0 ** (self.band_db[:, None] / 20.0)
        shapes = envelopes.astype(np.float32)
        tails = np.zeros((self.offsets.shape[1], samples), np.float32)
        for microphone, offsets in enumerate(self.offsets[piece]):
            for band, offset in enumerate(offsets):
                tails[microphone] += shapes[band] * pool[band, offset : offset + samples]
        tails /= np.sqrt(np.einsum("ms,ms->m", tails, tails))[:, None]
        return tails

    def early(self, source_m: FloatArray, receivers_m: FloatArray) -> Float32Array:
        """First and second reflections.

        Args:
            source_m: [3], position of the piece: across, forward and up from the kit's origin.
            receivers_m: [microphones, 3], likewise.

        Returns:
            [microphones, samples], amplitude over that of the direct sound at 1 m; sample 0 is the stroke itself.
        """
        size = np.array(self.size_m)
        origin = np.array([*self.kit_m, 0.0])
        source = np.clip(source_m + origin, 0.05, size - 0.05)
        receivers = np.clip(receivers_m + origin, 0.05, size - 0.05)
        images = np.where(_IMAGES % 2 == 0, source + _IMAGES * size, (_IMAGES + 1) * size - source)
        distances_m = np.linalg.norm(receivers[:, None] - images[None], axis=2)
        places = np.rint(distances_m / SPEED_OF_SOUND_M_PER_SECOND * self.sample_rate).astype(np.int64)
        samples = seconds_to_samples(_EARLY_SECONDS, self.sample_rate)
        taps = np.zeros((2, len(receivers), samples), np.float32)
        rows = np.broadcast_to(np.arange(len(receivers))[:, None], places.shape)
        orders = np.broadcast_to(_ORDERS - 1, places.shape)
        heard = places < samples
        gains = self.reflection ** (orders + 1) / np.maximum(distances_m, 0.3)
        np.add.at(taps, (orders[heard], rows[heard], places[heard]), gains[heard])
        pole = np.float32(np.exp(-2.0 * np.pi * _WALL_CUTOFF_HZ / self.sample_rate))
        once = lfilter(
            [1 - pole], [np.float32(1), -pole], taps[0] + lfilter([1 - pole], [np.float32(1), -pole], taps[1])
        )
        return np.asarray(once, np.float32)


def draw_room(
    rng: np.random.Generator, sample_rate: int, microphones: int, pieces: int, ranges: RoomRanges = DEFAULT_ROOM_RANGES
) -> Room:
    """Draw a room for a number of microphones and of places that are struck.

    Walls and decay agree by Eyring's formula, the level of the diffuse field by the critical distance
    0.057 √(volume / RT60) (Kuttruff, "Room Acoustics", chapter 5).

    Args:
        rng: Draws.
        sample_rate: In hertz.
        microphones: How many rows each tail has.
        pieces: How many different tails there are.
        ranges: What may be drawn.
    """
    width_m, depth_m, height_m = (float(rng.uniform(*r)) for r in (ranges.width_m, ranges.depth_m, ranges.height_m))
    rt60_seconds = float(np.exp(rng.uniform(*np.log(ranges.rt60_seconds))))
    volume_m3 = width_m * depth_m * height_m
    surface_m2 = 2.0 * (width_m * depth_m + width_m * height_m + depth_m * height_m)
    reflection = float(np.exp(-0.5 * 0.161 * volume_m3 / (surface_m2 * rt60_seconds)))
    critical_m = 0.057 * np.sqrt(volume_m3 / rt60_seconds)
    bands = np.clip(rt60_seconds * _BAND_DECAY * rng.lognormal(0.0, 0.12, BANDS), 0.08, RT60_LIMITS_SECONDS[1])
    return Room(
        sample_rate,
        (width_m, depth_m, height_m),
        (width_m * float(rng.uniform(0.4, 0.6)), float(rng.uniform(1.0, 1.5))),
        bands,
        float(rng.uniform(*ranges.build_up_seconds)),
        reflection,
        float(-20.0 * np.log10(critical_m) + rng.uniform(*ranges.liveliness_db)),
        np.array([0.0, 0.0, -2.0, -6.0, -12.0]) + rng.normal(0.0, 1.5, BANDS),
        rng.integers(0, _POOL_SAMPLES, (pieces, microphones, BANDS)),
    )


def _swell_seconds(build_up_seconds: float, decay_rate: float) -> float:
    """Time constant t of the swell (1 − exp(−time/t))² whose product with exp(−rate·time) peaks at the build-up time.

    The peak lies at t·log(1 + 2/(rate·t)), which grows with t but never beyond 2/rate: fast decays peak earlier.
    """
    wanted = min(build_up_seconds, 1.6 / decay_rate)
    low, high = 1e-5, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if middle * log(1.0 + 2.0 / (decay_rate * middle)) < wanted else (low, middle)
    return high


@lru_cache(maxsize=4)
def _noise_pool(sample_rate: int) -> Float32Array:
    """Gaussian noise in bands that add up to white, [bands, pool + longest tail]; the pool repeats seamlessly."""
    spectrum = rfft(np.random.default_rng(_POOL_SEED).standard_normal(_POOL_SAMPLES, np.float32))
    octaves = np.log2(np.maximum(rfftfreq(_POOL_SAMPLES, 1.0 / sample_rate), 1.0))
    edges = [np.clip(octaves - np.log2(edge), -0.5, 0.5) + 0.5 for edge in BAND_EDGES_HZ]  # an octave wide each
    above = [np.ones(len(octaves)), *(np.sin(0.5 * np.pi * edge) ** 2 for edge in edges), np.zeros(len(octaves))]
    masks = np.sqrt(np.array(above[:-1]) - np.array(above[1:])).astype(np.float32)
    bands = irfft(spectrum * masks, _POOL_SAMPLES)
    longest = seconds_to_samples(RT60_LIMITS_SECONDS[1], sample_rate) + 1
    return np.asarray(np.concatenate([bands, bands[:, :longest]], axis=1), np.float32)
