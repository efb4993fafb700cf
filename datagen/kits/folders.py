"""List the hits of a kit folder (``kit.json`` and one folder a piece) or of a plain folder of one-shots."""

import json
import logging
from pathlib import Path
from typing import Any

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.take import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from datagen.kits.listing import (
    UNKNOWN_LICENCE,
    HitParts,
    KitListing,
    SamplePart,
    guess_piece,
    piece_named,
    refuse_unless_folder,
)

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".aif", ".aiff", ".ogg"})
_REQUIRED = ("name", "sample_rate", "microphones", "pieces", "licence", "source")

_logger = logging.getLogger(__name__)


def list_kit_folder(folder: Path) -> KitListing:
    """Read ``kit.json`` in ``folder`` and find the files that it promises.

    Raises:
        InputError: ``kit.json`` is unreadable, lacks a key or holds nonsense; a piece has an unknown name, no files,
            or another number of files than promised.
    """
    manifest = folder / "kit.json"
    described = _read_manifest(manifest)
    hits: dict[Piece, tuple[HitParts, ...]] = {}
    for name, promised in described["pieces"].items():
        piece = piece_named(name)
        if piece is None:
            known = ", ".join(known.value for known in Piece if known is not Piece.UNKNOWN)
            raise InputError(f"{manifest}: unknown piece {name!r}; known are {known}")
        files = _audio_files(folder / name)
        if not files:
            raise InputError(f"{manifest}: the piece {name!r} has no hits in {folder / name}")
        if len(files) != promised:
            raise InputError(f"{manifest}: the piece {name!r} should have {promised!r} hits, found {len(files)}")
        hits[piece] = hits.get(piece, ()) + tuple((SamplePart(file),) for file in files)
    name, source, licence = (str(described[key]) for key in ("name", "source", "licence"))
    return KitListing(
        path=folder,
        name=name,
        licence=licence,
        source=source,
        attribution=str(described.get("attribution", f"{source} ({licence})")),
        microphones=tuple(described["microphones"]),
        sample_rate=described["sample_rate"],
        hits=hits,
    )


def _read_manifest(manifest: Path) -> dict[str, Any]:
    try:
        described = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{manifest}: cannot be read as JSON: {error}") from error
    if not isinstance(described, dict):
        raise InputError(f"{manifest}: must hold one JSON object")
    missing = [key for key in _REQUIRED if key not in described]
    if missing:
        raise InputError(f"{manifest}: lacks {', '.join(missing)}; a kit needs {', '.join(_REQUIRED)}")
    microphones, rate, pieces = described["microphones"], described["sample_rate"], described["pieces"]
    names_fit = isinstance(microphones, list) and all(isinstance(name, str) for name in microphones)
    if not names_fit or not 1 <= len(microphones) <= MAX_CHANNELS or len(set(microphones)) != len(microphones):
        raise InputError(f"{manifest}: microphones must be 1 to {MAX_CHANNELS} different names, found {microphones!r}")
    if not isinstance(rate, int) or not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise InputError(f"{manifest}: sample_rate must be {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}, found {rate!r}")
    if not isinstance(pieces, dict) or not pieces:
        raise InputError(f"{manifest}: pieces must name at least one piece and its number of hits, found {pieces!r}")
    return described


def _audio_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file())


def list_one_shots(folder: Path) -> KitListing:
    """Find the one-shots in and below ``folder`` and guess their pieces from the names of their folders and files.

    The innermost folder whose name tells a piece decides, then the file's own name; files that tell nothing (claps,
    cowbells) are left out with one warning.

    Raises:
        InputError: Not a folder, or nothing in it is named after a piece.
    """
    refuse_unless_folder(folder)
    hits: dict[Piece, tuple[HitParts, ...]] = {}
    nameless: list[str] = []
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()]
    for file in files:
        inside = file.relative_to(folder)
        names = [*(parent for parent in reversed(inside.parts[:-1])), inside.stem]
        piece = next((piece for piece in map(guess_piece, names) if piece is not None), None)
        if piece is None:
            nameless.append(str(inside))
        else:
            hits[piece] = (*hits.get(piece, ()), (SamplePart(file),))
    if not hits:
        raise InputError(
            f"{folder}: found {len(files)} audio files and none named after a piece; "
            "name the files or their folders kick, snare, hihat_closed and so on"
        )
    if nameless:
        shown = ", ".join(nameless[:5])
        _logger.warning("%s: left out %d files that name no piece: %s", folder, len(nameless), shown)
    name = folder.resolve().name
    return KitListing(folder, name, UNKNOWN_LICENCE, str(folder), f"{name} (licence unknown)", None, None, hits)
