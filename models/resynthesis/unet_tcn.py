"""A hybrid: a U-Net that goes down to a low rate, where a TCN looks a second to either side at little cost."""

from collections.abc import Sequence
from math import prod

import torch
from torch import nn
from torch.nn.functional import avg_pool1d, pad
from typing_extensions import override

from models.resynthesis.conditioning import Told
from models.resynthesis.interface import Resynthesis
from models.resynthesis.waveform_parts import ChannelMean, DilatedStack, DryWet


class UNetTCN(Resynthesis):
    """The network.

    Args:
        sample_rate: In hertz.
        told: Which rows it is given, at the low rate.
        widths: Of the levels, from the full rate down; the last one is the TCN's.
        strides: From level to level, one fewer.
        dilations: Of the TCN.
    """

    def __init__(
        self,
        sample_rate: int = 22_050,
        told: Told = Told.BOTH,
        widths: Sequence[int] = (8, 24, 48, 64),
        strides: Sequence[int] = (4, 4, 4),
        dilations: Sequence[int] = (1, 3, 9, 27, 81, 243),
    ) -> None:
        super().__init__(sample_rate)
        self.told, self.strides = told, tuple(strides)
        steps = list(zip(widths[:-1], widths[1:], strides, strict=True))
        self.enter = nn.Conv1d(1, widths[0], 7, padding=3)
        self.downs = nn.ModuleList(
            nn.Sequential(nn.PReLU(a), nn.Conv1d(a, b, 2 * s + 1, stride=s, padding=s)) for a, b, s in steps
        )
        self.grid = nn.Conv1d(len(told.rows), widths[-1], 1)
        self.mean = ChannelMean(widths[-1])
        self.tcn = DilatedStack(widths[-1], widths[-1], 3, dilations)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.PReLU(b), nn.ConvTranspose1d(b, a, 2 * s, stride=s, padding=s // 2)) for a, b, s in steps
        )
        self.joins = nn.ModuleList(nn.Conv1d(2 * a, a, 5, padding=2) for a, _, _ in steps)
        self.out = DryWet(widths[0])

    @property
    @override
    def context_samples(self) -> tuple[int, int]:
        rate, reach = 1, 3
        for stride in self.strides:
            reach += rate * (stride + 4 + 2 * stride)
            rate *= stride
        reach += rate * (self.tcn.reach + 2)
        return reach, reach

    @override
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        channels, samples, step = audio.shape[1], audio.shape[-1], prod(self.strides)
        more = -samples % step
        x = self.enter(pad(audio, (0, more)).flatten(0, 1)[:, None])
        levels = []
        for down, stride in zip(self.downs, self.strides, strict=True):
            levels.append(x)
            x = down(x)[..., : x.shape[-1] // stride]
        told = avg_pool1d(pad(self.told.choose(conditioning), (0, more), mode="replicate"), step)
        x = self.mean(x + self.grid(told).repeat_interleave(channels, dim=0), channels)
        x = self.tcn(x, channels, x.new_zeros(len(x), 0))
        for up, join, level in reversed(list(zip(self.ups, self.joins, levels, strict=True))):
            x = join(torch.cat([up(x), level], dim=1))
        out: torch.Tensor = self.out(audio, x[..., :samples])
        return out
