"""Cross-attention from the metronome's grid to the take: a differentiable way to do alignment.

The queries are the lines of the grid, the keys are blocks of the take. Lines look at the frames around them and at each
other, in layers; what the last one gives its attention to is where its stroke is, and from there its audio is read.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from typing_extensions import override

from models.resynthesis.conditioning import Told
from models.resynthesis.line_features import BLOCKS_PER_FRAME, FRAME_SAMPLES
from models.resynthesis.line_finder import (
    DEVIATION_BINS,
    IMPOSSIBLE,
    Sightings,
    TakeListener,
    first_blocks,
    lateness,
    window_blocks,
)
from models.resynthesis.line_network import LineNetwork, Look
from models.resynthesis.segments import segments, spliced_softly, written

LOOK_SECONDS, NEIGHBOUR_SECONDS = 0.25, 1.0
"""How far a line looks for frames, so that it also hears its neighbours' strokes, and for other lines."""

TIME_STEP_SECONDS = 0.008
LINE_STEPS = 16
KEY_WIDTH = 24
"""Of the last attention's queries and keys."""


class GridAttention(LineNetwork):
    """The network.

    Args:
        sample_rate: In hertz.
        told: What it knows of the grid.
        width: Of frames and lines.
        stem_width: Of a channel.
        dilations: Of the few convolutions over the take that make keys.
        layers: Of the transformer over lines.
        heads: A layer.
    """

    def __init__(
        self,
        sample_rate: int = 22_050,
        told: Told = Told.BOTH,
        width: int = 64,
        stem_width: int = 48,
        dilations: Sequence[int] = (1, 2, 4, 1),
        *,
        layers: int = 3,
        heads: int = 4,
    ) -> None:
        super().__init__(TakeListener(sample_rate, told, width, stem_width, dilations))
        self.enter = nn.Linear(width, width)
        self.layers = nn.ModuleList(LineLayer(width, heads) for _ in range(layers))
        self.leave = nn.Sequential(nn.RMSNorm(width), nn.Linear(width, KEY_WIDTH + DEVIATION_BINS + 1))
        self.keys = nn.Conv1d(width, BLOCKS_PER_FRAME * KEY_WIDTH, 3, padding=1)
        self.offsets = nn.Conv1d(width, BLOCKS_PER_FRAME, 3, padding=1)

    @property
    @override
    def context_samples(self) -> tuple[int, int]:
        back, ahead = super().context_samples
        more = len(self.layers) * round((LOOK_SECONDS + NEIGHBOUR_SECONDS) * self.sample_rate)
        return back + more, ahead + more

    @override
    def recognise(self, frames: torch.Tensor, places: torch.Tensor) -> Look:
        lines = self._lines(frames, places)
        query, deviations, none = self.leave(lines).split((KEY_WIDTH, DEVIATION_BINS, 1), dim=-1)
        blocks, inside = window_blocks(places, self.sample_rate, frames.shape[-1])
        keys = self.keys(frames).reshape(len(frames), BLOCKS_PER_FRAME, KEY_WIDTH, -1)
        keys = keys.permute(0, 2, 3, 1).flatten(2)
        scores = (query @ keys * KEY_WIDTH**-0.5).gather(2, blocks)
        below, share = lateness(blocks, places, self.sample_rate)
        low, high = (deviations.gather(2, below + k) for k in (0, 1))
        scores = scores + low + share * (high - low)
        offsets = self.offsets(frames).transpose(1, 2).flatten(1)
        offsets = offsets.gather(1, blocks.flatten(1)).view_as(scores)
        logits = torch.cat([scores.masked_fill(~inside, IMPOSSIBLE), none], dim=-1)
        return Look(frames, Sightings(places, first_blocks(places, self.sample_rate), logits, offsets + 0.5))

    @override
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        onsets, shifts, kept = self.moves(self.look(audio, conditioning).sightings, conditioning)
        return written(audio, segments(onsets, shifts.round(), kept, self.sample_rate))

    @override
    def moved_softly(
        self, audio: torch.Tensor, conditioning: torch.Tensor, seen: Look, kept: torch.Tensor, softness: float
    ) -> torch.Tensor:
        onsets, shifts, _ = self.moves(seen.sightings, conditioning, softness)
        return spliced_softly(audio, segments(onsets, shifts, kept, self.sample_rate))

    def _lines(self, frames: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """[batch, lines, width]."""
        there, place = places.isfinite(), places.nan_to_num()
        at = (place / FRAME_SAMPLES).to(torch.int64).clamp(0, frames.shape[-1] - 1)
        lines: torch.Tensor = self.enter(frames.gather(2, at[:, None].expand(-1, frames.shape[1], -1)).transpose(1, 2))
        middles = (torch.arange(frames.shape[-1], device=frames.device) + 0.5) * FRAME_SAMPLES
        apart_seconds = (middles[None, None, :] - place[:, :, None]) / self.sample_rate
        steps = torch.arange(place.shape[1], device=frames.device)
        steps = (steps[None, :] - steps[:, None]).clamp(-LINE_STEPS, LINE_STEPS) + LINE_STEPS
        near = (place[:, None, :] - place[:, :, None]).abs() <= NEIGHBOUR_SECONDS * self.sample_rate
        for layer in self.layers:
            lines = layer(lines, frames.transpose(1, 2), apart_seconds, steps, near & there[:, None, :])
        return lines


class LineLayer(nn.Module):
    """Lines look at frames, then at each other, then think.

    Args:
        width: Of lines and frames.
        heads: Of both attentions.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_frames, self.before_lines, self.before_feed = (nn.RMSNorm(width) for _ in range(3))
        self.frame_norm = nn.RMSNorm(width)
        self.frame_query, self.frame_out = nn.Linear(width, width), nn.Linear(width, width)
        self.frame_rows = nn.Linear(width, 2 * width)
        self.line_rows, self.line_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.time_bias = nn.Parameter(torch.zeros(heads, 2 * round(LOOK_SECONDS / TIME_STEP_SECONDS) + 1))
        self.step_bias = nn.Parameter(torch.zeros(heads, 2 * LINE_STEPS + 1))

    def forward(
        self,
        lines: torch.Tensor,
        frames: torch.Tensor,
        apart_seconds: torch.Tensor,
        steps: torch.Tensor,
        near: torch.Tensor,
    ) -> torch.Tensor:
        """One layer.

        Args:
            lines: [batch, lines, width].
            frames: [batch, frames, width].
            apart_seconds: [batch, lines, frames], how much later the frame is.
            steps: [lines, lines], number of each pair's bias.
            near: [batch, lines, lines], which may look at which.
        """
        bins = self.time_bias.shape[1]
        at = (apart_seconds / TIME_STEP_SECONDS).round().to(torch.int64) + bins // 2
        seen = (at >= 0) & (at < bins)
        bias = self.time_bias[:, at.clamp(0, bins - 1)].transpose(0, 1).masked_fill(~seen[:, None], IMPOSSIBLE)
        key, value = self._heads(self.frame_rows(self.frame_norm(frames)), 2)
        (query,) = self._heads(self.frame_query(self.before_frames(lines)), 1)
        lines = lines + self.frame_out(self._mixed(query, key, value, bias))
        query, key, value = self._heads(self.line_rows(self.before_lines(lines)), 3)
        bias = self.step_bias[:, steps][None].masked_fill(~near[:, None], IMPOSSIBLE)
        lines = lines + self.line_out(self._mixed(query, key, value, bias))
        out: torch.Tensor = lines + self.feed(self.before_feed(lines))
        return out

    def _heads(self, rows: torch.Tensor, parts: int) -> tuple[torch.Tensor, ...]:
        """[batch, heads, n, width of a head] for each part of [batch, n, parts × width]."""
        return rows.reshape(*rows.shape[:2], parts, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)

    @staticmethod
    def _mixed(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2)
        # Copied, not viewed: kernels differ in how they lay it out, and an exported graph must fit all.
        return mixed.clone(memory_format=torch.contiguous_format).flatten(2)
