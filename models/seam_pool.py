"""Places between lines, with both sides heard apart, rendered once: what SeamNet trains on.

    python -m models.seam_pool configs/datagen/human.yaml -o pools/seams --data DATA

Sides are kept apart, so that how far the later one moves can be drawn anew every time.
"""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.progress_bar import ProgressBar
from beatnet_align.whole_files import written_whole
from datagen.commands import exit_status
from datagen.config import DatasetConfig, Split, read_config
from datagen.example import ExampleMaker
from datagen.joins import Parting, draw_partings

MOST_CHANNELS = 8
"""Of a place; which ones is drawn."""

EXAMPLES = {Split.TRAIN: 600, Split.VALIDATION: 60}


def write_partings(
    config: DatasetConfig,
    data: Path | None,
    folder: Path,
    examples: dict[Split, int],
    *,
    most: int = 8,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> None:
    """Render places, one file a split.

    Args:
        config: Whose kits, scores and timing.
        data: Folder with kits/ and groove/.
        folder: Made where it is missing.
        examples: Of each split.
        most: Places of an example.
        workers: Processes; all cores when None.
        progress: Told the split, how many further examples are done, and of how many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in examples.items():
        partings: list[Parting] = []
        with ProcessPoolExecutor(workers, initializer=_start, initargs=(config, data)) as pool:
            for some in pool.map(partial(_partings, split, most), range(count), chunksize=4):
                partings += some
                progress(f"rendering {split.value}", 1, count)
        if not partings:
            raise InputError(f"{config.name} gives no places for joins in {count} examples for {split}; ask for more")
        with written_whole(_path(folder, split)) as partial_path, partial_path.open("wb") as file:
            np.savez(
                file,
                earlier=np.concatenate([one.earlier for one in partings]),
                later=np.concatenate([one.later for one in partings]),
                channels=np.array([len(one.earlier) for one in partings]),
                since_last_onset_samples=np.array([one.since_last_onset_samples for one in partings]),
                sample_rate=config.sample_rate,
            )


def read_partings(folder: Path, split: Split) -> list[Parting]:
    """The places of a split; what rang at them is not kept.

    Raises:
        InputError: There are none.
    """
    if not _path(folder, split).exists():
        raise InputError(f"{folder} holds no places for {split}; make them with: python -m models.seam_pool")
    with np.load(_path(folder, split)) as read:
        rows = np.cumsum(read["channels"])[:-1]
        sides = [np.split(read[side], rows) for side in ("earlier", "later")]
        rate = int(read["sample_rate"])
        since_last = read["since_last_onset_samples"]
    return [
        Parting(earlier, later, rate, int(onset), frozenset())
        for earlier, later, onset in zip(*sides, since_last, strict=True)
    ]


_MAKER: list[ExampleMaker] = []
"""The worker's own: kits are loaded once."""


def _start(config: DatasetConfig, data: Path | None) -> None:
    _MAKER[:] = [ExampleMaker(config, data)]


def _partings(split: Split, most: int, index: int) -> list[Parting]:
    """Places of an example, each with some of its channels, at most full scale."""
    partings = []
    rng = np.random.default_rng([list(Split).index(split), index])
    for one in draw_partings(_MAKER[0], split, index, most):
        kept = np.sort(rng.permutation(len(one.earlier))[:MOST_CHANNELS])
        loudest = max(float(np.abs(one.earlier[kept]).max()), float(np.abs(one.later[kept]).max()), 1e-9)
        partings.append(
            Parting(
                (one.earlier[kept] / loudest).astype(np.float16),
                (one.later[kept] / loudest).astype(np.float16),
                one.sample_rate,
                one.since_last_onset_samples,
                one.ringing,
            )
        )
    return partings


def _path(folder: Path, split: Split) -> Path:
    return folder / f"{split.value}.partings.npz"


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.seam_pool", description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path, help="YAML, such as configs/datagen/human.yaml")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the places")
    parser.add_argument("--data", type=Path, help="folder that holds kits/ and groove/")
    parser.add_argument("--places", type=int, default=8, help="of an example at most (%(default)s)")
    for split, count in EXAMPLES.items():
        parser.add_argument(f"--{split.value}", type=int, default=count, help="examples (%(default)s)")
    parser.add_argument("--workers", type=int, help="processes (all cores)")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    examples = {split: int(getattr(chosen, split.value)) for split in EXAMPLES}
    with ProgressBar() as bar:
        write_partings(
            read_config(chosen.config),
            chosen.data,
            chosen.out,
            examples,
            most=chosen.places,
            workers=chosen.workers,
            progress=bar.advance,
        )


if __name__ == "__main__":
    sys.exit(main())
