"""Training of networks that find strokes: first on where strokes are, then also through the audio that they write."""

from pathlib import Path

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch.nn.functional import log_softmax, smooth_l1_loss
from typing_extensions import override

from models.optimisation import one_cycle
from models.resynthesis.data import CropBatch
from models.resynthesis.line_data import LineBatch
from models.resynthesis.line_features import BLOCK_SAMPLES
from models.resynthesis.line_finder import REACH_SECONDS, Sightings
from models.resynthesis.line_network import LineNetwork, Look
from models.resynthesis.lines import awaited
from models.resynthesis.losses import ResynthesisLoss
from models.resynthesis.segments import kept_lines
from models.resynthesis.training import ResynthesisTraining
from models.runs import load_network

TIGHT_SECONDS, NEAR_SECONDS = 0.002, 0.010
SPREAD_BLOCKS = 0.7
"""Standard deviation of labels over blocks: without any spread, training is far worse (docs/evidence.md)."""

OFFSET_WEIGHT = 0.5


class LineTraining(LightningModule):
    """Trains a network on where strokes are, as a pool tells it.

    Args:
        net: The network.
        start: As of :func:`start_from`.
        learning_rate: At the top of the one-cycle schedule (Smith and Topin 2018).
        weight_decay: Of AdamW.
        warm_up: Share of the steps in which the rate rises.
    """

    def __init__(
        self,
        net: LineNetwork,
        start: Path | None = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        warm_up: float = 0.1,
    ) -> None:
        super().__init__()
        self.net = start_from(start, net)
        self.learning_rate, self.weight_decay, self.warm_up = learning_rate, weight_decay, warm_up

    @override
    def training_step(self, batch: LineBatch, batch_index: int) -> torch.Tensor:
        loss = self.loss_of(batch)
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch.features))
        return loss

    def loss_of(self, batch: LineBatch) -> torch.Tensor:
        """See :func:`line_loss`."""
        return line_loss(self._sightings(batch), batch.strokes, batch.samples, self.net.sample_rate)

    @override
    def validation_step(self, batch: LineBatch, batch_index: int) -> None:
        log_lines(self, self._sightings(batch), batch.strokes, batch.samples, self.net.sample_rate)

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(self, self.learning_rate, self.weight_decay, self.warm_up)

    def _sightings(self, batch: LineBatch) -> Sightings:
        frames = self.net.listener.follow(batch.features, batch.grid)
        return self.net.recognise(frames, batch.places).sightings


class LineAudioTraining(ResynthesisTraining):
    """Goes on through the audio: how strokes are joined is learned here alone.

    Args:
        net: The network.
        start: As of :func:`start_from`.
        loss: Between output and target.
        learning_rate: At the top of the one-cycle schedule.
        weight_decay: Of AdamW.
        warm_up: Share of the steps in which the rate rises.
        audio_weight: Of the audio's loss, against 1 for where strokes are.
    """

    def __init__(
        self,
        net: LineNetwork,
        start: Path | None = None,
        loss: ResynthesisLoss | None = None,
        learning_rate: float = 5e-4,
        weight_decay: float = 0.01,
        warm_up: float = 0.1,
        *,
        audio_weight: float = 0.3,
    ) -> None:
        super().__init__(start_from(start, net), loss, learning_rate, weight_decay, warm_up)
        self.lines, self.audio_weight = net, audio_weight

    @override
    def training_step(self, batch: CropBatch, batch_index: int) -> torch.Tensor:
        seen = self.lines.look(batch.take, batch.conditioning)
        lines = line_loss(seen.sightings, batch.strokes, batch.take.shape[-1], self.net.sample_rate)
        audio: torch.Tensor = self.loss(*self._inner(self._moved(batch, seen), batch.target))
        for name, value in (("lines", lines), ("audio", audio)):
            self.log(f"train/{name}", value, on_step=False, on_epoch=True, batch_size=len(batch.take))
        return lines + self.audio_weight * audio

    @override
    def validation_step(self, batch: CropBatch, batch_index: int) -> None:
        super().validation_step(batch, batch_index)
        seen = self.lines.look(batch.take, batch.conditioning)
        log_lines(self, seen.sightings, batch.strokes, batch.take.shape[-1], self.net.sample_rate)

    def _moved(self, batch: CropBatch, seen: Look) -> torch.Tensor:
        kept = self.lines.moves(seen.sightings, batch.conditioning).kept
        return self.lines.moved_softly(batch.take, batch.conditioning, seen, kept, softness=1.0)


