"""A hit: one strike of one piece of the kit."""

from dataclasses import dataclass
from enum import StrEnum


class Piece(StrEnum):
    """The pieces of a kit, under the names that plans, datasets and metrics use; UNKNOWN where nobody can tell."""

    KICK = "kick"
    SNARE = "snare"
    SIDESTICK = "sidestick"
    HIHAT_CLOSED = "hihat_closed"
    HIHAT_OPEN = "hihat_open"
    HIHAT_PEDAL = "hihat_pedal"
    TOM_HIGH = "tom_high"
    TOM_MID = "tom_mid"
    TOM_FLOOR = "tom_floor"
    RIDE = "ride"
    RIDE_BELL = "ride_bell"
    CRASH = "crash"
    SPLASH = "splash"
    CHINA = "china"
    UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class Hit:
    """One strike.

    Attributes:
        onset_samples: First sample of the strike on its trigger channel, by the definition in ``onset_timing.py``;
            HitNet's lie a little before it where only overheads hear a kick or snare, see :mod:`beatnet_align.travel`.
        channel: Index of the trigger channel in the take.
        piece: What was struck, as far as it is known.
        velocity: 0 to 1: what HitNet takes it for, or the level against the loudest hits of the same channel.
        confidence: 0 to 1, that this is a hit of its own and not bleed or noise.
        salience: How much the ear follows this hit among those struck together, in decibels: HitNet's velocity plus
            the priority of the piece's role; or the rise in level against what its channel is used to, plus the
            priority of the channel's role.
    """

    onset_samples: int
    channel: int
    piece: Piece
    velocity: float
    confidence: float
    salience: float = 0.0
