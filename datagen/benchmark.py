"""Time the effect, and measure its memory, on a long take made of the demo take played over and over.

python -m datagen.benchmark                               12 channels, 44.1 kHz, 3 minutes
python -m datagen.benchmark --minutes 60 --channels 16 --sample-rate 48000
python -m datagen.benchmark --render splice               without repairing flams
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf

from beatnet_align.audio_files import load
from beatnet_align.demo import demo_folder
from beatnet_align.engines import DEFAULT_ENGINE, Engine, Render
from beatnet_align.reference_hits import truth_tempo

LOOP_BEATS = 16
"""Of the demo take, whole bars, from its first beat."""


def main() -> None:
    """Make the take, run ``beatnet-align align`` on it as a process of its own, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="length of the take (%(default)g)")
    parser.add_argument("--channels", type=int, default=12, help="mono stems (%(default)d)")
    parser.add_argument("--sample-rate", type=int, default=44_100, help="in hertz (%(default)d)")
    parser.add_argument("--format", choices=["wav", "flac"], default="wav", help="of the stems, 24 bits (%(default)s)")
    parser.add_argument("--engine", choices=list(Engine), default=DEFAULT_ENGINE, help="that aligns (%(default)s)")
    parser.add_argument("--render", choices=list(Render), help="how it renders (the engine's own way)")
    parser.add_argument("--folder", type=Path, help="where to put the take, about twice its size (a temporary folder)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beatnet-benchmark-", dir=arguments.folder) as folder:
        bpm = write_long_take(
            Path(folder) / "take", arguments.minutes, arguments.channels, arguments.sample_rate, arguments.format
        )
        command = [sys.executable, "-m", "beatnet_align", "align", f"{folder}/take", "-o", f"{folder}/out"]
        command += ["--engine", arguments.engine]
        command += [] if arguments.render is None else ["--render", arguments.render]
        started = time.perf_counter()
        subprocess.run([*command, "--bpm", f"{bpm:.9f}", "--first-beat", "0"], check=True)
        wall_seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    take_seconds = arguments.minutes * 60
    print(
        f"{arguments.engine}, rendered as {arguments.render or Engine(arguments.engine).render}, "
        f"{arguments.channels} channels of {take_seconds:.0f} s at {arguments.sample_rate} Hz, {arguments.format}: "
        f"{wall_seconds:.1f} s, {take_seconds / wall_seconds:.1f} times real time; "
        f"processor {usage.ru_utime + usage.ru_stime:.1f} s; peak memory {usage.ru_maxrss / 2**20:.2f} GiB"
    )


def write_long_take(folder: Path, minutes: float, channels: int, sample_rate: int, suffix: str) -> float:
    """Write a take of mono stems that loops the demo take's channels.

    Args:
        folder: Made here.
        minutes: Length.
        channels: How many stems; beyond the demo's own, its channels come again at lower level.
        sample_rate: Of the stems. The samples are not resampled, so another rate plays faster or slower.
        suffix: "wav" or "flac".

    Returns:
        The tempo in BPM at that rate; the first beat is at 0.
    """
    bpm, first_beat_seconds = truth_tempo(demo_folder() / "truth.json")
    demo = load(demo_folder() / "take")
    start = round((first_beat_seconds) * demo.sample_rate)
    stop = start + round(LOOP_BEATS * 60.0 / bpm * demo.sample_rate)
    loop = demo.read(start, stop)
    folder.mkdir(parents=True)
    samples = round(minutes * 60 * sample_rate)
    for channel in range(channels):
        source = channel % len(loop)
        name = demo.channels[source].name.replace(".", "_")
        again = channel // len(loop)
        audio = loop[source] * np.float32(0.5**again)
        path = folder / f"{channel + 1:02d}_{name}{'' if not again else f'_{again + 1}'}.{suffix}"
        with sf.SoundFile(path, "w", sample_rate, 1, "PCM_24") as file:
            for at in range(0, samples, len(audio)):
                file.write(audio[: samples - at])
    return bpm * sample_rate / demo.sample_rate


if __name__ == "__main__":
    main()
