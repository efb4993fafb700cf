"""Load a kit, whatever it is on disk, and merge kits; the door to everything about kits.

Example:
    >>> kit = load_kit(Path("kits/gogodze"))  # doctest: +SKIP
    >>> kit.pick(Piece.SNARE, 0.8, np.random.default_rng(1)).audio.shape  # doctest: +SKIP
    (6, 60211)
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.roles import guess_role
from datagen.kits.folders import list_kit_folder, list_one_shots
from datagen.kits.kit import FALLBACK_PIECES, MONO_MIX, STEREO_MIX, Kit, Layers
from datagen.kits.listing import HitParts, KitListing, refuse_unless_folder
from datagen.kits.merging import merge_kits
from datagen.kits.own_microphone import own_microphone
from datagen.kits.sfz import list_sfz
from datagen.kits.strikes import SILENT_PEAK, Samples, Strike, make_strike, name_of, read_hit, resample, velocity_layers

__all__ = ["FALLBACK_PIECES", "Kit", "Strike", "load_kit", "merge_kits"]

KITS_IN_MEMORY = 16


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
        for hit, audio in zip(hits, heard, strict=True):
            if np.max(np.abs(audio[own])) < SILENT_PEAK:
                raise InputError(
                    f"{name_of(hit)}: silent on {microphones[own]}, where the other hits of {piece} are loud"
                )
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
