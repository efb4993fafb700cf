"""Drums and cymbals that ring otherwise than they were recorded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, hilbert, sosfilt

from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray, seconds_to_samples
from datagen.kits.ringing import BLOW_SECONDS, MOST_LOUDER_DB, SETTLED_SECONDS, Ringing, draw_ringing
from datagen.kits.strikes import Strike, make_strike
from datagen.kits.synth_kit import onset_in_strike
from datagen.kits.tuning import Tuning

RATE = 44_100
LATER_SAMPLES = 90


def ringing_strike(seconds: float = 1.0, sample_rate: int = RATE, microphones: int = 2) -> Strike:
    """A low and a high tone that start together and decay slowly, later and softer in every further microphone."""
    time = np.arange(seconds_to_samples(seconds, sample_rate)) / sample_rate
    high_hz = min(8_000.0, 0.3 * sample_rate)
    tones = (np.sin(2.0 * np.pi * 100.0 * time) + np.sin(2.0 * np.pi * high_hz * time)) * np.exp(-time / 0.2)
    rows = [np.pad(tones, (LATER_SAMPLES * row, 0))[: len(tones)] * 0.5**row for row in range(microphones)]
    return make_strike(np.array(rows), 0, sample_rate)


def gains_db(changed: Strike, strike: Strike, low_hz: float, high_hz: float) -> FloatArray:
    """How much louder a band of every microphone is, from the onset on: [microphones, samples]."""
    sections = butter(4, (low_hz, high_hz), "bandpass", fs=RATE, output="sos")
    samples = min(one.audio.shape[1] - one.onset_samples for one in (changed, strike))
    heard = (one.audio[:, one.onset_samples :][:, :samples].astype(np.float64) for one in (changed, strike))
    after, before = (np.abs(hilbert(sosfilt(sections, audio))) for audio in heard)
    return np.asarray(20.0 * np.log10((after + 1e-9) / (before + 1e-9)))


@pytest.mark.parametrize("decay_db_per_second", [-80.0, -20.0, 12.0, 40.0])
def test_a_drum_rings_as_much_shorter_or_longer_as_asked(decay_db_per_second: float) -> None:
    strike = ringing_strike()
    changed = Ringing(decay_db_per_second=decay_db_per_second).applied(strike, RATE)
    assert changed.onset_samples == onset_in_strike(changed.audio[0].astype(np.float64), RATE)
    for seconds in (0.1, 0.3):
        wanted_db = min(decay_db_per_second * seconds, MOST_LOUDER_DB)
        found_db = gains_db(changed, strike, 50.0, 200.0)[:, seconds_to_samples(seconds, RATE)]
        assert found_db == pytest.approx(wanted_db, abs=0.6)


@pytest.mark.parametrize("above_hz", [0.0, 900.0])
def test_modulation_leaves_the_blow_and_what_lies_lower(above_hz: float) -> None:
    strike = ringing_strike()
    changed = Ringing(depth_db=6.0, rate_hz=20.0, above_hz=above_hz).applied(strike, RATE)
    blow = strike.onset_samples + seconds_to_samples(BLOW_SECONDS, RATE)
    np.testing.assert_allclose(changed.audio[:, :blow], strike.audio[:, :blow], atol=1e-6)
    settled = slice(seconds_to_samples(SETTLED_SECONDS, RATE), seconds_to_samples(0.4, RATE))
    high_db = gains_db(changed, strike, 7_000.0, 9_000.0)[:, settled]
    low_db = gains_db(changed, strike, 50.0, 200.0)[:, settled]
    assert high_db.max(axis=1) == pytest.approx(6.0, abs=0.5)
    assert high_db.min(axis=1) == pytest.approx(-6.0, abs=1.0)
    assert (np.abs(low_db).max() < 1.0) == (above_hz > 0.0)
    rises = np.flatnonzero((high_db[0, :-1] < 0.0) & (high_db[0, 1:] >= 0.0))
    assert np.diff(rises).mean() == pytest.approx(RATE / 20.0, rel=0.05)


@given(
    seed=st.integers(0, 1000),
    seconds=st.floats(0.002, 0.2),
    sample_rate=st.sampled_from([8_000, 44_100, 96_000]),
    microphones=st.integers(1, 3),
)
def test_any_strike_can_ring_otherwise(seed: int, seconds: float, sample_rate: int, microphones: int) -> None:
    strike = ringing_strike(seconds, sample_rate, microphones)
    for ringing in (*draw_ringing(np.random.default_rng(seed)).values(), Ringing(depth_db=6.0, above_hz=sample_rate)):
        changed = ringing.applied(strike, sample_rate)
        assert len(changed.audio) == microphones
        assert np.isfinite(changed.audio).all()
        assert abs(changed.onset_samples - strike.onset_samples) < seconds_to_samples(BLOW_SECONDS, sample_rate)


def test_what_lies_before_the_onset_stays() -> None:
    late = np.pad(ringing_strike().audio, ((0, 0), (seconds_to_samples(0.1, RATE), 0)))
    strike = make_strike(late, 0, RATE)
    changed = Ringing(decay_db_per_second=-40.0, depth_db=6.0).applied(strike, RATE)
    assert strike.onset_samples > 0
    assert changed.onset_samples == strike.onset_samples


def test_ringing_is_drawn_for_each_piece_by_itself_and_leaves_some_as_recorded() -> None:
    drawn = [ringing for seed in range(20) for ringing in draw_ringing(np.random.default_rng(seed)).values()]
    strike = ringing_strike()
    same = [ringing.applied(strike, RATE) is strike for ringing in drawn]
    assert 0.08 < np.mean(same) < 0.25
    assert len({ringing.rate_hz for ringing in drawn}) == len(drawn)
    assert any(ringing.above_hz for ringing in drawn) and not all(ringing.above_hz for ringing in drawn)
    tuned = Tuning(ringing={Piece.SNARE: Ringing(decay_db_per_second=-40.0)})
    assert tuned.tuned(Piece.KICK, strike, RATE) is strike
    assert tuned.tuned(Piece.SNARE, strike, RATE).audio.shape[1] < strike.audio.shape[1]
