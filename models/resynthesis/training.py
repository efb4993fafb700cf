"""Training through the audio alone: what every network of this room may be trained by."""

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from typing_extensions import override

from models.optimisation import one_cycle
from models.resynthesis.data import CropBatch
from models.resynthesis.interface import Resynthesis
from models.resynthesis.losses import ResynthesisLoss

EDGE_SECONDS = 0.120
"""Of either end of a crop, not judged: strokes come there from outside, or go there."""


class ResynthesisTraining(LightningModule):
    """Trains a network through what it writes.

    Args:
        net: The network.
        loss: Between output and target.
        learning_rate: At the top of the one-cycle schedule (Smith and Topin 2018).
        weight_decay: Of AdamW.
        warm_up: Share of the steps in which the rate rises.
    """

    def __init__(
        self,
        net: Resynthesis,
        loss: ResynthesisLoss | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        warm_up: float = 0.1,
    ) -> None:
        super().__init__()
        self.net = net
        self.loss = ResynthesisLoss(net.sample_rate) if loss is None else loss
        self.learning_rate, self.weight_decay, self.warm_up = learning_rate, weight_decay, warm_up

    @override
    def training_step(self, batch: CropBatch, batch_index: int) -> torch.Tensor:
        loss: torch.Tensor = self.loss(*self._inner(self.net(batch.take, batch.conditioning), batch.target))
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.take))
        return loss

    @override
    def validation_step(self, batch: CropBatch, batch_index: int) -> None:
        self.judge(self.net(batch.take, batch.conditioning), batch)

    def judge(self, output: torch.Tensor, batch: CropBatch, stage: str = "validation") -> None:
        """Log the distances of an output, how much energy it has of the target's, and where it began: the take's."""
        output, target, take = (self._inner(one)[0] for one in (output, batch.target, batch.take))
        size = len(batch.take)
        parts = self.loss.parts(output, target)
        for name, value in parts.items():
            self.log(f"{stage}/{name}", value, batch_size=size)
        self.log(f"{stage}/loss", self.loss(output, target), batch_size=size, prog_bar=True)
        self.log(f"{stage}/untouched", self.loss(take, target), batch_size=size)
        share = output.square().sum() / target.square().sum().clamp(min=1e-9)
        self.log(f"{stage}/energy", share.clamp(max=2.0), batch_size=size)

    def _inner(self, *audio: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Without the ends, where strokes come from outside the crop."""
        edge = round(EDGE_SECONDS * self.net.sample_rate)
        return tuple(one[..., edge:-edge] if one.shape[-1] > 4 * edge else one for one in audio)

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(self, self.learning_rate, self.weight_decay, self.warm_up)
