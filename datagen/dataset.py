"""Write a dataset: audio, a manifest with one example a line, and a card; in parallel, resumable, the same bytes.

A folder grows like this: ``config.json`` first, then for each example its audio files and last its entry in
``entries/``, so that an entry means that its audio is complete. When all are there they become ``manifest.jsonl`` and
the card.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf

from beatnet_align.errors import InputError, OutputError
from beatnet_align.whole_files import written_whole
from datagen.config import DatasetConfig, Split
from datagen.example import Example, ExampleMaker

MANIFEST_NAME, CONFIG_NAME, CARD_NAME = "manifest.jsonl", "config.json", "README.md"
FLAC_MAX_CHANNELS = 8
SUBTYPE = "PCM_16"
FULL_SCALE = 2**15


def write_dataset(
    config: DatasetConfig,
    folder: Path,
    data: Path | None = None,
    *,
    workers: int | None = None,
    suffix: str = "flac",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> int:
    """Make all examples of a configuration that the folder does not hold yet.

    Args:
        config: What to make.
        folder: Made here, or left by an earlier run of the same configuration.
        data: Folder with kits/ and groove/.
        workers: Processes; all cores when None. The bytes are the same whatever their number.
        suffix: "flac" (up to 8 channels; wider files become WAV) or "wav".
        progress: Told how many further examples are done, and of how many.

    Returns:
        How many examples were made in this run.

    Raises:
        InputError: The configuration cannot be used, the folder holds something else, or a process was killed.
    """
    if suffix not in ("flac", "wav"):
        raise InputError(f"datasets are written as flac or wav, not {suffix!r}")
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, found {workers}")
    total = sum(config.sources(split).examples for split in Split)
    if total == 0:
        raise InputError(f"the configuration {config.name!r} asks for no examples")
    ExampleMaker(config, data).check()
    _claim(folder, config, suffix)
    if (folder / MANIFEST_NAME).exists():
        shutil.rmtree(folder / "entries", ignore_errors=True)  # left where a run was killed at its very end
        progress(total, total)
        return 0
    todo = [task for task in _tasks(config) if not _entry_path(folder, *task).exists()]
    progress(total - len(todo), total)
    count = min(len(todo), workers or os.cpu_count() or 1)
    if count:
        try:
            with ProcessPoolExecutor(count, initializer=_start, initargs=(config, data, folder, suffix)) as pool:
                for _ in pool.map(_make, todo):
                    progress(1, total)
        except BrokenProcessPool as error:
            raise InputError(
                "a process was killed, perhaps for want of memory; the same command goes on, with fewer workers if so"
            ) from error
    _finish(folder, config)
    return len(todo)


def read_manifest(folder: Path) -> Iterator[dict[str, Any]]:
    """The entries of a finished dataset, in order.

    Raises:
        InputError: There is no manifest, or a line of it is broken.
    """
    path = folder / MANIFEST_NAME
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise InputError(f"line {number} of {path} is broken: {error}") from error
    except OSError as error:
        raise InputError(f"{folder} is no finished dataset: cannot read {path.name} ({error.strerror})") from error


def read_audio(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """One of a dataset's audio files, [channels, samples], and its sample rate.

    Raises:
        InputError: It cannot be read.
    """
    try:
        audio, sample_rate = sf.read(str(path), dtype="float32", always_2d=True)
    except sf.SoundFileError as error:
        raise InputError(f"cannot read {path}: {str(error).strip(' .')}; make the dataset again") from error
    return np.ascontiguousarray(audio.T), sample_rate


def read_pairs(folder: Path) -> Iterator[dict[str, Any]]:
    """The entries of a finished dataset that has targets.

    Raises:
        InputError: As for :func:`read_manifest`, or the dataset holds takes alone.
    """
    for entry in read_manifest(folder):
        if "target" not in entry:
            raise InputError(f"{folder} holds takes without targets; set targets: true and make it again")
        yield entry


def read_split(folder: Path, split: Split) -> list[dict[str, Any]]:
    """The entries of one use in a finished dataset that has targets.

    Raises:
        InputError: As for :func:`read_pairs`, or there are none.
    """
    whole = list(read_pairs(folder))
    entries = [entry for entry in whole if entry["split"] == split.value]
    if not entries:
        there = ", ".join(dict.fromkeys(str(entry["split"]) for entry in whole)) or "none"
        raise InputError(f"{folder} holds no examples for {split}; its splits are {there}: choose one of them")
    return entries


def _claim(folder: Path, config: DatasetConfig, suffix: str) -> None:
    """Write the configuration into a new folder, or check that an old one was made of the same."""
    wanted = json.dumps({"suffix": suffix, **asdict(config)}, indent=1, default=str) + "\n"
    path = folder / CONFIG_NAME
    if path.exists():
        if path.read_text(encoding="utf-8") != wanted:
            raise InputError(f"{folder} holds a dataset of another configuration; choose another folder or remove it")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is no dataset; choose another folder")
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    (folder / "entries").mkdir(exist_ok=True)
    _write_whole(path, wanted)


def _tasks(config: DatasetConfig) -> list[tuple[Split, int]]:
    return [(split, index) for split in Split for index in range(config.sources(split).examples)]


def _entry_path(folder: Path, split: Split, index: int) -> Path:
    return folder / "entries" / f"{split}-{index:06d}.json"


_worker: dict[str, Any] = {}


def _start(config: DatasetConfig, data: Path | None, folder: Path, suffix: str) -> None:
    _worker.update(maker=ExampleMaker(config, data), folder=folder, suffix=suffix)


def _make(task: tuple[Split, int]) -> None:
    split, index = task
    maker = _worker["maker"]
    example = maker.make(split, index, scored=maker.config.targets)
    write_example(example, split, index, _worker["folder"], _worker["suffix"], maker.config.metronome)


def write_example(example: Example, split: Split, index: int, folder: Path, suffix: str, with_metronome: bool) -> None:
    """Write one example's audio, then its entry."""
    files = {"take": example.take}
    if len(example.target):
        files["target"] = example.target
    if with_metronome:
        files["metronome"] = example.metronome[None]
    if example.image_pieces:
        samples = example.take.shape[1]
        files["take_images"] = example.take_images.reshape(-1, samples)
        if len(example.target):
            files["target_images"] = example.target_images.reshape(-1, samples)
    entry: dict[str, Any] = {"index": index, "split": split.value}
    for name, audio in files.items():
        kind = suffix if len(audio) <= FLAC_MAX_CHANNELS else "wav"
        relative = f"audio/{split}-{index:06d}.{name}.{kind}"
        _write_audio(folder / relative, audio, example.sample_rate)
        entry[name] = relative
    entry |= {
        "sample_rate": example.sample_rate,
        "samples": example.take.shape[1],
        "channels": [{"name": channel.name, "role": channel.role.value} for channel in example.channels],
        "tempo_map": example.tempo_map.to_json(),
    }
    if example.image_pieces:
        entry["image_pieces"] = [piece.value for piece in example.image_pieces]
    _write_whole(_entry_path(folder, split, index), json.dumps(entry | example.truth, default=_plain) + "\n")


