"""Windows of a quantised performance: the notes of some bars, counted from their start, and their metronome."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from beatnet_align.groove import DIVISION_TICKS
from beatnet_align.tempo_map import TempoChange, TempoMap, TimeSignature
from beatnet_align.units import FloatArray
from datagen.played.drum_midi import PIECES, PlayedNotes
from datagen.played.groove_files import GrooveFile
from datagen.played.groove_lines import MeantNotes
from datagen.played.score import Note

_WHOLE_BEAT = 1e-6


@dataclass(frozen=True)
class Groove:
    """A quantised performance, ready to be cut into scores.

    Attributes:
        file: Where it comes from.
        played: Its notes.
        meant: Their lines.
    """

    file: GrooveFile
    played: PlayedNotes
    meant: MeantNotes

    @cached_property
    def bar_starts_beats(self) -> FloatArray:
        """Start of every bar that holds notes, and the end of the last; bars that split a beat are left out."""
        tempo_map = self.played.tempo_map
        first, last = (int(bar) for bar in tempo_map.bar_of(self.meant.score_beats[[0, -1]]))
        starts = np.array([tempo_map.bar_start_beats(bar) for bar in range(first, last + 2)])
        return np.asarray(starts[np.abs(starts - np.rint(starts)) < _WHOLE_BEAT])

    def notes(self, start_beats: float, stop_beats: float) -> list[Note]:
        """The notes meant for the lines of a stretch, counted from its start."""
        meant, played = self.meant, self.played
        first, last = np.searchsorted(meant.score_beats, [start_beats - _WHOLE_BEAT, stop_beats - _WHOLE_BEAT])
        notes = []
        for i in range(int(first), int(last)):
            main = int(meant.main[i])
            deviation = float(meant.deviation_seconds[i])
            kept = int(meant.kept[i])
            notes.append(
                Note(
                    PIECES[int(played.pieces[kept])],
                    float(played.velocities[kept]),
                    float(meant.score_beats[i]) - start_beats,
                    deviation,
                    main - int(first) if main >= 0 else None,
                    deviation - float(meant.deviation_seconds[main]) if main >= 0 else 0.0,
                )
            )
        return notes

    def divisions(self, start_beats: float, stop_beats: float) -> set[str]:
        """The lattices that the notes of a stretch lie on."""
        first, last = np.searchsorted(self.meant.score_beats, [start_beats - _WHOLE_BEAT, stop_beats - _WHOLE_BEAT])
        return set(self.meant.divisions[int(first) : int(last)])


def tempo_map_from(tempo_map: TempoMap, start_beats: float, ratio: float, first_beat_seconds: float) -> TempoMap:
    """The metronome from a bar line on: ``ratio`` times as fast, its beat 0 at ``first_beat_seconds``."""
    tempi = [TempoChange(0.0, tempo_map.bpm_at(start_beats) * ratio)]
    tempi += [
        TempoChange(change.beats - start_beats, change.bpm * ratio)
        for change in tempo_map.tempi
        if change.beats > start_beats
    ]
    before = [one for one in tempo_map.time_signatures if one.beats <= start_beats + _WHOLE_BEAT]
    now = (before or [tempo_map.time_signatures[0]])[-1]
    signatures = [TimeSignature(0.0, now.numerator, now.denominator)]
    signatures += [
        TimeSignature(one.beats - start_beats, one.numerator, one.denominator)
        for one in tempo_map.time_signatures
        if one.beats > start_beats + _WHOLE_BEAT
    ]
    return TempoMap(tuple(tempi), first_beat_seconds, tuple(signatures))


def coarsest(divisions: set[str]) -> tuple[str, ...]:
    """The fewest divisions whose lines include all lines of ``divisions``, coarse ones first."""
    ticks = {division: DIVISION_TICKS[division] for division in divisions}
    needed = [
        one for one in ticks if not any(other < ticks[one] and ticks[one] % other == 0 for other in ticks.values())
    ]
    return tuple(sorted(needed, key=lambda division: -ticks[division]))


def moved(notes: list[Note], beats: float, index: int) -> list[Note]:
    """Notes that continue a score of ``index`` notes and ``beats`` beats."""
    return [
        Note(
            note.piece,
            note.velocity,
            note.score_beats + beats,
            note.deviation_seconds,
            None if note.ornament_of is None else note.ornament_of + index,
            note.ornament_seconds,
        )
        for note in notes
    ]
