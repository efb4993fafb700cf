"""Where the pieces of a kit stand, which microphones engineers put up, and how few they often make do with."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.roles import Role

MAX_MICROPHONES = 16

_HATS = frozenset({Piece.HIHAT_CLOSED, Piece.HIHAT_OPEN, Piece.HIHAT_PEDAL})
_SNARES = frozenset({Piece.SNARE, Piece.SIDESTICK})
_RIDES = frozenset({Piece.RIDE, Piece.RIDE_BELL})

# Metres to the drummer's right, forward and up, from the floor under the stool's edge: a right-handed kit.
PIECE_PLACES_M = {
    Piece.KICK: (0.05, 0.45, 0.30),
    **dict.fromkeys(_SNARES, (-0.22, 0.05, 0.66)),
    **dict.fromkeys(_HATS, (-0.62, 0.12, 0.92)),
    Piece.TOM_HIGH: (-0.14, 0.48, 0.86),
    Piece.TOM_MID: (0.22, 0.48, 0.84),
    Piece.TOM_FLOOR: (0.58, 0.00, 0.60),
    **dict.fromkeys(_RIDES, (0.66, 0.42, 1.00)),
    Piece.CRASH: (-0.52, 0.58, 1.18),
    Piece.SPLASH: (0.04, 0.66, 1.12),
    Piece.CHINA: (0.92, 0.22, 1.18),
    Piece.UNKNOWN: (0.0, 0.3, 0.8),
}

# How loud the hardest blow is beside the snare's at the same distance; gogodze's overhead gives kicks −6, hats −17 and
# toms −1 to −6.
PIECE_LEVELS_DB = {
    Piece.KICK: -4.0,
    Piece.SNARE: 0.0,
    Piece.SIDESTICK: -14.0,
    Piece.HIHAT_CLOSED: -16.0,
    Piece.HIHAT_OPEN: -11.0,
    Piece.HIHAT_PEDAL: -21.0,
    Piece.TOM_HIGH: -2.0,
    Piece.TOM_MID: -2.0,
    Piece.TOM_FLOOR: -1.0,
    Piece.RIDE: -15.0,
    Piece.RIDE_BELL: -12.0,
    Piece.CRASH: -6.0,
    Piece.SPLASH: -10.0,
    Piece.CHINA: -7.0,
    Piece.UNKNOWN: -10.0,
}


@dataclass(frozen=True)
class Microphone:
    """One microphone of a kit.

    Attributes:
        name: Unique in its array, as engineers name them.
        role: What it was put up for.
        close_to: The pieces whose own microphone it is; empty for overheads and rooms.
    """

    name: str
    role: Role
    close_to: frozenset[Piece] = frozenset()


@dataclass(frozen=True)
class Placement:
    """A microphone that may be put up.

    Attributes:
        microphone: Which.
        place_m: Right, forward and up; close microphones stand this far from their piece, others from the origin.
        spread_m: Standard deviation of that.
        likelihood: How often it is put up, beside the others.
        pair: Name that both halves of a stereo pair share.
    """

    microphone: Microphone
    place_m: tuple[float, float, float]
    spread_m: float
    likelihood: float
    pair: str = ""


def _close(name: str, role: Role, pieces: frozenset[Piece], place_m: tuple[float, float, float], p: float) -> Placement:
    return Placement(Microphone(name, role, pieces), place_m, 0.012, p)


def _far(name: str, role: Role, place_m: tuple[float, float, float], spread_m: float, p: float, pair: str) -> Placement:
    return Placement(Microphone(name, role), place_m, spread_m, p, pair)


_KICKS = frozenset({Piece.KICK})
PLACEMENTS = (
    _close("kick_in", Role.KICK, _KICKS, (0.0, 0.08, 0.0), 1.0),
    _close("kick_out", Role.KICK, _KICKS, (0.0, 0.45, 0.0), 0.40),
    _close("kick_sub", Role.KICK, _KICKS, (0.10, 0.55, 0.0), 0.08),
    _close("snare_top", Role.SNARE, _SNARES, (0.0, 0.05, 0.05), 0.95),
    _close("snare_bottom", Role.SNARE, _SNARES, (0.0, 0.05, -0.22), 0.40),
    _close("hihat", Role.HIHAT, _HATS, (-0.06, 0.02, 0.09), 0.45),
    _close("tom_high", Role.TOM, frozenset({Piece.TOM_HIGH}), (0.0, 0.06, 0.06), 0.50),
    _close("tom_mid", Role.TOM, frozenset({Piece.TOM_MID}), (0.0, 0.06, 0.06), 0.42),
    _close("tom_floor", Role.TOM, frozenset({Piece.TOM_FLOOR}), (0.0, 0.06, 0.07), 0.50),
    _close("ride", Role.RIDE, _RIDES, (0.0, 0.04, -0.12), 0.22),
    _far("OH.L", Role.OVERHEAD, (-0.50, 0.20, 1.85), 0.15, 0.90, "OH"),
    _far("OH.R", Role.OVERHEAD, (0.55, 0.20, 1.85), 0.15, 0.90, "OH"),
    _far("OH mono", Role.OVERHEAD, (0.0, 0.15, 1.80), 0.18, 0.14, ""),
    _far("room.L", Role.ROOM, (-0.90, 2.60, 1.30), 0.30, 0.35, "room"),
    _far("room.R", Role.ROOM, (0.90, 2.60, 1.30), 0.30, 0.35, "room"),
    _far("room", Role.ROOM, (0.10, 2.20, 1.10), 0.40, 0.24, ""),
)
"""Places after common practice (Owsinski, "The Recording Engineer's Handbook", drums); at most one of each."""

# Habits of recording: how much likelier each kind of microphone becomes.
_STYLES: tuple[dict[Role, float], ...] = (
    {},
    {Role.OVERHEAD: 6.0, Role.ROOM: 2.0},
    {Role.OVERHEAD: 0.05, Role.ROOM: 0.05},
    {Role.OVERHEAD: 20.0, Role.ROOM: 20.0, Role.KICK: 0.2, Role.SNARE: 0.1, Role.TOM: 0.05},
)
_STYLE_PROBABILITIES = (0.5, 0.25, 0.1, 0.15)


def draw_layout(rng: np.random.Generator, pieces: Collection[Piece], channels: int) -> tuple[Placement, ...]:
    """Choose microphones: the usual ones first, stereo pairs together, own microphones at times missing.

    Args:
        rng: Draws.
        pieces: What is played; microphones at pieces that are not are seldom put up.
        channels: How many microphones, 1 to 16.

    Returns:
        ``channels`` placements, close ones first.

    Raises:
        InputError: ``channels`` is out of range.
    """
    if not 1 <= channels <= MAX_MICROPHONES:
        raise InputError(f"an array has 1 to {MAX_MICROPHONES} microphones, not {channels}")
    style = _STYLES[rng.choice(len(_STYLES), p=_STYLE_PROBABILITIES)]
    luck = {placement.pair or placement.microphone.name: rng.gumbel() for placement in PLACEMENTS}

    def rank(placement: Placement) -> float:
        microphone = placement.microphone
        likelihood = placement.likelihood * style.get(microphone.role, 1.0)
        if microphone.close_to and microphone.close_to.isdisjoint(pieces):
            likelihood *= 0.15
        # Gumbel noise makes this a draw without replacement; a third of it keeps close to the usual order.
        return float(np.log(likelihood)) + 0.33 * float(luck[placement.pair or microphone.name])

    chosen: list[Placement] = []
    for placement in sorted(PLACEMENTS, key=rank, reverse=True):
        halves = [other for other in PLACEMENTS if placement.pair and other.pair == placement.pair] or [placement]
        if placement not in chosen and len(chosen) + len(halves) <= channels:
            chosen += halves
    return tuple(placement for placement in PLACEMENTS if placement in chosen)
