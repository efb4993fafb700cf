"""Features and labels of a rendered dataset, computed once: what HitNet trains on.

    python -m models.hit_pool DATASET -o POOL

The pool holds one array of features a split, read by memory map, and the labels of all hits in every channel.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from beatnet_align.errors import InputError
from beatnet_align.hit_features import FEATURE_RATE_HZ, FEATURES, HOP_SAMPLES, hit_features, to_feature_rate
from beatnet_align.hit_outputs import PIECES, ROLES
from beatnet_align.hits import Piece
from beatnet_align.progress_bar import ProgressBar
from beatnet_align.roles import Role
from beatnet_align.units import Float32Array
from datagen.commands import exit_status
from datagen.config import Split
from datagen.dataset import read_audio, read_manifest
from datagen.truth import arrivals_at
from models.hit_rises import rises_at


@dataclass(frozen=True, eq=False)
class HitLabels:
    """The true hits of a take.

    Attributes:
        piece: [hits], index into PIECES.
        velocity: [hits], 0 to 1.
        reference: [hits], the channel that the onset is measured in.
        is_own: [hits], whether that is the piece's own microphone.
        onset_frames: [hits], in the reference channel.
        arrival_frames: [hits, channels], onset in each channel; NaN where the hit is not heard.
        rise_db: [hits, channels], how far the level rises there.
        ornament: [hits].
    """

    piece: npt.NDArray[np.int64]
    velocity: Float32Array
    reference: npt.NDArray[np.int64]
    is_own: npt.NDArray[np.bool_]
    onset_frames: Float32Array
    arrival_frames: Float32Array
    rise_db: Float32Array
    ornament: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PooledTake:
    """One take of a pool.

    Attributes:
        features_db: [channels, frames, FEATURES], float16.
        roles: [channels], index into ROLES.
        labels: Its hits.
    """

    features_db: npt.NDArray[np.float16]
    roles: npt.NDArray[np.int64]
    labels: HitLabels


class HitPool(Sequence[PooledTake]):
    """The takes of one split.

    Args:
        folder: What :func:`write_pool` made.
        split: Which use.

    Raises:
        InputError: There is no such pool.
    """

    def __init__(self, folder: Path, split: Split) -> None:
        features, labels = _features_path(folder, split), _labels_path(folder, split)
        if not labels.exists():
            command = f"python -m models.hit_pool DATASET -o {folder}"
            raise InputError(f"{folder} holds no pool for {split}; make it with: {command}")
        self._features = np.load(features, mmap_mode="r")
        with np.load(labels) as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}

    def __len__(self) -> int:
        return len(self._arrays["channel_starts"]) - 1

    @overload
    def __getitem__(self, index: int) -> PooledTake: ...
    @overload
    def __getitem__(self, index: slice) -> list[PooledTake]: ...
    def __getitem__(self, index: int | slice) -> PooledTake | list[PooledTake]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        arrays = self._arrays
        rows = slice(*arrays["channel_starts"][index : index + 2])
        hits = slice(*arrays["hit_starts"][index : index + 2])
        channels = rows.stop - rows.start
        per_hit = {
            name: arrays[name][hits]
            for name in ("piece", "velocity", "reference", "is_own", "onset_frames", "ornament")
        }
        per_channel = {name: arrays[name][hits, :channels] for name in ("arrival_frames", "rise_db")}
        return PooledTake(self._features[rows], arrays["roles"][rows], HitLabels(**per_hit, **per_channel))


class HitPools(Sequence[PooledTake]):
    """Several pools as one."""

    def __init__(self, pools: Sequence[HitPool]) -> None:
        self.pools = pools

    def __len__(self) -> int:
        return sum(len(pool) for pool in self.pools)

    @overload
    def __getitem__(self, index: int) -> PooledTake: ...
    @overload
    def __getitem__(self, index: slice) -> list[PooledTake]: ...
    def __getitem__(self, index: int | slice) -> PooledTake | list[PooledTake]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        for pool in self.pools:
            if 0 <= index < len(pool):
                return pool[index]
            index -= len(pool)
        raise IndexError(index)


def write_pool(
    dataset: Path,
    folder: Path,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> None:
    """Make the pool of a dataset.

    Args:
        dataset: What ``python -m datagen`` wrote; its takes must be equally long.
        folder: Gets two files a split; made where it is missing.
        workers: Processes; all cores when None.
        progress: Told the split, how many further takes are done, and of how many.

    Raises:
        InputError: The dataset is not finished, or its takes differ in length.
    """
    entries = list(read_manifest(dataset))
    folder.mkdir(parents=True, exist_ok=True)
    for split in Split:
        chosen = [entry for entry in entries if entry["split"] == split.value]
        if chosen:
            stage = f"pooling {split.value}"
            for _ in _write_split(dataset, chosen, folder, split, workers):
                progress(stage, 1, len(chosen))


def _write_split(
    dataset: Path, entries: list[dict[str, Any]], folder: Path, split: Split, workers: int | None
) -> Iterator[int]:
    """Yields the index of each take that is done."""
    lengths = {(entry["samples"], entry["sample_rate"]) for entry in entries}
    if len(lengths) > 1:
        raise InputError(f"the takes of {dataset} differ in length or sample rate: {sorted(lengths)}")
    samples, rate = lengths.pop()
    frames = round(samples * FEATURE_RATE_HZ / rate) // HOP_SAMPLES
    counts = [len(entry["channels"]) for entry in entries]
    starts = np.concatenate([[0], np.cumsum(counts)])
    partial_path = _features_path(folder, split).with_suffix(".partial")
    shape = (int(starts[-1]), frames, FEATURES)
    features = np.lib.format.open_memmap(partial_path, mode="w+", dtype=np.float16, shape=shape)
    labels: list[HitLabels] = []
    with ProcessPoolExecutor(workers) as pool:
        made = pool.map(partial(_pooled, dataset), entries, chunksize=4)
        for start, (take_features, take_labels) in zip(starts, made, strict=False):
            features[start : start + len(take_features)] = take_features
            labels.append(take_labels)
            yield len(labels) - 1
    features.flush()
    partial_path.replace(_features_path(folder, split))
    np.savez(_labels_path(folder, split), **_joined(entries, labels, starts))


def _joined(
    entries: list[dict[str, Any]], labels: list[HitLabels], channel_starts: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Labels of all takes in one array each; channels beyond a take's own are padded."""
    widest = max(one.rise_db.shape[1] for one in labels)

    def padded(rows: Float32Array) -> Float32Array:
        return np.pad(rows, ((0, 0), (0, widest - rows.shape[1])), constant_values=np.nan)

    plain = ("piece", "velocity", "reference", "is_own", "onset_frames", "ornament")
    return {
        "channel_starts": channel_starts,
        "hit_starts": np.concatenate([[0], np.cumsum([len(one.piece) for one in labels])]),
        "roles": np.array([ROLES.index(Role(c["role"])) for entry in entries for c in entry["channels"]]),
        **{name: np.concatenate([getattr(one, name) for one in labels]) for name in plain},
        **{
            name: np.concatenate([padded(getattr(one, name)) for one in labels])
            for name in ("arrival_frames", "rise_db")
        },
    }


