"""Short-time spectra of all microphones together, and the bands in which they are modelled."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import fft

from beatnet_align.take import Audio

Spectra = npt.NDArray[np.complex64]
"""[frames, channels, bins]."""
Levels = npt.NDArray[np.float32]
"""[frames, channels, bands], magnitudes."""

WINDOW_SECONDS = 0.0232
"""1024 samples at 44.1 kHz: long enough to tell the notes of drums apart, short enough for attacks."""

HOPS_A_WINDOW = 4
SINGLE_BINS = 32
BINS_A_POOL = 16
"""Bins up to 1.4 kHz stand alone; above, one in 16 of a bin's number are pooled, about the width of a critical band."""

FRAMES_AT_ONCE = 32
SPECTRA_AT_ONCE = 384
"""So few that they, or frames of a dozen channels, stay in a core's cache: worth more than threads in a transform."""


@dataclass(frozen=True)
class Transform:
    """The transform for a sample rate.

    Square-root Hann windows before and after, whose products add up to a constant at every hop of a quarter window, so
    that unchanged spectra give the audio back.

    Attributes:
        sample_rate: In hertz.
    """

    sample_rate: int

    @cached_property
    def window_samples(self) -> int:
        """A power of two near :data:`WINDOW_SECONDS`."""
        return int(2 ** round(np.log2(WINDOW_SECONDS * self.sample_rate)))

    @property
    def hop_samples(self) -> int:
        """From frame to frame."""
        return self.window_samples // HOPS_A_WINDOW

    @property
    def frames_per_second(self) -> float:
        """How many hops a second has."""
        return self.sample_rate / self.hop_samples

    @cached_property
    def _window(self) -> npt.NDArray[np.float32]:
        at = np.arange(self.window_samples) / self.window_samples
        return np.sin(np.pi * at).astype(np.float32)

    @cached_property
    def _edges(self) -> npt.NDArray[np.intp]:
        """First bin of every band."""
        bins = self.window_samples // 2 + 1
        edges = list(range(min(SINGLE_BINS, bins)))
        at = SINGLE_BINS
        while at < bins:
            edges.append(at)
            at += max(2, at // BINS_A_POOL)
        return np.array(edges, np.intp)

    @cached_property
    def _bins_of_bands(self) -> npt.NDArray[np.intp]:
        return np.diff(np.append(self._edges, self.window_samples // 2 + 1))

    @cached_property
    def bands_hz(self) -> npt.NDArray[np.float64]:
        """[bands], lowest frequency of each."""
        return np.asarray(self._edges * (self.sample_rate / self.window_samples))

    def forward(self, audio: Audio) -> Spectra:
        """Spectra of audio, [channels, samples]; frame ``t`` is centred on sample ``t * hop_samples``."""
        frames = self._frames(audio)
        spectra = np.empty((len(frames), len(audio), self.window_samples // 2 + 1), np.complex64)
        for some in _in_parts(len(frames)):
            spectra[some] = fft.rfft(frames[some] * self._window, axis=2)
        return spectra

    def levels_of(self, audio: Audio) -> Levels:
        """The :meth:`levels` of its spectra, which are not kept."""
        frames = self._frames(audio)
        levels = np.empty((len(frames), len(audio), len(self._edges)), np.float32)
        for some in _in_parts(len(frames)):
            levels[some] = self.levels(fft.rfft(frames[some] * self._window, axis=2))
        return levels

    def _frames(self, audio: Audio) -> npt.NDArray[np.float32]:
        """The stretches that the windows cover, [frames, channels, window_samples]; a view."""
        channels, samples = audio.shape
        hop, window = self.hop_samples, self.window_samples
        frames = -(-samples // hop) + 1
        padded = np.zeros((channels, (frames - 1) * hop + window), np.float32)
        padded[:, window // 2 : window // 2 + samples] = audio
        return np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, ::hop].transpose(1, 0, 2)

    def inverse(
        self, spectra: Spectra, of_bands: Levels | None = None, heard: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.float32]:
        """Audio of spectra, [channels, frames * hop_samples], from the centre of the first frame on.

        Args:
            spectra: Left as they are.
            of_bands: [frames, channels, bands]: each bin counts times its band's value; once where None.
            heard: [frames, channels]: what counts at all; everything where None.
        """
        frames, channels, bins = spectra.shape
        hop = self.hop_samples
        window = self._window * np.float32(2 / HOPS_A_WINDOW)
        channel, frame = np.nonzero(np.ones((channels, frames), np.bool_) if heard is None else heard.T)
        rows = frame * channels + channel
        places = channel * (frames + HOPS_A_WINDOW - 1) + frame
        sums = np.zeros((channels * (frames + HOPS_A_WINDOW - 1), hop), np.float32)
        for some in _in_parts(len(rows), SPECTRA_AT_ONCE):
            part = spectra.reshape(-1, bins)[rows[some]]
            if of_bands is not None:
                part = self.weighted(part, of_bands.reshape(frames * channels, -1)[rows[some]])
            pieces = fft.irfft(part, self.window_samples, axis=1)
            pieces *= window
            for number in range(HOPS_A_WINDOW):
                sums[places[some] + number] += pieces[:, number * hop : (number + 1) * hop]
        return sums.reshape(channels, -1)[:, self.window_samples // 2 :][:, : frames * hop]

    def levels(self, spectra: Spectra) -> Levels:
        """Mean magnitude of the bins of every band."""
        levels = np.empty((*spectra.shape[:2], len(self._edges)), np.float32)
        for some in _in_parts(len(spectra)):
            levels[some] = np.add.reduceat(np.abs(spectra[some]), self._edges, axis=2)
        levels /= self._bins_of_bands.astype(np.float32)
        return levels

    def loudness(self, levels: Levels) -> npt.NDArray[np.float32]:
        """Root of the summed squares of all bins, were each as strong as its band: [frames, channels]."""
        return np.asarray(np.sqrt(np.square(levels) @ self._bins_of_bands.astype(np.float32)))

    def weighted(self, spectra: Spectra, of_bands: Levels) -> Spectra:
        """Spectra, each bin times its band's value, [.., bands]."""
        # Real and imaginary parts alike: cheaper than a product of complex numbers.
        values = np.repeat(of_bands, 2 * self._bins_of_bands, axis=-1)
        return (spectra.view(np.float32) * values).view(np.complex64)


def _in_parts(count: int, at_once: int = FRAMES_AT_ONCE) -> Iterator[slice]:
    """A few at a time."""
    for start in range(0, count, at_once):
        yield slice(start, min(start + at_once, count))
