"""SignalTrain's own task: a single stroke somewhere in a window of 340 ms is to stand in the middle of it, on the line.

One stroke of any piece and kit a window; where it is struck is drawn for each window, where it belongs never changes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pytorch_lightning import LightningDataModule
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, IterableDataset
from typing_extensions import override

from beatnet_align.audio_figures import lags
from beatnet_align.conditioning import conditioning_rows
from beatnet_align.grid import Grid
from beatnet_align.metrics import LOST_BELOW_CORRELATION
from beatnet_align.take import take_from_array
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import seconds_to_samples
from datagen.config import DatasetConfig, Split, read_config
from datagen.example import ExampleMaker
from datagen.kits.kit import Kit
from datagen.kits.merging import as_mono
from models.resynthesis.data import CropBatch, joined
from models.resynthesis.interface import Resynthesis
from models.resynthesis.losses import ResynthesisLoss
from models.resynthesis.signal_train import HOP_SAMPLES, SignalTrain
from models.resynthesis.training import ResynthesisTraining

WINDOW_SECONDS, LINE_SECONDS = 0.340, 0.130
JITTER_SECONDS = 0.080
"""Strokes are uniformly so early or late; a line's finder looks further than that."""

LEVEL_DB = (-24.0, -3.0)
NOISE_DB = (-90.0, -60.0)
LANDED_SECONDS = 0.001


class SingleEvents:
    """Makes windows.

    Args:
        config: Names the kits of every split and the sample rate.
        split: Which use.
        data: Folder that holds kits/; None where all kits are synthesised.
    """

    def __init__(self, config: DatasetConfig, split: Split, data: Path | None) -> None:
        maker = ExampleMaker(config, data)
        self.sample_rate = config.sample_rate
        self.kits: list[Kit] = [as_mono(maker.kit(name)) for name in config.sources(split).kits]
        self.samples = seconds_to_samples(WINDOW_SECONDS, self.sample_rate)
        self.line = seconds_to_samples(LINE_SECONDS, self.sample_rate)
        tempo_map = TempoMap.constant(120.0, LINE_SECONDS)
        rows = conditioning_rows(tempo_map, Grid(("1/4",)), 1.0, self.sample_rate, 0, self.samples)
        self.conditioning = torch.from_numpy(rows)

    def draw(self, rng: np.random.Generator) -> CropBatch:
        """A batch of one."""
        kit = self.kits[int(rng.integers(len(self.kits)))]
        pieces = sorted(kit.strikes)
        piece = pieces[int(rng.integers(len(pieces)))]
        strike = kit.pick(piece, float(rng.uniform(0.2, 1.0)), rng)
        late = seconds_to_samples(float(rng.uniform(-JITTER_SECONDS, JITTER_SECONDS)), self.sample_rate)
        level, noise = (10.0 ** (float(rng.uniform(*db)) / 20.0) for db in (LEVEL_DB, NOISE_DB))
        sound = strike.audio[0] * (level / max(float(np.abs(strike.audio).max()), 1e-9))
        floor = noise * level * rng.standard_normal(self.samples).astype(np.float32)
        take, target = (
            torch.from_numpy(floor + self._placed(sound, self.line + shift - strike.onset_samples))[None, None]
            for shift in (late, 0)
        )
        strokes = torch.tensor([[[float(self.line + late), float(self.line), 1.0]]])
        return CropBatch(take, target, self.conditioning[None], strokes)

    def _placed(self, sound: npt.NDArray[np.float32], start: int) -> npt.NDArray[np.float32]:
        out = np.zeros(self.samples, np.float32)
        first, last = max(0, start), min(self.samples, start + len(sound))
        out[first:last] = sound[first - start : last - start]
        return out


class RandomEvents(IterableDataset[CropBatch]):
    """Batches without end.

    Args:
        events: Makes windows.
        batch_size: Of them.
        seed: Seed and epoch.
    """

    def __init__(self, events: SingleEvents, batch_size: int, seed: tuple[int, int]) -> None:
        self.events, self.batch_size, self.seed = events, batch_size, seed

    def __iter__(self) -> Iterator[CropBatch]:
        rng = np.random.default_rng(self.seed)
        while True:
            yield joined([self.events.draw(rng) for _ in range(self.batch_size)])


class FixedEvents(Dataset[CropBatch]):
    """The same batches each time.

    Args:
        events: Makes windows.
        batch_size: Of them.
        batches: How many.
    """

    def __init__(self, events: SingleEvents, batch_size: int, batches: int) -> None:
        self.batches = [
            joined([events.draw(np.random.default_rng([number, i])) for i in range(batch_size)])
            for number in range(batches)
        ]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> CropBatch:
        return self.batches[index]


