"""Short-time spectra of all microphones together, and the bands in which they are modelled."""

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
        channels, samples = audio.shape
        hop, window = self.hop_samples, self.window_samples
        frames = -(-samples // hop) + 1
        padded = np.zeros((channels, (frames - 1) * hop + window), np.float32)
        padded[:, window // 2 : window // 2 + samples] = audio
        cut = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, ::hop]
        spectra: Spectra = fft.rfft(cut.transpose(1, 0, 2) * self._window, axis=2, workers=-1)
        return spectra

    def inverse(self, spectra: Spectra) -> npt.NDArray[np.float32]:
        """Audio of spectra, [channels, frames * hop_samples], from the centre of the first frame on."""
        frames, channels, _ = spectra.shape
        hop = self.hop_samples
        pieces = fft.irfft(spectra, self.window_samples, axis=2, workers=-1) * self._window
        parts = pieces.transpose(1, 0, 2).reshape(channels, frames, HOPS_A_WINDOW, hop)
        sums = np.zeros((channels, frames + HOPS_A_WINDOW - 1, hop), np.float32)
        for part in range(HOPS_A_WINDOW):
            sums[:, part : part + frames] += parts[:, :, part]
        audio = sums.reshape(channels, -1)[:, self.window_samples // 2 :][:, : frames * hop]
        return np.asarray(audio * np.float32(2 / HOPS_A_WINDOW))

    def levels(self, spectra: Spectra) -> Levels:
        """Mean magnitude of the bins of every band."""
        sums = np.add.reduceat(np.abs(spectra), self._edges, axis=2)
        return np.asarray(sums / self._bins_of_bands.astype(np.float32))

    def to_bins(self, of_bands: Levels) -> Levels:
        """Values of bands, [.., bands], for every bin: [.., bins]."""
        return np.repeat(of_bands, self._bins_of_bands, axis=-1)
