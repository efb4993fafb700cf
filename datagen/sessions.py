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
from beatnet_align.reference_hits import truth_tempo
from beatnet_align.tempo_source import TempoRequest


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
    """Align one session with every engine and measure the results."""
    bpm, first_beat_seconds = truth_tempo(session / "truth.json")
    with tempfile.TemporaryDirectory(prefix="beatnet-session-") as folder:
        comparison = compare(
            session / "take",
            tempo=TempoRequest(bpm=bpm, first_beat_seconds=first_beat_seconds),
            target_path=session / "target",
            out_dir=Path(folder),
            force=True,
        )
    return SessionFigures(session.name, comparison.rows)


def main() -> int:
    """Measure all sessions and print a table a session and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the sessions, or is one")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON instead")
    arguments = parser.parse_args()
    try:
        sessions = [measure(session) for session in find_sessions(arguments.folder)]
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    averaged = mean_figures([session.rows for session in sessions])
    if arguments.json:
        print(json.dumps({session.name: session.rows for session in sessions} | {"mean": averaged}, indent=1))
        return 0
    for session in sessions:
        print(f"{session.name}\n{figures_table(session.rows)}\n")
    print(f"mean of {len(sessions)}\n{figures_table(averaged)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
