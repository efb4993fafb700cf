"""The refiner's network: dilated convolutions over the audio around an estimate, one logit a place and one for none."""

import torch
from torch import nn

from beatnet_align.hit_refiner import BEFORE_SAMPLES, POSITIONS, REACH_STEPS, ROWS, STRIDE_SAMPLES

STEP_SAMPLES = 2 * STRIDE_SAMPLES
"""The layers run at half the rate of the places, for half the work; each of their steps speaks for two places."""

STEM_TAPS = 13


class DilatedBlock(nn.Module):
    """Add what a dilated convolution finds.

    Args:
        channels: In and out.
        taps: Of the convolution, odd.
        dilation: Steps between taps.
    """

    def __init__(self, channels: int, taps: int, dilation: int) -> None:
        super().__init__()
        reach = dilation * (taps // 2)
        self.convolution = nn.Conv1d(channels, channels, taps, dilation=dilation, padding=reach, bias=False)
        self.normalise = nn.BatchNorm1d(channels)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """[hits, channels, steps], as given."""
        return steps + torch.relu(self.normalise(self.convolution(steps)))


class Refiner(nn.Module):
    """From windows to logits.

    Args:
        channels: Width of every layer.
        dilations: One block each; with 5 taps, 1 to 16 let every place see 5.6 ms to either side.
        taps: Of the blocks' convolutions, odd.
    """

    def __init__(self, channels: int = 32, dilations: tuple[int, ...] = (1, 2, 4, 8, 16), taps: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(ROWS, channels, STEM_TAPS, stride=STEP_SAMPLES, padding=STEM_TAPS // 2, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(DilatedBlock(channels, taps, dilation) for dilation in dilations))
        self.place = nn.Conv1d(channels, STEP_SAMPLES // STRIDE_SAMPLES, 1)
        self.nowhere = nn.Linear(2 * channels, 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Logits, [hits, POSITIONS + 1], of windows, [hits, ROWS, WINDOW_SAMPLES].

        Steps are centred on every fourth sample of the window, and the estimate lies at a step of its own.
        """
        steps = self.blocks(self.stem(windows))
        places = self.place(steps).transpose(1, 2).flatten(1)
        first = BEFORE_SAMPLES // STRIDE_SAMPLES - REACH_STEPS
        pooled = torch.cat([steps.mean(dim=2), steps.amax(dim=2)], dim=1)
        return torch.cat([places[:, first : first + POSITIONS], self.nowhere(pooled)], dim=1)
