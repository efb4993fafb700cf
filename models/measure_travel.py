"""Measure how much later far microphones hear each piece than the hi-hat: the source of beatnet_align/travel.py.

    python -m datagen configs/datagen/hitnet_travel.yaml -o data/travel --data DATA
    python -m models.measure_travel data/travel

Only hits whose piece has a microphone of its own count, since for the others nobody knows when they were struck. Of
several microphones of a role, such as a pair of overheads, each piece is timed by the one that hears it first.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hit_outputs import GROUP_OF_PIECE, PIECE_GROUPS
from beatnet_align.hits import Piece
from beatnet_align.onset_metrics import percentile
from beatnet_align.roles import Role
from beatnet_align.units import seconds_to_ms
from datagen.commands import exit_status
from datagen.config import Split
from datagen.dataset import read_manifest

FAR_ROLES = (Role.OVERHEAD, Role.ROOM)
"""Microphones that hear every piece."""
BESIDE = "hihat"
"""The group whose time the others are to be told in: overheads are its own microphones in most kits."""
_GROUPS = tuple(PIECE_GROUPS)


@dataclass(frozen=True)
class Travel:
    """How much later than a piece group's own microphone the far one that is first hears it.

    Attributes:
        takes_seconds: One a take, the median of its hits.
        beyond_hihat_seconds: The same less the hi-hat's, of the takes that have both.
    """

    takes_seconds: tuple[float, ...]
    beyond_hihat_seconds: tuple[float, ...]


def measure_travel(entries: Iterable[Mapping[str, Any]], role: Role) -> dict[str, Travel]:
    """Travel times of every piece group, by its name.

    Args:
        entries: Of a dataset's manifest.
        role: Of the far microphones.
    """
    takes = [_of_take(entry, role) for entry in entries]
    return {
        group: Travel(
            tuple(take[group] for take in takes if group in take),
            tuple(take[group] - take[BESIDE] for take in takes if group in take and BESIDE in take),
        )
        for group in _GROUPS
    }


def _of_take(entry: Mapping[str, Any], role: Role) -> dict[str, float]:
    far = [channel["name"] for channel in entry["channels"] if channel["role"] == role.value]
    seconds: dict[str, list[float]] = {}
    for hit in entry["hits"]:
        arrivals = [hit["arrivals_seconds"][name] for name in far if name in hit["arrivals_seconds"]]
        if hit["own_microphone"] and arrivals:
            seconds.setdefault(_GROUPS[GROUP_OF_PIECE[Piece(hit["piece"])]], []).append(min(arrivals))
    return {group: float(np.median(of_group)) for group, of_group in seconds.items()}


def _row(name: str, travel: Travel) -> str:
    cells = []
    for seconds in (travel.takes_seconds, travel.beyond_hihat_seconds):
        middle, low, high = (seconds_to_ms(percentile(np.array(seconds), at)) for at in (50, 25, 75))
        cells.append(f"{len(seconds):9d}{middle:9.2f}  {low:6.2f} to {high:5.2f}")
    return f"{name:18s}{''.join(cells)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0, or 2 where the dataset cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a folder that python -m datagen wrote")
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.VALIDATION, help="(%(default)s)")
    return exit_status(_run, parser.parse_args(arguments))


def _run(chosen: argparse.Namespace) -> None:
    entries = [entry for entry in read_manifest(chosen.dataset) if entry["split"] == chosen.split.value]
    if not entries:
        raise InputError(f"{chosen.dataset} holds no takes for {chosen.split}; choose another split")
    print("ms: median, quartiles  takes   travel                     takes   beyond the hi-hat's")
    for role in FAR_ROLES:
        for group, travel in measure_travel(entries, role).items():
            print(_row(f"{group} to {role}", travel))


if __name__ == "__main__":
    sys.exit(main())
