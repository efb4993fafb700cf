"""Colour a drum or cymbal otherwise than it was recorded: other shells, heads, beaters, sticks and microphones.

A hit finder that has heard few kits knows them by their spectra, and doubts a kick that has more click or less boom
than any of those. Where each piece of a kit has another spectrum in every take, it has to go by what all of them share.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.fft import rfftfreq
from scipy.signal import fftconvolve

from beatnet_align.hits import Piece
from datagen.kits.strikes import Strike, make_strike
from datagen.minimum_phase import curve_log_magnitude, minimum_phase

POINTS_HZ = np.geomspace(50.0, 16_000.0, 8)
"""Where a curve bends, some octave apart."""
CURVE_DB = 4.5
"""Standard deviation at each of them, as the hardest strikes of the kits that networks here learn from differ in these
bands, against their mean: twelve snares by 3 to 7 dB, four kicks by 2 to 9, four closed hats by 1 to 12."""
TAPS_SECONDS = 0.023
"""Long enough for the lowest bends."""
_FFT = 8_192


@dataclass(frozen=True)
class Colouring:
    """The curve through which a piece is heard.

    Attributes:
        curve_db: [len(POINTS_HZ)], gain at those frequencies, straight in decibels over log-frequency in between.
    """

    curve_db: tuple[float, ...]

    def applied(self, strike: Strike, sample_rate: int) -> Strike:
        """The strike in that colour, in all microphones alike and as loud at its own one's peak, measured anew."""
        frequencies_hz = np.maximum(rfftfreq(_FFT, 1.0 / sample_rate), 1.0)
        log_magnitude = curve_log_magnitude(np.array(self.curve_db), POINTS_HZ, frequencies_hz)
        taps = minimum_phase(log_magnitude, round(TAPS_SECONDS * sample_rate))
        coloured = fftconvolve(strike.audio, taps[None], axes=1)[:, : strike.audio.shape[1]]
        before, after = (np.max(np.abs(audio[strike.own_microphone])) for audio in (strike.audio, coloured))
        return make_strike(coloured * (before / after), strike.own_microphone, sample_rate)


def draw_colouring(rng: np.random.Generator) -> Mapping[Piece, Colouring]:
    """A curve for each piece, by itself: the edge of a ride and its bell differ in that, though they are one cymbal."""
    curves = rng.normal(0.0, CURVE_DB, (len(Piece), len(POINTS_HZ)))
    return {piece: Colouring(tuple(map(float, curve))) for piece, curve in zip(Piece, curves, strict=True)}
