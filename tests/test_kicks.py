"""Kicks among snares and echoes of kicks are found where the take shows them, and nothing else is touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.hit_outputs import UNKNOWN_GROUP
from beatnet_align.kicks import (
    ECHO_UNDER_DB,
    FASTEST_SECONDS,
    KICK,
    SNARE,
    TOM,
    HeardHits,
    KicksAmongSnares,
    kick_echoes,
    kicks_among_snares,
)
from beatnet_align.roles import Role

ROLES = (Role.OVERHEAD, Role.KICK, Role.SNARE)
HIHAT = 2
KICK_DB, SNARE_DB, BOTH_DB = (-40.0, -20.0, -17.0), (-35.0, -45.0, -22.0), (-34.0, -20.0, -10.0)
"""Levels in the overhead, the kick's microphone and the snare's: a kick alone is 3 dB louder in the snare's."""

SURE, UNSURE = 3.0, 0.5
Struck = tuple[int, float, tuple[float, float, float], float]
"""Group, onset in seconds, levels, logit."""


def heard(hits: list[Struck]) -> HeardHits:
    """All of them best in the kick's microphone."""
    return HeardHits(
        np.array([group for group, _, _, _ in hits], np.int64),
        np.array([seconds for _, seconds, _, _ in hits], np.float64),
        np.full(len(hits), ROLES.index(Role.KICK)),
        np.array([levels for _, _, levels, _ in hits], np.float64).reshape(len(hits), len(ROLES)),
        np.array([logit for _, _, _, logit in hits], np.float64),
    )


def told(hits: list[Struck], roles: tuple[Role, ...] = ROLES) -> KicksAmongSnares:
    return kicks_among_snares(heard(hits), roles)


def beat() -> list[Struck]:
    """Twenty seconds of kicks and snares by turns."""
    kicks = [(KICK, float(at), KICK_DB, SURE) for at in range(0, 20, 2)]
    return [*kicks, *((SNARE, float(at), SNARE_DB, SURE) for at in range(1, 20, 2))]


def rattle(seconds: float) -> Struck:
    return (SNARE, seconds, KICK_DB, UNSURE)


def test_a_beat_without_rattle_is_left() -> None:
    found = told(beat())
    assert not found.doubled.any()
    assert not found.kicks.any()


def test_wires_beside_a_kick_are_no_snare() -> None:
    found = told([*beat(), rattle(4.002), rattle(6.003)])
    assert np.flatnonzero(found.doubled).tolist() == [20, 21]
    assert not found.kicks.any()
    assert found.late_seconds == pytest.approx(0.0025)


def test_a_snare_that_sounds_as_kicks_do_is_a_kick() -> None:
    found = told([*beat(), rattle(4.5)])
    assert np.flatnonzero(found.kicks).tolist() == [20]
    assert not found.doubled.any()
    assert found.late_seconds == 0.0


def test_a_snare_struck_with_a_kick_stays() -> None:
    found = told([*beat(), (KICK, 20.0, BOTH_DB, SURE), (SNARE, 20.002, BOTH_DB, UNSURE)])
    assert not found.doubled.any()


def test_a_snare_that_the_network_is_sure_of_stays() -> None:
    found = told([*beat(), (SNARE, 4.002, KICK_DB, SURE), (SNARE, 4.5, KICK_DB, SURE)])
    assert not found.doubled.any()
    assert not found.kicks.any()


def test_a_ghost_note_that_is_soft_in_both_microphones_stays() -> None:
    soft = tuple(level - 20.0 for level in KICK_DB)
    found = told([*beat(), (SNARE, 4.5, (soft[0], soft[1], soft[2]), UNSURE)])
    assert not found.kicks.any()


def test_where_every_kick_comes_with_a_snare_none_is_taken_away() -> None:
    alone = [(SNARE, at + 0.5, SNARE_DB, SURE) for at in range(8)]
    both = [(group, float(at), (-34.0, -20.0, -21.0), UNSURE) for at in range(8) for group in (KICK, SNARE)]
    assert not told([*alone, *both]).doubled.any()
    softer = [(group, float(at), (-34.0, -20.0, -29.0), UNSURE) for at in range(8) for group in (KICK, SNARE)]
    assert told([*alone, *softer]).doubled.sum() == 8


@pytest.mark.parametrize("missing", [Role.KICK, Role.SNARE])
def test_both_microphones_are_needed(missing: Role) -> None:
    found = told([*beat(), rattle(4.002), rattle(4.5)], tuple(Role.ROOM if one is missing else one for one in ROLES))
    assert not found.doubled.any()
    assert not found.kicks.any()


