"""Splicing with gradients: soft windows over segments, each delayed by a fractional shift.

y(n) = sum over segments of w_s(n) x(n - d_s). Windows sum to one at every sample. At softness 0 they are those of
`beatnet_align.splice`, whose linear crossfade ends where the cut list says: what is trained is what is rendered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple

import torch

from beatnet_align.splice import Fade, Plain, Span
from models.fractional_delay import EXACT, FractionalDelay

MARGIN_SAMPLES = 256
"""Read on either side of a segment, and faded, so that a delay hears no edge."""

LEAST_CROSSFADE_SAMPLES = 1.0


class Joins(NamedTuple):
    """A take cut into segments, as the splice hears it; any of them may ask for gradients.

    Attributes:
        shifts_samples: [segments], positive is later.
        starts_samples: [segments - 1], where in the output each crossfade begins; rising.
        crossfades_samples: [segments - 1], their lengths.
        steepness: [segments - 1], of their curves: 1 is linear, more is nearer to a hard cut.
    """

    shifts_samples: torch.Tensor
    starts_samples: torch.Tensor
    crossfades_samples: torch.Tensor
    steepness: torch.Tensor


def joins_of(spans: Sequence[Span]) -> Joins:
    """The joins of a timeline that stretches no tail: what training starts from, or ends at.

    Raises:
        ValueError: A tail is stretched or continued, as where hits are too close for a gap, or with another fill than
            `Fill.EXTEND`.
    """
    fades = [span for span in spans if isinstance(span, Fade)]
    if any(not isinstance(span, Plain | Fade) for span in spans):
        raise ValueError(
            "a stretched or continued tail is no shift: lay the timeline out with Fill.EXTEND, and hits further apart"
        )
    first = fades[0].shift_out if fades else next((span.shift for span in spans if isinstance(span, Plain)), 0)
    return Joins(
        torch.tensor([float(first), *(float(fade.shift_in) for fade in fades)]),
        torch.tensor([float(fade.start) for fade in fades]),
        torch.tensor([float(fade.stop - fade.start) for fade in fades]),
        torch.ones(len(fades)),
    )


@dataclass(frozen=True)
class DifferentiableSplice:
    """Renders joins.

    Attributes:
        delay: Kernel of the fractional part of a shift; the whole part moves the reading place.
    """

    delay: FractionalDelay = EXACT

    def __call__(self, audio: torch.Tensor, joins: Joins, softness_samples: float = 0.0) -> torch.Tensor:
        """Splice a take.

        Args:
            audio: [channels, samples].
            joins: What goes where; all channels move alike.
            softness_samples: By how much crossfades are longer, about their middles; 0 gives the hard splice. A
                schedule starts wide, where cut times have gradients from afar, and anneals to 0.

        Returns:
            [channels, samples]; what comes from outside the take is silent.
        """
        samples = audio.shape[-1]
        rising = [*(_Ramp(*join, softness_samples) for join in zip(*joins[1:], strict=True)), None]
        out = audio.new_zeros(audio.shape)
        before: _Ramp | None = None
        for shift, after in zip(joins.shifts_samples, rising, strict=True):
            # Soft crossfades may overlap; windows sum to one where each reaches over both of its ramps.
            ramps = [ramp for ramp in (before, after) if ramp is not None]
            start = 0 if before is None else min(max(min(ramp.first for ramp in ramps), 0), samples)
            stop = samples if after is None else max(min(max(ramp.last for ramp in ramps), samples), start)
            if stop > start:
                n = torch.arange(start, stop, device=audio.device, dtype=audio.dtype)
                window = torch.ones_like(n) if before is None else before(n)
                if after is not None:
                    window = window - after(n)
                out = out + _placed(window * self._segment(audio, start, stop, shift), start, samples)
            before = after
        return out

    def _segment(self, audio: torch.Tensor, start: int, stop: int, shift: torch.Tensor) -> torch.Tensor:
        """Output samples start to stop of the take delayed by a shift."""
        whole = round(float(shift.detach()))
        source = _read(audio, start - whole - MARGIN_SAMPLES, stop - whole + MARGIN_SAMPLES)
        ramp = torch.linspace(0.0, 1.0, MARGIN_SAMPLES // 2, device=audio.device, dtype=audio.dtype)
        edges = torch.cat([ramp, ramp.new_ones(source.shape[-1] - 2 * len(ramp)), ramp.flip(0)])
        delayed = self.delay(source * edges, (shift - whole).to(audio.dtype))
        return delayed[..., MARGIN_SAMPLES : delayed.shape[-1] - MARGIN_SAMPLES]


class _Ramp:
    """A rise from 0 to 1 over a crossfade."""

    def __init__(
        self, start: torch.Tensor, crossfade: torch.Tensor, steepness: torch.Tensor, softness_samples: float
    ) -> None:
        self._length = crossfade.clamp(min=LEAST_CROSSFADE_SAMPLES) + softness_samples
        self._start = start - 0.5 * softness_samples
        self._steepness = steepness
        self.first = floor(float(self._start.detach()))
        self.last = ceil(float((self._start + self._length).detach())) + 1

    def __call__(self, n: torch.Tensor) -> torch.Tensor:
        """At samples [n]: the linear crossfade of `beatnet_align.splice` at steepness 1."""
        place = ((n - self._start + 1.0) / (self._length + 1.0)).clamp(1e-6, 1.0 - 1e-6)
        rise, fall = place**self._steepness, (1.0 - place) ** self._steepness
        curve = rise / (rise + fall)
        return torch.where(place <= 1e-6, 0.0, torch.where(place >= 1.0 - 1e-6, 1.0, curve))


def _read(audio: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    """[channels, stop - start], silent outside."""
    samples = audio.shape[-1]
    inside = audio[..., min(max(start, 0), samples) : max(min(stop, samples), 0)]
    if inside.shape[-1] == 0:
        return audio.new_zeros((*audio.shape[:-1], stop - start))
    before = max(0, -start)
    return torch.nn.functional.pad(inside, (before, stop - start - before - inside.shape[-1]))


def _placed(piece: torch.Tensor, start: int, samples: int) -> torch.Tensor:
    """A stretch of the output among silence."""
    return torch.nn.functional.pad(piece, (start, samples - start - piece.shape[-1]))
