"""Hear a dataset once and keep what the finders of strokes are trained on.

    python -m models.resynthesis.line_pool data/resynthesis -o pools/resynthesis

A pool is a folder with one file a take: what every channel sounds like, what is told of the grid, where the lines are,
and every stroke. Training on where strokes are then costs no listening.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from beatnet_align.errors import InputError
from beatnet_align.whole_files import written_whole
from datagen.commands import exit_status
from datagen.config import Split
from models.resynthesis.conditioning import Told
from models.resynthesis.data import TakeFiles
from models.resynthesis.line_features import grid_frames, line_features
from models.resynthesis.lines import line_places


class PooledTake(NamedTuple):
    """A take as the finders hear it.

    Attributes:
        features: [channels, features, frames], float16.
        grid: [rows, frames], of :func:`models.resynthesis.line_features.grid_frames`.
        places: Where the lines are, in samples, by what a network is told.
        strokes: [strokes, 3], of :class:`models.resynthesis.data.CropBatch`.
    """

    features: torch.Tensor
    grid: torch.Tensor
    places: dict[Told, torch.Tensor]
    strokes: torch.Tensor


def heard(takes: TakeFiles, number: int) -> PooledTake:
    """Listen to a take."""
    entry = takes.entries[number]
    crop = takes.crop(number, 0, int(entry["samples"]), range(len(entry["channels"])))
    places = {}
    for told in Told:
        found = line_places(crop.conditioning, takes.sample_rate, told)[0]
        places[told] = found[found.isfinite()]
    features = line_features(crop.take[0], takes.sample_rate).to(torch.float16)
    return PooledTake(features, grid_frames(crop.conditioning)[0], places, crop.strokes[0])


def write_pool(dataset: Path, folder: Path, split: Split) -> int:
    """Write the takes of a split that the folder does not hold yet; returns how many there are."""
    takes = TakeFiles(dataset, split)
    (folder / split.value).mkdir(parents=True, exist_ok=True)
    for number, entry in enumerate(takes.entries):
        path = folder / split.value / f"{entry['index']:06d}.npz"
        if path.exists():
            continue
        take = heard(takes, number)
        arrays: dict[str, Any] = {f"places_{told.value}": places.numpy() for told, places in take.places.items()}
        arrays |= {"features": take.features.numpy(), "grid": take.grid.numpy(), "strokes": take.strokes.numpy()}
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
    return len(takes.entries)


def read_pool(folder: Path, split: Split) -> list[PooledTake]:
    """All takes of a split, in memory.

    Raises:
        InputError: There are none.
    """
    paths = sorted((folder / split.value).glob("*.npz"))
    if not paths:
        raise InputError(
            f"{folder} holds no takes for {split}: python -m models.resynthesis.line_pool DATASET -o POOL makes them"
        )
    takes = []
    for path in paths:
        with np.load(path) as arrays:
            places = {told: torch.from_numpy(arrays[f"places_{told.value}"]) for told in Told}
            features, grid, strokes = (torch.from_numpy(arrays[name]) for name in ("features", "grid", "strokes"))
        takes.append(PooledTake(features, grid, places, strokes))
    return takes


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="folder with a manifest.jsonl")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the pool")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    for split in (Split.TRAIN, Split.VALIDATION):
        print(f"{split}: {write_pool(chosen.dataset, chosen.out, split)} takes in {chosen.out}")


if __name__ == "__main__":
    sys.exit(main())
