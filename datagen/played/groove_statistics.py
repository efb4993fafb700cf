"""How human the generated timing is: real grooves beside the ``HUMAN`` preset, as a table and a picture.

    python -m datagen.played.groove_statistics --grooves DIR [-o FILE.png]

Windows of real performances are picked and played twice: as the drummer did, and put on the grid with generated timing.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray, seconds_to_ms
from datagen.commands import exit_status
from datagen.played.grooves import load_grooves
from datagen.played.human import CYMBALS, HIHATS
from datagen.played.performance import AS_PLAYED, HUMAN, Performance, Stroke, perform
from datagen.played.score import Score

LAGS = 16
GROUPS = {
    "kick": frozenset({Piece.KICK}),
    "snare": frozenset({Piece.SNARE, Piece.SIDESTICK}),
    "hi-hat": HIHATS,
    "toms": frozenset({Piece.TOM_HIGH, Piece.TOM_MID, Piece.TOM_FLOOR}),
    "cymbals": CYMBALS,
}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_REAL_COLOUR, _MADE_COLOUR = "#1f4e79", "#d9822b"


@dataclass(frozen=True)
class TimingStatistics:
    """What a collection of performances has in common; ornaments are not counted.

    Attributes:
        deviations_seconds: For each of :data:`GROUPS`, [hits].
        within_sd_seconds: For each group, median over performances of the standard deviation within one.
        autocorrelation: [lags] of deviations, lag 1 to 16 hits, mean over performances.
        flam_seconds: [pairs] difference of two groups' deviations on a line they share, in the order of :data:`GROUPS`.
        bpm: [performances] tempo at the first beat.
        velocities: [hits].
    """

    deviations_seconds: dict[str, FloatArray]
    within_sd_seconds: dict[str, float]
    autocorrelation: FloatArray
    flam_seconds: FloatArray
    bpm: FloatArray
    velocities: FloatArray

    @property
    def all_deviations_seconds(self) -> FloatArray:
        """[hits] of all groups."""
        return np.concatenate(list(self.deviations_seconds.values()))


def timing_statistics(performances: Sequence[Performance]) -> TimingStatistics:
    """Measure performances.

    The autocorrelation is that of each performance's deviations in order of time, hit by hit, over its own mean and
    variance; performances of fewer than 32 hits are left out of it.
    """
    deviations: dict[str, list[FloatArray]] = {name: [] for name in GROUPS}
    correlations, flams = [np.zeros((0, LAGS))], [np.zeros(0)]
    for performance in performances:
        hits = [stroke for stroke in performance.strokes if not stroke.ornament]
        for name, pieces in GROUPS.items():
            own = [stroke.performed_seconds - stroke.target_seconds for stroke in hits if stroke.piece in pieces]
            deviations[name].append(np.array(own, np.float64))
        in_order = sorted(hits, key=lambda stroke: (stroke.target_seconds, stroke.piece))
        series = np.array([stroke.performed_seconds - stroke.target_seconds for stroke in in_order])
        if len(series) >= 2 * LAGS and series.std() > 1e-9:
            correlations.append(_autocorrelation(series)[None])
        flams.append(_flams(hits))
    return TimingStatistics(
        deviations_seconds={name: np.concatenate([np.zeros(0), *parts]) for name, parts in deviations.items()},
        within_sd_seconds={
            name: float(np.median([part.std() for part in parts if len(part) > 3] or [np.nan]))
            for name, parts in deviations.items()
        },
        autocorrelation=np.mean(np.concatenate(correlations), axis=0) if len(correlations) > 1 else np.zeros(LAGS),
        flam_seconds=np.concatenate(flams),
        bpm=np.array([performance.tempo_map.bpm_at(0.0) for performance in performances]),
        velocities=np.array([stroke.velocity for one in performances for stroke in one.strokes], np.float64),
    )


def _autocorrelation(series: FloatArray) -> FloatArray:
    centred = series - series.mean()
    power = float(np.mean(centred**2))
    return np.array([float(np.mean(centred[lag:] * centred[:-lag])) / power for lag in range(1, LAGS + 1)])


def _flams(hits: Sequence[Stroke]) -> FloatArray:
    lines: dict[int, dict[str, float]] = {}
    for stroke in hits:
        group = next((name for name, pieces in GROUPS.items() if stroke.piece in pieces), None)
        if group is not None:
            lines.setdefault(stroke.line, {}).setdefault(group, stroke.performed_seconds - stroke.target_seconds)
    apart = [
        struck[first] - struck[second]
        for struck in lines.values()
        for i, first in enumerate(GROUPS)
        for second in tuple(GROUPS)[i + 1 :]
        if first in struck and second in struck
    ]
    return np.array(apart, np.float64)


def real_and_generated(scores: Sequence[Score], seed: int) -> tuple[TimingStatistics, TimingStatistics]:
    """The same scores as their drummers played them, and as :data:`~datagen.played.performance.HUMAN` would."""
    rng = np.random.default_rng(seed)
    imitation = replace(HUMAN, real_probability=0.0, swing_probability=0.0)
    real = [perform(score, AS_PLAYED, rng) for score in scores]
    made = [perform(score, imitation, rng) for score in scores]
    return timing_statistics(real), timing_statistics(made)


def comparison_table(real: TimingStatistics, made: TimingStatistics) -> str:
    """The two side by side, in milliseconds."""
    lines = [f"{'':24}{'real':>10}{'generated':>12}"]

    def row(name: str, values: Sequence[float], digits: int = 1) -> None:
        lines.append(f"{name:24}{values[0]:10.{digits}f}{values[1]:12.{digits}f}")

    both = (real, made)
    for name in GROUPS:
        parts = [one.deviations_seconds[name] for one in both]
        if all(len(part) for part in parts):
            row(f"{name}: mean ms", [seconds_to_ms(float(part.mean())) for part in parts])
            row("  sd ms", [seconds_to_ms(float(part.std())) for part in parts])
            row("  sd in a take ms", [seconds_to_ms(one.within_sd_seconds[name]) for one in both])
    for share in QUANTILES:
        row(f"all hits: {share:.0%} ms", [float(np.quantile(one.all_deviations_seconds, share)) * 1e3 for one in both])
    for lag in (1, 2, 3, 4, 8, 16):
        row(f"autocorrelation lag {lag}", [float(one.autocorrelation[lag - 1]) for one in both], 2)
    if all(len(one.flam_seconds) for one in both):
        row("flam spread: sd ms", [seconds_to_ms(float(one.flam_seconds.std())) for one in both])
        for share in (0.5, 0.9):
            apart = [seconds_to_ms(float(np.quantile(np.abs(one.flam_seconds), share))) for one in both]
            row(f"  {share:.0%} of pairs within ms", apart)
    row("tempo median BPM", [float(np.median(one.bpm)) for one in both])
    row("velocity mean", [float(one.velocities.mean()) for one in both], 2)
    row("velocity sd", [float(one.velocities.std()) for one in both], 2)
    return "\n".join(lines)


def draw_comparison(real: TimingStatistics, made: TimingStatistics, path: Path) -> None:
    """Draw deviations per group, autocorrelation, flam spread, tempo and velocity into a picture file."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and only pictures need it

    figure = Figure(figsize=(13, 9), layout="constrained")
    axes = figure.subplots(3, 3).ravel()
    both = ((real, "real", _REAL_COLOUR), (made, "generated", _MADE_COLOUR))

    def outline(axis: int, title: str, unit: str, parts: Sequence[FloatArray], bins: FloatArray) -> None:
        for values, (_, label, colour) in zip(parts, both, strict=True):
            axes[axis].hist(values, bins, density=True, histtype="step", color=colour, label=label, linewidth=1.5)
        axes[axis].set_title(title)
        axes[axis].set_xlabel(unit)
        axes[axis].set_yticks([])

    bins = np.linspace(-90.0, 90.0, 61)
    for axis, name in enumerate(GROUPS):
        outline(axis, name, "deviation, ms", [one.deviations_seconds[name] * 1e3 for one, _, _ in both], bins)
    outline(5, "flams between limbs", "apart, ms", [one.flam_seconds * 1e3 for one, _, _ in both], bins)
    for one, label, colour in both:
        axes[6].plot(np.arange(1, LAGS + 1), one.autocorrelation, "o-", color=colour, label=label, markersize=3)
    axes[6].set(title="autocorrelation of deviations", xlabel="lag, hits", ylim=(-0.2, 0.6))
    axes[6].axhline(0.0, color="0.7", linewidth=0.8)
    outline(7, "tempo", "BPM", [one.bpm for one, _, _ in both], np.linspace(40.0, 240.0, 41))
    outline(8, "velocity", "of full", [one.velocities for one, _, _ in both], np.linspace(0.0, 1.0, 33))
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and draw the picture where a file for it is named; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grooves", type=Path, required=True, metavar="DIR", help="the Groove MIDI Dataset")
    parser.add_argument("--split", default=None, help="one split of the dataset (default: all)")
    parser.add_argument("--takes", type=int, default=400, help="how many windows to pick (default: %(default)s)")
    parser.add_argument("--bars", type=int, default=16, help="length of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.png", help="draw the comparison too")
    return exit_status(_run, parser.parse_args(arguments))


def _run(options: argparse.Namespace) -> None:
    grooves = load_grooves(options.grooves, options.split)
    rng = np.random.default_rng(options.seed)
    scores = [grooves.pick(rng, options.bars) for _ in range(max(options.takes, 1))]
    real, made = real_and_generated(scores, options.seed)
    print(comparison_table(real, made))
    print(f"{len(scores)} takes; {len(grooves.rejected)} performances left out because they lock to no grid")
    if options.output is not None:
        draw_comparison(real, made, options.output)
        print(f"drew {options.output}")


if __name__ == "__main__":
    sys.exit(main())
