"""Audio around the hits of a rendered dataset, cut once: what the refiner trains on.

    python -m models.refiner_pool DATASET -o POOL

Stretches are longer than a window, so that which part of one is shown, and so how far off the estimate is, can be drawn
anew every time.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from beatnet_align.errors import InputError
from beatnet_align.hit_outputs import PIECE_GROUPS, groups_of
from beatnet_align.hit_refiner import (
    AFTER_SAMPLES,
    BEFORE_SAMPLES,
    REFINER_RATE_HZ,
    WINDOW_SAMPLES,
    cut_windows,
    without_offset,
)
from beatnet_align.hits import Piece
from beatnet_align.onset_timing import smoothed_energy
from beatnet_align.progress_bar import ProgressBar
from beatnet_align.units import Float32Array, FloatArray, IntArray, power_to_db, seconds_to_samples
from datagen.commands import exit_status
from datagen.config import Split
from datagen.dataset import read_audio, read_manifest
from datagen.truth import arrivals_at

MARGIN_SAMPLES = 352
"""8 ms: estimates are at most so far off."""

AUDIBLE_DB = 6.0
RISE_BEFORE_SECONDS, RISE_GAP_SECONDS, RISE_AFTER_SECONDS = 0.005, 0.0005, 0.008
NOWHERE_SECONDS = 0.015
"""A place so far from every arrival is no hit's."""


@dataclass(frozen=True)
class Share:
    """How many stretches a take gives.

    Attributes:
        reference: Hits on the channel that they are labelled in.
        others: Hits on other channels, where they can be heard.
        nowhere: Places without a hit.
    """

    reference: int
    others: int
    nowhere: int


SHARES = {Split.TRAIN: Share(34, 8, 6), Split.VALIDATION: Share(1000, 20, 20), Split.TEST: Share(1000, 20, 20)}


@dataclass(frozen=True, eq=False)
class Stretches:
    """Audio around places in channels, one a row.

    Attributes:
        audio: [places, WINDOW_SAMPLES + 2 MARGIN_SAMPLES] float16 without offset, largest value 1; the place lies at
            ``MARGIN_SAMPLES + BEFORE_SAMPLES``.
        onset_samples: [places], from the place to where the hit begins (less than a sample); NaN where none does.
        audible: [places], whether the channel lets that be heard.
        is_reference: [places], whether it is a hit on the channel that it is labelled in.
        groups: [places], of the piece that is struck, in ``PIECE_GROUPS``; any where none is.
    """

    audio: npt.NDArray[np.float16]
    onset_samples: Float32Array
    audible: npt.NDArray[np.bool_]
    is_reference: npt.NDArray[np.bool_]
    groups: IntArray

    def __len__(self) -> int:
        return len(self.onset_samples)

    def chosen(self, rows: IntArray) -> "Stretches":
        """Some of them."""
        return Stretches(*(np.asarray(getattr(self, field.name)[rows]) for field in fields(self)))


def audible_rise(around: Float32Array, onset_column: int) -> npt.NDArray[np.bool_]:
    """Whether the level rises at a column by ``AUDIBLE_DB``, in the signal or its differences, [places].

    Args:
        around: [places, samples].
        onset_column: Where the hits begin.
    """
    before, gap, after = (
        seconds_to_samples(seconds, REFINER_RATE_HZ)
        for seconds in (RISE_BEFORE_SECONDS, RISE_GAP_SECONDS, RISE_AFTER_SECONDS)
    )
    rises = []
    for signal in (around, np.diff(around, axis=1, prepend=around[:, :1])):
        level_db = power_to_db(smoothed_energy(signal, REFINER_RATE_HZ))
        loudest = level_db[:, onset_column : onset_column + after].max(axis=1)
        rises.append(loudest - level_db[:, onset_column - before : onset_column - gap].max(axis=1))
    return np.asarray(np.maximum(*rises) >= AUDIBLE_DB)


def stretches_of_take(
    entry: Mapping[str, Any], audio: Float32Array, share: Share, rng: np.random.Generator
) -> Stretches:
    """Cut a take's stretches.

    Args:
        entry: Its line of the manifest.
        audio: [channels, samples] at ``REFINER_RATE_HZ``.
        share: How many of each kind at most.
        rng: Chooses them.
    """
    names = [channel["name"] for channel in entry["channels"]]
    hits = entry["hits"]
    onsets = np.array([hit["performed_seconds"] for hit in hits], np.float64)
    arrivals = arrivals_at(hits, names) * REFINER_RATE_HZ
    reference = np.array([names.index(hit["close"]) for hit in hits], np.int64)
    arrivals[np.arange(len(hits)), reference] = onsets * REFINER_RATE_HZ
    is_reference = np.zeros(arrivals.shape, np.bool_)
    is_reference[np.arange(len(hits)), reference] = True
    own = _some(np.argwhere(is_reference), share.reference, rng)
    others = _some(np.argwhere(np.isfinite(arrivals) & ~is_reference), share.others, rng)
    nowhere = _nowhere(arrivals, audio.shape[1], share.nowhere, rng)
    groups = groups_of(Piece(hit["piece"]) for hit in hits)
    of_nowhere = rng.integers(len(PIECE_GROUPS), size=len(nowhere))
    parts = [
        _cut(audio, channels, arrivals[struck, channels], groups[struck], is_hit=True, is_reference=is_reference)
        for (struck, channels), is_reference in ((own.T, True), (others.T, False))
    ]
    parts.append(
        _cut(audio, nowhere[:, 0], nowhere[:, 1].astype(np.float64), of_nowhere, is_hit=False, is_reference=False)
    )
    return _joined(parts)


