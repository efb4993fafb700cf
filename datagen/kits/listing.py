"""What a kit on disk consists of, before any audio is read: which files make which hit of which piece.

Kit folders, folders of one-shots and SFZ instruments are three makers of the same :class:`KitListing`;
:func:`datagen.kits.loading.load_kit` turns it into sound.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece

UNKNOWN_LICENCE = "unknown"

NEAREST_PIECES = {
    "hihat_half": Piece.HIHAT_OPEN,
    "hihat": Piece.HIHAT_CLOSED,
    "snare_edge": Piece.SNARE,
    "snare_rim": Piece.SNARE,
    "rimshot": Piece.SNARE,
    "ride_edge": Piece.RIDE,
    "tom_low": Piece.TOM_FLOOR,
}
"""Names that kit folders use beside those of :class:`~beatnet_align.hits.Piece`; their hits join the nearest piece."""

# The first pattern found in the words of a name decides, so the special stands before the general.
_PIECE_PATTERNS: tuple[tuple[str, Piece], ...] = (
    (r"\bcow ?bell|\bclaps?\b|\btambourine|\bshaker|\bclick\b", Piece.UNKNOWN),
    (r"\bchoke[sd]?\b|\bswish|\broll\b|\bdrag\b|\bflam\b", Piece.UNKNOWN),  # more than one attack in a file
    (r"\b(side|cross|x) ?stick|\brim ?(click)?\b|\brs\b", Piece.SIDESTICK),
    (r"\b(hats?|hh) ?(pedal|foot|chick)|\b(pedal|foot) ?(hi ?hat|hat|hh)|\bphh?\b", Piece.HIHAT_PEDAL),
    (r"\b(hats?|hh) ?(half|open|semi|loose)|\b(half|open|semi|loose) ?(hi ?hat|hat|hh)|\bohh?\b", Piece.HIHAT_OPEN),
    (r"\bhi ?hats?\b|\bhigh ?hats?\b|\bhats?\b|\bc?hh\b|\bhh ?closed\b|\bch\b", Piece.HIHAT_CLOSED),
    (r"\bbell\b|\bride ?bell", Piece.RIDE_BELL),
    (r"\bride|\brd\b", Piece.RIDE),
    (r"\bsplash", Piece.SPLASH),
    (r"\bchina", Piece.CHINA),
    (r"\bcrash|\bcymbal|\bcym\b|\bcr\b", Piece.CRASH),
    (r"\bfloor|\b(low|lo) ?toms?\b|\btoms? ?(low|lo|l|3|4|5)\b|\bft\b|\blt\b", Piece.TOM_FLOOR),
    (r"\b(mid|medium|middle) ?toms?\b|\btoms? ?(mid|medium|middle|m|2)\b|\bmt\b", Piece.TOM_MID),
    (r"\b(high|hi|rack) ?toms?\b|\btoms? ?(high|hi|h|1)\b|\bht\b", Piece.TOM_HIGH),
    (r"\btoms?\b", Piece.TOM_MID),
    (r"\bkicks?|\bkik\b|\bkck\b|\bbd\b|\bbass ?drum", Piece.KICK),
    (r"\bsnares?|\bsnr\b|\bsn\b|\bsd\b|\brimshot", Piece.SNARE),
)


@dataclass(frozen=True)
class SamplePart:
    """A stretch of an audio file and how to play it.

    Attributes:
        path: The file.
        gain_db: To play it with.
        pan: −1 left to 1 right, of equal power; a balance for stereo files.
        offset_samples: First sample to play, at the file's own rate.
        end_samples: Behind the last sample to play; the file's end where absent.
        semitones: To play it higher by, as a faster tape would.
    """

    path: Path
    gain_db: float = 0.0
    pan: float = 0.0
    offset_samples: int = 0
    end_samples: int | None = None
    semitones: float = 0.0


HitParts = tuple[SamplePart, ...]
"""What sounds together at one hit."""


@dataclass(frozen=True)
class KitListing:
    """A kit as found on disk.

    Attributes:
        path: Where it was found, for messages.
        name: Of the kit.
        licence: SPDX identifier, or as the kit states it.
        source: Where it comes from.
        attribution: The line to print with anything made of it.
        microphones: Names of the channels of every file; None where each file is a mix of its own, mono or stereo.
        sample_rate: Of every file in hertz; None where the files decide.
        hits: Hits of each piece, in any order.
    """

    path: Path
    name: str
    licence: str
    source: str
    attribution: str
    microphones: tuple[str, ...] | None
    sample_rate: int | None
    hits: Mapping[Piece, tuple[HitParts, ...]]


def piece_named(name: str) -> Piece | None:
    """Piece that a kit folder calls ``name``: exactly that of a :class:`Piece`, or one of ``NEAREST_PIECES``."""
    known = {piece.value: piece for piece in Piece if piece is not Piece.UNKNOWN} | NEAREST_PIECES
    return known.get(name)


def guess_piece(name: str) -> Piece | None:
    """Guess the piece from a file's or folder's name ("Snare 01", "OpenHat-hard"); None if it says nothing.

    Example:
        >>> guess_piece("HHOpen_03")
        <Piece.HIHAT_OPEN: 'hihat_open'>
    """
    exact = piece_named(name.lower())
    if exact is not None:
        return exact
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", name)
    words = " ".join(re.findall(r"[a-z]+|\d+", apart.lower()))
    words = re.sub(r"\b0+(?=\d)", "", words)
    for pattern, piece in _PIECE_PATTERNS:
        if re.search(pattern, words):
            return None if piece is Piece.UNKNOWN else piece
    return None


def refuse_unless_folder(path: Path) -> None:
    """Raise InputError unless ``path`` is a folder."""
    if not path.is_dir():
        raise InputError(f"{path}: no such kit; give a folder with kit.json, a folder of one-shots, or an .sfz file")
