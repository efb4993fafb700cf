"""Networks that find for each line the stroke meant for it, and move the take: they differ in how they do either."""

from abc import abstractmethod
from typing import NamedTuple

import torch
from typing_extensions import override

from models.resynthesis.conditioning import STRENGTH_ROW, Told
from models.resynthesis.interface import Attention, Resynthesis
from models.resynthesis.line_features import BLOCK_SAMPLES
from models.resynthesis.line_finder import REACH_SECONDS, Sightings, TakeListener
from models.resynthesis.lines import line_places
from models.resynthesis.segments import RETURN_FADE_SECONDS, RETURN_ROOM, RETURN_SECONDS, kept_lines


class Look(NamedTuple):
    """What a network makes of a take.

    Attributes:
        frames: [batch, width, frames].
        sightings: Of every line.
    """

    frames: torch.Tensor
    sightings: Sightings


class Moves(NamedTuple):
    """What goes where, [batch, lines] each.

    Attributes:
        onsets: Of the strokes in the take, in samples.
        shifts: How far they move, in samples.
        kept: Which lines have one.
    """

    onsets: torch.Tensor
    shifts: torch.Tensor
    kept: torch.Tensor


class LineNetwork(Resynthesis):
    """A candidate that moves what it finds.

    Args:
        listener: Hears the take.
    """

    def __init__(self, listener: TakeListener) -> None:
        super().__init__(listener.sample_rate)
        self.listener = listener

    @property
    def told(self) -> Told:
        """What the network knows of the grid."""
        return self.listener.told

    @property
    @override
    def context_samples(self) -> tuple[int, int]:
        reach = self.listener.context_samples + 2 * round(REACH_SECONDS * self.sample_rate)
        return reach + round((RETURN_SECONDS + (RETURN_ROOM + 1.0) * RETURN_FADE_SECONDS) * self.sample_rate), reach

    def look(self, audio: torch.Tensor, conditioning: torch.Tensor) -> Look:
        """Look for strokes; arguments as of :meth:`forward`."""
        frames = self.listener(audio, conditioning)
        return self.recognise(frames, line_places(conditioning, self.sample_rate, self.told))

    @abstractmethod
    def recognise(self, frames: torch.Tensor, places: torch.Tensor) -> Look:
        """What is known of [batch, lines] in [batch, width, frames] of the listener."""

    @abstractmethod
    def moved_softly(
        self, audio: torch.Tensor, conditioning: torch.Tensor, seen: Look, kept: torch.Tensor, softness: float
    ) -> torch.Tensor:
        """The output, with gradients in where strokes are and how they are joined.

        Args:
            audio: [batch, channels, samples].
            conditioning: [batch, rows, samples].
            seen: Of the same.
            kept: [batch, lines], which lines move a stroke.
            softness: See :meth:`models.resynthesis.line_finder.Sightings.onsets`.
        """

    def moves(self, sightings: Sightings, conditioning: torch.Tensor, softness: float | None = None) -> Moves:
        """What goes where; ``softness`` is that of :meth:`Sightings.onsets`."""
        onsets = sightings.onsets(softness)
        strengths = conditioning[:, STRENGTH_ROW].gather(1, sightings.places.nan_to_num().to(torch.int64))
        shifts = strengths * (sightings.places.nan_to_num() - onsets)
        return Moves(onsets, shifts, kept_lines(sightings, onsets.detach(), self.sample_rate))

    @override
    def attention(self, audio: torch.Tensor, conditioning: torch.Tensor) -> Attention | None:
        return dense_attention(self.look(audio, conditioning).sightings, audio.shape[-1], self.sample_rate)


def dense_attention(sightings: Sightings, samples: int, sample_rate: int) -> Attention:
    """The distributions over windows as attention over all blocks of a take."""
    blocks = -(-samples // BLOCK_SAMPLES)
    weights = sightings.logits.softmax(dim=-1)[..., :-1]
    window = torch.arange(weights.shape[-1], device=weights.device)
    at = sightings.first_blocks[..., None] + window
    inside = (at >= 0) & (at < blocks) & sightings.places.isfinite()[..., None]
    dense = weights.new_zeros(*weights.shape[:2], blocks)
    dense = dense.scatter_add(2, at.clamp(0, blocks - 1), weights * inside)
    keys = (torch.arange(blocks, device=weights.device) + 0.5) * BLOCK_SAMPLES / sample_rate
    return Attention(dense, sightings.places / sample_rate, keys)
