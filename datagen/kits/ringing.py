"""Let a recorded drum or cymbal ring otherwise than it was recorded: shorter, longer, or louder and softer in turn.

Few real kits are to be had, and most of those were chosen for their even tails. Others beat (a kick whose heads are
tuned 20 Hz apart gets louder again 40 ms after its blow, see :class:`datagen.kits.synth_kit.OtherHead`), rattle (wires
slap at that rate, in the treble alone) and clatter (two hats that touch). None of that is another blow, which a hit
finder has to learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray
from datagen.kits.strikes import Samples, Strike, below, make_strike

BLOW_SECONDS, SETTLED_SECONDS = 0.006, 0.030
"""Modulation begins the first of these after the onset, and is there whole after the second."""
MOST_LOUDER_DB = 9.0
"""The most that a longer decay adds: further down lies the noise of the recording."""

DECAYS_DB_PER_SECOND = (-80.0, 12.0)
"""Evenly drawn. Open hats fall by 19 dB a second (``HIHAT_OPEN``, synth_cymbals.py): the first nearly shuts them."""
DEPTHS_DB, RATES_HZ = (2.0, 7.0), (5.0, 45.0)
"""Evenly and log-evenly drawn, around heads that beat by ±5 dB, see ``OtherHead``; slower and faster as metal may."""
TREBLE_HZ = (600.0, 4_000.0)
"""Log-evenly drawn: wires and hats lie above, the heads below."""
CHANGED_SHARE = 0.6
"""Of the pieces, those that decay otherwise; and those that are modulated."""
TREBLE_SHARE = 0.5
"""Of the modulated ones, those of which only the treble is."""


@dataclass(frozen=True)
class Ringing:
    """What happens to a strike after its blow; by default nothing.

    Attributes:
        decay_db_per_second: Added to its decay from the onset on; negative where it rings shorter.
        depth_db: How much louder and softer it gets in turn.
        rate_hz: How often a second.
        phase_radians: Of the modulation at the onset.
        above_hz: Corner of a crossover of 6 dB an octave: what lies above is modulated. That is everything where it is
            0, and nothing where the strike has no such frequencies.
    """

    decay_db_per_second: float = 0.0
    depth_db: float = 0.0
    rate_hz: float = 20.0
    phase_radians: float = 0.0
    above_hz: float = 0.0

    def applied(self, strike: Strike, sample_rate: int) -> Strike:
        """The strike as it rings so, all microphones alike, measured anew."""
        modulated = self.depth_db != 0.0 and self.above_hz < 0.5 * sample_rate
        if self.decay_db_per_second == 0.0 and not modulated:
            return strike
        seconds = (np.arange(strike.audio.shape[1]) - strike.onset_samples) / sample_rate
        decay_db = np.minimum(self.decay_db_per_second * np.maximum(seconds, 0.0), MOST_LOUDER_DB)
        audio = self._modulated(strike.audio, seconds, sample_rate) if modulated else strike.audio
        return make_strike(audio * 10.0 ** (decay_db / 20.0), strike.own_microphone, sample_rate)

    def _modulated(self, audio: Samples, seconds: FloatArray, sample_rate: int) -> FloatArray:
        """Audio whose upper part, or all of it, gets louder and softer; ``seconds`` since the onset, [samples]."""
        settled = np.clip((seconds - BLOW_SECONDS) / (SETTLED_SECONDS - BLOW_SECONDS), 0.0, 1.0)
        gain_db = self.depth_db * settled * np.sin(2.0 * np.pi * self.rate_hz * seconds + self.phase_radians)
        steady = below(audio, self.above_hz, sample_rate) if self.above_hz else np.zeros_like(audio)
        return np.asarray(steady + (audio - steady) * 10.0 ** (gain_db / 20.0))


def draw_ringing(rng: np.random.Generator) -> Mapping[Piece, Ringing]:
    """How each piece rings, by itself: open and closed hats differ in that, though they are the same hats."""
    return {piece: _draw_one(rng) for piece in Piece}


def _draw_one(rng: np.random.Generator) -> Ringing:
    decays, modulated, in_treble = rng.random(3) < (CHANGED_SHARE, CHANGED_SHARE, TREBLE_SHARE)
    above_hz = float(np.exp(rng.uniform(*np.log(TREBLE_HZ))))
    return Ringing(
        decay_db_per_second=float(rng.uniform(*DECAYS_DB_PER_SECOND)) * bool(decays),
        depth_db=float(rng.uniform(*DEPTHS_DB)) * bool(modulated),
        rate_hz=float(np.exp(rng.uniform(*np.log(RATES_HZ)))),
        phase_radians=float(rng.uniform(0.0, 2.0 * np.pi)),
        above_hz=above_hz if in_treble else 0.0,
    )
