"""Measure every way to join two shifts against the true continuation, on kits that nothing was trained on.

python -m models.join_figures CONFIG [--data DATA] [--split test] [--examples 60] [--joins 8]

Multi-resolution STFT distance (spectral convergence and log magnitude, auraloss) over the transition, in channels that
hear something, down to 60 dB under its loudest bin; and how well phase between microphones agrees with the target's, 1
where it does everywhere. Apart for gaps and overlaps, short and long, and for what rings.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from auraloss.freq import MultiResolutionSTFTLoss
from tqdm import tqdm

from beatnet_align.errors import InputError
from beatnet_align.units import seconds_to_samples
from datagen.commands import exit_status
from datagen.config import Split, read_config
from datagen.example import ExampleMaker
from datagen.joins import Float32Array, Join, draw_joins
from models.join_opponents import OPPONENTS, Repair

FFT_SIZES = (1024, 512, 256)
AROUND_SECONDS = 0.010
"""Beyond the transition on either side, so that a click at its edge counts."""
FLOOR_DB = -60.0
AUDIBLE = 10.0 ** (-50.0 / 20.0)
"""Channels quieter than this against the loudest are left out."""

Kind = Callable[[Join], bool]
KINDS: dict[str, Kind] = {
    "gap 2-10 ms": lambda join: 0 < join.gap_samples <= 0.010 * join.sample_rate,
    "gap 10-30": lambda join: 0.010 * join.sample_rate < join.gap_samples <= 0.030 * join.sample_rate,
    "gap 30-80": lambda join: join.gap_samples > 0.030 * join.sample_rate,
    "overlap 2-80": lambda join: join.gap_samples < 0,
    "gaps, cymbals": lambda join: join.gap_samples > 0 and join.rings_of_cymbals,
    "gaps, drums": lambda join: join.gap_samples > 0 and not join.rings_of_cymbals,
    "all": lambda join: True,
}


class Judge:
    """Compares an output with the target over a join's transition."""

    def __init__(self) -> None:
        sizes = list(FFT_SIZES)
        hops, floor = [size // 4 for size in sizes], 10.0 ** (FLOOR_DB / 10.0)
        self._distance = MultiResolutionSTFTLoss(sizes, hops, sizes, eps=floor)

    def distance(self, join: Join, out: Float32Array) -> float:
        """Multi-resolution STFT distance, mean of audible channels."""
        heard, wanted = (torch.from_numpy(audio) for audio in _around(join, out))
        loudest = _stft(wanted).abs().amax(dim=(1, 2)).unsqueeze(-1)
        return float(self._distance((heard / loudest)[None], (wanted / loudest)[None]))


def phase_agreement(join: Join, out: Float32Array) -> float:
    """Mean cosine between the phases that microphones have to each other in output and target; NaN for one channel."""
    heard, wanted = (_stft(torch.from_numpy(audio)) for audio in _around(join, out))
    if len(heard) < 2:
        return np.nan
    first, second = torch.triu_indices(len(heard), len(heard), 1)
    crossed = [spectra[first] * spectra[second].conj() for spectra in (heard, wanted)]
    product = crossed[0] * crossed[1].conj()
    weight = product.abs().sqrt()
    return float((weight * torch.cos(torch.angle(product))).sum() / weight.sum().clamp(min=1e-20))


def _stft(audio: torch.Tensor) -> torch.Tensor:
    size = FFT_SIZES[1]
    return torch.stft(audio, size, size // 4, window=torch.hann_window(size), return_complex=True)


def _around(join: Join, out: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Output and target of the audible channels, from before the transition to behind the attack's first moment."""
    margin = seconds_to_samples(AROUND_SECONDS, join.sample_rate)
    start = max(0, max(join.first, join.stop - abs(join.gap_samples) - margin) - FFT_SIZES[0] // 2)
    stop = min(out.shape[1], join.stop + margin)
    levels = np.sqrt(np.mean(join.target[:, start:stop] ** 2, axis=1))
    audible = levels > AUDIBLE * levels.max()
    return out[audible, start:stop], join.target[audible, start:stop]


def measured(joins: Sequence[Join], repairs: Mapping[str, Repair]) -> dict[str, np.ndarray]:
    """Distance and phase agreement of each join by each repair: [joins, 2] under its name."""
    judge = Judge()
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in repairs}
    for join in tqdm(joins, desc="joins", leave=False, disable=None):
        for name, repair in repairs.items():
            out = repair(join)
            rows[name].append((judge.distance(join, out), phase_agreement(join, out)))
    return {name: np.array(row) for name, row in rows.items()}


def print_table(joins: Sequence[Join], figures: Mapping[str, np.ndarray]) -> None:
    """Print means by kind of join."""
    chosen = {kind: np.array([holds(join) for join in joins], bool) for kind, holds in KINDS.items()}
    print(f"\ndistance to the true continuation, {len(joins)} joins; phase between microphones over all\n")
    print(f"{'':28}" + "".join(f"{kind:>15}" for kind in KINDS) + f"{'phase':>8}")
    print(f"{'joins':28}" + "".join(f"{where.sum():15d}" for where in chosen.values()))
    for name, row in figures.items():
        means = [row[where, 0].mean() if where.any() else np.nan for where in chosen.values()]
        print(f"{name:28}" + "".join(f"{mean:15.3f}" for mean in means) + f"{_mean(row[:, 1]):8.3f}")


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
    print_table(joins, measured(joins, OPPONENTS))


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
