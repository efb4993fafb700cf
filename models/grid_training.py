"""GridNet's training as a Lightning module: two answers to every take, the second with the take's own pattern."""

import numpy as np
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch.nn.functional import cross_entropy
from typing_extensions import override

from beatnet_align.grid_tokens import CANDIDATES, PATTERN_FEATURES
from models.grid_data import IGNORED, GridBatch
from models.gridnet import GridNet
from models.optimisation import one_cycle


class GridTraining(LightningModule):
    """Trains a :class:`~models.gridnet.GridNet`.

    Args:
        net: The network.
        learning_rate: At the top of the one-cycle schedule (Smith and Topin 2018).
        weight_decay: Of AdamW.
        warm_up: Share of the steps in which the rate rises.
    """

    def __init__(
        self, net: GridNet, learning_rate: float = 2e-3, weight_decay: float = 0.01, warm_up: float = 0.1
    ) -> None:
        super().__init__()
        self.net = net
        self.learning_rate, self.weight_decay, self.warm_up = learning_rate, weight_decay, warm_up

    @override
    def training_step(self, batch: GridBatch, batch_index: int) -> torch.Tensor:
        first, second = self.answers(batch)
        loss = 0.5 * (_loss(first, batch.answers) + _loss(second, batch.answers))
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.beats))
        return loss

    @override
    def validation_step(self, batch: GridBatch, batch_index: int) -> None:
        first, second = self.answers(batch)
        meant = (batch.answers >= 0) & (batch.answers < CANDIDATES)
        for name, logits in (("first", first), ("wrong", second)):
            share = (logits.argmax(-1) != batch.answers)[meant].float().mean()
            self.log(f"validation/{name}", share, batch_size=int(meant.sum()), prog_bar=name == "wrong")
        self.log("validation/loss", _loss(second, batch.answers), batch_size=int(meant.sum()))

    def answers(self, batch: GridBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits before and after the takes' own patterns are known, [batch, hits, ANSWERS] each."""
        states = self.net.encode(batch.features, batch.beats, batch.candidates, batch.present)
        nothing = batch.candidates.new_zeros(*batch.candidates.shape[:3], PATTERN_FEATURES)
        first = self.net.answer(states, batch.candidates, nothing)
        return first, self.net.answer(states, batch.candidates, self._pattern(first, batch))

    def _pattern(self, logits: torch.Tensor, batch: GridBatch) -> torch.Tensor:
        probabilities = logits.detach().softmax(-1).float().cpu().numpy()
        pattern = np.zeros((*batch.candidates.shape[:3], PATTERN_FEATURES), np.float32)
        for row, tokens in enumerate(batch.tokens):
            count = len(tokens.beats)
            pattern[row, :count] = tokens.pattern(probabilities[row, :count])
        return torch.from_numpy(pattern).to(logits.device)

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(self, self.learning_rate, self.weight_decay, self.warm_up)


def _loss(logits: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    return cross_entropy(logits.float().flatten(0, 1), answers.flatten(), ignore_index=IGNORED)
