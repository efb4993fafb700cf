"""How far spliced audio is from the gridded target, with gradients: spectra, envelopes, waveforms.

Channels count alike whatever their levels, as long as the target lets them be heard: a silent target has no spectral
convergence (docs/evidence.md).
"""

from typing import NamedTuple

import torch

from models.join_judge import AUDIBLE, Judge, loudest_bins
from models.shift_recovery import compared_at, mistaken

ENVELOPES_SECONDS = (0.010, 0.0025)


class AudioDistances(NamedTuple):
    """Means over channels and time; 0 where nothing differs.

    Attributes:
        spectral: Multi-resolution STFT distance, spectral convergence and log magnitude (auraloss).
        envelope: Of envelopes of 10 and 2.5 ms, against their level.
        waveform: Against its level.
    """

    spectral: torch.Tensor
    envelope: torch.Tensor
    waveform: torch.Tensor


class AudioLosses:
    """Compares stretches of audio with their targets.

    Args:
        sample_rate: In hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._spectral = Judge()
        self._sample_rate = sample_rate

    def __call__(self, heard: torch.Tensor, wanted: torch.Tensor) -> AudioDistances | None:
        """Distances of [channels, samples] from the same of a target; None where that is silent."""
        audible = audible_channels(wanted)
        if not bool(audible.any()):
            return None
        heard, wanted = heard[audible], wanted[audible]
        spectral = self._spectral(heard, wanted)
        loudest = loudest_bins(wanted)
        heard, wanted = (heard / loudest)[None], (wanted / loudest)[None]
        envelopes = [
            mistaken(*(compared_at(one, width, self._sample_rate) for one in (heard, wanted))).mean()
            for width in ENVELOPES_SECONDS
        ]
        return AudioDistances(spectral, torch.stack(envelopes).mean(), mistaken(heard, wanted).mean())


def audible_channels(wanted: torch.Tensor) -> torch.Tensor:
    """[channels], whether each is loud enough against the loudest one to be compared."""
    levels = wanted.square().mean(dim=-1).sqrt()
    return levels > AUDIBLE * levels.amax().clamp(min=1e-9)
