"""SeamNet: how loud each voice of a join should be, in each band, every millisecond, in all microphones together.

Dilated convolutions over the knots with weights shared by all channels; what the channels of a join have in common is
told to each of them, so that any number in any order will do.
"""

import torch
from torch import nn

from beatnet_align.seams import BANDS, CONTEXT_KNOTS, ROWS, VOICES

MOST_NEPERS = 2.0
"""Ringing and hissing are changed by at most so much, 17 dB."""

INCOMING_AT_FIRST = -4.0
"""Logit of the later side's gain before anything is learned: .02."""


class SharedBlock(nn.Module):
    """Add what a dilated convolution finds in a channel, and what channels have in common.

    Args:
        width: In and out.
        taps: Of the convolution, odd.
        dilation: Knots between taps.
    """

    def __init__(self, width: int, taps: int, dilation: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, taps, dilation=dilation, padding=dilation * (taps // 2))
        self.common = nn.Conv1d(width, width, 1, bias=False)
        self.out = nn.Conv1d(width, width, 1)
        self.slope = nn.PReLU(width)

    def forward(self, knots: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
        """[channels, width, knots] and [channels, channels], as given."""
        mean = torch.einsum("ab,bwk->awk", neighbours, self.common(knots))
        found: torch.Tensor = self.out(self.slope(self.convolution(knots) + mean))
        return knots + found


class SeamNet(nn.Module):
    """From what is known of a join's channels to gains.

    Args:
        width: Of every layer.
        dilations: One block each.
        taps: Of their convolutions.
    """

    def __init__(self, width: int = 32, dilations: tuple[int, ...] = (1, 2, 4, 8, 16), taps: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv1d(ROWS, width, 1)
        self.blocks = nn.ModuleList(SharedBlock(width, taps, dilation) for dilation in dilations)
        self.gains = nn.Conv1d(width, VOICES * BANDS, 1)
        for parameter in self.gains.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
        """Gains of the voices, [channels, VOICES, BANDS, knots].

        Args:
            features: [channels, ROWS, CONTEXT_KNOTS + knots], see `beatnet_align.seams`; channels of several joins.
            neighbours: [channels, channels], rows add up to 1: the channels of the same join.
        """
        knots = self.stem(features)
        for block in self.blocks:
            knots = block(knots, neighbours)
        told = self.gains(knots)[..., CONTEXT_KNOTS:]
        ringing, hissing, incoming = told.unflatten(1, (VOICES, BANDS)).unbind(1)
        changed = (MOST_NEPERS * torch.tanh(voice / MOST_NEPERS) for voice in (ringing, hissing))
        return torch.stack([*(torch.exp(voice) for voice in changed), torch.sigmoid(incoming + INCOMING_AT_FIRST)], 1)
