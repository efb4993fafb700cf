"""Tempo estimation on made-up performances whose tempo is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.hits import Hit, Piece
from beatnet_align.tempo_estimate import estimate_first_beat, estimate_tempo

RATE = 48_000
ROCK = ((Piece.KICK, (0.0, 2.0, 2.5), 0.9), (Piece.SNARE, (1.0, 3.0), 0.9), (Piece.HIHAT_CLOSED, np.arange(8) / 2, 0.5))


def rock(
    bpm: float, first_beat_seconds: float, bars: int = 16, jitter_seconds: float = 0.0, seed: int = 0
) -> list[Hit]:
    """Eighth-note rock, 4/4."""
    rng = np.random.default_rng(seed)
    hits = []
    for bar in range(bars):
        for piece, beats, velocity in ROCK:
            for beat in beats:
                seconds = first_beat_seconds + (4 * bar + beat) * 60 / bpm + rng.normal(0, jitter_seconds)
                hits.append(Hit(round(seconds * RATE), 0, piece, velocity, 1.0))
    return hits


@settings(max_examples=15, deadline=None)
@given(st.floats(80, 150), st.floats(0.1, 150), st.integers(0, 99))
def test_tempo_and_downbeat_of_a_jittered_groove(bpm: float, first_beat_seconds: float, seed: int) -> None:
    estimate = estimate_tempo(rock(bpm, first_beat_seconds, jitter_seconds=0.008, seed=seed), RATE)
    assert estimate.tempo_map.bpm_at(0.0) == pytest.approx(bpm, rel=0.001)
    assert estimate.tempo_map.first_beat_seconds == pytest.approx(first_beat_seconds, abs=0.02)
    assert estimate.warnings == ()


@settings(max_examples=10, deadline=None)
@given(st.floats(45, 240), st.floats(-0.15, 0.15))
def test_a_hint_settles_the_octave(bpm: float, wrong: float) -> None:
    estimate = estimate_tempo(rock(bpm, 3.0), RATE, bpm_hint=bpm * (1 + wrong))
    assert estimate.tempo_map.bpm_at(0.0) == pytest.approx(bpm, rel=0.001)


@settings(max_examples=10, deadline=None)
@given(st.floats(60, 200), st.floats(0, 300))
def test_the_first_beat_when_the_tempo_is_known(bpm: float, first_beat_seconds: float) -> None:
    estimate = estimate_first_beat(rock(bpm, first_beat_seconds, bars=8), RATE, bpm)
    assert estimate.tempo_map.bpm_at(0.0) == bpm
    beats_off = (estimate.tempo_map.first_beat_seconds - first_beat_seconds) * bpm / 60
    assert estimate.tempo_map.first_beat_seconds >= 0
    assert beats_off == pytest.approx(4.0 if beats_off > 2 else 0.0, abs=0.01)  # a bar on if at the very start


def test_the_assumptions_are_said() -> None:
    estimate = estimate_tempo(rock(96, 1.013), RATE)
    assert estimate.assumptions[0].startswith("assumed constant tempo 96 BPM")
    assert estimate.assumptions[1].startswith("first beat at 1.013 s")
    assert estimate.fit > 0.95
    assert estimate_tempo(rock(96.4, 1.0, bars=32), RATE).assumptions[0] == "assumed constant tempo 96.40 BPM"


def test_the_first_beat_is_in_the_take() -> None:
    hits = [hit for hit in rock(120, 0.0) if hit.onset_samples >= RATE]  # the recording begins on beat 3
    late = [Hit(hit.onset_samples - RATE + 100, 0, hit.piece, hit.velocity, 1.0) for hit in hits]
    assert estimate_tempo(late, RATE).tempo_map.first_beat_seconds >= 0


def test_poor_fits_are_warned_of() -> None:
    rng = np.random.default_rng(0)
    chaos = [Hit(int(at), 0, Piece.SNARE, 0.8, 1.0) for at in rng.uniform(0, 60 * RATE, 300)]
    assert "poorly" in estimate_tempo(chaos, RATE).warnings[0]
    drifting = [
        Hit(round((hit.onset_samples / RATE) ** 1.03 * RATE), 0, hit.piece, hit.velocity, 1.0)
        for hit in rock(110, 1.0, 40)
    ]
    assert "poorly" in estimate_tempo(drifting, RATE).warnings[0]
    assert "only 4 hits" in estimate_tempo(rock(110, 1.0)[3:7], RATE).warnings[0]


def test_what_cannot_be_estimated() -> None:
    for hits in ([], rock(100, 1.0)[:1], rock(100, 1.0)[:1] * 5):
        with pytest.raises(InputError, match="give the tempo with --bpm"):
            estimate_tempo(hits, RATE)
    with pytest.raises(InputError, match="tempo out of range"):
        estimate_tempo(rock(100, 1.0), RATE, bpm_hint=1000)
    with pytest.raises(InputError, match="tempo out of range"):
        estimate_first_beat([], RATE, 5)
    assert estimate_first_beat([], RATE, 120).warnings == ("found no hits",)
