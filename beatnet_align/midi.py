"""Standard MIDI Files: the tempo map that they carry, and their drum notes for groove templates."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.tempo_map import FOUR_FOUR, TempoChange, TempoMap, TimeSignature
from beatnet_align.units import FloatArray, IntArray

if TYPE_CHECKING:
    from mido import MidiFile

DEFAULT_BPM = 120.0  # Standard MIDI File specification: the tempo until the first tempo event
DRUM_CHANNEL = 9  # General MIDI channel 10, counted from 0


def read_tempo_map(path: Path, first_beat_seconds: float = 0.0) -> TempoMap:
    """Read tempo and time-signature changes of every track.

    A time signature that begins inside a bar starts a new bar there.

    Args:
        path: A file of type 0 or 1.
        first_beat_seconds: When the file's beginning, beat 0, sounds in the take.

    Raises:
        InputError: The file cannot be read, counts in SMPTE frames, or holds a tempo out of range.
    """
    file = _open(path)
    microseconds: dict[int, int] = {}
    signatures: dict[int, tuple[int, int]] = {}
    for track in file.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "set_tempo":
                microseconds[ticks] = message.tempo
            elif message.type == "time_signature":
                signatures[ticks] = (message.numerator, message.denominator)
    try:
        tempi = [TempoChange(ticks / file.ticks_per_beat, _bpm(us)) for ticks, us in sorted(microseconds.items())]
        if not tempi or tempi[0].beats > 0:
            tempi.insert(0, TempoChange(0.0, DEFAULT_BPM))
        bars = [TimeSignature(ticks / file.ticks_per_beat, n, d) for ticks, (n, d) in sorted(signatures.items())]
        if not bars or bars[0].beats > 0:
            bars.insert(0, FOUR_FOUR)
        return TempoMap(tuple(tempi), first_beat_seconds, tuple(bars))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_onsets_beats(path: Path) -> tuple[FloatArray, FloatArray, IntArray]:
    """Read when notes start: those of the drum channel (10), or all where it is empty.

    Args:
        path: A file of type 0 or 1.

    Returns:
        Onsets in beats, rising; velocities 0 to 1; MIDI note numbers. Each [notes].

    Raises:
        InputError: The file cannot be read or counts in SMPTE frames.
    """
    file = _open(path)
    notes: list[tuple[float, float, int, bool]] = []
    for track in file.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "note_on" and message.velocity > 0:
                on_drums = message.channel == DRUM_CHANNEL
                notes.append((ticks / file.ticks_per_beat, message.velocity / 127, message.note, on_drums))
    drums = [note for note in notes if note[3]] or notes
    drums.sort(key=lambda note: (note[0], note[2]))
    return (
        np.array([note[0] for note in drums], np.float64),
        np.array([note[1] for note in drums], np.float64),
        np.array([note[2] for note in drums], np.int64),
    )


def _bpm(microseconds_per_beat: int) -> float:
    """Tempo of a MIDI tempo event."""
    return 60e6 / microseconds_per_beat if microseconds_per_beat else float("inf")


def _open(path: Path) -> "MidiFile":
    """Read a file whose ticks count beats on one common time line."""
    import mido  # noqa: PLC0415 - only takes that come with MIDI pay for it

    try:
        file = mido.MidiFile(path, clip=True)
    except OSError as error:
        reason = error.strerror or str(error) or "it ends too early"
        raise InputError(f"cannot read the MIDI file {path}: {reason}") from error
    except Exception as error:  # mido lets whatever a broken file provokes through: EOFError, IndexError, its own
        reason = str(error) or "it ends too early"
        raise InputError(f"{path} is not a readable Standard MIDI File: {reason}") from error
    if file.ticks_per_beat <= 0:
        raise InputError(f"{path} counts in SMPTE frames, not beats: export it with a resolution in ticks per quarter")
    if file.type not in (0, 1):
        raise InputError(f"{path} is a type {file.type} MIDI file, whose tracks share no time line: export type 0 or 1")
    return file
