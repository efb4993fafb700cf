"""A kit: every piece's strikes in velocity layers and round robins, loaded from disk or merged from several kits.

Example:
    >>> kit = load_kit(Path("../shared/data/kits/gogodze"))  # doctest: +SKIP
    >>> kit.pick(Piece.SNARE, 0.8, np.random.default_rng(1)).audio.shape  # doctest: +SKIP
    (6, 60211)
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.roles import Role, guess_role
from datagen.kit_folder import list_kit_folder, list_one_shots
from datagen.kit_listing import HitParts, KitListing, refuse_unless_folder
from datagen.own_microphone import own_microphone
from datagen.sfz import list_sfz
from datagen.strikes import Samples, Strike, make_strike, name_of, read_hit, resample, velocity_layers
from datagen.synth_kit import strike_peak

__all__ = ["FALLBACK_PIECES", "Kit", "Strike", "load_kit", "merge_kits"]

Layers = tuple[tuple[Strike, ...], ...]

MONO_MIX, STEREO_MIX = ("mono",), ("mix.L", "mix.R")
VELOCITY_SLIP = 0.04
"""Standard deviation by which :meth:`Kit.pick` wanders to a neighbouring layer, as no two blows are alike."""
GAIN_RANGE_DB = (-24.0, 6.0)
KITS_IN_MEMORY = 16

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


@dataclass(frozen=True)
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
        :func:`datagen.synth_kit.strike_peak` and stays within ``GAIN_RANGE_DB``.
        """
        loudest_db = max(robin.loudness_db for robin in self.strikes[self.sounding_piece(piece)][-1])
        wanted_db = loudest_db + 20.0 * np.log10(strike_peak(velocity))
        return float(np.clip(wanted_db - strike.loudness_db, *GAIN_RANGE_DB))


def load_kit(path: Path, sample_rate: int | None = None) -> Kit:
    """Load a kit, whatever it is: a folder with ``kit.json``, an SFZ instrument, or a folder of one-shots.

    Each kit is decoded once a process and shared, so its arrays are read-only; changes on disk are not seen.

    Args:
        path: The folder, its ``kit.json``, or the ``.sfz`` file. A folder may hold one ``.sfz`` file.
        sample_rate: To resample to, in hertz; that of the files when None.

    Raises:
        InputError: Nothing usable there, or a file in it is bad; the message names it.
    """
    return _load_cached(Path(path).resolve(), sample_rate)


@lru_cache(maxsize=KITS_IN_MEMORY)
def _load_cached(path: Path, sample_rate: int | None) -> Kit:
    return _build(_list_kit(path), sample_rate)


def _list_kit(path: Path) -> KitListing:
    if path.suffix.lower() == ".sfz":
        return list_sfz(path)
    if path.name == "kit.json" and path.is_file():
        return list_kit_folder(path.parent)
    refuse_unless_folder(path)
    if (path / "kit.json").exists():
        return list_kit_folder(path)
    instruments = sorted(file for file in path.iterdir() if file.suffix.lower() == ".sfz")
    if len(instruments) > 1:
        raise InputError(f"{path}: holds {len(instruments)} SFZ instruments; give one of them, as {instruments[0]}")
    return list_sfz(instruments[0]) if instruments else list_one_shots(path)


