"""Scores from real drummers: the Groove MIDI Dataset, or any folder of drum MIDI files.

Every performance is quantised to its own grid (:mod:`datagen.groove_lines`) when it is first picked; what the drummer
did beyond that stays with each note as its deviation.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.groove import DIVISION_TICKS
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoChange, TempoMap, TimeSignature
from beatnet_align.units import FloatArray
from datagen.drum_midi import GENERAL_MIDI_PIECES, PIECES, TD11_PIECES, PlayedNotes, read_drum_notes
from datagen.groove_lines import MeantNotes, find_lines
from datagen.score import Note, Score

Range = tuple[float, float]
GROOVE_LICENCE = "CC BY 4.0, Groove MIDI Dataset, Gillick et al. 2019"
UNKNOWN_LICENCE = "unknown"

_PICK_TRIES = 50
_LONG_BARS = 32.0  # performances longer than this are not picked more often
_WHOLE_BEAT = 1e-6


@dataclass(frozen=True)
class GrooveFile:
    """One performance on disk.

    Attributes:
        path: Of the MIDI file.
        style: For instance "funk".
        drummer: Who played it.
        bars: How long it is, about; 0 when not known without reading it.
    """

    path: Path
    style: str
    drummer: str
    bars: float = 0.0


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
        return starts[np.abs(starts - np.rint(starts)) < _WHOLE_BEAT]

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


@dataclass
class GrooveCollection:
    """Performances to pick scores from; files are read when first picked, and kept.

    Attributes:
        files: What there is to pick from.
        licence: Of the notes.
        note_pieces: Which piece each note number strikes.
        first_beat_seconds: Range from which the time of bar 1 is drawn.
        tempo_ratio: Range from which the change of tempo is drawn; deviations keep their seconds.
        rejected: Performances that lock to no grid, and why; grows as they are met.
    """

    files: tuple[GrooveFile, ...]
    licence: str
    note_pieces: Mapping[int, Piece]
    first_beat_seconds: Range = (0.3, 2.0)
    tempo_ratio: Range = (1.0, 1.0)
    rejected: dict[Path, str] = field(default_factory=dict)
    _grooves: dict[int, Groove | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.first_beat_seconds[0] <= self.first_beat_seconds[1]:
            raise InputError(f"first_beat_seconds must be a rising range from 0 on, found {self.first_beat_seconds}")
        if not 0.25 <= self.tempo_ratio[0] <= self.tempo_ratio[1] <= 4.0:
            raise InputError(f"tempo_ratio must be a rising range within 0.25 to 4, found {self.tempo_ratio}")

    def groove(self, index: int) -> Groove | None:
        """One performance, quantised; None, and an entry in ``rejected``, where it locks to no grid.

        Raises:
            InputError: The file cannot be read or holds no drums.
        """
        if index not in self._grooves:
            file = self.files[index]
            played = read_drum_notes(file.path, self.note_pieces)
            try:
                groove = Groove(file, played, find_lines(played))
                self._grooves[index] = groove if len(groove.bar_starts_beats) > 1 else None
                if self._grooves[index] is None:
                    self.rejected[file.path] = "it has no whole bar that starts on a beat"
            except InputError as error:
                self._grooves[index] = None
                self.rejected[file.path] = str(error)
        return self._grooves[index]

    def pick(self, rng: np.random.Generator, bars: int) -> Score:
        """A score of up to ``bars`` bars, fewer where a performance ends before and no other of its kind can follow.

        Short performances, such as fills, are followed by others of the same drummer, time signature and grid that are
        nearest in tempo; all are taken at the tempo of the first.

        Raises:
            InputError: A file cannot be read, no performance locks to a grid, or ``bars`` is below 1.
        """
        if bars < 1:
            raise InputError(f"a score needs at least one bar, found {bars}")
        weights = np.sqrt([min(file.bars or 1.0, _LONG_BARS) for file in self.files])
        for _ in range(_PICK_TRIES):
            groove = self.groove(int(rng.choice(len(self.files), p=weights / weights.sum())))
            score = None if groove is None else self._window(groove, rng, bars)
            if score is not None:
                return score
        raise InputError(
            f"no performance with a clear grid among {_PICK_TRIES} tries of {len(self.files)} files, "
            f"for instance {next(iter(self.rejected.items()), 'empty bars')}"
        )

    def _window(self, groove: Groove, rng: np.random.Generator, bars: int) -> Score | None:
        starts = groove.bar_starts_beats
        first = int(rng.integers(max(len(starts) - bars, 1)))
        last = min(first + bars, len(starts) - 1)
        start, stop = float(starts[first]), float(starts[last])
        notes, divisions = groove.notes(start, stop), groove.divisions(start, stop)
        tempo_map = self._tempo_map(groove.played.tempo_map, start, rng)
        if not notes:
            return None
        length_beats, sources = stop - start, [groove.file.path.name]
        while last - first < bars:
            following = self._following(groove, divisions, rng)
            if following is None:
                break
            starts = following.bar_starts_beats
            count = min(bars - (last - first), len(starts) - 1)
            more = following.notes(float(starts[0]), float(starts[count]))
            notes += _moved(more, length_beats, len(notes))
            divisions |= following.divisions(float(starts[0]), float(starts[count]))
            length_beats += float(starts[count] - starts[0])
            last += count
            sources.append(following.file.path.name)
        return Score(
            notes=tuple(notes),
            tempo_map=tempo_map,
            divisions=coarsest(divisions),
            swing=groove.meant.swing,
            source="+".join(sources),
            style=groove.file.style,
            drummer=groove.file.drummer,
            licence=self.licence,
        )

    def _following(self, groove: Groove, divisions: set[str], rng: np.random.Generator) -> Groove | None:
        """A short performance that can follow: the same drummer, metre and swing."""
        alike = [
            i
            for i, file in enumerate(self.files)
            if file.drummer == groove.file.drummer and file.path != groove.file.path and 0.0 < file.bars < _LONG_BARS
        ]
        for index in rng.permutation(alike)[:10].tolist():
            other = self.groove(index)
            if other is None or other.meant.swing != groove.meant.swing:
                continue
            if other.meant.swing != 0.5 and set(other.meant.divisions) != divisions:
                continue
            signatures = [one.played.tempo_map.time_signatures[-1] for one in (groove, other)]
            bpms = [one.played.tempo_map.bpm_at(0.0) for one in (groove, other)]
            if signatures[0].bar_beats == signatures[1].bar_beats and 0.75 < bpms[1] / bpms[0] < 1.33:
                return other
        return None

    def _tempo_map(self, tempo_map: TempoMap, start_beats: float, rng: np.random.Generator) -> TempoMap:
        """The metronome from a bar on, at a drawn tempo ratio and time of bar 1."""
        ratio = float(np.exp(rng.uniform(*np.log(self.tempo_ratio))))
        first_beat_seconds = float(rng.uniform(*self.first_beat_seconds))
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
    needed = [one for one in ticks if not any(other < ticks[one] and ticks[one] % other == 0 for other in ticks.values())]
    return tuple(sorted(needed, key=lambda division: -ticks[division]))


def _moved(notes: list[Note], beats: float, index: int) -> list[Note]:
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


def load_grooves(
    folder: Path,
    split: str | None = None,
    drummers: tuple[str, ...] | None = None,
    first_beat_seconds: Range = (0.3, 2.0),
    tempo_ratio: Range = (1.0, 1.0),
) -> GrooveCollection:
    """Find the performances of a folder; none is read yet.

    Args:
        folder: The Groove MIDI Dataset (with ``info.csv``), or any folder that holds drum MIDI files, at any depth.
        split: "train", "validation" or "test" of the dataset; None takes all.
        drummers: Only these; None takes all. In plain folders a drummer is the folder that a file lies in.
        first_beat_seconds: Range from which the time of bar 1 is drawn.
        tempo_ratio: Range from which the change of tempo is drawn.

    Raises:
        InputError: No such folder, a malformed ``info.csv``, or no performance of that split and those drummers.
    """
    if not folder.is_dir():
        raise InputError(f"no folder of grooves at {folder}")
    dataset = (folder / "info.csv").is_file()
    files = _dataset_files(folder, split) if dataset else _plain_files(folder, split)
    files = [file for file in files if drummers is None or file.drummer in drummers]
    if not files:
        wanted = ", ".join(part for part in (f"split {split}" if split else "", "/".join(drummers or ())) if part)
        raise InputError(f"{folder} holds no drum MIDI files{f' of {wanted}' if wanted else ''}")
    licence = GROOVE_LICENCE if dataset else UNKNOWN_LICENCE
    note_pieces = TD11_PIECES if dataset else GENERAL_MIDI_PIECES
    return GrooveCollection(tuple(files), licence, note_pieces, first_beat_seconds, tempo_ratio)


def _dataset_files(folder: Path, split: str | None) -> list[GrooveFile]:
    table = folder / "info.csv"
    files = []
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                numerator, denominator = (int(part) for part in row["time_signature"].split("-"))
                bar_seconds = 60.0 / float(row["bpm"]) * numerator * 4.0 / denominator
                if split is None or row["split"] == split:
                    bars = float(np.ceil(float(row["duration"]) / bar_seconds))
                    files.append(GrooveFile(folder / row["midi_filename"], row["style"], row["drummer"], bars))
    except (KeyError, ValueError, TypeError, ZeroDivisionError, OSError) as error:
        raise InputError(f"{table} is not the table of the Groove MIDI Dataset ({type(error).__name__}: {error})") from error
    return files


def _plain_files(folder: Path, split: str | None) -> list[GrooveFile]:
    if split is not None:
        raise InputError(f"{folder} has no info.csv, so no split {split!r}: give no split, or a folder for each")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    return [GrooveFile(path, path.parent.name, path.parent.name) for path in paths]
