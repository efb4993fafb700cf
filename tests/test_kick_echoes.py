"""What follows a kick sooner than a foot can strike again is its echo; flams and fast feet stay."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.hit_outputs import UNKNOWN_GROUP
from beatnet_align.kick_echoes import FASTEST_SECONDS, KICK, SOFTER_DB, kick_echoes

RATE = 44_100
SNARE, HIHAT, TOM = 1, 2, 3
Struck = tuple[int, float, float, float]
"""Group, onset in seconds, level in the kick's microphone, logit."""

BEAT: list[Struck] = [(KICK, float(at), -40.0, 2.0) for at in range(4)]


def echoes(hits: list[Struck]) -> list[int]:
    groups = np.array([group for group, _, _, _ in hits], np.int64)
    onsets = np.array([seconds * RATE for _, seconds, _, _ in hits], np.float64)
    levels_db = np.array([[level, level] for _, _, level, _ in hits], np.float64).reshape(-1, 2)
    logits = np.array([logit for _, _, _, logit in hits], np.float64)
    channels = np.zeros(len(hits), np.int64)
    return np.flatnonzero(kick_echoes(groups, onsets, levels_db, channels, logits, RATE)).tolist()


def test_a_softer_kick_right_after_a_kick_is_its_echo() -> None:
    assert echoes([*BEAT, (KICK, 1.044, -46.0, 1.0)]) == [4]


def test_a_kick_that_is_as_loud_or_comes_later_was_struck() -> None:
    assert echoes([*BEAT, (KICK, 1.044, -40.0 - 0.9 * SOFTER_DB, 1.0), (KICK, 2.060, -46.0, 1.0)]) == []


def test_another_drum_at_the_time_of_echoes_is_one_where_the_network_is_unsure() -> None:
    echo = (KICK, 1.044, -46.0, 1.0)
    for group in (SNARE, TOM, UNKNOWN_GROUP):
        assert echoes([*BEAT, echo, (group, 2.046, -46.0, 0.5)]) == [4, 5]
        assert echoes([*BEAT, echo, (group, 2.030, -46.0, 0.5)]) == [4]
        assert echoes([*BEAT, echo, (group, 2.046, -46.0, 2.0)]) == [4]
        assert echoes([*BEAT, (group, 2.046, -46.0, 0.5)]) == []
    assert echoes([*BEAT, echo, (HIHAT, 2.046, -46.0, 0.5)]) == [4]


def test_what_is_struck_with_a_kick_is_no_echo() -> None:
    assert echoes([*BEAT, (KICK, 1.005, -46.0, 1.0), (SNARE, 2.005, -60.0, 0.5)]) == []
    assert echoes([]) == []
    assert echoes([(SNARE, 1.0, -40.0, 1.0)]) == []


@given(
    st.lists(
        st.tuples(st.integers(0, UNKNOWN_GROUP), st.floats(0.0, 1.0), st.floats(-60.0, 0.0), st.floats(-2.0, 4.0)),
        max_size=30,
    ),
    st.floats(-40.0, 40.0),
)
def test_neither_order_nor_gain_matters_and_the_first_kick_stays(hits: list[Struck], gain: float) -> None:
    hits = [(group, round(at, 3), round(level), logit) for group, at, level, logit in hits]
    found = {hits[i] for i in echoes(hits)}
    again = sorted(hits, key=lambda hit: (hit[2], hit[3], hit[0], -hit[1]))
    louder = [(group, at, level + round(gain), logit) for group, at, level, logit in again]
    if len({hit[1] for hit in hits}) == len(hits):
        assert {again[i] for i in echoes(louder)} == found
    kicks = sorted(hit[1] for hit in hits if hit[0] == KICK)
    assert all(any(0.0 < at - kick < FASTEST_SECONDS + 0.005 for kick in kicks) for _, at, _, _ in found)
