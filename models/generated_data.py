"""The generator as torch datasets: the same examples as on disk, made while training or read from a rendered pool."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from beatnet_align.conditioning import positional_encodings
from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import Float32Array
from datagen.config import DatasetConfig, Split
from datagen.dataset import read_audio, read_split
from datagen.example import ExampleMaker


@dataclass(frozen=True)
class Pair:
    """One example as tensors.

    Attributes:
        take: [channels, samples], as played.
        target: [channels, samples], on the grid.
        conditioning: [7, samples]: the metronome, then the positional encodings of
            :data:`beatnet_align.conditioning.ENCODINGS`.
        hits: [hits, 3]: performed and target time in seconds, velocity.
        roles: One a channel.
        parameters: Tempo at the start, swing and strength, under ``bpm``, ``swing`` and ``strength``.
        pieces: Of the images; none where the configuration keeps none.
        take_images, target_images: [pieces, channels, samples], without noise and leakage.
    """

    take: torch.Tensor
    target: torch.Tensor
    conditioning: torch.Tensor
    hits: torch.Tensor
    roles: tuple[Role, ...]
    parameters: dict[str, float]
    pieces: tuple[Piece, ...]
    take_images: torch.Tensor
    target_images: torch.Tensor


class GeneratedPairs(Dataset[Pair]):
    """Map-style: item ``i`` is example ``i`` of the split, whichever worker or process asks for it.

    Args:
        config: What to make.
        split: Which use.
        data: Folder with kits/ and groove/.
        examples: How many items; those of the configuration when None, and it may be more.
    """

    def __init__(
        self, config: DatasetConfig, split: Split, data: Path | None = None, examples: int | None = None
    ) -> None:
        self.maker = ExampleMaker(config, data)
        self.split = split
        self.examples = config.sources(split).examples if examples is None else examples

    def __len__(self) -> int:
        return self.examples

    def __getitem__(self, index: int) -> Pair:
        if not 0 <= index < self.examples:
            raise IndexError(index)
        example = self.maker.make(self.split, index)
        entry = {"sample_rate": example.sample_rate, "tempo_map": example.tempo_map.to_json(), **example.truth}
        roles = tuple(channel.role for channel in example.channels)
        audio = (example.take, example.target, example.take_images, example.target_images)
        return _pair(entry, roles, example.image_pieces, example.metronome, audio)


class EndlessPairs(IterableDataset[Pair]):
    """Never the same example twice: each worker of each process makes its own share of all indices.

    Args:
        config: What to make.
        split: Which use.
        data: Folder with kits/ and groove/.
        first: Index to begin with; a resumed training passes how many it has seen.
        rank: Which process of several this is, in distributed training.
        world_size: How many there are.
    """

    def __init__(
        self,
        config: DatasetConfig,
        split: Split,
        data: Path | None = None,
        *,
        first: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not 0 <= rank < world_size:
            raise InputError(f"rank must lie within 0 to {world_size - 1}, found {rank}")
        self.pairs = GeneratedPairs(config, split, data, examples=2**31)
        self.first, self.rank, self.world_size = first, rank, world_size

    def __iter__(self) -> Iterator[Pair]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        index = self.first + self.rank * workers + number
        while True:
            yield self.pairs[index]
            index += self.world_size * workers


class RenderedPairs(Dataset[Pair]):
    """Map-style, read from a dataset on disk.

    Args:
        folder: What ``python -m datagen`` wrote.
        split: Which use.

    Raises:
        InputError: The folder is no finished dataset, or has no examples of the split.
    """

    def __init__(self, folder: Path, split: Split) -> None:
        self.folder = folder
        self.entries = read_split(folder, split)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Pair:
        entry = self.entries[index]
        take, target = (self._read(entry[name]) for name in ("take", "target"))
        clicks = self._read(entry["metronome"])[0] if "metronome" in entry else np.zeros(take.shape[1], np.float32)
        pieces = tuple(Piece(piece) for piece in entry.get("image_pieces", ()))
        shape = (len(pieces), *take.shape)
        images = [
            self._read(entry[name]).reshape(shape) if pieces else np.zeros(shape, np.float32)
            for name in ("take_images", "target_images")
        ]
        roles = tuple(Role(channel["role"]) for channel in entry["channels"])
        return _pair(entry, roles, pieces, clicks, (take, target, images[0], images[1]))

    def _read(self, name: str) -> Float32Array:
        return read_audio(self.folder / name)[0]


def _pair(
    entry: Mapping[str, Any],
    roles: tuple[Role, ...],
    pieces: tuple[Piece, ...],
    clicks: Float32Array,
    audio: tuple[Float32Array, Float32Array, Float32Array, Float32Array],
) -> Pair:
    """Audio is take, target and their images."""
    tempo_map = TempoMap.from_json(entry["tempo_map"])
    phases = positional_encodings(tempo_map, np.arange(len(clicks)) / entry["sample_rate"])
    rows = [[hit["performed_seconds"], hit["target_seconds"], hit["velocity"]] for hit in entry["hits"]]
    take, target, take_images, target_images = (torch.from_numpy(one) for one in audio)
    return Pair(
        take,
        target,
        torch.from_numpy(np.concatenate([clicks[None], phases])),
        torch.tensor(rows, dtype=torch.float64).reshape(-1, 3),
        roles,
        {
            "bpm": tempo_map.bpm_at(0.0),
            "swing": float(entry["grid"]["swing"]),
            "strength": float(entry["parameters"]["strength"]),
        },
        pieces,
        take_images,
        target_images,
    )
