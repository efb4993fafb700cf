"""Soften the blow of a drum: felt beaters, loose heads, drums that push air before they speak.

Synthesised drums are within 3 dB of their loudest half a millisecond after their onset. Of recorded kits (medians of
their harder strikes) kicks are after 2 to 14 ms, snares after 0.5 to 4 and toms after 0.4 to 5; the treble of one kick
comes 9 ms behind its boom. A hit finder that has heard sudden blows alone doubts slow ones, however far they rise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray
from datagen.kits.ringing import TREBLE_HZ
from datagen.kits.strikes import Samples, Strike, below, make_strike
from datagen.kits.synth_kit import onset_in_strike

RISES_SECONDS: Mapping[Piece, tuple[float, float]] = {
    Piece.KICK: (0.0004, 0.010),
    **dict.fromkeys((Piece.SNARE, Piece.SIDESTICK), (0.0002, 0.003)),
    **dict.fromkeys((Piece.TOM_HIGH, Piece.TOM_MID, Piece.TOM_FLOOR), (0.0002, 0.004)),
}
"""Log-evenly drawn, of the drums that are softened; 3 dB are missing after 1.2 times as long."""
SOFTENED_SHARE = 0.7


@dataclass(frozen=True)
class Softening:
    """How a drum's sound sets in.

    Attributes:
        rise_seconds: Time in which all but 1/e of the amplitude is there, from the onset on.
        treble_rise_seconds: The same of what lies above ``above_hz``.
        above_hz: Corner of a crossover of 6 dB an octave.
    """

    rise_seconds: float
    treble_rise_seconds: float
    above_hz: float

    def applied(self, strike: Strike, sample_rate: int) -> Strike:
        """The strike as it sets in so, in every microphone from when it is heard there, measured anew."""
        return make_strike(
            np.stack([self._softened(row, sample_rate) for row in strike.audio]), strike.own_microphone, sample_rate
        )

    def _softened(self, row: Samples, sample_rate: int) -> FloatArray:
        """One microphone, [samples], as loud at its peak as it was."""
        peak = float(np.max(np.abs(row)))
        if peak == 0.0:
            return row.astype(np.float64)
        onset = onset_in_strike(row.astype(np.float64), sample_rate)
        seconds = np.maximum(np.arange(len(row)) - onset + 1, 0) / sample_rate
        low = below(row, min(self.above_hz, 0.45 * sample_rate), sample_rate)
        softened = low * -np.expm1(-seconds / self.rise_seconds)
        softened += (row - low) * -np.expm1(-seconds / self.treble_rise_seconds)
        return np.asarray(softened * (peak / np.max(np.abs(softened))))


def draw_softening(rng: np.random.Generator) -> Mapping[Piece, Softening]:
    """How most of the drums set in, each by itself; others and cymbals as recorded."""
    drawn = {}
    for piece, rises_seconds in RISES_SECONDS.items():
        rise, treble_rise, above_hz = (
            float(np.exp(rng.uniform(*np.log(drawn_from)))) for drawn_from in (rises_seconds, rises_seconds, TREBLE_HZ)
        )
        if rng.random() < SOFTENED_SHARE:
            drawn[piece] = Softening(rise, treble_rise, above_hz)
    return drawn
