"""Lift hits out of every microphone by masks, and move each by its own shift; all the rest is spliced.

The masks are those of ``bin_shares.py``. Hits are moved by whole samples, and masks and rest sum to one: hits that move
alike come back as they were.
"""

from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from beatnet_align.bin_shares import HitToLift
from beatnet_align.edit_plan import EditPlan, Move, TakeFacts
from beatnet_align.lifting import HeardBlock, Lifter, Sound, add_sound
from beatnet_align.piece_spectra import Strike
from beatnet_align.splice import Splicer
from beatnet_align.take import Audio, Take
from beatnet_align.units import IntArray, seconds_to_samples

BESIDE_SECONDS = 0.1
"""Room on either side of a block's hits, beyond what they claim, for windows and what fills up behind them."""

MOVING_FAVOUR = 1.4
"""A hit counts by this factor more in the close microphone that it triggers: the model cannot tell a kick from the hat
that is always struck with it, and there the kick is likelier. 2 is as good on the bench's sessions."""

KEPT_BLOCKS = 4
AHEAD_BLOCKS = 1
"""Blocks that are lifted in threads beside the one that is asked for."""


@dataclass(frozen=True)
class Lifted:
    """What the hits of a block sound like, summed.

    Attributes:
        missing: Where they were, with opposite signs: added to the source, it takes them out.
        moved: Where they go, to be added to the output.
    """

    missing: Sound
    moved: Sound


class Separator:
    """Renders any stretch of a plan's output by lifting hits; to be closed, since it lifts in threads.

    Args:
        take: The take that the plan belongs to; several threads read it.
        plan: Valid for the take.
        shifts_samples: [moves], how far each hit goes.
        lifted: [moves], whether a hit is lifted at all; the others go with the splice.
        asked: [stretches, 2], from where to where the output will be read, in samples.
    """

    def __init__(
        self,
        take: Take,
        plan: EditPlan,
        shifts_samples: Sequence[int],
        lifted: Sequence[bool],
        asked: IntArray,
    ) -> None:
        hits = [
            HitToLift(Strike.of(move), shift, is_lifted, _favours(plan.take, move))
            for move, shift, is_lifted in zip(plan.moves, shifts_samples, lifted, strict=True)
        ]
        self._lifter = Lifter(take, hits)
        self._blocks = self._lifter.blocks_near(0, take.samples)
        self._coming: dict[int, Future[Lifted]] = {}
        self._threads = ThreadPoolExecutor(1 + AHEAD_BLOCKS)
        self._splicer = Splicer(replace(take, source=_Rest(take, self)), plan)
        self._asked = asked
        self._asked_of_source = np.array([self._splicer.reads(start, stop) for start, stop in asked.tolist()], np.int64)
        self._furthest = max((abs(shift) for shift in shifts_samples), default=0)

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """[channels, stop_samples − start_samples] of the output."""
        out = self._splicer.read(start_samples, stop_samples)
        for block in self._lifter.blocks_near(start_samples - self._furthest, stop_samples + self._furthest):
            lifted = self._lifted(block)
            add_sound(out, start_samples, lifted.moved)
        return out

    def close(self) -> None:
        """Drop what is not begun, and wait for what is; reading ends here."""
        self._threads.shutdown(cancel_futures=True)

    def taken(self, start_samples: int, stop_samples: int) -> list[Lifted]:
        """What may have to be taken out of a stretch of the source."""
        return [self._lifted(block) for block in self._lifter.blocks_near(start_samples, stop_samples)]

    def _lifted(self, block: int) -> Lifted:
        """The hits of a block, and begin with the blocks that follow."""
        self._lifter.learn()
        at = bisect_left(self._blocks, block)
        for one in self._blocks[at : at + 1 + AHEAD_BLOCKS]:
            if one not in self._coming:
                self._coming[one] = self._threads.submit(self._lift, one)
        lifted = self._coming[block].result()
        passed = [one for one in self._coming if one < block]
        for one in passed[: max(0, len(passed) - KEPT_BLOCKS + 1)]:
            del self._coming[one]
        return lifted

    def _lift(self, block: int) -> Lifted:
        """Lift the hits whose onsets lie in a block."""
        heard = self._lifter.hear(block)
        sums = _Sums(heard)
        for number, hit in enumerate(heard.hits):
            if not hit.lifted:
                continue
            asked = np.concatenate([self._asked_of_source, self._asked - hit.shift])
            parts = list(heard.sounds(number, asked))
            for sound in parts:
                sums.lift(sound, hit.shift)
            early = heard.early(number) if parts else None
            if early is not None:
                sums.lift(early[1], heard.hits[early[0]].shift)
            filler = heard.filler(number) if parts else None
            if filler is not None:
                sums.fill(filler)
        return sums.lifted()


def _favours(facts: TakeFacts, move: Move) -> tuple[float, ...]:
    """How much a hit counts in each channel."""
    return tuple(
        MOVING_FAVOUR if role.is_close and name == move.channel else 1.0
        for name, role in zip(facts.channels, facts.roles, strict=True)
    )


class _Rest:
    """A take less what is lifted out of it."""

    def __init__(self, take: Take, separator: Separator) -> None:
        self._take, self._separator = take, separator

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """See :class:`~beatnet_align.take.AudioSource`."""
        audio = self._take.read(start_samples, stop_samples).copy()
        for lifted in self._separator.taken(start_samples, stop_samples):
            add_sound(audio, start_samples, lifted.missing)
        return audio


class _Sums:
    """Adds up what is lifted, where it was and where it goes."""

    def __init__(self, heard: HeardBlock) -> None:
        onsets = [hit.strike.onset_samples for hit in heard.hits if hit.lifted]
        reach = seconds_to_samples(heard.hold.reach_seconds + BESIDE_SECONDS, heard.sample_rate)
        first = min(onsets, default=heard.start) - reach
        last = max(onsets, default=heard.start) + reach
        earliest = min((hit.shift for hit in heard.hits), default=0)
        latest = max((hit.shift for hit in heard.hits), default=0)
        self._taken = Sound(first, np.zeros((heard.channels, last - first), np.float32))
        moved = np.zeros((heard.channels, last - first + max(latest, 0) - min(earliest, 0)), np.float32)
        self._moved = Sound(first + min(earliest, 0), moved)

    def lift(self, sound: Sound, shift: int) -> None:
        """Take a hit's sound, and put it where the hit goes."""
        add_sound(self._taken.audio, self._taken.start, sound)
        add_sound(self._moved.audio, self._moved.start, Sound(sound.start + shift, sound.audio))

    def fill(self, sound: Sound) -> None:
        """Add to the output alone."""
        add_sound(self._moved.audio, self._moved.start, sound)

    def lifted(self) -> Lifted:
        """All of it; nothing can be added any more."""
        np.negative(self._taken.audio, out=self._taken.audio)
        return Lifted(self._taken, self._moved)
