"""Joins between two shifts, with what would have sounded beside them: what a repair is given, and what it should give.

All strokes before a line and all from it on are rendered apart. Their sum is the source; the same sum with the second
part moved is the truth, for any gap or overlap. Nothing is recorded: noise does not move with the drums, and nobody can
say what it would have been.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from beatnet_align.hits import Piece
from beatnet_align.splice import GUARD_SECONDS, HOLD_SECONDS, LEAST_HOLD_SECONDS
from beatnet_align.units import Float32Array, seconds_to_samples
from datagen.config import Split
from datagen.example import ExampleMaker
from datagen.played.human import CYMBALS
from datagen.rendering import Placement, heard_between

FloatingArray = npt.NDArray[np.floating[Any]]

BEFORE_SECONDS, AFTER_SECONDS = 0.350, 0.050
"""Of a window, around the attack behind its join."""

RINGING_SECONDS = 1.0
"""What was struck longer ago hardly counts as ringing."""

GAP_SECONDS = (0.002, 0.080)
WASHING = CYMBALS | {Piece.HIHAT_OPEN}


@dataclass(frozen=True, eq=False)
class Join:
    """One join in output time.

    Attributes:
        outgoing: [channels, samples], the source at the shift of the attack before.
        incoming: [channels, samples], the source at the shift of the attack behind.
        target: [channels, samples], what would have sounded.
        sample_rate: In hertz.
        first: From here on the output may differ from ``outgoing``: the attack before is over.
        stop: From here on it is ``incoming``: half a millisecond before the attack behind.
        gap_samples: How much further the attack behind moves: positive opens a gap, negative closes the tail up.
        ringing: What was struck in the second before.
    """

    outgoing: Float32Array
    incoming: Float32Array
    target: Float32Array
    sample_rate: int
    first: int
    stop: int
    gap_samples: int
    ringing: frozenset[Piece]

    @property
    def tail_stop(self) -> int:
        """Where the tail in front of the attack ends in ``outgoing``; behind it the attack sounds there as well."""
        return self.stop - max(self.gap_samples, 0)

    @property
    def rings_of_cymbals(self) -> bool:
        """Whether a cymbal was struck in the second before."""
        return bool(self.ringing & WASHING)


@dataclass(frozen=True, eq=False)
class Parting:
    """A place between two lines, with both sides heard apart: a join of any gap.

    Attributes:
        earlier, later: [channels, samples], what was struck before the line, and from it on; of any precision.
        sample_rate: In hertz.
        since_last_onset_samples: From the attack before to the line's first one.
        ringing: What was struck in the second before.
    """

    earlier: FloatingArray
    later: FloatingArray
    sample_rate: int
    since_last_onset_samples: int
    ringing: frozenset[Piece]

    def join(self, gap_samples: int) -> Join | None:
        """The join where the later side moves by a gap of at most 80 ms; None where there is no room for it."""
        guard, hold, least, before, after, reach = (
            seconds_to_samples(one, self.sample_rate)
            for one in (
                GUARD_SECONDS,
                HOLD_SECONDS,
                LEAST_HOLD_SECONDS,
                BEFORE_SECONDS,
                AFTER_SECONDS,
                GAP_SECONDS[1],
            )
        )
        room = min(self.since_last_onset_samples, self.since_last_onset_samples + gap_samples) - guard
        if room < 4 * least:
            return None

        def window(part: FloatingArray, shift: int) -> Float32Array:
            start = reach + gap_samples - shift
            return part[:, start : start + before + after].astype(np.float32)

        last = before - gap_samples - self.since_last_onset_samples
        return Join(
            window(self.earlier, 0) + window(self.later, 0),
            window(self.earlier, gap_samples) + window(self.later, gap_samples),
            window(self.earlier, 0) + window(self.later, gap_samples),
            self.sample_rate,
            first=max(0, last + min(hold, room // 2)),
            stop=before - guard,
            gap_samples=gap_samples,
            ringing=self.ringing,
        )


def draw_gap_samples(rng: np.random.Generator, sample_rate: int) -> int:
    """A gap or an overlap within ``GAP_SECONDS``, short ones as often as long ones."""
    gap_seconds = float(np.exp(rng.uniform(*np.log(GAP_SECONDS)))) * float(rng.choice([-1.0, 1.0]))
    return seconds_to_samples(gap_seconds, sample_rate)


def draw_joins(maker: ExampleMaker, split: Split, index: int, most: int) -> list[Join]:
    """Some joins of one example's performance, fixed by its seed, split and index.

    Args:
        maker: Whose kits, scores and timing.
        split: Which use.
        index: Of the example.
        most: Joins, at different lines.
    """
    rng = maker.rng(split, index)
    joins: list[Join] = []
    for parting in _partings(maker, rng, split):
        join = parting.join(draw_gap_samples(rng, maker.config.sample_rate))
        joins += [] if join is None else [join]
        if len(joins) == most:
            break
    return joins


def draw_partings(maker: ExampleMaker, split: Split, index: int, most: int) -> list[Parting]:
    """Some places of one example's performance where a join can be, fixed by its seed, split and index."""
    return list(islice(_partings(maker, maker.rng(split, index), split), most))


def _partings(maker: ExampleMaker, rng: np.random.Generator, split: Split) -> Iterator[Parting]:
    """All places of a performance that lie far enough from its ends, in an order of chance."""
    played = maker.play(rng, split)
    lines = [list(line) for _, line in groupby(played.placements, key=lambda one: one.stroke.line)]
    for at in rng.permutation(np.arange(1, max(1, len(lines)))):
        parting = _parting(maker, lines, int(at), len(played.rows))
        if parting is not None:
            yield parting


def _parting(maker: ExampleMaker, lines: Sequence[Sequence[Placement]], at: int, channels: int) -> Parting | None:
    """The place in front of a line; None where the take ends too near."""
    rate = maker.config.sample_rate
    reach = seconds_to_samples(GAP_SECONDS[1], rate)
    before, after = (seconds_to_samples(one, rate) + reach for one in (BEFORE_SECONDS, AFTER_SECONDS))
    earlier = [one for line in lines[:at] for one in line]
    later = [one for line in lines[at:] for one in line]
    attack = min(one.performed_samples for one in later)
    if attack < before or attack + after > maker.samples:
        return None
    since = attack - seconds_to_samples(RINGING_SECONDS, rate)
    return Parting(
        heard_between(earlier, channels, attack - before, attack + after),
        heard_between(later, channels, attack - before, attack + after),
        rate,
        since_last_onset_samples=attack - max(one.performed_samples for one in earlier),
        ringing=frozenset(one.stroke.piece for one in earlier if one.performed_samples >= since),
    )
