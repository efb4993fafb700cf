"""Tune a kit otherwise: every drum and cymbal played back faster or slower, so that few kits sound like many.

How each of them sets in, how it rings and what colour it has can differ too, see :mod:`datagen.kits.softening`,
:mod:`datagen.kits.ringing` and :mod:`datagen.kits.colouring`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from beatnet_align.hits import Piece
from datagen.kits.colouring import Colouring
from datagen.kits.ringing import Ringing
from datagen.kits.softening import Softening
from datagen.kits.strikes import Strike, make_strike, resample

INTERVALS = tuple(
    Fraction(ratio) for ratio in ("3/4", "4/5", "5/6", "7/8", "9/10", "1", "10/9", "8/7", "6/5", "5/4", "4/3")
)
"""Speeds, a fourth down to a fourth up. Ratios of small numbers, since those resample fast."""

ONE_DRUM: Mapping[Piece, Piece] = {
    Piece.SIDESTICK: Piece.SNARE,
    Piece.HIHAT_PEDAL: Piece.HIHAT_CLOSED,
    Piece.HIHAT_OPEN: Piece.HIHAT_CLOSED,
    Piece.RIDE_BELL: Piece.RIDE,
}
"""Pieces that are struck on the same drum or cymbal, and so are tuned together."""


@dataclass(frozen=True)
class Tuning:
    """How fast the strikes of each piece are played back, how they set in and ring and what colour they have.

    Attributes:
        speeds: Of pieces; 1 for those that are not named.
        ringing, colouring, softening: Of pieces; as recorded for those that are not named.
    """

    speeds: Mapping[Piece, Fraction] = field(default_factory=dict)
    ringing: Mapping[Piece, Ringing] = field(default_factory=dict)
    colouring: Mapping[Piece, Colouring] = field(default_factory=dict)
    softening: Mapping[Piece, Softening] = field(default_factory=dict)

    def tuned(self, piece: Piece, strike: Strike, sample_rate: int) -> Strike:
        """A strike as its piece sounds then, all microphones alike, measured anew."""
        speed = self.speeds.get(piece, Fraction(1))
        if speed != 1:
            played = resample(strike.audio, speed.numerator, speed.denominator)
            strike = make_strike(played, strike.own_microphone, sample_rate)
        for changes in (self.softening, self.colouring, self.ringing):
            if piece in changes:
                strike = changes[piece].applied(strike, sample_rate)
        return strike


AS_RECORDED = Tuning()


def draw_tuning(rng: np.random.Generator) -> Tuning:
    """A speed for every drum and cymbal by itself."""
    drawn = {piece: INTERVALS[int(rng.integers(len(INTERVALS)))] for piece in Piece}
    return Tuning({piece: drawn[ONE_DRUM.get(piece, piece)] for piece in Piece})
