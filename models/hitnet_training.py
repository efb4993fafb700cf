"""HitNet's training as a Lightning module: what happens in a step, and how good it is on takes of held-out kits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from typing_extensions import override

from beatnet_align.hit_decoding import Thresholds, decode
from beatnet_align.hit_features import FRAME_SECONDS
from models.hitnet import HitNet
from models.hitnet_data import Batch
from models.hitnet_loss import LossWeights, hitnet_losses, weighted_sum
from models.onset_figures import merged
from models.optimisation import one_cycle
from models.runs import load_average

TOLERANCES_SECONDS = {"2ms": 0.002, "5ms": 0.005, "25ms": 0.025}
VALIDATION_NAMES = ("stems", "mono")


class HitNetTraining(LightningModule):
    """Trains a :class:`~models.hitnet.HitNet`.

    Args:
        net: The network.
        learning_rate: At the top of the one-cycle schedule (Smith and Topin 2018).
        weight_decay: Of AdamW.
        warm_up: Share of the steps in which the rate rises.
        weights: How much each part of the loss counts.
        start: Folders of earlier runs to go on from, or what was exported of them, of networks in the same shape: the
            mean of their best weights.
    """

    def __init__(
        self,
        net: HitNet,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        warm_up: float = 0.1,
        weights: LossWeights | None = None,
        start: Sequence[Path] = (),
    ) -> None:
        super().__init__()
        self.net = net
        self.learning_rate, self.weight_decay, self.warm_up = learning_rate, weight_decay, warm_up
        self.weights = weights or LossWeights()
        if start:
            net.load_state_dict(load_average(start, HitNet, net).state_dict())
        self._scores: dict[str, list[float]] = {}

    @override
    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        take, channels = self.net(batch.features, batch.roles, batch.present)
        losses = hitnet_losses(take.float(), channels.float(), batch.present, batch.targets)
        loss = weighted_sum(losses, self.weights)
        self.log_dict({f"train/{name}": value for name, value in losses.items()}, on_step=False, on_epoch=True)
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    @override
    def validation_step(self, batch: Batch, batch_index: int, dataloader_idx: int = 0) -> None:
        take, _ = self.net(batch.features, batch.roles, batch.present)
        weight = batch.targets["hit_weight"][0].cpu().numpy()
        estimated = without_ignored(take_onsets(take[0].float().cpu().numpy()), weight)
        reference = target_onsets(batch.targets["hit_offset"][0].cpu().numpy())
        name = VALIDATION_NAMES[dataloader_idx]
        for tolerance, seconds in TOLERANCES_SECONDS.items():
            score = f_measure(merged(reference), merged(estimated), seconds)
            self._scores.setdefault(f"{name}/f_{tolerance}", []).append(score)

    @override
    def on_validation_epoch_end(self) -> None:
        means = {name: float(np.mean(scores)) for name, scores in self._scores.items()}
        self._scores.clear()
        if means:
            self.log_dict(means)
            self.log("validation/f", float(np.mean(list(means.values()))), prog_bar=True)

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(self, self.learning_rate, self.weight_decay, self.warm_up)


def take_onsets(take: npt.NDArray[np.float32], thresholds: Thresholds | None = None) -> npt.NDArray[np.float64]:
    """Onsets in seconds that the take's outputs, [TAKE_ROWS, frames], say."""
    nowhere = np.zeros((1, 8, take.shape[1]), np.float32)
    found = decode(take, nowhere, thresholds or Thresholds())
    return np.unique([hit.onset_frames for hit in found]) * FRAME_SECONDS


def target_onsets(offsets: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """True onsets in seconds, read back from the offset targets, [frames]."""
    frames = np.flatnonzero(np.abs(offsets) <= 0.5 + 1e-4)
    onsets = np.round(frames + 0.5 + offsets[frames].astype(np.float64), 3)
    return np.asarray(np.unique(onsets) * FRAME_SECONDS, np.float64)


def without_ignored(
    onsets_seconds: npt.NDArray[np.float64], weight: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Onsets but for those in frames that do not count: somebody struck there, whether it can be heard or not.

    Args:
        onsets_seconds: [onsets].
        weight: [frames].
    """
    frames = np.clip((onsets_seconds / FRAME_SECONDS).astype(np.int64), 0, len(weight) - 1)
    return onsets_seconds[weight[frames] > 0.0]


def f_measure(
    reference: npt.NDArray[np.float64], estimated: npt.NDArray[np.float64], tolerance_seconds: float
) -> float:
    """F-measure of sorted onsets, each used once.

    Pairing the earliest that fit is as good as any pairing, and quick even for the thousands of estimates of a network
    that has hardly begun to learn, where mir_eval's general matching takes minutes.
    """
    i = j = pairs = 0
    while i < len(reference) and j < len(estimated):
        if abs(reference[i] - estimated[j]) <= tolerance_seconds:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif reference[i] < estimated[j]:
            i += 1
        else:
            j += 1
    total = len(reference) + len(estimated)
    return 2.0 * pairs / total if total else 1.0
