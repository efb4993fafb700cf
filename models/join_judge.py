"""How far a join lies from the true continuation, and whether its microphones agree as they should."""

import numpy as np
import numpy.typing as npt
import torch
from auraloss.freq import MultiResolutionSTFTLoss

from beatnet_align.units import Float32Array, seconds_to_samples
from datagen.joins import Join

JUDGED_RATE_HZ = 44_100
FFT_SIZES = (1024, 512, 256)
AROUND_SECONDS = 0.010
"""Beyond the transition on either side, so that a click at its edge counts."""
FLOOR_DB = -60.0
AUDIBLE = 10.0 ** (-50.0 / 20.0)
"""Channels quieter than this against the loudest are left out."""


class Judge:
    """Compares an output with the target over a join's transition."""

    def __init__(self) -> None:
        sizes = list(FFT_SIZES)
        hops, floor = [size // 4 for size in sizes], 10.0 ** (FLOOR_DB / 10.0)
        self._distance = MultiResolutionSTFTLoss(sizes, hops, sizes, eps=floor)

    def distance(self, join: Join, out: Float32Array) -> float:
        """Multi-resolution STFT distance, mean of audible channels."""
        start, stop = judged(join)
        audible = audible_channels(join.target[:, start:stop])
        heard, wanted = (torch.from_numpy(audio[audible, start:stop]) for audio in (out, join.target))
        return float(self(heard, wanted))

    def __call__(self, heard: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """The same with gradients, of [channels, samples] that are all audible."""
        loudest = loudest_bins(wanted)
        distance: torch.Tensor = self._distance((heard / loudest)[None], (wanted / loudest)[None])
        return distance


def loudest_bins(audio: torch.Tensor) -> torch.Tensor:
    """[channels, 1], the greatest magnitude of each one's spectrogram."""
    return _stft(audio).abs().amax(dim=(1, 2)).clamp(min=1e-9).unsqueeze(-1)


def judged(join: Join) -> tuple[int, int]:
    """First sample, and the one behind the last: from before the transition to behind the attack's first moment."""
    margin = seconds_to_samples(AROUND_SECONDS, join.sample_rate)
    start = max(0, max(join.first, join.stop - abs(join.gap_samples) - margin) - FFT_SIZES[0] // 2)
    return start, min(join.target.shape[1], join.stop + margin)


def audible_channels(target: Float32Array) -> npt.NDArray[np.bool_]:
    """Which rows of [channels, samples] are not much quieter than the loudest."""
    levels = np.sqrt(np.mean(target**2, axis=1))
    return np.asarray(levels > AUDIBLE * levels.max())


def phase_agreement(join: Join, out: Float32Array) -> float:
    """How well the phases that microphones have to each other agree with the target's, see :func:`mean_cosine`."""
    start, stop = judged(join)
    audible = audible_channels(join.target[:, start:stop])
    return mean_cosine(out[audible, start:stop], join.target[audible, start:stop])


def mean_cosine(output: Float32Array, target: Float32Array) -> float:
    """Mean cosine between the phases that microphones have to each other in output and target; NaN for one channel.

    Args:
        output: [channels, samples], more than 256.
        target: The same.
    """
    heard, wanted = (_stft(torch.from_numpy(audio)) for audio in (output, target))
    if len(heard) < 2:
        return np.nan
    first, second = torch.triu_indices(len(heard), len(heard), 1)
    crossed = [spectra[first] * spectra[second].conj() for spectra in (heard, wanted)]
    product = crossed[0] * crossed[1].conj()
    weight = product.abs().sqrt()
    return float((weight * torch.cos(torch.angle(product))).sum() / weight.sum().clamp(min=1e-20))


def _stft(audio: torch.Tensor) -> torch.Tensor:
    size = FFT_SIZES[1]
    window = torch.hann_window(size, dtype=audio.dtype, device=audio.device)
    return torch.stft(audio, size, size // 4, window=window, return_complex=True)
