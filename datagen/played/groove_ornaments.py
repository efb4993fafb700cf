"""Ornaments of a real performance: which soft notes belong to a louder stroke instead of a grid line."""

import numpy as np
import numpy.typing as npt

from beatnet_align.units import FloatArray, IntArray
from datagen.played.drum_midi import PlayedNotes

BoolArray = npt.NDArray[np.bool_]

_ORNAMENT_BEFORE_SECONDS, _ORNAMENT_BEFORE_VELOCITY = 0.100, 0.7
_ORNAMENT_AFTER_SECONDS, _ORNAMENT_AFTER_VELOCITY = 0.070, 0.5
"""Reach and softness, relative to the main stroke, of grace notes and of bounces."""
_ORNAMENT_MIN_SECONDS = 0.010  # closer is one strike that the pad reported twice


def find_ornaments(seconds: FloatArray, pieces: IntArray, velocities: FloatArray, off_line: BoolArray) -> IntArray:
    """Find soft notes that lie on no line of their own, just before or after a louder one of their piece.

    Args:
        seconds: [notes] onsets, rising.
        pieces: [notes] piece numbers.
        velocities: [notes] 0 to 1.
        off_line: [notes] whether a note is far from every line.

    Returns:
        [notes] index of the main stroke; -1 for plain notes.
    """
    main = np.full(len(seconds), -1, np.int64)
    for piece in np.unique(pieces):
        own = np.flatnonzero(pieces == piece)
        for position in range(len(own) - 1, -1, -1):  # backwards: a ruff's notes pass their main stroke on
            note = own[position]
            if not off_line[note]:
                continue
            if position + 1 < len(own):
                after = own[position + 1]
                target = main[after] if main[after] >= 0 and seconds[main[after]] > seconds[note] else after
                near = seconds[after] - seconds[note] < _ORNAMENT_BEFORE_SECONDS
                if near and velocities[note] < _ORNAMENT_BEFORE_VELOCITY * velocities[target]:
                    main[note] = target
                    continue
            before = own[position - 1] if position else note
            near = 0.0 < seconds[note] - seconds[before] < _ORNAMENT_AFTER_SECONDS
            if near and velocities[note] < _ORNAMENT_AFTER_VELOCITY * velocities[before]:
                main[note] = before
    has_main = main >= 0
    main[has_main & has_main[main]] = -1  # the main stroke turned out an ornament itself
    return main


def one_note_a_line(
    seconds: FloatArray, played: PlayedNotes, lines: FloatArray, main: IntArray, dropped: BoolArray
) -> tuple[FloatArray, IntArray, BoolArray]:
    """Keep the loudest note a piece and line; softer ones become its ornaments, double triggers go.

    Args:
        seconds: [notes] onsets, rising.
        played: The notes.
        lines: [notes] nominal lines in beats.
        main: [notes] main stroke of an ornament, -1 for plain notes.
        dropped: [notes] what is left out already.

    Returns:
        The last three anew; ornaments have the line of their main stroke.
    """
    lines, main, dropped = lines.copy(), main.copy(), dropped.copy()
    plain = np.flatnonzero((main < 0) & ~dropped)
    order = plain[np.lexsort((-played.velocities[plain], lines[plain], played.pieces[plain]))]
    leader = -1
    for note in order:
        if leader < 0 or played.pieces[note] != played.pieces[leader] or lines[note] != lines[leader]:
            leader = note
            continue
        spacing = abs(seconds[note] - seconds[leader])
        soft = played.velocities[note] < _ORNAMENT_BEFORE_VELOCITY * played.velocities[leader]
        if soft and _ORNAMENT_MIN_SECONDS <= spacing <= _ORNAMENT_BEFORE_SECONDS:
            main[note] = leader
        else:
            dropped[note] = True
    has_main = main >= 0
    final = np.where(has_main, main, 0)
    for _ in range(2):  # an ornament of a note that has become an ornament
        deeper = has_main & (main[final] >= 0)
        final[deeper] = main[final[deeper]]
    main = np.where(has_main, final, -1)
    spacing = np.abs(seconds - seconds[final])
    dropped |= has_main & (
        dropped[final] | (spacing < _ORNAMENT_MIN_SECONDS) | (spacing > 3 * _ORNAMENT_BEFORE_SECONDS)
    )
    lines[has_main] = lines[final[has_main]]
    return lines, main, dropped