def _some(rows: IntArray, most: int, rng: np.random.Generator) -> IntArray:
    return rows[np.sort(rng.permutation(len(rows))[:most])]


def _nowhere(arrivals: FloatArray, samples: int, count: int, rng: np.random.Generator) -> IntArray:
    """[places, 2]: channels and samples that no hit arrives near."""
    channels = rng.integers(arrivals.shape[1], size=count)
    places = rng.integers(samples, size=count)
    if len(arrivals):
        distance = np.nanmin(np.abs(np.nan_to_num(arrivals[:, channels], nan=-np.inf) - places), axis=0)
        clear = distance > NOWHERE_SECONDS * REFINER_RATE_HZ
        channels, places = channels[clear], places[clear]
    return np.stack([channels, places], axis=1)


def _cut(
    audio: Float32Array, channels: IntArray, places: FloatArray, groups: IntArray, *, is_hit: bool, is_reference: bool
) -> Stretches:
    at = BEFORE_SAMPLES + MARGIN_SAMPLES
    whole = np.rint(places).astype(np.int64)
    around = np.zeros((len(places), WINDOW_SAMPLES + 2 * MARGIN_SAMPLES), np.float32)
    for channel in np.unique(channels):
        chosen = channels == channel
        around[chosen] = cut_windows(without_offset(audio[channel]), whole[chosen], at, AFTER_SAMPLES + MARGIN_SAMPLES)
    around /= np.maximum(np.abs(around).max(axis=1, keepdims=True), 1e-6)
    return Stretches(
        around.astype(np.float16),
        (places - whole if is_hit else np.full(len(places), np.nan)).astype(np.float32),
        audible_rise(around, at) & is_hit,
        np.full(len(places), is_reference),
        groups,
    )


def _joined(parts: list[Stretches]) -> Stretches:
    return Stretches(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Stretches)))


def write_stretches(
    dataset: Path,
    folder: Path,
    takes: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> None:
    """Cut the stretches of a dataset, two files a split.

    Args:
        dataset: What ``python -m datagen`` wrote, at 44.1 kHz.
        folder: Made where it is missing.
        takes: Of each split at most; all when None.
        seed: Chooses hits and places.
        workers: Processes; all cores when None.
        progress: Told the split, how many further takes are done, and of how many.

    Raises:
        InputError: The dataset is not finished, or has another sample rate.
    """
    entries = list(read_manifest(dataset))
    folder.mkdir(parents=True, exist_ok=True)
    for split in Split:
        chosen = [entry for entry in entries if entry["split"] == split.value][:takes]
        if not chosen:
            continue
        parts = []
        with ProcessPoolExecutor(workers) as pool:
            for part in pool.map(partial(_stretches, dataset, seed), chosen, chunksize=4):
                parts.append(part)
                progress(f"cutting {split.value}", 1, len(chosen))
        whole = _joined(parts)
        np.save(_audio_path(folder, split), whole.audio)
        np.savez(
            _labels_path(folder, split),
            onset_samples=whole.onset_samples,
            audible=whole.audible,
            is_reference=whole.is_reference,
            groups=whole.groups,
        )


def read_stretches(folder: Path, split: Split) -> Stretches:
    """The stretches of a split; audio by memory map.

    Raises:
        InputError: There are none.
    """
    if not _labels_path(folder, split).exists():
        raise InputError(f"{folder} holds no stretches for {split}; make them with: python -m models.refiner_pool")
    with np.load(_labels_path(folder, split)) as labels:
        audio = np.load(_audio_path(folder, split), mmap_mode="r")
        return Stretches(audio, labels["onset_samples"], labels["audible"], labels["is_reference"], labels["groups"])


def _stretches(dataset: Path, seed: int, entry: Mapping[str, Any]) -> Stretches:
    audio, rate = read_audio(dataset / entry["take"])
    if rate != REFINER_RATE_HZ:
        raise InputError(f"{entry['take']} has {rate} Hz; the refiner learns from datasets at {REFINER_RATE_HZ} Hz")
    split = Split(entry["split"])
    rng = np.random.default_rng([seed, list(Split).index(split), entry["index"]])
    return stretches_of_take(entry, audio, SHARES[split], rng)


def _audio_path(folder: Path, split: Split) -> Path:
    return folder / f"{split.value}.stretches.npy"


def _labels_path(folder: Path, split: Split) -> Path:
    return folder / f"{split.value}.stretches.npz"


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.refiner_pool", description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="a folder that python -m datagen wrote")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the stretches")
    parser.add_argument("--takes", type=int, help="of each split at most (all)")
    parser.add_argument("--seed", type=int, default=0, help="chooses hits and places (%(default)s)")
    parser.add_argument("--workers", type=int, help="processes (all cores)")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    with ProgressBar() as bar:
        write_stretches(chosen.dataset, chosen.out, chosen.takes, chosen.seed, chosen.workers, bar.advance)


if __name__ == "__main__":
    sys.exit(main())
