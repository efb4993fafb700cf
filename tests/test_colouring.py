"""Drums and cymbals of another spectrum than they were recorded with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.hits import Piece
from datagen.kits.colouring import CURVE_DB, POINTS_HZ, Colouring, draw_colouring
from datagen.kits.strikes import Strike, make_strike
from datagen.kits.tuning import Tuning

RATE = 44_100


def blow(microphones: int = 2, samples: int = RATE // 2, sample_rate: int = RATE) -> Strike:
    """Noise that decays, a little later and softer in every further microphone."""
    noise = np.random.default_rng(3).standard_normal(samples) * np.exp(-np.arange(samples) / (0.05 * sample_rate))
    rows = [np.pad(noise, (40 + 60 * row, 0))[:samples] * 0.4 * 0.5**row for row in range(microphones)]
    return make_strike(np.array(rows), 0, sample_rate)


def test_the_spectrum_changes_by_the_curve_in_every_microphone_and_the_peak_stays() -> None:
    curve_db = np.array([6.0, -3.0, 0.0, 4.0, -6.0, 2.0, 5.0, -4.0])
    strike = blow()
    coloured = Colouring(tuple(curve_db)).applied(strike, RATE)
    frequencies = np.fft.rfftfreq(1 << 16, 1.0 / RATE)
    places = np.searchsorted(frequencies, POINTS_HZ)
    for before, after in zip(strike.audio, coloured.audio, strict=True):
        ratio_db = 20.0 * np.log10(np.abs(np.fft.rfft(after, 1 << 16)) / np.abs(np.fft.rfft(before, 1 << 16)))
        gains_db = np.array([ratio_db[place - 20 : place + 21].mean() for place in places])
        assert gains_db - gains_db.mean() == pytest.approx(curve_db - curve_db.mean(), abs=1.2)
    assert np.abs(coloured.audio[0]).max() == pytest.approx(np.abs(strike.audio[0]).max(), rel=1e-3)


def test_the_onset_stays() -> None:
    strike = blow()
    for one in draw_colouring(np.random.default_rng(5)).values():
        assert abs(one.applied(strike, RATE).onset_samples - strike.onset_samples) <= 2


@given(
    seed=st.integers(0, 1000),
    samples=st.integers(50, 9_000),
    sample_rate=st.sampled_from([8_000, 44_100, 96_000]),
    microphones=st.integers(1, 3),
)
def test_any_strike_can_be_coloured(seed: int, samples: int, sample_rate: int, microphones: int) -> None:
    strike = blow(microphones, samples, sample_rate)
    coloured = draw_colouring(np.random.default_rng(seed))[Piece.SNARE].applied(strike, sample_rate)
    assert len(coloured.audio) == microphones
    assert np.isfinite(coloured.audio).all()


def test_each_piece_has_a_curve_of_its_own() -> None:
    drawn = draw_colouring(np.random.default_rng(1))
    assert set(drawn) == set(Piece)
    curves_db = np.array([one.curve_db for one in drawn.values()])
    assert len(np.unique(curves_db, axis=0)) == len(Piece)
    assert curves_db.std() == pytest.approx(CURVE_DB, rel=0.2)


def test_a_tuning_colours_only_what_it_names() -> None:
    strike = blow()
    tuning = Tuning(colouring={Piece.KICK: Colouring((9.0,) + (0.0,) * (len(POINTS_HZ) - 1))})
    assert tuning.tuned(Piece.SNARE, strike, RATE) is strike
    assert not np.array_equal(tuning.tuned(Piece.KICK, strike, RATE).audio, strike.audio)
