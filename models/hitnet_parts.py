"""Parts of HitNet: what listens to one channel, what passes between channels, and what follows the take over time.

Everything is [batch or batch × channels, width, frames]; frames keep their number, and no part looks at a whole
take at once, so a network trained on seconds runs on blocks of any length.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from typing_extensions import override


class FrameNorm(nn.Module):
    """Scale each frame to unit root mean square over the width (Zhang and Sennrich 2019), with a learned gain.

    Frame by frame, since statistics over time would depend on where a block begins.

    Args:
        width: Of input and output.
        gained: Whether there is a gain.
    """

    def __init__(self, width: int, *, gained: bool = True) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width, 1)) if gained else None

    @override
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = x * torch.rsqrt((x * x).mean(dim=-2, keepdim=True) + 1e-6)  # a product exports as one, a square not
        return normed if self.gain is None else normed * self.gain


class ResidualConvolution(nn.Module):
    """Norm, dilated convolution, PReLU, pointwise convolution, added to the input: a micro-TCN block, non-causal."""

    def __init__(self, width: int, kernel_frames: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            FrameNorm(width),
            nn.Conv1d(width, width, kernel_frames, padding=dilation * (kernel_frames // 2), dilation=dilation),
            nn.PReLU(width),
            nn.Dropout(dropout),
            nn.Conv1d(width, width, 1),
        )

    @override
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + self.layers(x)
        return out


class DilatedConvolutions(nn.Module):
    """A TCN over the take.

    Args:
        width: Of input and output.
        dilations: One a block.
        kernel_frames: Odd.
        dropout: Share of activations dropped in training.
    """

    def __init__(
        self,
        width: int = 96,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 1),
        kernel_frames: int = 3,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.Sequential(*(ResidualConvolution(width, kernel_frames, d, dropout) for d in dilations))

    @override
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.blocks(x)
        return out


class NearbyAttention(nn.Module):
    """A small transformer encoder over frames: attention within a reach, fainter with distance.

    Args:
        width: Of input and output.
        layers: How many.
        heads: A layer.
        reach_frames: How far attention looks either way.
        dropout: Share of activations dropped in training.
    """

    def __init__(
        self, width: int = 96, layers: int = 4, heads: int = 4, reach_frames: int = 64, dropout: float = 0.05
    ) -> None:
        super().__init__()
        self.width, self.heads, self.reach_frames = width, heads, reach_frames
        self.blocks = nn.ModuleList(_AttentionBlock(width, heads, dropout) for _ in range(layers))

    @override
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = self._distance_bias(x)
        for block in self.blocks:
            x = block(x, bias)
        return x

    def _distance_bias(self, x: torch.Tensor) -> torch.Tensor:
        """Linear in the distance, with another slope a head (ALiBi, Press et al. 2022): [heads, frames, frames]."""
        place = torch.arange(x.shape[-1], device=x.device)
        distance = (place[None, :] - place[:, None]).abs()
        slopes = 2.0 ** -torch.arange(1, self.heads + 1, device=x.device)
        bias = -slopes[:, None, None] * distance.to(x.dtype)
        return bias.masked_fill(distance > self.reach_frames, float("-inf"))


class _AttentionBlock(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.after = FrameNorm(width), FrameNorm(width)
        self.project = nn.Conv1d(width, 3 * width, 3, padding=1)
        self.out = nn.Conv1d(width, width, 1)
        self.feed = nn.Sequential(
            nn.Conv1d(width, 2 * width, 1), nn.PReLU(2 * width), nn.Dropout(dropout), nn.Conv1d(2 * width, width, 1)
        )

    @override
    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        batch, width, frames = x.shape
        rows = self.project(self.norm(x)).reshape(batch, 3, self.heads, -1, frames).transpose(-1, -2)
        query, key, value = rows.unbind(1)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias[None].to(query.dtype))
        x = x + self.out(mixed.transpose(-1, -2).reshape(batch, width, frames))
        out: torch.Tensor = x + self.feed(self.after(x))
        return out


class ChannelStem(nn.Module):
    """Listens to one channel; all channels share its weights.

    Args:
        features: Of a frame.
        width: Of the output.
        dilations: One a block.
        roles: How many roles a channel may have.
    """

    def __init__(self, features: int, width: int, dilations: Sequence[int], roles: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(features, width, 5, padding=2)
        self.role = nn.Embedding(roles, width)
        self.blocks = nn.Sequential(*(ResidualConvolution(width, 3, d, 0.0) for d in dilations))

    def forward(self, features: torch.Tensor, roles: torch.Tensor) -> torch.Tensor:
        """[rows, features, frames] and [rows] to [rows, width, frames]."""
        out: torch.Tensor = self.blocks(self.enter(features) + self.role(roles)[:, :, None])
        return out


class ChannelMixing(nn.Module):
    """Tells every channel what the others hear, whatever their number and order: their mean and their loudest.

    Args:
        width: Of a channel.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = FrameNorm(width)
        self.own = nn.Conv1d(width, width, 3, padding=1)
        self.others = nn.Conv1d(2 * width, width, 1)
        self.out = nn.Sequential(nn.PReLU(width), nn.Conv1d(width, width, 1))

    def forward(self, x: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        """[batch, channels, width, frames] and [batch, channels], or None, to the first's shape."""
        batch, channels, width, frames = x.shape
        normed = self.norm(x)
        pooled = torch.cat(mean_and_max(normed, present), dim=1)
        own = self.own(normed.reshape(batch * channels, width, frames)).reshape(batch, channels, width, frames)
        mixed = own + self.others(pooled)[:, None]
        out: torch.Tensor = x + self.out(mixed.reshape(batch * channels, width, frames)).reshape(x.shape)
        return out


class AttentionPool(nn.Module):
    """One sequence of all channels: a mean that the network weighs frame by frame, and the maximum.

    Args:
        width: Of a channel.
        out_width: Of the take.
    """

    def __init__(self, width: int, out_width: int) -> None:
        super().__init__()
        self.norm = FrameNorm(width)
        self.score = nn.Conv1d(width, 1, 1)
        self.out = nn.Conv1d(2 * width, out_width, 1)

    def forward(self, x: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        """[batch, channels, width, frames] and [batch, channels], or None, to [batch, out_width, frames]."""
        batch, channels, width, frames = x.shape
        normed = self.norm(x)
        scores = self.score(normed.reshape(batch * channels, width, frames)).reshape(batch, channels, 1, frames)
        if present is not None:
            scores = scores.masked_fill(~present[:, :, None, None], -1e4)
        weighted = (normed * scores.softmax(dim=1)).sum(dim=1)
        out: torch.Tensor = self.out(torch.cat([weighted, mean_and_max(normed, present)[1]], dim=1))
        return out


def mean_and_max(x: torch.Tensor, present: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and maximum over the channels that are there: [batch, channels, width, frames] to [batch, width, frames].

    Args:
        x: What channels say.
        present: [batch, channels]; None where all of them are there.
    """
    if present is None:
        return x.mean(dim=1), x.amax(dim=1)
    mask = present[:, :, None, None]
    total = x.masked_fill(~mask, 0.0).sum(dim=1)
    mean = total / present.sum(dim=1)[:, None, None]
    return mean, x.masked_fill(~mask, -1e4).amax(dim=1)
