"""Edit plans survive JSON, and a plan broken by hand is refused with one line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.edit_plan import EditPlan, Flag, Move, SpliceSettings, TakeFacts
from beatnet_align.engines import Fill
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.plan_json import load_plan, plan_from_json, plan_to_json
from beatnet_align.roles import Role
from beatnet_align.tempo_map import TempoChange, TempoMap, TimeSignature

RATES_HZ = (8_000, 44_100, 48_000, 96_000, 192_000)


@st.composite
def plans(draw: st.DrawFn) -> EditPlan:
    rate = draw(st.sampled_from(RATES_HZ))
    samples = 3600 * rate
    positions = st.integers(0, samples - 1)
    move = st.builds(
        Move,
        onset_samples=positions,
        destination_samples=positions,
        channel=st.sampled_from(["kick", "Snare Top", "Überkopf.L"]),
        piece=st.sampled_from(Piece),
        velocity=st.floats(0, 1),
        confidence=st.floats(0, 1),
        leads=st.booleans(),
        line_beats=st.none() | st.floats(-100, 10_000),
        line_confidence=st.floats(0, 1),
        runner_up_beats=st.none() | st.floats(-100, 10_000),
        flags=st.lists(st.sampled_from(Flag), unique=True, max_size=3).map(tuple),
    )
    moves = draw(st.lists(move, max_size=5))
    roles = draw(st.tuples(*[st.sampled_from(Role)] * 3))
    return EditPlan(
        take=TakeFacts("a take", rate, samples, ("kick", "Snare Top", "Überkopf.L"), roles),
        moves=tuple(sorted(moves, key=lambda m: m.onset_samples)),
        tempo_map=TempoMap(
            (TempoChange(0.0, 120.0), TempoChange(8.0, draw(st.floats(20, 400)))),
            draw(st.floats(-10, 100)),
            (TimeSignature(0.0, 4, 4), TimeSignature(8.0, 7, 8)),
        ),
        grid=Grid(("1/16",), swing=draw(st.floats(0.5, 0.75))),
        splice=SpliceSettings(0.01, 0.004, Fill.STRETCH, (("kick",),)),
        notes=("assumed something",),
    )


@given(plans())
def test_json_gives_the_plan_back(plan: EditPlan) -> None:
    assert plan_from_json(plan_to_json(plan)) == plan


@given(plans())
def test_plans_of_earlier_versions_say_nothing_of_roles(plan: EditPlan) -> None:
    data = json.loads(plan_to_json(plan))
    del data["take"]["roles"]
    guessed = replace(plan.take, roles=(Role.KICK, Role.SNARE, Role.OTHER))
    assert plan_from_json(json.dumps(data)) == replace(plan, take=guessed)


@given(plans())
def test_plans_of_earlier_versions_say_nothing_of_how_sure_a_line_is(plan: EditPlan) -> None:
    data = json.loads(plan_to_json(plan))
    for entry in data["moves"]:
        del entry["line_confidence"], entry["runner_up_beats"]
    earlier = tuple(replace(move, line_confidence=1.0, runner_up_beats=None) for move in plan.moves)
    assert plan_from_json(json.dumps(data)) == replace(plan, moves=earlier)


def test_a_person_finds_one_move_a_line_with_times_in_seconds(demo_plan: EditPlan) -> None:
    lines = plan_to_json(demo_plan).splitlines()
    moves = [line for line in lines if line.startswith('    {"onset_seconds": ')]
    assert len(moves) == len(demo_plan.moves)


def broken(plan: EditPlan, path: list[str | int], value: Any) -> str:
    data = json.loads(plan_to_json(plan))
    place = data
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "something else", "no edit plan"),
        (["version"], 2, "version 2"),
        (["take"], KeyError, "take"),
        (["take", "samples"], "many", "malformed"),
        (["take", "sample_rate"], float("inf"), "malformed"),
        (["take", "roles"], ["drum"] * 6, "drum"),
        (["take", "roles"], ["kick"], "6 channels but 1 roles"),
        (["grid", "swing"], 10**400, "malformed"),
        (["splice", "fill"], "magic", "magic"),
        (["splice", "pad_seconds"], 3.0, "pad"),
        (["tempo_map", "tempi"], [], "tempo"),
        (["tempo_map", "tempi"], [[0, 1000]], "1000"),
        (["grid", "divisions"], ["1/7"], "1/7"),
        (["moves", 0], 7, "move 1"),
        (["moves", 1, "piece"], "cowbell", "move 2"),
        (["moves", 1, "flags"], ["odd"], "move 2"),
        (["moves", 2, "leads"], "yes", "move 3"),
        (["moves", 2, "onset_seconds"], None, "move 3"),
        (["moves", 2, "onset_seconds"], float("nan"), "move 3"),
        (["moves", 2, "destination_seconds"], float("inf"), "move 3"),
        (["moves", 2, "channel"], KeyError, "channel"),
        (["moves", 2, "line_confidence"], None, "move 3"),
        (["moves", 2, "runner_up_beats"], "early", "move 3"),
        (["moves", 2, "comment"], "mine", "comment"),
        (["moves"], 5, "malformed"),
    ],
)
def test_a_broken_plan_is_refused_by_name(demo_plan: EditPlan, path: list[str | int], value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        plan_from_json(broken(demo_plan, path, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "not json"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        plan_from_json(text)


def test_the_message_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "edits.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"edits\.json"):
        load_plan(tmp_path / "edits.json")
    with pytest.raises(InputError, match="nowhere"):
        load_plan(tmp_path / "nowhere")
