"""What HitNet is told of channels and says of each frame: the layout that training writes and the effect reads."""

from collections.abc import Iterable

import numpy as np

from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.units import IntArray

ROLES = tuple(Role)
"""Channels' roles are told by their place in here."""

PIECE_GROUPS: dict[str, tuple[Piece, ...]] = {
    "kick": (Piece.KICK,),
    "snare": (Piece.SNARE, Piece.SIDESTICK),
    "hihat": (Piece.HIHAT_CLOSED, Piece.HIHAT_OPEN, Piece.HIHAT_PEDAL),
    "tom": (Piece.TOM_HIGH, Piece.TOM_MID, Piece.TOM_FLOOR),
    "ride": (Piece.RIDE, Piece.RIDE_BELL),
    "crash": (Piece.CRASH, Piece.SPLASH, Piece.CHINA),
}
"""Pieces that sound alike share an output; which of them it was is told apart afterwards."""

PIECES = tuple(piece for group in PIECE_GROUPS.values() for piece in group)
GROUP_OF_PIECE = {piece: i for i, group in enumerate(PIECE_GROUPS.values()) for piece in group}
UNKNOWN_GROUP = len(PIECE_GROUPS)
"""Stands for the group of a piece that is not known."""
_GROUPS = len(PIECE_GROUPS)

# Rows of the take's output, [TAKE_ROWS, frames]: logits, but for offsets, in frames from a frame's middle to the onset;
# velocities are logits of 0 to 1.
HIT = 0
HIT_OFFSET = 1
GROUP = slice(2, 2 + _GROUPS)
GROUP_OFFSET = slice(GROUP.stop, GROUP.stop + _GROUPS)
VELOCITY = slice(GROUP_OFFSET.stop, GROUP_OFFSET.stop + _GROUPS)
PIECE = slice(VELOCITY.stop, VELOCITY.stop + len(PIECES))
TAKE_ROWS = PIECE.stop

# Rows of each channel's output, [channels, CHANNEL_ROWS, frames].
HEARD = 0
HEARD_OFFSET = 1
OWN = slice(2, 2 + _GROUPS)
CHANNEL_ROWS = OWN.stop


def groups_of(pieces: Iterable[Piece]) -> IntArray:
    """Places in ``PIECE_GROUPS``, or :data:`UNKNOWN_GROUP`, one a piece."""
    return np.array([GROUP_OF_PIECE.get(piece, UNKNOWN_GROUP) for piece in pieces], np.int64)
