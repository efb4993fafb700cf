"""Rules of the classical alignment by hand-made examples, and the law that its plans can always be cut."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import float32, zeros

from beatnet_align.crowding import uncrowded
from beatnet_align.cut_list import channel_groups, cut_list, validate
from beatnet_align.edit_plan import EditPlan, Flag, Move, RepairSettings, SpliceSettings, TakeFacts
from beatnet_align.engines import Render
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit, Piece
from beatnet_align.quantise import QuantiseSettings, quantise
from beatnet_align.repair import landed_samples
from beatnet_align.take import Take, take_from_array
from beatnet_align.tempo_map import TempoChange, TempoMap
from beatnet_align.units import samples_to_seconds

RATE = 8_000
CHANNELS = ("kick", "snare", "hihat")
KICK, SNARE, HIHAT = range(3)
SIXTEENTH = 1_000
"""At 120 BPM; lines lie at its multiples."""

TEMPO = TempoMap.constant(120.0, 0.0)


def silent_take(samples: int = 5 * RATE) -> Take:
    return take_from_array(zeros((len(CHANNELS), samples), float32), RATE, CHANNELS)


def strike(onset: int, channel: int = SNARE, velocity: float = 0.9, salience: float = 0.0, sure: float = 1.0) -> Hit:
    return Hit(onset, channel, Piece.UNKNOWN, velocity, sure, salience)


def moved(
    *hits: Hit, rules: QuantiseSettings | None = None, splice: SpliceSettings | None = None, grid: Grid | None = None
) -> tuple[Move, ...]:
    return quantise(hits, silent_take(), TEMPO, grid or Grid(), rules, splice)


def destinations(moves: tuple[Move, ...]) -> list[int]:
    return [move.destination_samples for move in moves]


def test_each_hit_goes_to_its_nearest_line() -> None:
    moves = moved(strike(2_100), strike(3_900), strike(6_020))
    assert destinations(moves) == [2_000, 4_000, 6_000]
    assert [move.line_beats for move in moves] == [0.5, 1.0, 1.5]
    assert all(move.leads and not move.flags for move in moves)


def test_nothing_comes_of_nothing() -> None:
    assert moved() == ()


def test_half_strength_goes_half_way() -> None:
    assert destinations(moved(strike(2_100), strike(3_900), rules=QuantiseSettings(strength=0.5))) == [2_050, 3_950]


def test_swing_moves_the_lines() -> None:
    assert destinations(moved(strike(1_240), strike(2_030), grid=Grid(swing=0.6))) == [1_200, 2_000]


def test_hits_close_to_their_line_may_be_left_alone() -> None:
    near, far = moved(strike(2_015), strike(4_200), rules=QuantiseSettings(exclude_within_seconds=0.002))
    assert (near.destination_samples, near.line_beats, near.flags) == (2_015, None, (Flag.WITHIN_EXCLUSION,))
    assert (far.destination_samples, far.flags) == (4_000, ())


def test_hits_too_far_from_their_line_may_be_left_alone() -> None:
    near, far = moved(strike(2_100), strike(4_200), rules=QuantiseSettings(max_move_seconds=0.02))
    assert near.destination_samples == 2_000
    assert (far.destination_samples, far.flags) == (4_200, (Flag.BEYOND_MAX_MOVE,))


def test_a_hit_that_would_be_lifted_too_far_goes_along_with_what_it_was_struck_with() -> None:
    struck = [strike(1_950, HIHAT, salience=-5.0), strike(2_100, KICK, salience=5.0)]
    for most_seconds, shifts in ((0.02, [50, -100]), (0.005, None)):
        rules = QuantiseSettings(max_move_seconds=most_seconds)
        moves = quantise(struck, silent_take(), TEMPO, Grid(), rules, repaired=True)
        assert [move.shift_samples for move in moves] == (shifts or [0, 0])
    late_hat = [strike(2_050, KICK, salience=5.0), strike(2_180, HIHAT, salience=-5.0)]
    kick, hat = quantise(late_hat, silent_take(), TEMPO, Grid(), QuantiseSettings(max_move_seconds=0.01), repaired=True)
    assert (kick.shift_samples, hat.shift_samples) == (-50, -50)
    assert Flag.BEYOND_MAX_MOVE in hat.flags and Flag.BEYOND_MAX_MOVE not in kick.flags


def test_only_the_bars_asked_for_are_edited() -> None:
    moves = moved(strike(15_950), strike(24_100), strike(32_050), rules=QuantiseSettings(bars=(2, 2)))
    assert destinations(moves) == [16_000, 24_000, 32_050]
    assert [move.flags for move in moves] == [(), (), (Flag.OUTSIDE_BARS,)]


def test_hits_far_between_two_lines_are_flagged() -> None:
    assert moved(strike(2_400))[0].flags == (Flag.FAR_FROM_LINE,)
    assert moved(strike(2_340))[0].flags == ()


def test_unsure_hits_are_moved_and_flagged() -> None:
    (move,) = moved(strike(2_100, sure=0.4))
    assert (move.destination_samples, move.flags) == (2_000, (Flag.LOW_CONFIDENCE,))


def test_a_flam_of_two_pieces_follows_the_more_salient() -> None:
    hat, kick = moved(strike(1_950, HIHAT, salience=-5.0), strike(2_100, KICK, salience=5.0))
    assert (kick.leads, kick.destination_samples) == (True, 2_000)
    assert (hat.leads, hat.flags) == (False, (Flag.FOLLOWS_LEAD,))
    plan = plan_of(silent_take(), (hat, kick))
    assert [cut.shift_samples for cut in cut_list(plan, CHANNELS)] == [-100]


def test_pieces_struck_together_in_one_channel_are_a_flam_and_no_two_claims() -> None:
    """As in a mono mix: a kick and a soft hat 3 ms apart; of one piece, the softer would be its ornament."""
    kick = replace(strike(2_100, salience=10.0), piece=Piece.KICK)
    hat = replace(strike(2_124, velocity=0.2), piece=Piece.HIHAT_CLOSED)
    leader, follower = moved(kick, hat)
    assert leader.leads and not leader.flags
    assert follower.flags == (Flag.FOLLOWS_LEAD,)
    _, ornament = moved(kick, replace(hat, piece=Piece.KICK))
    assert Flag.ORNAMENT in ornament.flags


def test_each_group_follows_a_leader_of_its_own() -> None:
    splice = SpliceSettings(groups=(("hihat",),))
    moves = moved(strike(1_950, HIHAT, salience=-5.0), strike(2_100, KICK, salience=5.0), splice=splice)
    plan = plan_of(silent_take(), moves, splice)
    shifts = [[cut.shift_samples for cut in cut_list(plan, group)] for group in channel_groups(splice, plan.take)]
    assert shifts == [[50], [-100]]


def test_an_ornament_keeps_its_spacing_to_its_main_stroke() -> None:
    grace, main = moved(strike(1_700, velocity=0.3, salience=-9.0), strike(2_060, velocity=0.9))
    assert (main.destination_samples, main.leads) == (2_000, True)
    assert (grace.destination_samples, grace.flags) == (1_640, (Flag.ORNAMENT,))


def test_an_even_roll_is_no_ornament() -> None:
    assert destinations(moved(*[strike(1_000 * i + 70) for i in range(1, 6)])) == [1_000, 2_000, 3_000, 4_000, 5_000]


def test_of_two_claims_the_one_that_leans_to_a_free_line_takes_it() -> None:
    first, second = moved(strike(1_850), strike(2_460))
    assert (first.destination_samples, second.destination_samples) == (2_000, 3_000)
    assert Flag.TWO_CLAIMS in second.flags
    first, second = moved(strike(1_540), strike(2_150))
    assert (first.destination_samples, second.destination_samples) == (1_000, 2_000)
    assert Flag.TWO_CLAIMS in first.flags


def test_of_two_claims_without_a_free_line_one_follows() -> None:
    one, two, three = moved(strike(1_850), strike(2_460), strike(3_010))
    assert (one.destination_samples, three.destination_samples) == (2_000, 3_000)
    assert (two.destination_samples, two.leads) == (2_610, False)
    assert Flag.TWO_CLAIMS in two.flags


def test_lines_outside_the_take_attract_nobody() -> None:
    take = silent_take(2_450)
    late = TempoMap.constant(120.0, -0.05)  # lines at −400, 600, 1600, 2600
    first, last = quantise([strike(50), strike(2_300)], take, late, Grid())
    assert (first.destination_samples, first.flags[-1]) == (50, Flag.OUTSIDE_TAKE)
    assert (last.destination_samples, last.flags[-1]) == (2_300, Flag.OUTSIDE_TAKE)


def test_no_flam_is_pulled_out_of_the_take_by_its_leader() -> None:
    moves = moved(strike(20, HIHAT), strike(150, KICK, salience=9.0))
    assert destinations(moves) == [20, 150]
    assert all(Flag.OUTSIDE_TAKE in move.flags for move in moves)


def test_hits_that_would_run_into_each_other_stay_together() -> None:
    first, second = moved(strike(5_990), strike(6_010), grid=Grid(("1/4",)))  # between the lines at 4000 and 8000
    assert first.shift_samples == second.shift_samples == -1_990
    assert Flag.CROWDED in second.flags
    assert not second.leads


def test_hits_that_will_be_lifted_keep_their_own_places_though_they_are_cut_together() -> None:
    take, struck = silent_take(), [strike(5_990), strike(6_010)]
    moves = quantise(struck, take, TEMPO, Grid(("1/4",)), repaired=True)
    assert destinations(moves) == [4_000, 8_000]
    assert [move.line_beats for move in moves] == [1.0, 1.0]
    assert [Flag.CROWDED in move.flags for move in moves] == [False, True]
    plan = plan_of(take, moves)
    validate(plan, take)
    assert landed_samples(plan) == [4_000, 4_020]
    assert landed_samples(replace(plan, repair=RepairSettings(Render.AUTO))) == [4_000, 8_000]


@pytest.mark.parametrize(("sure", "leader"), [((0.9, 0.4), 0), ((0.4, 0.9), 1), ((0.7, 0.7), 0)])
def test_of_hits_that_cannot_be_cut_apart_the_surer_one_leads(sure: tuple[float, float], leader: int) -> None:
    wanted = [
        Move(onset, line * 4_000, "snare", Piece.SNARE, 0.9, 1.0, True, float(line), line_confidence=one)
        for onset, line, one in zip((6_010, 6_030), (1, 2), sure, strict=True)
    ]
    found = uncrowded(wanted, [CHANNELS], silent_take(), SpliceSettings())
    assert [move.shift_samples for move in found] == [wanted[leader].shift_samples] * 2
    assert [move.leads for move in found] == [i == leader for i in range(2)]
    assert [Flag.CROWDED in move.flags for move in found] == [i != leader for i in range(2)]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"strength": 1.1}, "strength"),
        ({"strength": float("nan")}, "strength"),
        ({"exclude_within_seconds": -0.001}, "exclude-within"),
        ({"max_move_seconds": 0.0}, "maximum move"),
        ({"bars": (3, 2)}, "bar range"),
    ],
)
def test_impossible_rules_are_refused(rules: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        QuantiseSettings(**rules)  # type: ignore[arg-type]


def plan_of(take: Take, moves: tuple[Move, ...], splice: SpliceSettings | None = None) -> EditPlan:
    return EditPlan(TakeFacts.of(take), moves, TEMPO, Grid(), splice=splice or SpliceSettings())


samples_in_takes = st.integers(1, 3 * RATE)
hits = st.builds(
    strike,
    st.integers(0, 3 * RATE),
    st.integers(0, 2),
    st.floats(0.01, 1.0),
    st.floats(-20.0, 20.0),
    st.floats(0.0, 1.0),
)
rolls = st.tuples(st.integers(0, 3 * RATE), st.integers(0, 700), st.integers(2, 30), st.integers(0, 2)).map(
    lambda roll: [strike(roll[0] + roll[1] * i, roll[3], 0.5 + 0.5 * (i % 3 == 0)) for i in range(roll[2])]
)
performances = st.tuples(st.lists(hits, max_size=30), rolls, st.booleans(), st.booleans())
tempo_maps = st.builds(
    lambda bpms, first: TempoMap(tuple(TempoChange(float(i), bpm) for i, bpm in enumerate(bpms)), first),
    st.lists(st.floats(20.0, 400.0), min_size=1, max_size=4),
    st.floats(-2.0, 4.0),
)
straight_grids = st.sets(st.sampled_from(["1/4", "1/8", "1/16", "1/32", "1/8T", "1/16T"]), min_size=1, max_size=2)
grids = straight_grids.map(lambda divisions: Grid(tuple(sorted(divisions)))) | st.builds(
    Grid, st.sampled_from([("1/8",), ("1/16",)]), st.floats(0.5, 0.75)
)
rule_sets = st.builds(
    QuantiseSettings,
    strength=st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0.0, 1.0),
    exclude_within_seconds=st.sampled_from([0.0, 0.005]),
    max_move_seconds=st.none() | st.floats(0.001, 0.5),
    bars=st.none() | st.just((1, 2)),
)
splices = st.builds(
    SpliceSettings,
    pad_seconds=st.sampled_from([0.001, 0.005, 0.05]),
    groups=st.sampled_from([(), (("kick",),), (("hihat",), ("snare", "kick"))]),
)


@settings(max_examples=250)
@given(performances, samples_in_takes, tempo_maps, grids, rule_sets, splices)
def test_whatever_is_played_the_plan_can_be_cut(
    performance: tuple[list[Hit], list[Hit], bool, bool],
    samples: int,
    tempo_map: TempoMap,
    grid: Grid,
    rules: QuantiseSettings,
    splice: SpliceSettings,
) -> None:
    loose, roll, at_start, at_end = performance
    played = [*loose, *roll, *[strike(0)] * at_start, *[strike(samples - 1)] * at_end]
    inside = sorted(hit for hit in played if hit.onset_samples < samples)
    take = silent_take(samples)
    moves = quantise(inside, take, tempo_map, grid, rules, splice)

    assert [move.onset_samples for move in moves] == [hit.onset_samples for hit in inside]
    plan = plan_of(take, moves, splice)
    validate(plan, take)
    for group in channel_groups(splice, plan.take):
        cuts = cut_list(plan, group)
        for before, after in pairwise(cuts):
            if after.shift_samples != before.shift_samples:
                assert after.destination_samples > before.destination_samples
                assert after.source_samples > before.source_samples
    if rules.strength == 0.0:
        assert all(move.shift_samples == 0 for move in moves)
    longest = max((abs(move.shift_samples) for move in moves if move.leads), default=0)
    if rules.max_move_seconds is not None:
        assert samples_to_seconds(longest, RATE) <= rules.max_move_seconds + 1 / RATE
