"""How far spliced audio is from the gridded target, with gradients: spectra, envelopes, waveforms.

Channels count alike whatever their levels, as long as the target lets them be heard: a silent target has no spectral
convergence (EVIDENCE.md).
"""

from typing import NamedTuple

import torch
from auraloss.freq import MultiResolutionSTFTLoss

from models.join_figures import AUDIBLE, FFT_SIZES, FLOOR_DB
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
        sizes = list(FFT_SIZES)
        hops, floor = [size // 4 for size in sizes], 10.0 ** (FLOOR_DB / 10.0)
        self._spectral = MultiResolutionSTFTLoss(sizes, hops, sizes, eps=floor)
        self._sample_rate = sample_rate

    def __call__(self, heard: torch.Tensor, wanted: torch.Tensor) -> AudioDistances | None:
        """Distances of [channels, samples] from the same of a target; None where that is silent."""
        audible = audible_channels(wanted)
        if not bool(audible.any()):
            return None
        heard, wanted = heard[audible], wanted[audible]
        # At one level, so that the floor under spectra lies equally deep under each of them.
        loudest = _loudest_bins(wanted)
        heard, wanted = (heard / loudest)[None], (wanted / loudest)[None]
        envelopes = [
            mistaken(*(compared_at(one, width, self._sample_rate) for one in (heard, wanted))).mean()
            for width in ENVELOPES_SECONDS
        ]
        spectral: torch.Tensor = self._spectral(heard, wanted)
        return AudioDistances(spectral, torch.stack(envelopes).mean(), mistaken(heard, wanted).mean())


def audible_channels(wanted: torch.Tensor) -> torch.Tensor:
    """[channels], whether each is loud enough against the loudest one to be compared."""
    levels = wanted.square().mean(dim=-1).sqrt()
    return levels > AUDIBLE * levels.amax().clamp(min=1e-9)


def _loudest_bins(audio: torch.Tensor) -> torch.Tensor:
    """[channels, 1], the greatest magnitude of each one's spectrogram."""
    size = FFT_SIZES[1]
    window = torch.hann_window(size, dtype=audio.dtype, device=audio.device)
    spectra = torch.stft(audio, size, size // 4, window=window, return_complex=True)
    return spectra.abs().amax(dim=(1, 2)).clamp(min=1e-9).unsqueeze(-1)
