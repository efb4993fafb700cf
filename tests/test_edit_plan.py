"""A plan is rendered over its own take only, and only where no hit would be swallowed or overtaken."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.cut_list import channel_groups, cut_list, segments, validate
from beatnet_align.edit_plan import EditPlan, Move, SpliceSettings, TakeFacts
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.repair import landed_samples
from beatnet_align.roles import Role
from beatnet_align.take import Take, take_from_array
from beatnet_align.tempo_map import TempoMap

RATE = 8_000
CHANNELS = ("kick", "snare", "overhead")


def silent_take(samples: int = 2 * RATE, rate: int = RATE, channels: tuple[str, ...] = CHANNELS) -> Take:
    return take_from_array(np.zeros((len(channels), samples), np.float32), rate, channels)


def move(onset: int, destination: int, line: float | None = None, channel: str = "kick", leads: bool = True) -> Move:
    return Move(onset, destination, channel, Piece.KICK, 0.9, 1.0, leads, line)


def plan_of(*moves: Move, splice: SpliceSettings | None = None) -> EditPlan:
    facts = TakeFacts.of(silent_take())
    return EditPlan(facts, moves, TempoMap.constant(120.0, 0.0), Grid(), splice=splice or SpliceSettings())


def refusal(plan: EditPlan, take: Take | None = None) -> str:
    """The one line that tells why a plan is refused."""
    with pytest.raises(InputError) as caught:
        validate(plan, take or silent_take())
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_good_plan_passes() -> None:
    validate(plan_of(), silent_take())
    validate(plan_of(move(2_000, 2_100, 0.5), move(4_000, 3_900, 1.0)), silent_take())


@pytest.mark.parametrize(
    ("take", "what"),
    [
        (silent_take(rate=16_000), "sample rate is 8000, but in 'take' 16000"),
        (silent_take(samples=2 * RATE - 1), "length in samples is 16000, but in 'take' 15999"),
        (silent_take(channels=("kick", "snare")), "channels are kick, snare, overhead, but in 'take' kick, snare"),
        (silent_take(channels=("snare", "kick", "overhead")), "channels are"),
    ],
)
def test_a_plan_belongs_to_one_take(take: Take, what: str) -> None:
    assert what in refusal(plan_of(move(2_000, 2_100)), take)


def test_moves_are_in_order_of_onset() -> None:
    message = refusal(plan_of(move(4_000, 4_000), move(2_000, 2_000)))
    assert message == "moves must be in order of onset: hit at 0.2500 s follows hit at 0.5000 s"


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (move(2_000, 2_000, channel="tom"), "'tom'; the channels are kick, snare, overhead"),
        (move(16_000, 2_000), "hit at 2.0000 s lies outside the take of 2.000 s"),
        (move(-1, 0), "lies outside the take"),
        (move(2_000, 16_000), "would go to 2.0000 s, outside the take"),
        (move(2_000, -8), "would go to -0.0010 s, outside the take"),
    ],
)
def test_moves_stay_inside_the_take(wrong: Move, what: str) -> None:
    assert what in refusal(plan_of(wrong))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (move(2_000, 4_000), move(4_000, 4_000)),  # on one place
        (move(2_000, 5_000), move(4_000, 4_000)),  # overtaken
        (move(2_000, 3_998), move(4_000, 4_010)),  # too close in the output
        (move(2_000, 1_000), move(2_010, 3_000)),  # too close in the source
        (move(2_000, 1_000), move(2_000, 3_000)),  # on one place in the source
    ],
)
def test_no_hit_is_swallowed_or_overtaken(first: Move, second: Move) -> None:
    assert "move the two apart or give both the same shift" in refusal(plan_of(first, second))


def test_no_follower_is_drawn_out_of_the_take() -> None:
    early = move(50, 10, 0.0, leads=False), move(150, 0, 0.0)
    assert "outside the take" in refusal(plan_of(*early))
    late = move(15_000, 15_500, 3.0), move(15_600, 15_999, 3.0, leads=False)
    assert "outside the take" in refusal(plan_of(*late))


@given(st.lists(st.integers(0, 15_000), max_size=20), st.integers(0, 900))
def test_hits_that_move_together_may_be_as_close_as_they_like(onsets: list[int], shift: int) -> None:
    validate(plan_of(*[move(onset, onset + shift) for onset in sorted(onsets)]), silent_take())


def test_neighbours_on_one_line_are_a_segment_and_hits_left_alone_are_not() -> None:
    moves = [move(1, 1, 0.0), move(2, 2, 0.0), move(3, 3), move(4, 4), move(5, 5, 1.0)]
    assert [len(segment) for segment in segments(moves)] == [2, 1, 1, 1]


def test_a_cut_lies_the_pad_before_the_first_attack_but_behind_the_one_before() -> None:
    plan = plan_of(move(10, 10), move(2_000, 2_100), move(2_500, 2_640), move(2_560, 2_730))
    assert [cut.source_samples for cut in cut_list(plan, CHANNELS)] == [0, 1_960, 2_460, 2_530]


def test_a_segment_moves_as_far_as_its_leader() -> None:
    pair = move(2_000, 2_100, 0.5, leads=False), move(2_040, 2_100, 0.5, channel="snare")
    assert [cut.shift_samples for cut in cut_list(plan_of(*pair), CHANNELS)] == [60]


def test_a_group_without_the_leader_follows_its_own_firmest_hit_or_else_the_leader() -> None:
    pair = move(2_000, 2_100, 0.5, leads=False), move(2_040, 2_100, 0.5, channel="snare")
    plan = plan_of(*pair)
    assert cut_list(plan, ["kick"])[0].shift_samples == 100
    assert cut_list(plan, ["snare"])[0].shift_samples == 60
    assert cut_list(plan, ["overhead"])[0].shift_samples == 60


def test_channels_in_no_group_form_the_last() -> None:
    facts = TakeFacts.of(silent_take())
    assert channel_groups(SpliceSettings(), facts) == (CHANNELS,)
    assert channel_groups(SpliceSettings(groups=(("snare",),)), facts) == (("snare",), ("kick", "overhead"))
    assert channel_groups(SpliceSettings(groups=(CHANNELS,)), facts) == (CHANNELS,)


def test_a_click_is_cut_only_where_a_group_names_it() -> None:
    facts = TakeFacts("take", RATE, RATE, ("kick", "Metronome", "snare"), (Role.KICK, Role.CLICK, Role.SNARE))
    assert channel_groups(SpliceSettings(), facts) == (("kick", "snare"),)
    assert channel_groups(SpliceSettings(groups=(("snare",),)), facts) == (("snare",), ("kick",))
    assert channel_groups(SpliceSettings(groups=(("Metronome", "kick"),)), facts) == (("Metronome", "kick"), ("snare",))


def test_a_hit_on_a_click_is_refused() -> None:
    take = take_from_array(np.zeros((2, RATE), np.float32), RATE, ["kick", "click"])
    plan = replace(plan_of(move(2_000, 2_100, 0.5, channel="click")), take=TakeFacts.of(take))
    with pytest.raises(InputError, match=r"'click', a click, which stays as it is"):
        validate(plan, take)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"velocity": 1.5}, "velocity"),
        ({"confidence": float("nan")}, "confidence"),
        ({"line_beats": float("nan")}, "beat"),
    ],
)
def test_figures_of_a_move_lie_in_their_range(wrong: dict[str, float], what: str) -> None:
    spoilt = replace(move(2_000, 2_100, 0.5), **wrong)  # type: ignore[arg-type] # wrong on purpose
    assert what in refusal(plan_of(spoilt))


def test_a_group_may_name_a_stem() -> None:
    facts = TakeFacts("take", RATE, RATE, ("kick", "oh.L", "oh.R"), (Role.KICK, Role.OVERHEAD, Role.OVERHEAD))
    assert channel_groups(SpliceSettings(groups=(("oh",),)), facts) == (("oh.L", "oh.R"), ("kick",))
    with pytest.raises(InputError, match=r"'oh\.L' is named twice"):
        channel_groups(SpliceSettings(groups=(("oh",), ("oh.L",))), facts)


def test_every_hit_lands_with_the_group_of_its_own_channel() -> None:
    pair = move(2_000, 2_100, 0.5), move(2_040, 2_100, 0.5, leads=False, channel="snare")
    assert landed_samples(plan_of(*pair)) == [2_100, 2_140]
    assert landed_samples(plan_of(*pair, splice=SpliceSettings(groups=(("snare",),)))) == [2_100, 2_100]


def test_groups_name_channels_of_the_take_once() -> None:
    unknown = plan_of(splice=SpliceSettings(groups=(("tom",),)))
    assert refusal(unknown) == "no channel is called 'tom'; the channels are kick, snare, overhead"
    with pytest.raises(InputError, match="one group only"):
        SpliceSettings(groups=(("kick", "snare"), ("snare",)))


@pytest.mark.parametrize("seconds", [0.0, 0.0001, 0.051, float("nan")])
def test_pad_and_crossfade_have_ranges(seconds: float) -> None:
    with pytest.raises(InputError, match="pad"):
        SpliceSettings(pad_seconds=seconds)
    with pytest.raises(InputError, match="crossfade"):
        SpliceSettings(crossfade_seconds=seconds)


def test_the_shift_is_where_it_goes_less_where_it_was() -> None:
    assert replace(move(2_000, 2_100), destination_samples=1_900).shift_samples == -100
