"""How a score is played: draw one human performance of it, and keep where every stroke was meant to be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.grid import Grid
from beatnet_align.groove import division_step_beats
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, IntArray
from datagen.deviations import drift, runs, student, tempo_changes, wander
from datagen.drum_midi import PIECES
from datagen.score import Score, swung_lines_beats
from datagen.spacing import keep_apart, playable
from datagen.timing import AS_PLAYED, EXACT, HARD, HUMAN, UNIFORM_JITTER, HumanTiming, Range

__all__ = ["AS_PLAYED", "EXACT", "HARD", "HUMAN", "UNIFORM_JITTER", "HumanTiming", "Performance", "Stroke", "perform"]

BoolArray = npt.NDArray[np.bool_]
HIHATS = frozenset({Piece.HIHAT_CLOSED, Piece.HIHAT_OPEN, Piece.HIHAT_PEDAL})
CYMBALS = frozenset({Piece.RIDE, Piece.RIDE_BELL, Piece.CRASH, Piece.SPLASH, Piece.CHINA})
_LEAD_WEIGHTS = np.array([0.5 if piece in HIHATS else 0.6 if piece in CYMBALS else 1.0 for piece in PIECES])
"""What a phase-locked cut follows: the largest of weight times velocity; agrees with "main" in the bench's truth."""

MIN_VELOCITY = 0.02
_DOUBLE_VELOCITY = (0.2, 0.6)  # of the first stroke's
_LIMB_OF = {Piece.KICK: "kick", Piece.SNARE: "snare", Piece.SIDESTICK: "snare"}
_LIMB_OF |= dict.fromkeys((Piece.TOM_HIGH, Piece.TOM_MID, Piece.TOM_FLOOR, Piece.UNKNOWN), "tom")
_LIMB_OF |= dict.fromkeys(HIHATS, "hihat") | dict.fromkeys(CYMBALS, "cymbal")
_PIECE_NUMBERS = {piece: i for i, piece in enumerate(PIECES)}
_PLACES_PER_BEAT = 48
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
    parts = _double(_Parts.of(score, grid), drawn, rng)
    parts = parts.only(_played(parts, drawn["dropped_share"], rng))
    if not len(parts.pieces):
        return Performance((), score.tempo_map, grid, _parameters(score, drawn, swing))
    deviation = _deviations(parts, score, grid, drawn, timing, rng)
    performed = np.where(parts.main < 0, parts.target_seconds + deviation, 0.0)
    performed = keep_apart(performed, parts.pieces, parts.main, parts.spacing_seconds)
    jitter = drawn["velocity_jitter"] * rng.standard_normal(len(performed))
    velocity = np.where(jitter == 0.0, parts.velocity, np.clip(parts.velocity + jitter, MIN_VELOCITY, 1.0))
    return Performance(
        _strokes(parts, performed, velocity), score.tempo_map, grid, _parameters(score, drawn, swing)
    )


@dataclass(frozen=True)
class _Parts:
    """Strokes as arrays, [strokes] each; see :class:`~datagen.score.Note`."""

    pieces: IntArray
    velocity: FloatArray
    score_beats: FloatArray
    real_seconds: FloatArray
    main: IntArray
    spacing_seconds: FloatArray
    target_seconds: FloatArray

    @classmethod
    def of(cls, score: Score, grid: Grid) -> "_Parts":
        notes = score.notes
        score_beats = np.array([note.score_beats for note in notes], np.float64)
        spacing = np.array([note.ornament_seconds for note in notes], np.float64)
        main = np.array([-1 if note.ornament_of is None else note.ornament_of for note in notes], np.int64)
        pieces = np.array([_PIECE_NUMBERS[note.piece] for note in notes], np.int64)
        return cls(
            pieces=np.where(main >= 0, pieces[main], pieces),
            velocity=np.array([note.velocity for note in notes], np.float64),
            score_beats=score_beats,
            real_seconds=np.array([note.deviation_seconds for note in notes], np.float64),
            main=main,
            spacing_seconds=np.where(main >= 0, spacing, 0.0),
            target_seconds=score.tempo_map.to_seconds(swung_lines_beats(score_beats, grid))
            + np.where(main >= 0, spacing, 0.0),
        )

    def only(self, keep: BoolArray) -> "_Parts":
        """The strokes that are kept, without ornaments whose main stroke is not."""
        keep = keep & ((self.main < 0) | keep[self.main])
        place = np.cumsum(keep) - 1
        return _Parts(
            pieces=self.pieces[keep],
            velocity=self.velocity[keep],
            score_beats=self.score_beats[keep],
            real_seconds=self.real_seconds[keep],
            main=np.where(self.main[keep] >= 0, place[self.main[keep]], -1),
            spacing_seconds=self.spacing_seconds[keep],
            target_seconds=self.target_seconds[keep],
        )


def _can_swing(score: Score) -> bool:
    return score.swing == 0.5 and score.divisions in _SWINGABLE