def _pooled(dataset: Path, entry: Mapping[str, Any]) -> tuple[npt.NDArray[np.float16], HitLabels]:
    audio, rate = read_audio(dataset / entry["take"])
    features = hit_features(to_feature_rate(audio, rate)).astype(np.float16)
    return features, hit_labels(entry, audio)


def hit_labels(entry: Mapping[str, Any], audio: Float32Array) -> HitLabels:
    """Labels of one take from its manifest entry and its audio.

    Args:
        entry: A line of the manifest.
        audio: [channels, samples], the take.
    """
    names = [channel["name"] for channel in entry["channels"]]
    rate, hits = entry["sample_rate"], entry["hits"]
    onsets = np.array([hit["performed_seconds"] for hit in hits], np.float64)
    arrivals = arrivals_at(hits, names)
    rises = np.stack([rises_at(row, rate, arrivals[:, i]) for i, row in enumerate(audio)], axis=1)
    per_second = FEATURE_RATE_HZ / HOP_SAMPLES
    return HitLabels(
        np.array([PIECES.index(Piece(hit["piece"])) for hit in hits], np.int64),
        np.array([hit["velocity"] for hit in hits], np.float32),
        np.array([names.index(hit["close"]) for hit in hits], np.int64),
        np.array([hit["own_microphone"] for hit in hits], np.bool_),
        (onsets * per_second).astype(np.float32),
        (arrivals * per_second).astype(np.float32),
        rises.astype(np.float32),
        np.array([hit["ornament"] for hit in hits], np.bool_),
    )


def _features_path(folder: Path, split: Split) -> Path:
    return folder / f"{split.value}.features.npy"


def _labels_path(folder: Path, split: Split) -> Path:
    return folder / f"{split.value}.labels.npz"


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.hit_pool", description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="a folder that python -m datagen wrote")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the pool")
    parser.add_argument("--workers", type=int, help="processes (all cores)")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    with ProgressBar() as bar:
        write_pool(chosen.dataset, chosen.out, chosen.workers, bar.advance)


if __name__ == "__main__":
    sys.exit(main())
