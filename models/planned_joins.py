"""The joins that a plan cuts, and which hit each of them depends on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.cut_list import Cut, cut_list, segments
from beatnet_align.edit_plan import EditPlan, Move
from beatnet_align.splice import GUARD_SECONDS, Fade, Plain, Span, timeline
from beatnet_align.take import Take
from beatnet_align.units import IntArray, seconds_to_samples

NOBODY = -1
"""Where what is behind a join is led by no hit that moves."""


@dataclass(frozen=True, eq=False)
class PlannedJoins:
    """Joins in order, in samples.

    Attributes:
        starts, fades: [joins], where crossfades begin in the output, and how long they are.
        shifts: [joins + 1], of what lies between them.
        leads, firsts: [joins], the hit that leads what is behind a join, and the first one there, or ``NOBODY``.
        destinations: [joins], where that lead goes.
    """

    starts: IntArray
    fades: IntArray
    shifts: IntArray
    leads: IntArray
    firsts: IntArray
    destinations: IntArray


def planned_joins(plan: EditPlan, take: Take) -> PlannedJoins:
    """The joins of a plan that runs on into tails; where it has to stretch one, a crossfade stands for that.

    Args:
        plan: With ``Fill.EXTEND``, all channels cut together.
        take: The plan's.
    """
    names = [channel.name for channel in take.channels]
    cuts, parts = cut_list(plan, names), segments(plan.moves)
    spans = [one for one in timeline(cuts, take.samples, take.sample_rate, plan.splice) if not isinstance(one, Plain)]
    longest = seconds_to_samples(plan.splice.crossfade_seconds, take.sample_rate)
    fades = [_as_fade(span, longest) for span in spans]
    number = {id(move): i for i, move in enumerate(plan.moves)}
    leads, firsts, destinations = [], [], []
    at = 0
    for span in spans:
        at = next((i for i in range(at, len(cuts)) if _leads_into(span, cuts[i], take.sample_rate)), len(cuts))
        lead = _leader(parts[at]) if at < len(parts) else None
        moves = lead is not None and lead.line_beats is not None
        leads.append(number[id(lead)] if moves else NOBODY)
        firsts.append(number[id(parts[at][0])] if at < len(parts) else NOBODY)
        destinations.append(lead.destination_samples if lead is not None and moves else 0)
        at += 1
    first = fades[0].shift_out if fades else 0
    columns = (
        [fade.start for fade in fades],
        [fade.stop - fade.start for fade in fades],
        [first, *(fade.shift_in for fade in fades)],
        leads,
        firsts,
        destinations,
    )
    return PlannedJoins(*(np.array(column, np.int64) for column in columns))


def _as_fade(span: Span, longest: int) -> Fade:
    if isinstance(span, Fade):
        return span
    assert not isinstance(span, Plain)
    tail_stop = span.stop - (span.shift_in - span.shift_out)
    return Fade(max(span.start, tail_stop - longest), tail_stop, span.shift_out, span.shift_in)


def _leads_into(span: Span, cut: Cut, sample_rate: int) -> bool:
    assert not isinstance(span, Plain)
    attack = cut.first_onset_samples + cut.shift_samples - seconds_to_samples(GUARD_SECONDS, sample_rate)
    return cut.shift_samples == span.shift_in and attack >= span.stop


def _leader(segment: Sequence[Move]) -> Move:
    """The move that all channels follow together, as in ``cut_list``."""
    return max(segment, key=lambda move: (move.leads, move.velocity * move.confidence))
