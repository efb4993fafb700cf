"""Drums and cymbals that ring otherwise than they were recorded."""

import numpy as np
import pytest
from scipy.signal import butter, hilbert, sosfilt

from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray, seconds_to_samples
from datagen.kits.ringing import BLOW_SECONDS, MOST_LOUDER_DB, SETTLED_SECONDS, Ringing, draw_ringing
from datagen.kits.strikes import Strike, make_strike
from datagen.kits.synth_kit import onset_in_strike
from datagen.kits.tuning import Tuning

RATE = 44_100


def ringing_strike() -> Strike:
    """A low and a high tone that start at once and decay slowly, 90 samples later in the other microphone."""
    time = np.arange(RATE) / RATE
    tones = (np.sin(2.0 * np.pi * 100.0 * time) + np.sin(2.0 * np.pi * 8_000.0 * time)) * np.exp(-time / 0.2)
    return make_strike(np.array([tones, 0.5 * np.roll(tones, 90)]), 0, RATE)


def gain_db(changed: Strike, strike: Strike, low_hz: float, high_hz: float) -> FloatArray:
    """How much louder a band of the own microphone is, from the onset on, [samples]."""
    sections = butter(4, (low_hz, high_hz), "bandpass", fs=RATE, output="sos")
    samples = min(one.audio.shape[1] - one.onset_samples for one in (changed, strike))
    heard = (one.audio[0, one.onset_samples :][:samples].astype(np.float64) for one in (changed, strike))
    after, before = (np.abs(hilbert(sosfilt(sections, audio))) for audio in heard)
    return np.asarray(20.0 * np.log10(after / before))


@pytest.mark.parametrize("decay_db_per_second", [-80.0, -20.0, 12.0, 40.0])
def test_a_drum_rings_as_much_shorter_or_longer_as_asked(decay_db_per_second: float) -> None:
    strike = ringing_strike()
    rung = Ringing(decay_db_per_second=decay_db_per_second).rung(strike, RATE)
    assert rung.onset_samples == onset_in_strike(rung.audio[0].astype(np.float64), RATE)
    for seconds in (0.1, 0.3):
        wanted_db = min(decay_db_per_second * seconds, MOST_LOUDER_DB)
        assert gain_db(rung, strike, 50.0, 200.0)[round(seconds * RATE)] == pytest.approx(wanted_db, abs=0.6)


def test_a_swell_leaves_the_blow_and_what_lies_lower() -> None:
    strike = ringing_strike()
    rung = Ringing(swell_db=6.0, swell_hz=20.0, above_hz=900.0).rung(strike, RATE)
    blow = strike.onset_samples + seconds_to_samples(BLOW_SECONDS, RATE)
    np.testing.assert_allclose(rung.audio[:, :blow], strike.audio[:, :blow], atol=1e-6)
    settled = slice(seconds_to_samples(SETTLED_SECONDS, RATE), round(0.4 * RATE))
    high_db, low_db = gain_db(rung, strike, 7_000.0, 9_000.0), gain_db(rung, strike, 50.0, 200.0)
    assert high_db[settled].max() == pytest.approx(6.0, abs=0.5)
    assert high_db[settled].min() == pytest.approx(-6.0, abs=1.0)
    assert np.abs(low_db[settled]).max() < 1.0
    rises = np.flatnonzero((high_db[settled][:-1] < 0.0) & (high_db[settled][1:] >= 0.0))
    assert np.diff(rises).mean() == pytest.approx(RATE / 20.0, rel=0.05)


def test_ringing_is_drawn_for_each_piece_by_itself_and_leaves_some_as_recorded() -> None:
    drawn = [ringing for seed in range(20) for ringing in draw_ringing(np.random.default_rng(seed)).values()]
    strike = ringing_strike()
    same = [ringing.rung(strike, RATE) is strike for ringing in drawn]
    assert 0.05 < np.mean(same) < 0.35
    assert len({ringing.swell_hz for ringing in drawn}) == len(drawn)
    assert any(ringing.above_hz for ringing in drawn) and not all(ringing.above_hz for ringing in drawn)
    tuned = Tuning(ringing={Piece.SNARE: Ringing(decay_db_per_second=-40.0)})
    assert tuned.tuned(Piece.KICK, strike, RATE) is strike
    assert tuned.tuned(Piece.SNARE, strike, RATE).audio.shape[1] < strike.audio.shape[1]
