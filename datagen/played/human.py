"""One performance's deviations from the grid: every part of :mod:`~datagen.played.deviations`, as drawn."""

import numpy as np

from beatnet_align.grid import Grid
from beatnet_align.groove import division_step_beats
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, IntArray
from datagen.played.deviations import drift, runs, student, tempo_changes, wander
from datagen.played.drum_midi import PIECES
from datagen.played.parts import Parts
from datagen.played.score import Score, swung_lines_beats
from datagen.played.timing import HumanTiming, Range

HIHATS = frozenset({Piece.HIHAT_CLOSED, Piece.HIHAT_OPEN, Piece.HIHAT_PEDAL})
CYMBALS = frozenset({Piece.RIDE, Piece.RIDE_BELL, Piece.CRASH, Piece.SPLASH, Piece.CHINA})

_LIMB_OF = {Piece.KICK: "kick", Piece.SNARE: "snare", Piece.SIDESTICK: "snare"}
_LIMB_OF |= dict.fromkeys((Piece.TOM_HIGH, Piece.TOM_MID, Piece.TOM_FLOOR, Piece.UNKNOWN), "tom")
_LIMB_OF |= dict.fromkeys(HIHATS, "hihat") | dict.fromkeys(CYMBALS, "cymbal")
_PLACES_PER_BEAT = 48  # every line of every division is a whole one


def deviations(
    parts: Parts, score: Score, grid: Grid, drawn: dict[str, float], timing: HumanTiming, rng: np.random.Generator
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


def _habits(parts: Parts, tempo_map: TempoMap, sd_seconds: float, rng: np.random.Generator) -> FloatArray:
    """[strokes] what a drummer does alike in every bar: an offset for each piece and place in the bar."""
    places = np.rint(tempo_map.beat_in_bar(parts.score_beats) * _PLACES_PER_BEAT).astype(np.int64)
    _, which = np.unique(places * len(PIECES) + parts.pieces, return_inverse=True)
    return np.asarray(sd_seconds * rng.standard_normal(int(which.max()) + 1)[which])


def _flams(
    parts: Parts, line: IntArray, share: float, seconds: tuple[float, float], rng: np.random.Generator
) -> FloatArray:
    """[strokes] one stroke early or late on some of the lines that several pieces share."""
    apart = np.zeros(len(line))
    plain = np.flatnonzero(parts.main < 0)
    counts = np.bincount(line[plain], minlength=int(line.max()) + 1)
    struck = np.flatnonzero((counts > 1) & (rng.uniform(size=len(counts)) < share))
    for one in struck.tolist():
        stroke = rng.choice(plain[line[plain] == one])
        apart[stroke] = rng.uniform(*seconds)
    return apart
