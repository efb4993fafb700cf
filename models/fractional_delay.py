"""Delay audio by any part of a sample, with gradients to the delay: five kernels behind one call.

Every kernel takes audio [..., samples] and delays in samples that broadcast against [...], positive for later, and
gives audio of the same shape; zeros come in at the edges. A whole number of samples costs nothing in quality.
"""

from dataclasses import dataclass
from math import comb, pi
from typing import Protocol

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch.nn.functional import conv1d, pad

THIRAN_TAIL_SAMPLES = 256
"""The recursive part has died away by then, to below -120 dB for orders up to 5 (Laakso 1996 has its poles)."""


class FractionalDelay(Protocol):
    """A delay kernel."""

    def __call__(self, audio: torch.Tensor, delay_samples: torch.Tensor) -> torch.Tensor:
        """Delay [..., samples] by [...] samples."""
        ...


@dataclass(frozen=True)
class PhaseRamp:
    """Turn the phase of every frequency: exact for whatever is silent at its edges."""

    def __call__(self, audio: torch.Tensor, delay_samples: torch.Tensor) -> torch.Tensor:
        """See :class:`FractionalDelay`."""
        spectrum, cycles, size = _spectrum(audio, delay_samples, 0)
        turned = spectrum * torch.exp(-2j * pi * cycles * delay_samples.unsqueeze(-1))
        delayed: torch.Tensor = torch.fft.irfft(turned, size)[..., : audio.shape[-1]]
        return delayed


EXACT = PhaseRamp()
"""What is used where nobody asks for another one."""


@dataclass(frozen=True)
class WindowedSinc:
    """Sinc under a Kaiser window that moves with it.

    Attributes:
        taps: Odd.
        beta: Of the window; 33 taps at 9 keep a hi-hat to -80 dB.
    """

    taps: int = 33
    beta: float = 9.0

    def __call__(self, audio: torch.Tensor, delay_samples: torch.Tensor) -> torch.Tensor:
        """See :class:`FractionalDelay`."""
        whole = torch.round(delay_samples.detach())
        half = self.taps // 2
        places = torch.arange(-half, half + 1, device=audio.device) - (delay_samples - whole).unsqueeze(-1)
        inside = torch.clamp(1.0 - (places / (half + 0.5)) ** 2, min=1e-6)
        window = torch.special.i0(self.beta * inside.sqrt()) / float(np.i0(self.beta))
        return _convolved(audio, whole.long() - half, torch.sinc(places) * window)


@dataclass(frozen=True)
class Lagrange:
    """The polynomial through the nearest samples.

    Attributes:
        order: Odd; 1 is linear interpolation.
    """

    order: int = 3

    def __call__(self, audio: torch.Tensor, delay_samples: torch.Tensor) -> torch.Tensor:
        """See :class:`FractionalDelay`."""
        behind = self.order // 2
        whole = torch.floor(delay_samples.detach())
        place = delay_samples - whole + behind
        taps = []
        for tap in range(self.order + 1):
            others = [other for other in range(self.order + 1) if other != tap]
            taps.append(torch.stack([(place - other) / (tap - other) for other in others]).prod(dim=0))
        return _convolved(audio, whole.long() - behind, torch.stack(taps, dim=-1))


@dataclass(frozen=True)
class Thiran:
    """A recursive all-pass, flat in level, its delay maximally flat at low frequencies (Thiran 1971).

    It is applied in the frequency domain, where a recursion has a gradient that costs no loop over samples.

    Attributes:
        order: 1 to 5.
    """

    order: int = 3

    def __call__(self, audio: torch.Tensor, delay_samples: torch.Tensor) -> torch.Tensor:
        """See :class:`FractionalDelay`."""
        whole = torch.round(delay_samples.detach()) - self.order
        place = delay_samples - whole
        spectrum, cycles, size = _spectrum(audio, delay_samples, THIRAN_TAIL_SAMPLES)
        feedback = torch.zeros_like(spectrum) + 1.0
        for k in range(1, self.order + 1):
            factors = [(place - self.order + n) / (place - self.order + k + n) for n in range(self.order + 1)]
            coefficient = (-1) ** k * comb(self.order, k) * torch.stack(factors).prod(dim=0)
            feedback = feedback + coefficient.unsqueeze(-1) * torch.exp(-2j * pi * cycles * k)
        later = torch.exp(-2j * pi * cycles * (whole + self.order).unsqueeze(-1))
        passed = spectrum * later * feedback.conj() / feedback
        delayed: torch.Tensor = torch.fft.irfft(passed, size)[..., : audio.shape[-1]]
        return delayed


@dataclass(frozen=True)
class WetDryMix:
    """Dry where nothing is delayed, wet at the full span, by a sigmoid; in between both sound, as a doubled attack.

    Attributes:
        span_samples: Of the wet signal; larger than 0.
        steepness: Of the sigmoid over the span.
    """

    span_samples: int = 64
    steepness: float = 12.0

    def __call__(self, audio: torch.Tensor, delay_samples: torch.Tensor) -> torch.Tensor:
        """See :class:`FractionalDelay`."""
        wet = torch.sigmoid(self.steepness * (delay_samples / self.span_samples - 0.5)).unsqueeze(-1)
        spans = torch.full_like(delay_samples, self.span_samples).long()
        return (1.0 - wet) * audio + wet * _moved(audio, spans)


def _spectrum(
    audio: torch.Tensor, delay_samples: torch.Tensor, tail_samples: int
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Spectrum with room for the delay and a tail at either side, cycles a sample of its bins, size of the FFT."""
    furthest = int(torch.ceil(delay_samples.detach().abs().max()).item()) if delay_samples.numel() else 0
    size = int(next_fast_len(audio.shape[-1] + furthest + tail_samples + 1, real=True))
    size += size % 2
    cycles = torch.arange(size // 2 + 1, device=audio.device, dtype=audio.dtype) / size
    return torch.fft.rfft(audio, size), cycles, size


def _moved(audio: torch.Tensor, delays: torch.Tensor) -> torch.Tensor:
    """[..., samples], each row later by a whole number of samples."""
    samples = audio.shape[-1]
    rows = (audio[..., 0] + delays).shape
    places = torch.arange(samples, device=audio.device) - delays.expand(rows).unsqueeze(-1)
    inside = (places >= 0) & (places < samples)
    return audio.expand(*rows, samples).gather(-1, places.clamp(0, samples - 1)) * inside


def _convolved(audio: torch.Tensor, first_delays: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Each row with its own kernel [..., taps], whose first tap stands at a whole delay."""
    samples, taps = audio.shape[-1], kernels.shape[-1]
    rows = (audio[..., 0] + first_delays).shape
    flat = pad(audio.expand(*rows, samples).reshape(1, -1, samples), (taps - 1, taps - 1))
    weights = kernels.expand(*rows, taps).reshape(-1, 1, taps).flip(-1)
    filtered = conv1d(flat, weights, groups=weights.shape[0]).reshape(*rows, samples + taps - 1)
    return _moved(filtered, first_delays)[..., :samples]
