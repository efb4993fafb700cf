"""Crops of a pool's takes: what finders of strokes are trained on before they hear what they do."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset, IterableDataset
from typing_extensions import override

from datagen.config import Split
from models.resynthesis.conditioning import Told
from models.resynthesis.line_features import FRAME_SAMPLES
from models.resynthesis.line_pool import PooledTake, read_pool

ALL_CHANNELS_SHARE = 0.3
"""Of batches whose crops keep as many channels as may be, since that is how takes come."""


class LineBatch(NamedTuple):
    """Crops as they are heard.

    Attributes:
        features: [batch, channels, features, frames].
        grid: [batch, rows, frames].
        places: [batch, lines] in samples of the crop; NaN where a crop has fewer.
        strokes: [batch, strokes, 3], as in :class:`models.resynthesis.data.CropBatch`.
    """

    features: torch.Tensor
    grid: torch.Tensor
    places: torch.Tensor
    strokes: torch.Tensor

    @property
    def samples(self) -> int:
        """Length of the crops."""
        return self.features.shape[-1] * FRAME_SAMPLES


def line_crop(take: PooledTake, told: Told, start: int, frames: int, channels: Sequence[int]) -> LineBatch:
    """A batch of one stretch of some channels; ``start`` and ``frames`` count frames."""
    stop, first = start + frames, start * FRAME_SAMPLES
    places = take.places[told]
    places = places[(places >= first) & (places < stop * FRAME_SAMPLES)] - first
    strokes = take.strokes - torch.tensor([first, first, 0.0])
    features = take.features[list(channels), :, start:stop].to(torch.float32)
    return LineBatch(features[None], take.grid[None, :, start:stop], places[None], strokes[None])


def collate(crops: Sequence[LineBatch]) -> LineBatch:
    """One batch of several of the same length and number of channels."""
    lines = max(crop.places.shape[1] for crop in crops)
    strokes = max(crop.strokes.shape[1] for crop in crops)
    return LineBatch(
        torch.cat([crop.features for crop in crops]),
        torch.cat([crop.grid for crop in crops]),
        torch.cat([pad(crop.places, (0, lines - crop.places.shape[1]), value=torch.nan) for crop in crops]),
        torch.cat([pad(crop.strokes, (0, 0, 0, strokes - crop.strokes.shape[1]), value=torch.nan) for crop in crops]),
    )


class RandomLineCrops(IterableDataset[LineBatch]):
    """Random crops without end.

    Args:
        takes: Where from.
        told: What the network knows of the grid.
        batch_size: Crops a batch; all of a batch have the same number of channels.
        frames: Length of a crop.
        most_channels: Of a crop.
        seed: Seed, epoch and rank of the process.
    """

    def __init__(
        self,
        takes: Sequence[PooledTake],
        told: Told,
        batch_size: int,
        frames: int,
        most_channels: int,
        seed: tuple[int, int, int],
    ) -> None:
        self.takes, self.told, self.batch_size = takes, told, batch_size
        self.frames, self.most_channels, self.seed = frames, most_channels, seed

    def __iter__(self) -> Iterator[LineBatch]:
        rng = np.random.default_rng(self.seed)
        counts = np.array([len(take.features) for take in self.takes])
        most = min(self.most_channels, int(counts.max()))
        while True:
            channels = most if rng.random() < ALL_CHANNELS_SHARE else int(rng.integers(1, most + 1))
            numbers = rng.choice(np.flatnonzero(counts >= channels), self.batch_size)
            yield collate([self._crop(rng, self.takes[int(number)], channels) for number in numbers])

    def _crop(self, rng: np.random.Generator, take: PooledTake, channels: int) -> LineBatch:
        start = int(rng.integers(max(1, take.features.shape[-1] - self.frames + 1)))
        chosen = rng.choice(len(take.features), channels, replace=False)
        return line_crop(take, self.told, start, self.frames, [int(one) for one in chosen])


class WholeLineTakes(Dataset[LineBatch]):
    """Every take, whole and with all of its channels, one a batch."""

    def __init__(self, takes: Sequence[PooledTake], told: Told) -> None:
        self.takes, self.told = takes, told

    def __len__(self) -> int:
        return len(self.takes)

    def __getitem__(self, index: int) -> LineBatch:
        if not 0 <= index < len(self):
            raise IndexError(index)
        take = self.takes[index]
        channels, _, frames = take.features.shape
        return line_crop(take, self.told, 0, frames, range(channels))


class LineData(LightningDataModule):
    """Random crops to train on, whole validation takes to look at.

    Args:
        pool: What ``python -m models.resynthesis.line_pool`` wrote.
        told: What the network knows of the grid.
        batch_size: Crops a batch.
        frames: Length of a crop; 172 frames a second.
        most_channels: Of a crop.
        seed: Of the crops.
    """

    def __init__(
        self,
        pool: Path,
        told: Told = Told.BOTH,
        *,
        batch_size: int = 16,
        frames: int = 688,
        most_channels: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.pool, self.told, self.batch_size, self.frames = pool, told, batch_size, frames
        self.most_channels, self.seed = most_channels, seed
        self._takes: dict[Split, list[PooledTake]] = {}

    @override
    def train_dataloader(self) -> DataLoader[LineBatch]:
        trainer = self.trainer
        epoch, rank = (trainer.current_epoch, trainer.global_rank) if trainer is not None else (0, 0)
        seed = (self.seed, epoch, rank)
        takes = self._read(Split.TRAIN)
        crops = RandomLineCrops(takes, self.told, self.batch_size, self.frames, self.most_channels, seed)
        return DataLoader(crops, batch_size=None)

    @override
    def val_dataloader(self) -> DataLoader[LineBatch]:
        return DataLoader(WholeLineTakes(self._read(Split.VALIDATION), self.told), batch_size=None)

    def _read(self, split: Split) -> list[PooledTake]:
        if split not in self._takes:
            self._takes[split] = read_pool(self.pool, split)
        return self._takes[split]
