"""A kit: every piece's strikes in velocity layers and round robins, and how one of them is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from datagen.kits.strikes import Strike
from datagen.kits.synth_kit import strike_peak

Layers = tuple[tuple[Strike, ...], ...]

MONO_MIX, STEREO_MIX = ("mono",), ("mix.L", "mix.R")
"""The rows of kits that are not multi-microphone."""

VELOCITY_SLIP = 0.04
"""Standard deviation by which :meth:`Kit.pick` wanders to a neighbouring layer, as no two blows are alike."""
GAIN_RANGE_DB = (-24.0, 6.0)

FALLBACK_PIECES: Mapping[Piece, tuple[Piece, ...]] = {
    Piece.SIDESTICK: (Piece.SNARE,),
    Piece.HIHAT_CLOSED: (Piece.HIHAT_PEDAL, Piece.HIHAT_OPEN),
    Piece.HIHAT_OPEN: (Piece.HIHAT_CLOSED, Piece.HIHAT_PEDAL),
    Piece.HIHAT_PEDAL: (Piece.HIHAT_CLOSED, Piece.HIHAT_OPEN),
    Piece.TOM_HIGH: (Piece.TOM_MID, Piece.TOM_FLOOR),
    Piece.TOM_MID: (Piece.TOM_HIGH, Piece.TOM_FLOOR),
    Piece.TOM_FLOOR: (Piece.TOM_MID, Piece.TOM_HIGH),
    Piece.RIDE: (Piece.RIDE_BELL, Piece.CRASH, Piece.CHINA),
    Piece.RIDE_BELL: (Piece.RIDE, Piece.CRASH),
    Piece.CRASH: (Piece.CHINA, Piece.SPLASH, Piece.RIDE),
    Piece.SPLASH: (Piece.CRASH, Piece.CHINA),
    Piece.CHINA: (Piece.CRASH, Piece.SPLASH),
}
"""What a drummer would hit instead when a piece is missing, the likest first."""


@dataclass(frozen=True, eq=False)
class Kit:
    """A kit of drums and cymbals as its microphones hear it.

    Attributes:
        name: Of the kit.
        licence: SPDX identifier, or as the kit states it.
        source: Where it comes from.
        attribution: The line to print with anything made of it.
        sample_rate: In hertz.
        microphones: Names of the rows of every strike.
        is_multimicrophone: Whether the rows are microphones around one kit, with real bleed and time of flight;
            otherwise they are a mono or stereo mix of each hit, and microphones have to be simulated.
        strikes: Of each piece, velocity layers from soft to loud, and in each the round robins.
    """

    name: str
    licence: str
    source: str
    attribution: str
    sample_rate: int
    microphones: tuple[str, ...]
    is_multimicrophone: bool
    strikes: Mapping[Piece, Layers]

    def has_piece(self, piece: Piece) -> bool:
        """Whether :meth:`pick` finds a strike for ``piece``, its own or that of a fallback."""
        return piece in self.strikes or any(other in self.strikes for other in FALLBACK_PIECES.get(piece, ()))

    def sounding_piece(self, piece: Piece) -> Piece:
        """The piece whose strikes :meth:`pick` gives for ``piece``: itself, or the first fallback that the kit has.

        Raises:
            InputError: The kit has neither.
        """
        for candidate in (piece, *FALLBACK_PIECES.get(piece, ())):
            if candidate in self.strikes:
                return candidate
        raise InputError(f"the kit {self.name!r} has no {piece} and nothing like it, only {', '.join(self.strikes)}")

    def pick(self, piece: Piece, velocity: float, rng: np.random.Generator) -> Strike:
        """Choose a strike: its layer by velocity, now and then a neighbour, and any round robin of it.

        Args:
            piece: What is struck; its likest piece where the kit lacks it.
            velocity: 0 to 1; layers share this range evenly.
            rng: Drawn from twice, whatever the kit.

        Raises:
            InputError: The kit has neither the piece nor a fallback.
        """
        layers = self.strikes[self.sounding_piece(piece)]
        slip, turn = rng.normal(0.0, VELOCITY_SLIP), rng.random()
        layer = layers[int(np.clip(np.floor((velocity + slip) * len(layers)), 0, len(layers) - 1))]
        return layer[int(turn * len(layer))]

    def velocity_gain_db(self, piece: Piece, velocity: float, strike: Strike) -> float:
        """Gain that brings ``strike`` to the level of ``velocity``, where the piece's loudest strike has velocity 1.

        Kits with few layers need it, or their soft strokes are as loud as their hard ones. It follows
        :func:`datagen.kits.synth_kit.strike_peak` and stays within ``GAIN_RANGE_DB``.
        """
        loudest_db = max(robin.loudness_db for robin in self.strikes[self.sounding_piece(piece)][-1])
        wanted_db = loudest_db + 20.0 * np.log10(strike_peak(velocity))
        return float(np.clip(wanted_db - strike.loudness_db, *GAIN_RANGE_DB))
