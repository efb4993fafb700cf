"""Ringing goes on as it was: tones to their pitch and decay, noise at its level, microphones in phase."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

from beatnet_align.autoregression import continued, prediction_errors_filter
from beatnet_align.take import Audio
from beatnet_align.units import FloatArray
from models.janssen import completed

RATE = 44_100


def ringing(samples: int = 9_000, noise: float = 1e-4) -> FloatArray:
    """Three tones that decay, over a little noise."""
    time = np.arange(samples) / RATE
    tones = ((1.0, 0.10, 190.0, 0.0), (0.5, 0.05, 411.0, 1.0), (0.3, 0.20, 2_300.0, 2.0))
    heard = sum(
        level * np.exp(-time / decay) * np.sin(2 * np.pi * pitch * time + turn) for level, decay, pitch, turn in tones
    )
    return np.asarray(heard + noise * np.random.default_rng(3).standard_normal(samples))


def error_db(found: Audio, expected: FloatArray) -> float:
    return float(10.0 * np.log10(np.sum((found - expected) ** 2) / np.sum(expected**2)))


@pytest.mark.parametrize(("gap_ms", "worst_db"), [(2.0, -16.0), (10.0, -12.0), (30.0, -10.0)])
def test_tones_ring_on(gap_ms: float, worst_db: float) -> None:
    heard, gap = ringing(), round(gap_ms * RATE / 1e3)
    assert error_db(continued(heard[None, :4_500], gap, RATE)[0], heard[4_500 : 4_500 + gap]) < worst_db


@pytest.mark.parametrize(("gap_ms", "worst_db"), [(2.0, -40.0), (10.0, -25.0), (30.0, -15.0)])
def test_a_gap_between_tones_is_found(gap_ms: float, worst_db: float) -> None:
    heard, gap = ringing(), round(gap_ms * RATE / 1e3)
    filled = completed(heard[None, :4_500], gap, heard[None, 4_500 + gap : 4_720 + gap], RATE)
    assert error_db(filled[0], heard[4_500 : 4_500 + gap]) < worst_db


def test_noise_goes_on_at_its_level_and_falls_as_it_fell() -> None:
    fall = np.exp(-np.arange(9_000) / (0.05 * RATE))
    heard = fall * np.random.default_rng(0).standard_normal(9_000)
    more = continued(heard[None, :4_500], 2_000, RATE)[0]
    for start in range(0, 2_000, 500):
        expected = np.sqrt(np.mean(fall[4_500 + start : 5_000 + start] ** 2))
        assert np.std(more[start : start + 500]) == pytest.approx(expected, rel=0.3)


def test_microphones_stay_in_phase() -> None:
    """Noise that a second microphone hears 30 samples later is continued 30 samples later."""
    heard = np.random.default_rng(1).standard_normal(6_000)
    more = continued(np.array([heard[60:4_560], heard[30:4_530]]), 2_000, RATE)
    spectra = np.fft.rfft(more, 8_192)
    likeness = np.fft.irfft(spectra[1] * spectra[0].conj())
    assert np.argmax(likeness) == 30
    assert likeness.max() / np.sqrt(np.prod(np.sum(more**2, axis=1))) > 0.9


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 4), tail=st.integers(1, 4_000), samples=st.integers(1, 6_000), seed=st.integers(0, 99),
    level_db=st.floats(-120.0, 60.0), kind=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_any_tail_is_continued_within_bounds(
    channels: int, tail: int, samples: int, seed: int, level_db: float, kind: type
) -> None:
    rng = np.random.default_rng(seed)
    heard: Audio = (10 ** (level_db / 20) * rng.standard_normal((channels, tail)) * (rng.random(tail) < 0.5)).astype(
        kind
    )
    more = continued(heard, samples, RATE)
    assert more.shape == (channels, samples)
    assert more.dtype == np.dtype(kind)
    assert np.abs(more).max() <= 10.0 * np.abs(heard).max() + 1e-12
    np.testing.assert_array_equal(more, continued(heard, samples, RATE))


@pytest.mark.parametrize("rate", [44_100, 96_000, 192_000])
@pytest.mark.parametrize("cut_hz", [60.0, 200.0, 1_000.0])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_badly_conditioned_gets_no_louder(rate: int, cut_hz: float, kind: type) -> None:
    noise = np.random.default_rng(0).standard_normal((2, rate // 5))
    heard: Audio = sosfilt(butter(12, cut_hz, fs=rate, output="sos"), noise).astype(kind)
    assert np.abs(continued(heard, rate // 10, rate)).max() <= np.abs(heard).max()


def test_silence_stays_silent() -> None:
    np.testing.assert_array_equal(continued(np.zeros((2, 3_000), np.float32), 500, RATE), 0.0)


def test_a_filter_leaves_only_what_the_past_does_not_tell() -> None:
    heard = ringing(noise=0.0)[None]
    errors = np.convolve(heard[0], prediction_errors_filter(heard, 12)[0], "valid")
    assert np.sqrt(np.mean(errors**2)) < 1e-2 * np.sqrt(np.mean(heard**2))
