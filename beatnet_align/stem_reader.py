"""Read many stems side by side, a stretch at a time, in memory that does not grow with the take.

Several readers move forward together, some seconds apart, with small steps back and overlaps. The chunks that were
asked for last stay decoded, so that who follows costs no seek (slow in FLAC) and no second decoding.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from types import TracebackType
from typing import Self

import numpy as np
import soundfile as sf

from beatnet_align.errors import InputError
from beatnet_align.stems import FLOAT_SUBTYPES, WIDE_SUBTYPES, Stem, damaged, open_sound
from beatnet_align.take import Audio
from beatnet_align.units import samples_to_seconds, seconds_to_samples

_CHUNK_SECONDS = 2.0
"""Decoded at once: soundfile seeks after each read, which makes small reads of FLAC slow."""
_LEAST_KEPT_SECONDS = 6.0
"""The hit finder's blocks overlap by some seconds (``hitnet.CONTEXT_SECONDS``, twice)."""
_MOST_KEPT_SECONDS = 32.0
"""Blocks are lifted up to 16 s ahead of what is written, see ``separation.py``, with what is heard around them."""
_KEPT_VALUES = 32 * 12 * 48_000
"""Less is kept where that would be more samples than this, of all channels."""


class StemFiles:
    """The samples of a take's stems; an :class:`~beatnet_align.take.AudioSource` and a context manager.

    Stems that end before the take are followed by silence. Blocks are float32, or float64 where a stem holds more than
    24 bits a sample, so that no bit is lost.
    """

    def __init__(self, stems: Sequence[Stem]) -> None:
        self._stems = tuple(stems)
        self._is_wide = any(stem.subtype in WIDE_SUBTYPES for stem in self._stems)
        rate = self._stems[0].sample_rate
        self._chunk_samples = seconds_to_samples(_CHUNK_SECONDS, rate)
        kept_seconds = _KEPT_VALUES / (rate * self._stems[-1].rows.stop)
        kept_seconds = min(max(kept_seconds, _LEAST_KEPT_SECONDS), _MOST_KEPT_SECONDS)
        self._most_chunks = round(kept_seconds / _CHUNK_SECONDS)
        self._chunks: OrderedDict[int, Audio] = OrderedDict()
        self._lock = threading.Lock()
        with ExitStack() as opened:
            self._files = [opened.enter_context(open_sound(stem.path)) for stem in self._stems]
            self._pool = opened.enter_context(ThreadPoolExecutor(min(len(self._stems), os.cpu_count() or 1)))
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files; reading ends here."""
        self._opened.close()

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """Decode a range of samples of every channel.

        Args:
            start_samples: First sample, inside the take.
            stop_samples: End of the range, not before ``start_samples`` and not after the end of the take.

        Returns:
            [channels, stop_samples − start_samples], the caller's own.

        Raises:
            InputError: A file is damaged or cut off here, or holds NaN or infinity.
        """
        audio = self._room_for(stop_samples - start_samples)
        length = self._chunk_samples
        with self._lock:
            for number in range(start_samples // length, -(-stop_samples // length)):
                first, last = max(start_samples, number * length), min(stop_samples, (number + 1) * length)
                chunk = self._chunk(number)
                audio[:, first - start_samples : last - start_samples] = chunk[
                    :, first - number * length : last - number * length
                ]
        return audio

    def _room_for(self, samples: int) -> Audio:
        """Space for [channels, samples] of the take's type."""
        shape = (self._stems[-1].rows.stop, samples)
        return np.empty(shape, np.float64) if self._is_wide else np.empty(shape, np.float32)

    def _chunk(self, number: int) -> Audio:
        """Chunk ``number`` of every channel, [channels, samples of a chunk]."""
        known = self._chunks.pop(number, None)
        if known is None:
            is_full = len(self._chunks) >= self._most_chunks
            known = self._chunks.popitem(last=False)[1] if is_full else self._room_for(self._chunk_samples)
            rows = [known[stem.rows] for stem in self._stems]
            list(self._pool.map(_decode, self._stems, self._files, repeat(number * self._chunk_samples), rows))
        self._chunks[number] = known
        return known


def _decode(stem: Stem, file: sf.SoundFile, start: int, out: Audio) -> None:
    """Fill ``out`` [channels, samples] from ``start`` on; behind the end of the stem with silence."""
    wanted = min(max(stem.samples - start, 0), out.shape[1])
    out[:, wanted:] = 0.0
    if not wanted:
        return
    frames = out.T[:wanted] if len(out) == 1 else np.empty((wanted, len(out)), out.dtype)  # decoded in place if mono
    try:
        if file.tell() != start:
            file.seek(start)
        decoded = len(file.read(out=frames))
    except sf.SoundFileError as error:
        raise damaged(stem, start) from error
    if decoded != wanted:
        raise damaged(stem, start + decoded)
    if stem.subtype in FLOAT_SUBTYPES and not np.isfinite(frames).all():
        first = start + int(np.argmin(np.isfinite(frames).all(axis=1)))
        seconds = samples_to_seconds(first, stem.sample_rate)
        raise InputError(f"{stem.path} holds NaN or infinity at {seconds:.3f} s; export it again")
    if len(out) > 1:
        out[:, :wanted] = frames.T
