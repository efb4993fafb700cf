"""Tables of hits and bars: every decision on a line of its own, places named as musicians do."""

from dataclasses import replace

from beatnet_align.edit_plan import EditPlan, Flag, Move, TakeFacts
from beatnet_align.grid import Grid
from beatnet_align.hit_report import bar_table, hit_rows, hit_table, move_table
from beatnet_align.hits import Hit, Piece
from beatnet_align.roles import Role
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap

RATE = 8_000


def reported() -> EditPlan:
    moves = (
        Move(4_100, 4_000, "kick", Piece.KICK, 0.9, 1.0, line_beats=1.0, line_confidence=0.98, runner_up_beats=1.25),
        Move(17_080, 17_000, "Snare Top", Piece.SNARE, 0.9, 1.0, line_beats=4.25, flags=(Flag.UNSURE_LINE,)),
        Move(20_000, 20_000, "kick", Piece.KICK, 0.9, 1.0, flags=(Flag.OUTSIDE_BARS,)),
    )
    facts = TakeFacts("made up", RATE, 5 * RATE, ("kick", "Snare Top"), (Role.KICK, Role.SNARE))
    return EditPlan(facts, moves, TempoMap.constant(120.0, 0.0), Grid())


def test_every_decision_is_explained() -> None:
    header, kick, snare, left = move_table(reported()).splitlines()
    assert header.split() == ["seconds", "piece", "channel", "line", "shift", "ms", "sure", "runner-up", "flags"]
    assert kick.split() == ["0.5125", "kick", "kick", "1:2", "-12.5", "0.980", "1:2.25", "-"]
    assert snare.split() == ["2.1350", "snare", "Snare", "Top", "2:1.25", "-10.0", "-", "-", "unsure_line"]
    assert left.split() == ["2.5000", "kick", "kick", "-", "+0.0", "-", "-", "outside_bars"]


def test_lines_of_a_swung_grid_are_named_by_their_place_in_the_score() -> None:
    plan = reported()
    swung = Grid(swing=0.6)
    line = float(swung.nearest_line(swung.lines_beats(4.26, 4.4))[0])
    moves = (replace(plan.moves[1], line_beats=line),)
    assert move_table(replace(plan, moves=moves, grid=swung)).splitlines()[1].split()[4] == "2:1.25"


def test_bars_are_told_with_their_feel() -> None:
    header, first, second = bar_table(reported()).splitlines()
    assert header.split() == ["bar", "hits", "subdivision", "swing", "1/8", "%", "swing", "1/16", "%", "drift", "ms"]
    assert first.split() == ["1", "1", "1/4", "-", "-", "+12.5"]
    assert second.split() == ["2", "1", "1/16", "-", "-", "+10.0"]


def test_a_plan_without_moves_has_tables_without_rows() -> None:
    empty = replace(reported(), moves=())
    assert len(move_table(empty).splitlines()) == len(bar_table(empty).splitlines()) == 1


def test_hits_are_listed(demo_take: Take) -> None:
    rows = hit_rows([Hit(demo_take.sample_rate, 0, Piece.KICK, 0.5, 0.25)], demo_take)
    channel = demo_take.channels[0].name
    assert rows == [{"seconds": 1.0, "channel": channel, "piece": "kick", "velocity": 0.5, "confidence": 0.25}]
    assert hit_table(rows).splitlines()[1].split() == ["1.0000", channel, "kick", "0.50", "0.25"]
