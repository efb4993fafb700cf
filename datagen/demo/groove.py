"""What the drummer of the demo take plays, and when: a tab, and human timing drawn over it."""

from dataclasses import dataclass

import numpy as np

from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray, seconds_to_samples

TIME_SIGNATURE = "4/4"
DIVISION_PER_BEAT = 4
STEPS_PER_BAR = 16

# One character a sixteenth. X accent, x plain, s soft, g ghost, o open hat, f flam, d drag, - nothing.
HIHAT_TAB = ("X-x-X-x-X-x-X-xs", "X-x-X-xsX-x-X-o-", "X-x-X-x-X-xsX-x-", "X-x-X-x---------", "o")
SNARE_TAB = ("----X--g----X---", "----X--g-g--f--g", "----X--g----X-g-", "----X--gx-xxXgxd", "-")
KICK_TAB = ("X--x----x-X-----", "X--x----x-X----x", "X--x----x-X-----", "X-------X---X---", "X")

VELOCITIES = {"X": 0.92, "x": 0.72, "s": 0.5, "g": 0.28, "o": 0.85, "f": 0.95, "d": 0.97}
VELOCITY_SPREAD = 0.035
ORNAMENTS_SECONDS = {"f": (-0.027,), "d": (-0.064, -0.031)}
"""How long before its main stroke each grace note of a flam and of a drag falls."""
GRACE_VELOCITY = 0.42

BIASES_SECONDS = {Piece.KICK: -0.001, Piece.SNARE: 0.006, Piece.HIHAT_CLOSED: -0.005, Piece.HIHAT_OPEN: -0.003}
"""A snare laid back, hats that push."""
LINE_JITTER_SECONDS, LIMB_JITTER_SECONDS = 0.009, 0.008
"""Spread shared by what is struck together, and of each limb for itself: 12 ms in all."""
DRIFT_SECONDS, DRIFT_PERIOD_BEATS = 0.009, 13.0
LATE_RUN_SECONDS, LATE_RUN_BEATS = 0.045, (9.0, 12.5)
"""The run in which the drummer falls behind: its peak, and where in the score it starts and ends."""


@dataclass(frozen=True)
class Stroke:
    """One stroke: what is played, where it belongs, and when its onset comes in the take and in the target.

    Attributes:
        piece: What is struck.
        velocity: 0 to 1.
        score_beats: Grid line it belongs to; that of its main stroke for an ornament.
        ornament: Whether it is a grace note.
        performed_samples: Onset as played.
        target_samples: Onset when aligned; an ornament keeps its spacing to its main stroke.
    """

    piece: Piece
    velocity: float
    score_beats: float
    ornament: bool
    performed_samples: int
    target_samples: int


def read_tab() -> list[tuple[float, Piece, str]]:
    """The tab as (beats from the first, piece, symbol), in order of time."""
    notes = []
    for tab, piece in ((KICK_TAB, Piece.KICK), (SNARE_TAB, Piece.SNARE), (HIHAT_TAB, Piece.HIHAT_CLOSED)):
        for bar, symbols in enumerate(tab):
            for step, symbol in enumerate(symbols):
                if symbol != "-":
                    beats = (bar * STEPS_PER_BAR + step) / DIVISION_PER_BEAT
                    notes.append((beats, Piece.HIHAT_OPEN if symbol == "o" else piece, symbol))
    return sorted(notes)


def perform(rng: np.random.Generator, bpm: float, first_beat_seconds: float, sample_rate: int) -> list[Stroke]:
    """Play the tab as a human would.

    Args:
        rng: Draws timing and velocity.
        bpm: Tempo in quarter notes a minute.
        first_beat_seconds: Where beat 0 falls.
        sample_rate: In hertz.

    Returns:
        The strokes, sorted by performed onset.
    """
    notes = read_tab()
    lines_beats = np.unique([beats for beats, _, _ in notes])
    line_deviations_seconds = dict(zip(lines_beats, _line_deviations(lines_beats, rng), strict=True))
    strokes = []
    for beats, piece, symbol in notes:
        deviation = line_deviations_seconds[beats] + BIASES_SECONDS[piece] + rng.normal(0.0, LIMB_JITTER_SECONDS)
        target = seconds_to_samples(first_beat_seconds + beats * 60.0 / bpm, sample_rate)
        performed = target + seconds_to_samples(float(deviation), sample_rate)
        velocity = float(np.clip(VELOCITIES[symbol] + rng.normal(0.0, VELOCITY_SPREAD), 0.1, 1.0))
        for ahead_seconds in ORNAMENTS_SECONDS.get(symbol, ()):
            ahead = seconds_to_samples(ahead_seconds + float(rng.normal(0.0, 0.002)), sample_rate)
            grace = float(np.clip(GRACE_VELOCITY + rng.normal(0.0, VELOCITY_SPREAD), 0.1, 1.0))
            strokes.append(Stroke(piece, grace, beats, True, performed + ahead, target + ahead))
        strokes.append(Stroke(piece, velocity, beats, False, performed, target))
    return sorted(strokes, key=lambda stroke: stroke.performed_samples)


def _line_deviations(lines_beats: FloatArray, rng: np.random.Generator) -> FloatArray:
    """What everything struck on a line has in common: drift, the late run, and the drummer's own sense of time."""
    start, stop = LATE_RUN_BEATS
    drift = DRIFT_SECONDS * np.sin(2.0 * np.pi * (lines_beats / DRIFT_PERIOD_BEATS + rng.uniform()))
    through_run = np.clip((lines_beats - start) / (stop - start), 0.0, 1.0)
    jitter = rng.normal(0.0, LINE_JITTER_SECONDS, len(lines_beats))
    return np.asarray(drift + LATE_RUN_SECONDS * np.sin(np.pi * through_run) ** 2 + jitter)


def leading_strokes(strokes: list[Stroke]) -> dict[float, Stroke]:
    """For every line the stroke that leads it: kick and snare before hats, then the harder one; never an ornament."""

    def lead(stroke: Stroke) -> tuple[bool, float]:
        return stroke.piece in (Piece.KICK, Piece.SNARE), stroke.velocity

    leaders: dict[float, Stroke] = {}
    for stroke in strokes:
        leader = leaders.get(stroke.score_beats)
        if not stroke.ornament and (leader is None or lead(stroke) > lead(leader)):
            leaders[stroke.score_beats] = stroke
    return leaders
