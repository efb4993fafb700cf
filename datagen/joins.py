"""Joins between two shifts, with what would have sounded beside them: what a repair is given, and what it should give.

All strokes before a line and all from it on are rendered apart. Their sum is the source; the same sum with the second
part moved is the truth, for any gap or overlap. Nothing is recorded: noise does not move with the drums, and nobody can
say what it would have been.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from beatnet_align.hits import Piece
from beatnet_align.splice import GUARD_SECONDS, HOLD_SECONDS, LEAST_HOLD_SECONDS
from beatnet_align.units import seconds_to_samples
from datagen.config import Split
from datagen.example import ExampleMaker
from datagen.played.human import CYMBALS
from datagen.rendering import Placement, heard_between

Float32Array = npt.NDArray[np.float32]

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


def draw_joins(maker: ExampleMaker, split: Split, index: int, most: int) -> list[Join]:
    """Some joins of one example's performance, fixed by its seed, split and index.

    Args:
        maker: Whose kits, scores and timing.
        split: Which use.
        index: Of the example.
        most: Joins, at different lines.
    """
    rng = maker.rng(split, index)
    played = maker.play(rng, split)
    lines = [list(line) for _, line in groupby(played.placements, key=lambda one: one.stroke.line)]
    joins: list[Join] = []
    for at in rng.permutation(np.arange(1, max(1, len(lines)))):
        gap_seconds = float(np.exp(rng.uniform(*np.log(GAP_SECONDS)))) * float(rng.choice([-1.0, 1.0]))
        gap = seconds_to_samples(gap_seconds, maker.config.sample_rate)
        join = _join(maker, lines, int(at), gap, len(played.rows))
        joins += [] if join is None else [join]
        if len(joins) == most:
            break
    return joins


def _join(maker: ExampleMaker, lines: Sequence[Sequence[Placement]], at: int, gap: int, channels: int) -> Join | None:
    """The join in front of a line; None where there is no room for it."""
    rate = maker.config.sample_rate
    guard, hold, least = (seconds_to_samples(one, rate) for one in (GUARD_SECONDS, HOLD_SECONDS, LEAST_HOLD_SECONDS))
    before, after = seconds_to_samples(BEFORE_SECONDS, rate), seconds_to_samples(AFTER_SECONDS, rate)
    earlier = [one for line in lines[:at] for one in line]
    later = [one for line in lines[at:] for one in line]
    last = max(one.performed_samples for one in earlier)
    attack = min(one.performed_samples for one in later)
    room = min(attack - last, attack - last + gap) - guard
    start = attack + gap - before
    if room < 4 * least or min(start, start - gap) < 0 or max(start, start - gap) + before + after > maker.samples:
        return None

    def window(part: Sequence[Placement], shift: int) -> Float32Array:
        return heard_between(part, channels, start - shift, start - shift + before + after)

    since = attack - seconds_to_samples(RINGING_SECONDS, rate)
    return Join(
        window(earlier, 0) + window(later, 0),
        window(earlier, gap) + window(later, gap),
        window(earlier, 0) + window(later, gap),
        rate,
        first=max(0, last + min(hold, room // 2) - start),
        stop=before - guard,
        gap_samples=gap,
        ringing=frozenset(one.stroke.piece for one in earlier if one.performed_samples >= since),
    )
