"""The take that ships with the package: made from nothing, the same every time, its truth exact to the sample."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.demo.room import CHANNELS, STEMS
from datagen.demo.take import FOLDER, SAMPLE_RATE, DemoTake, Recording, make_demo_take, record, write_demo_take
from datagen.kits.synth_kit import HiHat, Kick, Snare, Tom, Voice, onset_in_strike, strike_peak

Samples = npt.NDArray[np.int16]
VOICES: list[Voice] = [Kick(), Snare(), Tom(), HiHat(), HiHat(openness=0.9, closes_seconds=0.2), HiHat(openness=1.0)]


def stems(folder: Path) -> Samples:
    """[channels, samples] in the order of CHANNELS."""
    return np.concatenate([sf.read(folder / f"{stem}.flac", dtype="int16", always_2d=True)[0].T for stem in STEMS])


def naive_onset(strike: npt.NDArray[np.float64]) -> int:
    """The rule of ``onset_timing.py``, written out: 0.5 ms are 22 samples at 44.1 kHz, 30 dB are a factor of 1000."""
    padded = np.concatenate([np.zeros(22), strike, np.zeros(22)])
    energies = {place: sum(padded[place + 22 - 10 : place + 22 + 12] ** 2) for place in range(-12, len(strike))}
    loud = max(energies.values()) / 1000
    return next(place for place, energy in energies.items() if energy > loud)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record()


@pytest.fixture(scope="module")
def demo() -> DemoTake:
    return make_demo_take()


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))
    return loaded


def test_the_shipped_audio_can_be_made_again(demo: DemoTake) -> None:
    for name, made in (("take", demo.take), ("target", demo.target)):
        shipped = stems(FOLDER / name)
        assert shipped.shape == made.shape
        assert np.max(np.abs(shipped.astype(np.int32) - made)) <= 1


def test_the_shipped_truth_can_be_made_again(demo: DemoTake, truth: dict[str, Any]) -> None:
    assert truth == json.loads(json.dumps(demo.truth))


def test_what_is_written_is_what_was_made(demo: DemoTake, tmp_path: Path) -> None:
    write_demo_take(demo, tmp_path)
    np.testing.assert_array_equal(stems(tmp_path / "take"), demo.take)
    np.testing.assert_array_equal(stems(tmp_path / "target"), demo.target)


def test_truth_onsets_follow_the_energy_rule_on_the_close_microphone(
    recording: Recording, truth: dict[str, Any]
) -> None:
    for sound, hit in zip(recording.sounding, truth["hits"], strict=True):
        close = sound.image[CHANNELS.index(hit["close"])][:3_000]
        assert naive_onset(close) == sound.onset_in_image_samples
        assert hit["performed_seconds"] * SAMPLE_RATE == pytest.approx(sound.stroke.performed_samples, abs=0.01)
        assert hit["target_seconds"] * SAMPLE_RATE == pytest.approx(sound.stroke.target_samples, abs=0.01)


def test_take_and_target_are_the_same_strokes_over_the_same_noise(recording: Recording, demo: DemoTake) -> None:
    """Taking every stroke out again at its own time leaves the noise, up to the rounding of 16 bits."""
    for audio, times in ((demo.take, "performed_samples"), (demo.target, "target_samples")):
        strokes = np.zeros_like(recording.noise)
        for sound in recording.sounding:
            start = getattr(sound.stroke, times) - sound.onset_in_image_samples
            stop = min(strokes.shape[1], start + sound.image.shape[1])
            strokes[:, start:stop] += sound.image[:, : stop - start]
        heard = recording.noise + strokes
        gains = np.sum(heard * audio, axis=1) / np.sum(heard * heard, axis=1)
        assert np.max(np.abs(audio - gains[:, None] * heard)) < 0.6


def test_every_sixteenth_is_where_the_tempo_says(truth: dict[str, Any]) -> None:
    for hit in truth["hits"]:
        line = truth["first_beat_seconds"] + hit["score_beats"] * 60 / truth["bpm"]
        assert (hit["score_beats"] * truth["division_per_beat"]).is_integer()
        if not hit["ornament"]:
            assert abs(hit["target_seconds"] - line) <= 0.51 / SAMPLE_RATE


def test_ornaments_keep_their_spacing_to_their_main_stroke(truth: dict[str, Any]) -> None:
    ornaments = [hit for hit in truth["hits"] if hit["ornament"]]
    assert len(ornaments) == 3
    for grace in ornaments:
        (main,) = (
            hit
            for hit in truth["hits"]
            if hit["score_beats"] == grace["score_beats"] and hit["piece"] == grace["piece"] and not hit["ornament"]
        )
        moved = grace["target_seconds"] - grace["performed_seconds"]
        assert moved == pytest.approx(main["target_seconds"] - main["performed_seconds"], abs=1e-6)
        assert 0.02 < main["performed_seconds"] - grace["performed_seconds"] < 0.08


def test_one_hit_leads_each_line_and_its_shift_is_the_lines(truth: dict[str, Any]) -> None:
    for line in {hit["score_beats"] for hit in truth["hits"]}:
        together = [hit for hit in truth["hits"] if hit["score_beats"] == line]
        (main,) = (hit for hit in together if hit["main"])
        shift = main["target_seconds"] - main["performed_seconds"]
        assert all(hit["line_shift_seconds"] == pytest.approx(shift, abs=1e-6) for hit in together)
        if any(hit["piece"] in ("kick", "snare") for hit in together):
            assert main["piece"] in ("kick", "snare")


def test_it_plays_like_a_human(truth: dict[str, Any]) -> None:
    late = np.array([hit["performed_seconds"] - hit["target_seconds"] for hit in truth["hits"]])
    assert 0.010 < np.std(late) < 0.030
    assert 0.045 < np.max(late) < 0.067  # half a sixteenth at 112 BPM


def test_it_is_small_and_neither_clipped_nor_silent(demo: DemoTake) -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*.*")) < 6e6
    for audio in (demo.take, demo.target):
        assert np.max(np.abs(audio.astype(np.int32))) < 0.9 * 32_768
        frames = audio[:, : audio.shape[1] // 441 * 441].reshape(len(audio), -1, 441)
        assert (frames.std(axis=2) > 0.5).all()


@settings(max_examples=25, deadline=None)
@given(
    voice=st.sampled_from(VOICES),
    velocity=st.floats(0.05, 1.0),
    sample_rate=st.sampled_from([22_050, 44_100, 48_000]),
    seed=st.integers(0, 99),
)
def test_a_strike_begins_at_its_first_sample_and_peaks_by_its_velocity(
    voice: Voice, velocity: float, sample_rate: int, seed: int
) -> None:
    strike = voice.strike(velocity, sample_rate, np.random.default_rng(seed))
    np.testing.assert_array_equal(strike, voice.strike(velocity, sample_rate, np.random.default_rng(seed)))
    assert np.isfinite(strike).all()
    assert np.max(np.abs(strike)) == pytest.approx(strike_peak(velocity))
    assert abs(onset_in_strike(strike, sample_rate)) <= 0.0005 * sample_rate
    assert np.max(np.abs(strike[-20:])) < 0.01 * strike_peak(velocity)


@pytest.mark.parametrize("voice", [Kick(), Snare(), Tom(), HiHat()])
def test_harder_blows_are_brighter(voice: Voice) -> None:
    def centroid_hz(velocity: float) -> float:
        """Centre of the energy of the first 100 ms, mean of six blows."""
        blows = [voice.strike(velocity, 44_100, np.random.default_rng(seed))[:4_410] for seed in range(6)]
        energies = np.mean([np.abs(np.fft.rfft(blow / np.max(blow))) ** 2 for blow in blows], axis=0)
        return float(np.sum(energies * np.fft.rfftfreq(4_410, 1 / 44_100)) / np.sum(energies))

    assert centroid_hz(0.15) < centroid_hz(0.5) < centroid_hz(0.9)


def test_the_onset_of_a_click_is_half_a_smoothing_window_early() -> None:
    """22 samples reach 10 back and 11 ahead: the first place that hears the click is 11 before it."""
    click = np.zeros(1_000)
    click[100] = 1.0
    assert onset_in_strike(click, 44_100) == naive_onset(click) == 89


def test_the_onset_is_where_the_energy_passes_thirty_db_below_the_peak() -> None:
    """Against a peak of 0.1, a forerunner of 0.001 is 40 dB down and one of 0.02 only 14; 0.02 needs 1 sample of 22."""
    rising = np.concatenate([np.full(200, 0.001), np.full(100, 0.02), np.full(300, 0.1)])
    assert onset_in_strike(rising, 44_100) == naive_onset(rising) == 200 - 11