def _double(parts: _Parts, drawn: dict[str, float], rng: np.random.Generator) -> _Parts:
    """Let some strokes bounce: a softer second one that is meant nowhere."""
    doubled = np.flatnonzero((rng.uniform(size=len(parts.main)) < drawn["doubled_share"]) & (parts.main < 0))
    if not len(doubled):
        return parts
    softer = rng.uniform(*_DOUBLE_VELOCITY, len(doubled))
    spacing = drawn["doubled_seconds"] * rng.uniform(0.8, 1.25, len(doubled))
    return _Parts(
        pieces=np.concatenate([parts.pieces, parts.pieces[doubled]]),
        velocity=np.concatenate([parts.velocity, np.maximum(parts.velocity[doubled] * softer, MIN_VELOCITY)]),
        score_beats=np.concatenate([parts.score_beats, parts.score_beats[doubled]]),
        real_seconds=np.concatenate([parts.real_seconds, np.zeros(len(doubled))]),
        main=np.concatenate([parts.main, doubled]),
        spacing_seconds=np.concatenate([parts.spacing_seconds, spacing]),
        target_seconds=np.concatenate([parts.target_seconds, parts.target_seconds[doubled] + spacing]),
    )


def _played(parts: _Parts, dropped_share: float, rng: np.random.Generator) -> BoolArray:
    """[strokes] what is neither dropped nor impossible to play; of a score with notes at least one main stroke."""
    able = playable(parts.target_seconds, parts.pieces, parts.main, parts.spacing_seconds)
    dropped = rng.uniform(size=len(able)) < dropped_share
    mains = able & (parts.main < 0)
    if not (mains & ~dropped).any():
        dropped[np.flatnonzero(mains)[:1]] = False
    return able & ~dropped


def _deviations(
    parts: _Parts, score: Score, grid: Grid, drawn: dict[str, float], timing: HumanTiming, rng: np.random.Generator
) -> FloatArray:
    """[strokes] how late every stroke is, in seconds; that of ornaments is not used."""
    lines_beats, line = np.unique(parts.score_beats, return_inverse=True)
    lines_seconds = score.tempo_map.to_seconds(swung_lines_beats(lines_beats, grid))
    from_start = lines_beats - lines_beats[0]
    real = drawn["real_on"] > 0.0 and bool(np.any(parts.real_seconds != 0.0))
    natural = drawn["beside_real"] if real else 1.0

    shared = student(len(lines_beats), drawn["line_jitter_seconds"], drawn["tail"], rng)
    shared += wander(from_start, drawn["wander_seconds"], drawn["wander_beats"], rng) + drawn["offset_seconds"]
    shared *= natural
    step_beats = grid_step_beats(grid)
    if grid.swing > 0.5:
        odd = np.rint(lines_beats / step_beats).astype(np.int64) % 2 == 1
        shared += odd * 2.0 * drawn["swing_error"] * step_beats * 60.0 / score.tempo_map.bpm_at(lines_beats)
    if drawn["drift_on"]:
        shared += drift(from_start, drawn["drift_seconds"], drawn["drift_beats"], rng)
    if drawn["tempo_change_on"]:
        shared += tempo_changes(lines_seconds, drawn, score.tempo_map)
    bars = float(lines_beats[-1] - lines_beats[0]) / score.tempo_map.time_signatures[0].bar_beats
    count = int(rng.poisson(drawn["runs_per_bar"] * max(bars, 1.0)))
    steps_seconds = step_beats * 60.0 / score.tempo_map.bpm_at(lines_beats)
    shared += runs(lines_beats, steps_seconds, count, _pair(timing.run_beats), _pair(timing.run_steps), rng)

    own = student(len(line), drawn["limb_jitter_seconds"], drawn["tail"], rng)
    own += np.array([drawn[f"{_LIMB_OF[piece]}_bias_seconds"] for piece in PIECES])[parts.pieces]
    own += _habits(parts, score.tempo_map, drawn["habit_seconds"], rng)
    own *= natural
    own += drawn["uniform_jitter_seconds"] * rng.uniform(-1.0, 1.0, len(line))
    own += _flams(parts, line, drawn["flam_share"], _pair(timing.flam_seconds), rng)
    if real:
        own += drawn["real_scale"] * parts.real_seconds
    return shared[line] + own


def _pair(values: Range) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def grid_step_beats(grid: Grid) -> float:
    """Distance of the nominal lines of a grid's densest division, in beats."""
    return min(division_step_beats(division) for division in grid.divisions)


def _habits(parts: _Parts, tempo_map: TempoMap, sd_seconds: float, rng: np.random.Generator) -> FloatArray:
    """[strokes] what a drummer does alike in every bar: an offset for each piece and place in the bar."""
    places = np.rint(tempo_map.beat_in_bar(parts.score_beats) * _PLACES_PER_BEAT).astype(np.int64)
    _, which = np.unique(places * len(PIECES) + parts.pieces, return_inverse=True)
    return np.asarray(sd_seconds * rng.standard_normal(int(which.max()) + 1)[which])


def _flams(
    parts: _Parts, line: IntArray, share: float, seconds: tuple[float, float], rng: np.random.Generator
) -> FloatArray:
    """[strokes] one stroke early or late on some of the lines that several pieces share."""
    apart = np.zeros(len(line))
    plain = np.flatnonzero(parts.main < 0)
    counts = np.bincount(line[plain], minlength=int(line.max()) + 1)
    struck = np.flatnonzero((counts > 1) & (rng.uniform(size=len(counts)) < share))
    for one in struck.tolist():
        stroke = rng.choice(plain[line[plain] == one])
        apart[stroke] = rng.choice((-1.0, 1.0)) * rng.uniform(*seconds)
    return apart


def _strokes(parts: _Parts, performed: FloatArray, velocity: FloatArray) -> tuple[Stroke, ...]:
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
