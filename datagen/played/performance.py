"""How a score is played: draw one human performance of it, and keep where every stroke was meant to be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray
from datagen.played.drum_midi import PIECES
from datagen.played.human import CYMBALS, HIHATS, deviations
from datagen.played.parts import MIN_VELOCITY, BoolArray, Parts, double
from datagen.played.score import Score
from datagen.played.spacing import keep_apart, playable
from datagen.played.timing import AS_PLAYED, EXACT, HARD, HUMAN, UNIFORM_JITTER, HumanTiming

__all__ = ["AS_PLAYED", "EXACT", "HARD", "HUMAN", "UNIFORM_JITTER", "HumanTiming", "Performance", "Stroke", "perform"]

_LEAD_WEIGHTS = np.array([0.5 if piece in HIHATS else 0.6 if piece in CYMBALS else 1.0 for piece in PIECES])
"""What a phase-locked cut follows: the largest of weight times velocity; agrees with "main" in a session's truth."""

_SWINGABLE = (("1/8",), ("1/16",))


@dataclass(frozen=True)
class Stroke:
    """One stroke as it was played.

    Attributes:
        piece: What is struck.
        velocity: 0 to 1.
        score_beats: Line it is meant for, swing not applied; that of its main stroke for an ornament.
        performed_seconds: When it is struck.
        target_seconds: When it would be struck on the grid; ornaments keep their spacing to their main stroke.
        ornament: Whether it is a grace note, a bounce or a double.
        main_stroke: Index of its main stroke in ``Performance.strokes``.
        line: Index of its grid line among those of the performance.
        leads: Whether it is the stroke of its line that a phase-locked cut would follow.
    """

    piece: Piece
    velocity: float
    score_beats: float
    performed_seconds: float
    target_seconds: float
    ornament: bool
    main_stroke: int | None
    line: int
    leads: bool


@dataclass(frozen=True)
class Performance:
    """One performance of a score.

    Attributes:
        strokes: In order of ``performed_seconds``.
        tempo_map: The metronome.
        grid: Lines that the targets lie on, swing included.
        parameters: What was drawn, and where the score comes from.
    """

    strokes: tuple[Stroke, ...]
    tempo_map: TempoMap
    grid: Grid
    parameters: Mapping[str, float | str]


def perform(score: Score, timing: HumanTiming, rng: np.random.Generator) -> Performance:
    """Play a score once.

    Main strokes of one piece keep their order and at least 20 ms, ornaments their spacing and at least 10 ms; notes
    whose lines are closer than that are left out, as is what would have to sound before 0 s.

    Args:
        score: What is meant.
        timing: Ranges to draw from.
        rng: Draws everything.
    """
    drawn = timing.draw(rng)
    swing = drawn["swing"] if drawn["swing_on"] and _can_swing(score) else score.swing
    grid = Grid(score.divisions, swing)
    parts = double(Parts.of(score, grid), drawn["doubled_share"], drawn["doubled_seconds"], rng)
    parts = parts.only(_played(parts, drawn["dropped_share"], rng))
    if not len(parts.pieces):
        return Performance((), score.tempo_map, grid, _parameters(score, drawn, swing))
    deviation = deviations(parts, score, grid, drawn, timing, rng)
    performed = np.where(parts.main < 0, parts.target_seconds + deviation, 0.0)
    performed = keep_apart(performed, parts.pieces, parts.main, parts.spacing_seconds)
    jitter = drawn["velocity_jitter"] * rng.standard_normal(len(performed))
    velocity = np.where(jitter == 0.0, parts.velocity, np.clip(parts.velocity + jitter, MIN_VELOCITY, 1.0))
    return Performance(_strokes(parts, performed, velocity), score.tempo_map, grid, _parameters(score, drawn, swing))


def _can_swing(score: Score) -> bool:
    return score.swing == 0.5 and score.divisions in _SWINGABLE


def _played(parts: Parts, dropped_share: float, rng: np.random.Generator) -> BoolArray:
    """[strokes] what is neither dropped nor impossible to play; of a score with notes at least one main stroke."""
    able = playable(parts.target_seconds, parts.pieces, parts.main, parts.spacing_seconds)
    dropped = rng.uniform(size=len(able)) < dropped_share
    mains = able & (parts.main < 0)
    if not (mains & ~dropped).any():
        dropped[np.flatnonzero(mains)[:1]] = False
    return able & ~dropped


def _strokes(parts: Parts, performed: FloatArray, velocity: FloatArray) -> tuple[Stroke, ...]:
    line = np.unique(parts.score_beats, return_inverse=True)[1]
    weight = np.where(parts.main < 0, velocity * _LEAD_WEIGHTS[parts.pieces], -1.0)
    by_weight = np.lexsort((-weight, line))
    leads = np.zeros(len(line), bool)
    leads[by_weight[np.unique(line[by_weight], return_index=True)[1]]] = True
    order = np.lexsort((parts.target_seconds, performed))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    main = np.where(parts.main >= 0, place[parts.main], -1)
    columns = zip(
        parts.pieces[order].tolist(), velocity[order].tolist(), parts.score_beats[order].tolist(),
        performed[order].tolist(), parts.target_seconds[order].tolist(), main[order].tolist(),
        line[order].tolist(), leads[order].tolist(),
        strict=True,
    )  # fmt: skip
    return tuple(
        Stroke(PIECES[piece], vel, beats, at, target, main >= 0, main if main >= 0 else None, one_line, lead)
        for piece, vel, beats, at, target, main, one_line, lead in columns
    )


def _parameters(score: Score, drawn: dict[str, float], swing: float) -> dict[str, float | str]:
    origin = {"source": score.source, "style": score.style, "drummer": score.drummer, "licence": score.licence}
    return {**drawn, **origin, "swing": swing}
