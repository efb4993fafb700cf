"""HitNet's features: what they ignore, where in time they put what they hear, and that any length and rate will do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.hit_features import (
    BLOCK_SAMPLES,
    FEATURE_RATE_HZ,
    FEATURES,
    FLOOR_DB,
    HOP_SAMPLES,
    LEVEL_FEATURES,
    LOWEST_REFERENCE_DB,
    MEL_WINDOWS,
    RANGE_DB,
    SCALE_DB,
    Features,
    hit_features,
    normalised,
    reference_db,
    to_feature_rate,
)
from beatnet_align.units import Float32Array

LONGEST_WINDOW = max(samples for samples, _, _ in MEL_WINDOWS)
EDGE_FRAMES = -(-(LONGEST_WINDOW - HOP_SAMPLES) // (2 * HOP_SAMPLES))
"""Frames whose windows reach beyond the end of the signal."""

RATES_HZ = (22_050, 48_000, 96_000)


def strokes(channels: int, samples: int, seed: int) -> Float32Array:
    """Noise at about −20 dBFS that swells every 3,000 samples and fades by 30 dB."""
    decay = np.exp(-(np.arange(samples) % 3_000) / 900.0)
    return np.asarray(0.1 * decay * np.random.default_rng(seed).normal(size=(channels, samples)), np.float32)


def heard(audio: Float32Array) -> Features:
    features_db = hit_features(audio)
    return normalised(features_db, reference_db(features_db))


def burst(sample_rate: int, at_seconds: float, frequency_hz: float, seconds: float = 0.4) -> Float32Array:
    """A tone that swells and fades within some milliseconds, the same at every rate: [1, samples]."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate - at_seconds
    tone = 0.5 * np.cos(2.0 * np.pi * frequency_hz * time) * np.exp(-0.5 * np.square(time / 0.003))
    return np.asarray(tone[None], np.float32)


