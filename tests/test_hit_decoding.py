"""Decoding HitNet's outputs: what is drawn into them is read back, flams and pieces struck together included."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from beatnet_align.hit_decoding import LEAP_FRAMES, FoundHit, Thresholds, decode, logit, peaks, sigmoid
from beatnet_align.hit_features import FRAME_SECONDS
from beatnet_align.hit_outputs import (
    CHANNEL_ROWS,
    GROUP,
    GROUP_OF_PIECE,
    GROUP_OFFSET,
    HIT,
    HIT_OFFSET,
    OWN,
    PIECE,
    PIECE_GROUPS,
    PIECES,
    TAKE_ROWS,
    VELOCITY,
)
from beatnet_align.hits import Piece
from beatnet_align.units import Float32Array
from models.hit_targets import bumps

Struck = tuple[float, Piece, int, float]
"""Onset in frames, piece, channel, velocity."""

GROUPS, CHANNELS = len(PIECE_GROUPS), 5
LOWEST = -9.0
SHARED_FRAMES = 0.35
"""Pieces struck closer together than this share one time."""

pieces = st.sampled_from(PIECES)
struck = st.tuples(st.floats(3.5, 12.0), pieces, st.integers(0, CHANNELS - 1), st.floats(0.05, 0.95))


def log_odds(probability: Float32Array) -> Float32Array:
    inside = np.clip(probability, 1e-4, 1.0 - 1e-4)
    return np.asarray(np.log(inside / (1.0 - inside)), np.float32)


def drawn(hits: list[Struck], frames: int) -> tuple[Float32Array, Float32Array]:
    """What a network that knows the hits would say, in the shapes that :func:`decode` takes."""
    take = np.zeros((TAKE_ROWS, frames), np.float32)
    channels = np.full((CHANNELS, CHANNEL_ROWS, frames), LOWEST, np.float32)
    value, offset = bumps(onsets_of(hits), frames)
    take[HIT], take[HIT_OFFSET] = log_odds(value), np.nan_to_num(offset)
    for group in range(GROUPS):
        value, offset = bumps(onsets_of([hit for hit in hits if GROUP_OF_PIECE[hit[1]] == group]), frames)
        take[GROUP][group], take[GROUP_OFFSET][group] = log_odds(value), np.nan_to_num(offset)
    for onset, piece, channel, velocity in hits:
        group, near = GROUP_OF_PIECE[piece], np.abs(np.arange(frames) + 0.5 - onset) <= 1.1
        take[VELOCITY][group, near] = logit(velocity)
        take[PIECE][PIECES.index(piece), near] = 4.0
        channels[channel, OWN][group, near] = 2.0
    return take, channels


def onsets_of(hits: list[Struck]) -> Float32Array:
    return np.array([hit[0] for hit in hits], np.float32)


def in_order(hits: list[Struck]) -> list[Struck]:
    """The same with gaps instead of onsets made into onsets."""
    onsets = np.cumsum([hit[0] for hit in hits])
    return [(float(onset), *hit[1:]) for onset, hit in zip(onsets, hits, strict=True)]


def noise(seed: int, frames: int = 60) -> tuple[Float32Array, Float32Array]:
    rng = np.random.default_rng(seed)
    take, channels = rng.normal(size=(TAKE_ROWS, frames)), rng.normal(size=(CHANNELS, CHANNEL_ROWS, frames))
    return take.astype(np.float32), channels.astype(np.float32)


@given(gaps=st.lists(struck, max_size=12), more=st.integers(2, 9))
def test_what_is_drawn_is_read_back(gaps: list[Struck], more: int) -> None:
    hits = in_order(gaps)
    frames = int(hits[-1][0] if hits else 0) + more
    found = decode(*drawn(hits, frames), Thresholds())
    assert [(one.piece, one.group, one.channel) for one in found] == [
        (piece, GROUP_OF_PIECE[piece], channel) for _, piece, channel, _ in hits
    ]
    np.testing.assert_allclose([one.onset_frames for one in found], onsets_of(hits), atol=1e-3)
    np.testing.assert_allclose([one.velocity for one in found], [hit[3] for hit in hits], atol=1e-4)


@given(start=st.floats(2.0, 5.0), gap_ms=st.floats(12.0, 40.0), first=pieces, second=pieces)
def test_both_strokes_of_a_flam_are_found(start: float, gap_ms: float, first: Piece, second: Piece) -> None:
    gap_frames = gap_ms / 1_000.0 / FRAME_SECONDS
    same_group = GROUP_OF_PIECE[first] == GROUP_OF_PIECE[second]
    hits: list[Struck] = [(start, first, 0, 0.4), (start + gap_frames, first if same_group else second, 1, 0.8)]
    found = decode(*drawn(hits, 20), Thresholds())
    assert [one.group for one in found] == [GROUP_OF_PIECE[hit[1]] for hit in hits]
    np.testing.assert_allclose([one.onset_frames for one in found], onsets_of(hits), atol=1e-3)


@given(start=st.floats(2.0, 5.0), gap=st.floats(0.0, 4.0), first=pieces, second=pieces)
def test_pieces_struck_nearly_together_are_hits_of_their_own(
    start: float, gap: float, first: Piece, second: Piece
) -> None:
    assume(GROUP_OF_PIECE[first] != GROUP_OF_PIECE[second])
    hits: list[Struck] = [(start, first, 0, 0.4), (start + gap, second, 1, 0.8)]
    hits_found = decode(*drawn(hits, 20), Thresholds())
    found = {one.piece: one for one in hits_found}
    assert len(hits_found) == len(found)
    assert set(found) == {first, second}
    error = (gap if gap < SHARED_FRAMES else 0.0) + 1e-3
    for onset, piece, channel, _ in hits:
        assert found[piece].channel == channel
        assert found[piece].onset_frames == pytest.approx(onset, abs=error)


def test_pieces_struck_at_once_share_their_time() -> None:
    hits: list[Struck] = [(7.3, Piece.KICK, 0, 0.9), (7.3, Piece.CRASH, 2, 0.7), (7.3, Piece.SNARE, 1, 0.2)]
    found = decode(*drawn(hits, 15), Thresholds())
    assert [one.piece for one in found] == [Piece.KICK, Piece.SNARE, Piece.CRASH]
    assert len({one.onset_frames for one in found}) == 1


@given(struck=st.lists(st.integers(0, 59), max_size=3), seed=st.integers(0, 99))
def test_a_leap_counts_once_and_only_where_nothing_was_found(struck: list[int], seed: int) -> None:
    take, channels = noise(seed)
    take[HIT] = LOWEST
    take[[HIT_OFFSET]] = 0.0
    leaps = np.array(sorted(struck), np.int64)
    found = decode(take, channels, Thresholds(), leaps)
    onsets = [one.onset_frames for one in found]
    assert all(min(abs(leap + 0.5 - onset) for onset in onsets) <= LEAP_FRAMES + 2 for leap in leaps)
    assert all(one.hit_logit == pytest.approx(logit(0.4)) and one.piece is not Piece.UNKNOWN for one in found)
    take[HIT, 30] = 2.0
    near = decode(take, channels, Thresholds(), np.array([30 - LEAP_FRAMES, 30, 30 + LEAP_FRAMES]))
    assert near == decode(take, channels, Thresholds())


@given(heights=st.lists(st.integers(-2, 3), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_every_plateau_has_one_peak_at_most(heights: list[int], seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 4, size=len(heights))
    logits = np.repeat(np.array(heights, np.float32), lengths)
    found = peaks(logits, 0.0)
    edges = np.flatnonzero(np.diff(logits, prepend=-np.inf))
    assert set(found) <= set(edges)
    assert (logits[found] > 0.0).all()
    assert (np.diff(found) > 1).all()
    if logits.max() > 0.0:
        assert logits[found].max(initial=-np.inf) == logits.max()


def test_a_plateau_gives_its_first_frame() -> None:
    assert peaks(np.array([0, 5, 5, 0, 7, 7], np.float32), 1.0).tolist() == [1, 4]
    assert peaks(np.array([3, 3, 3], np.float32), 1.0).tolist() == [0]
    assert peaks(np.array([1.0], np.float32), 1.0).tolist() == []


@given(seed=st.integers(0, 99), frames=st.integers(1, 60))
def test_nothing_likely_is_nothing_found(seed: int, frames: int) -> None:
    take, channels = noise(seed, frames)
    take[HIT] = logit(Thresholds().hit) - np.abs(take[HIT])
    assert decode(take, channels, Thresholds()) == []


@given(seed=st.integers(0, 99), order=st.permutations(range(CHANNELS)))
def test_channels_may_come_in_any_order(seed: int, order: list[int]) -> None:
    take, channels = noise(seed)

    def told(hits: list[FoundHit], names: list[int]) -> list[tuple[float, int, Piece, int]]:
        return [(hit.onset_frames, hit.group, hit.piece, names[hit.channel]) for hit in hits]

    plain = decode(take, channels, Thresholds())
    assert plain
    permuted = decode(take, channels[order], Thresholds())
    assert sorted(told(permuted, order)) == sorted(told(plain, list(range(CHANNELS))))


@given(seed=st.integers(0, 99), thresholds=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)).map(sorted))
def test_a_higher_threshold_finds_no_more_events(seed: int, thresholds: list[float]) -> None:
    take, channels = noise(seed)
    open_events, picky_events = (
        {hit.hit_logit for hit in decode(take, channels, Thresholds(hit=hit))} for hit in thresholds
    )
    assert picky_events <= open_events
    assert all(found > logit(thresholds[1]) for found in picky_events)


@given(seed=st.integers(0, 99))
@settings(max_examples=30)
def test_hits_are_in_order_and_within_reach(seed: int) -> None:
    take, channels = noise(seed)
    take[HIT_OFFSET] *= 5.0
    found = decode(take, channels, Thresholds())
    assert found == sorted(found)
    for hit in found:
        assert -0.5 <= hit.onset_frames <= take.shape[1] + 0.5
        assert 0.0 <= hit.velocity <= 1.0
        assert hit.piece is Piece.UNKNOWN or GROUP_OF_PIECE[hit.piece] == hit.group


def test_a_hit_of_no_likely_piece_is_unknown() -> None:
    take, channels = drawn([(5.5, Piece.RIDE, 3, 0.5)], 10)
    take[GROUP] = LOWEST
    (hit,) = decode(take, channels, Thresholds())
    assert (hit.piece, hit.onset_frames) == (Piece.UNKNOWN, 5.5)


def test_one_frame_is_enough() -> None:
    (hit,) = decode(*drawn([(0.4, Piece.TOM_MID, 2, 0.5)], 1), Thresholds())
    assert (hit.piece, hit.channel) == (Piece.TOM_MID, 2)
    assert hit.onset_frames == pytest.approx(0.4, abs=1e-4)
    assert decode(*drawn([], 1), Thresholds()) == []


@given(probability=st.floats(0.001, 0.999))
def test_probabilities_and_log_odds_are_inverse(probability: float) -> None:
    assert float(sigmoid(np.array([logit(probability)], np.float32))[0]) == pytest.approx(probability, abs=1e-5)


@pytest.mark.parametrize(("soon_frames", "found"), [(8.0, 2), (20.0, 1)])
def test_what_follows_soon_has_to_be_surer(soon_frames: float, found: int) -> None:
    take, channels = drawn([(10.5, Piece.SNARE, 0, 0.5), (25.5, Piece.SNARE, 0, 0.5)], 40)
    take[HIT, 25] = logit(0.55)
    thresholds = Thresholds(hit=0.4, hit_after=0.7, soon_frames=soon_frames)
    assert len(decode(take, channels, thresholds)) == found
