"""Laws of the transform: what is not changed comes back, and bands cover every bin once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.spectra import (
    BINS_A_POOL,
    HOPS_A_WINDOW,
    SINGLE_BINS,
    WINDOW_SECONDS,
    Levels,
    Spectra,
    Transform,
)
from beatnet_align.take import Audio

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
ODD_RATE_HZ = 31_337


def noise(channels: int, samples: int, seed: int = 0) -> Audio:
    return 0.3 * np.random.default_rng(seed).standard_normal((channels, samples)).astype(np.float32)


def flat(transform: Transform, level: float, frames: int = 3, channels: int = 2) -> Spectra:
    """Spectra of one magnitude in every bin, with any phase."""
    phases = np.random.default_rng(1).uniform(-np.pi, np.pi, (frames, channels, transform.window_samples // 2 + 1))
    spectra: Spectra = (level * np.exp(1j * phases)).astype(np.complex64)
    return spectra


def ones(transform: Transform, frames: int = 3, channels: int = 2) -> Spectra:
    return np.ones((frames, channels, transform.window_samples // 2 + 1), np.complex64)


def some_levels(transform: Transform, frames: int = 3, channels: int = 2) -> Levels:
    shape = (frames, channels, len(transform.bands_hz))
    return np.random.default_rng(2).uniform(0.0, 1.0, shape).astype(np.float32)


@given(rate=st.integers(8_000, 192_000))
def test_a_window_is_the_power_of_two_nearest_to_its_length(rate: int) -> None:
    transform = Transform(rate)
    window = transform.window_samples
    assert window & (window - 1) == 0
    assert 2**-0.5 <= window / (WINDOW_SECONDS * rate) <= 2**0.5
    assert transform.hop_samples * HOPS_A_WINDOW == window
    assert transform.frames_per_second * transform.hop_samples == pytest.approx(rate)


def test_a_window_at_44_khz_is_as_documented() -> None:
    assert Transform(44_100).window_samples == 1024


@settings(max_examples=60)
@given(
    rate=st.sampled_from(RATES_HZ),
    channels=st.integers(1, 6),
    windows=st.floats(0.0, 12.0),
    odd=st.integers(0, 7),
    kind=st.sampled_from([np.float32, np.float64]),
)
def test_unchanged_spectra_give_the_audio_back(rate: int, channels: int, windows: float, odd: int, kind: type) -> None:
    transform = Transform(rate)
    half = transform.window_samples // 2
    samples = round(windows * transform.window_samples) + odd + 1
    audio: Audio = noise(channels, samples).astype(kind)
    spectra = transform.forward(audio)
    assert spectra.shape == (-(-samples // transform.hop_samples) + 1, channels, half + 1)
    assert spectra.dtype == np.complex64
    back = transform.inverse(spectra)
    assert back.shape == (channels, len(spectra) * transform.hop_samples)
    assert back.shape[1] >= samples
    assert back.dtype == np.float32
    inner = slice(half, max(half, samples - half))
    np.testing.assert_allclose(back[:, inner], audio[:, inner], atol=2e-6)


@settings(max_examples=20)
@given(rate=st.sampled_from(RATES_HZ), samples=st.integers(1, 3_000))
def test_the_ends_fade_and_never_swell(rate: int, samples: int) -> None:
    transform = Transform(rate)
    back = transform.inverse(transform.forward(np.ones((1, samples), np.float32)))
    assert np.max(back) <= 1.0 + 1e-5
    assert np.max(np.abs(back[:, samples + transform.window_samples :]), initial=0.0) < 1e-6


@given(rate=st.sampled_from([*RATES_HZ, ODD_RATE_HZ]), samples=st.integers(1, 3_000))
def test_silence_stays_silent(rate: int, samples: int) -> None:
    transform = Transform(rate)
    spectra = transform.forward(np.zeros((2, samples), np.float32))
    assert not spectra.any()
    assert not transform.levels(spectra).any()
    assert not transform.inverse(spectra).any()


@settings(max_examples=30)
@given(rate=st.sampled_from([8_000, 44_100, 96_000]), at=st.integers(0, 4_999))
def test_a_frame_is_centred_on_its_sample(rate: int, at: int) -> None:
    transform = Transform(rate)
    click = np.zeros((1, 5_000), np.float32)
    click[0, at] = 1.0
    loudness = np.abs(transform.forward(click)).sum(axis=(1, 2))
    loudest = int(np.argmax(loudness))
    assert abs(loudest * transform.hop_samples - at) <= transform.hop_samples / 2


@settings(max_examples=20)
@given(rate=st.sampled_from([8_000, 44_100]), channels=st.integers(2, 5), seed=st.integers(0, 9))
def test_channels_know_nothing_of_each_other(rate: int, channels: int, seed: int) -> None:
    transform, audio = Transform(rate), noise(channels, 3_001, seed)
    together = transform.forward(audio)
    for channel in range(channels):
        alone = transform.forward(audio[channel : channel + 1])
        np.testing.assert_allclose(together[:, channel : channel + 1], alone, atol=1e-5)


@settings(max_examples=20)
@given(rate=st.sampled_from([8_000, 44_100, 96_000]), seed=st.integers(0, 9))
def test_masks_that_sum_to_one_give_parts_that_sum_to_the_audio(rate: int, seed: int) -> None:
    transform, audio = Transform(rate), noise(2, 5_001, seed)
    spectra = transform.forward(audio)
    mask = some_levels(transform, len(spectra))
    parts = transform.inverse(spectra, mask) + transform.inverse(spectra, 1 - mask)
    np.testing.assert_allclose(parts, transform.inverse(spectra), atol=5e-6)


@pytest.mark.parametrize("rate", RATES_HZ)
def test_bins_count_times_their_bands_values_on_the_way_back(rate: int) -> None:
    transform, audio = Transform(rate), noise(2, 5_001, 3)
    spectra = transform.forward(audio)
    mask = some_levels(transform, len(spectra))
    expected = transform.inverse(transform.weighted(spectra, mask))
    np.testing.assert_allclose(transform.inverse(spectra, mask), expected, atol=1e-6)


@settings(max_examples=20)
@given(channels=st.integers(1, 4), samples=st.integers(1, 40_000), seed=st.integers(0, 9))
def test_frames_that_are_left_out_are_silent_and_no_others(channels: int, samples: int, seed: int) -> None:
    transform, audio = Transform(8_000), noise(channels, samples, seed)
    spectra = transform.forward(audio)
    mask = some_levels(transform, len(spectra), channels)
    heard = np.random.default_rng(seed).random(mask.shape[:2]) < 0.5
    expected = transform.inverse(spectra * heard[..., None], mask)
    np.testing.assert_allclose(transform.inverse(spectra, mask, heard), expected, atol=1e-6)
    assert not transform.inverse(spectra, mask, np.zeros_like(heard)).any()


@pytest.mark.parametrize("rate", RATES_HZ)
def test_bands_cover_every_bin_once(rate: int) -> None:
    transform = Transform(rate)
    bands = len(transform.bands_hz)
    of_bins = transform.weighted(ones(transform), np.arange(bands, dtype=np.float32))[0, 0].real
    assert of_bins.shape == (transform.window_samples // 2 + 1,)
    np.testing.assert_array_equal(np.unique(of_bins), np.arange(bands))
    assert (np.diff(of_bins) >= 0).all()


@pytest.mark.parametrize("rate", RATES_HZ)
def test_low_bands_are_single_bins_and_high_ones_as_wide_as_the_ear_hears(rate: int) -> None:
    transform = Transform(rate)
    first_bins = np.rint(transform.bands_hz * transform.window_samples / rate).astype(int)
    np.testing.assert_array_equal(first_bins[:SINGLE_BINS], np.arange(SINGLE_BINS))
    widths = np.diff(first_bins)[SINGLE_BINS:]
    assert (widths >= 2).all()
    assert (widths <= np.maximum(2, first_bins[SINGLE_BINS:-1] / BINS_A_POOL)).all()
    assert transform.bands_hz[0] == 0.0
    assert transform.bands_hz[-1] <= rate / 2


@given(rate=st.sampled_from(RATES_HZ), level=st.floats(1e-6, 1e3))
def test_constant_spectra_have_constant_levels(rate: int, level: float) -> None:
    transform = Transform(rate)
    levels = transform.levels(flat(transform, level))
    assert levels.shape == (3, 2, len(transform.bands_hz))
    assert levels.dtype == np.float32
    np.testing.assert_allclose(levels, level, rtol=1e-5)
    np.testing.assert_allclose(transform.weighted(ones(transform), levels), level, rtol=1e-5)


@pytest.mark.parametrize("rate", RATES_HZ)
def test_the_levels_of_what_bands_say_are_what_they_say(rate: int) -> None:
    transform = Transform(rate)
    of_bands = some_levels(transform)
    of_bins = transform.weighted(ones(transform), of_bands)
    assert of_bins.shape == (3, 2, transform.window_samples // 2 + 1)
    np.testing.assert_allclose(transform.levels(of_bins), of_bands, rtol=1e-6)


@settings(max_examples=20)
@given(channels=st.integers(1, 3), samples=st.integers(1, 20_000), seed=st.integers(0, 9))
def test_levels_of_audio_are_those_of_its_spectra(channels: int, samples: int, seed: int) -> None:
    transform, audio = Transform(8_000), noise(channels, samples, seed)
    np.testing.assert_array_equal(transform.levels_of(audio), transform.levels(transform.forward(audio)))
