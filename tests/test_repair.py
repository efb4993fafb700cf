"""Repairs are made where a cut leaves a hit off its place, are named with their reason, and survive JSON."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.cut_list import segments
from beatnet_align.edit_plan import EditPlan, Move, RepairSettings, SpliceSettings, TakeFacts
from beatnet_align.engines import Engine, Fill, Render, render_called
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.plan_json import PLACES, plan_from_json, plan_to_json
from beatnet_align.remarks import repair_remarks
from beatnet_align.rendering import Stretch, stretches
from beatnet_align.repair import Placement, landed_samples, placements
from beatnet_align.splice import Splicer
from beatnet_align.take import take_from_array
from beatnet_align.tempo_map import TempoMap

RATE = 8_000
MS = RATE // 1_000
BEAT = RATE // 2
SILENCE = take_from_array(np.zeros((3, 60 * RATE), np.float32), RATE, ("kick", "snare", "overhead"))
AUTO, SPLICE, SEPARATE = Render.AUTO, Render.SPLICE, Render.SEPARATE


def plan_of(moves: tuple[Move, ...], render: Render = AUTO, **of_repair: Any) -> EditPlan:
    repair = RepairSettings(render, **of_repair)
    return EditPlan(TakeFacts.of(SILENCE), moves, TempoMap.constant(120.0, 0.0), Grid(), repair=repair)


def line(beat: int, *offsets_ms: int) -> tuple[Move, ...]:
    """Kick, snare and hi-hat of a line, so far from it in ms; all go to it, and the kick leads."""
    who = (("kick", Piece.KICK), ("snare", Piece.SNARE), ("overhead", Piece.HIHAT_CLOSED))
    hits = [
        Move(beat * BEAT + late * MS, beat * BEAT, channel, piece, 0.9, 1.0, piece is Piece.KICK, float(beat))
        for late, (channel, piece) in zip(offsets_ms, who, strict=False)
    ]
    return tuple(sorted(hits, key=lambda hit: hit.onset_samples))


@st.composite
def flams(draw: st.DrawFn) -> tuple[Move, ...]:
    """Hits of several lines, each up to 40 ms off its line."""
    offsets = st.integers(-40, 40)
    beats = sorted(draw(st.lists(st.integers(1, 100), min_size=1, max_size=6, unique=True)))
    hits = [line(beat, *draw(st.lists(offsets, min_size=1, max_size=3))) for beat in beats]
    return tuple(move for members in hits for move in members)


@given(moves=flams(), flam_ms=st.integers(1, 30))
def test_auto_repairs_where_a_cut_leaves_a_hit_off_its_place_and_nowhere_else(
    moves: tuple[Move, ...], flam_ms: int
) -> None:
    for placement in placements(plan_of(moves, flam_seconds=flam_ms / 1_000)):
        (kick,) = (move for move in placement.moves if move.piece is Piece.KICK)
        off = max(abs(move.shift_samples - kick.shift_samples) for move in placement.moves)
        assert placement.repaired == (off > flam_ms * MS)


@pytest.mark.parametrize(("late_samples", "repaired"), [(-17, True), (-16, False), (16, False), (17, True)])
def test_a_flam_that_is_just_as_long_as_allowed_is_left(late_samples: int, repaired: bool) -> None:
    kick, snare = line(4, 0, 0)
    moves = tuple(
        sorted(
            (kick, replace(snare, onset_samples=snare.onset_samples + late_samples)),
            key=lambda move: move.onset_samples,
        )
    )
    assert [placement.repaired for placement in placements(plan_of(moves))] == [repaired]


@given(moves=flams())
def test_placements_are_the_segments_in_order(moves: tuple[Move, ...]) -> None:
    for render in Render:
        assert [placement.moves for placement in placements(plan_of(moves, render))] == segments(moves)


@given(moves=flams())
def test_splice_repairs_nothing_and_separate_everything(moves: tuple[Move, ...]) -> None:
    spliced, separated = placements(plan_of(moves, SPLICE)), placements(plan_of(moves, SEPARATE))
    assert not any(placement.repaired for placement in spliced)
    # Where nothing moves at all, the output is to be the input bit for bit.
    moves_something = any(move.shift_samples for move in moves)
    assert {placement.repaired for placement in separated} == {moves_something}
    assert {placement.reason for placement in spliced} == {"all is spliced"}
    assert {placement.reason for placement in separated} == {
        "all is separated" if moves_something else "all is spliced"
    }
    assert [one.cut_shifts_samples for one in spliced] == [one.cut_shifts_samples for one in separated]


@given(moves=flams(), flam_ms=st.integers(1, 30))
def test_what_is_repaired_lands_on_its_place_and_what_is_cut_within_the_flam(
    moves: tuple[Move, ...], flam_ms: int
) -> None:
    plan = plan_of(moves, flam_seconds=flam_ms / 1_000)
    landed = landed_samples(plan)
    assert all(abs(at - move.destination_samples) <= flam_ms * MS for at, move in zip(landed, plan.moves, strict=True))
    everywhere = landed_samples(replace(plan, repair=RepairSettings(SEPARATE)))
    assert everywhere == [move.destination_samples for move in plan.moves]


@given(moves=flams())
def test_every_hit_lands_where_its_placement_takes_it(moves: tuple[Move, ...]) -> None:
    for render in Render:
        plan = plan_of(moves, render)
        placed = placements(plan)
        shifts = [shift for placement in placed for shift in placement.shifts_samples]
        landed = [move.onset_samples + shift for move, shift in zip(moves, shifts, strict=True)]
        assert landed_samples(plan) == landed
        for placement in placed:
            of_moves = zip(placement.moves, placement.cut_shifts_samples, placement.lifted, strict=True)
            wanted = [move.shift_samples if lifted else cut for move, cut, lifted in of_moves]
            assert list(placement.shifts_samples) == wanted


def test_hits_that_the_cut_takes_to_their_place_go_with_it_beside_one_that_is_lifted() -> None:
    (placement,) = placements(plan_of(line(4, 0, 15, 1)))
    assert [move.piece for move in placement.moves] == [Piece.KICK, Piece.HIHAT_CLOSED, Piece.SNARE]
    assert placement.lifted == (False, False, True)
    assert placement.shifts_samples == (0, 0, -15 * MS)


def test_a_reason_names_the_piece_and_how_far_off_a_cut_leaves_it() -> None:
    moves = (*line(2, 0, 1), *line(4, 0, 15), *line(6, 10, 6, -10))
    reasons = [placement.reason for placement in placements(plan_of(moves))]
    assert reasons == [
        "a cut takes every hit to its place",
        "a cut would leave snare 15.0 ms off its place",
        "a cut would leave hihat_closed 20.0 ms off its place",
    ]


@pytest.mark.parametrize("bars", [None, (1, 2), (2, 2), (2, 3), (4, 9)])
def test_bars_limit_repairs_and_say_so(bars: tuple[int, int] | None) -> None:
    moves = tuple(move for beat in range(1, 16) for move in line(beat, 0, 15))
    for beat, placement in enumerate(placements(plan_of(moves, bars=bars)), 1):
        inside = bars is None or bars[0] <= 1 + beat // 4 <= bars[1]
        assert placement.repaired == inside
        assert placement.reason.endswith("not in these bars") != inside
        assert "snare 15.0 ms" in placement.reason


def test_a_bar_is_that_of_the_line_and_not_of_the_hit() -> None:
    early = line(4, -5, -25)
    assert [placement.repaired for placement in placements(plan_of(early, bars=(2, 2)))] == [True]


def test_a_hit_that_is_left_alone_is_never_off_its_place() -> None:
    moves = tuple(replace(move, line_beats=None, destination_samples=move.onset_samples) for move in line(3, 0, 15))
    assert [placement.repaired for placement in placements(plan_of(moves))] == [False, False]


def test_a_group_that_follows_its_own_hit_needs_no_repair() -> None:
    plan = plan_of(line(4, 0, 15))
    split = replace(plan, splice=SpliceSettings(groups=(("snare",),)))
    assert [placement.repaired for placement in placements(plan)] == [True]
    (placement,) = placements(split)
    assert not placement.repaired
    assert placement.cut_shifts_samples == (0, -15 * MS)


def test_a_plan_without_moves_has_no_placements() -> None:
    for render in Render:
        assert placements(plan_of((), render)) == []
        assert landed_samples(plan_of((), render)) == []


@given(moves=flams())
def test_a_remark_counts_the_repairs(moves: tuple[Move, ...]) -> None:
    plan = plan_of(moves)
    repaired = sum(placement.repaired for placement in placements(plan))
    remarks = repair_remarks(plan, placements(plan))
    assert len(remarks) == min(repaired, 1)
    assert all(remark.startswith(f"{repaired} of {len(segments(moves))} places") for remark in remarks)
    for render in (SPLICE, SEPARATE):
        asked = replace(plan, repair=RepairSettings(render))
        assert not repair_remarks(asked, placements(asked))


@st.composite
def any_placements(draw: st.DrawFn) -> list[Placement]:
    found = []
    for onset in sorted(draw(st.lists(st.integers(0, 19_999), max_size=12))):
        spread = draw(st.lists(st.integers(0, 300), min_size=1, max_size=3).map(sorted))
        moves = tuple(
            Move(onset + late, max(0, onset + draw(st.integers(-300, 300))), "kick", Piece.KICK, 1.0, 1.0)
            for late in spread
        )
        cut = draw(st.integers(-300, 300))
        lifted = draw(st.lists(st.booleans(), min_size=len(moves), max_size=len(moves)).map(tuple))
        found.append(Placement(moves, (cut,) * len(moves), lifted, "drawn"))
    return found


@st.composite
def any_joins(draw: st.DrawFn) -> list[tuple[int, int]]:
    edges = sorted(draw(st.sets(st.integers(0, 19_999), max_size=24)))
    return list(zip(edges[::2], edges[1::2], strict=False))


@given(
    placed=any_placements(),
    samples=st.integers(1, 24_000),
    rate=st.sampled_from([8_000, 44_100, 192_000]),
    crossfade=st.sampled_from([0.0005, 0.005, 0.05]),
    joins=any_joins(),
)
def test_stretches_are_apart_in_order_and_inside_the_take(
    placed: list[Placement], samples: int, rate: int, crossfade: float, joins: list[tuple[int, int]]
) -> None:
    found = stretches(placed, samples, rate, crossfade, joins)
    edges = [edge for stretch in found for edge in (stretch.start, stretch.stop)]
    assert edges == sorted(edges)
    assert all(0 <= stretch.start < stretch.stop <= samples for stretch in found)
    fade = round(crossfade * rate)
    assert all(0 <= stretch.fade_in <= fade and 0 <= stretch.fade_out <= fade for stretch in found)
    assert all(stretch.fade_in + stretch.fade_out <= stretch.stop - stretch.start for stretch in found)


@given(moves=flams(), flam_ms=st.integers(1, 30), fill=st.sampled_from(Fill))
def test_repaired_hits_lie_whole_in_a_stretch_and_spliced_ones_outside(
    moves: tuple[Move, ...], flam_ms: int, fill: Fill
) -> None:
    plan = replace(plan_of(moves, flam_seconds=flam_ms / 1_000), splice=SpliceSettings(fill=fill))
    placed = placements(plan)
    joins = Splicer(SILENCE, plan).joins_samples()
    found = stretches(placed, plan.take.samples, RATE, plan.splice.crossfade_seconds, joins)
    assert bool(found) == any(placement.repaired for placement in placed)
    for placement in placed:
        for move, shift in zip(placement.moves, placement.shifts_samples, strict=True):
            at = move.onset_samples + shift
            whole = any(one.start + one.fade_in <= at < one.stop - one.fade_out for one in found)
            outside = not any(one.start <= at < one.stop for one in found)
            assert whole if placement.repaired else outside


def test_a_stretch_lasts_from_in_front_of_the_first_attack_to_in_front_of_the_next_that_is_cut() -> None:
    moves = (*line(2, 0), *line(4, 0, 15), *line(5, 0, -15), *line(7, 0), *line(9, 0, 15))
    plan = plan_of(moves)
    fade, guard = 40, 4
    assert stretches(placements(plan), plan.take.samples, RATE, 0.005, []) == [
        Stretch(4 * BEAT - guard - fade, 7 * BEAT - guard, fade, fade),
        Stretch(9 * BEAT - guard - fade, plan.take.samples, fade, 0),
    ]


def test_a_stretch_begins_and_ends_in_front_of_the_join_there_unless_an_attack_still_sounds() -> None:
    moves = (*line(2, 0), *line(4, 0, 15), *line(5, 0, -15), *line(7, 0), *line(9, 0, 15), *line(10, 0))
    plan = plan_of(moves)
    fade, guard, gap = 40, 4, 100
    joins = [(at * BEAT - guard - gap, at * BEAT - guard) for at in (2, 4, 7, 9)]
    begins, ends = 4 * BEAT - guard - gap, 7 * BEAT - guard - gap
    long_join = (9 * BEAT, 10 * BEAT - guard)
    assert stretches(placements(plan), plan.take.samples, RATE, 0.005, [*joins, long_join]) == [
        Stretch(begins - fade, ends, fade, fade),
        Stretch(9 * BEAT - guard - gap - fade, 10 * BEAT - guard, fade, fade),
    ]


@pytest.mark.parametrize("flam_seconds", [0.0, -0.001, 0.101, float("nan"), float("inf")])
def test_flams_to_repair_have_a_range(flam_seconds: float) -> None:
    with pytest.raises(InputError, match="flams to repair"):
        RepairSettings(AUTO, flam_seconds)


def test_bars_to_repair_end_after_they_start() -> None:
    RepairSettings(AUTO, bars=(3, 3))
    with pytest.raises(InputError, match="4-3"):
        RepairSettings(AUTO, bars=(4, 3))


@pytest.mark.parametrize("render", Render)
def test_every_way_of_rendering_is_found_by_its_name(render: Render) -> None:
    assert render_called(str(render)) is render


def test_an_unknown_way_of_rendering_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"auto, splice, separate; found 'magic'"):
        render_called("magic")


def test_every_engine_renders_in_its_own_way() -> None:
    assert {engine: engine.render for engine in Engine} == {Engine.NEURAL: AUTO, Engine.ONSET_QUANTISE: SPLICE}


repairs = st.builds(
    RepairSettings,
    render=st.sampled_from(Render),
    flam_seconds=st.floats(0.0001, 0.1),
    bars=st.none() | st.lists(st.integers(-4, 999), min_size=2, max_size=2).map(lambda pair: (min(pair), max(pair))),
)


@given(moves=flams(), repair=repairs)
def test_json_gives_the_repair_settings_back(moves: tuple[Move, ...], repair: RepairSettings) -> None:
    plan = replace(plan_of(moves), repair=repair)
    assert plan_from_json(plan_to_json(plan)) == plan


@given(moves=flams(), repair=repairs)
def test_places_are_written_for_people_and_never_read(moves: tuple[Move, ...], repair: RepairSettings) -> None:
    plan = replace(plan_of(moves), repair=repair)
    placed = placements(plan)
    text = plan_to_json(plan, placed)
    data = json.loads(text)
    assert [place["why"] for place in data[PLACES]] == [placement.reason for placement in placed]
    assert [place["render"] == SEPARATE.value for place in data[PLACES]] == [one.repaired for one in placed]
    first = [round(place["first_onset_seconds"] * RATE) for place in data[PLACES]]
    assert first == [placement.moves[0].onset_samples for placement in placed]
    assert plan_from_json(text) == plan
    for other in (None, 7, [{"render": "magic"}], KeyError):
        data[PLACES] = other
        if other is KeyError:
            del data[PLACES]
        assert plan_from_json(json.dumps(data)) == plan


def test_plans_of_earlier_versions_are_spliced() -> None:
    plan = plan_of(line(4, 0, 15))
    data = json.loads(plan_to_json(plan))
    del data["repair"], data[PLACES]
    assert plan_from_json(json.dumps(data)) == replace(plan, repair=RepairSettings(SPLICE))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("render", "magic", "magic"),
        ("render", None, "None"),
        ("flam_seconds", 3.0, "flams"),
        ("flam_seconds", "long", "malformed"),
        ("bars", [5, 2], "5-2"),
        ("bars", 3, "malformed"),
        ("bars", ["a", "b"], "malformed"),
    ],
)
def test_broken_repair_settings_are_refused_by_name(key: str, value: object, message: str) -> None:
    data = json.loads(plan_to_json(plan_of(line(4, 0, 15))))
    data["repair"][key] = value
    with pytest.raises(InputError, match=message) as caught:
        plan_from_json(json.dumps(data))
    assert "\n" not in str(caught.value)
    del data["repair"][key]
    with pytest.raises(InputError, match=key):
        plan_from_json(json.dumps(data))