def _write_audio(path: Path, audio: npt.NDArray[np.float32], sample_rate: int) -> None:
    # Our own rounding: libsndfile scales by one step less than it reads with.
    steps = np.clip(np.rint(audio.T * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    try:
        with written_whole(path) as partial:
            sf.write(str(partial), steps, sample_rate, SUBTYPE, format=path.suffix[1:].upper())
    except sf.SoundFileError as error:
        raise OutputError(f"cannot write {path}: {str(error).strip(' .')}; is the disk full?") from error


def _write_whole(path: Path, text: str) -> None:
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _plain(value: object) -> object:
    """NumPy's scalars and arrays as plain values."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"cannot write {type(value).__name__} into a manifest")


def _finish(folder: Path, config: DatasetConfig) -> None:
    lines = [_entry_path(folder, *task).read_text(encoding="utf-8") for task in _tasks(config)]
    _write_whole(folder / CARD_NAME, _card(config, [json.loads(line) for line in lines]))
    _write_whole(folder / MANIFEST_NAME, "".join(lines))
    shutil.rmtree(folder / "entries")


def _card(config: DatasetConfig, entries: list[Mapping[str, Any]]) -> str:
    """What the dataset is, for people."""
    hits = [hit for entry in entries for hit in entry["hits"]]
    deviations = np.array([hit["performed_seconds"] - hit["target_seconds"] for hit in hits]) * 1000.0
    minutes = sum(entry["samples"] / entry["sample_rate"] for entry in entries) / 60.0
    splits = Counter(entry["split"] for entry in entries)
    pieces = Counter(hit["piece"] for hit in hits)
    licences = sorted({licence for entry in entries for licence in entry["licences"]})
    attributions = sorted({line for entry in entries for line in entry["attributions"]})
    return "\n".join(
        [
            f"# {config.name}",
            "",
            f"Jittered and gridded drum takes, seed {config.seed}; configuration in `{CONFIG_NAME}`.",
            "",
            f"- examples: {_counted(splits)}; {minutes:.1f} minutes of takes",
            f"- hits: {len(hits)}, of them {sum(hit['ornament'] for hit in hits)} ornaments",
            f"- deviation: mean {deviations.mean():.1f} ms, sd {deviations.std():.1f} ms",
            f"- pieces: {_counted(pieces)}",
            "",
            "Licences:",
            *(f"- {licence}" for licence in licences),
            "",
            "Attributions:",
            *(f"- {line}" for line in attributions),
            "",
        ]
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
