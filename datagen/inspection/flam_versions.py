"""A take before and after its flams were repaired: as played, spliced, separated, and as it should be."""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from beatnet_align.errors import OutputError
from beatnet_align.splice import crossfade
from beatnet_align.take import Take
from beatnet_align.units import seconds_to_samples
from datagen.inspection.flams import Flam
from datagen.inspection.listening import PEAK, stereo

BEFORE_SECONDS, AFTER_SECONDS = 0.25, 0.6
FADE_SECONDS = 0.005
MIX = "mix"
_UNSAFE = re.compile(r"[^\w.-]+")
"""What is kept out of file names."""


class Version(StrEnum):
    """What is compared."""

    TAKE = "take"
    SPLICED = "spliced"
    SEPARATED = "separated"
    TARGET = "target"

    @property
    def caption(self) -> str:
        """For people."""
        return "as played" if self is Version.TAKE else self.value


Versions = Mapping[Version, Take]
"""All of them, in one shape."""

Excerpts = Mapping[str, Mapping[Version, Path]]
"""What is heard (the mix, or a microphone), to the file of every version."""


def write_excerpts(flam: Flam, versions: Versions, out_dir: Path, name: str) -> Excerpts:
    """Write a flam as WAV files: a stereo mix of all microphones, and its close microphones.

    All versions have one gain, so that what differs between them is what was done.

    Args:
        flam: Which.
        versions: Where it is heard.
        out_dir: Gets the files.
        name: Begins their names.

    Raises:
        OutputError: A file cannot be written.
    """
    excerpts = {version: _excerpt(flam, take) for version, take in versions.items()}
    channels = versions[Version.TAKE].channels
    rows = [channel.name for channel in channels]
    heard = {MIX: {version: stereo(audio, channels) for version, audio in excerpts.items()}}
    for channel in flam.channels:
        row = rows.index(channel)
        heard[channel] = {version: audio[row : row + 1] for version, audio in excerpts.items()}
    rate = versions[Version.TAKE].sample_rate
    written: dict[str, dict[Version, Path]] = {}
    for what, audible in heard.items():
        loudest = max(float(np.max(np.abs(audio), initial=0.0)) for audio in audible.values())
        written[what] = {}
        for version, audio in audible.items():
            path = out_dir / f"{name}.{_UNSAFE.sub('_', what)}.{version}.wav"
            try:
                sf.write(path, (audio * (PEAK / max(1e-9, loudest))).T, rate, "PCM_16")
            except (OSError, sf.SoundFileError) as error:
                raise OutputError(f"cannot write {path}: {error}; choose another place with -o") from error
            written[what][version] = path
    return written


def _excerpt(flam: Flam, take: Take) -> npt.NDArray[np.float32]:
    """[channels, samples] around a flam, faded at its ends."""
    start, stop = (
        seconds_to_samples(seconds, take.sample_rate) for seconds in flam.window_seconds(BEFORE_SECONDS, AFTER_SECONDS)
    )
    audio = take.read(start, min(stop, take.samples)).astype(np.float32)
    fade = seconds_to_samples(FADE_SECONDS, take.sample_rate)
    silence = np.zeros((len(audio), fade), np.float32)
    audio[:, :fade] = crossfade(silence, audio[:, :fade])
    audio[:, -fade:] = crossfade(audio[:, -fade:], silence)
    return audio
