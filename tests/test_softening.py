"""Drums that set in more slowly than they were recorded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.hits import Piece
from beatnet_align.onset_timing import smoothed_energy
from beatnet_align.units import FloatArray
from datagen.kits.softening import RISES_SECONDS, Softening, draw_softening
from datagen.kits.strikes import Strike, make_strike
from datagen.kits.synth_pieces import synthesise_kit
from datagen.kits.tuning import Tuning

RATE = 44_100


def blow(microphones: int = 2, samples: int = RATE // 4, sample_rate: int = RATE) -> Strike:
    """Noise that is loudest at once, later and softer in every further microphone."""
    noise = np.random.default_rng(3).standard_normal(samples) * np.exp(-np.arange(samples) / (0.1 * sample_rate))
    rows = [np.pad(noise, (60 * row, 0))[:samples] * 0.2 * 0.5**row for row in range(microphones)]
    return make_strike(np.array(rows), 0, sample_rate)


def envelope(strike: Strike, row: int) -> FloatArray:
    return np.asarray(np.abs(strike.audio[row, strike.onset_samples :]).astype(np.float64))


@pytest.mark.parametrize("row", [0, 1])
def test_the_level_rises_as_told_from_when_a_microphone_hears_it(row: int) -> None:
    strike, rise_seconds = blow(), 0.006
    softened = Softening(rise_seconds, rise_seconds, 1_000.0).applied(strike, RATE)
    first = 60 * row
    late = int(5 * rise_seconds * RATE)  # where the rise is over, the strike is what it was, but for its gain
    gain = envelope(softened, row)[late : late + 500].sum() / envelope(strike, row)[late : late + 500].sum()
    for share in (0.5, 1.0, 2.0):
        place = first + round(share * rise_seconds * RATE)
        around = slice(place - 30, place + 30)
        ratio = envelope(softened, row)[around].sum() / envelope(strike, row)[around].sum() / gain
        assert ratio == pytest.approx(1.0 - np.exp(-share), abs=0.12)


def test_treble_can_come_later_than_the_boom() -> None:
    kick = synthesise_kit(1, RATE).strikes[Piece.KICK][-1][0]
    softened = Softening(0.0005, 0.008, 1_000.0).applied(kick, RATE)

    def treble_peak_seconds(strike: Strike) -> float:
        row = strike.audio[strike.own_microphone].astype(np.float64)
        energy = smoothed_energy(np.diff(row, n=2), RATE)
        return float(np.argmax(energy) - strike.onset_samples) / RATE

    assert treble_peak_seconds(softened) > treble_peak_seconds(kick)
    assert np.abs(softened.audio).max() == pytest.approx(np.abs(kick.audio).max(), rel=1e-3)


@given(
    seed=st.integers(0, 1000),
    samples=st.integers(50, 9_000),
    sample_rate=st.sampled_from([8_000, 44_100, 96_000]),
    microphones=st.integers(1, 3),
)
def test_any_strike_can_be_softened(seed: int, samples: int, sample_rate: int, microphones: int) -> None:
    strike = blow(microphones, samples, sample_rate)
    for softening in draw_softening(np.random.default_rng(seed)).values():
        softened = softening.applied(strike, sample_rate)
        assert len(softened.audio) == microphones
        assert np.isfinite(softened.audio).all()
        assert softened.onset_samples >= 0


def test_a_microphone_that_hears_nothing_stays_silent() -> None:
    strike = make_strike(np.stack([blow(1).audio[0], np.zeros_like(blow(1).audio[0])]), 0, RATE)
    assert not Softening(0.002, 0.002, 1_000.0).applied(strike, RATE).audio[1].any()


def test_drums_are_drawn_each_by_itself_and_cymbals_never() -> None:
    drawn = [draw_softening(np.random.default_rng(seed)) for seed in range(100)]
    counts = {piece: sum(piece in one for one in drawn) for piece in Piece}
    assert all(50 < counts[piece] < 90 for piece in RISES_SECONDS)
    assert not any(counts[piece] for piece in set(Piece) - set(RISES_SECONDS))
    rises = [one[Piece.KICK].rise_seconds for one in drawn if Piece.KICK in one]
    low, high = RISES_SECONDS[Piece.KICK]
    assert low <= min(rises) < 2 * low and 0.5 * high < max(rises) <= high


def test_a_tuning_softens_only_what_it_names() -> None:
    strike = blow()
    tuning = Tuning(softening={Piece.KICK: Softening(0.004, 0.004, 1_000.0)})
    assert tuning.tuned(Piece.SNARE, strike, RATE) is strike
    assert not np.array_equal(tuning.tuned(Piece.KICK, strike, RATE).audio, strike.audio)
