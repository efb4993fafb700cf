"""Examples of a dataset as its manifest describes them, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf

from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.stems import open_sound
from beatnet_align.take import Channel
from beatnet_align.tempo_map import TempoMap
from datagen.dataset import MANIFEST_NAME, read_manifest
from datagen.played.groove_statistics import GROUPS

OTHER_GROUP = "other"


@dataclass(frozen=True)
class ExampleHit:
    """One hit of an example: what the inspection uses of its truth.

    Attributes:
        piece: What was struck.
        close: Name of the channel that hears it best.
        own_microphone: Whether that channel is a microphone at the piece.
        velocity: 0 to 1.
        score_beats: Where it belongs.
        ornament: Whether it belongs to a main stroke instead of a line.
        main_stroke: Index of that stroke among the example's hits, where known.
        performed_seconds: Onset in the take.
        target_seconds: Onset in the target.
        own_energy: Its share of the energy around it; 1 where that is not known.
    """

    piece: Piece
    close: str
    own_microphone: bool
    velocity: float
    score_beats: float
    ornament: bool
    main_stroke: int | None
    performed_seconds: float
    target_seconds: float
    own_energy: float

    @property
    def group(self) -> str:
        """Which of :data:`~datagen.played.groove_statistics.GROUPS` the piece belongs to, or "other"."""
        return next((name for name, pieces in GROUPS.items() if self.piece in pieces), OTHER_GROUP)

    @property
    def deviation_seconds(self) -> float:
        """How late it was played."""
        return self.performed_seconds - self.target_seconds


@dataclass(frozen=True)
class DatasetExample:
    """One line of a manifest.

    Attributes:
        index: Number within its split.
        split: Train, validation or test.
        take: Path of the performed audio.
        target: Path of the audio on the grid; None where the dataset holds takes alone.
        metronome: Path of the click, where there is one.
        sample_rate: In hertz.
        samples: Length.
        channels: One a row.
        tempo_map: What it was played to.
        grid: Its lines.
        kit: Name of the kit.
        licences: Of all that it was made of.
        hits: In order of performed time.
    """

    index: int
    split: str
    take: Path
    target: Path | None
    metronome: Path | None
    sample_rate: int
    samples: int
    channels: tuple[Channel, ...]
    tempo_map: TempoMap
    grid: Grid
    kit: str
    licences: tuple[str, ...]
    hits: tuple[ExampleHit, ...]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate

    @property
    def versions(self) -> dict[str, Path]:
        """The audio that there is to hear and see, by what it is: the take, and the target where there is one."""
        return {"take": self.take} | ({} if self.target is None else {"target": self.target})

    @property
    def name(self) -> str:
        """Such as train-000012."""
        return f"{self.split}-{self.index:06d}"

    def read(self, path: Path) -> npt.NDArray[np.float32]:
        """One of the example's audio files: [channels, samples].

        Raises:
            InputError: The file cannot be read or is not what the manifest says.
        """
        with open_sound(path) as file:
            try:
                audio = np.ascontiguousarray(file.read(dtype="float32", always_2d=True).T)
            except sf.SoundFileError as error:
                raise InputError(f"{path} is damaged: {str(error).strip(' .')}; make the dataset again") from error
            rate = file.samplerate
        rows = 1 if path == self.metronome else len(self.channels)
        if rate != self.sample_rate or audio.shape != (rows, self.samples):
            raise InputError(
                f"{path} has {len(audio)} channels of {audio.shape[1]} samples at {rate} Hz, the manifest says {rows} "
                f"of {self.samples} at {self.sample_rate} Hz; make the dataset again"
            )
        return audio


def read_examples(folder: Path) -> list[DatasetExample]:
    """All examples of a dataset, in the manifest's order.

    Raises:
        InputError: There is no manifest, a line is broken or lacks something, or an audio file is missing.
    """
    examples: list[DatasetExample] = []
    try:
        for entry in read_manifest(folder):
            examples.append(_example(folder, len(examples) + 1, entry))
    except UnicodeDecodeError as error:
        raise InputError(f"line {len(examples) + 1} of {folder / MANIFEST_NAME} is no text: {error}") from error
    if not examples:
        raise InputError(f"{folder / MANIFEST_NAME} holds no examples; make the dataset again")
    return examples


def _example(folder: Path, number: int, entry: Mapping[str, Any]) -> DatasetExample:
    where = f"line {number} of {folder / MANIFEST_NAME}"
    try:
        example = DatasetExample(
            index=int(entry["index"]),
            split=str(entry["split"]),
            take=folder / entry["take"],
            target=folder / entry["target"] if "target" in entry else None,
            metronome=folder / entry["metronome"] if entry.get("metronome") else None,
            sample_rate=int(entry["sample_rate"]),
            samples=int(entry["samples"]),
            channels=tuple(Channel(str(one["name"]), Role(one["role"])) for one in entry["channels"]),
            tempo_map=TempoMap.from_json(entry["tempo_map"]),
            grid=Grid.from_json(entry["grid"]),
            kit=str(entry["kit"]),
            licences=tuple(str(licence) for licence in entry["licences"]),
            hits=tuple(_hit(hit) for hit in entry["hits"]),
        )
    except InputError as error:
        raise InputError(f"{where} cannot be used: {error}") from error
    except KeyError as error:
        raise InputError(f"{where} lacks {error}; make the dataset again") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where} cannot be understood: {error}") from error
    for path in (example.take, example.target, example.metronome):
        if path is not None and not path.is_file():
            raise InputError(f"{where} names {path.relative_to(folder)}, which is not there; make the dataset again")
    return example


def _hit(hit: Mapping[str, Any]) -> ExampleHit:
    main = hit.get("main_stroke")
    return ExampleHit(
        piece=Piece(hit["piece"]),
        close=str(hit["close"]),
        own_microphone=bool(hit["own_microphone"]),
        velocity=float(hit["velocity"]),
        score_beats=float(hit["score_beats"]),
        ornament=bool(hit["ornament"]),
        main_stroke=None if main is None else int(main),
        performed_seconds=float(hit["performed_seconds"]),
        target_seconds=float(hit["target_seconds"]),
        own_energy=float(hit.get("own_energy", 1.0)),
    )
