"""Draw the stages of a recording chain from their ranges, group by group."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from beatnet_align.roles import Role
from beatnet_align.take import Channel
from beatnet_align.units import FloatArray, IntArray
from datagen.recorded.codecs import MP3_RATES_HZ, LossyCodec, RateRoundTrip
from datagen.recorded.distractors import PedalNoise, Ticks
from datagen.recorded.dynamics import Compressor, Converter, Overdrive
from datagen.recorded.leakage import INSTRUMENTS, CymbalWash, OtherInstrument
from datagen.recorded.mastering import draw_mixdown
from datagen.recorded.preamps import Band, Bed, Equaliser, Level, LevelRide
from datagen.recorded.recording_ranges import RecordingRanges
from datagen.recorded.stage import Stage
from datagen.recorded.sympathy import SnareBuzz, TomRing

_WEAKEST_PEAK = 0.1  # nobody turns a microphone that hears nothing up further
_UNREACHED_DB = 0.0  # a threshold that switches a compressor off
_BUZZ_AT_DB = {Role.SNARE: 0.0, Role.OVERHEAD: -10.0, Role.ROOM: -14.0}
_RING_AT_DB = {Role.TOM: 0.0, Role.SNARE: -12.0, Role.OVERHEAD: -12.0, Role.ROOM: -12.0}
_WASH_AT_DB = {Role.OVERHEAD: 0.0, Role.ROOM: -3.0, Role.HIHAT: -2.0, Role.RIDE: -2.0, Role.KICK: -22.0}


@dataclass(frozen=True, eq=False)
class Draws:
    """The generator of one chain's parameters.

    Attributes:
        rng: Draws.
        ranges: What may be drawn.
        channels: That go into the chain.
        sample_rate: In hertz.
        samples: Length of the recording.
    """

    rng: np.random.Generator
    ranges: RecordingRanges
    channels: tuple[Channel, ...]
    sample_rate: int
    samples: int

    def polarity(self, peaks: FloatArray) -> list[Stage]:
        """Bring channels to a peak of full scale, so that what follows is drawn below their peaks; and polarity."""
        loudest = np.zeros(len(self.channels))
        np.maximum.at(loudest, self._groups, np.maximum(peaks, _WEAKEST_PEAK))
        return [Level(_plain(-20.0 * np.log10(loudest[self._groups])), self._chance(self.ranges.invert_probability))]

    def recorded_level(self) -> list[Stage]:
        """What the recordist left below full scale."""
        return [Level(_plain(self._each(self.ranges.peak_db)), (False,) * len(self.channels))]

    def sympathy(self) -> list[Stage]:
        """Snare buzz and ringing toms."""
        stages: list[Stage] = []
        if self._happens(self.ranges.buzz_probability):
            level_db = self._one(self.ranges.buzz_db) + self._at(_BUZZ_AT_DB, -26.0)
            rise, release = self._one(self.ranges.buzz_rise_seconds), self._one((90.0, 350.0))
            threshold_db, slap = self._one((-60.0, -34.0)), self._one((0.0, 1.0))
            stages.append(SnareBuzz(_plain(level_db), rise, release, threshold_db, slap, self._seed()))
        if self._happens(self.ranges.tom_ring_probability):
            pitches_hz = self.rng.uniform(60.0, 230.0, int(self.rng.integers(1, 4)))
            level_db = self._one(self.ranges.tom_ring_db) + self._at(_RING_AT_DB, -24.0)
            stages.append(TomRing(_plain(pitches_hz), self._one((0.12, 0.7)), _plain(level_db)))
        return stages

    def leakage(self, beat_samples: IntArray) -> list[Stage]:
        """Other instruments and cymbal wash."""
        stages: list[Stage] = []
        for instrument in INSTRUMENTS:
            if not self._happens(self.ranges.leakage_probability):
                continue
            if len(beat_samples) and self._happens(self.ranges.leakage_on_beat_probability):
                lateness = self.rng.normal(0.0, 0.012 * self.sample_rate, len(beat_samples))
                notes = np.sort(beat_samples + np.rint(lateness).astype(np.int64))
            else:
                notes = self._events(self.ranges.notes_per_second)
            level_db = self._one(self.ranges.leakage_db) - np.abs(self.rng.normal(0.0, 6.0, len(self.channels)))
            whole = tuple(int(note) for note in notes)
            stages.append(OtherInstrument(instrument, whole, _plain(level_db), self._seed()))
        if self._happens(self.ranges.wash_probability):
            wash_db = self._one(self.ranges.wash_db) + self._at(_WASH_AT_DB, -14.0)
            swells = self._one((0.8, 4.0)), self._one((3.0, 18.0))
            stages.append(CymbalWash(_plain(wash_db), self._one((300.0, 5_000.0)), *swells, self._seed()))
        return stages

    def distractors(self) -> list[Stage]:
        """Ticks, bumps and pedal noise."""
        stages: list[Stage] = []
        kinds = (
            (
                self.ranges.ticks_probability,
                self.ranges.ticks_per_second,
                self.ranges.tick_db,
                (2e3, 8e3),
                (3e-4, 3e-3),
            ),
            (self.ranges.bump_probability, (0.02, 0.3), self.ranges.bump_db, (40.0, 120.0), (0.015, 0.05)),
        )
        for probability, per_second, range_db, pitch_hz, decay_seconds in kinds:
            if self._happens(probability):
                places = tuple(int(place) for place in self._events(per_second))
                peaks_db = _plain(self.rng.uniform(*range_db, len(places)))
                sound = self._one(pitch_hz), self._one(decay_seconds)
                stages.append(Ticks(places, peaks_db, *sound, self._one((6.0, 30.0)), self._seed()))
        if self._happens(self.ranges.pedal_probability):
            peak_db = self._one(self.ranges.pedal_db) + self._at({Role.KICK: 0.0}, -12.0)
            share = self._one((0.2, 1.0))
            stages.append(PedalNoise(share, self.ranges.pedal_lead_seconds, _plain(peak_db), self._seed()))
        return stages

    def channel_strips(self) -> list[Stage]:
        """Equaliser, overdrive and compressor of each channel."""
        ranges = self.ranges
        curves = [self._bands() if self._happens(ranges.equaliser_probability) else () for _ in self.channels]
        bands = tuple(curves[group] for group in self._groups)
        driven, squeezed = self._chance(ranges.overdrive_probability), self._chance(ranges.compression_probability)
        stages: list[Stage] = [Equaliser(bands)] if any(bands) else []
        if any(driven):
            drive_db = np.where(driven, self._each(ranges.overdrive_db), 0.0)
            stages.append(Overdrive(_plain(drive_db), self._happens(0.5)))
        if any(squeezed):
            stages.append(self._compressor(squeezed, linked=False))
        return stages

    def noise(self) -> list[Stage]:
        """Noise floor, hum and offset: always something, so that no take begins with digital silence."""
        ranges, count = self.ranges, len(self.channels)
        base_db = self._one(ranges.noise_floor_db)
        noise_db = np.clip(base_db + self.rng.normal(0.0, 4.0, count), *ranges.noise_floor_db)
        hums = self._happens(ranges.hum_probability)
        hum_db = np.clip(self._one(ranges.hum_db) - self.rng.exponential(8.0, count), -130.0, None)
        harmonics_db = -self.rng.exponential(12.0, 12) - 1.5 * np.arange(12)
        offset = 10.0 ** (self._each(ranges.dc_db) / 20.0) * self.rng.choice([-1.0, 1.0], count)
        offset = np.where(self._chance(ranges.dc_probability), offset, 0.0)
        tilts = _plain(self._each(ranges.noise_tilt_db_per_octave))
        mains_hz = float(self.rng.choice([50.0, 60.0]))
        hum_plain = _plain(hum_db if hums else np.full(count, -200.0))
        return [Bed(_plain(noise_db), tilts, hum_plain, mains_hz, _plain(harmonics_db), _plain(offset), self._seed())]

    def ride(self) -> list[Stage]:
        """Slow changes of level."""
        if not self._happens(self.ranges.ride_probability):
            return []
        spacing = self._one((2.0, 8.0))
        points = self.rng.uniform(*self.ranges.ride_db, 2 + int(self.samples / self.sample_rate / spacing))
        return [LevelRide(spacing, _plain(points))]

    def mixdown(self) -> tuple[list[Stage], tuple[Channel, ...]]:
        """A mono or stereo mix with bus compression, equaliser and limiter, or none of it; and the channels then."""
        luck = float(self.rng.uniform())
        if luck >= self.ranges.mono_probability + self.ranges.stereo_probability:
            return [], self.channels
        names = ("mix",) if luck < self.ranges.mono_probability else ("mix.L", "mix.R")
        roles, old_names = [c.role for c in self.channels], [c.name for c in self.channels]
        stages: list[Stage] = [draw_mixdown(self.rng, roles, old_names, len(names))]
        both = (True,) * len(names)
        if self._happens(0.6):
            stages.append(self._compressor(both, linked=True))
        if self._happens(0.5):
            stages.append(Equaliser((self._bands(),) * len(names)))
        if self._happens(0.6):
            drive_db = _plain(np.full(len(names), self._one((0.0, 9.0))))
            ceiling_db = _plain(np.full(len(names), -1.0) - drive_db)
            stages.append(Compressor(ceiling_db, 50.0, 0.0, self._one((60.0, 400.0)), drive_db, linked=True))
        return stages, tuple(Channel(name, Role.OTHER) for name in names)

    def delivery(self, mixed: bool, outputs: int) -> list[Stage]:
        """Sample rate round trip and codec, and the end of all chains."""
        stages: list[Stage] = []
        if self._happens(self.ranges.resample_probability):
            rates_hz = [rate for rate in (22_050, 32_000, 44_100, 48_000) if rate != self.sample_rate]
            stages.append(RateRoundTrip(int(self.rng.choice(rates_hz))))
        if self._happens(self.ranges.codec_probability if mixed else self.ranges.stem_codec_probability):
            codecs = ["mp3", "ogg"] if self.sample_rate in MP3_RATES_HZ else ["ogg"]
            stages += [Converter(), LossyCodec(str(self.rng.choice(codecs)), self._one(self.ranges.codec_compression))]
        return [*stages, Converter()]

    def _compressor(self, rows: tuple[bool, ...], *, linked: bool) -> Compressor:
        ranges, count = self.ranges, len(rows)
        threshold_db = np.full(count, self._one(ranges.compression_threshold_db))
        if not linked:
            threshold_db = self._each(ranges.compression_threshold_db)
        ratio = self._one(ranges.compression_ratio)
        makeup_db = -0.5 * threshold_db * (1.0 - 1.0 / ratio)
        attack = float(np.exp(self.rng.uniform(*np.log(np.maximum(ranges.compression_attack_seconds, 1e-5)))))
        release = self._one(ranges.release_db_per_second)
        thresholds = _plain(np.where(rows, threshold_db, _UNREACHED_DB))
        return Compressor(thresholds, ratio, attack, release, _plain(np.where(rows, makeup_db, 0.0)), linked)

    def _bands(self) -> tuple[Band, ...]:
        range_db = self.ranges.equaliser_db
        bands = [
            Band("low_cut", self._one((20.0, 90.0))),
            Band("low_shelf", self._one((70.0, 300.0)), self._one(range_db)),
            Band("high_shelf", self._one((2_500.0, 10_000.0)), self._one(range_db)),
            Band("peak", self._one((150.0, 900.0)), self._one(range_db), self._one((0.5, 2.5))),
            Band("peak", self._one((900.0, 7_000.0)), self._one(range_db), self._one((0.5, 2.5))),
        ]
        return tuple(band for band in bands if self._happens(0.4))

    def _events(self, per_second: tuple[float, float]) -> IntArray:
        count = self.rng.poisson(self._one(per_second) * self.samples / self.sample_rate)
        return np.sort(self.rng.integers(0, self.samples, count))

    def _at(self, levels_db: dict[Role, float], elsewhere_db: float) -> FloatArray:
        """Level in each channel by its role, loosely: [channels]."""
        typical = np.array([levels_db.get(channel.role, elsewhere_db) for channel in self.channels])
        return typical + self.rng.normal(0.0, 2.5, len(self.channels))

    def _one(self, limits: tuple[float, float]) -> float:
        return float(self.rng.uniform(*limits))

    def _each(self, limits: tuple[float, float]) -> FloatArray:
        """One draw a channel, the same for both halves of a stereo pair: [channels]."""
        return self.rng.uniform(*limits, len(self.channels))[self._groups]

    def _chance(self, probability: float) -> tuple[bool, ...]:
        """Whether something happens to each channel, alike for both halves of a stereo pair."""
        luck = self.rng.uniform(size=len(self.channels))[self._groups]
        return tuple(bool(happens) for happens in luck < probability)

    @cached_property
    def _groups(self) -> IntArray:
        """Index of the first channel that shares its settings with each channel: [channels]."""
        stems = [re.sub(r"[ ._-][LR]$", "", channel.name) for channel in self.channels]
        return np.array([stems.index(stem) for stem in stems], np.int64)

    def _happens(self, probability: float) -> bool:
        return bool(self.rng.uniform() < probability)

    def _seed(self) -> int:
        return int(self.rng.integers(2**31))


def _plain(values: FloatArray | tuple[float, ...]) -> tuple[float, ...]:
    """Python numbers, for the manifest."""
    return tuple(float(value) for value in values)
