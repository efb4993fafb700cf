"""What GridNet is made of: bodies that tell every hit of the others, by attention or by convolution over a raster."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from typing_extensions import override

from beatnet_align.groove import TICKS_PER_BEAT
from models.hitnet_parts import ResidualConvolution

SHORTEST_TURN_BEATS, LONGEST_TURN_BEATS = 0.5, 128.0


class HitAttention(nn.Module):
    """A transformer encoder over hits.

    Hits attend to each other wherever they are, with their distance in beats told by rotation (RoFormer, Su et al.
    2021), so that neither tempo nor density changes what a distance means.

    Args:
        width: Of a hit's state.
        layers: How many.
        heads: A layer; an even share of ``width`` each.
        dropout: Share of activations dropped in training.
    """

    def __init__(self, width: int = 96, layers: int = 4, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.ModuleList(_Block(width, heads, dropout) for _ in range(layers))

    @override
    def forward(self, x: torch.Tensor, beats: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        """[batch, hits, width], [batch, hits] and [batch, hits] or None, to the first's shape."""
        mask = None if present is None else present[:, None, None, :]
        for block in self.blocks:
            x = block(x, beats, mask)
        return x


class RasterConvolutions(nn.Module):
    """A micro-TCN over a raster of 24 places a beat, on which the hits are laid and from which they are read again.

    Args:
        width: Of a hit's state.
        dilations: One a block, in places of the raster; the default hears 21 beats to either side.
        kernel: Places.
        dropout: Share of activations dropped in training.
    """

    def __init__(
        self,
        width: int = 96,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128),
        kernel: int = 5,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.Sequential(*(ResidualConvolution(width, kernel, dilation, dropout) for dilation in dilations))

    @override
    def forward(self, x: torch.Tensor, beats: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        """[batch, hits, width], [batch, hits] and [batch, hits] or None, to the first's shape."""
        places = (beats - beats.amin(dim=1, keepdim=True)).mul(TICKS_PER_BEAT).round().long()
        where = places[..., None].expand_as(x)
        laid = x if present is None else x * present[..., None]
        raster = x.new_zeros(x.shape[0], int(places.max()) + 1, x.shape[2]).scatter_add(1, where, laid)
        heard = self.blocks(raster.transpose(1, 2)).transpose(1, 2)
        out: torch.Tensor = x + heard.gather(1, where)
        return out


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 3 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(3 * width, width)
        )
        turns = torch.logspace(0.0, 1.0, width // heads // 2, LONGEST_TURN_BEATS / SHORTEST_TURN_BEATS)
        self.register_buffer("turns_beats", SHORTEST_TURN_BEATS * turns, persistent=False)

    @override
    def forward(self, x: torch.Tensor, beats: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        batch, hits, width = x.shape
        rows = self.project(self.before(x)).reshape(batch, hits, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = rows.unbind(0)
        turns_beats = self.turns_beats
        assert isinstance(turns_beats, torch.Tensor)
        angles = 2.0 * torch.pi * beats[:, None, :, None] / turns_beats
        cosine, sine = angles.cos(), angles.sin()
        mixed = scaled_dot_product_attention(
            _turned(query, cosine, sine), _turned(key, cosine, sine), value, attn_mask=mask
        )
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, hits, width))
        out: torch.Tensor = x + self.feed(self.after(x))
        return out


def _turned(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
