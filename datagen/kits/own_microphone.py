"""Which microphone of a kit is a piece's own: where its onsets are measured."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from beatnet_align.hits import Piece
from beatnet_align.roles import Role, guess_role
from datagen.kits.synth_kit import onset_in_strike

CLOSE_ROLES_OF = {
    Piece.KICK: (Role.KICK,),
    Piece.SNARE: (Role.SNARE,),
    Piece.SIDESTICK: (Role.SNARE,),
    Piece.HIHAT_CLOSED: (Role.HIHAT,),
    Piece.HIHAT_OPEN: (Role.HIHAT,),
    Piece.HIHAT_PEDAL: (Role.HIHAT,),
    Piece.TOM_HIGH: (Role.TOM,),
    Piece.TOM_MID: (Role.TOM,),
    Piece.TOM_FLOOR: (Role.TOM,),
    Piece.RIDE: (Role.RIDE, Role.CYMBAL),
    Piece.RIDE_BELL: (Role.RIDE, Role.CYMBAL),
    Piece.CRASH: (Role.CYMBAL,),
    Piece.SPLASH: (Role.CYMBAL,),
    Piece.CHINA: (Role.CYMBAL,),
}
"""Roles of the microphones that engineers put up for each piece."""

MUCH_QUIETER_DB = 20.0
"""A microphone this far under the loudest is not taken for a piece's own, whatever its name: some kits gate them."""
ABOUT_AS_LOUD_DB = 6.0
_UNDERNEATH = ("bottom", "btm", "bot", "under", "resonant")


def own_microphone(
    piece: Piece, microphones: Sequence[str], strikes: Sequence[npt.NDArray[np.floating]], sample_rate: int
) -> int:
    """Choose the own microphone of a piece, one for all its strikes.

    The microphone that bears the piece's name, unless the piece hardly sounds there; else one that belongs to no other
    piece; else any but a room. Among several the loudest, or one about as loud that hears the piece earlier.

    Args:
        piece: What is struck.
        microphones: Names, in the order of the rows.
        strikes: Each [microphones, samples], full scale ±1.
        sample_rate: In hertz.
    """
    if len(microphones) == 1:
        return 0
    peaks = np.median([np.abs(strike).max(axis=1) for strike in strikes], axis=0)
    levels_db = 20.0 * np.log10(np.maximum(peaks, 1e-9))
    heard = {row for row in range(len(microphones)) if levels_db[row] > levels_db.max() - MUCH_QUIETER_DB}
    roles = [guess_role(name) for name in microphones]
    close = CLOSE_ROLES_OF.get(piece, ())
    groups = [{row for row in heard if roles[row] is role} for role in close]
    groups = [{row for row in group if not microphones[row].lower().endswith(_UNDERNEATH)} or group for group in groups]
    groups.append({row for row in heard if not roles[row].is_close and roles[row] is not Role.ROOM})
    groups.append({row for row in heard if roles[row] is not Role.ROOM})
    candidates = next((group for group in groups if group), heard)
    loudest_db = max(levels_db[row] for row in candidates)
    contenders = sorted(row for row in candidates if levels_db[row] >= loudest_db - ABOUT_AS_LOUD_DB)
    return min(contenders, key=lambda row: _median_onset(strikes, row, sample_rate))


def _median_onset(strikes: Sequence[npt.NDArray[np.floating]], row: int, sample_rate: int) -> float:
    onsets = [onset_in_strike(np.asarray(strike[row], np.float64), sample_rate) for strike in strikes]
    return float(np.median(onsets))
