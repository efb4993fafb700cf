"""GridNet's batches: examples drawn without end for training, the same ones every time for validation."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from typing_extensions import override

from beatnet_align.grid_tokens import CANDIDATE_FEATURES, CANDIDATES, TOKEN_FEATURES, GridTokens
from datagen.config import Split
from models.grid_examples import GridExample, GridExamples, GridMaterial

IGNORED = -1
VALIDATION_RANK = 1 << 16
"""Stands for the rank of a process in the seed of validation, so that it shares no example with training."""


class GridBatch(NamedTuple):
    """Examples filled up to the same number of hits; see :class:`models.gridnet.GridNet` for the shapes.

    ``answers`` is [batch, hits], :data:`IGNORED` where nothing is to be learnt; ``tokens`` are the same hits again, for
    the takes' own patterns.
    """

    features: torch.Tensor
    beats: torch.Tensor
    candidates: torch.Tensor
    present: torch.Tensor
    answers: torch.Tensor
    tokens: tuple[GridTokens, ...]


def collate(examples: Sequence[GridExample]) -> GridBatch:
    """Fill up examples to the longest."""
    hits = max(len(example.answers) for example in examples)
    shape = (len(examples), hits)
    features = np.zeros((*shape, TOKEN_FEATURES), np.float32)
    beats = np.zeros(shape, np.float32)
    candidates = np.zeros((*shape, CANDIDATES, CANDIDATE_FEATURES), np.float32)
    present = np.zeros(shape, bool)
    answers = np.full(shape, IGNORED, np.int64)
    for row, example in enumerate(examples):
        tokens, count = example.tokens, len(example.answers)
        features[row, :count] = tokens.features
        beats[row, :count] = tokens.beats - tokens.beats[0]
        candidates[row, :count] = tokens.candidates
        present[row, :count] = True
        answers[row, :count] = example.answers
    return GridBatch(
        torch.from_numpy(features),
        torch.from_numpy(beats),
        torch.from_numpy(candidates),
        torch.from_numpy(present),
        torch.from_numpy(answers),
        tuple(example.tokens for example in examples),
    )


def cropped(example: GridExample, most_hits: int, rng: np.random.Generator) -> GridExample:
    """A stretch of an example that is too long."""
    count = len(example.answers)
    if count <= most_hits:
        return example
    first = int(rng.integers(count - most_hits + 1))
    chosen = slice(first, first + most_hits)
    tokens = GridTokens(*(getattr(example.tokens, one.name)[chosen] for one in fields(GridTokens)))
    tokens = replace(tokens, bars=tokens.bars - tokens.bars.min())
    return GridExample(tokens, example.answers[chosen])


class GridBatches(IterableDataset[GridBatch]):
    """Random batches without end.

    Args:
        examples: Where from.
        batch_size: Examples a batch.
        most_hits: Of an example.
        seed: Seed, epoch and rank of the process; they fix the batches, for a given number of workers.
    """

    def __init__(self, examples: GridExamples, batch_size: int, most_hits: int, seed: tuple[int, int, int]) -> None:
        self.examples, self.batch_size, self.most_hits, self.seed = examples, batch_size, most_hits, seed

    def __iter__(self) -> Iterator[GridBatch]:
        worker = get_worker_info()
        rng = np.random.default_rng([*self.seed, 0 if worker is None else worker.id])
        while True:
            yield collate([cropped(self.examples.draw(rng), self.most_hits, rng) for _ in range(self.batch_size)])


class GridData(LightningDataModule):
    """Batches for Lightning.

    Args:
        data: Folder with groove/; None trains on patterns alone.
        mixing: How often a score goes to another one and back, and how often then by single beats: the
            ``mixed_probability`` and ``beatwise_probability`` of :class:`~models.grid_examples.GridMaterial`.
        batch_size: Examples a batch.
        most_hits: Of an example.
        validation_batches: Drawn once.
        workers: Processes that draw.
        seed: Fixes all examples.
    """

    def __init__(
        self,
        data: Path | None = None,
        *,
        mixing: tuple[float, float] = (0.2, 0.0),
        batch_size: int = 16,
        most_hits: int = 192,
        validation_batches: int = 12,
        workers: int = 1,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.material = GridMaterial(data=data, mixed_probability=mixing[0], beatwise_probability=mixing[1])
        self.batch_size, self.most_hits, self.validation_batches = batch_size, most_hits, validation_batches
        self.workers, self.seed = workers, seed
        self._examples: GridExamples | None = None
        self._validation: list[GridBatch] = []

    @override
    def train_dataloader(self) -> DataLoader[GridBatch]:
        trainer = self.trainer
        if self._examples is None:
            self._examples = GridExamples(self.material)
            self._examples.read()
        epoch, rank = (trainer.current_epoch, trainer.global_rank) if trainer is not None else (0, 0)
        batches = GridBatches(self._examples, self.batch_size, self.most_hits, (self.seed, epoch, rank))
        return DataLoader(batches, batch_size=None, num_workers=self.workers)

    @override
    def val_dataloader(self) -> DataLoader[GridBatch]:
        if not self._validation:
            examples = GridExamples(replace(self.material, split=Split.VALIDATION))
            batches = iter(GridBatches(examples, self.batch_size, self.most_hits, (self.seed, 0, VALIDATION_RANK)))
            self._validation = [next(batches) for _ in range(self.validation_batches)]
        return DataLoader(self._validation, batch_size=None)  # type: ignore[arg-type] # a list will do

    @override
    def transfer_batch_to_device(
        self, batch: GridBatch, device: torch.device, dataloader_idx: int
    ) -> GridBatch:  # the tokens stay where NumPy can read them
        moved = {name: value.to(device) for name, value in batch._asdict().items() if isinstance(value, torch.Tensor)}
        return batch._replace(**moved)  # type: ignore[arg-type] # all but the tokens are tensors
