"""Turn the audio of one hit into a :class:`Strike`: measured by the onset rule, trimmed, faded, never to be changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf
from scipy.signal import butter, resample_poly, sosfilt

from beatnet_align.errors import InputError
from beatnet_align.units import FloatArray, seconds_to_samples
from datagen.kits.listing import HitParts, SamplePart
from datagen.kits.synth_kit import onset_in_strike

Samples = npt.NDArray[np.float32]
"""[microphones, samples], full scale ±1."""

SILENT_PEAK = 10.0 ** (-90.0 / 20.0)
"""A sample that never exceeds this is taken for an empty file."""
TAIL_BELOW_PEAK_DB = 66.0
"""A strike ends where no microphone rises to this far under the loudest sample of all."""
FADE_OUT_SECONDS = 0.02
LEAD_IN_SECONDS = 0.01
"""The most that is kept before the onset: some microphone may hear the strike before the piece's own."""
LEAD_FADE_SECONDS = 0.001
LOUDNESS_SECONDS = 0.010
LAYER_SPAN_DB, LAYER_SIZE = 6.0, 4
"""Hits this alike, and no more of them, are round robins of one velocity layer."""


@dataclass(frozen=True, eq=False)
class Strike:
    """One recorded or synthesised hit of one piece.

    Attributes:
        audio: [microphones, samples], full scale ±1, read-only.
        onset_samples: Where it begins on ``own_microphone`` by the rule of ``onset_timing.py``; never negative.
        own_microphone: Index of the microphone that is the piece's own.
        loudness_db: Largest energy of 10 ms on the own microphone, against full scale.
    """

    audio: Samples
    onset_samples: int
    own_microphone: int
    loudness_db: float


def read_hit(parts: HitParts, sample_rate: int | None) -> tuple[Samples, int]:
    """Read what sounds together at one hit.

    Args:
        parts: Summed, from their first samples on; several of them, or one that is panned, make a stereo mix.
        sample_rate: To play at, in hertz; that of the first file when None.

    Returns:
        [channels, samples] and the rate in hertz.

    Raises:
        InputError: A file is unreadable, empty, silent or not finite, or rates differ and none was asked for.
    """
    heard: list[Samples] = []
    for part in parts:
        audio, file_rate = _read_part(part)
        sample_rate = sample_rate or file_rate
        if file_rate != sample_rate or part.semitones:
            audio = resample(audio, file_rate, sample_rate, part.semitones)
        heard.append(audio)
    if sample_rate is None:
        raise InputError("a hit needs at least one sample")
    if len(parts) == 1 and not parts[0].pan:
        return (heard[0] * np.float32(_amplitude(parts[0].gain_db))).astype(np.float32, copy=False), sample_rate
    mix = np.zeros((2, max(audio.shape[1] for audio in heard)), np.float32)
    for part, audio in zip(parts, heard, strict=True):
        if len(audio) > 2:
            raise InputError(f"{part.path}: {len(audio)} channels cannot be mixed to stereo")
        angle = (part.pan + 1.0) * np.pi / 4.0
        sides = np.sqrt(2.0) * _amplitude(part.gain_db) * np.array([[np.cos(angle)], [np.sin(angle)]])
        mix[:, : audio.shape[1]] += (sides * audio).astype(np.float32)
    return mix, sample_rate


def _amplitude(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))


