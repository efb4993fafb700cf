"""Read many stems side by side, a stretch at a time, in memory that does not grow with the take.

Readers move forward mostly, with small steps back and overlaps. A window of decoded audio follows them, so that a step
back costs no seek (slow in FLAC) and no second decoding.
"""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np
import soundfile as sf

from beatnet_align.errors import InputError
from beatnet_align.stems import FLOAT_SUBTYPES, WIDE_SUBTYPES, Stem, damaged, open_sound
from beatnet_align.take import Audio
from beatnet_align.units import samples_to_seconds, seconds_to_samples

_LOOK_BACK_SECONDS = 4.5
"""The hit finder's blocks overlap by 4 s (``hitnet.CONTEXT_SECONDS``, twice)."""
_READ_AHEAD_SECONDS = 2.0
"""Least stretch decoded at once: soundfile seeks after each read, which makes small reads of FLAC slow."""
_PIECE_SAMPLES = 2**19
"""Longest stretch decoded at once, so that a long range needs no long window beside the result."""


class StemFiles:
    """The samples of a take's stems; an :class:`~beatnet_align.take.AudioSource` and a context manager.

    Stems that end before the take are followed by silence. Blocks are float32, or float64 where a stem holds more than
    24 bits a sample, so that no bit is lost.
    """

    def __init__(self, stems: Sequence[Stem]) -> None:
        self._stems = tuple(stems)
        rate = self._stems[0].sample_rate
        self._samples = max(stem.samples for stem in self._stems)
        self._look_back_samples = seconds_to_samples(_LOOK_BACK_SECONDS, rate)
        self._read_ahead_samples = seconds_to_samples(_READ_AHEAD_SECONDS, rate)
        self._is_wide = any(stem.subtype in WIDE_SUBTYPES for stem in self._stems)
        self._window: Audio = self._silence(0)
        self._window_start = 0
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
        audio = self._silence(stop_samples - start_samples)
        with self._lock:
            for start in range(start_samples, stop_samples, _PIECE_SAMPLES):
                stop = min(start + _PIECE_SAMPLES, stop_samples)
                self._move_window(start, stop)
                audio[:, start - start_samples : stop - start_samples] = self._window[
                    :, start - self._window_start : stop - self._window_start
                ]
        return audio

    def _silence(self, samples: int) -> Audio:
        """Zeros [channels, samples] of the take's type."""
        shape = (self._stems[-1].rows.stop, samples)
        return np.zeros(shape, np.float64) if self._is_wide else np.zeros(shape, np.float32)

    def _move_window(self, start: int, stop: int) -> None:
        """Let the window hold ``start`` to ``stop``, and as much before as a step back may ask for."""
        window_stop = self._window_start + self._window.shape[1]
        if self._window_start <= start and stop <= window_stop:
            return
        if self._window_start <= start <= window_stop + self._read_ahead_samples:
            keep_start = min(max(self._window_start, start - self._look_back_samples), window_stop)
            fetch_start = window_stop
        else:
            keep_start = fetch_start = max(0, start - self._look_back_samples)
        fetch_stop = min(max(stop, fetch_start + self._read_ahead_samples), self._samples)
        window = self._silence(fetch_stop - keep_start)
        kept = fetch_start - keep_start
        if kept:
            window[:, :kept] = self._window[:, keep_start - self._window_start :]
        fresh = window[:, kept:]
        list(
            self._pool.map(
                lambda stem, file: _decode(stem, file, fetch_start, fresh[stem.rows]), self._stems, self._files
            )
        )
        self._window, self._window_start = window, keep_start


def _decode(stem: Stem, file: sf.SoundFile, start: int, out: Audio) -> None:
    """Fill ``out`` [channels, samples] from ``start`` on, as far as the stem reaches."""
    wanted = min(out.shape[1], stem.samples - start)
    if wanted <= 0:
        return
    try:
        if file.tell() != start:
            file.seek(start)
        frames = file.read(wanted, dtype=out.dtype.name, always_2d=True)
    except sf.SoundFileError as error:
        raise damaged(stem, start) from error
    if len(frames) != wanted:
        raise damaged(stem, start + len(frames))
    if stem.subtype in FLOAT_SUBTYPES and not np.isfinite(frames).all():
        first = start + int(np.argmin(np.isfinite(frames).all(axis=1)))
        seconds = samples_to_seconds(first, stem.sample_rate)
        raise InputError(f"{stem.path} holds NaN or infinity at {seconds:.3f} s; export it again")
    out[:, :wanted] = frames.T
