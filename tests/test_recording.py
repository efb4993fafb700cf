"""Laws of recording chains: same seed same sound, exact timing, noise tied to absolute time, plain descriptions."""

import json
from dataclasses import fields

import numpy as np
import pytest

from beatnet_align.errors import InputError
from beatnet_align.roles import Role, guess_role
from beatnet_align.take import Channel
from beatnet_align.units import Float32Array
from datagen.recorded.channel_names import draw_channels
from datagen.recorded.codecs import LossyCodec, RateRoundTrip
from datagen.recorded.distractors import PedalNoise, Ticks
from datagen.recorded.dynamics import Compressor, Converter, Overdrive
from datagen.recorded.layouts import PLACEMENTS
from datagen.recorded.leakage import INSTRUMENTS, OtherInstrument
from datagen.recorded.preamps import Band, Bed, Equaliser, Level, LevelRide
from datagen.recorded.recording import CLEAN, Recording, RecordingRanges, draw_recording
from datagen.recorded.stage import CONTROL_SAMPLES, Moment, Stage, follow, looped
from datagen.recorded.sympathy import SnareBuzz, TomRing

RATE = 44_100
SAMPLES = 2 * RATE
CHANNELS = (
    Channel("kick_in", Role.KICK),
    Channel("snare_top", Role.SNARE),
    Channel("tom_high", Role.TOM),
    Channel("OH.L", Role.OVERHEAD),
    Channel("OH.R", Role.OVERHEAD),
)
EVERYTHING = RecordingRanges(
    **{f.name: 1.0 for f in fields(RecordingRanges) if f.name.endswith("_probability") and "codec" not in f.name}  # type: ignore[arg-type]
    | {"mono_probability": 0.0, "stereo_probability": 0.0, "resample_probability": 0.0}
)


def take(at: tuple[int, ...] = (20_000, 50_000), channels: int = len(CHANNELS)) -> Float32Array:
    audio = np.zeros((channels, SAMPLES), np.float32)
    rng = np.random.default_rng(1)
    for place in at:
        decay = np.exp(-np.arange(6_000) / 900.0)
        audio[:, place : place + 6_000] += (0.4 * rng.standard_normal((channels, 6_000)) * decay).astype(np.float32)
    return audio


def draw(seed: int, ranges: RecordingRanges) -> Recording:
    return draw_recording(
        np.random.default_rng(seed), CHANNELS, RATE, SAMPLES, ranges, beat_samples=np.arange(4) * 9_000
    )


def same_everywhere(value: float) -> tuple[float, ...]:
    return (value,) * len(CHANNELS)


def test_the_same_seed_records_the_same_and_leaves_its_input_alone() -> None:
    audio = take()
    before = audio.copy()
    first, second = draw(3, EVERYTHING).apply(audio), draw(3, EVERYTHING).apply(audio)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(audio, before)
    assert np.abs(draw(4, EVERYTHING).apply(audio) - first).max() > 1e-3


@pytest.mark.parametrize("seed", range(12))
def test_length_is_kept_and_everything_is_finite_and_within_full_scale(seed: int) -> None:
    ranges = RecordingRanges(
        stem_codec_probability=0.0, codec_probability=0.0, mono_probability=0.3, stereo_probability=0.3
    )
    chain = draw(seed, ranges)
    recorded = chain.apply(4.0 * take(), kick_samples=np.array([20_000]))
    assert recorded.shape == (len(chain.outputs), SAMPLES)
    assert recorded.dtype == np.float32
    assert np.isfinite(recorded).all()
    assert np.abs(recorded).max() <= 1.0


def test_take_and_target_have_the_same_noise_and_leakage_at_the_same_time() -> None:
    chain = draw(5, EVERYTHING)
    linear = [s for s in chain.stages if not isinstance(s, Compressor | Overdrive | SnareBuzz | TomRing | Converter)]
    chain = Recording(RATE, chain.inputs, chain.outputs, tuple(linear))
    silence = chain.apply(take(at=()))
    for at in ((20_000,), (31_000,)):
        quiet = slice(0, 19_000)
        np.testing.assert_allclose(chain.apply(take(at))[:, quiet], silence[:, quiet], atol=1e-6)


