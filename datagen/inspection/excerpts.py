"""Write what a stretch of a take sounds like in several versions: WAV files of one gain, faded at their ends."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import soundfile as sf

from beatnet_align.errors import OutputError
from beatnet_align.splice import crossfade
from beatnet_align.take import Take
from beatnet_align.units import seconds_to_samples
from datagen.inspection.listening import PEAK, stereo

FADE_SECONDS = 0.005
MIX = "mix"
_UNSAFE = re.compile(r"[^\w.-]+")
"""What is kept out of file names."""

Version = TypeVar("Version", bound=str)


def write_excerpts(
    window_seconds: tuple[float, float],
    channels: Sequence[str],
    versions: Mapping[Version, Take],
    out_dir: Path,
    name: str,
) -> dict[str, dict[Version, Path]]:
    """Write a stretch as WAV files: a stereo mix of all microphones, and some microphones.

    All versions have one gain, so that what differs between them is what was done.

    Args:
        window_seconds: Its start and stop.
        channels: Names of those microphones.
        versions: Takes of one shape.
        out_dir: Gets the files.
        name: Begins their names.

    Returns:
        What is heard (the mix, or a microphone), to the file of every version.

    Raises:
        OutputError: A file cannot be written.
    """
    excerpts = {version: _excerpt(window_seconds, take) for version, take in versions.items()}
    first = next(iter(versions.values()))
    rows = [channel.name for channel in first.channels]
    heard = {MIX: {version: stereo(audio, first.channels) for version, audio in excerpts.items()}}
    for channel in channels:
        row = rows.index(channel)
        heard[channel] = {version: audio[row : row + 1] for version, audio in excerpts.items()}
    written: dict[str, dict[Version, Path]] = {}
    for what, audible in heard.items():
        loudest = max(float(np.max(np.abs(audio), initial=0.0)) for audio in audible.values())
        written[what] = {}
        for version, audio in audible.items():
            path = out_dir / f"{name}.{_UNSAFE.sub('_', what)}.{version}.wav"
            try:
                sf.write(path, (audio * (PEAK / max(1e-9, loudest))).T, first.sample_rate, "PCM_16")
            except (OSError, sf.SoundFileError) as error:
                raise OutputError(f"cannot write {path}: {error}; choose another place with -o") from error
            written[what][version] = path
    return written


def _excerpt(window_seconds: tuple[float, float], take: Take) -> npt.NDArray[np.float32]:
    """[channels, samples] of a stretch, faded at its ends."""
    start, stop = (seconds_to_samples(seconds, take.sample_rate) for seconds in window_seconds)
    audio = take.read(start, min(stop, take.samples)).astype(np.float32)
    fade = seconds_to_samples(FADE_SECONDS, take.sample_rate)
    silence = np.zeros((len(audio), fade), np.float32)
    audio[:, :fade] = crossfade(silence, audio[:, :fade])
    audio[:, -fade:] = crossfade(audio[:, -fade:], silence)
    return audio
