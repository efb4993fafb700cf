"""Write stems in the format that they came in, all of them or none."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile as sf

from beatnet_align.audio_files import OpenTake
from beatnet_align.errors import InputError, OutputError
from beatnet_align.stems import INTEGER_BITS, Stem, read_stem
from beatnet_align.take import Audio


def check_out_dir(opened: OpenTake, out_dir: Path, force: bool, extra_names: Iterable[str] = ()) -> None:
    """Check, before any long work, that a result may be written to a folder.

    Args:
        opened: The take; the result will have its file names and about its size.
        out_dir: Where to write; need not exist yet.
        force: Whether files that are there may be replaced.
        extra_names: Further files that will be written.

    Raises:
        InputError: The folder is the take's own, is a file, or holds such files already and ``force`` is not set.
        OutputError: The disk has too little room.
    """
    names = [*(stem.name for stem in opened.stems), *extra_names]
    check_files(opened, out_dir, names, sum(stem.size_bytes for stem in opened.stems), force)


def check_files(opened: OpenTake, out_dir: Path, names: Iterable[str], needed_bytes: int, force: bool) -> None:
    """Check that certain files may be written.

    Args:
        opened: The take that they are made of.
        out_dir: Where to write; need not exist yet.
        names: In ``out_dir``; may lie in folders of it, as ``close/kick.wav``.
        needed_bytes: About their size.
        force: Whether files that are there may be replaced.

    Raises:
        InputError, OutputError: As for :func:`check_out_dir`.
    """
    with _reported(out_dir):
        base = _existing_folder(out_dir)
        for name in names:
            _existing_folder((out_dir / name).parent)
            _check_name_is_free(opened, out_dir / name, force)
        free_bytes = shutil.disk_usage(base).free
    if needed_bytes > free_bytes:
        raise OutputError(
            f"{out_dir} needs about {needed_bytes / 1e6:.1f} MB, and its disk has {free_bytes / 1e6:.1f} MB left; "
            "make room or choose another disk with -o"
        )


def _existing_folder(folder: Path) -> Path:
    """The folder itself, or where it does not exist the one to make it in; InputError where that is a file."""
    here = folder.absolute()
    base = next(one for one in (here, *here.parents) if os.path.lexists(one))
    if not base.is_dir():
        raise InputError(f"cannot write into {folder}: {base} is a file; choose another folder with -o")
    return base


def _check_name_is_free(opened: OpenTake, final: Path, force: bool) -> None:
    if any(final.exists() and final.samefile(stem.path) for stem in opened.stems):
        raise InputError(f"{final} is a stem of the take itself, never to be replaced; choose another folder with -o")
    if final.is_dir():
        raise InputError(f"{final} is a folder and in the way; move it, or choose another place with -o")
    if os.path.lexists(final) and not force:
        raise InputError(f"{final} exists; use --force to replace it, or choose another folder with -o")


def write_stems(
    opened: OpenTake,
    blocks: Iterable[Audio],
    out_dir: Path,
    *,
    force: bool = False,
    extra_files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a take's stems under their names, in their formats, lengths and with their tags.

    Everything goes to hidden files first, which get their names when all is written; after any failure, also in
    ``blocks``, none is left. Integer samples are rounded to the nearest step and held at full scale, float samples are
    written as they are: what was not touched comes back bit for bit.

    Args:
        opened: The take that the audio belongs to.
        blocks: [channels, samples] each, one after the other, together as long as the take.
        out_dir: Made where it does not exist.
        force: Replace files that are there.
        extra_files: Name and content of further files, written in this order after the stems.

    Raises:
        InputError: See :func:`check_out_dir`.
        OutputError: The files could not be written, or ``blocks`` do not fit the take.
    """
    extras = extra_files or {}
    check_out_dir(opened, out_dir, force, extras)
    stems = {stem.name: stem for stem in opened.stems}
    with _all_or_none(out_dir, [*stems, *extras]) as partials:
        _write_audio(stems, opened.take.samples, blocks, partials)
        for name, content in extras.items():
            with _reported(out_dir / name):
                partials[name].write_bytes(content)


def write_audio(
    opened: OpenTake, stems: Mapping[str, Stem], blocks: Iterable[Audio], out_dir: Path, *, force: bool = False
) -> None:
    """Write files that are made of a take, in formats of their own; otherwise like :func:`write_stems`.

    Args:
        opened: The take.
        stems: By name in ``out_dir``, see :func:`check_files`: the format of each, its rows of the blocks and its
            length. In order of rows, at least one.
        blocks: [rows, samples] each, one after the other, together as long as the take.
        out_dir: Made where it does not exist, with the folders of the names.
        force: Replace files that are there.

    Raises:
        InputError, OutputError: As for :func:`write_stems`.
    """
    check_files(opened, out_dir, stems, sum(stem.size_bytes for stem in stems.values()), force)
    with _all_or_none(out_dir, list(stems)) as partials:
        _write_audio(stems, opened.take.samples, blocks, partials)


