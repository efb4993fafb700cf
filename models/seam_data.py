"""Joins of one gap in batches, with what would have sounded: SeamNet's Lightning data module."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from scipy.linalg import block_diag
from torch.utils.data import DataLoader, IterableDataset

from beatnet_align.errors import InputError
from beatnet_align.seams import Seam, context_samples, neighbours_of, seam, transition_samples
from beatnet_align.units import Float32Array
from datagen.config import Split
from datagen.joins import Join, Parting, draw_gap_samples
from models.join_judge import JUDGED_RATE_HZ, audible_channels, judged
from models.seam_pool import read_partings

VALIDATION_RANK = 1 << 16
"""No process's: validation draws otherwise than training."""

MOST_EMPTY = 100
"""Draws in a row that give nothing."""


class Seams(NamedTuple):
    """A batch: the channels of several joins one below the other; a tuple, since Lightning moves no frozen dataclass.

    Attributes:
        voices: [VOICES, channels, BANDS, samples].
        features: [channels, ROWS, knots with their context].
        neighbours: [channels, channels], rows add up to 1.
        knots_to_samples: [knots, samples].
        ending: [samples].
        before, after: [channels, n], what is judged around the transition.
        target: [channels, all of these samples].
        audible: [channels], which of them are judged.
    """

    voices: torch.Tensor
    features: torch.Tensor
    neighbours: torch.Tensor
    knots_to_samples: torch.Tensor
    ending: torch.Tensor
    before: torch.Tensor
    after: torch.Tensor
    target: torch.Tensor
    audible: torch.Tensor


def seam_of(join: Join, samples: int | None = None) -> Seam:
    """A join's transition, as the effect prepares it; of another length where one is given."""
    if samples is None:
        samples = transition_length(join)
    start = join.stop - samples
    first = start - context_samples(join.sample_rate)
    known = start if join.gap_samples > 0 else join.stop
    return seam(
        join.outgoing[:, first:known], join.incoming[:, first : join.stop], start - join.first, join.sample_rate
    )


def transition_length(join: Join) -> int:
    """Of a join, in samples."""
    return transition_samples(join.gap_samples, join.stop - join.first, join.sample_rate)


def repaired(join: Join, transition: Float32Array) -> Float32Array:
    """The join with its transition, [channels, samples]."""
    start = join.stop - transition.shape[1]
    return np.concatenate([join.outgoing[:, :start], transition, join.incoming[:, join.stop :]], axis=1)


def batched(joins: list[Join]) -> Seams:
    """Joins of one gap, their transitions as long as the shortest of them."""
    samples = min(transition_length(join) for join in joins)
    seams = [seam_of(join, samples) for join in joins]
    ends = [judged(join) for join in joins]
    start, stop = min(start for start, _ in ends), max(stop for _, stop in ends)

    def rows(sides: list[Float32Array]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(sides))

    stops = [join.stop for join in joins]
    return Seams(
        torch.from_numpy(np.concatenate([one.voices for one in seams], axis=1)),
        rows([one.features for one in seams]),
        torch.from_numpy(np.asarray(block_diag(*(neighbours_of(one.features) for one in seams)), np.float32)),
        torch.from_numpy(seams[0].knots_to_samples),
        torch.from_numpy(seams[0].ending),
        rows([join.outgoing[:, start : at - samples] for join, at in zip(joins, stops, strict=True)]),
        rows([join.incoming[:, at:stop] for join, at in zip(joins, stops, strict=True)]),
        rows([join.target[:, start:stop] for join in joins]),
        torch.from_numpy(np.concatenate([audible_channels(join.target[:, start:stop]) for join in joins])),
    )


class SeamBatches(IterableDataset[Seams]):
    """Random batches without end, each of one gap.

    Args:
        partings: Where joins can be.
        batch_size: Joins in each.
        seed: Seed, epoch and rank of the process; they fix the batches.
    """

    def __init__(self, partings: list[Parting], batch_size: int, seed: tuple[int, int, int]) -> None:
        self.partings, self.batch_size, self.seed = partings, batch_size, seed

    def __iter__(self) -> Iterator[Seams]:
        rng = np.random.default_rng(self.seed)
        empty = 0
        while empty < MOST_EMPTY:
            joins = self._joins(rng)
            batch = batched(joins) if joins else None
            if batch is None or not batch.audible.any():
                empty += 1
                continue
            empty = 0
            yield batch
        raise InputError(
            f"no place of this pool has room for joins, or none is heard, in {MOST_EMPTY} draws; draw more"
        )

    def _joins(self, rng: np.random.Generator) -> list[Join]:
        """Of one gap; none where no place has room for it."""
        joins: list[Join] = []
        gap = draw_gap_samples(rng, self.partings[0].sample_rate)
        for index in rng.permutation(len(self.partings)):
            join = self.partings[index].join(gap)
            joins += [] if join is None else [join]
            if len(joins) == self.batch_size:
                break
        return joins


class SeamData(pl.LightningDataModule):
    """The joins of a pool, as Lightning takes them.

    Args:
        pool: What ``python -m models.seam_pool`` wrote.
        batch_size: Joins in a batch.
        validation_batches: Drawn once.
        seed: Of places and gaps.
    """

    def __init__(self, pool: Path, batch_size: int = 12, validation_batches: int = 75, seed: int = 0) -> None:
        super().__init__()
        self.pool, self.batch_size, self.validation_batches, self.seed = (
            Path(pool),
            batch_size,
            validation_batches,
            seed,
        )
        self._partings: list[Parting] = []
        self._validation: list[Seams] = []

    def train_dataloader(self) -> DataLoader[Seams]:
        """Other joins every epoch and in every process."""
        trainer = self.trainer
        self._partings = self._partings or _read(self.pool, Split.TRAIN)
        epoch, rank = (trainer.current_epoch, trainer.global_rank) if trainer is not None else (0, 0)
        return DataLoader(SeamBatches(self._partings, self.batch_size, (self.seed, epoch, rank)), batch_size=None)

    def val_dataloader(self) -> DataLoader[Seams]:
        """Always the same joins."""
        if not self._validation:
            partings = _read(self.pool, Split.VALIDATION)
            batches = iter(SeamBatches(partings, self.batch_size, (self.seed, 0, VALIDATION_RANK)))
            self._validation = [next(batches) for _ in range(self.validation_batches)]
        return DataLoader(self._validation, batch_size=None)  # type: ignore[arg-type] # a list will do


def _read(pool: Path, split: Split) -> list[Parting]:
    """The places of a pool at the rate that distances are judged at."""
    partings = read_partings(pool, split)
    rate = partings[0].sample_rate
    if rate != JUDGED_RATE_HZ:
        raise InputError(f"{pool} has {rate} Hz; joins are judged at {JUDGED_RATE_HZ} Hz: render the pool at that rate")
    return partings
