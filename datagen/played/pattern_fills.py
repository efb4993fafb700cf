"""Fills: what closes a phrase. Every maker fills a stretch of beats with events on a grid of its own choice."""

from dataclasses import dataclass

import numpy as np

from beatnet_align.groove import division_step_beats
from beatnet_align.hits import Piece

HANDS = (Piece.SNARE, Piece.TOM_HIGH, Piece.TOM_MID, Piece.TOM_FLOOR)
FASTEST_STEP_SECONDS = 0.055
"""Singles of trained hands reach about 18 strokes a second."""

_LINEAR_CELLS = ("RLK", "RLKK", "RLRLKK", "RLLK", "RKLK", "KRLRLK")
_LOUD, _SOFT = (0.7, 1.0), (0.3, 0.55)


@dataclass(frozen=True)
class Event:
    """A note before ornaments are written out.

    Attributes:
        piece: What is struck.
        beats: Line it is meant for, in quarter notes.
        velocity: 0 to 1.
        graces: How many grace notes lead into it: 1 a flam, 2 a drag, 3 a ruff.
    """

    piece: Piece
    beats: float
    velocity: float
    graces: int = 0


def fill(
    start_beats: float, stop_beats: float, division: str, bpm: float, free: bool, rng: np.random.Generator
) -> tuple[list[Event], str]:
    """Draw a fill.

    Args:
        start_beats: Where it begins, on a line of ``division``.
        stop_beats: Where the next bar begins.
        division: The pattern's own.
        bpm: Tempo; no step becomes faster than hands can play.
        free: Whether the fill may leave the pattern's division, for 32nds or triplets.
        rng: Draws it.

    Returns:
        Its events, and the division that they lie on.
    """
    playable = [one for one in (division, "1/16") if division_step_beats(one) * 60.0 / bpm >= FASTEST_STEP_SECONDS]
    chosen = playable[0] if playable else "1/8"
    if free and rng.uniform() < 0.35:
        others = ("1/32", "1/8T", "1/16T") if not division.endswith("T") else ("1/16T", "1/16")
        fast = [one for one in others if division_step_beats(one) * 60.0 / bpm >= FASTEST_STEP_SECONDS]
        whole_beats = float(start_beats).is_integer()
        fast = [one for one in fast if whole_beats or not one.endswith("T")]
        chosen = str(rng.choice(fast)) if fast else chosen
    steps = np.arange(start_beats, stop_beats - 1e-6, division_step_beats(chosen))
    makers = (_descend, _linear, _single_roll, _double_roll, _rudiments)
    return makers[int(rng.integers(len(makers)))](steps, rng), chosen


def _descend(steps: np.ndarray, rng: np.random.Generator) -> list[Event]:
    """From the snare down the toms, with rests and accents."""
    first = int(rng.integers(2))
    around = np.sort(rng.integers(first, len(HANDS), len(steps)))
    events = []
    for i, (beats, where) in enumerate(zip(steps.tolist(), around.tolist(), strict=True)):
        if i and rng.uniform() < 0.15:
            continue
        events.append(Event(HANDS[where], beats, float(rng.uniform(*_LOUD)), int(rng.uniform() < 0.08)))
        if rng.uniform() < 0.1:
            events.append(Event(Piece.KICK, beats, float(rng.uniform(*_LOUD))))
    return events


def _linear(steps: np.ndarray, rng: np.random.Generator) -> list[Event]:
    """Hands and foot one after the other, never together."""
    cell = _LINEAR_CELLS[int(rng.integers(len(_LINEAR_CELLS)))]
    events = []
    for i, beats in enumerate(steps.tolist()):
        stroke = cell[i % len(cell)]
        piece = Piece.KICK if stroke == "K" else HANDS[int(rng.integers(len(HANDS)))]
        if stroke == "L" and rng.uniform() < 0.5:
            piece = Piece.HIHAT_CLOSED if rng.uniform() < 0.3 else Piece.SNARE
        events.append(Event(piece, beats, float(rng.uniform(*_LOUD))))
    return events


def _single_roll(steps: np.ndarray, rng: np.random.Generator) -> list[Event]:
    """One drum, swelling, with accents."""
    piece = HANDS[int(rng.choice(len(HANDS), p=(0.7, 0.1, 0.1, 0.1)))]
    swell = np.linspace(rng.uniform(0.25, 0.7), rng.uniform(0.7, 1.0), len(steps))
    accents = rng.uniform(size=len(steps)) < 0.2
    velocities = np.clip(swell + 0.2 * accents + rng.normal(0.0, 0.04, len(steps)), 0.1, 1.0)
    return [Event(piece, beats, velocity) for beats, velocity in zip(steps.tolist(), velocities.tolist(), strict=True)]


def _double_roll(steps: np.ndarray, rng: np.random.Generator) -> list[Event]:
    """Two strokes a hand: the second of each is softer, and every so many an accent moves to a tom."""
    every = int(rng.choice((4, 6, 8)))
    return [
        Event(
            HANDS[int(rng.integers(len(HANDS)))] if i % every == 0 else Piece.SNARE,
            beats,
            float(rng.uniform(*_LOUD) if i % every == 0 else rng.uniform(*_SOFT) * (1.0 if i % 2 else 0.8)),
        )
        for i, beats in enumerate(steps.tolist())
    ]


def _rudiments(steps: np.ndarray, rng: np.random.Generator) -> list[Event]:
    """Flams, drags and ruffs on every other line, plain strokes between them."""
    graces = int(rng.integers(1, 4))
    events = []
    for i, beats in enumerate(steps.tolist()):
        if i % 2 == 0:
            events.append(Event(HANDS[int(rng.integers(len(HANDS)))], beats, float(rng.uniform(*_LOUD)), graces))
        elif rng.uniform() < 0.5:
            events.append(Event(Piece.SNARE, beats, float(rng.uniform(*_SOFT))))
    return events
