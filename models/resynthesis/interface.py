"""What every network of this room keeps: take and grid in, aligned take out, of the same length and channels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Attention:
    """Where a network looked.

    Attributes:
        weights: [batch, queries, keys], not negative; what they lack to a sum of 1 over keys was given to no place.
        query_seconds: [batch, queries] in the output; NaN where a row of the batch has fewer.
        key_seconds: [keys] in the take.
    """

    weights: torch.Tensor
    query_seconds: torch.Tensor
    key_seconds: torch.Tensor


class Resynthesis(nn.Module, ABC):
    """A candidate.

    Each output sample depends on the input within ``context_samples`` of it only, so a take may be written block by
    block. Weights are shared by channels: any number of them will do, and their order does not matter.

    Attributes:
        sample_rate: In hertz, of the audio that it was trained on.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate

    @property
    @abstractmethod
    def context_samples(self) -> tuple[int, int]:
        """How far an output sample reaches back and ahead in the input."""

    @property
    def step_samples(self) -> int:
        """A block may begin at any multiple of this: strides, hops and frames fall into the same places then."""
        return 4096

    @abstractmethod
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        """Align.

        Args:
            audio: [batch, channels, samples], full scale ±1.
            conditioning: [batch, rows, samples] of :mod:`beatnet_align.conditioning`.

        Returns:
            [batch, channels, samples].
        """

    def attention(self, audio: torch.Tensor, conditioning: torch.Tensor) -> Attention | None:
        """Where the network looks in a take; None where it does not attend. Arguments as of :meth:`forward`."""
        return None
