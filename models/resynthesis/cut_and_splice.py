"""Cut and splice: convolutions decide for each line of the grid which stroke goes there, and how it is cut out.

Nothing is synthesised: the take is cut just before each stroke and moved by whole samples, all channels alike. Training
hears the same joins through the splice with gradients.
"""

from collections.abc import Sequence

import torch
from torch import nn
from typing_extensions import override

from models.hitnet_parts import FrameNorm
from models.resynthesis.conditioning import Told
from models.resynthesis.line_features import FRAME_SAMPLES
from models.resynthesis.line_finder import ConvolutionalScorer, TakeListener
from models.resynthesis.line_network import LineNetwork, Look
from models.resynthesis.segments import FADE_SECONDS, GUARD_SECONDS, segments, spliced_softly, written

MOST_GUARD_SECONDS, MOST_FADE_SECONDS = 0.004, 0.020


class CutAndSplice(LineNetwork):
    """The network.

    Args:
        sample_rate: In hertz.
        told: What it knows of the grid.
        width: Of the take's sequence.
        stem_width: Of a channel.
        dilations: Of the convolutions over the take.
    """

    def __init__(
        self,
        sample_rate: int = 22_050,
        told: Told = Told.BOTH,
        width: int = 80,
        stem_width: int = 48,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 1),
    ) -> None:
        super().__init__(TakeListener(sample_rate, told, width, stem_width, dilations))
        self.scorer = ConvolutionalScorer(width)
        self.cuts = nn.Sequential(FrameNorm(width), nn.Conv1d(width, 2, 3, padding=1))
        last = self.cuts[-1]
        assert isinstance(last, nn.Conv1d) and last.bias is not None
        nn.init.zeros_(last.weight)
        shares = torch.tensor([GUARD_SECONDS / MOST_GUARD_SECONDS, FADE_SECONDS / MOST_FADE_SECONDS])
        last.bias.data.copy_(torch.logit(shares))

    @override
    def recognise(self, frames: torch.Tensor, places: torch.Tensor) -> Look:
        return Look(frames, self.scorer(frames, places, self.sample_rate))

    @override
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        frames, sightings = self.look(audio, conditioning)
        onsets, shifts, kept = self.moves(sightings, conditioning)
        guards, fades = self._cut(frames, onsets)
        parts = segments(onsets, shifts.round(), kept, self.sample_rate, guards=guards, fades=fades)
        return written(audio, parts)

    @override
    def moved_softly(
        self, audio: torch.Tensor, conditioning: torch.Tensor, seen: Look, kept: torch.Tensor, softness: float
    ) -> torch.Tensor:
        onsets, shifts, _ = self.moves(seen.sightings, conditioning, softness)
        guards, fades = self._cut(seen.frames, onsets)
        parts = segments(onsets, shifts, kept, self.sample_rate, guards=guards, fades=fades)
        return spliced_softly(audio, parts)

    def _cut(self, frames: torch.Tensor, onsets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How long before the attack to fade, and how long the fade is, [batch, lines] each, in seconds."""
        at = (onsets.detach() / FRAME_SAMPLES).to(torch.int64).clamp(0, frames.shape[-1] - 1)
        shares = self.cuts(frames).sigmoid().gather(2, at[:, None].expand(-1, 2, -1))
        return MOST_GUARD_SECONDS * shares[:, 0], MOST_FADE_SECONDS * shares[:, 1]
