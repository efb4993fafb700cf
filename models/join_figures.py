"""Measure every way to join two shifts against the true continuation, on kits that nothing was trained on.

python -m models.join_figures CONFIG [--data DATA] [--split test] [--examples 60] [--joins 8]

Multi-resolution STFT distance (spectral convergence and log magnitude, auraloss) over the transition, in channels that
hear something, down to 60 dB under its loudest bin; and how well phase between microphones agrees with the target's, 1
where it does everywhere. Apart for gaps and overlaps, short and long, and for what rings. The last row knows the truth
up to the attack, which no join may touch: what it leaves is ringing behind the attack.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.seams import shipped_seamnet
from beatnet_align.units import Float32Array
from datagen.commands import exit_status
from datagen.config import Split, read_config
from datagen.example import ExampleMaker
from datagen.joins import Join, draw_joins
from models.join_judge import Judge, phase_agreement
from models.join_opponents import OPPONENTS, Repair, with_perfect_knowledge
from models.seam_data import repaired, seam_of

NAMES_WIDTH = 34


def neural(join: Join) -> Float32Array:
    """Mixed by the network that ships, as the effect does."""
    return repaired(join, shipped_seamnet().mixed(seam_of(join)))


REPAIRS: dict[str, Repair] = {
    **OPPONENTS,
    "neural": neural,
    "truth, as far as a join reaches": with_perfect_knowledge,
}

Kind = Callable[[Join], bool]
KINDS: dict[str, Kind] = {
    "gap 2-10 ms": lambda join: 0 < join.gap_samples <= 0.010 * join.sample_rate,
    "gap 10-30": lambda join: 0.010 * join.sample_rate < join.gap_samples <= 0.030 * join.sample_rate,
    "gap 30-80": lambda join: join.gap_samples > 0.030 * join.sample_rate,
    "overlap 2-80": lambda join: join.gap_samples < 0,
    "all": lambda join: True,
}

STRUCK: dict[str, frozenset[Piece]] = {
    "kick": frozenset({Piece.KICK}),
    "snare": frozenset({Piece.SNARE, Piece.SIDESTICK}),
    "toms": frozenset({Piece.TOM_HIGH, Piece.TOM_MID, Piece.TOM_FLOOR}),
    "closed hats": frozenset({Piece.HIHAT_CLOSED, Piece.HIHAT_PEDAL}),
    "open hats": frozenset({Piece.HIHAT_OPEN}),
    "rides": frozenset({Piece.RIDE, Piece.RIDE_BELL}),
    "crashes": frozenset({Piece.CRASH, Piece.SPLASH, Piece.CHINA}),
}


def _rings(pieces: frozenset[Piece]) -> Kind:
    return lambda join: join.gap_samples > 0 and bool(join.ringing & pieces)


RINGING: dict[str, Kind] = {name: _rings(pieces) for name, pieces in STRUCK.items()} | {
    "drums alone": lambda join: join.gap_samples > 0 and not join.rings_of_cymbals
}
"""Gaps, by what was struck in the second before."""


def measured(joins: Sequence[Join], repairs: Mapping[str, Repair]) -> dict[str, np.ndarray]:
    """Distance and phase agreement of each join by each repair: [joins, 2] under its name."""
    judge = Judge()
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in repairs}
    for join in tqdm(joins, desc="joins", leave=False, disable=None):
        for name, repair in repairs.items():
            out = repair(join)
            rows[name].append((judge.distance(join, out), phase_agreement(join, out)))
    return {name: np.array(row) for name, row in rows.items()}


def print_tables(joins: Sequence[Join], figures: Mapping[str, np.ndarray]) -> None:
    """Print means by kind of join, and of gaps by what rings."""
    print(f"\ndistance to the true continuation, {len(joins)} joins; phase between microphones over all")
    _print_table(joins, figures, KINDS)
    print("\ndistance in gaps, by what was struck in the second before")
    _print_table(joins, figures, RINGING)


def _print_table(joins: Sequence[Join], figures: Mapping[str, np.ndarray], kinds: Mapping[str, Kind]) -> None:
    """A row for every way; phase over all joins that have a place in the table."""
    chosen = {kind: np.array([holds(join) for join in joins], bool) for kind, holds in kinds.items()}
    any_of_them = np.any(list(chosen.values()), axis=0)
    print(f"\n{'':{NAMES_WIDTH}}" + "".join(f"{kind:>14}" for kind in kinds) + f"{'phase':>8}")
    print(f"{'joins':{NAMES_WIDTH}}" + "".join(f"{where.sum():14d}" for where in chosen.values()))
    for name, row in figures.items():
        means = [_mean(row[where, 0]) for where in chosen.values()]
        line = "".join(f"{mean:14.3f}" for mean in means) + f"{_mean(row[any_of_them, 1]):8.3f}"
        print(f"{name:{NAMES_WIDTH}}{line}")


def _mean(values: np.ndarray) -> float:
    """Of what there is; NaN of nothing."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else np.nan


def _run(chosen: argparse.Namespace) -> None:
    maker, split = ExampleMaker(read_config(chosen.config), chosen.data), Split(chosen.split)
    joins = [
        join
        for index in tqdm(range(chosen.examples), desc="examples", leave=False, disable=None)
        for join in draw_joins(maker, split, index, chosen.joins)
    ]
    if not joins:
        raise InputError(f"{chosen.config} gives no joins in {chosen.examples} examples; ask for more")
    print_tables(joins, measured(joins, REPAIRS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m models.join_figures"
    )
    parser.add_argument("config", type=Path, help="YAML, such as configs/datagen/human.yaml")
    parser.add_argument("--data", type=Path, help="folder that holds kits/ and groove/")
    parser.add_argument("--split", choices=[one.value for one in Split], default=Split.TEST.value, help="(test)")
    parser.add_argument("--examples", type=int, default=60, metavar="N", help="performances (60)")
    parser.add_argument("--joins", type=int, default=8, metavar="N", help="most joins of a take (8)")
    return exit_status(_run, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
