"""Crops of a pool's takes in batches, augmented, with their targets: HitNet's food, as a Lightning data module."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info
from typing_extensions import override

from beatnet_align.hit_features import FEATURES, LEVEL_FEATURES, normalised, reference_db
from beatnet_align.hit_outputs import ROLES
from beatnet_align.roles import Role
from datagen.config import Split
from models.feature_augmentation import (
    NO_AUGMENTATION,
    FeatureAugmentation,
    augment,
    choose_channels,
    forget_roles,
    mix_down,
)
from models.hit_pool import HitLabels, HitPool, HitPools, PooledTake
from models.hit_targets import Targets, make_targets

BATCHES_SORTED = 4
"""So many batches are drawn at once and sorted by their numbers of channels, so that little is filled up."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A stretch of some channels of a take: [channels, frames, FEATURES], normalised; roles [channels]; targets."""

    features: npt.NDArray[np.float32]
    roles: npt.NDArray[np.int64]
    targets: Targets


class Batch(NamedTuple):
    """Crops filled up to the same number of channels; see :class:`models.hitnet.HitNet` for the shapes."""

    features: torch.Tensor
    roles: torch.Tensor
    present: torch.Tensor
    targets: dict[str, torch.Tensor]


class CropBatches(IterableDataset[Batch]):
    """Random crops without end.

    Args:
        takes: Where from.
        chances: What may happen to each crop.
        batch_size: Crops a batch.
        frames: Length of a crop.
        most_channels: Of a crop.
        seed: Seed, epoch and rank of the process; they fix the batches, for a given number of workers.
    """

    def __init__(
        self,
        takes: Sequence[PooledTake],
        chances: FeatureAugmentation,
        batch_size: int,
        frames: int,
        most_channels: int,
        seed: tuple[int, int, int],
    ) -> None:
        self.takes, self.chances = takes, chances
        self.batch_size, self.frames, self.most_channels = batch_size, frames, most_channels
        self.seed = seed

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        rng = np.random.default_rng([*self.seed, 0 if worker is None else worker.id])
        while True:
            crops = [self._crop(rng) for _ in range(BATCHES_SORTED * self.batch_size)]
            crops.sort(key=lambda crop: len(crop.features))
            for i in rng.permutation(BATCHES_SORTED):
                yield collate(crops[i * self.batch_size : (i + 1) * self.batch_size])

    def _crop(self, rng: np.random.Generator) -> Crop:
        take = self.takes[int(rng.integers(len(self.takes)))]
        start = int(rng.integers(max(1, take.features_db.shape[1] - self.frames + 1)))
        if len(take.roles) > 1 and rng.random() < self.chances.mixdown_probability:
            return mixed_crop(take, start, self.frames, rng, self.chances)
        channels = choose_channels(rng, take.roles, self.most_channels, self.chances)
        return crop(take, channels, start, self.frames, rng, self.chances)


class WholeTakes(Dataset[Batch]):
    """Every take, whole and unchanged, one a batch; optionally as its mono mix."""

    def __init__(self, takes: Sequence[PooledTake], *, mono: bool = False) -> None:
        self.takes, self.mono = takes, mono

    def __len__(self) -> int:
        return len(self.takes)

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self):
            raise IndexError(index)
        take, rng = self.takes[index], np.random.default_rng(index)
        frames = take.features_db.shape[1]
        if self.mono and len(take.roles) > 1:
            return collate([mixed_crop(take, 0, frames, rng, NO_AUGMENTATION)])
        return collate([crop(take, np.arange(len(take.roles)), 0, frames, rng, NO_AUGMENTATION)])


def crop(
    take: PooledTake,
    channels: npt.NDArray[np.int64],
    start_frame: int,
    frames: int,
    rng: np.random.Generator,
    chances: FeatureAugmentation,
) -> Crop:
    """Cut a stretch out of some channels, change it and say what is true of it."""
    features_db = take.features_db[channels, start_frame : start_frame + frames].astype(np.float32)
    targets = make_targets(take.labels, take.roles, channels, start_frame, features_db.shape[1])
    roles = forget_roles(rng, take.roles[channels], chances)
    return Crop(_heard(augment(rng, features_db, chances), rng, chances), roles, targets)


def mixed_crop(
    take: PooledTake, start_frame: int, frames: int, rng: np.random.Generator, chances: FeatureAugmentation
) -> Crop:
    """The same of a mono mix-down of all channels."""
    features_db = mix_down(rng, take.features_db[:, start_frame : start_frame + frames].astype(np.float32))
    labels = mixed_labels(take.labels, features_db[0], start_frame)
    role = np.array([ROLES.index(Role.OTHER)])
    targets = make_targets(labels, role, np.array([0]), start_frame, features_db.shape[1])
    return Crop(_heard(augment(rng, features_db, chances), rng, chances), role, targets)