def _read_part(part: SamplePart) -> tuple[Samples, int]:
    try:
        frames, rate = sf.read(str(part.path), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        found = "no such file" if not part.path.exists() else f"cannot be read as audio: {error}"
        raise InputError(f"{part.path}: {found}") from error
    audio = np.ascontiguousarray(frames[part.offset_samples : part.end_samples].T)
    if not np.isfinite(audio).all():
        raise InputError(f"{part.path}: the sample holds NaN or infinity")
    if audio.size == 0 or np.max(np.abs(audio)) < SILENT_PEAK:
        raise InputError(f"{part.path}: the sample is silent; remove it from the kit")
    return audio, int(rate)


def resample(audio: Samples, from_hz: int, to_hz: int, semitones: float = 0.0) -> Samples:
    """Play [channels, samples] of one rate at another, and higher by ``semitones``; band-limited, linear in phase."""
    ratio = Fraction(to_hz, from_hz)
    if semitones:
        ratio = (ratio * Fraction(2.0 ** (-semitones / 12.0))).limit_denominator(1000)
    lead = ratio.denominator  # so that a file that starts at once keeps the filter's first half, by whole samples
    padded = np.pad(audio, ((0, 0), (lead, 0)))
    return np.asarray(
        resample_poly(padded, ratio.numerator, ratio.denominator, axis=1, window=("kaiser", 8.0)), np.float32
    )


def below(audio: Samples, corner_hz: float, sample_rate: int) -> FloatArray:
    """What of audio, [..., samples], lies under a crossover of 6 dB an octave; what lies above it is the rest."""
    return np.asarray(sosfilt(butter(1, corner_hz, "lowpass", fs=sample_rate, output="sos"), audio))


def make_strike(audio: npt.NDArray[np.floating], own_microphone: int, sample_rate: int) -> Strike:
    """Trim, fade and measure one hit.

    Args:
        audio: [microphones, samples], nothing but the one strike; left as it is.
        own_microphone: Row on which onset and loudness are measured; must not be silent.
        sample_rate: In hertz.
    """
    onset = onset_in_strike(np.asarray(audio[own_microphone], np.float64), sample_rate)
    first = min(0, onset) or max(0, onset - seconds_to_samples(LEAD_IN_SECONDS, sample_rate))
    loud = np.abs(audio).max(axis=0) > np.abs(audio).max() * 10.0 ** (-TAIL_BELOW_PEAK_DB / 20.0)
    fade = min(seconds_to_samples(FADE_OUT_SECONDS, sample_rate), audio.shape[1] // 10)
    last = min(audio.shape[1], int(np.flatnonzero(loud)[-1]) + 1 + fade)
    kept = np.zeros((len(audio), last - first), np.float32)
    kept[:, max(0, -first) :] = audio[:, max(0, first) : last]
    if first > 0:
        lead = seconds_to_samples(LEAD_FADE_SECONDS, sample_rate)
        kept[:, :lead] *= np.linspace(0.0, 1.0, lead, endpoint=False, dtype=np.float32)
    if fade:
        kept[:, -fade:] *= (0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)).astype(np.float32)
    kept.flags.writeable = False
    return Strike(kept, onset - first, own_microphone, loudness_db(kept[own_microphone], sample_rate))


def loudness_db(signal: npt.NDArray[np.floating], sample_rate: int) -> float:
    """Largest mean energy of any 10 ms of [samples], in decibels against full scale."""
    window = seconds_to_samples(LOUDNESS_SECONDS, sample_rate)
    total = np.concatenate([[0.0], np.cumsum(np.pad(signal.astype(np.float64), (0, window)) ** 2)])
    return float(10.0 * np.log10(np.max(total[window:] - total[:-window]) / window + 1e-20))


def velocity_layers(strikes: Sequence[Strike]) -> tuple[tuple[Strike, ...], ...]:
    """Group the strikes of a piece into layers from soft to loud; alike ones are round robins of one layer."""
    layers: list[list[Strike]] = []
    for strike in sorted(strikes, key=lambda strike: strike.loudness_db):
        alike = layers and strike.loudness_db < layers[-1][0].loudness_db + LAYER_SPAN_DB
        if alike and len(layers[-1]) < LAYER_SIZE:
            layers[-1].append(strike)
        else:
            layers.append([strike])
    return tuple(map(tuple, layers))


def name_of(parts: HitParts) -> Path:
    """The file to name when something is wrong with a hit."""
    return parts[0].path
