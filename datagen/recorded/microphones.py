"""Draw an array of microphones around a kit, and render what each of them hears of a dry strike.

How loud and how late a microphone hears a piece follows from where both stand; how dark, from how far it points away.
Bleed is darker than the close sound (gogodze: a snare's treble above 4 kHz is 6 to 10 dB weaker in every microphone but
its own).
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.units import Float32Array, FloatArray, IntArray
from datagen.recorded.colours import COLOUR_TAPS, BoolArray, draw_colours
from datagen.recorded.layouts import MAX_MICROPHONES, PIECE_LEVELS_DB, PIECE_PLACES_M, Microphone, draw_layout
from datagen.recorded.rooms import SPEED_OF_SOUND_M_PER_SECOND, Room

__all__ = ["Array", "ArrayRenderer", "Microphone", "draw_array"]

BLEED_LIMITS_DB = (-40.0, -3.0)
BODY_LEVELS_DB = {Piece.KICK: 24.0, Piece.TOM_FLOOR: 12.0, Piece.TOM_MID: 8.0, Piece.TOM_HIGH: 8.0}
"""How much louder, at most, a big drum is in others' close microphones than a point of its level would be: its heads
move air all over the kit, and it shakes stands. Gogodze's snare microphone hears kicks 2 dB below its snare, where a
point would come 25 dB below."""
LONGEST_FLIGHT_SECONDS = 0.010
_INAUDIBLE_DB = -66.0  # a tail ends here, below the loudest microphone's direct sound

ComplexArray = npt.NDArray[np.complex64]


@dataclass(frozen=True, eq=False)
class Array:
    """Microphones around a kit; the hardest blow of a piece, peaking at 1, peaks near 1 in its own microphone.

    Attributes:
        sample_rate: In hertz.
        microphones: One a channel.
        pieces: One a row of the arrays below.
        piece_places_m: [pieces, 3], right, forward and up.
        microphone_places_m: [microphones, 3].
        gain_db: [pieces, microphones], of the direct sound.
        polarity: [pieces, microphones], 1 or −1: a microphone under the snare hears it upside down.
        delay_samples: [pieces, microphones], flight of the direct sound.
        colour: [pieces, microphones, taps], minimum phase, about unity where the microphone is flat.
        room_send_db: [pieces, microphones], level of the diffuse field in a room whose ``diffuse_db`` is 0.
    """

    sample_rate: int
    microphones: tuple[Microphone, ...]
    pieces: tuple[Piece, ...]
    piece_places_m: FloatArray
    microphone_places_m: FloatArray
    gain_db: FloatArray
    polarity: FloatArray
    delay_samples: IntArray
    colour: Float32Array
    room_send_db: FloatArray

    def own_microphones(self, piece: Piece) -> tuple[int, ...]:
        """Indices of the microphones that stand at ``piece``; empty where its own microphone is missing."""
        return tuple(i for i, microphone in enumerate(self.microphones) if piece in microphone.close_to)


def draw_array(rng: np.random.Generator, pieces: Collection[Piece], channels: int | range, sample_rate: int) -> Array:
    """Draw microphones for a kit: which, where, how loud, how late and how dark each hears every piece.

    Args:
        rng: Draws.
        pieces: What is played, at least one.
        channels: How many microphones, or the range to draw from (1 to 16).
        sample_rate: In hertz.

    Raises:
        InputError: No pieces, or a number of channels out of range.
    """
    if not pieces:
        raise InputError("an array needs at least one piece to listen to")
    counts = channels if isinstance(channels, range) else range(channels, channels + 1)
    if len(counts) == 0 or not 1 <= min(counts) <= max(counts) <= MAX_MICROPHONES:
        raise InputError(f"an array has 1 to {MAX_MICROPHONES} microphones, found {channels}")
    struck = tuple(sorted(pieces))
    layout = draw_layout(rng, pieces, int(rng.choice(counts)))
    microphones = tuple(placement.microphone for placement in layout)
    kit_m = {piece: np.array(place) + rng.normal(0.0, 0.035, 3) for piece, place in _one_place_each().items()}
    piece_places_m = np.array([kit_m[_place_of(piece)] for piece in struck])
    places_m = np.array(
        [
            np.array(placement.place_m)
            + rng.normal(0.0, placement.spread_m, 3)
            + (kit_m[_place_of(min(placement.microphone.close_to))] if placement.microphone.close_to else 0.0)
            for placement in layout
        ]
    )
    own = np.array([[piece in microphone.close_to for microphone in microphones] for piece in struck])
    distances_m = np.maximum(np.linalg.norm(piece_places_m[:, None] - places_m[None], axis=2), 0.03)
    gain_db, room_send_db = _draw_levels(rng, struck, microphones, own, distances_m)
    upside_down = np.array([microphone.name == "snare_bottom" for microphone in microphones])
    seconds = np.minimum(distances_m / SPEED_OF_SOUND_M_PER_SECOND, LONGEST_FLIGHT_SECONDS)
    return Array(
        sample_rate,
        microphones,
        struck,
        piece_places_m,
        places_m,
        gain_db,
        np.where(own & upside_down, -1.0, 1.0),
        np.rint(seconds * sample_rate).astype(np.int64),
        draw_colours(rng, microphones, own, sample_rate),
        room_send_db,
    )


class ArrayRenderer:
    """Turns dry strikes into what every microphone records of them.

    Args:
        array: The microphones.
        room: The room, drawn for ``len(array.microphones)`` microphones and ``len(array.pieces)`` pieces; None for a
            field without walls.

    Raises:
        InputError: Room and array do not fit.
    """

    def __init__(self, array: Array, room: Room | None) -> None:
        if room is not None and (
            room.offsets.shape[:2] != array.gain_db.shape or room.sample_rate != array.sample_rate
        ):
            raise InputError(
                f"the room was drawn for {room.offsets.shape[0]} pieces and {room.offsets.shape[1]} microphones at "
                f"{room.sample_rate} Hz, the array has {len(array.pieces)} and {len(array.microphones)} at "
                f"{array.sample_rate} Hz"
            )
        self.array = array
        self.room = room
        self._responses: dict[Piece, Float32Array] = {}
        self._spectra: dict[tuple[Piece, int], ComplexArray] = {}

    def response(self, piece: Piece) -> Float32Array:
        """Response of every microphone to one impulse of ``piece``: [microphones, taps], computed once.

        Raises:
            InputError: The array was not drawn for this piece.
        """
        if piece not in self._responses:
            self._responses[piece] = self._response(self._row(piece))
        return self._responses[piece]

    def image(self, piece: Piece, dry_strike: FloatArray | Float32Array) -> Float32Array:
        """What every microphone hears of one strike: direct sound, colour, bleed and room.

        Args:
            piece: What was struck.
            dry_strike: [samples].

        Returns:
            [microphones, samples plus the response], starting when the dry strike does.

        Raises:
            InputError: The array was not drawn for this piece.
        """
        response = self.response(piece)
        samples = len(dry_strike) + response.shape[1] - 1
        size = next_fast_len(samples, real=True)
        if (piece, size) not in self._spectra:
            self._spectra[piece, size] = rfft(response, size)
        spectrum = rfft(np.asarray(dry_strike, np.float32), size)
        return np.asarray(irfft(self._spectra[piece, size] * spectrum, size)[:, :samples], np.float32)

    def arrival_samples(self, piece: Piece) -> IntArray:
        """Whole samples from the strike to the direct sound's arrival, [microphones]."""
        return np.asarray(self.array.delay_samples[self._row(piece)])

    def _row(self, piece: Piece) -> int:
        if piece not in self.array.pieces:
            raise InputError(f"the array was drawn for {', '.join(self.array.pieces)}, not for {piece}")
        return self.array.pieces.index(piece)

    def _response(self, row: int) -> Float32Array:
        array, room = self.array, self.room
        delays = array.delay_samples[row]
        direct = array.polarity[row] * 10.0 ** (array.gain_db[row] / 20.0)
        taps = int(delays.max()) + COLOUR_TAPS
        if room is None:
            early, tails, sends = np.zeros((len(delays), 0), np.float32), None, np.zeros(len(delays))
        else:
            early = room.early(array.piece_places_m[row], array.microphone_places_m)
            sends = 10.0 ** ((array.room_send_db[row] + room.diffuse_db) / 20.0)
            audible_db = 20.0 * np.log10(sends.max() / np.abs(direct).max()) - _INAUDIBLE_DB
            length = int(room.tail_samples * np.clip(audible_db / 60.0, 0.1, 1.0))
            tails = room.tail(row, length)
            taps = max(taps + length, early.shape[1])
        response = np.zeros((len(delays), taps), np.float32)
        response[:, : early.shape[1]] = early * 10.0 ** (array.room_send_db[row, :, None] / 20.0)
        for channel, delay in enumerate(delays):
            response[channel, :delay] = 0.0  # rounding of paths must not let a wall answer before the direct sound
            response[channel, delay : delay + COLOUR_TAPS] += direct[channel] * array.colour[row, channel]
            if tails is not None:
                response[channel, delay : delay + tails.shape[1]] += sends[channel] * tails[channel]
        return response


