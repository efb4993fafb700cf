"""An implicit representation of a warp: a small network of time says how one shift becomes the next.

For a clip, the finder of strokes gives the knots: where the warp has to be, to the sample, while a stroke sounds.
Between two strokes the representation is asked at any time how much of the way has passed. Its answers rise, and never
so fast that the take would be read backwards; so the warp is monotone, and the clip is read through it by windowed
sinc interpolation. Nothing is cut, tails are stretched.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import pad
from typing_extensions import override

from models.resynthesis.conditioning import Told
from models.resynthesis.line_features import FRAME_SAMPLES
from models.resynthesis.line_finder import ConvolutionalScorer, TakeListener
from models.resynthesis.line_network import LineNetwork, Look
from models.resynthesis.segments import GUARD_SECONDS, Segments, segments, turns

TRANSITION_SECONDS = 0.25
"""The longest stretch before a stroke in which the warp leaves the shift before."""

KNOTS = 24
LATENT_WIDTH = 8
LEAST_SPEED = 0.1
"""Of reading, against 1 for as it was played."""

TAPS_EITHER_SIDE = 8


class ImplicitWarp(LineNetwork):
    """The network.

    Args:
        sample_rate: In hertz.
        told: What it knows of the grid.
        width: Of the take's sequence.
        stem_width: Of a channel.
        dilations: Of the convolutions over the take.
        hidden: Width of the implicit representation.
    """

    def __init__(
        self,
        sample_rate: int = 22_050,
        told: Told = Told.BOTH,
        width: int = 80,
        stem_width: int = 48,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 1),
        hidden: int = 32,
    ) -> None:
        super().__init__(TakeListener(sample_rate, told, width, stem_width, dilations))
        self.scorer = ConvolutionalScorer(width)
        self.latent = nn.Conv1d(width, LATENT_WIDTH, 1)
        self.speed = nn.Sequential(
            nn.Linear(5 + 2 * LATENT_WIDTH, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 1),
        )

    @override
    def recognise(self, frames: torch.Tensor, places: torch.Tensor) -> Look:
        return Look(frames, self.scorer(frames, places, self.sample_rate))

    @override
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        seen = self.look(audio, conditioning)
        onsets, shifts, kept = self.moves(seen.sightings, conditioning)
        return read_between(audio, self._delays(seen.frames, onsets.round(), shifts.round(), kept, audio.shape[-1]))

    @override
    def moved_softly(
        self, audio: torch.Tensor, conditioning: torch.Tensor, seen: Look, kept: torch.Tensor, softness: float
    ) -> torch.Tensor:
        onsets, shifts, _ = self.moves(seen.sightings, conditioning, softness)
        return read_between(audio, self._delays(seen.frames, onsets, shifts, kept, audio.shape[-1]))

    def _delays(
        self, frames: torch.Tensor, onsets: torch.Tensor, shifts: torch.Tensor, kept: torch.Tensor, samples: int
    ) -> torch.Tensor:
        """By how much every output sample is later than what it is read from, [batch, samples]."""
        guard, longest = GUARD_SECONDS, TRANSITION_SECONDS
        cuts = segments(onsets, shifts, kept, self.sample_rate, guards=guard, fades=longest)
        rises = cuts.shifts - pad(cuts.shifts[:, :-1], (1, 0))
        # A cut has to leave before the attack would sound again; a warp that slows down may go on until the attack.
        parts = Segments(cuts.shifts, cuts.starts, cuts.lengths + rises.clamp(min=0.0))
        turn = turns(parts, samples, lead=0.0)
        passed = self._passed(frames, parts, rises)
        step = turn.along * KNOTS
        below = step.detach().floor().clamp(0, KNOTS - 1)
        at = turn.join * (KNOTS + 1) + below.to(torch.int64)
        low, high = (passed.flatten(1).gather(1, at + k) for k in (0, 1))
        passing = turn.before + (low + (step - below) * (high - low)) * (turn.after - turn.before)
        return torch.where(turn.along >= 1.0, turn.after, passing)

    def _passed(self, frames: torch.Tensor, parts: Segments, rises: torch.Tensor) -> torch.Tensor:
        """How much of each join has passed at KNOTS + 1 even times, rising from 0 to 1, [batch, joins, KNOTS + 1]."""
        latent = self.latent(frames)
        ends = [
            latent.gather(2, self._frame(at, frames.shape[-1])[:, None].expand(-1, LATENT_WIDTH, -1)).transpose(1, 2)
            for at in (parts.starts, parts.starts + parts.lengths)
        ]
        seconds = torch.stack([parts.lengths, rises], dim=-1) / self.sample_rate
        known = torch.cat([torch.log10(seconds[..., :1] + 1e-4), 10.0 * seconds[..., 1:], *ends], dim=-1)
        time = (torch.arange(KNOTS, device=frames.device, dtype=frames.dtype) + 0.5) / KNOTS
        asked = torch.stack([time, (torch.pi * time).sin(), (torch.pi * time).cos()], dim=-1)
        shape = (*known.shape[:2], KNOTS, -1)
        density = self.speed(torch.cat([known[:, :, None].expand(shape), asked.expand(shape)], dim=-1))[..., 0]
        density = KNOTS * density.softmax(dim=-1)
        # Reading goes at 1 - density * rise / length: as much of an even density is mixed in as keeps it forwards.
        most = (1.0 - LEAST_SPEED) * parts.lengths / rises.clamp(min=1e-3)
        peak = density.amax(dim=-1)
        even = ((peak - most) / (peak - 1.0).clamp(min=1e-6)).clamp(0.0, 1.0)[..., None]
        density = (1.0 - even) * density + even
        return pad(density.cumsum(dim=-1) / KNOTS, (1, 0))

    @staticmethod
    def _frame(places: torch.Tensor, frames: int) -> torch.Tensor:
        return (places.detach() / FRAME_SAMPLES).to(torch.int64).clamp(0, frames - 1)


def read_between(audio: torch.Tensor, delays: torch.Tensor) -> torch.Tensor:
    """Read a take later by delays that change, by a Hann-windowed sinc; whole delays are bit-exact.

    Args:
        audio: [batch, channels, samples].
        delays: [batch, samples], in samples; all channels are read alike.
    """
    samples = audio.shape[-1]
    # From the delay alone, not from the place: late in a long take, its float has no room for parts of a sample.
    whole = delays.detach().ceil()
    share = (whole - delays)[..., None]
    taps = torch.arange(1 - TAPS_EITHER_SIDE, TAPS_EITHER_SIDE + 1, device=audio.device)
    apart = taps - share
    weights = torch.sinc(apart) * (0.5 + 0.5 * torch.cos(torch.pi * apart / TAPS_EITHER_SIDE))
    weights = weights / weights.sum(dim=-1, keepdim=True)
    weights = torch.where(share == 0.0, (taps == 0).to(weights.dtype), weights)
    margin = TAPS_EITHER_SIDE
    padded = pad(audio, (margin, margin))
    at = (torch.arange(samples, device=audio.device) - whole.to(torch.int64))[..., None] + taps + margin
    inside = (at >= 0) & (at < padded.shape[-1])
    index = at.clamp(0, padded.shape[-1] - 1).flatten(1)[:, None].expand(-1, audio.shape[1], -1)
    read = padded.gather(2, index).reshape(*audio.shape, len(taps))
    out: torch.Tensor = (read * (weights * inside)[:, None]).sum(dim=-1)
    return out
