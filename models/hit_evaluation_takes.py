"""Takes whose hits are known, and the conditions under which detectors hear them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from beatnet_align.audio_files import load
from beatnet_align.errors import InputError
from beatnet_align.hit_outputs import GROUP_OF_PIECE, PIECE_GROUPS
from beatnet_align.hits import Piece
from beatnet_align.reference_hits import ReferenceHit, reference_hits_from_truth
from beatnet_align.roles import Role
from beatnet_align.take import Audio, Take, take_from_array
from datagen.config import Split
from datagen.dataset import read_manifest
from datagen.sessions import find_sessions
from models.hit_rises import rises_at
from models.onset_figures import TrueHit
from models.reference_detectors import mono_mix

NOISE_DB, BLEED_DB = -50.0, -12.0
LABELS_SUFFIX = ".onsets.txt"

_CLOSE_ROLES: Mapping[str, frozenset[Role]] = {
    "kick": frozenset({Role.KICK}),
    "snare": frozenset({Role.SNARE}),
    "hihat": frozenset({Role.HIHAT}),
    "tom": frozenset({Role.TOM}),
    "ride": frozenset({Role.RIDE, Role.CYMBAL}),
    "crash": frozenset({Role.CYMBAL, Role.RIDE}),
}
_GROUP_NAMES = tuple(PIECE_GROUPS)


@dataclass(frozen=True, eq=False)
class KnownTake:
    """A take in memory and its hits."""

    take: Take
    true_hits: tuple[TrueHit, ...]


LoadTake = Callable[[], KnownTake]
"""Reads one take, when it is its turn."""


class Condition(StrEnum):
    """What a detector is given of a take."""

    ALL = "all"
    MONO = "mono"
    FAR = "far"
    NOISY = "noisy"
    KICK_SNARE_OVERHEADS = "kick_snare_overheads"


def sessions(folder: Path, limit: int | None = None) -> list[LoadTake]:
    """The sessions in a folder: each has take/ and truth.json.

    Raises:
        InputError: There is none. Loading one raises it where its files cannot be used.
    """
    return [partial(_read_session, session) for session in find_sessions(folder)[:limit]]


def dataset_takes(folder: Path, split: Split, limit: int | None = None) -> list[LoadTake]:
    """The takes of one split of a rendered dataset.

    Raises:
        InputError: It is not finished, or has none of the split. Loading one raises it where its files cannot be used.
    """
    of_split = (entry for entry in read_manifest(folder) if entry.get("split") == split.value)
    entries = list(islice(of_split, limit))
    if not entries:
        raise InputError(f"{folder} holds no takes for {split}; choose another split")
    return [partial(_read_example, folder, entry) for entry in entries]


def recordings(folder: Path, limit: int | None = None) -> list[LoadTake]:
    """Recordings with labels: NAME.flac and NAME.onsets.txt, of which a line is ``seconds label``.

    Raises:
        InputError: There is none. Loading one raises it where its files cannot be used.
    """
    found = sorted(folder.glob(f"*{LABELS_SUFFIX}"))
    if not found:
        raise InputError(f"there are no recordings in {folder}: expected NAME.flac beside NAME{LABELS_SUFFIX}")
    return [partial(_read_recording, labels) for labels in found[:limit]]


def under(condition: Condition, known: KnownTake, rng: np.random.Generator) -> KnownTake | None:
    """What is left of a take under a condition; None where the take lacks the microphones for it.

    Args:
        condition: Which.
        known: The whole take.
        rng: Makes the noise.

    Returns:
        Its hits know how far they raise the level of what is left.
    """
    left = _CONDITIONS[condition](known, rng)
    return None if left is None else _with_rises(left)


def _with_rises(known: KnownTake) -> KnownTake:
    take = known.take
    onsets = np.array([hit.seconds for hit in known.true_hits], np.float64)
    audio = take.read(0, take.samples)
    highest_db = np.max([rises_at(row, take.sample_rate, onsets) for row in audio], axis=0)
    hits = (replace(hit, rise_db=rise) for hit, rise in zip(known.true_hits, highest_db.tolist(), strict=True))
    return replace(known, true_hits=tuple(hits))


def _all(known: KnownTake, _rng: np.random.Generator) -> KnownTake:
    return known


def _mono(known: KnownTake, _rng: np.random.Generator) -> KnownTake:
    return _heard_as(known, mono_mix(known.take)[None], ["mix"], [Role.OTHER])


def _far(known: KnownTake, _rng: np.random.Generator) -> KnownTake | None:
    return _channels_of(known, {Role.OVERHEAD, Role.ROOM})


def _kick_snare_overheads(known: KnownTake, _rng: np.random.Generator) -> KnownTake | None:
    wanted = {Role.KICK, Role.SNARE, Role.OVERHEAD}
    complete = wanted <= {channel.role for channel in known.take.channels}
    return _channels_of(known, wanted) if complete else None


def _noisy(known: KnownTake, rng: np.random.Generator) -> KnownTake:
    """Every channel with white noise and with every other channel at −12 dB."""
    take = known.take
    audio = take.read(0, take.samples)
    noise = rng.standard_normal(audio.shape, np.float32) * np.float32(10.0 ** (NOISE_DB / 20.0))
    bleed = (audio.sum(axis=0) - audio) * np.float32(10.0 ** (BLEED_DB / 20.0))
    channels = take.channels
    return _heard_as(known, audio + bleed + noise, [c.name for c in channels], [c.role for c in channels])


_CONDITIONS: Mapping[Condition, Callable[[KnownTake, np.random.Generator], KnownTake | None]] = {
    Condition.ALL: _all,
    Condition.MONO: _mono,
    Condition.FAR: _far,
    Condition.NOISY: _noisy,
    Condition.KICK_SNARE_OVERHEADS: _kick_snare_overheads,
}


def _channels_of(known: KnownTake, roles: set[Role]) -> KnownTake | None:
    take = known.take
    rows = [i for i, channel in enumerate(take.channels) if channel.role in roles]
    if not rows:
        return None
    kept = [take.channels[row] for row in rows]
    audio = take.read(0, take.samples)[rows]
    return _heard_as(known, audio, [c.name for c in kept], [c.role for c in kept])


def _heard_as(known: KnownTake, audio: Audio, names: Sequence[str], roles: Sequence[Role]) -> KnownTake:
    """The take with other channels; hits whose own microphone is not among them have none."""
    take = take_from_array(audio, known.take.sample_rate, names, roles, known.take.name)
    hits = tuple(hit if hit.own_channel in names else replace(hit, own_channel=None) for hit in known.true_hits)
    return KnownTake(take, hits)


def _read_session(session: Path) -> KnownTake:
    take = replace(load(session / "take"), name=session.name)
    roles = {channel.name: channel.role for channel in take.channels}

    def own_channel(hit: ReferenceHit) -> str | None:
        group = GROUP_OF_PIECE.get(hit.piece)
        is_own = group is not None and roles.get(hit.channel) in _CLOSE_ROLES[_GROUP_NAMES[group]]
        return hit.channel if is_own else None

    hits = (
        TrueHit(hit.performed_seconds, hit.piece, hit.velocity, hit.ornament, own_channel(hit))
        for hit in reference_hits_from_truth(session)
    )
    return KnownTake(take, tuple(hits))


def _read_example(folder: Path, entry: Mapping[str, Any]) -> KnownTake:
    try:
        name = f"{entry['split']}-{entry['index']:06d}"
        audio_path = folder / entry["take"]
        names = [str(channel["name"]) for channel in entry["channels"]]
        roles = [Role(channel["role"]) for channel in entry["channels"]]
        hits = tuple(
            TrueHit(
                seconds=float(hit["performed_seconds"]),
                piece=Piece(hit["piece"]),
                velocity=float(hit["velocity"]),
                ornament=bool(hit["ornament"]),
                own_channel=str(hit["close"]) if hit["own_microphone"] else None,
            )
            for hit in entry["hits"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"an entry in the manifest of {folder} cannot be understood: {error!r}") from error
    loaded = load(audio_path)
    take = take_from_array(loaded.read(0, loaded.samples), loaded.sample_rate, names, roles, name)
    return KnownTake(take, hits)


def _read_recording(labels: Path) -> KnownTake:
    name = labels.name.removesuffix(LABELS_SUFFIX)
    try:
        lines = labels.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise InputError(f"cannot read {labels}: {error}") from error
    hits = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                hits.append(TrueHit(float(line.split()[0])))
            except ValueError as error:
                raise InputError(f"line {number} of {labels} must begin with seconds, found {line!r}") from error
    return KnownTake(replace(load(labels.with_name(f"{name}.flac")), name=name), tuple(hits))