def test_few_kicks_or_snares_say_nothing() -> None:
    few_kicks = [hit for hit in beat() if hit[0] == SNARE or hit[1] < 10.0]
    few_snares = [hit for hit in beat() if hit[0] == KICK or hit[1] < 4.0]
    for hits in (few_kicks, few_snares, []):
        assert not told([*hits, rattle(4.5)]).kicks.any()


@given(seed=st.integers(0, 2**16), gains_db=st.tuples(*[st.floats(-60.0, 30.0)] * 3))
def test_neither_order_nor_the_microphones_gains_matter(seed: int, gains_db: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(seed)
    hits = [*beat(), rattle(4.002), rattle(4.5), rattle(8.004)]
    hits = [
        (group, at, tuple((np.array(levels) + rng.normal(0.0, 1.0, 3)).tolist()), logit)
        for group, at, levels, logit in hits
    ]
    order = rng.permutation(len(hits)).tolist()
    louder = [(hits[i][0], hits[i][1], tuple((np.array(hits[i][2]) + gains_db).tolist()), hits[i][3]) for i in order]
    first, second = told(hits), told(louder)
    assert first.doubled[order].tolist() == second.doubled.tolist()
    assert first.kicks[order].tolist() == second.kicks.tolist()
    assert first.late_seconds == pytest.approx(second.late_seconds)


KICKS: list[Struck] = [(KICK, float(at), KICK_DB, SURE) for at in range(4)]


def softer(group: int, seconds: float, by_db: float = 6.0, logit: float = UNSURE) -> Struck:
    overhead_db, kick_db, snare_db = KICK_DB
    return (group, seconds, (overhead_db - by_db, kick_db - by_db, snare_db - by_db), logit)


def echoes(hits: list[Struck]) -> list[int]:
    return np.flatnonzero(kick_echoes(heard(hits))).tolist()


def test_a_softer_kick_right_after_a_kick_is_its_echo() -> None:
    assert echoes([*KICKS, softer(KICK, 1.044)]) == [4]


def test_a_kick_that_is_as_loud_or_comes_later_was_struck() -> None:
    assert echoes([*KICKS, softer(KICK, 1.044, 0.9 * ECHO_UNDER_DB), softer(KICK, 2.060)]) == []


@pytest.mark.parametrize("kicks", [2, 3, 4, 9])
def test_two_feet_are_faster_than_one(kicks: int) -> None:
    run = [softer(KICK, 10.0 + 0.05 * i, 4.0 * (i % 2)) for i in range(kicks)]
    assert echoes([*KICKS, *run]) == ([5] if kicks == 2 else [])


def test_another_drum_at_the_time_of_echoes_is_one_where_the_network_is_unsure() -> None:
    echo = softer(KICK, 1.044)
    for group in (SNARE, TOM, UNKNOWN_GROUP):
        assert echoes([*KICKS, echo, softer(group, 2.046)]) == [4, 5]
        assert echoes([*KICKS, echo, softer(group, 2.030)]) == [4]
        assert echoes([*KICKS, echo, softer(group, 2.046, logit=SURE)]) == [4]
        assert echoes([*KICKS, softer(group, 2.046)]) == []
    assert echoes([*KICKS, echo, softer(HIHAT, 2.046)]) == [4]


def test_what_is_struck_with_a_kick_is_no_echo() -> None:
    assert echoes([*KICKS, softer(KICK, 1.005), softer(SNARE, 2.005, 20.0)]) == []
    assert echoes([]) == []
    assert echoes([softer(SNARE, 1.0)]) == []


@given(
    hits=st.lists(
        st.tuples(st.integers(0, UNKNOWN_GROUP), st.floats(0.0, 1.0), st.integers(0, 40), st.floats(-2.0, 4.0)),
        max_size=30,
        unique_by=lambda hit: round(hit[1], 3),
    ),
    gain_db=st.integers(-40, 40),
)
def test_echoes_do_not_depend_on_order_or_gain_and_follow_a_kick(
    hits: list[tuple[int, float, int, float]], gain_db: int
) -> None:
    struck = [softer(group, round(at, 3), by_db, logit) for group, at, by_db, logit in hits]
    found = {hits[i] for i in echoes(struck)}
    order = sorted(range(len(hits)), key=lambda i: (hits[i][2], hits[i][3], -hits[i][1]))
    louder = [softer(hits[i][0], round(hits[i][1], 3), hits[i][2] - gain_db, hits[i][3]) for i in order]
    assert {hits[order[i]] for i in echoes(louder)} == found
    kicks = [round(at, 3) for group, at, _, _ in hits if group == KICK]
    assert all(any(0.0 < round(at, 3) - kick < FASTEST_SECONDS + 0.005 for kick in kicks) for _, at, _, _ in found)
