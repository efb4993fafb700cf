"""Make takes audible: a stereo mix of all microphones, with the metronome on top."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from beatnet_align.errors import OutputError
from beatnet_align.take import Channel
from datagen.inspection.examples import DatasetExample

PEAK, METRONOME_PEAK = 0.7, 0.25
NEAR_SIDE, FAR_SIDE = 0.9, 0.3
_LEFT, _RIGHT = (re.compile(rf"(?:[ ._-]|oh|rm|room|ovh|overheads?)({side})$", re.I) for side in ("l|left", "r|right"))


def write_mixes(example: DatasetExample, out_dir: Path) -> list[Path]:
    """Write an example's take, and its target where there is one, as stereo WAV files of one loudness.

    Raises:
        InputError: The example's audio cannot be read.
        OutputError: A file cannot be written.
    """
    mixes = {name: stereo(example.read(path), example.channels) for name, path in example.versions.items()}
    loudest = max(float(np.max(np.abs(mix), initial=0.0)) for mix in mixes.values())
    click = np.zeros(example.samples, np.float32)
    if example.metronome is not None:
        click = example.read(example.metronome)[0]
        click = click * np.float32(METRONOME_PEAK / max(1e-9, float(np.max(np.abs(click)))))
    written = []
    for name, mix in mixes.items():
        path = out_dir / f"{example.name}.{name}.wav"
        try:
            sf.write(path, (mix * (PEAK / max(1e-9, loudest)) + click).T, example.sample_rate, "PCM_16")
        except (OSError, sf.SoundFileError) as error:
            raise OutputError(f"cannot write {path}: {error}; choose another place with -o") from error
        written.append(path)
    return written


def stereo(audio: npt.NDArray[np.float32], channels: Sequence[Channel]) -> npt.NDArray[np.float32]:
    """Mix channels to two, [2, samples]: names that end in L or R to their side, all others to the middle."""
    gains = np.ones((2, len(channels)), np.float32)
    for row, channel in enumerate(channels):
        if _LEFT.search(channel.name):
            gains[:, row] = NEAR_SIDE, FAR_SIDE
        elif _RIGHT.search(channel.name):
            gains[:, row] = FAR_SIDE, NEAR_SIDE
    mixed: npt.NDArray[np.float32] = gains @ audio
    return mixed
