"""Open a folder of stems, or one multichannel file, as a take."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate, repeat
from pathlib import Path
from types import TracebackType
from typing import Self

from beatnet_align.errors import InputError
from beatnet_align.roles import Role, guess_role
from beatnet_align.stem_reader import StemFiles
from beatnet_align.stems import AUDIO_SUFFIXES, Stem, read_stem
from beatnet_align.take import MAX_CHANNELS, ArraySource, Channel, Take


@dataclass(frozen=True)
class OpenTake:
    """A take whose files are open; a context manager that closes them.

    Attributes:
        take: The take, read from the files a stretch at a time.
        stems: The files, in the order of their rows.
        files: The take's source.
    """

    take: Take
    stems: tuple[Stem, ...]
    files: StemFiles

    @property
    def padded_stems(self) -> tuple[Stem, ...]:
        """Stems that end before the take does and are read with silence after them."""
        return tuple(stem for stem in self.stems if stem.samples < self.take.samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.files.close()


def open_take(path: Path, roles: Mapping[str, Role] | None = None) -> OpenTake:
    """Open a take for reading.

    Args:
        path: A folder of stems (WAV, AIFF, FLAC and the like, mono or wider, sorted by name; hidden files and
            files that are not audio are passed over), or one file.
        roles: Corrections of the roles that channel names suggest, by channel name, file name, or file name without
            extension.

    Raises:
        InputError: There is no usable take at ``path``, or ``roles`` names something that is not in it.

    Example:
        >>> with open_take(Path("take_3")) as opened:
        ...     first_second = opened.take.read(0, opened.take.sample_rate)
    """
    with ThreadPoolExecutor() as pool:  # the last frame of a FLAC file takes a tenth of a second to find
        stems = list(pool.map(read_stem, _stem_paths(path), repeat(0)))
    first_channels = accumulate((stem.channels for stem in stems[:-1]), initial=0)
    stems = [replace(stem, first_channel=first) for stem, first in zip(stems, first_channels, strict=True)]
    _check_together(path, stems)
    channels = _channels(stems, roles or {})
    files = StemFiles(stems)
    name = path.resolve().name if path.is_dir() else path.stem
    take = Take(name, stems[0].sample_rate, max(stem.samples for stem in stems), channels, files)
    return OpenTake(take, tuple(stems), files)


def load(path: Path, roles: Mapping[str, Role] | None = None) -> Take:
    """Read a whole take into memory; arguments and errors as for :func:`open_take`."""
    with open_take(path, roles) as opened:
        return replace(opened.take, source=ArraySource(opened.take.read(0, opened.take.samples)))


def _stem_paths(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError(f"there is no {path}; give a folder of stems or one multichannel file")
    if not path.is_dir():
        return [path]
    try:
        visible = sorted((entry for entry in path.iterdir() if not entry.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise InputError(f"cannot look into {path}: {error.strerror}; check its permissions") from error
    found = [entry for entry in visible if entry.suffix.lower() in AUDIO_SUFFIXES and not entry.is_dir()]
    if not found:
        names = [entry.name + "/" * entry.is_dir() for entry in visible]
        rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise InputError(
            f"there are no stems in {path}: found {', '.join(names[:5]) + rest if names else 'nothing'}; "
            "give the folder that holds the WAV, AIFF or FLAC files"
        )
    return found


def _check_together(path: Path, stems: Sequence[Stem]) -> None:
    """Check what only shows when all stems are seen at once."""
    by_rate = defaultdict(list)
    for stem in stems:
        by_rate[stem.sample_rate].append(stem.name)
    if len(by_rate) > 1:
        rates = "; ".join(f"{rate} Hz: {', '.join(names)}" for rate, names in sorted(by_rate.items()))
        raise InputError(f"the stems in {path} differ in sample rate ({rates}); convert them to one rate")
    owners: dict[str, str] = {}
    for stem in stems:
        for name in stem.channel_names:
            if name in owners:
                raise InputError(
                    f"{owners[name]} and {stem.name} in {path} both give a channel named {name!r}; rename or remove one"
                )
            owners[name] = stem.name
    if len(owners) > MAX_CHANNELS:
        raise InputError(
            f"{path} holds {len(owners)} channels in {len(stems)} files; remove some, {MAX_CHANNELS} is the most"
        )


def _channels(stems: Sequence[Stem], roles: Mapping[str, Role]) -> tuple[Channel, ...]:
    channels = []
    valid: list[str] = []
    for stem in stems:
        valid += stem.channel_names
        for name in stem.channel_names:
            given = [roles[key] for key in (name, stem.path.stem, stem.name) if key in roles]
            channels.append(Channel(name, given[0] if given else guess_role(name)))
    known = {*valid, *(stem.name for stem in stems), *(stem.path.stem for stem in stems)}
    for name in roles:
        if name not in known:
            raise InputError(f"there is no channel {name!r} to give a role to; the channels are {', '.join(valid)}")
    return tuple(channels)
