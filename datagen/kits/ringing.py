"""Let a recorded drum or cymbal ring otherwise than it was recorded: shorter, longer, or louder again after its blow.

Few real kits are to be had, and most of those that are were chosen for their even tails. Real ones beat (a kick gets
10 dB louder 40 ms after its blow where its heads are tuned 20 Hz apart), rattle (wires slap at that rate, in the treble
alone) and clatter (two hats that touch). None of that is another blow, which a hit finder has to learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

from beatnet_align.hits import Piece
from datagen.kits.strikes import Samples, Strike, make_strike

BLOW_SECONDS, SETTLED_SECONDS = 0.006, 0.030
"""A blow stays as recorded for the first of these and swells in full after the second."""
MOST_LOUDER_DB = 9.0
"""The most that a longer decay adds: further down lies the noise of the recording."""

DECAYS_DB_PER_SECOND = (-80.0, 12.0)
SWELLS_DB = (2.0, 7.0)
SWELLS_HZ = (5.0, 45.0)
TREBLE_HZ = (600.0, 4_000.0)
CHANGED_SHARE = 0.6
"""Of the pieces, those that decay otherwise; and those that swell."""
TREBLE_SHARE = 0.5
"""Of those that swell, those that do so in the treble alone."""


@dataclass(frozen=True)
class Ringing:
    """What happens to a strike after its blow; by default nothing.

    Attributes:
        decay_db_per_second: Added to its decay; negative where it rings shorter.
        swell_db: How much louder and softer it gets in turn.
        swell_hz: How often a second.
        swell_radians: Where in its turn it begins.
        above_hz: What lies lower does not swell; 0 where everything does.
    """

    decay_db_per_second: float = 0.0
    swell_db: float = 0.0
    swell_hz: float = 20.0
    swell_radians: float = 0.0
    above_hz: float = 0.0

    def rung(self, strike: Strike, sample_rate: int) -> Strike:
        """The strike as it rings so, all microphones alike, measured anew."""
        if self.decay_db_per_second == self.swell_db == 0.0:
            return strike
        seconds = (np.arange(strike.audio.shape[1]) - strike.onset_samples) / sample_rate
        decay_db = np.minimum(self.decay_db_per_second * np.maximum(seconds, 0.0), MOST_LOUDER_DB)
        settled = np.clip((seconds - BLOW_SECONDS) / (SETTLED_SECONDS - BLOW_SECONDS), 0.0, 1.0)
        swell_db = self.swell_db * settled * np.sin(2.0 * np.pi * self.swell_hz * seconds + self.swell_radians)
        still, swelling = self._split(strike.audio, sample_rate)
        audio = (still + swelling * 10.0 ** (swell_db / 20.0)) * 10.0 ** (decay_db / 20.0)
        return make_strike(audio, strike.own_microphone, sample_rate)

    def _split(self, audio: Samples, sample_rate: int) -> tuple[Samples, Samples]:
        """What swells not, and what does; together they are the audio."""
        if not self.above_hz:
            return np.zeros_like(audio), audio
        low = sosfilt(butter(1, self.above_hz, "lowpass", fs=sample_rate, output="sos"), audio).astype(np.float32)
        return low, audio - low


def draw_ringing(rng: np.random.Generator) -> Mapping[Piece, Ringing]:
    """How each piece rings, by itself; some as they were recorded."""
    return {piece: _draw_one(rng) for piece in Piece}


def _draw_one(rng: np.random.Generator) -> Ringing:
    decays, swells, in_treble = rng.random(3) < (CHANGED_SHARE, CHANGED_SHARE, TREBLE_SHARE)
    above_hz = float(np.exp(rng.uniform(*np.log(TREBLE_HZ))))
    return Ringing(
        decay_db_per_second=float(rng.uniform(*DECAYS_DB_PER_SECOND)) * bool(decays),
        swell_db=float(rng.uniform(*SWELLS_DB)) * bool(swells),
        swell_hz=float(np.exp(rng.uniform(*np.log(SWELLS_HZ)))),
        swell_radians=float(rng.uniform(0.0, 2.0 * np.pi)),
        above_hz=above_hz if in_treble else 0.0,
    )
