"""Merge kits that were recorded apart: one's snare, another's drums, a third's cymbals."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.roles import Role, guess_role
from datagen.kits.kit import MONO_MIX, STEREO_MIX, Kit, Layers
from datagen.kits.strikes import Samples, Strike


def merge_kits(name: str, kits: Sequence[Kit]) -> Kit:
    """Make one kit of several: each piece from the first kit that has it, microphones the union of all names.

    A strike is silent in microphones that its kit lacks. Where one kit has a mono overhead, room or mix and another
    a stereo pair, the mono one feeds both sides, 3 dB lower.

    Args:
        name: Of the new kit.
        kits: The first one's pieces win; all multi-microphone or all mixes, at one sample rate.

    Raises:
        InputError: No kits, or kits that do not go together.
    """
    if not kits:
        raise InputError("merging needs at least one kit, found none")
    for attribute, what in (("sample_rate", "sample rates"), ("is_multimicrophone", "kinds (multi-microphone or mix)")):
        if len({getattr(kit, attribute) for kit in kits}) > 1:
            found = ", ".join(f"{kit.name}: {getattr(kit, attribute)}" for kit in kits)
            raise InputError(f"kits of different {what} cannot be merged: {found}")
    rows = _merged_rows(kits)
    microphones = tuple(dict.fromkeys(row for kit_rows in rows for names in kit_rows for row in names))
    strikes: dict[Piece, Layers] = {}
    for kit, kit_rows in zip(kits, rows, strict=True):
        matrix = np.zeros((len(microphones), len(kit.microphones)), np.float32)
        for column, names in enumerate(kit_rows):
            matrix[[microphones.index(row) for row in names], column] = 1.0 / np.sqrt(len(names))
        for piece, layers in kit.strikes.items():
            if piece not in strikes:
                strikes[piece] = tuple(tuple(_heard_through(matrix, strike) for strike in layer) for layer in layers)
    return Kit(
        name,
        " AND ".join(dict.fromkeys(kit.licence for kit in kits)),
        "; ".join(dict.fromkeys(kit.source for kit in kits)),
        "; ".join(dict.fromkeys(kit.attribution for kit in kits)),
        kits[0].sample_rate,
        microphones,
        kits[0].is_multimicrophone,
        strikes,
    )


def _merged_rows(kits: Sequence[Kit]) -> list[list[tuple[str, ...]]]:
    """For each kit and microphone of it, the rows of the merged kit that it feeds."""
    stereo = {name for kit in kits for name in kit.microphones if name.endswith((".L", ".R"))}

    def rows(microphone: str) -> tuple[str, ...]:
        role = guess_role(microphone)
        for mix, pair in (
            (role is Role.OVERHEAD, ("overheads.L", "overheads.R")),
            (role is Role.ROOM, ("room.L", "room.R")),
            (microphone in MONO_MIX, STEREO_MIX),
        ):
            if mix and microphone not in stereo and stereo.issuperset(pair):
                return pair
        return (microphone,)

    return [[rows(microphone) for microphone in kit.microphones] for kit in kits]


def _heard_through(matrix: Samples, strike: Strike) -> Strike:
    """The strike in the rows of a merged kit; the system gives no memory to rows of zeros that are never written."""
    audio = np.zeros((len(matrix), strike.audio.shape[1]), np.float32)
    for row, column in np.argwhere(matrix):
        audio[row] += matrix[row, column] * strike.audio[column]
    audio.flags.writeable = False
    own = int(np.argmax(matrix[:, strike.own_microphone]))
    gain_db = 20.0 * np.log10(float(matrix[own, strike.own_microphone]))
    return replace(strike, audio=audio, own_microphone=own, loudness_db=strike.loudness_db + gain_db)


def as_mono(kit: Kit) -> Kit:
    """The kit as dry one-shots for a simulated array: each piece's own microphone, or the mean of a stereo mix."""
    strikes = {
        piece: tuple(tuple(_one_row(kit, strike) for strike in layer) for layer in layers)
        for piece, layers in kit.strikes.items()
    }
    return replace(kit, microphones=MONO_MIX, is_multimicrophone=False, strikes=strikes)


def _one_row(kit: Kit, strike: Strike) -> Strike:
    own = strike.audio[strike.own_microphone : strike.own_microphone + 1]
    row = own if kit.is_multimicrophone else strike.audio.mean(axis=0, keepdims=True)
    row = np.ascontiguousarray(row, np.float32)
    row.flags.writeable = False
    return replace(strike, audio=row, own_microphone=0)
