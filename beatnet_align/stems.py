"""One stem on disk: what its header says, and whether the file keeps that promise."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import soundfile as sf

from beatnet_align.errors import InputError
from beatnet_align.units import samples_to_seconds

AUDIO_SUFFIXES = frozenset({".wav", ".wave", ".bwf", ".aif", ".aiff", ".aifc", ".flac", ".w64", ".rf64", ".caf"})
INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOAT_SUBTYPES = frozenset({"FLOAT", "DOUBLE"})
WIDE_SUBTYPES = frozenset({"PCM_32", "DOUBLE"})
"""Sample formats that float32, with its 24 significant bits, cannot hold."""


@dataclass(frozen=True)
class Stem:
    """One file of a take.

    Attributes:
        path: Where it lies.
        first_channel: Row of the take that its first channel fills; the others follow.
        channels: How many rows it fills.
        sample_rate: In hertz.
        samples: Its own length, which may be shorter than the take's.
        container: As soundfile names it, e.g. WAV.
        subtype: As soundfile names it, e.g. PCM_24.
        endian: As soundfile names it, e.g. FILE.
        tags: Title, artist and the like, as far as soundfile carries them.
        size_bytes: Of the whole file.
    """

    path: Path
    first_channel: int
    channels: int
    sample_rate: int
    samples: int
    container: str
    subtype: str
    endian: str
    tags: Mapping[str, str]
    size_bytes: int

    @property
    def name(self) -> str:
        """File name with its extension."""
        return self.path.name

    @property
    def rows(self) -> slice:
        """Rows of the take that this stem fills."""
        return slice(self.first_channel, self.first_channel + self.channels)

    @property
    def channel_names(self) -> list[str]:
        """``Kick`` for a mono file, ``OH.L`` and ``OH.R`` for a stereo one, ``Kit.1`` and so on for a wider one."""
        if self.channels == 1:
            return [self.path.stem]
        numbers = ["L", "R"] if self.channels == 2 else [str(i + 1) for i in range(self.channels)]
        return [f"{self.path.stem}.{number}" for number in numbers]


def read_stem(path: Path, first_channel: int) -> Stem:
    """Read a file's header and check that its first and last samples are really there.

    Raises:
        InputError: The file cannot be opened or read, is cut off, empty, or not PCM.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as raw:
            missing_bytes = _missing_bytes(raw, size_bytes)
    except struct.error:  # cut off within a chunk's header; libsndfile will say so
        missing_bytes = 0
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the file and its permissions") from error
    if missing_bytes > 0:
        raise InputError(
            f"{path} is cut off: its header promises {missing_bytes} bytes more than there are; "
            "copy it again from its source"
        )
    with open_sound(path) as file:
        stem = Stem(
            path=path,
            first_channel=first_channel,
            channels=file.channels,
            sample_rate=file.samplerate,
            samples=file.frames,
            container=file.format,
            subtype=file.subtype,
            endian=file.endian,
            tags=file.copy_metadata(),
            size_bytes=size_bytes,
        )
        _check_header(stem)
        try:
            file.seek(stem.samples - 1)
            found = len(file.read(1, dtype="float32"))
        except sf.SoundFileError as error:
            raise damaged(stem, stem.samples - 1) from error
        if found != 1:
            raise damaged(stem, stem.samples - 1)
    return stem


def open_sound(path: Path) -> sf.SoundFile:
    """Open a file for reading.

    Raises:
        InputError: libsndfile cannot make sense of it.
    """
    try:
        return sf.SoundFile(path)
    except (sf.SoundFileError, OSError, TypeError) as error:  # the last of samples without a header
        reason = getattr(error, "error_string", str(error)).strip(" .")
        raise InputError(f"cannot read {path}: {reason}; export it again as WAV, AIFF or FLAC") from error
    except UnicodeError as error:
        raise InputError(f"cannot read {str(path)!r}: its name is not valid text; rename it") from error


def damaged(stem: Stem, samples: int) -> InputError:
    """Make the error for a stem that cannot be decoded near a sample."""
    seconds = samples_to_seconds(samples, stem.sample_rate)
    length_seconds = samples_to_seconds(stem.samples, stem.sample_rate)
    return InputError(
        f"{stem.path} is damaged or cut off: it cannot be decoded near {seconds:.3f} s of {length_seconds:.3f} s; "
        "copy it again from its source"
    )


def _check_header(stem: Stem) -> None:
    if stem.subtype not in INTEGER_BITS and stem.subtype not in FLOAT_SUBTYPES:
        raise InputError(f"{stem.path} holds {stem.subtype} samples; export it again as 8 to 32 bit PCM, float or FLAC")
    if stem.samples < 1:
        raise InputError(f"{stem.path} holds no samples; remove it or export it again")
    if stem.samples >= 2**62:  # libsndfile's answer where a streamed FLAC leaves its length open
        raise InputError(f"{stem.path} does not say how long it is; export it again")


# First four bytes -> layout of a chunk's header, place of the first chunk, alignment of chunks.
# RIFF: Multimedia Programming Interface and Data Specifications 1.0; RF64: EBU Tech 3306; FORM: AIFF-C draft 1991;
# caff: Apple Core Audio Format Specification.
_CHUNKED = {
    b"RIFF": ("<4sI", 12, 2),
    b"RF64": ("<4sI", 12, 2),
    b"RIFX": (">4sI", 12, 2),
    b"FORM": (">4sI", 12, 2),
    b"caff": (">4sq", 8, 1),
}
_SOUND_CHUNKS = frozenset({b"data", b"SSND"})
_OPEN_ENDED = frozenset({0xFFFF_FFFF, 0x7FFF_F000, -1})  # what RF64 and recorders write that cannot know the length


def _missing_bytes(raw: BinaryIO, size_bytes: int) -> int:
    """How many bytes of sound the header promises beyond the end of the file; 0 where that cannot be told.

    libsndfile quietly shortens such files, so it has to be found out here.
    """
    head = raw.read(24)
    if head[:4] == b"riff" and len(head) == 24:  # W64: a 16-byte name, then the size of the whole file
        return int(struct.unpack("<Q", head[16:])[0]) - size_bytes
    if head[:4] not in _CHUNKED:
        return 0
    layout, position, alignment = _CHUNKED[head[:4]]
    header_bytes = struct.calcsize(layout)
    long_size: int | None = None
    while position + header_bytes <= size_bytes:
        raw.seek(position)
        name, chunk_bytes = struct.unpack(layout, raw.read(header_bytes))
        if name == b"ds64":
            long_size = struct.unpack("<8xQ", raw.read(16))[0]
        if name in _SOUND_CHUNKS:
            if chunk_bytes in _OPEN_ENDED:
                chunk_bytes = long_size or 0
            return int(position + header_bytes + chunk_bytes - size_bytes)
        if chunk_bytes < 0:
            break
        position += header_bytes + chunk_bytes + chunk_bytes % alignment
    return 0
