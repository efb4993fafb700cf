"""What a recording chain may be drawn from: how likely each stage is, and how strong."""

from dataclasses import dataclass, fields
from math import isfinite

from beatnet_align.errors import InputError

_LIMITS = {"_db": (-140.0, 40.0), "_seconds": (0.0, 10.0), "_hz": (10.0, 96_000.0)}
_LIMIT_OF = {
    "noise_floor_db": (-120.0, -20.0),
    "release_db_per_second": (1.0, 10_000.0),
    "compression_ratio": (1.0, 100.0),
    "compression_attack_seconds": (0.0, 0.2),
    "codec_compression": (0.0, 1.0),
    "ticks_per_second": (0.0, 50.0),
    "notes_per_second": (0.01, 20.0),
    "noise_tilt_db_per_octave": (-9.0, 6.0),
    "pedal_lead_seconds": (0.01, 1.0),
    "dc_db": (-140.0, -12.0),
    "buzz_rise_seconds": (1e-4, 0.1),
}


@dataclass(frozen=True)
class RecordingRanges:
    """Ranges (low, high), drawn evenly, and probabilities, of a whole recording unless said otherwise.

    Levels are peaks at full scale unless said otherwise; each channel draws its own.

    Attributes:
        peak_db: What the recordist left as each channel's peak.
        invert_probability: Of a channel.
        noise_floor_db: RMS; there is always one.
        noise_tilt_db_per_octave: Colour of the noise.
        hum_probability, hum_db: Hum of the mains, RMS.
        dc_probability, dc_db: Constant offset, of a channel.
        equaliser_probability, equaliser_db: Shelves and peaks, of a channel.
        compression_probability: Of a channel.
        compression_threshold_db, compression_ratio, compression_attack_seconds, release_db_per_second: Of compressors.
        overdrive_probability, overdrive_db: Of a channel; gain beyond full scale.
        ride_probability, ride_db: Slow changes of level.
        buzz_probability, buzz_db, buzz_rise_seconds: Snare wires against what excites them, and how slowly they begin.
        tom_ring_probability, tom_ring_db: Sympathetic ringing of toms.
        wash_probability, wash_db: Cymbals ridden without end, RMS below the channel's peak.
        leakage_probability, leakage_db: Of each of bass, guitar and voice, below the channel's peak.
        leakage_on_beat_probability: That its notes fall on the beats given, where any are.
        notes_per_second: Density of notes that do not.
        ticks_probability, ticks_per_second, tick_db: Unlabelled ticks, below the channel's peak.
        bump_probability, bump_db: Thumps of stands, below the channel's peak.
        pedal_probability, pedal_lead_seconds, pedal_db: Pedal noise before kicks.
        mono_probability, stereo_probability: Of mix-downs, with bus compression and mastering.
        resample_probability: Of a pass through another sample rate.
        codec_probability, codec_compression: Of MP3 or Ogg, on mix-downs.
        stem_codec_probability: The same on stems, where it is rare and slow.
    """

    peak_db: tuple[float, float] = (-18.0, -1.0)
    invert_probability: float = 0.08
    noise_floor_db: tuple[float, float] = (-90.0, -48.0)
    noise_tilt_db_per_octave: tuple[float, float] = (-4.5, 0.5)
    hum_probability: float = 0.35
    hum_db: tuple[float, float] = (-90.0, -50.0)
    dc_probability: float = 0.15
    dc_db: tuple[float, float] = (-80.0, -40.0)
    equaliser_probability: float = 0.5
    equaliser_db: tuple[float, float] = (-9.0, 9.0)
    compression_probability: float = 0.3
    compression_threshold_db: tuple[float, float] = (-24.0, -6.0)
    compression_ratio: tuple[float, float] = (1.5, 8.0)
    compression_attack_seconds: tuple[float, float] = (0.0005, 0.03)
    release_db_per_second: tuple[float, float] = (40.0, 400.0)
    overdrive_probability: float = 0.08
    overdrive_db: tuple[float, float] = (1.0, 9.0)
    ride_probability: float = 0.2
    ride_db: tuple[float, float] = (-4.0, 2.0)
    buzz_probability: float = 0.5
    buzz_db: tuple[float, float] = (-44.0, -18.0)
    buzz_rise_seconds: tuple[float, float] = (0.002, 0.009)
    tom_ring_probability: float = 0.4
    tom_ring_db: tuple[float, float] = (-30.0, -10.0)
    wash_probability: float = 0.2
    wash_db: tuple[float, float] = (-46.0, -22.0)
    leakage_probability: float = 0.15
    leakage_db: tuple[float, float] = (-40.0, -12.0)
    leakage_on_beat_probability: float = 0.6
    notes_per_second: tuple[float, float] = (0.5, 4.0)
    ticks_probability: float = 0.4
    ticks_per_second: tuple[float, float] = (0.1, 2.0)
    tick_db: tuple[float, float] = (-56.0, -32.0)
    bump_probability: float = 0.2
    bump_db: tuple[float, float] = (-50.0, -24.0)
    pedal_probability: float = 0.4
    pedal_lead_seconds: tuple[float, float] = (0.04, 0.16)
    pedal_db: tuple[float, float] = (-60.0, -32.0)
    mono_probability: float = 0.08
    stereo_probability: float = 0.08
    resample_probability: float = 0.04
    codec_probability: float = 0.3
    codec_compression: tuple[float, float] = (0.1, 0.9)
    stem_codec_probability: float = 0.01

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_probability"):
                if not 0.0 <= value <= 1.0:
                    raise InputError(f"{field.name} must lie between 0 and 1, found {value}")
                continue
            by_unit = (limit for unit, limit in _LIMITS.items() if field.name.endswith(unit))
            lowest, highest = _LIMIT_OF.get(field.name) or next(by_unit)
            if len(value) != 2 or not all(map(isfinite, value)) or not lowest <= value[0] <= value[1] <= highest:
                raise InputError(f"{field.name} must rise within {lowest:g} to {highest:g}, found {tuple(value)}")
        if self.mono_probability + self.stereo_probability > 1.0:
            raise InputError("mono_probability and stereo_probability must not exceed 1 together")


CLEAN = RecordingRanges(
    **{field.name: 0.0 for field in fields(RecordingRanges) if field.name.endswith("_probability")},  # type: ignore[arg-type]
    noise_floor_db=(-90.0, -80.0),
)
"""Nothing but levels and a quiet noise floor."""
