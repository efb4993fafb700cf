"""How far an output is from its target: spectra and envelopes first, little of the waveform, silence left out.

Under a waveform's L1 a stroke in a wrong place costs more than no stroke, so networks learn silence; spectra and
envelopes lead home from afar (docs/evidence.md). A silent target makes spectral convergence boundless, so it counts
nothing.
"""

from collections.abc import Sequence

import torch
from auraloss.freq import MultiResolutionSTFTLoss
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn
from typing_extensions import override

from beatnet_align.errors import BeatnetAlignError
from models.shift_recovery import compared_at, mistaken

SILENT_RMS = 10.0 ** (-70.0 / 20.0)
ENERGY_METRIC = "validation/energy"


class ResynthesisLoss(nn.Module):
    """Multi-resolution STFT (auraloss), envelopes of several widths, and L1.

    Args:
        sample_rate: In hertz.
        envelope_weight: Of the envelopes' distance, against 1 for spectra.
        waveform_weight: Of the waveform's.
        envelope_seconds: Widths.
    """

    def __init__(
        self,
        sample_rate: int = 22_050,
        envelope_weight: float = 1.0,
        waveform_weight: float = 0.1,
        envelope_seconds: Sequence[float] = (0.02, 0.005, 0.0015),
    ) -> None:
        super().__init__()
        self.sample_rate, self.envelope_seconds = sample_rate, tuple(envelope_seconds)
        self.envelope_weight, self.waveform_weight = envelope_weight, waveform_weight
        self.spectral = MultiResolutionSTFTLoss()

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """A scalar of [batch, channels, samples] each; 0 where all targets are silent."""
        parts = self.parts(output, target)
        return parts["spectral"] + self.envelope_weight * parts["envelope"] + self.waveform_weight * parts["waveform"]

    def parts(self, output: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """The distances by name, each channel against its own level."""
        output, target = output.flatten(0, 1).unsqueeze(1), target.flatten(0, 1).unsqueeze(1)
        level = target.square().mean(dim=(1, 2)).sqrt()
        heard = level > SILENT_RMS
        if not bool(heard.any()):
            nothing = 0.0 * output.sum()
            return {"spectral": nothing, "envelope": nothing, "waveform": nothing}
        gains = (0.1 / level[heard])[:, None, None]
        output, target = output[heard] * gains, target[heard] * gains
        envelopes = [
            mistaken(*(compared_at(one, seconds, self.sample_rate) for one in (output, target))).mean()
            for seconds in self.envelope_seconds
        ]
        return {
            "spectral": self.spectral(output, target),
            "envelope": torch.stack(envelopes).mean(),
            "waveform": mistaken(output, target).mean(),
        }


class CollapsedError(BeatnetAlignError):
    """A network has learned to write silence."""


class CollapseGuard(Callback):
    """Ends a run whose validation output has less than a share of its target's energy.

    Args:
        least_share: Of the target's energy.
        patience: Validations that may pass before the first one that counts.
    """

    def __init__(self, least_share: float = 0.5, patience: int = 1) -> None:
        self.least_share, self.patience = least_share, patience

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        energy = trainer.callback_metrics.get(ENERGY_METRIC)
        if trainer.sanity_checking or energy is None:
            return
        if self.patience > 0:
            self.patience -= 1
        elif not float(energy) >= self.least_share:
            raise CollapsedError(
                f"the output has {float(energy):.2f} of the target's energy, less than {self.least_share:g}: the "
                "network is learning silence; weigh envelopes and spectra more and the waveform less, or learn slower"
            )