def _build(listing: KitListing, sample_rate: int | None) -> Kit:
    rate = sample_rate or listing.sample_rate
    every_hit = [hit for hits in listing.hits.values() for hit in hits]
    with ThreadPoolExecutor(max_workers=2) as pool:
        sounds = dict(zip(every_hit, pool.map(lambda hit: _read(hit, listing, sample_rate), every_hit), strict=True))
    for hit, (_, found) in sounds.items():
        rate = rate or found
        if found != rate:
            raise InputError(f"{name_of(hit)}: {found} Hz beside {rate} Hz in one kit; ask load_kit for a sample_rate")
    if rate is None:
        raise InputError(f"{listing.path}: the kit has no hits")
    microphones = listing.microphones
    is_multimicrophone = microphones is not None and _is_multimicrophone(microphones)
    if microphones is None or not is_multimicrophone:
        microphones = MONO_MIX if all(len(audio) == 1 for audio, _ in sounds.values()) else STEREO_MIX
    strikes: dict[Piece, Layers] = {}
    for piece, hits in listing.hits.items():
        heard = [_with_rows(sounds[hit][0], len(microphones), name_of(hit)) for hit in hits]
        own = own_microphone(piece, microphones, heard, rate)
        strikes[piece] = velocity_layers([make_strike(audio, own, rate) for audio in heard])
    return Kit(
        listing.name,
        listing.licence,
        listing.source,
        listing.attribution,
        rate,
        microphones,
        is_multimicrophone,
        strikes,
    )


def _is_multimicrophone(microphones: Sequence[str]) -> bool:
    """One or two channels that are nobody's close microphone are a mix."""
    return len(microphones) > len(STEREO_MIX) or any(guess_role(name).is_close for name in microphones)


def _read(hit: HitParts, listing: KitListing, sample_rate: int | None) -> tuple[Samples, int]:
    """A hit at the wanted rate, checked against what the kit says about its files."""
    audio, rate = read_hit(hit, None if listing.sample_rate else sample_rate)
    if listing.sample_rate not in (None, rate):
        raise InputError(f"{name_of(hit)}: {rate} Hz, but its kit.json says {listing.sample_rate} Hz")
    if listing.microphones is not None and len(audio) != len(listing.microphones):
        raise InputError(
            f"{name_of(hit)}: {len(audio)} channels, but its kit.json lists {len(listing.microphones)} microphones"
        )
    if sample_rate is not None and rate != sample_rate:
        return resample(audio, rate, sample_rate), sample_rate
    return audio, rate


def _with_rows(audio: Samples, rows: int, path: Path) -> Samples:
    if len(audio) == rows:
        return audio
    if len(audio) > 1:
        raise InputError(f"{path}: {len(audio)} channels; one-shots are mono or stereo")
    return np.repeat(audio, rows, axis=0)


def merge_kits(name: str, kits: Sequence[Kit], gains_db: Sequence[float] | None = None) -> Kit:
    """Make one kit of several: each piece from the first kit that has it, microphones the union of all names.

    A strike is silent in microphones that its kit lacks. Where one kit has a mono overhead, room or mix and another
    a stereo pair, the mono one feeds both sides, 3 dB lower.

    Args:
        name: Of the new kit.
        kits: The first one's pieces win; all multi-microphone or all mixes, at one sample rate.
        gains_db: One a kit, to balance recordings made at different levels; none when None.

    Raises:
        InputError: No kits, kits that do not go together, or another number of gains.
    """
    gains = [0.0] * len(kits) if gains_db is None else list(gains_db)
    if not kits or len(gains) != len(kits):
        raise InputError(f"merging needs at least one kit and one gain a kit, found {len(kits)} and {len(gains)}")
    for attribute, what in (("sample_rate", "sample rates"), ("is_multimicrophone", "kinds (multi-microphone or mix)")):
        if len({getattr(kit, attribute) for kit in kits}) > 1:
            found = ", ".join(f"{kit.name}: {getattr(kit, attribute)}" for kit in kits)
            raise InputError(f"kits of different {what} cannot be merged: {found}")
    rows = _merged_rows(kits)
    microphones = tuple(dict.fromkeys(row for kit_rows in rows for names in kit_rows for row in names))
    strikes: dict[Piece, Layers] = {}
    for kit, kit_rows, gain_db in zip(kits, rows, gains, strict=True):
        matrix = np.zeros((len(microphones), len(kit.microphones)), np.float32)
        for column, names in enumerate(kit_rows):
            matrix[[microphones.index(row) for row in names], column] = 10.0 ** (gain_db / 20.0) / np.sqrt(len(names))
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
