"""Drum notes of a MIDI file: which piece each note number strikes, when and how hard."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.midi import read_onsets_beats, read_tempo_map
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, IntArray

PIECES = tuple(Piece)
"""Order in which arrays of piece numbers count."""

GENERAL_MIDI_PIECES: Mapping[int, Piece] = {
    35: Piece.KICK,
    36: Piece.KICK,
    37: Piece.SIDESTICK,
    38: Piece.SNARE,
    40: Piece.SNARE,
    41: Piece.TOM_FLOOR,
    42: Piece.HIHAT_CLOSED,
    43: Piece.TOM_FLOOR,
    44: Piece.HIHAT_PEDAL,
    45: Piece.TOM_MID,
    46: Piece.HIHAT_OPEN,
    47: Piece.TOM_MID,
    48: Piece.TOM_HIGH,
    49: Piece.CRASH,
    50: Piece.TOM_HIGH,
    51: Piece.RIDE,
    52: Piece.CHINA,
    53: Piece.RIDE_BELL,
    55: Piece.SPLASH,
    57: Piece.CRASH,
    59: Piece.RIDE,
    # Beyond General MIDI: edges and rims of Roland's TD-11.
    22: Piece.HIHAT_CLOSED,
    26: Piece.HIHAT_OPEN,
    58: Piece.TOM_FLOOR,
}
"""General MIDI 1 percussion key map, and the notes that Roland's modules add (Groove MIDI Dataset, "Drum Mapping")."""

TD11_PIECES: Mapping[int, Piece] = {**GENERAL_MIDI_PIECES, 52: Piece.CRASH, 55: Piece.CRASH}
"""As played on a TD-11, where 52 and 55 are the edges of the two crashes (Groove MIDI Dataset, "Drum Mapping")."""

_DRUMS_SHARE = 0.5  # hand percussion beside a kit is skipped; a file that is mostly something else holds no drums


@dataclass(frozen=True)
class PlayedNotes:
    """What a MIDI file holds of the kit, in order of time.

    Attributes:
        beats: [notes] onsets in quarter notes from the file's beginning.
        pieces: [notes] indices into :data:`PIECES`.
        velocities: [notes] 0 to 1.
        tempo_map: The file's own; beat 0 at 0 s.
    """

    beats: FloatArray
    pieces: IntArray
    velocities: FloatArray
    tempo_map: TempoMap


def read_drum_notes(path: Path, note_pieces: Mapping[int, Piece] = GENERAL_MIDI_PIECES) -> PlayedNotes:
    """Read the drum notes of a file.

    Args:
        path: A Standard MIDI File of type 0 or 1; notes of channel 10, or all where that is empty.
        note_pieces: Which piece each note number strikes; other notes are skipped.

    Raises:
        InputError: The file cannot be read, or holds no drums.
    """
    tempo_map = read_tempo_map(path)
    beats, velocities, numbers = read_onsets_beats(path)
    pieces = np.array([PIECES.index(note_pieces[n]) if n in note_pieces else -1 for n in numbers.tolist()], np.int64)
    known = pieces >= 0
    if not known.any() or known.mean() < _DRUMS_SHARE:
        raise InputError(
            f"{path} holds no drum part: {int(known.sum())} of its {len(numbers)} notes are drum notes of General MIDI"
        )
    return PlayedNotes(beats[known], pieces[known], velocities[known], tempo_map)
