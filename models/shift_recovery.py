"""Find how far a hit has to move from audio alone, by gradient descent through a fractional delay.

A waveform tells a shift to a hundredth of a sample, but only from nearer than half of its shortest period; an envelope
tells it from as far as it is smooth (docs/evidence.md has the ranges). So the schedule begins with wide envelopes and
ends with the waveform, each stage within reach of the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import conv1d

from models.fractional_delay import EXACT, FractionalDelay

ENVELOPE_FRAMES_PER_WINDOW = 8
FLOOR = 1e-4
"""Under the energy of an envelope, against its mean: a square root has no gradient at nothing."""


@dataclass(frozen=True)
class Stage:
    """A stretch of the descent.

    Attributes:
        smoothing_seconds: Of the envelopes that are compared; 0 compares waveforms.
        steps: Of Adam.
        step_seconds: How far a step goes at first; it falls to a twentieth along a cosine.
    """

    smoothing_seconds: float
    steps: int
    step_seconds: float


SCHEDULE = (
    Stage(0.040, 60, 0.0025),
    Stage(0.010, 40, 0.0006),
    Stage(0.0025, 40, 0.00015),
    Stage(0.0006, 40, 0.00003),
    Stage(0.0, 30, 0.000004),
)


def recover_shifts(
    take: torch.Tensor,
    target: torch.Tensor,
    sample_rate: int,
    schedule: Sequence[Stage] = SCHEDULE,
    delay: FractionalDelay = EXACT,
) -> torch.Tensor:
    """Descend from no shift at all, every hit by itself.

    Args:
        take: [hits, channels, samples], each hit in a window of its own.
        target: The same windows, where the hits belong.
        sample_rate: In hertz.
        schedule: Stages, from wide to narrow.
        delay: Moves the take.

    Returns:
        [hits], shifts in seconds, positive is later.
    """
    seconds = torch.zeros(len(take), dtype=take.dtype, device=take.device, requires_grad=True)
    # Adam's steps do not depend on the scale of a loss, and hits do not share one: one sum serves all of them.
    for stage in schedule:
        optimiser = torch.optim.Adam([seconds], lr=stage.step_seconds, betas=(0.8, 0.95))
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, stage.steps, 0.05 * stage.step_seconds)
        wanted = compared_at(target, stage.smoothing_seconds, sample_rate)
        for _ in range(stage.steps):
            moved = delay(take, (seconds * sample_rate).unsqueeze(-1))
            loss = mistaken(compared_at(moved, stage.smoothing_seconds, sample_rate), wanted).sum()
            (seconds.grad,) = torch.autograd.grad(loss, (seconds,))
            optimiser.step()
            falling.step()
    return seconds.detach()


def mistaken(moved: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """[hits], mean distance of [hits, channels, frames], every channel against its own level."""
    level = wanted.abs().mean(dim=-1, keepdim=True).clamp(min=1e-9)
    return ((moved - wanted).abs() / level).mean(dim=(1, 2))


def compared_at(audio: torch.Tensor, smoothing_seconds: float, sample_rate: int) -> torch.Tensor:
    """Envelopes [hits, channels, frames], roots of energies under a Hann window; the waveform where it has no width."""
    if smoothing_seconds == 0.0:
        return audio
    width = max(3, round(smoothing_seconds * sample_rate))
    hop = max(1, width // ENVELOPE_FRAMES_PER_WINDOW)
    window = torch.hann_window(width, periodic=False, dtype=audio.dtype, device=audio.device)
    energy = conv1d((audio**2).flatten(0, 1).unsqueeze(1), window.reshape(1, 1, -1) / window.sum(), stride=hop)
    energy = energy.reshape(*audio.shape[:2], -1)
    floor = FLOOR * energy.detach().mean(dim=-1, keepdim=True) + 1e-12
    return (energy + floor).sqrt()
