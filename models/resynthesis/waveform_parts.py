"""Parts of the networks that write waveforms: channels share their weights, and hear the mean of all channels.

Everything is [batch × channels, width, samples]. Convolutions are centred and keep the length, so an output sample
stands where its input sample does: the skip path of no block slips.
"""

from collections.abc import Sequence

import torch
from torch import nn


class ChannelMean(nn.Module):
    """Adds to every channel what it makes of the mean of all of them.

    Args:
        width: Of a channel.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Conv1d(width, width, 1, bias=False)

    def forward(self, x: torch.Tensor, channels: int) -> torch.Tensor:
        """``channels`` are those of one take."""
        rows = x.reshape(-1, channels, *x.shape[1:])
        told: torch.Tensor = self.project(rows.mean(dim=1))
        return (rows + told[:, None]).flatten(0, 1)


class DilatedBlock(nn.Module):
    """Dilated convolution, optional FiLM (Perez et al. 2018), PReLU, added to a pointwise path; a micro-TCN block.

    Args:
        width_in: Of the input.
        width: Of the output.
        kernel_samples: Odd.
        dilation: Samples between taps.
        parameters: How many global parameters scale and shift the convolution's output; 0 for none.
    """

    def __init__(self, width_in: int, width: int, kernel_samples: int, dilation: int, parameters: int = 0) -> None:
        super().__init__()
        self.reach = dilation * (kernel_samples // 2)
        self.convolution = nn.Conv1d(width_in, width, kernel_samples, padding=self.reach, dilation=dilation)
        self.film = nn.Linear(parameters, 2 * width) if parameters else None
        self.activation = nn.PReLU(width)
        self.skip = nn.Conv1d(width_in, width, 1, bias=False)

    def forward(self, x: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
        """``parameters`` is [rows, parameters]."""
        made = self.convolution(x)
        if self.film is not None:
            scale, shift = self.film(parameters)[..., None].chunk(2, dim=1)
            made = made * (1.0 + scale) + shift
        out: torch.Tensor = self.activation(made) + self.skip(x)
        return out


class DilatedStack(nn.Module):
    """Blocks whose dilation grows.

    Args:
        width_in: Of the input.
        width: Of every block.
        kernel_samples: Odd.
        dilations: One a block.
        parameters: Global parameters of every block.
    """

    def __init__(
        self, width_in: int, width: int, kernel_samples: int, dilations: Sequence[int], parameters: int = 0
    ) -> None:
        super().__init__()
        widths = [width_in, *(width for _ in dilations)]
        self.blocks = nn.ModuleList(
            DilatedBlock(before, width, kernel_samples, dilation, parameters)
            for before, dilation in zip(widths[:-1], dilations, strict=True)
        )
        self.means = nn.ModuleList(ChannelMean(width) for _ in dilations)
        self.reach = sum(dilation * (kernel_samples // 2) for dilation in dilations)

    def forward(self, x: torch.Tensor, channels: int, parameters: torch.Tensor) -> torch.Tensor:
        """[rows, width, samples] of [rows, width_in, samples]."""
        for block, mean in zip(self.blocks, self.means, strict=True):
            x = mean(block(x, parameters), channels)
        return x


class DryWet(nn.Module):
    """The take times a learned gain, and what the network writes: at first nothing, so that it begins as identity.

    Args:
        width: Of what the network has made.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dry = nn.Parameter(torch.ones(1))
        self.wet = nn.Conv1d(width, 1, 1)
        nn.init.zeros_(self.wet.weight)
        if self.wet.bias is not None:
            nn.init.zeros_(self.wet.bias)

    def forward(self, audio: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """[batch, channels, samples] of the same and [batch × channels, width, samples]."""
        out: torch.Tensor = self.dry * audio + self.wet(made).view_as(audio)
        return out


def with_grid(audio: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    """Every channel beside what is told of the grid, [batch × channels, 1 + rows, samples].

    Args:
        audio: [batch, channels, samples].
        told: [batch, rows, samples].
    """
    rows = told[:, None].expand(-1, audio.shape[1], -1, -1)
    return torch.cat([audio[:, :, None], rows], dim=2).flatten(0, 1)