def _one_place_each() -> dict[Piece, tuple[float, float, float]]:
    """The places of the kit, under the first piece that stands there."""
    return {piece: place for piece, place in PIECE_PLACES_M.items() if _place_of(piece) is piece}


def _place_of(piece: Piece) -> Piece:
    return min(other for other, place in PIECE_PLACES_M.items() if place == PIECE_PLACES_M[piece])


def _draw_levels(
    rng: np.random.Generator,
    pieces: tuple[Piece, ...],
    microphones: tuple[Microphone, ...],
    own: BoolArray,
    distances_m: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Levels of the direct sound and of the diffuse field, [pieces, microphones] each.

    Direct sound falls by 6 dB where distance doubles, and off the axis of close microphones; the diffuse field is the
    same everywhere but for what a directional microphone rejects of it.
    """
    close = np.array([bool(microphone.close_to) for microphone in microphones])
    room = np.array([microphone.role is Role.ROOM for microphone in microphones])
    levels_db = np.array([PIECE_LEVELS_DB[piece] for piece in pieces])[:, None] + rng.normal(0.0, 2.0, (len(pieces), 1))
    aside_db = np.where(close, rng.normal(-5.0, 3.0, own.shape), rng.normal(0.0, 1.5, own.shape)) + rng.normal(0.0, 3.0)
    aside_db -= 8.0 * np.array([microphone.name == "kick_in" for microphone in microphones])  # inside the shell
    bodies_db = np.array([rng.uniform(0.0, BODY_LEVELS_DB.get(piece, 0.0)) for piece in pieces])
    off_axis_db = np.minimum(aside_db, 3.0) + np.where(close, bodies_db[:, None], 0.0)
    direct_db = levels_db - 20.0 * np.log10(distances_m) + np.where(own, 0.0, off_axis_db)
    trim_db = -_own_level_db(direct_db, own, close, rng)
    gain_db = direct_db + trim_db
    bleed_db = np.clip(gain_db, BLEED_LIMITS_DB[0], np.where(close, BLEED_LIMITS_DB[1], 6.0))
    directivity_db = np.where(room, 3.0, 7.0) + rng.normal(0.0, 1.5, len(microphones))
    return np.where(own, gain_db, bleed_db), levels_db + trim_db - directivity_db


def _own_level_db(direct_db: FloatArray, own: BoolArray, close: BoolArray, rng: np.random.Generator) -> FloatArray:
    """Level that each microphone is set up for, [microphones]: its loudest own piece, or the loudest of all."""
    heard_db = direct_db.max(axis=0)
    # A microphone at a piece that nobody plays is set up for it all the same: well above its bleed.
    unplayed_db = heard_db + rng.uniform(6.0, 20.0, len(heard_db))
    own_db = np.where(own, direct_db, -np.inf).max(axis=0)
    return np.asarray(np.where(close, np.where(own.any(axis=0), own_db, unplayed_db), heard_db))
