"""Which rows of the conditioning a network listens to, and what can be read out of them.

The rows are those of :func:`beatnet_align.conditioning.conditioning_rows`.
"""

from enum import Enum

import torch

from beatnet_align.conditioning import ROWS

METRONOME_ROW, BEAT_ROW, LINE_ROW, STRENGTH_ROW = 0, 3, 5, 7
"""Of beat and line the sines; their cosines are in the rows after."""


class Told(Enum):
    """Which rows a network is given; the strength always is."""

    NONE = "none"
    METRONOME = "metronome"
    POSITIONS = "positions"
    BOTH = "both"

    @property
    def rows(self) -> tuple[int, ...]:
        """Their numbers."""
        return {
            Told.NONE: (STRENGTH_ROW,),
            Told.METRONOME: (METRONOME_ROW, STRENGTH_ROW),
            Told.POSITIONS: tuple(range(METRONOME_ROW + 1, ROWS)),
            Told.BOTH: tuple(range(ROWS)),
        }[self]

    def choose(self, conditioning: torch.Tensor) -> torch.Tensor:
        """[batch, rows told, samples] of [batch, all rows, samples]."""
        return torch.stack([conditioning[:, row] for row in self.rows], dim=1)


def global_parameters(conditioning: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Tempo against 120 BPM, swing and strength, [batch, 3]: all that a network without time could be told.

    The tempo is the mean turning rate of the beat's phase; the swing is the share of the longest distance of two lines
    in the sum of the longest and the shortest.
    """
    beats_a_second = _turns(conditioning, BEAT_ROW).mean(dim=-1) * sample_rate
    slowest, fastest = torch.aminmax(_turns(conditioning, LINE_ROW).clamp(min=1e-9), dim=-1)
    return torch.stack([beats_a_second / 2.0, fastest / (slowest + fastest), conditioning[:, STRENGTH_ROW, 0]], dim=1)


def _turns(conditioning: torch.Tensor, row: int) -> torch.Tensor:
    """Turns of a phase from sample to sample, [batch, samples - 1]."""
    sine, cosine = conditioning[:, row], conditioning[:, row + 1]
    across = sine[:, 1:] * cosine[:, :-1] - cosine[:, 1:] * sine[:, :-1]
    along = cosine[:, 1:] * cosine[:, :-1] + sine[:, 1:] * sine[:, :-1]
    return torch.atan2(across, along) / (2.0 * torch.pi)