class SingleEventData(LightningDataModule):
    """Random windows to train on; fixed ones of kits that are held out to look at and to test on.

    Args:
        dataset: Configuration of a dataset, for its kits; its grooves are not used.
        data: Folder that holds kits/.
        batch_size: Windows a batch.
        validation_batches: Batches of the validation kits.
        test_batches: Batches of the test kits.
        seed: Of the training's windows.
    """

    def __init__(
        self,
        dataset: Path,
        data: Path | None = None,
        *,
        batch_size: int = 32,
        validation_batches: int = 8,
        test_batches: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config, self.data, self.batch_size, self.seed = read_config(dataset), data, batch_size, seed
        self.batches = {Split.VALIDATION: validation_batches, Split.TEST: test_batches}
        self._events: dict[Split, SingleEvents] = {}

    @override
    def train_dataloader(self) -> DataLoader[CropBatch]:
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        events = RandomEvents(self._made(Split.TRAIN), self.batch_size, (self.seed, epoch))
        return DataLoader(events, batch_size=None)

    @override
    def val_dataloader(self) -> DataLoader[CropBatch]:
        return self._fixed(Split.VALIDATION)

    @override
    def test_dataloader(self) -> DataLoader[CropBatch]:
        return self._fixed(Split.TEST)

    def _fixed(self, split: Split) -> DataLoader[CropBatch]:
        return DataLoader(FixedEvents(self._made(split), self.batch_size, self.batches[split]), batch_size=None)

    def _made(self, split: Split) -> SingleEvents:
        if split not in self._events:
            self._events[split] = SingleEvents(self.config, split, self.data)
        return self._events[split]


class SingleEventTraining(ResynthesisTraining):
    """Trains through the audio, tells SignalTrain the true delay as well, and looks where the stroke landed.

    A stroke has landed where its attack and the start of its decay, found again in the output by cross-correlation as
    :mod:`beatnet_align.metrics` does, is within a millisecond of its place; one that is not found has not.

    Args:
        net: The network.
        loss: Between output and target.
        learning_rate: At the top of the one-cycle schedule.
        weight_decay: Of AdamW.
        warm_up: Share of the steps in which the rate rises.
        delay_weight: Of the cross-entropy of the true delay, for networks that know delays; 0 for the audio alone.
    """

    def __init__(
        self,
        net: Resynthesis,
        loss: ResynthesisLoss | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        warm_up: float = 0.1,
        *,
        delay_weight: float = 1.0,
    ) -> None:
        super().__init__(net, loss, learning_rate, weight_decay, warm_up)
        self.delay_weight = delay_weight

    @override
    def training_step(self, batch: CropBatch, batch_index: int) -> torch.Tensor:
        loss = super().training_step(batch, batch_index)
        if self.delay_weight > 0.0 and isinstance(self.net, SignalTrain) and self.net.delay is not None:
            late = batch.strokes[:, 0, 1] - batch.strokes[:, 0, 0]
            number = (late / HOP_SAMPLES).round().to(torch.int64) + self.net.reach
            told = cross_entropy(self.net.delay_logits(batch.take, batch.conditioning), number)
            self.log("train/delays", told, on_step=False, on_epoch=True, batch_size=len(batch.take))
            loss = loss + self.delay_weight * told
        return loss

    @override
    def validation_step(self, batch: CropBatch, batch_index: int) -> None:
        self._look("validation", batch)

    @override
    def test_step(self, batch: CropBatch, batch_index: int) -> None:
        self._look("test", batch)

    def _look(self, stage: str, batch: CropBatch) -> None:
        output = self.net(batch.take, batch.conditioning)
        self.judge(output, batch, stage)
        rate, size = self.net.sample_rate, len(output)
        places = [int(row[0, 1]) for row in batch.strokes]
        for name, audio in (("landed", output), ("landed_untouched", batch.take)):
            off = lags_seconds(batch.target, audio, places, rate)
            share = float(np.mean(np.abs(np.nan_to_num(off, nan=np.inf)) <= LANDED_SECONDS))
            self.log(f"{stage}/{name}", share, batch_size=size)
            self.log(f"{stage}/{name}_lost", float(np.mean(np.isnan(off))), batch_size=size)


def lags_seconds(
    target: torch.Tensor, output: torch.Tensor, places: Sequence[int], sample_rate: int
) -> npt.NDArray[np.float64]:
    """How late each row's stroke is in the output; NaN where it is not found.

    Args:
        target: [batch, 1, samples].
        output: The same shape.
        places: Onsets in the target, in samples.
        sample_rate: In hertz.
    """
    off = np.full(len(places), np.nan)
    for row, place in enumerate(places):
        takes = [take_from_array(one[row].detach().numpy(), sample_rate) for one in (target, output)]
        found = lags(takes[0], takes[1], place)
        if found is not None and found.correlation[0] >= LOST_BELOW_CORRELATION:
            off[row] = found.samples[0] / sample_rate
    return off
