"""Windows around estimates of hits, in batches, with what to say of each: the refiner's Lightning data module."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

from beatnet_align.hit_outputs import PIECE_GROUPS, UNKNOWN_GROUP
from beatnet_align.hit_refiner import (
    POSITIONS,
    REACH_STEPS,
    REFINER_RATE_HZ,
    STRIDE_SAMPLES,
    WINDOW_SAMPLES,
    window_rows,
)
from beatnet_align.units import Float32Array, FloatArray, IntArray
from datagen.config import Split
from models.refiner_pool import MARGIN_SAMPLES, Stretches, read_stretches

BLUR_SAMPLES = 0.0001 * REFINER_RATE_HZ
"""Width of the target, 0.1 ms: nearer than that labels and windows do not agree."""


@dataclass(frozen=True)
class EstimateErrors:
    """How far the first stage is off: Laplace for most hits, evenly up to ``tail_seconds`` for the rest.

    As HitNet is on kits that it never heard, all their microphones or few of them there. Some pieces are not named, and
    some misnamed.
    """

    scale_seconds: float = 0.0009
    tail_share: float = 0.1
    tail_seconds: float = 0.005
    unnamed_share: float = 0.03
    misnamed_share: float = 0.04

    def draw(self, rng: np.random.Generator, hits: int) -> FloatArray:
        """[hits], in samples."""
        seconds = rng.laplace(0.0, self.scale_seconds, hits)
        tail = rng.uniform(-self.tail_seconds, self.tail_seconds, hits)
        seconds = np.where(rng.random(hits) < self.tail_share, tail, seconds)
        return np.clip(seconds * REFINER_RATE_HZ, 1 - MARGIN_SAMPLES, MARGIN_SAMPLES - 1)

    def draw_groups(self, rng: np.random.Generator, groups: IntArray) -> IntArray:
        """[hits], what the first stage takes pieces of ``groups`` for."""
        drawn = rng.random(len(groups))
        others = rng.integers(len(PIECE_GROUPS), size=len(groups))
        named = np.where(drawn < self.misnamed_share, others, groups)
        return np.where(drawn > 1.0 - self.unnamed_share, UNKNOWN_GROUP, named)


FIRST_STAGE = EstimateErrors()
TRAINING = EstimateErrors(tail_share=0.25, tail_seconds=0.0065, unnamed_share=0.1)
"""More of what is hard, and some that lie out of reach."""


class Windowed(NamedTuple):
    """A batch; a tuple, since Lightning moves no frozen dataclass to a device.

    Attributes:
        windows: [hits, ROWS, WINDOW_SAMPLES].
        target: [hits, POSITIONS + 1], probabilities.
        onset_samples: [hits], from the estimate, which is a whole sample, to the onset; NaN where there is none.
        is_reference: [hits].
    """

    windows: torch.Tensor
    target: torch.Tensor
    onset_samples: torch.Tensor
    is_reference: torch.Tensor


def windowed(stretches: Stretches, errors_samples: FloatArray, groups: IntArray) -> Windowed:
    """Windows around estimates that are off by ``errors_samples``, [places], and what to say of each.

    Args:
        stretches: Where they are cut from.
        errors_samples: [places].
        groups: [places], what the pieces are taken for.
    """
    estimates = np.rint(np.nan_to_num(stretches.onset_samples) + errors_samples).astype(np.int64)
    columns = (MARGIN_SAMPLES + estimates)[:, None] + np.arange(WINDOW_SAMPLES)
    around = np.take_along_axis(stretches.audio, columns, axis=1).astype(np.float32)
    onset = stretches.onset_samples - estimates.astype(np.float32)
    return Windowed(
        torch.from_numpy(window_rows(around, groups)),
        torch.from_numpy(targets(np.where(stretches.audible, onset, np.nan))),
        torch.from_numpy(onset),
        torch.from_numpy(stretches.is_reference),
    )


def targets(onset_samples: npt.NDArray[np.floating[Any]]) -> Float32Array:
    """Probabilities that the network should give, [hits, POSITIONS + 1].

    Args:
        onset_samples: [hits], from the estimate; NaN where there is no telling.
    """
    places = (np.arange(POSITIONS) - REACH_STEPS) * STRIDE_SAMPLES
    within = np.abs(onset_samples) <= REACH_STEPS * STRIDE_SAMPLES
    distance = places - np.where(within, onset_samples, 0.0)[:, None]
    bell = np.exp(-0.5 * np.square(distance / BLUR_SAMPLES))
    bell *= within[:, None] / bell.sum(axis=1, keepdims=True)
    return np.concatenate([bell, ~within[:, None]], axis=1).astype(np.float32)


class WindowBatches(IterableDataset[Windowed]):
    """Batches of one split, each epoch in another order and with other estimates; or always alike.

    Args:
        stretches: Where they are cut from.
        batch_size: Windows in each.
        errors: Of the estimates.
        seed: Of everything drawn.
        shuffled: Whether epochs differ; a rest that fills no batch is then left out.
    """

    def __init__(
        self, stretches: Stretches, batch_size: int, errors: EstimateErrors, seed: int, *, shuffled: bool
    ) -> None:
        self.stretches, self.batch_size, self.errors = stretches, batch_size, errors
        self.seed, self.shuffled = seed, shuffled
        self.epoch = 0

    def __len__(self) -> int:
        whole, rest = divmod(len(self.stretches), self.batch_size)
        return whole + (rest > 0 and not (self.shuffled and whole))

    def __iter__(self) -> Iterator[Windowed]:
        rng = np.random.default_rng([self.seed, self.epoch])
        count = len(self.stretches)
        order = rng.permutation(count) if self.shuffled else np.arange(count)
        self.epoch += self.shuffled
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            rows = np.sort(order[start : start + self.batch_size])
            some = self.stretches.chosen(rows)
            yield windowed(some, self.errors.draw(rng, len(rows)), self.errors.draw_groups(rng, some.groups))


class RefinerData(pl.LightningDataModule):
    """The windows of a pool, as Lightning takes them.

    Args:
        pool: What ``python -m models.refiner_pool`` wrote.
        batch_size: Windows in a batch.
        seed: Of order and estimates.
    """

    def __init__(self, pool: Path, batch_size: int = 128, seed: int = 0) -> None:
        super().__init__()
        self.pool, self.batch_size, self.seed = Path(pool), batch_size, seed

    def train_dataloader(self) -> DataLoader[Windowed]:
        """Another order and other estimates every epoch, and harder ones than the first stage's."""
        return self._loader(Split.TRAIN, TRAINING, shuffled=True)

    def val_dataloader(self) -> DataLoader[Windowed]:
        """Always the same estimates."""
        return self._loader(Split.VALIDATION, FIRST_STAGE, shuffled=False)

    def test_dataloader(self) -> DataLoader[Windowed]:
        """Always the same estimates."""
        return self._loader(Split.TEST, FIRST_STAGE, shuffled=False)

    def _loader(self, split: Split, errors: EstimateErrors, *, shuffled: bool) -> DataLoader[Windowed]:
        stretches = read_stretches(self.pool, split)
        return DataLoader(
            WindowBatches(stretches, self.batch_size, errors, self.seed, shuffled=shuffled), batch_size=None
        )
