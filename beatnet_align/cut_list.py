"""The cut list that follows from an edit plan: where a group of channels is cut, and how far each part moves.

Neighbouring moves to one grid line form a segment, which a phase-locked group of channels follows as one: it is cut
before the segment's first hit and moves as far as the segment's leading hit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import isfinite

from beatnet_align.edit_plan import EditPlan, Move, SpliceSettings, TakeFacts, check_in_one_group
from beatnet_align.errors import InputError
from beatnet_align.roles import Role
from beatnet_align.take import Take, channels_called
from beatnet_align.units import samples_to_seconds, seconds_to_samples

LEAST_ATTACK_SECONDS = 0.001


@dataclass(frozen=True)
class Cut:
    """From here on a group of channels sounds with another shift.

    Attributes:
        source_samples: The cut point in the source.
        shift_samples: Movement of everything from here to the next cut; positive is later.
        first_onset_samples: First attack behind the cut, in the source.
        last_onset_samples: Last attack before the next cut, in the source.
    """

    source_samples: int
    shift_samples: int
    first_onset_samples: int
    last_onset_samples: int

    @property
    def destination_samples(self) -> int:
        """Where the cut point sounds."""
        return self.source_samples + self.shift_samples


def validate(plan: EditPlan, take: Take) -> None:
    """Check that a plan belongs to a take and keeps its invariants in every group of channels.

    Raises:
        InputError: It does not; the message names the first hit that is wrong.
    """
    facts = TakeFacts.of(take)
    for what, planned, found in (
        ("sample rate is", plan.take.sample_rate, facts.sample_rate),
        ("length in samples is", plan.take.samples, facts.samples),
        ("channels are", ", ".join(plan.take.channels), ", ".join(facts.channels)),
    ):
        if planned != found:
            raise InputError(f"the plan belongs to another take: its {what} {planned}, but in {take.name!r} {found}")
    groups = channel_groups(plan.splice, plan.take)
    moving = {name for group in groups for name in group}
    for move in plan.moves:
        _check_move(move, facts)
        if move.channel not in moving:
            raise InputError(
                f"the {_place(move, facts)} is on {move.channel!r}, a click, which stays as it is; "
                "trigger other channels, or give it another role"
            )
    for earlier, later in pairwise(plan.moves):
        if later.onset_samples < earlier.onset_samples:
            raise InputError(
                f"moves must be in order of onset: {_place(later, facts)} follows {_place(earlier, facts)}"
            )
    for group in groups:
        cut_list(plan, group)


def channel_groups(splice: SpliceSettings, facts: TakeFacts) -> tuple[tuple[str, ...], ...]:
    """The groups of channels that are cut together; those that the settings do not name form the last.

    A click that they do not name is in none: it says when the beats are, and stays.

    Raises:
        InputError: The settings group a channel that is not there, or one twice.
    """
    groups = tuple(
        tuple(name for given in group for name in channels_called(given, facts.channels)) for group in splice.groups
    )
    check_in_one_group(groups)
    stay = {name for name, role in zip(facts.channels, facts.roles, strict=True) if role is Role.CLICK}
    left_out = stay.union(*groups)
    rest = tuple(name for name in facts.channels if name not in left_out)
    return (*groups, rest) if rest else groups


def segments(moves: Sequence[Move]) -> list[tuple[Move, ...]]:
    """Neighbouring moves that go to one line together; a hit that is left alone is a segment of its own."""
    found: list[tuple[Move, ...]] = []
    for line_beats, run in groupby(moves, key=lambda move: move.line_beats):
        members = tuple(run)
        found += [members] if line_beats is not None else [(move,) for move in members]
    return found


def cut_list(plan: EditPlan, group: Sequence[str]) -> list[Cut]:
    """Derive where a group of channels is cut.

    A segment moves as far as its leading hit, or, if that was struck on a channel of another group, as far as the
    firmest hit of its own channels, if there is one.

    Returns:
        In order; a cut that changes nothing is kept, for the attack behind it. Where the shift changes, source and
        destination strictly increase.

    Raises:
        InputError: The moves contradict each other: a hit would be swallowed, sound before an earlier one, or follow
            its segment out of the take.
    """
    rate = plan.take.sample_rate
    cuts: list[Cut] = []
    for segment in segments(plan.moves):
        cut = cut_before(segment, group, cuts[-1] if cuts else None, plan.splice, rate)
        if leaves_take(cut, plan.take.samples):
            raise InputError(
                f"the {_place(segment[0], plan.take)} and those that move with it would go by "
                f"{samples_to_seconds(cut.shift_samples, rate):+.4f} s, outside the take of {_length(plan.take):.3f} s"
            )
        if cuts and runs_into(cuts[-1], cut, LEAST_ATTACK_SECONDS, rate):
            raise InputError(
                f"the {_place(segment[0], plan.take)} is too close to cut apart from the hit at "
                f"{samples_to_seconds(cuts[-1].last_onset_samples, rate):.4f} s, or would sound before it; "
                "move the two apart or give both the same shift"
            )
        cuts.append(cut)
    return cuts


def cut_before(
    segment: Sequence[Move], group: Sequence[str], previous: Cut | None, splice: SpliceSettings, sample_rate: int
) -> Cut:
    """The cut in front of a segment: the pad before its first attack, or half way to the attack before if that is less.

    Half way in the source or in the output, wherever the two are closer together.
    """
    first, last = segment[0].onset_samples, segment[-1].onset_samples
    shift = _leader(segment, group).shift_samples
    ahead = min(first, seconds_to_samples(splice.pad_seconds, sample_rate))
    if previous is not None:
        apart = first - previous.last_onset_samples
        ahead = min(ahead, max(0, min(apart, apart + shift - previous.shift_samples)) // 2)
    return Cut(first - ahead, shift, first, last)


def runs_into(previous: Cut, cut: Cut, least_attack_seconds: float, sample_rate: int) -> bool:
    """Whether a cut leaves less than ``least_attack_seconds`` of the attack before it, in the source or the output."""
    if cut.shift_samples == previous.shift_samples:
        return False
    in_source = cut.source_samples - previous.last_onset_samples
    in_output = in_source + cut.shift_samples - previous.shift_samples
    return min(in_source, in_output) < seconds_to_samples(least_attack_seconds, sample_rate)


def leaves_take(cut: Cut, samples: int) -> bool:
    """Whether an attack of a segment would move out of a take of so many samples."""
    return cut.first_onset_samples + cut.shift_samples < 0 or cut.last_onset_samples + cut.shift_samples >= samples


def _leader(segment: Sequence[Move], group: Sequence[str]) -> Move:
    firmness = [(move.channel in group, move.leads, move.velocity * move.confidence) for move in segment]
    own = max(range(len(segment)), key=lambda i: firmness[i])
    if segment[own].channel in group:
        return segment[own]
    return next((move for move in segment if move.leads), segment[own])


def _check_move(move: Move, facts: TakeFacts) -> None:
    if move.channel not in facts.channels:
        known = ", ".join(facts.channels)
        raise InputError(f"the {_place(move, facts)} names the channel {move.channel!r}; the channels are {known}")
    for what, value in (
        ("velocity", move.velocity),
        ("confidence", move.confidence),
        ("line_confidence", move.line_confidence),
    ):
        if not 0.0 <= value <= 1.0:
            raise InputError(f"the {_place(move, facts)} has a {what} of {value:g}; it must lie between 0 and 1")
    if move.line_beats is not None and not isfinite(move.line_beats):
        raise InputError(
            f"the {_place(move, facts)} has line_beats {move.line_beats}; give a beat, or null to leave it"
        )
    if move.runner_up_beats is not None and not isfinite(move.runner_up_beats):
        raise InputError(
            f"the {_place(move, facts)} has runner_up_beats {move.runner_up_beats}; give a beat, or null for none"
        )
    if not 0 <= move.onset_samples < facts.samples:
        raise InputError(f"the {_place(move, facts)} lies outside the take of {_length(facts):.3f} s")
    if not 0 <= move.destination_samples < facts.samples:
        goal = samples_to_seconds(move.destination_samples, facts.sample_rate)
        raise InputError(
            f"the {_place(move, facts)} would go to {goal:.4f} s, outside the take of {_length(facts):.3f} s"
        )


def _place(move: Move, facts: TakeFacts) -> str:
    return f"hit at {samples_to_seconds(move.onset_samples, facts.sample_rate):.4f} s"


def _length(facts: TakeFacts) -> float:
    return samples_to_seconds(facts.samples, facts.sample_rate)
