"""Where a plan lifts hits out of the microphones instead of cutting, and why; and where every hit sounds then.

A cut moves all that is struck for one line together. A hit that it would leave off its place is lifted out and moves by
its own shift, see ``separation.py``; what the cut takes to its place goes with the cut, as it stands in every
microphone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from beatnet_align.cut_list import channel_groups, cut_list, segments
from beatnet_align.edit_plan import EditPlan, Move, RepairSettings
from beatnet_align.engines import Render
from beatnet_align.units import samples_to_seconds, seconds_to_ms, seconds_to_samples


@dataclass(frozen=True)
class Placement:
    """How one segment of a plan is rendered.

    Attributes:
        moves: The hits that a cut would move together.
        cut_shifts_samples: How far the cut takes each of them.
        lifted: Whether each is moved by its own shift instead.
        reason: Why, in plain words.
    """

    moves: tuple[Move, ...]
    cut_shifts_samples: tuple[int, ...]
    lifted: tuple[bool, ...]
    reason: str

    @property
    def repaired(self) -> bool:
        """Whether any is lifted."""
        return any(self.lifted)

    @property
    def shifts_samples(self) -> tuple[int, ...]:
        """How far each hit really moves; positive is later."""
        of_moves = zip(self.moves, self.cut_shifts_samples, self.lifted, strict=True)
        return tuple(move.shift_samples if lifted else cut for move, cut, lifted in of_moves)

    @property
    def starts_samples(self) -> int:
        """Where the first attack of the segment sounds, cut or repaired, whichever is earlier."""
        onsets = [move.onset_samples for move in self.moves]
        shifts = (self.cut_shifts_samples, self.shifts_samples)
        return min(onset + shift for way in shifts for onset, shift in zip(onsets, way, strict=True))

    @property
    def last_lands_samples(self) -> int:
        """Where its last attack sounds."""
        return max(move.onset_samples + shift for move, shift in zip(self.moves, self.shifts_samples, strict=True))


def placements(plan: EditPlan) -> list[Placement]:
    """How each segment of a plan is rendered, in order.

    Raises:
        InputError: The moves contradict each other, see :func:`~beatnet_align.cut_list.cut_list`.
    """
    of_segments = segments(plan.moves)
    groups = channel_groups(plan.splice, plan.take)
    cuts = [cut_list(plan, group) for group in groups]
    own_group = {name: number for number, group in enumerate(groups) for name in group}
    bars = _bars(plan, of_segments)
    if not any(move.shift_samples for move in plan.moves):
        plan = replace(plan, repair=RepairSettings(Render.SPLICE))  # bit for bit the input
    found = []
    for number, segment in enumerate(of_segments):
        shifts = tuple(cuts[own_group[move.channel]][number].shift_samples for move in segment)
        found.append(_placement(plan, segment, shifts, bars[number]))
    return found


def landed_samples(plan: EditPlan) -> list[int]:
    """Where every hit of a plan sounds on its own channel, [moves].

    Raises:
        InputError: As for :func:`placements`.
    """
    return [
        move.onset_samples + shift
        for placement in placements(plan)
        for move, shift in zip(placement.moves, placement.shifts_samples, strict=True)
    ]


def _placement(plan: EditPlan, segment: tuple[Move, ...], cut_shifts: tuple[int, ...], bar: int) -> Placement:
    repair, rate = plan.repair, plan.take.sample_rate
    nothing = (False,) * len(segment)
    match repair.render:
        case Render.SPLICE:
            return Placement(segment, cut_shifts, nothing, "all is spliced")
        case Render.SEPARATE:
            return Placement(segment, cut_shifts, (True,) * len(segment), "all is separated")
        case Render.AUTO:
            off = [abs(move.shift_samples - shift) for move, shift in zip(segment, cut_shifts, strict=True)]
            astray = tuple(distance > seconds_to_samples(repair.flam_seconds, rate) for distance in off)
            if not any(astray):
                return Placement(segment, cut_shifts, nothing, "a cut takes every hit to its place")
            worst_ms = seconds_to_ms(samples_to_seconds(max(off), rate))
            piece = segment[off.index(max(off))].piece.value
            reason = f"a cut would leave {piece} {worst_ms:.1f} ms off its place"
            if bar not in repair.repaired_bars:
                return Placement(segment, cut_shifts, nothing, f"{reason}, but not in these bars")
            return Placement(segment, cut_shifts, astray, reason)


def _bars(plan: EditPlan, of_segments: Sequence[tuple[Move, ...]]) -> list[int]:
    """The bar of each segment's line, or of its first hit where it has none."""
    rate = plan.take.sample_rate
    beats = [
        plan.tempo_map.to_beats(samples_to_seconds(segment[0].onset_samples, rate))
        if segment[0].line_beats is None
        else segment[0].line_beats
        for segment in of_segments
    ]
    return plan.tempo_map.bar_of(np.array(beats, np.float64)).tolist() if beats else []
