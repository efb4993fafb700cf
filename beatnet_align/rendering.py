"""Render a plan: splice where a cut takes every hit to its place, lift hits out of the microphones where it does not.

Outside repaired stretches the output is the splice's, bit for bit. A stretch begins and ends with a crossfade in front
of an attack, or of the join that leads up to it.
"""

from bisect import bisect_left
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from beatnet_align.cut_list import validate
from beatnet_align.edit_plan import EditPlan
from beatnet_align.repair import Placement, placements
from beatnet_align.roles import Role
from beatnet_align.separation import Separator
from beatnet_align.splice import GUARD_SECONDS, HOLD_SECONDS, Splicer
from beatnet_align.take import Audio, Take
from beatnet_align.units import seconds_to_samples

BLOCK_SECONDS = 8.0


@dataclass(frozen=True)
class Stretch:
    """A part of the output that is repaired: from start to stop, with the crossfades that lead in and out."""

    start: int
    stop: int
    fade_in: int
    fade_out: int

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """Where it begins, where it is there whole, from where on it goes, and where it is gone."""
        return self.start, self.start + self.fade_in, self.stop - self.fade_out, self.stop

    def is_whole(self, first: int, last: int) -> bool:
        """Whether nothing else sounds from ``first`` to ``last``."""
        _, whole_from, whole_until, _ = self.edges
        return whole_from <= first and last <= whole_until


def render(
    take: Take, plan: EditPlan, progress: Callable[[int], None] = lambda _: None
) -> Generator[Audio, None, None]:
    """Render a plan, a block at a time.

    Who does not take all blocks closes the generator, which ends its threads.

    Args:
        take: The take that the plan belongs to.
        plan: Validated here.
        progress: Told how many further samples are done.

    Yields:
        Blocks of [channels, samples], as long as the take together. What the plan does not move is the input bit
        for bit.

    Raises:
        InputError: The plan belongs to another take or breaks an invariant.
    """
    validate(plan, take)
    placed = placements(plan)
    splicer = Splicer(take, plan)
    repaired = stretches(placed, take.samples, take.sample_rate, plan.splice.crossfade_seconds, splicer.joins_samples())
    drums = [row for row, role in enumerate(plan.take.roles) if role is not Role.CLICK]
    block = seconds_to_samples(BLOCK_SECONDS, take.sample_rate)
    with ExitStack() as opened:
        separator = opened.enter_context(closing(_separator(take, plan, placed, repaired))) if repaired else None

        def part(first: int, last: int, stretch: Stretch | None) -> Audio:
            if separator is None or stretch is None:
                return splicer.read(first, last)
            if stretch.is_whole(first, last) and len(drums) == len(take.channels):
                return separator.read(first, last)
            out = splicer.read(first, last)
            _mix_in(out, separator.read(first, last), drums, stretch, first)
            return out

        for start in range(0, take.samples, block):
            stop = min(start + block, take.samples)
            yield np.concatenate([part(*where) for where in _parts(repaired, start, stop)], axis=1)
            progress(stop - start)


def render_whole(take: Take, plan: EditPlan) -> Audio:
    """Render a plan into memory: [channels, samples].

    Raises:
        InputError: As for :func:`render`.
    """
    return np.concatenate(list(render(take, plan)), axis=1)


def stretches(
    placed: Sequence[Placement],
    samples: int,
    sample_rate: int,
    crossfade_seconds: float,
    joins_samples: Sequence[tuple[int, int]],
) -> list[Stretch]:
    """The repaired parts of an output, in order, apart from each other.

    A stretch lasts until the attack of its last hit has sounded, also over places that need no repair. It begins and
    ends in front of a join of the splice where there is one, so that only one of both has to make the join.

    Args:
        placed: How each segment is rendered.
        samples: Length of the output.
        sample_rate: In hertz.
        crossfade_seconds: The longest fade at either end.
        joins_samples: Where joins start and stop, see :meth:`~beatnet_align.splice.Splicer.joins_samples`.
    """
    fade, guard, hold = (
        max(1, seconds_to_samples(seconds, sample_rate)) for seconds in (crossfade_seconds, GUARD_SECONDS, HOLD_SECONDS)
    )
    found: list[Stretch] = []
    since: int | None = None
    earliest = holds = 0
    for placement in placed:
        switch = min(max(placement.starts_samples - guard, earliest), samples)
        before_join = _before_join(switch, joins_samples)
        if placement.repaired:
            since = max(before_join, earliest) if since is None else since
            holds = max(holds, placement.last_lands_samples + hold)
        elif since is not None and switch > holds:
            found.append(_stretch(found, since, before_join if before_join - fade > holds else switch, fade))
            since = None
        earliest = switch
    if since is not None:
        found.append(_stretch(found, since, samples, fade if since < samples else 0, ends=True))
    return [stretch for stretch in found if stretch.stop > stretch.start]


def _before_join(at: int, joins_samples: Sequence[tuple[int, int]]) -> int:
    """Where the join starts that reaches up to a place, or that place where none does."""
    last = bisect_left(joins_samples, (at,)) - 1
    return joins_samples[last][0] if last >= 0 and joins_samples[last][1] >= at else at


def _stretch(before: Sequence[Stretch], since: int, until: int, fade: int, *, ends: bool = False) -> Stretch:
    """A stretch that is there whole from ``since`` on and begins to go a fade before ``until``."""
    start = max(since - fade, before[-1].stop if before else 0, 0)
    return Stretch(start, until, since - start, 0 if ends else min(fade, max(0, until - since)))


def _parts(
    repaired: Sequence[Stretch], start: int, stop: int
) -> Generator[tuple[int, int, Stretch | None], None, None]:
    """Cut the output from start to stop where stretches begin, are there whole, and end; each part with its stretch."""
    inside = [stretch for stretch in repaired if stretch.start < stop and stretch.stop > start]
    edges = {min(max(edge, start), stop) for stretch in inside for edge in stretch.edges}
    for first, last in pairwise(sorted({start, stop} | edges)):
        yield first, last, next((one for one in inside if one.start <= first < one.stop), None)


def _mix_in(spliced: Audio, separated: Audio, rows: Sequence[int], stretch: Stretch, first: int) -> None:
    """Turn rows of a spliced part of a stretch, from ``first`` on, into the separated ones, faded at its ends."""
    at = np.arange(first, first + spliced.shape[1])
    rising = (at - stretch.start + 1) / (stretch.fade_in + 1)
    falling = (stretch.stop - at) / (stretch.fade_out + 1)
    share = np.clip(np.minimum(rising, falling), 0.0, 1.0)
    faded = share < 1.0
    mixed = (1.0 - share) * spliced + share * separated
    spliced[rows] = np.where(faded, mixed, separated)[rows]


def _separator(take: Take, plan: EditPlan, placed: Sequence[Placement], repaired: Sequence[Stretch]) -> Separator:
    """A separator that is asked for the repaired stretches."""
    shifts = [shift for placement in placed for shift in placement.shifts_samples]
    lifted = [lifted for placement in placed for lifted in placement.lifted]
    return Separator(take, plan, shifts, lifted, np.array([(one.start, one.stop) for one in repaired], np.int64))
