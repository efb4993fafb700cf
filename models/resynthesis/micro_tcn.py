"""micro-TCN (Steinmetz and Reiss 2021), non-causal, with the grid as further input rows.

Wide dilations give few layers a second to either side. Where the original crops its causal output and so drops the
last sample, convolutions here are centred: no sample slips. FiLM from global parameters is kept for comparison; it
cannot say where a line is.
"""

from collections.abc import Sequence

import torch
from typing_extensions import override

from models.resynthesis.conditioning import Told, global_parameters
from models.resynthesis.interface import Resynthesis
from models.resynthesis.waveform_parts import DilatedStack, DryWet, with_grid

GLOBAL_PARAMETERS = 3


class MicroTCN(Resynthesis):
    """The network.

    Args:
        sample_rate: In hertz.
        told: Which rows it is given.
        width: Of every layer.
        kernel_samples: Odd.
        dilations: One a block.
        film: Whether tempo, swing and strength of the whole clip scale and shift every layer.
    """

    def __init__(
        self,
        sample_rate: int = 22_050,
        told: Told = Told.BOTH,
        width: int = 32,
        kernel_samples: int = 5,
        dilations: Sequence[int] = (1, 10, 100, 1_000, 10_000),
        *,
        film: bool = False,
    ) -> None:
        super().__init__(sample_rate)
        self.told, self.film = told, film
        parameters = GLOBAL_PARAMETERS if film else 0
        self.stack = DilatedStack(1 + len(told.rows), width, kernel_samples, dilations, parameters)
        self.out = DryWet(width)

    @property
    @override
    def context_samples(self) -> tuple[int, int]:
        return self.stack.reach, self.stack.reach

    @override
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        channels = audio.shape[1]
        parameters = global_parameters(conditioning, self.sample_rate) if self.film else audio.new_zeros(len(audio), 0)
        parameters = parameters.repeat_interleave(channels, dim=0)
        made = self.stack(with_grid(audio, self.told.choose(conditioning)), channels, parameters)
        out: torch.Tensor = self.out(audio, made)
        return out
