"""The strokes of a score as arrays, for drawing a performance of all of them at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.grid import Grid
from beatnet_align.units import FloatArray, IntArray
from datagen.played.drum_midi import PIECES
from datagen.played.score import Score, swung_lines_beats

BoolArray = npt.NDArray[np.bool_]
MIN_VELOCITY = 0.02
_DOUBLE_VELOCITY = (0.2, 0.6)  # of the first stroke's
_PIECE_NUMBERS = {piece: i for i, piece in enumerate(PIECES)}


@dataclass(frozen=True)
class Parts:
    """Strokes in the order of their score, doubles last.

    Attributes:
        pieces: [strokes] indices into :data:`~datagen.played.drum_midi.PIECES`.
        velocity: [strokes] 0 to 1.
        score_beats: [strokes] nominal lines.
        real_seconds: [strokes] deviations of the real drummer.
        main: [strokes] index of an ornament's main stroke, -1 for plain strokes.
        spacing_seconds: [strokes] of ornaments to it.
        target_seconds: [strokes] where they are on the grid.
    """

    pieces: IntArray
    velocity: FloatArray
    score_beats: FloatArray
    real_seconds: FloatArray
    main: IntArray
    spacing_seconds: FloatArray
    target_seconds: FloatArray

    @classmethod
    def of(cls, score: Score, grid: Grid) -> "Parts":
        """All notes of a score, on the lines of ``grid``."""
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

    def only(self, keep: BoolArray) -> "Parts":
        """The strokes that are kept, without ornaments whose main stroke is not."""
        keep = keep & ((self.main < 0) | keep[self.main])
        place = np.cumsum(keep) - 1
        return Parts(
            pieces=self.pieces[keep],
            velocity=self.velocity[keep],
            score_beats=self.score_beats[keep],
            real_seconds=self.real_seconds[keep],
            main=np.where(self.main[keep] >= 0, place[self.main[keep]], -1),
            spacing_seconds=self.spacing_seconds[keep],
            target_seconds=self.target_seconds[keep],
        )


def double(parts: Parts, share: float, seconds: float, rng: np.random.Generator) -> Parts:
    """Let a share of the strokes bounce: softer second ones about ``seconds`` later, meant nowhere."""
    doubled = np.flatnonzero((rng.uniform(size=len(parts.main)) < share) & (parts.main < 0))
    if not len(doubled):
        return parts
    softer = rng.uniform(*_DOUBLE_VELOCITY, len(doubled))
    spacing = seconds * rng.uniform(0.8, 1.25, len(doubled))
    return Parts(
        pieces=np.concatenate([parts.pieces, parts.pieces[doubled]]),
        velocity=np.concatenate([parts.velocity, np.maximum(parts.velocity[doubled] * softer, MIN_VELOCITY)]),
        score_beats=np.concatenate([parts.score_beats, parts.score_beats[doubled]]),
        real_seconds=np.concatenate([parts.real_seconds, np.zeros(len(doubled))]),
        main=np.concatenate([parts.main, doubled]),
        spacing_seconds=np.concatenate([parts.spacing_seconds, spacing]),
        target_seconds=np.concatenate([parts.target_seconds, parts.target_seconds[doubled] + spacing]),
    )
