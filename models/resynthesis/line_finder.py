"""Find for every line of the grid where in the take the stroke is that was meant for it: what several renderers share.

Every channel is heard by the same stem, channels hear each other, and one sequence of them all is told where the grid
is. Scorers turn that into one distribution a line: over the blocks of 0.7 ms around it, and over there being no stroke.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from models.hitnet_parts import AttentionPool, ChannelMixing, ChannelStem, DilatedConvolutions, FrameNorm
from models.resynthesis.conditioning import Told
from models.resynthesis.line_features import (
    BLOCK_SAMPLES,
    BLOCKS_PER_FRAME,
    FEATURES,
    FRAME_SAMPLES,
    LEVEL_REACH_FRAMES,
    grid_frames,
    line_features,
)

REACH_SECONDS = 0.120
"""How far from its line a stroke is looked for: 99 of 100 generated strokes are nearer."""

RARE_LOGIT = -4.0
DEVIATION_SECONDS = 0.008
DEVIATION_BINS = 2 * round(REACH_SECONDS / DEVIATION_SECONDS) + 1
"""Steps of what is known about how far a stroke is from its line, and how many."""

IMPOSSIBLE = -1e4


class Sightings(NamedTuple):
    """What was seen around each line, all [batch, lines, ...].

    Attributes:
        places: In samples; NaN where a row has fewer lines.
        first_blocks: Number of the first block of each window.
        logits: [batch, lines, window + 1]: the stroke begins in this block of the window, or there is none.
        offsets: [batch, lines, window]: how far into its block a stroke that begins there does, in blocks.
    """

    places: torch.Tensor
    first_blocks: torch.Tensor
    logits: torch.Tensor
    offsets: torch.Tensor

    def onsets(self, softness: float | None = None) -> torch.Tensor:
        """The likeliest onset of each line's stroke, whether there is one or not, [batch, lines] in samples.

        Args:
            softness: Where given, the mean over the three blocks around it, weighed with logits over this; it has
                gradients.
        """
        window = self.logits[..., :-1]
        best = window.argmax(dim=-1, keepdim=True)
        near = (
            best
            if softness is None
            else (best + torch.arange(-1, 2, device=best.device)).clamp(0, window.shape[-1] - 1)
        )
        blocks = self.first_blocks[..., None] + near + self.offsets.gather(-1, near)
        if softness is None:
            return BLOCK_SAMPLES * blocks[..., 0]
        weights = (window.gather(-1, near) / softness).softmax(dim=-1)
        return BLOCK_SAMPLES * (weights * blocks).sum(dim=-1)

    def chances(self) -> torch.Tensor:
        """How likely each line has a stroke, [batch, lines]."""
        return torch.where(self.places.isfinite(), 1.0 - self.logits.softmax(dim=-1)[..., -1], 0.0)


class TakeListener(nn.Module):
    """From audio and conditioning to one sequence of frames.

    Args:
        sample_rate: In hertz.
        told: What it knows of the grid.
        width: Of the take's sequence.
        stem_width: Of a channel.
        dilations: Of the convolutions over the take.
    """

    def __init__(
        self,
        sample_rate: int,
        told: Told,
        width: int = 80,
        stem_width: int = 48,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 1),
    ) -> None:
        super().__init__()
        self.sample_rate, self.told, self.width, self.stem_width = sample_rate, told, width, stem_width
        self.stem = ChannelStem(FEATURES, stem_width, (1, 2, 4), roles=1)
        self.mixing = ChannelMixing(stem_width)
        self.pool = AttentionPool(stem_width, width)
        self.grid = nn.Conv1d(len(told.rows), width, 3, padding=1)
        self.body = DilatedConvolutions(width, dilations)
        self.reach_frames = 2 + sum((1, 2, 4)) + 1 + max(sum(dilations), 1)

    @property
    def context_samples(self) -> int:
        """How far a frame reaches to either side."""
        return (self.reach_frames + LEVEL_REACH_FRAMES + 4) * FRAME_SAMPLES

    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        """[batch, width, frames] of [batch, channels, samples] and [batch, rows, samples]."""
        rows = line_features(audio.flatten(0, 1), self.sample_rate)
        return self.follow(rows.reshape(*audio.shape[:2], *rows.shape[1:]), grid_frames(conditioning))

    def follow(self, features: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        """The same of [batch, channels, FEATURES, frames] and [batch, rows, frames]."""
        batch, channels = features.shape[:2]
        roles = torch.zeros(batch * channels, dtype=torch.int64, device=features.device)
        heard = self.stem(features.flatten(0, 1), roles).reshape(batch, channels, -1, features.shape[-1])
        present = torch.ones(batch, channels, dtype=torch.bool, device=features.device)
        take = self.pool(self.mixing(heard, present), present)
        out: torch.Tensor = self.body(take + self.grid(self.told.choose(grid)))
        return out


class ConvolutionalScorer(nn.Module):
    """Scores without attention: whether a stroke begins in a block, and how far one in that frame is from its line.

    Args:
        width: Of the frames.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Sequential(
            FrameNorm(width),
            nn.Conv1d(width, width, 3, padding=1),
            nn.PReLU(width),
            nn.Conv1d(width, 2 * BLOCKS_PER_FRAME + DEVIATION_BINS + 1, 1),
        )

    def forward(self, frames: torch.Tensor, places: torch.Tensor, sample_rate: int) -> Sightings:
        """See :class:`Sightings`; ``frames`` is [batch, width, frames] and ``places`` [batch, lines]."""
        starts, offsets, deviations, none = self.head(frames).split(
            (BLOCKS_PER_FRAME, BLOCKS_PER_FRAME, DEVIATION_BINS, 1), dim=1
        )
        blocks, inside = window_blocks(places, sample_rate, frames.shape[-1])
        flat = blocks.flatten(1)
        start = starts.transpose(1, 2).flatten(1).gather(1, flat).reshape(blocks.shape)
        offset = offsets.transpose(1, 2).flatten(1).gather(1, flat).reshape(blocks.shape)
        below, share = lateness(blocks, places, sample_rate)
        by_frame = deviations.transpose(1, 2).flatten(1)
        at = (blocks // BLOCKS_PER_FRAME) * DEVIATION_BINS + below
        low, high = (by_frame.gather(1, (at + k).flatten(1)).reshape(blocks.shape) for k in (0, 1))
        score = start + low + share * (high - low)
        line_frames = (places.nan_to_num() / FRAME_SAMPLES).to(torch.int64).clamp(0, frames.shape[-1] - 1)
        nothing = none[:, 0].gather(1, line_frames)
        logits = torch.cat([score.masked_fill(~inside, IMPOSSIBLE), nothing[..., None]], dim=-1)
        return Sightings(places, first_blocks(places, sample_rate), logits, offset + 0.5)


def first_blocks(places: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Number of the first block of each line's window, [batch, lines]; below 0 where the take begins later."""
    reach = round(REACH_SECONDS * sample_rate / BLOCK_SAMPLES)
    return (places.nan_to_num() / BLOCK_SAMPLES).floor().to(torch.int64) - reach


def window_blocks(places: torch.Tensor, sample_rate: int, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The blocks around each line, [batch, lines, window], those outside replaced; and which are inside."""
    reach = round(REACH_SECONDS * sample_rate / BLOCK_SAMPLES)
    numbers = first_blocks(places, sample_rate)[..., None] + torch.arange(2 * reach + 1, device=places.device)
    most = frames * BLOCKS_PER_FRAME - 1
    return numbers.clamp(0, most), (numbers >= 0) & (numbers <= most)


def lateness(blocks: torch.Tensor, places: torch.Tensor, sample_rate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """How late each block of the windows is: the number of a step, and the share of the way to the next one."""
    late_seconds = ((blocks + 0.5) * BLOCK_SAMPLES - places.nan_to_num()[..., None]) / sample_rate
    steps = (late_seconds / DEVIATION_SECONDS + DEVIATION_BINS // 2).clamp(0.0, DEVIATION_BINS - 1.001)
    below = steps.floor()
    return below.to(torch.int64), steps - below
