"""Align every session of a folder and measure it against its exact target: the figures of the README.

    python -m datagen.sessions FOLDER [--json]

A session is a folder with take/, target/ and truth.json, as the demo take is one and as datagen makes them. Each is
aligned as a user would, given tempo, first beat and grid.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from beatnet_align.compare import compare, figures_table, mean_figures
from beatnet_align.errors import InputError
from beatnet_align.tempo_source import TempoRequest
from datagen.commands import exit_status
from datagen.perfect_plan import session_tempo_map


@dataclass(frozen=True)
class SessionFigures:
    """What every engine reached on one session: engine to figure to value."""

    name: str
    rows: Mapping[str, Mapping[str, float]]


def find_sessions(folder: Path) -> list[Path]:
    """The sessions in a folder, or the folder itself if it is one, sorted by name.

    Raises:
        InputError: There is none.
    """
    found = sorted(truth.parent for truth in [*folder.glob("truth.json"), *folder.glob("*/truth.json")])
    if not found:
        raise InputError(f"there is no session in {folder}: none of its folders holds a truth.json")
    return found


def measure(session: Path) -> SessionFigures:
    """Align one session with every engine and measure the results.

    Raises:
        InputError, OutputError: The session cannot be used, or nothing can be written beside other temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="beatnet-session-") as folder:
        comparison = compare(
            session / "take",
            tempo=TempoRequest(tempo_map=session_tempo_map(session)),
            target_path=session / "target",
            out_dir=Path(folder),
            force=True,
        )
    return SessionFigures(session.name, comparison.rows)


def main() -> int:
    """Measure all sessions and print a table a session and their mean; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the sessions, or is one")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON instead")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    sessions = [measure(session) for session in find_sessions(chosen.folder)]
    averaged = mean_figures([session.rows for session in sessions])
    if chosen.json:
        print(json.dumps({session.name: session.rows for session in sessions} | {"mean": averaged}, indent=1))
        return
    for session in sessions:
        print(f"{session.name}\n{figures_table(session.rows)}\n")
    print(f"mean of {len(sessions)}\n{figures_table(averaged)}")


if __name__ == "__main__":
    sys.exit(main())
