"""Which performances a folder holds: the Groove MIDI Dataset by its table, any other folder by its MIDI files."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.groove_source import MIDI_SUFFIXES


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


def dataset_files(folder: Path, split: str | None) -> list[GrooveFile]:
    """Performances that ``info.csv`` lists.

    Raises:
        InputError: The table is malformed.
    """
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
        raise InputError(
            f"{table} is not the table of the Groove MIDI Dataset ({type(error).__name__}: {error})"
        ) from error
    return files


def plain_files(folder: Path, split: str | None) -> list[GrooveFile]:
    """MIDI files at any depth; style and drummer are named by the folder that a file lies in.

    Raises:
        InputError: A split is asked for.
    """
    if split is not None:
        raise InputError(f"{folder} has no info.csv, so no split {split!r}: give no split, or a folder for each")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES)
    return [GrooveFile(path, path.parent.name, path.parent.name) for path in paths]
