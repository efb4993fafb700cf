"""Compare the networks that write aligned audio themselves, side by side with what cuts: one table and one page.

python -m models.compare_resynthesis TAKES [CANDIDATE ...] -o OUT [--examples 24] [--train]

TAKES is a dataset of ``python -m datagen``, or with --sessions a folder of sessions. A candidate is a configuration of
configs/models/resynthesis/, or the folder of its run; all configurations where none is named. Everybody hears the same
takes and is told the same tempo and grid. OUT gets table.md, figures.csv, pictures and index.html. SI-SDR is that of
each hit at the lag at which it fits best; how far a network listens holds 99 % of its gradient's energy.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from beatnet_align.errors import InputError, OutputError
from datagen.commands import exit_status
from datagen.config import Split
from datagen.sessions import find_sessions
from models.resynthesis.candidates import Candidate, is_trained, load_candidate, run_folder, train
from models.resynthesis.comparison import Comparison, compare_candidates
from models.resynthesis.comparison_table import Figures, as_csv, from_csv, markdown
from models.resynthesis.held_out import of_dataset, of_session
from models.resynthesis.report_page import page

CONFIGS = Path(__file__).parents[1] / "configs" / "models" / "resynthesis"
PAGE_NAME, TABLE_NAME, FIGURES_NAME = "index.html", "table.md", "figures.csv"


def candidates_of(configs: Sequence[Path], *, train_missing: bool = False) -> list[Candidate]:
    """The trained networks of some configurations or runs; what is not trained is left out, and that is said.

    Args:
        configs: YAML files or folders of runs.
        train_missing: Train configurations that have no weights yet.

    Raises:
        InputError: None is trained, or one cannot be loaded.
    """
    found = []
    for config in configs:
        run = run_folder(config)
        if not is_trained(run) and train_missing and config.is_file():
            train(config)
        if is_trained(run):
            found.append(load_candidate(run))
        else:
            print(f"note: {run} holds no trained network and is left out", file=sys.stderr)
    if not found:
        raise InputError("there is no trained candidate; train one with python -m models.train, or say --train")
    return found


def rows_of(report: Path) -> dict[str, Figures]:
    """The rows of an earlier report.

    Raises:
        InputError: The folder holds none.
    """
    path = report / FIGURES_NAME
    try:
        return from_csv(path.read_text(encoding="utf-8"))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"cannot read an earlier report's {path}: {' '.join(str(error).split())}") from error


def write_report(comparison: Comparison, title: str, out_dir: Path) -> None:
    """Write the table, the figures, the pictures and the page.

    Raises:
        OutputError: A file cannot be written.
    """
    table = markdown(comparison.rows)
    files = {
        TABLE_NAME: table.encode(),
        FIGURES_NAME: as_csv(comparison.rows).encode(),
        PAGE_NAME: page(title, table, comparison.sections).encode(),
        **comparison.pictures,
    }
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out_dir / name).write_bytes(content)
    except OSError as error:
        raise OutputError(f"cannot write into {out_dir}: {error.strerror}; choose another folder with -o") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m models.compare_resynthesis",
    )
    parser.add_argument("takes", metavar="TAKES", type=Path, help="folder of a dataset, or of sessions")
    parser.add_argument("candidates", metavar="CANDIDATE", type=Path, nargs="*", help="YAML file or folder of a run")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the report; replaces an earlier one")
    parser.add_argument("--sessions", action="store_true", help="TAKES holds sessions: take/, target/ and truth.json")
    parser.add_argument("--split", choices=[one.value for one in Split], default=Split.TEST.value, help="(%(default)s)")
    parser.add_argument("--examples", type=int, default=24, metavar="N", help="at most so many takes (%(default)d)")
    parser.add_argument(
        "--beside", metavar="REPORT", type=Path, help="of the same takes: its rows are shown, not measured again"
    )
    parser.add_argument("--train", action="store_true", help="train configurations that have no weights yet")
    return exit_status(_run, parser.parse_args(arguments))


def _run(chosen: argparse.Namespace) -> None:
    torch.set_num_threads(1)  # so that speeds can be compared with those of the engines
    configs = chosen.candidates or sorted(CONFIGS.glob("*.yaml"))
    if chosen.sessions:
        takes = [of_session(session) for session in find_sessions(chosen.takes)[: chosen.examples]]
    else:
        takes = of_dataset(chosen.takes, Split(chosen.split), chosen.examples)
    earlier = {} if chosen.beside is None else rows_of(chosen.beside)
    comparison = compare_candidates(takes, candidates_of(configs, train_missing=chosen.train), earlier)
    write_report(comparison, f"Resynthesis: {len(takes)} takes of {chosen.takes.name}", chosen.out)
    print(f"{markdown(comparison.rows)}\nmean of {len(takes)} takes; open {chosen.out / PAGE_NAME}")


if __name__ == "__main__":
    sys.exit(main())
