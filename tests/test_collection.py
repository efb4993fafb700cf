"""One hit per strike, on the microphone of the piece that was struck, whatever the others hear of it."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align import collection
from beatnet_align.collection import OnsetSettings, find_hits, trigger_channels
from beatnet_align.errors import InputError
from beatnet_align.hits import Hit, Piece
from beatnet_align.onsets import find_candidates
from beatnet_align.take import Take, take_from_array
from beatnet_align.units import FloatArray

RATE = 44_100
CHANNELS = ("kick", "snare", "hihat", "overhead")
KICK, SNARE, HIHAT, OVERHEAD = range(4)

BLEED_DB = np.array(
    [
        [0.0, -22.0, -25.0, -14.0],
        [-18.0, 0.0, -14.0, -10.0],
        [-25.0, -16.0, 0.0, -12.0],
    ]
)
"""[piece, microphone]."""

DELAY_SECONDS = np.array(
    [
        [0.0, 0.0018, 0.0024, 0.0040],
        [0.0018, 0.0, 0.0010, 0.0032],
        [0.0024, 0.0010, 0.0, 0.0025],
    ]
)
"""[piece, microphone]."""


@dataclass(frozen=True)
class Strike:
    """What the drummer does."""

    seconds: float
    piece: int
    velocity: float = 1.0


def sound(piece: int, rng: np.random.Generator) -> FloatArray:
    """[samples]: a sine that drops for the kick, sine and noise for the snare, bright noise for the hi-hat."""
    seconds = np.arange(round(0.3 * RATE)) / RATE
    noise = rng.standard_normal(len(seconds))
    if piece == KICK:
        click = noise * np.exp(-seconds / 0.002)
        drum = np.sin(2 * np.pi * (60 * seconds + 2 * (1 - np.exp(-seconds / 0.02)))) * np.exp(-seconds / 0.08)
        dry = drum + 0.3 * click
    elif piece == SNARE:
        dry = 0.5 * np.sin(2 * np.pi * 190 * seconds) * np.exp(-seconds / 0.03) + 0.3 * noise * np.exp(-seconds / 0.03)
    else:
        dry = np.diff(noise, prepend=0.0) * np.exp(-seconds / 0.03)
    dry *= np.minimum(1.0, seconds / 0.0005)
    return np.asarray(0.5 * dry / np.abs(dry).max())


def play(strikes: list[Strike], seconds: float, seed: int = 0) -> Take:
    """Four microphones in one room, with noise at −80 dB."""
    rng = np.random.default_rng(seed)
    audio = 1e-4 * rng.standard_normal((4, round((seconds + 0.5) * RATE)))
    for strike in strikes:
        dry = strike.velocity * sound(strike.piece, rng)
        for microphone in range(4):
            start = round((strike.seconds + DELAY_SECONDS[strike.piece, microphone]) * RATE)
            audio[microphone, start : start + len(dry)] += dry * 10 ** (BLEED_DB[strike.piece, microphone] / 20)
    return take_from_array(audio.astype(np.float32), RATE, CHANNELS)


def groove(bars: int = 4, seed: int = 1) -> list[Strike]:
    """Kick on 1 and 3, snare on 2 and 4, hats on eighths between them, at 100 BPM, a few ms off."""
    rng = np.random.default_rng(seed)
    strikes = []
    for eighth in range(8 * bars):
        piece = {0: KICK, 2: SNARE, 4: KICK, 6: SNARE}.get(eighth % 8, HIHAT)
        off_seconds = rng.uniform(-0.008, 0.008)
        strikes.append(Strike(0.5 + eighth * 0.3 + off_seconds, piece, rng.uniform(0.7, 1.0)))
    return strikes


def as_pairs(hits: list[Hit]) -> list[tuple[float, int]]:
    return [(hit.onset_samples / RATE, hit.channel) for hit in hits]


def assert_heard(hits: list[Hit], strikes: list[Strike], tolerance_seconds: float = 0.001) -> None:
    """One hit a strike, on its own channel."""
    wanted = sorted(strikes, key=lambda strike: strike.seconds)
    assert [channel for _, channel in as_pairs(hits)] == [strike.piece for strike in wanted]
    deviations = [seconds - strike.seconds for (seconds, _), strike in zip(as_pairs(hits), wanted, strict=True)]
    np.testing.assert_allclose(deviations, 0.0, atol=tolerance_seconds)


@pytest.mark.parametrize("seed", range(4))
def test_every_strike_is_one_hit_on_its_own_microphone(seed: int) -> None:
    strikes = groove(seed=seed)
    assert_heard(find_hits(play(strikes, 11.0, seed)), strikes)


def test_pieces_are_named_by_their_microphones() -> None:
    pieces = {hit.channel: hit.piece for hit in find_hits(play(groove(), 11.0))}
    assert pieces == {KICK: Piece.KICK, SNARE: Piece.SNARE, HIHAT: Piece.HIHAT_CLOSED}


@pytest.mark.parametrize("spread_seconds", [0.015, 0.02, 0.03])
@pytest.mark.parametrize("first", [KICK, SNARE])
def test_both_strokes_of_a_flam_survive(first: int, spread_seconds: float) -> None:
    second = SNARE if first == KICK else KICK
    flams = [Strike(0.5 + 0.6 * i + d, p) for i in range(8) for d, p in ((0.0, first), (spread_seconds, second))]
    assert_heard(find_hits(play(flams, 6.0)), flams, tolerance_seconds=0.002)


def test_a_roll_is_heard_stroke_by_stroke() -> None:
    roll = [Strike(0.5 + 0.06 * i, SNARE, 0.8 + 0.2 * (i % 2)) for i in range(20)]
    assert_heard(find_hits(play(roll, 2.0)), roll)


def test_a_microphone_whose_piece_is_not_played_has_no_hits() -> None:
    strikes = groove()
    take = play(strikes, 11.0)
    audio = take.read(0, take.samples)
    tom = 0.15 * np.roll(audio[SNARE], round(0.0015 * RATE)) + 0.1 * np.roll(audio[KICK], round(0.0012 * RATE))
    with_tom = take_from_array(np.vstack([audio, tom[None]]).astype(np.float32), RATE, [*CHANNELS, "tom 1"])
    assert_heard(find_hits(with_tom), strikes)


def test_triggers_restrict_who_may_trigger() -> None:
    strikes = groove()
    take = play(strikes, 11.0)
    hits = find_hits(take, OnsetSettings(triggers=("snare",)))
    assert {hit.channel for hit in hits} == {SNARE}
    backbeats = [strike.seconds for strike in strikes if strike.piece == SNARE]
    seconds = np.array([seconds for seconds, _ in as_pairs(hits)])
    assert all(np.abs(seconds - backbeat).min() < 0.001 for backbeat in backbeats)


def test_an_unknown_trigger_is_refused_with_the_choices() -> None:
    take = play([], 0.1)
    with pytest.raises(InputError, match="'snair'; the channels are kick, snare, hihat, overhead"):
        find_hits(take, OnsetSettings(triggers=("snair",)))


def test_a_click_triggers_only_on_request() -> None:
    take = take_from_array(np.zeros((2, 100), np.float32), RATE, ["kick", "click"])
    assert trigger_channels(take, OnsetSettings()) == {0}
    assert trigger_channels(take, OnsetSettings(triggers=("click",))) == {1}


def test_more_sensitivity_finds_no_fewer_hits() -> None:
    strikes = [Strike(0.5 + 0.25 * i, SNARE, 10 ** (-1.5 * i / 20)) for i in range(24)]
    take = play(strikes, 6.5)
    counts = [len(find_hits(take, OnsetSettings(sensitivity=s))) for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert all(more >= fewer - 1 for fewer, more in pairwise(counts))
    assert counts[-1] >= counts[0] > 0


@pytest.mark.parametrize("samples", [1, 10, 5_000])
def test_nobody_plays_in_silence(samples: int) -> None:
    assert find_hits(take_from_array(np.zeros((3, samples), np.float32), RATE)) == []


@settings(max_examples=5)
@given(power=st.integers(-10, 4), seed=st.integers(0, 3))
def test_level_decides_nothing(power: int, seed: int) -> None:
    take = play(groove(1, seed), 3.0, seed)
    scaled = take_from_array(take.read(0, take.samples) * np.float32(2.0**power), RATE, CHANNELS)
    assert find_hits(scaled) == find_hits(take)


def test_soft_strokes_are_less_salient_and_less_fast() -> None:
    strikes = [Strike(0.5 + 0.3 * i, SNARE, 1.0 if i % 2 else 0.3) for i in range(12)]
    hits = find_hits(play(strikes, 4.5))
    assert_heard(hits, strikes)
    soft, firm = hits[0::2], hits[1::2]
    assert max(hit.velocity for hit in soft) < min(hit.velocity for hit in firm)
    assert max(hit.salience for hit in soft) < min(hit.salience for hit in firm)


@given(
    sensitivity=st.floats(allow_nan=True).filter(lambda value: not 0.0 <= value <= 1.0),
)
def test_sensitivity_has_a_range(sensitivity: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        OnsetSettings(sensitivity=sensitivity)


@pytest.mark.parametrize("seconds", [0.0, -0.001, 0.0121, float("nan")])
def test_the_merge_window_leaves_flams_alone(seconds: float) -> None:
    with pytest.raises(InputError, match="at most 12 ms"):
        OnsetSettings(merge_window_seconds=seconds)


def test_a_kick_microphone_that_hears_only_the_snare_has_no_hits() -> None:
    strikes = [Strike(0.5 + 0.4 * i, SNARE, 1.0 - 0.05 * (i % 3)) for i in range(12)]
    assert_heard(find_hits(play(strikes, 5.5)), strikes)


def test_what_is_timed_past_the_end_is_no_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    audio = 1e-4 * rng.standard_normal((1, RATE))
    audio[0, 20_000:30_000] += sound(SNARE, rng)[:10_000]
    take = take_from_array(audio.astype(np.float32), RATE, ["snare"])
    real = find_candidates(take, lambda _: None)
    assert len(find_hits(take)) == 1
    for onset_samples in (-1, RATE, RATE + 2):
        late = sorted([*real, replace(real[0], onset_samples=onset_samples)], key=lambda one: one.onset_samples)
        monkeypatch.setattr(collection, "find_candidates", lambda _take, _progress, late=late: late)
        assert all(0 <= hit.onset_samples < RATE for hit in find_hits(take))
        assert find_hits(take)
