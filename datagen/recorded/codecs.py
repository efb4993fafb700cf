"""Passes through other sample rates and lossy codecs, with the delay of each taken out again.

libsndfile encodes and decodes without delay (it reads the gapless header of its own MP3), which the tests measure.
"""

import io
from dataclasses import dataclass
from math import gcd

import numpy as np
import soundfile
from scipy.signal import resample_poly

from beatnet_align.errors import InputError
from beatnet_align.units import Float32Array
from datagen.recorded.stage import Layers, Moment

MP3_RATES_HZ = frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000})
_BLOCK_SAMPLES = 1 << 16  # libsndfile has overflowed its stack on longer writes of Vorbis
_FORMATS = {"mp3": ("MP3", "MPEG_LAYER_III"), "ogg": ("OGG", "VORBIS")}


@dataclass(frozen=True)
class RateRoundTrip:
    """A recording converted to another rate and back: linear phase, no delay.

    Attributes:
        through_hz: The rate in between.
    """

    through_hz: int

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`."""
        divisor = gcd(self.through_hz, moment.sample_rate)
        there, back = self.through_hz // divisor, moment.sample_rate // divisor
        for channels in layers:
            for row in channels:
                row[:] = resample_poly(resample_poly(row, there, back), back, there)[: len(row)]
        return layers


@dataclass(frozen=True)
class LossyCodec:
    """A recording encoded and decoded, two channels to a stream.

    Parts of the recording are left as they are: what a codec adds belongs to no piece.

    Attributes:
        codec: 'mp3' or 'ogg' (Vorbis).
        compression: 0 (largest file) to 1 (smallest).
    """

    codec: str
    compression: float

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`.

        Raises:
            InputError: This libsndfile lacks the codec, or the codec has no such sample rate.
        """
        for first in range(0, layers.shape[1], 2):
            layers[0, first : first + 2] = self._pass(layers[0, first : first + 2], moment.sample_rate)
        return layers

    def _pass(self, audio: Float32Array, sample_rate: int) -> Float32Array:
        kind, subtype = _FORMATS[self.codec]
        if not soundfile.check_format(kind, subtype) or (self.codec == "mp3" and sample_rate not in MP3_RATES_HZ):
            raise InputError(
                f"cannot encode {self.codec} at {sample_rate} Hz with libsndfile {soundfile.__libsndfile_version__}; "
                "install soundfile 0.13 or newer, use 44100 or 48000 Hz, or set codec_probability to 0"
            )
        stream = io.BytesIO()
        with soundfile.SoundFile(
            stream, "w", sample_rate, len(audio), subtype, format=kind, compression_level=self.compression
        ) as encoder:
            for first in range(0, audio.shape[1], _BLOCK_SAMPLES):
                encoder.write(audio[:, first : first + _BLOCK_SAMPLES].T)
        stream.seek(0)
        decoded, _ = soundfile.read(stream, dtype="float32", always_2d=True)
        kept = np.zeros_like(audio)
        samples = min(len(decoded), audio.shape[1])
        kept[:, :samples] = decoded[:samples].T
        return kept
