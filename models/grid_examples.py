"""What GridNet learns from: performances without audio, heard as imperfectly as HitNet hears, with the lines meant."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import LEAVE, ORNAMENT, GridTokens, grid_tokens
from beatnet_align.tempo_map import TempoChange, TempoMap
from beatnet_align.units import IntArray
from datagen.config import Split
from datagen.played.grooves import GrooveCollection, load_grooves
from datagen.played.mixed_scores import BAR_BEATS, mixed_score
from datagen.played.patterns import Patterns
from datagen.played.performance import HARD, HUMAN, HumanTiming, perform
from datagen.played.score import Score
from models.heard_takes import GridTake, HearingErrors, Range, take_of, with_errors

SAME_LINE_BEATS = 1e-3

LOOSE = HumanTiming(
    real_probability=0.3,
    real_scale=(0.5, 1.5),
    line_jitter_seconds=(0.002, 0.034),
    limb_jitter_seconds=(0.001, 0.012),
    tail=(4.0, 40.0),
    habit_seconds=(0.0, 0.010),
    wander_seconds=(0.0, 0.015),
    drift_probability=0.5,
    drift_seconds=(0.03, 0.15),
    swing_probability=0.5,
    swing=(0.54, 0.69),
    swing_error=(-0.03, 0.03),
    runs_per_bar=(0.0, 0.1),
    flam_share=(0.0, 0.15),
    velocity_jitter=(0.0, 0.08),
)
"""Anything from tight to twice as loose as a real drummer, half of it with drift of up to ±150 ms."""

AS_REAL = HumanTiming(real_probability=1.0, real_scale=(0.8, 1.3))
"""Real drummers as they are; patterns exactly on the grid."""

TIMINGS = (HUMAN, HARD, AS_REAL, LOOSE)
DRUMMERS = {
    Split.TRAIN: ("drummer1", "drummer2", "drummer9", "drummer10"),
    Split.VALIDATION: ("drummer1", "drummer2", "drummer9"),
    Split.TEST: ("drummer3", "drummer4", "drummer5", "drummer6", "drummer7", "drummer8"),
}
"""Nobody who is tested on is heard in training; validation has the training's drummers in other performances."""


@dataclass(frozen=True)
class GridMaterial:
    """Where performances come from.

    Attributes:
        data: Folder with groove/; None makes patterns alone.
        split: Whose drummers.
        groove_probability: That a score is a real one, where there are any.
        mixed_probability: That it goes from one score to another and back.
        beatwise_probability: That it then does so by single beats among those of the first, and not by whole bars.
        beatwise_share: How many beats then come from the second.
        bars: Least and greatest length.
        tempo_ratio: By which real grooves are played faster than they were.
        timing_shares: How often each of :data:`TIMINGS` is drawn.
        clean_probability: Share of takes heard without any error.
        errors: What is heard wrongly in the others.
    """

    data: Path | None = None
    split: Split = Split.TRAIN
    groove_probability: float = 0.6
    mixed_probability: float = 0.2
    beatwise_probability: float = 0.0
    beatwise_share: Range = (0.03, 0.4)
    bars: tuple[int, int] = (4, 16)
    tempo_ratio: Range = (0.65, 1.6)
    timing_shares: tuple[float, ...] = (0.2, 0.2, 0.15, 0.45)
    clean_probability: float = 0.3
    errors: HearingErrors = field(default_factory=HearingErrors)


@dataclass(frozen=True, eq=False)
class GridExample:
    """Hits with the answers that were meant.

    Attributes:
        tokens: What GridNet is told.
        answers: [hits], a candidate, LEAVE or ORNAMENT; −1 where the line meant is not on offer.
    """

    tokens: GridTokens
    answers: IntArray


class GridExamples:
    """Draws examples without end.

    Args:
        material: Where from.
    """

    def __init__(self, material: GridMaterial) -> None:
        self.material = material
        self.patterns = Patterns()
        self.grooves: GrooveCollection | None = None
        if material.data is not None:
            split = "train" if material.split is Split.TRAIN else "validation"
            drummers = DRUMMERS[material.split]
            self.grooves = load_grooves(material.data / "groove", split, drummers, tempo_ratio=material.tempo_ratio)

    def read(self) -> None:
        """Read all performances at once, so that processes which are forked later need not."""
        if self.grooves is not None:
            for index in range(len(self.grooves.files)):
                self.grooves.groove(index)

    def draw(self, rng: np.random.Generator) -> GridExample:
        """One example, of at least two hits."""
        while True:
            timing = TIMINGS[rng.choice(len(TIMINGS), p=self.material.timing_shares)]
            performance = perform(self._score(rng), timing, rng)
            take = take_of(performance, _asked_grid(performance.grid, rng))
            if rng.random() >= self.material.clean_probability:
                take = with_errors(take, self.material.errors, rng)
            if len(take.struck.seconds) > 1:
                tokens = grid_tokens(take.struck, take.tempo_map, take.grid)
                return GridExample(tokens, meant_answers(tokens, take))

    def _score(self, rng: np.random.Generator) -> Score:
        bars = int(rng.integers(self.material.bars[0], self.material.bars[1] + 1))
        first = self._one_score(rng, bars)
        if rng.random() < self.material.mixed_probability and _can_mix(first):
            for _ in range(4):
                second = self._one_score(rng, bars)
                if _can_mix(second) and first.divisions != second.divisions:
                    if rng.random() < self.material.beatwise_probability:
                        share = float(rng.uniform(*self.material.beatwise_share))
                        return mixed_score(first, second, rng, unit_beats=1.0, second_share=share)
                    return mixed_score(first, second, rng)
        return first

    def _one_score(self, rng: np.random.Generator, bars: int) -> Score:
        if self.grooves is not None and rng.random() < self.material.groove_probability:
            return self.grooves.pick(rng, bars)
        score = self.patterns.pick(rng, bars)
        ratio = float(rng.uniform(0.8, 1.25))
        tempi = tuple(TempoChange(one.beats, one.bpm * ratio) for one in score.tempo_map.tempi)
        tempo_map = TempoMap(tempi, score.tempo_map.first_beat_seconds, score.tempo_map.time_signatures)
        return replace(score, tempo_map=tempo_map)


def meant_answers(tokens: GridTokens, take: GridTake) -> IntArray:
    """What was meant by each hit of a take, [hits]: see :class:`GridExample`."""
    near = np.abs(tokens.nominals_beats - take.nominals_beats[:, None]) < SAME_LINE_BEATS
    answers = np.where(near.any(axis=1), near.argmax(axis=1), -1)
    answers = np.where(take.ornaments, ORNAMENT, answers)
    return np.asarray(np.where(take.is_hit, answers, LEAVE), np.int64)


def _asked_grid(grid: Grid, rng: np.random.Generator) -> Grid:
    """The grid that a user might ask for: the one that was meant, a denser one, or a straight one for a swung part."""
    luck = rng.random()
    if grid.swing != 0.5:
        straight = ("1/16",) if set(grid.divisions) <= {"1/4", "1/8", "1/16"} else grid.divisions
        return grid if luck < 0.5 else Grid(straight)
    if luck < 0.35:
        return grid
    triplets = any(division.endswith("T") for division in grid.divisions)
    extra = ("1/16", "1/8T") if luck < 0.6 or triplets else ("1/16",) if luck < 0.93 else ("1/32",)
    return Grid(tuple(dict.fromkeys((*grid.divisions, *extra))))


def _can_mix(score: Score) -> bool:
    straight = score.swing == 0.5 and bool(score.notes)
    return straight and all(one.bar_beats == BAR_BEATS for one in score.tempo_map.time_signatures)
