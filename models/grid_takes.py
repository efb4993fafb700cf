"""Symbolic takes whose grid positions are known: the test sets that choosers of grid positions are compared on.

No audio: a score is played by :func:`~datagen.played.performance.perform`, and its strokes are the hits. Where a set
names a jitter of σ, a line as a whole strays by √(σ² − 5²) ms and every stroke on it by 5 ms more, both Gaussian.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.tempo_map import TempoChange, TempoMap
from datagen.played.mixed_scores import mixed_score
from datagen.played.performance import AS_PLAYED, HumanTiming, perform
from datagen.played.score import Score
from models.grid_scores import (
    as_triplets,
    count_bars,
    in_16ths,
    in_eighths,
    in_sixteenths,
    mixed,
    straight_common_time,
    triplet_common_time,
    with_real_triplets,
)
from models.heard_takes import GridTake, take_of

TAKES, BARS = 40, 16
_LIMB_SECONDS = 0.005
_GAUSSIAN = (1000.0, 1000.0)  # degrees of freedom of the jitters' Student-t
_SMALL_SECONDS = 0.006
_SWING = (0.56, 0.67)
_FIRST_BEAT_SECONDS = 1.0
_MIN_BARS = 8
PICK_TRIES = 5000


_SIXTEENTHS = Grid(("1/16",))
_WITH_TRIPLETS = Grid(("1/16", "1/8T"))


class Scores(Protocol):
    """What scores are picked from: grooves or patterns."""

    def pick(self, rng: np.random.Generator, bars: int) -> Score:
        """A score of up to ``bars`` bars."""


@dataclass(frozen=True)
class GridSet:
    """How the takes of one test set are made.

    Attributes:
        fits: Whether a score belongs here.
        timing: How it is played.
        grid: The lines that choosers are allowed.
        bpm: Tempo that the score is set to; None leaves its own.
        swing: Range that the swing is drawn from; scores in there are straight otherwise.
        read: Writes a score down in another way before all else.
        composed: Every second take has bars of a straight and of a triplet score, which real ones seldom mix.
    """

    fits: Callable[[Score], bool]
    timing: HumanTiming
    grid: Grid = _SIXTEENTHS
    bpm: float | None = 120.0
    swing: tuple[float, float] | None = None
    read: Callable[[Score], Score] | None = None
    composed: bool = False

    def takes(self, scores: Sequence[Scores], seed: int, count: int = TAKES, bars: int = BARS) -> list[GridTake]:
        """Play ``count`` takes of up to ``bars`` bars; sources of scores take turns.

        Raises:
            InputError: The sources have no such score, or ``count`` or ``bars`` is below 1.
        """
        if count < 1 or bars < 1 or not scores:
            raise InputError(f"takes need at least one take, bar and source, found {count}, {bars} and {len(scores)}")
        rng = np.random.default_rng(seed)
        return [self._take(scores, i, rng, bars) for i in range(count)]

    def _take(self, scores: Sequence[Scores], index: int, rng: np.random.Generator, bars: int) -> GridTake:
        if self.composed and index % 2:
            straight = _pick(scores, index // 2, straight_common_time, rng, bars)
            score = mixed_score(straight, _pick(scores, index // 2, triplet_common_time, rng, bars), rng)
        else:
            score = _pick(scores, index, self.fits, rng, bars, self.read)
        if self.bpm is not None:
            signatures = score.tempo_map.time_signatures
            score = replace(score, tempo_map=TempoMap((TempoChange(0.0, self.bpm),), _FIRST_BEAT_SECONDS, signatures))
        if self.swing is not None:
            score = replace(score, swing=float(rng.uniform(*self.swing)))
        return take_of(perform(score, self.timing, rng), self.grid)


def _pick(
    scores: Sequence[Scores],
    turn: int,
    fits: Callable[[Score], bool],
    rng: np.random.Generator,
    bars: int,
    read: Callable[[Score], Score] | None = None,
) -> Score:
    """A score that fits; sources take turns with every try, so that one which has none costs little."""
    for i in range(turn, turn + PICK_TRIES):
        score = scores[i % len(scores)].pick(rng, bars)
        if read is not None:
            score = read(score)
        if count_bars(score) >= min(bars, _MIN_BARS) and fits(score):
            return score
    raise InputError(f"none of {PICK_TRIES} scores belongs into this set; does it need the Groove MIDI Dataset?")


def _jitter(seconds: float) -> HumanTiming:
    line = (seconds**2 - _LIMB_SECONDS**2) ** 0.5
    return HumanTiming(
        line_jitter_seconds=(line, line), limb_jitter_seconds=(_LIMB_SECONDS, _LIMB_SECONDS), tail=_GAUSSIAN
    )


def _drift(peak_seconds: float) -> HumanTiming:
    return replace(_jitter(_SMALL_SECONDS), drift_probability=1.0, drift_seconds=(peak_seconds, peak_seconds))


GRID_SETS: Mapping[str, GridSet] = {
    "straight16_120": GridSet(in_16ths, _jitter(0.020)),
    "mixed_120": GridSet(mixed, _jitter(0.015), _WITH_TRIPLETS, composed=True),
    "real_triplets": GridSet(with_real_triplets, AS_PLAYED, _WITH_TRIPLETS, bpm=None, read=as_triplets),
    "fast_180": GridSet(in_16ths, _jitter(0.030), bpm=180.0),
    "drift90_120": GridSet(in_16ths, _drift(0.09)),
    "drift130_120": GridSet(in_16ths, _drift(0.13)),
    "swung8": GridSet(in_eighths, _jitter(_SMALL_SECONDS), swing=_SWING),
    "swung16": GridSet(in_sixteenths, _jitter(_SMALL_SECONDS), swing=_SWING),
}
"""The sets of the table in docs/evidence.md, and real triplets; swung takes are given the straight grid."""
