"""Hits that a user locks, whoever chooses the lines of the others: they stay, or go exactly where they were told."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.claims import Claim, ClaimMaker, Held
from beatnet_align.cut_list import validate
from beatnet_align.edit_plan import EditPlan, Flag, Move, TakeFacts
from beatnet_align.engines import Positions, claim_maker
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import ANSWERS, Struck, grid_tokens
from beatnet_align.hits import Hit, Piece
from beatnet_align.line_claims import line_claims
from beatnet_align.line_decoding import choose_lines
from beatnet_align.locks import Lock
from beatnet_align.quantise import QuantiseSettings, quantise
from beatnet_align.take import Take, take_from_array
from beatnet_align.tempo_map import TempoMap, TimeSignature

RATE = 8_000
CHANNELS = ("kick", "snare", "hihat")
KICK, SNARE, HIHAT = range(3)
PIECES = (Piece.KICK, Piece.SNARE, Piece.HIHAT_CLOSED)
TEMPO = TempoMap.constant(120.0, 0.0)
"""Lines of 16ths lie at multiples of 1000 samples; a bar has 16000."""

makers = pytest.mark.parametrize("maker", [claim_maker(positions) for positions in Positions], ids=list(Positions))


def silent_take(samples: int = 6 * RATE) -> Take:
    return take_from_array(np.zeros((len(CHANNELS), samples), np.float32), RATE, CHANNELS)


def strike(onset: int, channel: int = SNARE, salience: float = 0.0, velocity: float = 0.9) -> Hit:
    return Hit(onset, channel, PIECES[channel], velocity, 1.0, salience)


def sixteenths(late: int = 150) -> list[Hit]:
    """A run of snares, every one as late as the others."""
    return [strike(1_000 * i + late) for i in range(1, 41)]


def moved(hits: Sequence[Hit], maker: ClaimMaker, *locks: str, **rules: Any) -> tuple[Move, ...]:
    settings_ = QuantiseSettings(locks=tuple(Lock.parse(lock) for lock in locks), **rules)
    return planned(hits, maker, settings_).moves


def planned(
    hits: Sequence[Hit],
    maker: ClaimMaker,
    rules: QuantiseSettings,
    tempo_map: TempoMap = TEMPO,
    grid: Grid | None = None,
) -> EditPlan:
    """A plan that can be cut."""
    take, grid = silent_take(), grid or Grid()
    moves = quantise(hits, take, tempo_map, grid, rules, claim_maker=maker)
    plan = EditPlan(TakeFacts.of(take), moves, tempo_map, grid)
    validate(plan, take)
    return plan


def any_answers(seed: int, spread: float) -> ClaimMaker:
    """Lines by a network that says anything."""

    def claims(hits: Sequence[Hit], rate: int, tempo_map: TempoMap, grid: Grid, held: Sequence[Held]) -> list[Claim]:
        lines = grid_tokens(Struck.of(hits, rate), tempo_map, grid).lines_beats
        said = np.log(np.random.default_rng(seed).dirichlet(np.full(ANSWERS, spread), len(hits)) + 1e-9)
        given_beats = {i: one.line_beats for one in held for i in one.members}
        strokes = [(hit.channel, hit.piece) for hit in hits]
        return line_claims(hits, choose_lines(said, lines, strokes, given_beats), rate, held)

    return claims


@makers
def test_a_locked_hit_stays_and_the_others_go(maker: ClaimMaker) -> None:
    hits = sixteenths()
    moves = moved(hits, maker, f"{hits[20].onset_samples / RATE + 0.015}")
    assert (moves[20].shift_samples, moves[20].line_beats, moves[20].flags) == (0, None, (Flag.LOCKED,))
    assert {move.shift_samples for move in (*moves[:20], *moves[21:])} == {-150}


@makers
def test_all_that_was_struck_with_a_locked_hit_stays(maker: ClaimMaker) -> None:
    hits = sorted([*sixteenths(), strike(8_120, KICK, 9.0), strike(8_290, HIHAT)])
    moves = [move for move in moved(hits, maker, "1.018") if 8_000 < move.onset_samples < 8_500]
    assert [move.shift_samples for move in moves] == [0, 0, 0]
    assert all(Flag.LOCKED in move.flags for move in moves)


@makers
@pytest.mark.parametrize("line", [18_500, 19_000, 20_000, 21_000, 22_000])
def test_a_hit_goes_to_the_line_that_it_is_locked_to_and_the_others_keep_order(maker: ClaimMaker, line: int) -> None:
    hits = [strike(2_000 * i + 150) for i in range(1, 21) if i != 11]
    moves = moved(hits, maker, f"{hits[9].onset_samples / RATE}=2:{1 + (line - 16_000) / 4_000}")
    locked = moves[9]
    assert (locked.destination_samples, locked.line_beats, locked.flags) == (line, line / 4_000, (Flag.LOCKED,))
    assert (locked.line_confidence, locked.runner_up_beats, locked.leads) == (1.0, None, True)
    lines = [move.line_beats for move in moves if move.line_beats is not None]
    assert lines == sorted(lines)
    assert all(before.destination_samples < after.destination_samples for before, after in pairwise(moves))


@makers
def test_another_piece_that_belongs_to_the_line_of_a_locked_hit_goes_there_too(maker: ClaimMaker) -> None:
    hits = sorted([*(strike(4_000 * i + 20, HIHAT) for i in range(1, 11)), strike(20_550, KICK, 9.0)])
    moves = moved(hits, maker, f"{20_550 / RATE}=2:2")
    assert [(move.destination_samples, move.leads) for move in moves[4:6]] == [(20_000, False), (20_000, True)]
    assert set(moves[4].flags) == {Flag.FOLLOWS_LEAD, Flag.CROWDED}  # no cut can take both there


@makers
@pytest.mark.parametrize(("lock", "goal"), [("2.6437=2:1.75", "2.3750"), ("2.6437=2:3", "3.0000")])
def test_a_lock_that_would_take_others_far_from_their_places_is_told(maker: ClaimMaker, lock: str, goal: str) -> None:
    message = rf"the hit at 2\.6437 s, which is held at {goal} s, leaves no room for the one at .*: lock that one too"
    with pytest.raises(InputError, match=message):
        moved(sixteenths(), maker, lock)


@makers
def test_flams_and_ornaments_go_with_the_hit_that_is_locked_to_a_line(maker: ClaimMaker) -> None:
    hits = [strike(8_040, HIHAT), strike(8_200, KICK, 9.0), strike(12_000, velocity=0.3), strike(12_300, salience=5.0)]
    moves = moved(hits, maker, "1.02=1:3.25", "1.535=1:4.5")
    assert [move.destination_samples for move in moves] == [9_000, 9_000, 13_700, 14_000]
    assert [Flag.LOCKED in move.flags for move in moves] == [True] * 4
    assert [move.leads for move in moves] == [False, True, False, True]
    assert Flag.ORNAMENT in moves[2].flags


@makers
def test_a_position_is_a_line_of_the_grid_where_there_is_one_and_a_place_of_its_own_elsewhere(
    maker: ClaimMaker,
) -> None:
    hits = [strike(4_000 * i + 100) for i in range(1, 11)]

    def goes_to(lock: str, grid: Grid) -> float:
        rules = QuantiseSettings(locks=(Lock.parse(lock),))
        return planned(hits, maker, rules, grid=grid).moves[4].destination_samples / 4_000

    assert goes_to("2.5125=2:2.5", Grid(("1/8",))) == 5.5
    assert goes_to("2.5125=2:2.5", Grid(("1/8",), swing=0.6)) == pytest.approx(5.6)
    assert goes_to("2.5125=2:2.33", Grid(("1/8T",))) == pytest.approx(5 + 1 / 3, abs=1 / 4_000)
    assert goes_to("2.5125=2:2.2", Grid(("1/8T",))) == pytest.approx(5.2)


@makers
def test_positions_are_counted_in_the_bars_of_the_tempo_map(maker: ClaimMaker) -> None:
    in_seven = replace(TEMPO, time_signatures=(TimeSignature(0.0, 7, 8),))
    rules = QuantiseSettings(locks=(Lock(2.5, (2, 2.5)),))
    (move,) = planned([strike(20_000)], maker, rules, in_seven).moves
    assert move.line_beats == 5.0
    with pytest.raises(InputError, match=r"bar 2 has 3\.5 beats, found beat 4\.5"):
        planned([strike(20_000)], maker, QuantiseSettings(locks=(Lock(2.5, (2, 4.5)),)), in_seven)


@makers
def test_strength_and_feel_say_how_far_a_hit_goes_that_is_locked_to_a_line(maker: ClaimMaker) -> None:
    hits = sixteenths()
    lock = f"{hits[20].onset_samples / RATE}=2:2.25"
    assert moved(hits, maker, lock, strength=0.5)[20].shift_samples == -75
    assert moved(hits, maker, lock, piece_strengths=(("snare", 0.0),))[20].shift_samples == 0
    snares = [strike(1_000 * i + (0 if i % 2 else 160), i % 2) for i in range(1, 41)]
    late = [
        move.shift_samples for move in moved(snares, maker, f"{snares[19].onset_samples / RATE}=2:2", keep_feel=1.0)
    ]
    assert late[19] == late[17] > -160


@makers
def test_what_leaves_other_hits_alone_does_not_hold_one_that_is_locked_to_a_line(maker: ClaimMaker) -> None:
    hits = sixteenths()
    lock = f"{hits[20].onset_samples / RATE}=2:2.25"
    for rules in (
        {"max_move_seconds": 0.01},
        {"exclude_within_seconds": 0.05},
        {"leave_bars": ((2, 2),)},
        {"bars": (1, 1)},
    ):
        moves = moved(hits, maker, lock, **rules)
        assert (moves[20].shift_samples, moves[20].flags) == (-150, (Flag.LOCKED,))
        assert moves[22].shift_samples == 0


@makers
def test_hits_of_bars_to_leave_stay(maker: ClaimMaker) -> None:
    moves = moved(sixteenths(), maker, bars=(1, 2), leave_bars=((1, 1), (3, 9)))
    in_second = [16_000 <= move.onset_samples < 32_000 for move in moves]
    assert [move.shift_samples for move in moves] == [-150 if inside else 0 for inside in in_second]
    assert [Flag.OUTSIDE_BARS in move.flags for move in moves] == [not inside for inside in in_second]


def test_a_hit_that_would_run_into_one_that_stays_stays_with_it() -> None:
    """The kick was meant for a place just before the bar line, which the snare of the bar to leave anticipates."""
    hits = [strike(13_000, HIHAT), strike(15_870, KICK), strike(15_900), strike(20_000, HIHAT)]
    lines = (3.25, 3.99, 4.0, 5.0)

    def meant(*_: object) -> list[Claim]:
        return [Claim((i,), i, line) for i, line in enumerate(lines)]

    kick, snare = planned(hits, meant, QuantiseSettings(leave_bars=((2, 2),))).moves[1:3]
    assert (kick.shift_samples, snare.shift_samples) == (0, 0)
    assert (kick.flags, snare.flags) == ((Flag.CROWDED,), (Flag.OUTSIDE_BARS,))
    free = planned(hits, meant, QuantiseSettings()).moves[1:3]
    assert [move.shift_samples for move in free] == [90, 90]


@makers
@pytest.mark.parametrize(
    ("locks", "message"),
    [
        (["3.3"], r"no hit lies within 20 ms of 3\.3 s, which is locked; the nearest one is at 3\.2687 s"),
        (["2.5=9:1"], r"the lock 2\.5=9:1 leads to 16\.000 s, outside the take of 6\.000 s"),
        (["2.5=0:4"], r"leads to -0\.500 s, outside the take"),
        (["2.5=2:5"], "bar 2 has 4 beats, found beat 5"),
        (["2.5=2:0.5"], r"beats are counted from 1, found 0\.5"),
        (["2.5", "2.52=2:1"], r"one hit is locked in two ways: 2\.5 and 2\.52=2:1"),
        (["2.5=3:1", "3=2:1"], r"the locks 2\.5=3:1 and 3=2:1 would put the later hit on or before the earlier"),
        (["2.5=2:4", "3"], "would put the later hit on or before"),
        (["2.5=2:2.285", "2.6437"], r"held at 2\.6425 s, and the hit at 2\.6437 s, .* cannot be cut apart"),
        (["nan"], "needs a time of at least 0 seconds"),
        (["-1"], "needs a time of at least 0 seconds"),
        (["soon"], r"--lock wants SECONDS or SECONDS=BAR:BEAT, such as 12\.35 or 12\.35=5:2\.75; found 'soon'"),
        (["2.5="], "--lock wants"),
        (["2.5=2"], "--lock wants"),
        (["2.5=2:x"], "--lock wants"),
        (["2.5=2.5:1"], "--lock wants"),
    ],
)
def test_locks_that_cannot_be_kept_are_told(maker: ClaimMaker, locks: list[str], message: str) -> None:
    hits = sorted([strike(160), *sixteenths(), strike(20_020, KICK)])
    with pytest.raises(InputError, match=message):
        moved(hits, maker, *locks)


struck_hits = st.lists(
    st.builds(strike, st.integers(0, 3 * RATE), st.integers(0, 2), st.floats(-20.0, 20.0), st.floats(0.1, 1.0)),
    min_size=1,
    max_size=40,
    unique_by=lambda hit: hit.onset_samples,
).map(sorted)
any_maker = st.builds(any_answers, st.integers(0, 999), st.floats(0.02, 2.0)) | st.just(claim_maker(Positions.NEAREST))
grids = st.sampled_from([Grid(), Grid(("1/4",)), Grid(("1/16", "1/8T")), Grid(("1/8",), swing=0.62)])


@settings(max_examples=200)
@given(struck_hits, any_maker, grids, st.data())
def test_whatever_is_played_locked_hits_and_left_bars_stay(
    hits: list[Hit], maker: ClaimMaker, grid: Grid, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(hits), max_size=3))
    locks = tuple(Lock(hit.onset_samples / RATE) for hit in chosen)
    moves = planned(hits, maker, QuantiseSettings(locks=locks, leave_bars=((2, 2),)), TEMPO, grid).moves
    named = {hit.onset_samples for hit in chosen}
    assert all(Flag.LOCKED in move.flags for move in moves if move.onset_samples in named)
    fixed = [move for move in moves if {Flag.LOCKED, Flag.OUTSIDE_BARS}.intersection(move.flags)]
    assert all((move.shift_samples, move.line_beats) == (0, None) for move in fixed)


@settings(max_examples=200)
@given(struck_hits, any_maker, grids, st.integers(0, 23), st.data())
def test_whatever_is_played_a_hit_goes_to_the_position_it_is_locked_to(
    hits: list[Hit], maker: ClaimMaker, grid: Grid, place: int, data: st.DataObject
) -> None:
    hit = data.draw(st.sampled_from(hits))
    lock = Lock(hit.onset_samples / RATE, (1 + place // 16, 1 + place % 16 / 4))
    try:
        moves = planned(hits, maker, QuantiseSettings(locks=(lock,)), TEMPO, grid).moves
    except InputError as error:
        assert "out of the take" in str(error) or "no room" in str(error)
        return
    locked = [move for move in moves if Flag.LOCKED in move.flags]
    (lead,) = (move for move in locked if move.leads)
    assert lead.line_beats is not None
    assert lead.destination_samples == round(TEMPO.to_seconds(lead.line_beats) * RATE)
    assert (
        abs(grid.nominal_of_nearest(np.array([lead.line_beats]))[0] - place / 4) < 1e-9 or lead.line_beats == place / 4
    )
    assert {move.line_beats for move in locked} == {lead.line_beats}
    lines = [move.line_beats for move in moves if move.line_beats is not None]
    assert lines == sorted(lines)
