"""The TCN of steerable-nafx (Steinmetz and Reiss 2022), non-causal: very few, very long kernels."""

from models.resynthesis.conditioning import Told
from models.resynthesis.micro_tcn import MicroTCN


class SteerableTCN(MicroTCN):
    """Five blocks of 13 taps, dilations growing eightfold, eight wide: 1.27 s either way at 22.05 kHz.

    Args:
        sample_rate: In hertz.
        told: Which rows it is given.
        width: Of every layer.
        kernel_samples: Odd.
        blocks: How many.
        growth: Of the dilation, from block to block.
    """

    def __init__(
        self,
        sample_rate: int = 22_050,
        told: Told = Told.BOTH,
        width: int = 8,
        kernel_samples: int = 13,
        blocks: int = 5,
        growth: int = 8,
    ) -> None:
        super().__init__(sample_rate, told, width, kernel_samples, tuple(growth**n for n in range(blocks)))
