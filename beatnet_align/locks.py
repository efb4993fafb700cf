"""Hits that a user locks: where they are, or to the position that they were meant for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Self

import numpy as np

from beatnet_align.claims import Held
from beatnet_align.clusters import clusters
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import samples_to_seconds, seconds_to_ms, seconds_to_samples

REACH_SECONDS = 0.020
"""How far from a hit its time may be named: people read it off a screen."""

ON_LINE_BEATS = 0.01
"""A position this close to one that the grid has means that one: 2.33 is the second triplet."""


MOST_BARS = 100_000
"""No take has more, and no number of this size overflows."""


@dataclass(frozen=True)
class Lock:
    """What a user knows of one hit, and of all that were struck together with it.

    Attributes:
        seconds: When it is struck, within 20 ms.
        position: Bar and beat that it was meant for, each from 1; a beat is a quarter note, and 2.5 is half way to the
            third. None leaves the hit where it is.

    Raises:
        InputError: No time or no position can be meant.
    """

    seconds: float
    position: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        if not (isfinite(self.seconds) and self.seconds >= 0.0):
            raise InputError(f"a hit to lock needs a time of at least 0 seconds, found {self.seconds:g}")
        if self.position is not None and abs(self.position[0]) > MOST_BARS:
            raise InputError(f"no take has a bar {self.position[0]}, found it for the hit at {self.seconds:g} s")
        if self.position is not None and not (isfinite(self.position[1]) and self.position[1] >= 1.0):
            raise InputError(f"beats are counted from 1, found {self.position[1]:g} for the hit at {self.seconds:g} s")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The lock that a user wrote, such as "12.35" or "12.35=5:2.75".

        Raises:
            InputError: It is neither.
        """
        seconds, given, position = text.partition("=")
        bar, _, beat = position.partition(":")
        try:
            return cls(float(seconds), (int(bar), float(beat)) if given else None)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(
                f"--lock wants SECONDS or SECONDS=BAR:BEAT, such as 12.35 or 12.35=5:2.75; found {text!r}"
            ) from error

    def __str__(self) -> str:
        """As :meth:`parse` reads it."""
        return (
            f"{self.seconds:.10g}"
            if self.position is None
            else f"{self.seconds:.10g}={self.position[0]}:{self.position[1]:.10g}"
        )


def held_hits(
    locks: Sequence[Lock], hits: Sequence[Hit], take: Take, tempo_map: TempoMap, grid: Grid
) -> tuple[Held, ...]:
    """Find the hits that locks name, and what they are held to.

    Args:
        locks: In any order.
        hits: In order of onset, at least one.
        take: Gives rate and length.
        tempo_map: Gives bars and beats.
        grid: A position that has a line is that line, swing and groove included.

    Returns:
        In order of time and of lines.

    Raises:
        InputError: No hit lies where one is locked, a position is none of the take's, or locks contradict each other.
    """
    if not locks:
        return ()
    onsets = samples_to_seconds(np.array([hit.onset_samples for hit in hits]), take.sample_rate)
    beats = tempo_map.to_beats(onsets)
    together = clusters(hits, grid.step_beats_at(beats) * 60.0 / tempo_map.bpm_at(beats), take.sample_rate)
    found: dict[int, tuple[Lock, Held]] = {}
    for lock in locks:
        nearest = int(np.abs(onsets - lock.seconds).argmin())
        if abs(onsets[nearest] - lock.seconds) > REACH_SECONDS:
            raise InputError(
                f"no hit lies within {seconds_to_ms(REACH_SECONDS):g} ms of {lock.seconds:g} s, which is locked; the "
                f"nearest one is at {onsets[nearest]:.4f} s"
            )
        members = tuple(next(cluster for cluster in together if nearest in cluster))
        lead = max(members, key=lambda i: (hits[i].salience, -i))
        line_beats = float(beats[lead]) if lock.position is None else _line_beats(lock, take, tempo_map, grid)
        held = Held(members, lead, line_beats, stays=lock.position is None)
        other, same = found.setdefault(members[0], (lock, held))
        if same != held:
            raise InputError(f"one hit is locked in two ways: {other} and {lock} name hits that were struck together")
    ordered = [found[first] for first in sorted(found)]
    for (before, earlier), (after, later) in pairwise(ordered):
        if later.line_beats <= earlier.line_beats:
            raise InputError(f"the locks {before} and {after} would put the later hit on or before the earlier one")
    return tuple(held for _, held in ordered)


def _line_beats(lock: Lock, take: Take, tempo_map: TempoMap, grid: Grid) -> float:
    """The line of the position that a hit is locked to, or the position itself where the grid has none there."""
    assert lock.position is not None
    bar, beat = lock.position
    start_beats, stop_beats = tempo_map.bar_start_beats(bar), tempo_map.bar_start_beats(bar + 1)
    wanted = start_beats + beat - 1.0
    if wanted >= stop_beats:
        raise InputError(f"bar {bar} has {stop_beats - start_beats:g} beats, found beat {beat:g} in the lock {lock}")
    nominals = grid.nominal_lines_beats(wanted - 1.0, wanted + 1.0)
    near = np.abs(nominals - wanted)
    on_line = near.size > 0 and near.min() <= ON_LINE_BEATS
    line_beats = float(grid.lines_beats(wanted - 1.0, wanted + 1.0)[near.argmin()]) if on_line else wanted
    seconds = tempo_map.to_seconds(line_beats)
    if not 0 <= seconds_to_samples(seconds, take.sample_rate) < take.samples:
        raise InputError(f"the lock {lock} leads to {seconds:.3f} s, outside the take of {take.seconds:.3f} s")
    return line_beats
