"""The generator as torch datasets: the same examples as on disk, made while training or read from a rendered pool."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from beatnet_align.errors import InputError
from beatnet_align.tempo_map import TempoMap
from datagen.conditioning import positional_encodings
from datagen.config import DatasetConfig, Split
from datagen.dataset import read_manifest
from datagen.example import ExampleMaker


@dataclass(frozen=True)
class Pair:
    """One example as tensors.

    Attributes:
        take: [channels, samples], as played.
        target: [channels, samples], on the grid.
        conditioning: [7, samples]: the metronome, then the positional encodings of
            :data:`datagen.conditioning.ENCODINGS`.
        hits: [hits, 3]: performed and target time in seconds, velocity.
    """

    take: torch.Tensor
    target: torch.Tensor
    conditioning: torch.Tensor
    hits: torch.Tensor


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
        return _pair(
            example.take,
            example.target,
            example.metronome,
            example.sample_rate,
            example.tempo_map,
            example.truth["hits"],
        )


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
        self.entries = [entry for entry in read_manifest(folder) if entry["split"] == split.value]
        if not self.entries:
            raise InputError(f"{folder} holds no examples for {split}")

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Pair:
        entry = self.entries[index]
        take, target = (self._read(entry[name]) for name in ("take", "target"))
        clicks = self._read(entry["metronome"])[0] if "metronome" in entry else np.zeros(take.shape[1], np.float32)
        return _pair(take, target, clicks, entry["sample_rate"], TempoMap.from_json(entry["tempo_map"]), entry["hits"])

    def _read(self, name: str) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        audio, _ = sf.read(str(self.folder / name), dtype="float32", always_2d=True)
        return np.ascontiguousarray(audio.T)


def _pair(
    take: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    target: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    clicks: np.ndarray[tuple[int], np.dtype[np.float32]],
    sample_rate: int,
    tempo_map: TempoMap,
    hits: list[dict[str, float]],
) -> Pair:
    phases = positional_encodings(tempo_map, np.arange(take.shape[1]) / sample_rate)
    rows = [[hit["performed_seconds"], hit["target_seconds"], hit["velocity"]] for hit in hits]
    return Pair(
        torch.from_numpy(take),
        torch.from_numpy(target),
        torch.from_numpy(np.concatenate([clicks[None], phases])),
        torch.tensor(rows, dtype=torch.float64).reshape(-1, 3),
    )
