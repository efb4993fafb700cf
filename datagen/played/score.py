"""What is meant: the notes of a drum part, each on its grid line, before anybody plays them."""

from dataclasses import dataclass

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray


@dataclass(frozen=True)
class Note:
    """One note.

    Attributes:
        piece: What is struck.
        velocity: 0 to 1.
        score_beats: Line it is meant for, in quarter notes, swing not applied; for an ornament that of its main stroke.
        deviation_seconds: How far from the swung line a real drummer played it, positive is late; 0 for patterns.
        ornament_of: Index in ``Score.notes`` of the main stroke that it adorns.
        ornament_seconds: Spacing of an ornament to its main stroke; negative is before it.
    """

    piece: Piece
    velocity: float
    score_beats: float
    deviation_seconds: float = 0.0
    ornament_of: int | None = None
    ornament_seconds: float = 0.0


@dataclass(frozen=True)
class Score:
    """A drum part of some bars.

    Attributes:
        notes: In order of ``score_beats``.
        tempo_map: The metronome; beat 0 is the beginning of bar 1.
        divisions: Lines on which the notes lie, as in :class:`~beatnet_align.grid.Grid`.
        swing: As in :class:`~beatnet_align.grid.Grid`; 0.5 is straight.
        source: File or generator that it comes from.
        style: For instance "funk".
        drummer: Who played it; "pattern" for generated scores.
        licence: Of the notes.

    Raises:
        InputError: Notes out of order, numbers out of range, or an ornament without a main stroke of its own line.
    """

    notes: tuple[Note, ...]
    tempo_map: TempoMap
    divisions: tuple[str, ...]
    swing: float
    source: str
    style: str
    drummer: str
    licence: str

    def __post_init__(self) -> None:
        Grid(self.divisions, self.swing)
        previous_beats = -np.inf
        for i, note in enumerate(self.notes):
            if not np.isfinite([note.score_beats, note.deviation_seconds, note.ornament_seconds]).all():
                raise InputError(f"{self.source}: note {i} has a position that is not finite")
            if not 0.0 <= note.velocity <= 1.0:
                raise InputError(f"{self.source}: velocities must be 0 to 1, found {note.velocity:g} at note {i}")
            if note.score_beats < previous_beats:
                raise InputError(f"{self.source}: notes must be in order of their beats, note {i} is not")
            previous_beats = note.score_beats
            if note.ornament_of is not None:
                self._check_ornament(i, note, note.ornament_of)

    @property
    def grid(self) -> Grid:
        """Lines that the notes are meant for, swing applied."""
        return Grid(self.divisions, self.swing)

    def _check_ornament(self, i: int, note: Note, main_index: int) -> None:
        if not 0 <= main_index < len(self.notes):
            raise InputError(
                f"{self.source}: ornament {i} names note {main_index} of {len(self.notes)} as its main stroke"
            )
        main = self.notes[main_index]
        if main.ornament_of is not None or main.score_beats != note.score_beats:
            raise InputError(
                f"{self.source}: the main stroke of ornament {i} must be a plain note on the same line, "
                f"found note {main_index} at beat {main.score_beats:g}"
            )


def swung_lines_beats(score_beats: FloatArray, grid: Grid) -> FloatArray:
    """Where lines sound once the grid's swing is applied, in beats.

    Swing delays every second line of the grid's single division, as :class:`~beatnet_align.grid.Grid` does. A position
    between two nominal lines is moved by the interpolated delay.

    Args:
        score_beats: Nominal positions in quarter notes, any shape.
        grid: Its template is not looked at.
    """
    positions = np.asarray(score_beats, np.float64)
    if grid.swing == 0.5:
        return positions
    nominals = grid.nominal_lines_beats(0.0, 4.0)
    step_beats = float(nominals[1] - nominals[0])
    phase = np.abs((positions / step_beats) % 2.0 - 1.0)  # 0 on a delayed line, 1 on those that stay
    return np.asarray(positions + (1.0 - phase) * (2.0 * grid.swing - 1.0) * step_beats)
