"""Stretches of generated takes with what the shipped networks heard of them, heard once and kept on disk."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm
from typing_extensions import override

from beatnet_align.errors import InputError
from beatnet_align.hit_refiner import REFINER_RATE_HZ
from beatnet_align.units import IntArray, seconds_to_samples
from datagen.config import Split
from datagen.dataset import read_pairs
from datagen.oracle import read_example
from models.audio_losses import audible_channels
from models.heard_splices import HeardSplice, Listener
from models.planned_joins import NOBODY
from models.shipped_networks import NetworkFiles

MARGIN_SECONDS = 0.3
"""Around a stretch: nothing moves further."""


class Stretch(NamedTuple):
    """A part of a take with its target.

    Attributes:
        heard: The whole take.
        start: First sample of the margin before the part.
        margin: Its length, and that of the one behind.
        take: [channels, margin + samples + margin].
        target: [channels, samples].
    """

    heard: HeardSplice
    start: int
    margin: int
    take: torch.Tensor
    target: torch.Tensor

    @property
    def hits(self) -> IntArray:
        """Those that the joins of the part, margins included, depend on."""
        joins = self.heard.joins
        inside = (joins.starts >= self.start) & (joins.starts < self.start + self.take.shape[1])
        found = np.unique(np.concatenate([joins.leads[inside], joins.firsts[inside]]))
        return np.asarray(found[found != NOBODY], np.int64)


class Stretches(IterableDataset[Stretch]):
    """One stretch of every take, in another order and from other places every epoch; or always alike.

    Args:
        dataset: Folder that ``python -m datagen`` wrote.
        entries: Lines of its manifest, and files of what was heard.
        seconds: Length of a stretch.
        channels: At most so many of those that the target lets be heard.
        seed: Of everything drawn.
        shuffled: Whether epochs differ.
    """

    def __init__(
        self,
        dataset: Path,
        entries: Sequence[tuple[Mapping[str, Any], Path]],
        seconds: float,
        channels: int,
        seed: int,
        *,
        shuffled: bool,
    ) -> None:
        self.dataset, self.entries, self.seconds, self.channels = dataset, entries, seconds, channels
        self.seed, self.shuffled = seed, shuffled
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Stretch]:
        rng = np.random.default_rng([self.seed, self.epoch])
        self.epoch += self.shuffled
        for number in rng.permutation(len(self.entries)) if self.shuffled else np.arange(len(self.entries)):
            entry, file = self.entries[number]
            yield self._drawn(entry, HeardSplice.read(file), rng)

    def _drawn(self, entry: Mapping[str, Any], heard: HeardSplice, rng: np.random.Generator) -> Stretch:
        take, target, _ = read_example(self.dataset, entry)
        samples = min(take.samples, seconds_to_samples(self.seconds, take.sample_rate))
        margin = seconds_to_samples(MARGIN_SECONDS, take.sample_rate)
        # Around one of the joins, so that there is something to hear.
        middle = int(rng.choice(heard.joins.starts)) - int(rng.integers(samples))
        first = int(np.clip(middle, 0, take.samples - samples))
        wanted = target.read(first, first + samples)
        rows = np.sort(rng.permutation(np.flatnonzero(audible_channels(torch.from_numpy(wanted))))[: self.channels])
        source = take.read(first - margin, first + samples + margin)
        return Stretch(heard, first - margin, margin, torch.from_numpy(source[rows]), torch.from_numpy(wanted[rows]))


class EndToEndData(LightningDataModule):
    """The stretches of a dataset, as Lightning takes them.

    Args:
        dataset: Folder that ``python -m datagen configs/datagen/end_to_end.yaml`` wrote.
        cache: Folder for what was heard; made here, or left by an earlier run on the same dataset.
        seconds: Length of a stretch.
        channels: At most so many.
        seed: Of everything drawn.
    """

    def __init__(self, dataset: Path, cache: Path, seconds: float = 3.0, channels: int = 4, seed: int = 0) -> None:
        super().__init__()
        self.dataset, self.cache = Path(dataset), Path(cache)
        self.seconds, self.channels, self.seed = seconds, channels, seed

    @override
    def prepare_data(self) -> None:
        """Hear what was not heard yet."""
        self.cache.mkdir(parents=True, exist_ok=True)
        entries = [entry for entry in read_pairs(self.dataset) if entry["split"] != Split.TEST.value]
        missing = [entry for entry in entries if not self._file(entry).exists() and not self._nothing(entry).exists()]
        listener = Listener(NetworkFiles.shipped()) if missing else None
        for entry in tqdm(missing, desc="hearing", leave=False, disable=None):
            take, _, _ = read_example(self.dataset, entry)
            if take.sample_rate != REFINER_RATE_HZ:
                raise InputError(f"{entry['take']} has {take.sample_rate} Hz; this needs takes at {REFINER_RATE_HZ} Hz")
            assert listener is not None
            heard = listener(take, entry)
            if heard is None:
                self._nothing(entry).touch()
            else:
                heard.save(self._file(entry))

    @override
    def train_dataloader(self) -> DataLoader[Stretch]:
        return self._loader(Split.TRAIN, shuffled=True)

    @override
    def val_dataloader(self) -> DataLoader[Stretch]:
        return self._loader(Split.VALIDATION, shuffled=False)

    @override
    def transfer_batch_to_device(self, batch: Stretch, device: torch.device, dataloader_idx: int) -> Stretch:
        return batch  # all of it is small, and NumPy reads half

    def _loader(self, split: Split, *, shuffled: bool) -> DataLoader[Stretch]:
        entries = [
            (entry, self._file(entry))
            for entry in read_pairs(self.dataset)
            if entry["split"] == split.value and self._file(entry).exists()
        ]
        if not entries and split is Split.TRAIN:
            raise InputError(f"no take of {self.dataset} gives joins to train on; make more of them")
        stretches = Stretches(self.dataset, entries, self.seconds, self.channels, self.seed, shuffled=shuffled)
        return DataLoader(stretches, batch_size=None)

    def _file(self, entry: Mapping[str, Any]) -> Path:
        return self.cache / f"{entry['split']}-{entry['index']:06d}.npz"

    def _nothing(self, entry: Mapping[str, Any]) -> Path:
        return self._file(entry).with_suffix(".nothing")
