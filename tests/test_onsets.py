"""Candidates are exact to the definition of an onset, whatever the rate, level, block size or number of channels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align import onsets
from beatnet_align.onset_timing import smoothed_energy
from beatnet_align.onsets import Candidate, find_candidates
from beatnet_align.take import Audio, Take, take_from_array
from beatnet_align.units import FloatArray

RATES = (8_000, 44_100, 48_000, 96_000, 192_000)
STRIKE_SECONDS = 0.4
TOLERANCE_SECONDS = 0.0003


def dry_strike(rate: int, seed: int, attack_seconds: float = 0.0005, decay_seconds: float = 0.05) -> FloatArray:
    """[samples]: a burst of noise that rises at once and decays; peaks at 1."""
    seconds = np.arange(round(STRIKE_SECONDS * rate)) / rate
    burst = np.random.default_rng(seed).standard_normal(len(seconds))
    burst *= np.minimum(1.0, (seconds + 1 / rate) / attack_seconds) * np.exp(-seconds / decay_seconds)
    return np.asarray(burst / np.abs(burst).max())


def onset_by_definition(strike: FloatArray, rate: int) -> int:
    """First sample where energy, smoothed over 0.5 ms around it, exceeds 30 dB below its peak."""
    width = max(1, round(0.0005 * rate))
    before = width  # the smoothing reaches in front of the strike
    energy = np.convolve(np.pad(strike, (before, 0)) ** 2, np.ones(width) / width, "same")
    return int(np.flatnonzero(energy > energy.max() / 1000)[0]) - before


def play(places_seconds: list[float], rate: int, channels: int = 1, level: float = 0.5, seconds: float = 1.5) -> Take:
    """A take of strikes, each on every channel, in noise 80 dB below them."""
    rng = np.random.default_rng(7)
    audio = level * 1e-4 * rng.standard_normal((channels, round(seconds * rate)))
    for i, place in enumerate(places_seconds):
        start = round(place * rate)
        strike = level * dry_strike(rate, i)[: audio.shape[1] - start]
        audio[:, start : start + len(strike)] += strike
    return take_from_array(audio.astype(np.float32), rate)


def found_near(candidates: list[Candidate], sample: int, tolerance_samples: float, channel: int = 0) -> list[Candidate]:
    return [c for c in candidates if c.channel == channel and abs(c.onset_samples - sample) <= tolerance_samples]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("level", [1e-3, 0.1, 0.9])
def test_a_strike_is_found_where_the_definition_puts_it(rate: int, level: float) -> None:
    places = [0.2, 0.55, 0.98]
    candidates = find_candidates(play(places, rate, level=level))
    for i, place in enumerate(places):
        expected = round(place * rate) + onset_by_definition(dry_strike(rate, i), rate)
        assert found_near(candidates, expected, max(2.0, TOLERANCE_SECONDS * rate))


@settings(max_examples=15)
@given(place=st.floats(0.1, 0.9), rate=st.sampled_from(RATES), attack=st.floats(0.0001, 0.003), seed=st.integers(0, 99))
def test_no_place_is_harder_than_another(place: float, rate: int, attack: float, seed: int) -> None:
    strike = dry_strike(rate, seed, attack)
    audio = 1e-5 * np.random.default_rng(seed).standard_normal(round(1.5 * rate))
    start = round(place * rate)
    audio[start : start + len(strike)] += 0.5 * strike
    candidates = find_candidates(take_from_array(audio[None].astype(np.float32), rate))
    expected = start + onset_by_definition(strike, rate)
    assert found_near(candidates, expected, max(2.0, TOLERANCE_SECONDS * rate))


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("block_seconds", [0.05, 0.31, 1.0])
def test_candidates_do_not_depend_on_the_block_size(
    rate: int, block_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = play([0.0, 0.2, 0.29, 0.3, 0.31, 0.62, 0.9, 1.2, 1.49], rate, channels=2)
    whole = find_candidates(take)
    monkeypatch.setattr(onsets, "BLOCK_SECONDS", block_seconds)
    in_blocks = find_candidates(take)
    assert [rounded(c) for c in in_blocks] == [rounded(c) for c in whole]


def rounded(candidate: Candidate) -> Candidate:
    return replace(
        candidate,
        rise_db=round(candidate.rise_db, 2),
        level_db=round(candidate.level_db, 4),
        above_background_db=round(candidate.above_background_db, 4),
        low=round(candidate.low, 4),
        high=round(candidate.high, 4),
    )


def test_all_of_32_channels_are_heard() -> None:
    candidates = find_candidates(play([0.3], 44_100, channels=32, seconds=0.8))
    expected = round(0.3 * 44_100) + onset_by_definition(dry_strike(44_100, 0), 44_100)
    for channel in range(32):
        assert found_near(candidates, expected, 13, channel)


@settings(max_examples=20)
@given(
    rate=st.sampled_from(RATES),
    samples=st.integers(1, 3_000),
    channels=st.integers(1, 4),
    seed=st.integers(0, 99),
    value=st.sampled_from([0.0, 1e-9, 1.0, 30.0]),
)
def test_candidates_of_any_scrap_lie_inside_it(rate: int, samples: int, channels: int, seed: int, value: float) -> None:
    audio = value * np.random.default_rng(seed).standard_normal((channels, samples))
    for candidate in find_candidates(take_from_array(audio.astype(np.float32), rate)):
        assert 0 <= candidate.onset_samples < samples
        assert 0 <= candidate.channel < channels
        assert np.isfinite([candidate.rise_db, candidate.level_db, candidate.above_background_db]).all()


@pytest.mark.parametrize("samples", [1, 10, 44_100])
@pytest.mark.parametrize("rate", RATES)
def test_digital_silence_has_no_candidates(rate: int, samples: int) -> None:
    assert find_candidates(take_from_array(np.zeros((2, samples), np.float32), rate)) == []


@pytest.mark.parametrize("offset", [0.001, 0.1, -0.3])
def test_an_offset_hides_no_strike_and_makes_none(offset: float) -> None:
    rate, places = 44_100, [0.3, 0.8]
    take = play(places, rate, level=0.5)
    candidates = find_candidates(take_from_array(take.read(0, take.samples) + np.float32(offset), rate))
    for i, place in enumerate(places):
        expected = round(place * rate) + onset_by_definition(dry_strike(rate, i), rate)
        assert found_near(candidates, expected, 0.001 * rate)
    silence = take_from_array(np.full((1, rate), offset, np.float32), rate)
    assert find_candidates(silence) == []


@pytest.mark.parametrize("hertz", [50.0, 400.0])
@pytest.mark.parametrize("seconds", [0.5, 1.003])
def test_a_tail_cut_off_at_the_end_of_a_take_is_no_strike(hertz: float, seconds: float) -> None:
    rate = 44_100
    tail = 0.3 * np.cos(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    noise = 1e-5 * np.random.default_rng(0).standard_normal(len(tail))
    candidates = find_candidates(take_from_array((tail + noise)[None].astype(np.float32), rate))
    assert not [c for c in candidates if c.onset_samples > rate // 10 and c.above_background_db > 3.0]


def test_clipping_moves_no_onset() -> None:
    rate, places = 44_100, [0.3, 0.8]
    take = play(places, rate, level=3.0)
    clipped = np.clip(take.read(0, take.samples), -1, 1).astype(np.float32)
    candidates = find_candidates(take_from_array(clipped, rate))
    for i, place in enumerate(places):
        expected = round(place * rate) + onset_by_definition(dry_strike(rate, i), rate)
        assert found_near(candidates, expected, TOLERANCE_SECONDS * rate)


@settings(max_examples=10)
@given(power=st.integers(-8, 8), seed=st.integers(0, 20))
def test_level_changes_nothing_but_the_level(power: int, seed: int) -> None:
    take = play([0.1 + 0.01 * seed, 0.5, 0.9], 22_050)
    scaled = take_from_array(take.read(0, take.samples) * np.float32(2.0**power), take.sample_rate)
    plain, louder = find_candidates(take), find_candidates(scaled)
    assert [c.onset_samples for c in louder] == [c.onset_samples for c in plain]
    gains_db = [b.level_db - a.level_db for a, b in zip(plain, louder, strict=True)]
    np.testing.assert_allclose(gains_db, 20 * power * np.log10(2), atol=1e-6)


def test_progress_counts_every_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onsets, "BLOCK_SECONDS", 0.2)
    take = play([0.3], 8_000)
    done: list[int] = []
    find_candidates(take, done.append)
    assert sum(done) == take.samples
    assert len(done) > 1


def test_a_take_is_read_a_block_at_a_time() -> None:
    rate = 8_000
    longest = 0

    class Endless:
        def read(self, start_samples: int, stop_samples: int) -> Audio:
            nonlocal longest
            longest = max(longest, stop_samples - start_samples)
            return np.zeros((1, stop_samples - start_samples), np.float32)

    take = replace(play([], rate, seconds=0.1), samples=600 * rate, source=Endless())
    assert find_candidates(take) == []
    assert longest <= 13 * rate


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.sampled_from([8_000, 44_100]))
def test_smoothed_energy_is_a_running_mean_of_squares(values: list[float], rate: int) -> None:
    signal = np.array(values)
    width = round(0.0005 * rate)
    padded = np.pad(signal**2, (width, width))
    expected = [padded[width + i - (width - 1) // 2 :][:width].mean() for i in range(len(signal))]
    np.testing.assert_allclose(smoothed_energy(signal, rate), expected, atol=1e-12)
