"""Scores from real drummers: the Groove MIDI Dataset, or any folder of drum MIDI files.

Every performance is quantised to its own grid (:mod:`datagen.played.groove_lines`) when it is first picked; what
the drummer did beyond that stays with each note as its deviation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import MAX_BPM, MIN_BPM, TempoMap
from datagen.played.drum_midi import GENERAL_MIDI_PIECES, TD11_PIECES, read_drum_notes
from datagen.played.groove_files import GrooveFile, dataset_files, plain_files
from datagen.played.groove_lines import find_lines
from datagen.played.groove_windows import Groove, coarsest, moved, tempo_map_from
from datagen.played.score import Score

Range = tuple[float, float]
GROOVE_LICENCE = "CC BY 4.0, Groove MIDI Dataset, Gillick et al. 2019"
UNKNOWN_LICENCE = "unknown"

_PICK_TRIES = 50
_SHY_OF = 1.0 + 1e-9  # so that round-off leads past no limit
_LONG_BARS = 32.0  # performances longer than this are not picked more often


@dataclass
class GrooveCollection:
    """Performances to pick scores from; files are read when first picked, and kept.

    Attributes:
        files: What there is to pick from.
        licence: Of the notes.
        note_pieces: Which piece each note number strikes.
        first_beat_seconds: Range from which the time of bar 1 is drawn.
        tempo_ratio: Range from which the change of tempo is drawn, as far as there are such tempi; deviations keep
            their seconds.
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
        tempo_map = self._metronome(groove.played.tempo_map, start, rng)
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
            notes += moved(more, length_beats, len(notes))
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

    def _metronome(self, tempo_map: TempoMap, start_beats: float, rng: np.random.Generator) -> TempoMap:
        bpms = [change.bpm for change in tempo_map.tempi]
        ratio = float(np.exp(rng.uniform(*np.log(self.tempo_ratio))))
        ratio = min(max(ratio, _SHY_OF * MIN_BPM / min(bpms)), MAX_BPM / max(bpms) / _SHY_OF)
        return tempo_map_from(tempo_map, start_beats, ratio, float(rng.uniform(*self.first_beat_seconds)))


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
    files = dataset_files(folder, split) if dataset else plain_files(folder, split)
    files = [file for file in files if drummers is None or file.drummer in drummers]
    if not files:
        wanted = ", ".join(part for part in (f"split {split}" if split else "", "/".join(drummers or ())) if part)
        raise InputError(f"{folder} holds no drum MIDI files{f' of {wanted}' if wanted else ''}")
    licence = GROOVE_LICENCE if dataset else UNKNOWN_LICENCE
    note_pieces = TD11_PIECES if dataset else GENERAL_MIDI_PIECES
    return GrooveCollection(tuple(files), licence, note_pieces, first_beat_seconds, tempo_ratio)