@given(gain_db=st.floats(-30.0, 40.0), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_gain_does_not_matter(gain_db: float, seed: int) -> None:
    audio = strokes(2, 9_000, seed)
    louder = audio * np.float32(10.0 ** (gain_db / 20.0))
    np.testing.assert_allclose(heard(louder), heard(audio), atol=1e-3)


def test_each_channel_has_its_own_gain() -> None:
    audio = strokes(3, 9_000, 0)
    gains = np.array([[1.0], [0.02], [4.0]], np.float32)
    np.testing.assert_allclose(heard(audio * gains), heard(audio), atol=1e-3)


@given(seed=st.integers(0, 99))
@settings(max_examples=10)
def test_polarity_does_not_matter(seed: int) -> None:
    audio = strokes(1, 5_000, seed)
    np.testing.assert_array_equal(hit_features(-audio), hit_features(audio))


@given(offset=st.floats(-0.5, 0.5), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_a_constant_offset_hardly_matters(offset: float, seed: int) -> None:
    audio = strokes(1, 9_000, seed)
    np.testing.assert_allclose(hit_features(audio + np.float32(offset)), hit_features(audio), atol=0.05)


@given(channels=st.integers(1, 4), samples=st.integers(HOP_SAMPLES, 4_000), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_any_length_has_its_whole_frames(channels: int, samples: int, seed: int) -> None:
    features_db = hit_features(strokes(channels, samples, seed))
    assert features_db.shape == (channels, samples // HOP_SAMPLES, FEATURES)
    assert features_db.dtype == np.float32
    assert (features_db >= FLOOR_DB - 1e-4).all()
    assert reference_db(features_db).shape == (channels, 1, 1)
    assert np.isfinite(heard(strokes(channels, samples, seed))).all()


@given(frames=st.integers(4, 20), more=st.integers(1, 5_000), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_frames_do_not_depend_on_what_comes_later(frames: int, more: int, seed: int) -> None:
    half = strokes(1, 40 * HOP_SAMPLES, seed).reshape(-1, HOP_SAMPLES)[:, : HOP_SAMPLES // 2]
    audio = np.concatenate([half, -half], axis=1).reshape(1, -1)  # so that every frame's mean is zero
    samples = frames * HOP_SAMPLES
    whole, start = (hit_features(audio[:, :stop]) for stop in (samples + more // HOP_SAMPLES * HOP_SAMPLES, samples))
    levels = slice(0, 3 * LEVEL_FEATURES)
    np.testing.assert_allclose(whole[:, :frames, levels], start[..., levels], atol=1e-3)
    known = frames - EDGE_FRAMES
    np.testing.assert_allclose(whole[:, :known], start[:, :known], atol=1e-3)


@given(sample=st.integers(0, 20 * HOP_SAMPLES - 1))
def test_an_impulse_shows_in_its_block_of_its_frame(sample: int) -> None:
    audio = np.zeros((1, 20 * HOP_SAMPLES), np.float32)
    audio[0, sample] = 0.5
    levels = hit_features(audio)[0, :, :LEVEL_FEATURES].ravel()
    assert int(levels.argmax()) == sample // BLOCK_SAMPLES
    assert np.delete(levels, sample // BLOCK_SAMPLES).max() < levels.max() - 40.0


@given(sample=st.integers(4 * HOP_SAMPLES, 16 * HOP_SAMPLES - 1))
@settings(max_examples=20)
def test_an_impulse_is_heard_by_no_window_that_does_not_reach_it(sample: int) -> None:
    audio = np.zeros((1, 20 * HOP_SAMPLES), np.float32)
    audio[0, sample] = 0.5
    bands = hit_features(audio)[0, :, 3 * LEVEL_FEATURES :].max(axis=1)
    middles = (np.arange(20) + 0.5) * HOP_SAMPLES
    beyond = bands[np.abs(middles - sample) > LONGEST_WINDOW / 2 + 1]
    assert beyond.max() < bands.max() - 40.0  # all that is left there is the mean that was taken off
    assert abs(middles[bands.argmax()] - sample) <= HOP_SAMPLES / 2 + 1


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_lies_at_the_floor(level: float) -> None:
    features_db = hit_features(np.full((2, 5_000), level, np.float32))
    np.testing.assert_allclose(features_db, FLOOR_DB, atol=1e-4)
    assert (reference_db(features_db) == LOWEST_REFERENCE_DB).all()
    quiet = normalised(features_db, reference_db(features_db))
    assert np.isfinite(quiet).all()
    assert np.ptp(quiet) == 0.0


def test_normalised_features_have_a_lowest_level() -> None:
    audio = strokes(1, 30_000, 0)
    audio[:, 10_000:20_000] = 0.0
    relative = heard(audio)
    assert relative.min() == pytest.approx((40.0 - RANGE_DB) / SCALE_DB)
    assert relative.max() < 3.0


def test_a_click_of_some_samples_does_not_set_the_level() -> None:
    audio = strokes(1, 600 * HOP_SAMPLES, 0)
    level = reference_db(hit_features(audio))
    audio[0, 5_000:5_003] = 1.0
    assert abs(float((reference_db(hit_features(audio)) - level).squeeze())) < 0.5


@pytest.mark.parametrize("rate", RATES_HZ)
@pytest.mark.parametrize("frequency_hz", [120.0, 1_000.0, 5_000.0])
def test_another_rate_sounds_nearly_the_same(rate: int, frequency_hz: float) -> None:
    there = to_feature_rate(burst(rate, 0.2, frequency_hz), rate)
    here = burst(FEATURE_RATE_HZ, 0.2, frequency_hz)
    assert there.shape == here.shape
    loudest = hit_features(here).max()
    audible_there, audible_here = (np.maximum(hit_features(audio), loudest - 45.0) for audio in (there, here))
    np.testing.assert_allclose(audible_there, audible_here, atol=0.6)


@given(rate=st.sampled_from([*RATES_HZ, 32_000, 88_200, 11_025]), at_seconds=st.floats(0.05, 0.35))
@settings(max_examples=25)
def test_resampling_leaves_a_burst_at_its_time(rate: int, at_seconds: float) -> None:
    power = np.square(to_feature_rate(burst(rate, at_seconds, 1_000.0), rate)[0].astype(np.float64))
    centre_seconds = power @ np.arange(len(power)) / power.sum() / FEATURE_RATE_HZ
    assert centre_seconds == pytest.approx(at_seconds, abs=2e-5)


@pytest.mark.parametrize("rate", RATES_HZ)
def test_resampling_makes_no_hit_of_a_constant_s_ends(rate: int) -> None:
    np.testing.assert_allclose(to_feature_rate(np.full((1, 5_000), 0.25, np.float32), rate), 0.25, atol=1e-3)


def test_the_own_rate_is_left_as_it_is() -> None:
    audio = strokes(2, 1_000, 0)
    np.testing.assert_array_equal(to_feature_rate(audio, FEATURE_RATE_HZ), audio)
    doubled = to_feature_rate(audio.astype(np.float64), FEATURE_RATE_HZ)
    assert doubled.dtype == np.float32
    np.testing.assert_array_equal(doubled, audio)
