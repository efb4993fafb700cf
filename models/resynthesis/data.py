"""Crops of a rendered dataset in batches: what every sequence network of this room is trained on."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile as sf
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, IterableDataset
from typing_extensions import override

from beatnet_align.conditioning import conditioning_rows
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import seconds_to_samples
from datagen.config import Split
from datagen.dataset import read_split

STROKE_COLUMNS = 3
ALL_CHANNELS_SHARE = 0.3
"""Of crops that keep as many channels as may be, since that is how takes come."""


class CropBatch(NamedTuple):
    """Crops.

    Attributes:
        take: [batch, channels, samples], as played.
        target: The same on the grid.
        conditioning: [batch, rows, samples], see :func:`beatnet_align.conditioning.conditioning_rows`.
        strokes: [batch, strokes, 3]: performed and target in samples of the crop, and 1 for those that lead their
            line; NaN where a crop has fewer.
    """

    take: torch.Tensor
    target: torch.Tensor
    conditioning: torch.Tensor
    strokes: torch.Tensor


class TakeFiles:
    """The takes of one split of a dataset, read in stretches.

    Args:
        folder: What ``python -m datagen`` wrote.
        split: Which use.

    Raises:
        InputError: The folder is no finished dataset, or has no examples of the split.
    """

    def __init__(self, folder: Path, split: Split) -> None:
        self.folder = folder
        self.entries = read_split(folder, split)
        rates = {int(entry["sample_rate"]) for entry in self.entries}
        if len(rates) > 1:
            raise InputError(f"{folder} holds takes at {sorted(rates)} Hz; a network is trained at one rate")
        (self.sample_rate,) = rates

    def crop(self, number: int, start: int, samples: int, channels: Sequence[int]) -> CropBatch:
        """A batch of one stretch of some channels of a take."""
        entry = self.entries[number]
        audio = [self._read(entry[name], start, samples)[list(channels)] for name in ("take", "target")]
        rows = conditioning_rows(
            TempoMap.from_json(entry["tempo_map"]),
            Grid.from_json(entry["grid"]),
            float(entry["parameters"]["strength"]),
            self.sample_rate,
            start,
            start + samples,
        )
        take, target, conditioning = (torch.from_numpy(one) for one in (*audio, rows))
        return CropBatch(take[None], target[None], conditioning[None], self._strokes(entry, start)[None])

    def _read(self, name: str, start: int, samples: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        audio, _ = sf.read(str(self.folder / name), frames=samples, start=start, dtype="float32", always_2d=True)
        return np.ascontiguousarray(audio.T)

    def _strokes(self, entry: Mapping[str, Any], start: int) -> torch.Tensor:
        rows = [
            [
                seconds_to_samples(hit["performed_seconds"], self.sample_rate) - start,
                seconds_to_samples(hit["target_seconds"], self.sample_rate) - start,
                float(hit["main"]),
            ]
            for hit in entry["hits"]
        ]
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, STROKE_COLUMNS)


class RandomCrops(IterableDataset[CropBatch]):
    """Random crops without end.

    Args:
        takes: Where from.
        batch_size: Crops a batch; all of a batch have the same number of channels.
        samples: Length of a crop.
        most_channels: Of a crop.
        seed: Seed, epoch and rank of the process.
    """

    def __init__(
        self, takes: TakeFiles, batch_size: int, samples: int, most_channels: int, seed: tuple[int, int, int]
    ) -> None:
        self.takes, self.batch_size, self.samples, self.most_channels = takes, batch_size, samples, most_channels
        self.seed = seed

    def __iter__(self) -> Iterator[CropBatch]:
        rng = np.random.default_rng(self.seed)
        counts = np.array([len(entry["channels"]) for entry in self.takes.entries])
        while True:
            wanted = int(rng.integers(1, self.most_channels + 1))
            channels = self.most_channels if rng.random() < ALL_CHANNELS_SHARE else wanted
            numbers = rng.choice(np.flatnonzero(counts >= min(channels, counts.max())), self.batch_size)
            yield joined([self._crop(rng, int(number), channels) for number in numbers])

    def _crop(self, rng: np.random.Generator, number: int, channels: int) -> CropBatch:
        entry = self.takes.entries[number]
        start = int(rng.integers(max(1, int(entry["samples"]) - self.samples + 1)))
        count = len(entry["channels"])
        chosen = rng.choice(count, min(channels, count), replace=False)
        return self.takes.crop(number, start, self.samples, [int(one) for one in chosen])


class MiddleCrops(Dataset[CropBatch]):
    """The middle of every take, one a batch, with its first channels.

    Args:
        takes: Where from.
        samples: Length of a crop.
        most_channels: Of a crop.
    """

    def __init__(self, takes: TakeFiles, samples: int, most_channels: int) -> None:
        self.takes, self.samples, self.most_channels = takes, samples, most_channels

    def __len__(self) -> int:
        return len(self.takes.entries)

    def __getitem__(self, index: int) -> CropBatch:
        if not 0 <= index < len(self):
            raise IndexError(index)
        entry = self.takes.entries[index]
        start = max(0, (int(entry["samples"]) - self.samples) // 2)
        return self.takes.crop(index, start, self.samples, range(min(self.most_channels, len(entry["channels"]))))


def joined(crops: Sequence[CropBatch]) -> CropBatch:
    """One batch of several of the same shape."""
    most = max(crop.strokes.shape[1] for crop in crops)
    strokes = [
        torch.nn.functional.pad(crop.strokes, (0, 0, 0, most - crop.strokes.shape[1]), value=torch.nan)
        for crop in crops
    ]
    take, target, conditioning = (torch.cat([crop[i] for crop in crops]) for i in range(3))
    return CropBatch(take, target, conditioning, torch.cat(strokes))


class ResynthesisData(LightningDataModule):
    """Random crops to train on, the middles of the validation takes to look at.

    Args:
        dataset: What ``python -m datagen`` wrote, such as configs/datagen/resynthesis.yaml.
        batch_size: Crops a batch.
        seconds: Length of a crop.
        most_channels: Of a crop.
        validation_takes: How many are looked at.
        seed: Of the crops.
    """

    def __init__(
        self,
        dataset: Path,
        *,
        batch_size: int = 8,
        seconds: float = 4.0,
        most_channels: int = 4,
        validation_takes: int = 40,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.dataset, self.batch_size, self.seconds, self.most_channels = dataset, batch_size, seconds, most_channels
        self.validation_takes, self.seed = validation_takes, seed

    @override
    def train_dataloader(self) -> DataLoader[CropBatch]:
        trainer = self.trainer
        epoch, rank = (trainer.current_epoch, trainer.global_rank) if trainer is not None else (0, 0)
        takes = TakeFiles(self.dataset, Split.TRAIN)
        samples = seconds_to_samples(self.seconds, takes.sample_rate)
        crops = RandomCrops(takes, self.batch_size, samples, self.most_channels, (self.seed, epoch, rank))
        return DataLoader(crops, batch_size=None)

    @override
    def val_dataloader(self) -> DataLoader[CropBatch]:
        takes = TakeFiles(self.dataset, Split.VALIDATION)
        takes.entries = takes.entries[: self.validation_takes]
        samples = seconds_to_samples(self.seconds, takes.sample_rate)
        return DataLoader(MiddleCrops(takes, samples, 2 * self.most_channels), batch_size=None)
