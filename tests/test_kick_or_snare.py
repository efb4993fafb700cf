"""A kick that rattles the snare's wires is found among snares where the take shows what kicks alone look like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.kick_or_snare import KICK, SNARE, KicksAmongSnares, kicks_among_snares
from beatnet_align.roles import Role
from beatnet_align.units import FloatArray, IntArray

RATE = 44_100
ROLES = (Role.OVERHEAD, Role.KICK, Role.SNARE)
KICK_DB, SNARE_DB, BOTH_DB = (-40.0, -20.0, -17.0), (-35.0, -45.0, -22.0), (-34.0, -20.0, -10.0)
"""Levels in the overhead, the kick's microphone and the snare's: a kick alone is 3 dB louder in the snare's."""

SURE, UNSURE = 3.0, 1.0
Struck = tuple[int, float, tuple[float, float, float], float]
"""Group, onset in seconds, levels, logit."""


def told(hits: list[Struck], roles: tuple[Role, ...] = ROLES) -> KicksAmongSnares:
    groups: IntArray = np.array([group for group, _, _, _ in hits], np.int64)
    onsets: FloatArray = np.array([seconds * RATE for _, seconds, _, _ in hits])
    levels_db: FloatArray = np.array([levels for _, _, levels, _ in hits], np.float64).reshape(len(hits), len(roles))
    logits: FloatArray = np.array([logit for _, _, _, logit in hits])
    return kicks_among_snares(groups, onsets, levels_db, logits, roles, RATE)


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
    assert found.late_samples == pytest.approx(0.0025 * RATE)


def test_a_snare_that_sounds_as_kicks_do_is_a_kick() -> None:
    found = told([*beat(), rattle(4.5)])
    assert np.flatnonzero(found.kicks).tolist() == [20]
    assert not found.doubled.any()
    assert found.late_samples == 0.0


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
    assert first.late_samples == pytest.approx(second.late_samples)
