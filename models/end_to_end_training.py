"""Fine-tune cut times and lines through the spliced audio: parameter losses first, waveform losses last."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch.nn.functional import cross_entropy, smooth_l1_loss
from typing_extensions import override

from beatnet_align.hit_refiner import REFINER_RATE_HZ
from models.audio_losses import AudioDistances, AudioLosses
from models.end_to_end import HARD, SPLICE, Decisions, EndToEnd, Softness, stretch_of
from models.end_to_end_data import Stretch
from models.grid_data import IGNORED
from models.optimisation import one_cycle
from models.refiner_data import targets
from models.shipped_networks import NetworkFiles

WARM_UP = 0.1
SAMPLES_PER_MS = REFINER_RATE_HZ / 1000.0


@dataclass(frozen=True)
class Stage:
    """A part of the training.

    Attributes:
        share: Of its steps.
        parameters: Weight of what the truth says of onsets and lines.
        spectral, envelope, waveform: Weights of the distances of the spliced audio from the target.
        softness: At its start; it goes towards that of the next stage.
    """

    share: float
    parameters: float = 1.0
    spectral: float = 0.0
    envelope: float = 0.0
    waveform: float = 0.0
    softness: Softness = field(default_factory=Softness)

    @property
    def listens(self) -> bool:
        """Whether audio counts."""
        return self.spectral > 0.0 or self.envelope > 0.0 or self.waveform > 0.0


def stage_at(stages: Sequence[Stage], progress: float) -> tuple[Stage, Softness]:
    """The stage that a training is in, and how soft things are.

    Args:
        stages: In order; their shares may sum to anything.
        progress: Share of the steps that are done, 0 to 1.
    """
    left = progress * sum(stage.share for stage in stages)
    for stage, following in zip(stages, [*stages[1:], stages[-1]], strict=True):
        if left < stage.share:
            return stage, stage.softness.towards(following.softness, left / stage.share)
        left -= stage.share
    return stages[-1], stages[-1].softness


class EndToEndTraining(LightningModule):
    """Trains the networks that ship a little further.

    Args:
        stages: What counts when.
        learning_rate: At the top of the cycle.
        weight_decay: Of AdamW.
    """

    def __init__(self, stages: Sequence[Stage], learning_rate: float = 2e-4, weight_decay: float = 0.0) -> None:
        super().__init__()
        if not stages:
            raise ValueError("a training needs at least one stage")
        self.networks = EndToEnd(NetworkFiles.shipped())
        self.stages, self.learning_rate, self.weight_decay = tuple(stages), learning_rate, weight_decay
        self._audio = AudioLosses(REFINER_RATE_HZ)

    @override
    def training_step(self, batch: Stretch, batch_index: int) -> torch.Tensor:
        progress = self.global_step / max(1, int(self.trainer.estimated_stepping_batches))
        stage, softness = stage_at(self.stages, progress)
        said: Decisions = self.networks(batch.heard, batch.hits, softness)
        loss = stage.parameters * self._parameter_loss("train", batch, said)
        if stage.listens and (distances := self._distances(batch, said, softness)) is not None:
            self._log_distances("train", distances)
            loss = loss + (
                stage.spectral * distances.spectral
                + stage.envelope * distances.envelope
                + stage.waveform * distances.waveform
            )
        self.log("train/loss", loss, prog_bar=True, batch_size=1)
        return loss

    @override
    def validation_step(self, batch: Stretch, batch_index: int) -> None:
        said: Decisions = self.networks(batch.heard, batch.hits, HARD)
        self._parameter_loss("validation", batch, said)
        distances = self._distances(batch, said, HARD)
        if distances is not None:
            self._log_distances("validation", distances)

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(self, self.learning_rate, self.weight_decay, WARM_UP)

    def _parameter_loss(self, where: str, batch: Stretch, said: Decisions) -> torch.Tensor:
        """How far the networks' words are from the truth, without any audio."""
        losses = parameter_losses(batch, said)
        for name, value in losses.items():
            self.log(f"{where}/{name}", value.detach(), batch_size=1, on_epoch=True, on_step=False)
        return torch.stack(list(losses.values())).sum()

    def _distances(self, batch: Stretch, said: Decisions, softness: Softness) -> AudioDistances | None:
        return self._audio(spliced(self.networks, batch, said, softness), batch.target)

    def _log_distances(self, where: str, distances: AudioDistances) -> None:
        for name, value in distances._asdict().items():
            self.log(f"{where}/{name}", value.detach(), batch_size=1, on_epoch=True, on_step=False)


def spliced(networks: EndToEnd, batch: Stretch, said: Decisions, softness: Softness) -> torch.Tensor:
    """What a stretch sounds like after the cut, [channels, samples], without its margins."""
    joins = networks.joins(batch.heard, said, softness)
    inside = stretch_of(joins, batch.start, batch.start + batch.take.shape[1])
    out = SPLICE(batch.take, inside, softness.crossfade_samples)
    return out[:, batch.margin : batch.margin + batch.target.shape[1]]


def parameter_losses(batch: Stretch, said: Decisions) -> dict[str, torch.Tensor]:
    """What the networks were trained on before: the true onset for HitNet and the refiner, the true line for GridNet.

    Hits count that are heard in their own channel; where their onset cannot be heard there, the refiner should say so.
    """
    heard = batch.heard
    chosen = said.chosen.numpy()
    true = heard.true_onsets[chosen]
    known = np.isfinite(true)
    zero = said.onsets.new_zeros(())
    losses = {"offsets": zero, "refiner": zero, "lines": zero}
    if known.any():
        onset = np.where(heard.audible[chosen], true - heard.places[chosen], np.nan)[known]
        wanted = torch.from_numpy(targets(onset))
        rows = torch.from_numpy(known)
        losses["refiner"] = cross_entropy(said.windows_logits[rows], wanted).double()
        off_ms = (said.own_onsets[rows] - torch.from_numpy(true[known])) / SAMPLES_PER_MS
        losses["offsets"] = smooth_l1_loss(off_ms, torch.zeros_like(off_ms), beta=0.1)
    answers = torch.from_numpy(heard.answers)
    if bool((answers != IGNORED).any()):
        asked = [cross_entropy(logits, answers, ignore_index=IGNORED) for logits in said.line_logits]
        losses["lines"] = torch.stack(asked).mean().double()
    return losses