@contextmanager
def _all_or_none(out_dir: Path, names: Sequence[str]) -> Iterator[dict[str, Path]]:
    """Give hidden files to write to; put them in place when all went well, else remove every trace.

    Files that they replace wait under hidden names until all are in place, and come back where one cannot be placed.
    """
    folders = {(out_dir / name).parent for name in names} | {out_dir}
    missing = {one for folder in folders for one in (folder, *folder.parents) if not one.exists()}
    made = sorted(missing, key=lambda folder: len(folder.parts), reverse=True)
    partials = {name: (out_dir / name).with_name(f".{Path(name).name}.partial") for name in names}
    placed: list[Path] = []
    waiting: dict[Path, Path] = {}
    try:
        with _reported(out_dir):
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            for partial in partials.values():
                partial.write_bytes(b"")  # raises a clearer error than libsndfile
        yield partials
        for name, partial in partials.items():
            final = out_dir / name
            with _reported(final):
                if os.path.lexists(final):
                    old = final.with_name(f".{final.name}.old")
                    final.replace(old)
                    waiting[final] = old
                partial.replace(final)
            placed.append(final)
    except BaseException:
        for path in (*partials.values(), *placed):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        for final, old in waiting.items():
            with suppress(OSError):
                old.replace(final)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise
    for old in waiting.values():
        with suppress(OSError):
            old.unlink()


def _write_audio(
    named: Mapping[str, Stem], samples: int, blocks: Iterable[Audio], partials: Mapping[str, Path]
) -> None:
    position = 0
    stems = list(named.values())
    with ExitStack() as stack:
        writers = [stack.enter_context(_StemWriter(stem, partials[name])) for name, stem in named.items()]
        pool = stack.enter_context(ThreadPoolExecutor(min(len(stems), os.cpu_count() or 1)))
        for block in blocks:
            if block.shape[0] != stems[-1].rows.stop or position + block.shape[1] > samples:
                raise OutputError(f"a block {block.shape} at {position} does not fit the take's {samples} samples")
            list(pool.map(_StemWriter.append, writers, repeat(position), [block[stem.rows] for stem in stems]))
            position += block.shape[1]
        if position != samples:
            raise OutputError(f"the audio ends after {position} of {samples} samples")
        list(pool.map(_StemWriter.finish, writers))


class _StemWriter:
    """One stem on its way to disk; closes its file when left, finished or not."""

    def __init__(self, stem: Stem, partial: Path) -> None:
        self._stem, self._partial, self._final = stem, partial, partial.parent / stem.name
        with _reported(self._final):
            self._file = sf.SoundFile(
                partial,
                "w",
                stem.sample_rate,
                stem.channels,
                format=stem.container,
                subtype=stem.subtype,
                endian=stem.endian,
            )
            for tag, text in stem.tags.items():
                setattr(self._file, tag, text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(sf.SoundFileError):
            self._file.close()

    def append(self, start_samples: int, block: Audio) -> None:
        """Write what of ``block``, which begins at ``start_samples`` of the take, lies within the stem's own length."""
        kept = block[:, : max(0, self._stem.samples - start_samples)]
        if not kept.shape[1]:
            return
        if not np.isfinite(kept).all():
            raise OutputError(f"the audio for {self._stem.name} holds NaN or infinity; nothing was written")
        bits = INTEGER_BITS.get(self._stem.subtype)
        with _reported(self._final):
            self._file.write(kept.T if bits is None else quantise(kept, bits).T)
            if self._file.frames != start_samples + kept.shape[1]:
                raise OutputError(f"could not write {self._final} to its end; is the disk full?")

    def finish(self) -> None:
        """Close the file and check that all of it arrived."""
        with _reported(self._final):
            self._file.close()
        try:
            complete = read_stem(self._partial, 0).samples == self._stem.samples
        except InputError:
            complete = False
        if not complete:
            raise OutputError(f"could not write {self._final} to its end; is the disk full?")


def quantise(audio: Audio, bits: int) -> npt.NDArray[np.int32]:
    """Round samples to integers of ``bits`` bits, held at full scale, in the upper bits of an int32.

    libsndfile passes such integers through untouched; its own conversion from float would scale by 2^(bits-1) - 1.

    Args:
        audio: Any shape, full scale ±1, finite.
        bits: 8 to 32.
    """
    full_scale = 1 << (bits - 1)
    steps = (audio.astype(np.float64) if bits > 24 else audio) * float(full_scale)
    np.rint(steps, out=steps)
    np.clip(steps, -full_scale, full_scale - 1, out=steps)
    whole = steps.astype(np.int32)
    whole <<= np.int32(32 - bits)
    return whole


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn a failed system or libsndfile call into one line about ``path``."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"could not write {path}: {error.strerror or error}; nothing was changed") from error
    except sf.SoundFileError as error:
        raise OutputError(f"could not write {path}: {str(error).strip(' .')}; is the disk full?") from error