def mixed_labels(labels: HitLabels, features_db: npt.NDArray[np.float32], start_frame: int) -> HitLabels:
    """Labels of a mono mix: every hit begins where its own microphone hears it, and is audible where the mix rises.

    Args:
        labels: Of the stems.
        features_db: [frames, FEATURES] of the mix, from ``start_frame`` on.
        start_frame: Where the crop begins.
    """
    bands = features_db[:, 3 * LEVEL_FEATURES :]
    frames = np.floor(labels.onset_frames - start_frame).astype(np.int64)
    rises = np.zeros(len(frames), np.float32)
    for i, frame in enumerate(frames):
        before, after = bands[max(0, frame - 4) : max(0, frame)], bands[max(0, frame) : max(0, frame + 3)]
        if len(before) and len(after):
            rise = np.sort(after.max(axis=0) - before.max(axis=0))
            rises[i] = np.maximum(rise[len(rise) // 2 :], 0.0).mean()
    return replace(
        labels,
        reference=np.zeros_like(labels.reference),
        is_own=np.zeros_like(labels.is_own),
        arrival_frames=labels.onset_frames[:, None],
        rise_db=rises[:, None],
    )


def _heard(
    features_db: npt.NDArray[np.float32], rng: np.random.Generator, chances: FeatureAugmentation
) -> npt.NDArray[np.float32]:
    error_db = rng.uniform(-chances.level_db, chances.level_db, size=(len(features_db), 1, 1)).astype(np.float32)
    return normalised(features_db, reference_db(features_db) + error_db)


def collate(crops: list[Crop]) -> Batch:
    """Fill crops up to the same number of channels; what is filled counts nothing."""
    most, frames = max(len(one.features) for one in crops), crops[0].features.shape[1]
    features = np.zeros((len(crops), most, frames, FEATURES), np.float32)
    roles = np.zeros((len(crops), most), np.int64)
    present = np.zeros((len(crops), most), np.bool_)
    stacked: dict[str, list[npt.NDArray[np.float32]]] = {field.name: [] for field in fields(Targets)}
    for i, one in enumerate(crops):
        channels = len(one.features)
        features[i, :channels], roles[i, :channels], present[i, :channels] = one.features, one.roles, True
        for name, rows in stacked.items():
            value = getattr(one.targets, name)
            if name.startswith(("heard", "own")):
                value = np.pad(value, ((0, most - channels), *((0, 0),) * (value.ndim - 1)))
            rows.append(value)
    return Batch(
        torch.from_numpy(features),
        torch.from_numpy(roles),
        torch.from_numpy(present),
        {name: torch.from_numpy(np.stack(rows)) for name, rows in stacked.items()},
    )


class HitNetData(LightningDataModule):
    """Training crops of one or several pools, and whole validation takes.

    Args:
        pools: What ``python -m models.hit_pool`` wrote; the first one's validation takes are used.
        augmentation: Of training crops.
        batch_size: Crops a batch.
        crop_frames: Length of a crop; 172 frames a second.
        most_channels: Of a crop.
        workers: Processes that make batches, for each process that trains.
        seed: Of the crops.
    """

    def __init__(
        self,
        pools: list[Path],
        augmentation: FeatureAugmentation | None = None,
        *,
        batch_size: int = 16,
        crop_frames: int = 860,
        most_channels: int = 6,
        workers: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.pools, self.augmentation = pools, augmentation or FeatureAugmentation()
        self.batch_size, self.crop_frames, self.most_channels = batch_size, crop_frames, most_channels
        self.workers, self.seed = workers, seed

    @override
    def train_dataloader(self) -> DataLoader[Batch]:
        trainer = self.trainer
        epoch, rank = (trainer.current_epoch, trainer.global_rank) if trainer is not None else (0, 0)
        crops = CropBatches(
            HitPools([HitPool(pool, Split.TRAIN) for pool in self.pools]),
            self.augmentation,
            self.batch_size,
            self.crop_frames,
            self.most_channels,
            (self.seed, epoch, rank),
        )
        return DataLoader(crops, batch_size=None, num_workers=self.workers, prefetch_factor=8 if self.workers else None)

    @override
    def val_dataloader(self) -> list[DataLoader[Batch]]:
        takes = HitPool(self.pools[0], Split.VALIDATION)
        return [DataLoader(WholeTakes(takes, mono=mono), batch_size=None) for mono in (False, True)]
