"""Tempi that wander are followed, steady ones left alone."""

from itertools import pairwise

import numpy as np
import pytest

from beatnet_align.beat_following import estimate_beats, follow_beats
from beatnet_align.hits import Hit, Piece
from beatnet_align.tempo_estimate import estimate_tempo
from beatnet_align.units import FloatArray

RATE = 44_100
BEATS = 96


def beat_times(ramp: float, bpm: float = 110.0) -> FloatArray:
    """Beats of a player who becomes faster by ``ramp`` until the end, in seconds from 1 s on."""
    bpms = bpm * (1.0 + ramp * np.arange(BEATS) / BEATS)
    return np.asarray(1.0 + np.concatenate([[0.0], np.cumsum(60.0 / bpms)]))


def rock(beats: FloatArray, jitter_seconds: float = 0.006) -> list[Hit]:
    """Kick and snare on the beats, hats on the 8ths, each a little off."""
    rng = np.random.default_rng(0)
    struck = [(time, Piece.SNARE if i % 2 else Piece.KICK, 0.9) for i, time in enumerate(beats)]
    for first, second in pairwise(beats):
        struck += [(first, Piece.HIHAT_CLOSED, 0.5), ((first + second) / 2.0, Piece.HIHAT_CLOSED, 0.4)]
    return sorted(
        Hit(round((time + rng.normal(0.0, jitter_seconds)) * RATE), 0, piece, velocity, 1.0)
        for time, piece, velocity in struck
    )


@pytest.mark.parametrize("ramp", [-0.08, 0.08])
def test_a_tempo_that_changes_is_followed(ramp: float) -> None:
    beats = beat_times(ramp)
    hits = rock(beats)
    constant = estimate_tempo(hits, RATE)
    followed = estimate_beats(hits, RATE)
    assert followed.fit > constant.fit + 0.1
    assert "followed the drummer" in followed.assumptions[0]
    times = followed.tempo_map.to_seconds(np.arange(-8.0, BEATS + 8.0))
    nearest = np.abs(beats[:, None] - times).min(axis=1)
    assert np.median(nearest) < 0.01
    assert (nearest < 0.03).mean() > 0.95


def test_a_steady_tempo_stays_constant() -> None:
    hits = rock(beat_times(0.0))
    assert estimate_beats(hits, RATE) == estimate_tempo(hits, RATE)
    assert estimate_beats(hits, RATE).tempo_map.bpm_at(0.0) == pytest.approx(110.0, abs=0.3)


def test_hits_without_any_beat_keep_the_constant_estimate() -> None:
    rng = np.random.default_rng(2)
    hits = sorted(Hit(int(at * RATE), 0, Piece.SNARE, 0.8, 1.0) for at in rng.uniform(0.0, 3.0, 12))
    assert len(estimate_beats(hits, RATE).tempo_map.tempi) == 1


def test_followed_beats_rise_and_cover_the_take() -> None:
    beats = beat_times(0.05)
    followed = follow_beats(beats, np.ones(len(beats)), 60.0 / 112.0)
    assert (np.diff(followed) > 0.0).all()
    assert followed[0] < beats[0] + 0.7 and followed[-1] > beats[-1] - 0.7
