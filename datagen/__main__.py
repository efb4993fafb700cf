"""The generator's command line.

python -m datagen CONFIG -o DIR [--data DATA]     make a dataset (a run that was cut off goes on)
python -m datagen inspect DIR [-o OUT]            pictures, audio and statistics of a dataset
python -m datagen import BEFORE AFTER -o DIR      truth of a take that an engineer has edited
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from beatnet_align.errors import BeatnetAlignError

INTERRUPTED = 130
"""What shells report for a process that SIGINT ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, 2 where the input was the problem, or 130 where someone interrupted it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    commands = {"inspect": _inspect, "import": _import}
    try:
        if arguments and arguments[0] in commands:
            commands[arguments[0]](arguments[1:])
        else:
            _make(arguments)
    except BeatnetAlignError as error:
        print(f"datagen: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("datagen: interrupted; where a dataset was being made, the same command goes on with it", file=sys.stderr)
        return INTERRUPTED
    return 0


def _make(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m datagen", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, help="YAML, see configs/datagen/")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the dataset")
    parser.add_argument("--data", type=Path, help="folder that holds kits/ and groove/")
    parser.add_argument("--workers", type=int, help="processes (all cores)")
    parser.add_argument("--format", choices=["flac", "wav"], default="flac", help="of the audio (%(default)s)")
    chosen = parser.parse_args(arguments)

    from tqdm import tqdm  # noqa: PLC0415

    from datagen.config import read_config  # noqa: PLC0415
    from datagen.dataset import write_dataset  # noqa: PLC0415

    with tqdm(unit=" examples", disable=None) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done)

        made = write_dataset(
            read_config(chosen.config),
            chosen.out,
            chosen.data,
            workers=chosen.workers,
            suffix=chosen.format,
            progress=advance,
        )
    print(f"{made} examples made; the dataset is complete in {chosen.out}")


def _inspect(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m datagen inspect")
    parser.add_argument("dataset", type=Path, help="folder with a manifest.jsonl")
    parser.add_argument("-o", "--out", type=Path, help="folder for pictures and audio (DATASET/inspect)")
    parser.add_argument("--examples", type=int, default=4, help="how many to show (%(default)d)")
    chosen = parser.parse_args(arguments)

    from datagen.inspect_dataset import inspect_dataset  # noqa: PLC0415

    for path in inspect_dataset(chosen.dataset, chosen.out, chosen.examples):
        print(path)


def _import(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m datagen import")
    parser.add_argument("before", type=Path, help="the take as recorded")
    parser.add_argument("after", type=Path, help="the same stems as edited")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="folder for the session: take/, target/, truth.json"
    )
    parser.add_argument("--bpm", type=float, help="tempo that it was edited to; estimated when absent")
    parser.add_argument("--first-beat", metavar="SECONDS", type=float, help="when bar 1 begins")
    chosen = parser.parse_args(arguments)

    from datagen.edited_pairs import import_session  # noqa: PLC0415

    print(import_session(chosen.before, chosen.after, chosen.out, bpm=chosen.bpm, first_beat_seconds=chosen.first_beat))


if __name__ == "__main__":
    sys.exit(main())
