"""Train SeamNet through the audio: the nearer a mixed transition comes to what would have sounded, the better."""

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler

from beatnet_align.seams import BANDS, EDGES_HZ
from models.join_judge import FLOOR_DB, JUDGED_RATE_HZ, Judge
from models.optimisation import one_cycle
from models.seam_data import Seams
from models.seamnet import SeamNet

LEVEL_FFT = 512
"""Levels are told over 12 ms, as long as two periods of the lowest band's edge."""

TINY = 1e-12
WARM_UP = 0.1
"""Share of the steps in which the rate rises."""


class SeamTraining(pl.LightningModule):
    """Multi-resolution STFT distance to the true continuation, and a little of the waveform.

    Args:
        net: What is trained.
        learning_rate: Its peak, in a single cycle.
        weight_decay: Of AdamW.
        waveform_weight: Of the mean error of samples, as a share of the channel's mean level.
        level_weight: Of the error of band levels over some milliseconds: bins of noise alone are nearest to each other,
            in decibels, where one is too quiet.
    """

    def __init__(
        self,
        net: SeamNet,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        waveform_weight: float = 0.1,
        level_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.net = net
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.waveform_weight, self.level_weight = waveform_weight, level_weight
        self._distance = Judge()

    def training_step(self, batch: Seams, _index: int) -> torch.Tensor:
        """One batch, all of one gap."""
        distance, waveform, levels = self.errors(batch)
        self.log("train/distance", distance)
        return distance + self.waveform_weight * waveform + self.level_weight * levels

    def validation_step(self, batch: Seams, _index: int) -> None:
        """Distances, of gaps and of overlaps apart."""
        distance, _, levels = self.errors(batch)
        self.log("validation/levels", levels, batch_size=1)
        kind = "gap" if bool(batch.voices[1].any()) else "overlap"  # nothing hisses on where nothing opens
        for name in ("distance", kind):
            self.log(f"validation/{name}", distance, batch_size=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; one cycle over the whole training."""
        return one_cycle(self, self.learning_rate, self.weight_decay, WARM_UP)

    def errors(self, batch: Seams) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Distance of a batch, error of its waveforms, and of its levels in nepers."""
        heard = torch.cat([batch.before, mixed(batch, self.net(batch.features, batch.neighbours)), batch.after], 1)
        heard, wanted = heard[batch.audible], batch.target[batch.audible]
        level = wanted.abs().mean(dim=1, keepdim=True).clamp(min=1e-6)
        waveform = ((heard - wanted) / level).abs().mean()
        levels = (band_levels(heard) - band_levels(wanted)).abs().mean()
        return self._distance(heard, wanted), waveform, levels


def band_levels(audio: torch.Tensor) -> torch.Tensor:
    """Levels in nepers of [channels, samples], down to ``FLOOR_DB`` under the loudest: [channels, BANDS, frames]."""
    window = torch.hann_window(LEVEL_FFT, device=audio.device)
    power = torch.stft(audio, LEVEL_FFT, LEVEL_FFT // 4, window=window, return_complex=True).abs() ** 2
    hertz = torch.linspace(0.0, 0.5 * JUDGED_RATE_HZ, LEVEL_FFT // 2 + 1)
    bands = torch.bucketize(hertz, torch.tensor(EDGES_HZ)).to(audio.device)
    summed = power.new_zeros(len(power), BANDS, power.shape[-1]).index_add(1, bands, power)
    floor = 10.0 ** (FLOOR_DB / 10.0) * summed.detach().amax(dim=(1, 2), keepdim=True) + TINY
    return 0.5 * torch.log(summed + floor)


def mixed(batch: Seams, gains: torch.Tensor) -> torch.Tensor:
    """The transitions, [channels, samples], as `beatnet_align.seams.Seam.mixed` makes them."""
    drawn = gains @ batch.knots_to_samples
    mix = torch.einsum("cvbn,vcbn->cn", drawn, batch.voices)
    return mix * batch.ending + batch.voices[2].sum(dim=1) * (1.0 - batch.ending)
