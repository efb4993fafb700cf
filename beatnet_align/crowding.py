"""Moves that cannot be cut apart go together, so that every plan can be cut."""

from collections.abc import Sequence
from dataclasses import replace

from beatnet_align.clusters import FLAM_SECONDS
from beatnet_align.cut_list import Cut, cut_before, leaves_take, runs_into, segments
from beatnet_align.edit_plan import Flag, Move, SpliceSettings
from beatnet_align.errors import InputError
from beatnet_align.take import Take
from beatnet_align.units import samples_to_seconds, seconds_to_samples

FIXED = frozenset({Flag.LOCKED, Flag.OUTSIDE_BARS})
"""Hits with one of these flags go along with nobody: who cannot be cut apart from them goes along with them. But no
lock takes others further from their places than a flam is wide: that is told instead."""

LEAST_APART_SECONDS = 0.006
"""Less than this of an attack before the next cut is as good as none."""


def uncrowded(moves: Sequence[Move], groups: Sequence[Sequence[str]], take: Take, splice: SpliceSettings) -> list[Move]:
    """Make the cuts of every group possible.

    A segment that would run into the one before it goes along with that one, or that one with it where it is fixed or
    surer of its line; one that would leave the take stays.

    Raises:
        InputError: Locks leave no way to cut.
    """
    placed: list[tuple[Move, ...]] = []
    cuts: list[list[Cut]] = []
    for wanted in segments(moves):
        segment = wanted
        while True:
            behind = cuts[-1] if cuts else [None] * len(groups)
            pairs = [
                (previous, cut_before(segment, group, previous, splice, take.sample_rate))
                for group, previous in zip(groups, behind, strict=True)
            ]
            if any(leaves_take(cut, take.samples) for _, cut in pairs):
                if _is_fixed(segment):
                    raise InputError(f"{_locked_at(segment, take)} takes what was struck with it out of the take")
                segment = _left(segment)
            elif any(
                previous is not None and runs_into(previous, cut, LEAST_APART_SECONDS, take.sample_rate)
                for previous, cut in pairs
            ):
                cuts.pop()
                segment = _together(placed.pop(), segment, take)
            else:
                break
        placed.append(segment)
        cuts.append([cut for _, cut in pairs])
    return [move for segment in placed for move in segment]


def in_own_places(placed: Sequence[Move], wanted: Sequence[Move]) -> list[Move]:
    """Moves that are cut together, but go where each was meant to, which a repair takes it to.

    Args:
        placed: What :func:`uncrowded` made of the others.
        wanted: Where each was meant to go, in the same order; what stays because it would leave the take stays.
    """
    return [
        move if move.line_beats is None else replace(move, destination_samples=own.destination_samples)
        for move, own in zip(placed, wanted, strict=True)
    ]


def _together(before: tuple[Move, ...], segment: tuple[Move, ...], take: Take) -> tuple[Move, ...]:
    """Two segments as one, which moves as far as the leading hit of the fixed one; of the surer one, if none is."""
    if _is_fixed(before) and _is_fixed(segment):
        raise InputError(f"{_locked_at(before, take)} and {_locked_at(segment, take)} cannot be cut apart")
    if _weight(segment) > _weight(before):
        return _following(before, segment, take) + segment
    return before + _following(segment, before, take)


def _weight(segment: Sequence[Move]) -> tuple[bool, float]:
    """Whom two segments follow that go together: the fixed one, else the one that is surer of its line."""
    return _is_fixed(segment), _lead(segment).line_confidence


def _is_fixed(segment: Sequence[Move]) -> bool:
    return any(FIXED.intersection(move.flags) for move in segment)


def _locked_at(segment: Sequence[Move], take: Take) -> str:
    lead = _lead(segment)
    onset, destination = (
        samples_to_seconds(at, take.sample_rate) for at in (lead.onset_samples, lead.destination_samples)
    )
    return f"the hit at {onset:.4f} s, which is held at {destination:.4f} s,"


def _lead(segment: Sequence[Move]) -> Move:
    """The move that a segment follows: its fixed one, if it has any."""
    return max((move for move in segment if move.leads), key=lambda move: bool(FIXED.intersection(move.flags)))


def _following(segment: tuple[Move, ...], other: Sequence[Move], take: Take) -> tuple[Move, ...]:
    """A segment that goes along with another one's leading hit."""
    lead = _lead(other)
    if lead.shift_samples and _is_fixed(other):
        off = abs(_lead(segment).shift_samples - lead.shift_samples)
        if off > seconds_to_samples(FLAM_SECONDS, take.sample_rate):
            onset = samples_to_seconds(_lead(segment).onset_samples, take.sample_rate)
            raise InputError(
                f"{_locked_at(other, take)} leaves no room for the one at {onset:.4f} s: lock that one too"
            )
    return tuple(
        replace(
            move,
            destination_samples=inside_take(move.onset_samples + lead.shift_samples, take.samples),
            line_beats=lead.line_beats,
            leads=lead.line_beats is None,
            flags=_with(move.flags, Flag.CROWDED),
        )
        for move in (_held_back(move) if move.line_beats != lead.line_beats else move for move in segment)
    )


def _held_back(move: Move) -> Move:
    """A move that cannot go to the line it was meant for; nothing changes where nobody was asked how sure that is."""
    if move.runner_up_beats is None or move.line_beats is None:
        return move
    flags = _with(move.flags, Flag.UNSURE_LINE)
    return replace(move, line_confidence=0.0, runner_up_beats=move.line_beats, flags=flags)


def _left(segment: tuple[Move, ...]) -> tuple[Move, ...]:
    """The hits of a segment where they were."""
    return tuple(
        replace(
            move,
            destination_samples=move.onset_samples,
            line_beats=None,
            leads=True,
            flags=_with(move.flags, Flag.OUTSIDE_TAKE),
        )
        for move in segment
    )


def inside_take(samples: int, length_samples: int) -> int:
    """The sample nearest to a place that a take of that length has."""
    return min(max(samples, 0), length_samples - 1)


def _with(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    return flags if flag in flags else (*flags, flag)
