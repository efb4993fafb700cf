"""The road from the networks to audio, with gradients: onsets and lines become joins, joins become a spliced take.

Where each hit begins is HitNet's offset, or what the refiner says where it is sure; where its segment goes is the line
that was chosen for its lead, or, while lines are soft, what GridNet expects. A segment moves by the difference.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from typing_extensions import override

from beatnet_align.grid_tokens import CANDIDATES, PATTERN_FEATURES
from beatnet_align.hit_features import HOP_SAMPLES
from beatnet_align.hit_refiner import NEAR_STEPS, POSITIONS, REACH_STEPS, STRIDE_SAMPLES, SURE_STEPS
from beatnet_align.units import IntArray
from models.differentiable_splice import DifferentiableSplice, Joins
from models.heard_splices import HeardSplice
from models.planned_joins import NOBODY
from models.shipped_networks import NetworkFiles, gridnet_of, offsets_of, refiner_of

SPLICE = DifferentiableSplice()


@dataclass(frozen=True)
class Softness:
    """How far the road is from what the effect does.

    Attributes:
        lines: 1 sends a segment to where GridNet expects its lead to belong, 0 to the line that was chosen.
        sureness: Over how much of the refiner's confidence its word gains on HitNet's; 0 decides at the threshold.
        crossfade_samples: By how much crossfades are longer.
        fractions: Whether parts of samples are kept.
    """

    lines: float = 0.0
    sureness: float = 0.0
    crossfade_samples: float = 0.0
    fractions: bool = False

    def towards(self, other: "Softness", share: float) -> "Softness":
        """Between this and another one."""

        def between(start: float, stop: float) -> float:
            return start + share * (stop - start)

        return Softness(
            between(self.lines, other.lines),
            between(self.sureness, other.sureness),
            between(self.crossfade_samples, other.crossfade_samples),
            self.fractions,
        )


HARD = Softness()


class Decisions(NamedTuple):
    """What the networks say of some hits of a take.

    Attributes:
        chosen: [some], which hits.
        own_onsets, onsets: [some], in samples, by HitNet alone, and in the end.
        windows_logits: [some, POSITIONS + 1], the refiner's.
        line_logits: Two passes of [hits, ANSWERS], of all hits.
    """

    chosen: torch.Tensor
    own_onsets: torch.Tensor
    onsets: torch.Tensor
    windows_logits: torch.Tensor
    line_logits: tuple[torch.Tensor, torch.Tensor]


class EndToEnd(nn.Module):
    """HitNet's offsets, the refiner and GridNet, as one.

    Normalisations keep the statistics of the training before, and nothing is dropped: what is trained is what will run.

    Args:
        files: The weights to start from.
    """

    def __init__(self, files: NetworkFiles) -> None:
        super().__init__()
        self.files = files
        self.offsets, self.refiner, self.gridnet = (
            offsets_of(files.hitnet),
            refiner_of(files.refiner),
            gridnet_of(files.gridnet),
        )
        _, refiner, grid = files.opened()
        self.threshold, self.temperature = refiner.threshold, grid.temperature

    @override
    def train(self, mode: bool = True) -> "EndToEnd":
        """Stay in evaluation mode."""
        return super().train(mode=False)

    def trained_files(self) -> NetworkFiles:
        """The networks as they are now, as the effect loads them."""
        return self.files.trained(self.offsets, self.refiner, self.gridnet)

    def forward(self, heard: HeardSplice, chosen: IntArray, softness: Softness) -> Decisions:
        """Say where hits begin and what lines all of the take's are for.

        Args:
            heard: The take.
            chosen: [some], hits to time.
            softness: Of the refiner's sureness.
        """
        states, rows, frames = (_tensor(part[chosen]) for part in (heard.states, heard.rows, heard.frames))
        offsets = self.offsets(states).gather(1, rows[:, None])[:, 0]
        own = (frames + 0.5 + offsets.clamp(-1.0, 1.0).double()) * HOP_SAMPLES
        logits = self.refiner(_tensor(heard.windows[chosen]))
        refined, confidence = soft_decode(logits)
        sure = _step(confidence - self.threshold, softness.sureness)
        onsets = own + sure * (_tensor(heard.places[chosen]) + refined - own)
        return Decisions(_tensor(chosen), own, onsets, logits, self._lines(heard))

    def joins(self, heard: HeardSplice, said: Decisions, softness: Softness) -> Joins:
        """The joins of a take; hits that were not timed stay where they were heard.

        Where it is hard, these are the joins of the effect's own plan, as long as the networks say what they said.
        """
        heard_onsets = _tensor(heard.onsets).double()
        onsets = heard_onsets.index_put((said.chosen,), said.onsets)
        if not softness.fractions:
            onsets = onsets + (onsets.round() - onsets).detach()
        leads, firsts = _tensor(heard.joins.leads), _tensor(heard.joins.firsts)
        hard = _tensor(heard.joins.shifts).double()
        moves = leads != NOBODY
        destinations = _tensor(heard.joins.destinations).double()
        if softness.lines:
            destinations = destinations + softness.lines * (self._expected(heard, said) - destinations)
        shifts = torch.cat([hard[:1], torch.where(moves, destinations - onsets[leads], hard[1:])])
        # A crossfade ends before the attack behind it: where that sounds, or in front of a gap where it did.
        opens = hard[1:] > hard[:-1]
        held = torch.where(opens, shifts[:-1] - hard[:-1], shifts[1:] - hard[1:])
        earlier = torch.where(firsts == NOBODY, 0.0, onsets[firsts] - heard_onsets[firsts])
        starts = _tensor(heard.joins.starts).double() + held + earlier
        return Joins(shifts, starts, _tensor(heard.joins.fades).double(), torch.ones_like(starts))

    def _lines(self, heard: HeardSplice) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = heard.tokens
        features, candidates = (_tensor(part)[None] for part in (tokens.features, tokens.candidates))
        beats = _tensor((tokens.beats - tokens.beats[0]).astype(np.float32))[None]
        states = self.gridnet.encode(features, beats, candidates)
        first = self.gridnet.answer(states, candidates, candidates.new_zeros(*candidates.shape[:3], PATTERN_FEATURES))
        told = tokens.pattern(first[0].detach().softmax(-1).double().numpy())
        return first[0], self.gridnet.answer(states, candidates, _tensor(told)[None])[0]

    def _expected(self, heard: HeardSplice, said: Decisions) -> torch.Tensor:
        """[joins], where the lead behind each is expected to belong; the chosen place where there is none."""
        leads = _tensor(heard.joins.leads)
        likely = (said.line_logits[1][:, :CANDIDATES].double() / self.temperature).softmax(-1)
        expected = (likely * _tensor(heard.line_samples)).sum(-1)[leads]
        return torch.where(leads == NOBODY, _tensor(heard.joins.destinations).double(), expected)


def soft_decode(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As :func:`beatnet_align.hit_refiner.decode`, with gradients: samples from the window's middle, and confidence."""
    places = logits.double().softmax(dim=1)[:, :POSITIONS]
    around = nn.functional.pad(places, (SURE_STEPS, SURE_STEPS)).unfold(1, 2 * SURE_STEPS + 1, 1)
    near = around[:, :, SURE_STEPS - NEAR_STEPS : SURE_STEPS + NEAR_STEPS + 1]
    best = near.sum(dim=2).argmax(dim=1)
    hits = torch.arange(len(logits))
    weights = near[hits, best]
    lean = weights @ torch.arange(-NEAR_STEPS, NEAR_STEPS + 1, dtype=weights.dtype) / weights.sum(1).clamp(min=1e-12)
    return (best - REACH_STEPS + lean) * STRIDE_SAMPLES, around[hits, best].sum(dim=1)


def stretch_of(joins: Joins, start_samples: int, stop_samples: int) -> Joins:
    """The joins from the first to the last that lies within a stretch, counted from its start.

    Soft ones may have overtaken each other; none between those two is left out.
    """
    at = joins.starts_samples.detach()
    inside = ((at >= start_samples) & (at + joins.crossfades_samples <= stop_samples)).nonzero()[:, 0].tolist()
    first, last = (inside[0], inside[-1] + 1) if inside else (int((at < start_samples).sum()),) * 2
    parts = [part[first:last] for part in joins[1:]]
    return Joins(joins.shifts_samples[first : last + 1], parts[0] - start_samples, *parts[1:])


def _step(over: torch.Tensor, width: float) -> torch.Tensor:
    """From 0 to 1 where a value is over 0, or over so much around it."""
    return torch.sigmoid(over / width) if width > 0.0 else (over >= 0.0).to(over.dtype)


def _tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