def start_from(run: Path | None, net: LineNetwork) -> LineNetwork:
    """Give a network the weights of a run that it goes on from: of its own kind, or of another that shares parts.

    Args:
        run: Folder of the run's log; the network keeps its own weights when None.
        net: Changed in place.

    Returns:
        The network.

    Raises:
        InputError: The folder holds no trained finder of strokes.
    """
    if run is not None:
        net.load_state_dict(load_network(run, LineNetwork).state_dict(), strict=False)  # type: ignore[type-abstract]
    return net


def log_lines(
    module: LightningModule, sightings: Sightings, strokes: torch.Tensor, samples: int, sample_rate: int
) -> None:
    """Log the loss, the shares of strokes found within 2 and 10 ms, and of empty lines that were given a stroke."""
    module.log("validation/lines", line_loss(sightings, strokes, samples, sample_rate), batch_size=1)
    onsets = sightings.onsets()
    kept = kept_lines(sightings, onsets, sample_rate)
    wanted, told = wanted_onsets(sightings, strokes, samples, sample_rate)
    struck, apart = told & wanted.isfinite(), (onsets - wanted).abs() / sample_rate
    for name, among, true in (
        ("tight", struck, kept & (apart <= TIGHT_SECONDS)),
        ("near", struck, kept & (apart <= NEAR_SECONDS)),
        ("invented", told & ~struck, kept),
    ):
        if bool(among.any()):
            module.log(f"validation/{name}", true[among].float().mean(), batch_size=int(among.sum()))


def wanted_onsets(
    sightings: Sightings, strokes: torch.Tensor, samples: int, sample_rate: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each line's onset, NaN for none, and which lines are to be asked; [batch, lines] each.

    Lines so near to the ends that their strokes may lie outside the crop are not asked, nor those whose stroke lies
    outside the window.
    """
    reach = REACH_SECONDS * sample_rate
    places = sightings.places
    wanted = awaited(places, strokes, sample_rate)
    far = (wanted - places).abs() > reach - BLOCK_SAMPLES
    return wanted, (places >= reach) & (places < samples - reach) & ~far


def line_loss(sightings: Sightings, strokes: torch.Tensor, samples: int, sample_rate: int) -> torch.Tensor:
    """Cross-entropy of every line's distribution over blocks, and the distance of the offset inside the block.

    Args:
        sightings: What was seen.
        strokes: [batch, strokes, 3], see :class:`models.resynthesis.data.CropBatch`.
        samples: Length of the crops.
        sample_rate: In hertz.
    """
    wanted, told = wanted_onsets(sightings, strokes, samples, sample_rate)
    struck = wanted.isfinite()
    window = sightings.logits.shape[-1] - 1
    place = wanted / BLOCK_SAMPLES - sightings.first_blocks
    blocks = torch.arange(window, device=place.device)
    apart = torch.where(struck, place, 0.0)[..., None] - (blocks + 0.5)
    spread = torch.exp(-0.5 * (apart / SPREAD_BLOCKS) ** 2)
    spread = spread / spread.sum(dim=-1, keepdim=True).clamp(min=1e-9)
    labels = torch.cat([spread * struck[..., None], (~struck)[..., None].to(spread)], dim=-1)
    nats = -(labels * log_softmax(sightings.logits, dim=-1)).sum(dim=-1)
    near = (apart.abs() < 1.5) & (struck & told)[..., None]
    loss = nats[told].mean() if bool(told.any()) else 0.0 * sightings.logits.sum()
    if bool(near.any()):
        loss = loss + OFFSET_WEIGHT * smooth_l1_loss(sightings.offsets[near], (apart + 0.5)[near], beta=0.1)
    return loss