def test_a_stretch_from_the_middle_has_the_noise_of_its_time() -> None:
    for name in ("Bed", "CymbalWash", "OtherInstrument", "Ticks", "PedalNoise", "LevelRide"):
        stages = [s for s in draw(6, EVERYTHING).stages if type(s).__name__ == name]
        assert stages, name
        start = 17 * CONTROL_SAMPLES
        for stage in stages:
            audio = np.full((1, len(CHANNELS), SAMPLES), 0.1, np.float32)
            kicks = np.array([30_000])
            whole = stage.apply(audio.copy(), Moment(RATE, 0, kicks))[..., start:]
            part = stage.apply(audio[..., start:].copy(), Moment(RATE, start, kicks))
            np.testing.assert_allclose(part, whole, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("level_db", [-90.0, -60.0, -45.0])
def test_silence_comes_out_as_the_noise_floor(level_db: float) -> None:
    ranges = RecordingRanges(
        **{f.name: getattr(CLEAN, f.name) for f in fields(CLEAN)} | {"noise_floor_db": (level_db, level_db)}
    )
    noise = draw(0, ranges).apply(np.zeros((len(CHANNELS), 1 << 18), np.float32))
    np.testing.assert_allclose(20.0 * np.log10(np.std(noise, axis=1)), level_db, atol=0.5)
    assert (np.abs(noise[:, :441]).max(axis=1) > 0.0).all()
    assert abs(float(np.mean(noise[0] * noise[1]))) < 0.05 * float(np.std(noise[0]) * np.std(noise[1]))


def test_hum_lies_on_the_mains_and_offset_is_exact() -> None:
    silent = same_everywhere(-200.0)
    bed = Bed(silent, same_everywhere(0.0), same_everywhere(-40.0), 50.0, (0.0, -6.0), same_everywhere(0.01), 1)
    hum = bed.apply(np.zeros((1, len(CHANNELS), 1 << 18), np.float32), Moment(RATE))[0, 0]
    assert np.mean(hum) == pytest.approx(0.01, rel=1e-4)
    assert 20.0 * np.log10(np.std(hum)) == pytest.approx(-40.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(hum - np.mean(hum)))
    assert np.argmax(spectrum) * RATE / (1 << 18) == pytest.approx(50.0, abs=0.1)


def test_level_and_polarity_are_exact() -> None:
    audio = take()[None]
    level = Level((0.0, -6.0205999, 0.0, 0.0, 6.0205999), (False, False, True, False, False))
    out = level.apply(audio.copy(), Moment(RATE))
    np.testing.assert_allclose(out[0], audio[0] * np.array([1.0, 0.5, -1.0, 1.0, 2.0])[:, None], rtol=1e-6)


def test_stereo_pairs_share_their_gain_and_polarity() -> None:
    for seed in range(20):
        levels = [s for s in draw(seed, RecordingRanges(invert_probability=0.5)).stages if isinstance(s, Level)]
        assert all(s.gain_db[3] == s.gain_db[4] and s.inverted[3] == s.inverted[4] for s in levels)


STEADY: tuple[Stage, ...] = (
    Equaliser(((Band("low_cut", 80.0), Band("low_shelf", 150.0, 6.0), Band("peak", 2_000.0, 6.0, 1.0)),) * 5),
    Equaliser(((Band("high_shelf", 5_000.0, -6.0), Band("high_cut", 15_000.0)),) * 5),
    Compressor(same_everywhere(-20.0), 8.0, 0.0005, 200.0, same_everywhere(9.0)),
    Compressor(same_everywhere(-6.0), 50.0, 0.0, 200.0, same_everywhere(0.0), linked=True),
    Overdrive(same_everywhere(6.0), soft=True),
    Overdrive(same_everywhere(6.0), soft=False),
    LevelRide(1.0, (0.0, -3.0, 2.0)),
    SnareBuzz(same_everywhere(-20.0), 0.004, 200.0, -50.0, 0.5, 1),
    TomRing((90.0, 140.0), 0.3, same_everywhere(-12.0)),
    RateRoundTrip(48_000),
    RateRoundTrip(32_000),
    Converter(),
)


@pytest.mark.parametrize("stage", STEADY, ids=lambda stage: type(stage).__name__)
def test_an_onset_stays_where_it_is(stage: Stage) -> None:
    audio = np.zeros((1, len(CHANNELS), 20_000), np.float32)
    time = np.arange(10_000) / RATE
    audio[..., 10_000:] = (0.7 * np.cos(2.0 * np.pi * 900.0 * time) * np.exp(-time / 0.02)).astype(np.float32)
    out = stage.apply(audio.copy(), Moment(RATE))[0]
    for row in out:
        first = int(np.argmax(np.abs(row) > 0.25 * np.abs(row).max()))
        assert abs(first - 10_000) <= 1
        assert np.abs(row[:9_960]).max() < 0.02


@pytest.mark.parametrize("codec", ["mp3", "ogg"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_codecs_have_no_delay(codec: str, channels: int, rate: int) -> None:
    audio = take(channels=channels)[None]
    out = LossyCodec(codec, 0.5).apply(audio.copy(), Moment(rate))
    assert out.shape == audio.shape
    for before, after in zip(audio[0], out[0], strict=True):
        spectrum = np.fft.rfft(after) * np.conj(np.fft.rfft(before))
        lag = int(np.argmax(np.fft.irfft(spectrum, 8 * SAMPLES)))  # in eighths of a sample
        assert min(lag, 8 * SAMPLES - lag) / 8 <= 1e-4 * rate
    assert 0.7 < np.corrcoef(out.ravel(), audio.ravel())[0, 1] < 0.999999


def test_an_impossible_codec_says_what_to_do() -> None:
    with pytest.raises(InputError, match="cannot encode mp3 at 96000 Hz"):
        LossyCodec("mp3", 0.5).apply(take()[None], Moment(96_000))


def test_a_compressor_follows_its_curve_and_leaves_quiet_sound_alone() -> None:
    audio = np.ones((1, 2, 4_096), np.float32)
    audio[0, 1] = 0.05
    out = Compressor((-12.0, -12.0), 4.0, 0.001, 100.0, (0.0, 0.0)).apply(audio, Moment(RATE))
    np.testing.assert_allclose(20.0 * np.log10(out[0, 0, -100:]), -9.0, atol=0.01)
    np.testing.assert_allclose(out[0, 1], 0.05, rtol=1e-5)


def test_release_falls_at_a_constant_rate() -> None:
    level_db = np.full((1, 200), -80.0, np.float32)
    level_db[0, 10] = 0.0
    held = follow(level_db, 0.0, 100.0, RATE)[0]
    np.testing.assert_allclose(np.diff(held[11:100]), -100.0 * CONTROL_SAMPLES / RATE, atol=1e-3)


def test_parts_add_up_through_linear_and_gain_stages() -> None:
    first, second = take(at=(20_000,)), take(at=(30_000, 50_000))
    ranges = RecordingRanges(
        equaliser_probability=1.0, compression_probability=1.0, overdrive_probability=1.0, ride_probability=1.0,
        stereo_probability=1.0, mono_probability=0.0, codec_probability=0.0, resample_probability=0.0,
    )  # fmt: skip
    added = Bed | SnareBuzz | TomRing | OtherInstrument | Ticks | PedalNoise
    drawn = draw(2, ranges)
    kept = tuple(s for s in drawn.stages if not isinstance(s, added) and type(s).__name__ != "CymbalWash")
    chain = Recording(RATE, drawn.inputs, drawn.outputs, kept)
    recorded, parts = chain.apply_to_parts(first + second, np.stack([first, second]))
    assert parts.shape == (2, 2, SAMPLES)
    np.testing.assert_allclose(parts.sum(axis=0), recorded, atol=1e-4)
    np.testing.assert_array_equal(recorded, chain.apply(first + second))


def test_pedal_noise_precedes_its_kick_in_take_and_target_alike() -> None:
    stage = PedalNoise(1.0, (0.04, 0.16), same_everywhere(-34.0), 9)
    empty = np.zeros((1, len(CHANNELS), SAMPLES), np.float32)
    early, late = (stage.apply(empty.copy(), Moment(RATE, 0, np.array([kick])))[0, 0] for kick in (30_000, 30_500))
    np.testing.assert_array_equal(np.roll(early, 500), late)
    assert 30_000 - 0.16 * RATE <= np.flatnonzero(early)[0] <= 30_000 - 0.04 * RATE + 1
    assert np.abs(early).max() <= 10.0 ** (-34.0 / 20.0)


def test_ticks_stay_below_their_level() -> None:
    stage = Ticks((5_000, 40_000), (-32.0, -40.0), 4_000.0, 0.001, 12.0, 2)
    out = stage.apply(np.zeros((1, len(CHANNELS), SAMPLES), np.float32), Moment(RATE))[0]
    assert np.abs(out[:, :20_000]).max() <= 10.0 ** (-32.0 / 20.0)
    assert 0.0 < np.abs(out[:, 40_000:]).max() <= 10.0 ** (-40.0 / 20.0) * 1.001


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_instruments_play_their_notes_and_nothing_else(instrument: str) -> None:
    stage = OtherInstrument(instrument, (10_000,), same_everywhere(-20.0), 4)
    music = stage.play(RATE, 0, SAMPLES)
    assert not music[:10_000].any()
    assert 0.1 < np.abs(music).max() <= 1.5


def test_recording_levels_follow_the_peaks_given() -> None:
    ranges = RecordingRanges(**{f.name: getattr(CLEAN, f.name) for f in fields(CLEAN)} | {"peak_db": (-12.0, -12.0)})
    audio = take()
    peaks = np.abs(audio).max(axis=1).astype(np.float64)
    chain = draw_recording(np.random.default_rng(0), CHANNELS, RATE, SAMPLES, ranges, peaks=peaks)
    loudest = 20.0 * np.log10(np.abs(chain.apply(audio)).max(axis=1))
    np.testing.assert_allclose(loudest[:3], -12.0, atol=0.1)
    assert loudest[3:].max() == pytest.approx(-12.0, abs=0.1)  # the pair shares its gain


def test_a_mixdown_says_what_it_is_made_of() -> None:
    chain = draw(1, RecordingRanges(stereo_probability=1.0, mono_probability=0.0))
    assert [channel.name for channel in chain.outputs] == ["mix.L", "mix.R"]
    assert chain.contributions.shape == (2, len(CHANNELS))
    assert chain.contributions[0, 3] > chain.contributions[1, 3]  # OH.L is left
    np.testing.assert_array_equal(draw(1, CLEAN).contributions, np.eye(len(CHANNELS)))


def test_the_description_is_plain() -> None:
    for seed in range(5):
        stages = json.loads(json.dumps(draw(seed, EVERYTHING).description))
        assert stages[0]["stage"] == "Level"
        assert stages[-1] == {"stage": "Converter"}


def test_loops_are_read_by_absolute_time() -> None:
    period = np.arange(10, dtype=np.float32)
    np.testing.assert_array_equal(looped(period, 7, 25), (np.arange(7, 32) % 10).astype(np.float32))


@pytest.mark.parametrize("seed", range(40))
def test_names_tell_the_truth_or_nothing(seed: int) -> None:
    channels = [Channel(p.microphone.name, p.microphone.role) for p in PLACEMENTS]
    plan = draw_channels(np.random.default_rng(seed), channels)
    assert len({channel.name for channel in plan.channels}) == len(plan.rows) == len(plan.channels)
    for row, channel in zip(plan.rows, plan.channels, strict=True):
        assert channel.role is channels[row].role
        assert guess_role(channel.name) in (channel.role, Role.OTHER)


def test_one_channel_always_remains_and_bad_probabilities_are_refused() -> None:
    assert len(draw_channels(np.random.default_rng(0), CHANNELS, drop_probability=1.0).rows) == 1
    with pytest.raises(InputError, match="between 0 and 1"):
        draw_channels(np.random.default_rng(0), CHANNELS, shuffle_probability=2.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("peak_db", (0.0, -10.0)),
        ("noise_floor_db", (-300.0, -50.0)),
        ("noise_floor_db", (-90.0, float("nan"))),
        ("hum_probability", 1.5),
        ("compression_ratio", (0.5, 2.0)),
        ("stereo_probability", 0.99),
        ("pedal_lead_seconds", (0.04,)),
    ],
)
def test_impossible_ranges_are_refused(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        RecordingRanges(**{name: value})  # type: ignore[arg-type]


def test_wrong_shapes_are_refused() -> None:
    chain = draw(0, CLEAN)
    with pytest.raises(InputError, match="this chain records"):
        chain.apply(take(channels=3))
    with pytest.raises(InputError, match="parts must be"):
        chain.apply_to_parts(take(), take()[None, :2])
    with pytest.raises(InputError, match="peaks must be"):
        draw_recording(np.random.default_rng(0), CHANNELS, RATE, SAMPLES, CLEAN, peaks=np.ones(2))


def test_wires_slap_at_the_rate_of_the_kick() -> None:
    time = np.arange(RATE) / RATE
    kick = (0.8 * np.sin(2.0 * np.pi * 100.0 * time))[None, None].astype(np.float32)

    def slapping(slap: float) -> float:
        """Share of the rattle's power that swings at 100 Hz."""
        added = SnareBuzz((-12.0,), 0.004, 200.0, -50.0, slap, 1).apply(kick.copy(), Moment(RATE))[0, 0] - kick[0, 0]
        power = added[RATE // 4 :].astype(np.float64) ** 2
        swing = np.exp(-2j * np.pi * 100.0 * time[RATE // 4 :])
        return float(abs(np.mean(power * swing)) / np.mean(power))

    assert slapping(0.0) < 0.1
    assert slapping(1.0) > 0.4
