"""How every bar was played, read off a plan: the subdivision of its lines, its swing and its distance from them."""

from dataclasses import dataclass

import numpy as np

from beatnet_align.edit_plan import EditPlan, Flag
from beatnet_align.grid import Grid
from beatnet_align.groove import DIVISION_TICKS, TICKS_PER_BEAT
from beatnet_align.units import FloatArray, IntArray, samples_to_seconds

NOT_MEANT = frozenset({Flag.ORNAMENT, Flag.TWO_CLAIMS, Flag.CROWDED, Flag.LOW_CONFIDENCE})
"""Hits with one of these flags were not struck for the line they go to, or perhaps not struck at all."""

_8TH, _16TH = DIVISION_TICKS["1/8"], DIVISION_TICKS["1/16"]
_SUBDIVISIONS = sorted(
    [*DIVISION_TICKS, "1/8+1/8T", "1/16+1/8T", "1/32+1/8T", "1/32+1/16T"],
    key=lambda name: Grid(tuple(name.split("+"))).lines_beats(0.0, 2.0).size,
)
"""From coarse to fine; the last holds every line that a grid can have."""


@dataclass(frozen=True)
class BarFeel:
    """One bar.

    Attributes:
        bar: From 1.
        hits: How many were read.
        subdivision: The coarsest that holds all their lines, as a grid is named, such as "1/16" or "1/16+1/8T".
        swing_8ths, swing_16ths: Where the second of two 8ths or 16ths falls between its neighbours: 0.5 is straight,
            0.667 triplet swing. None where no such line was struck, or none that it could be measured against.
        drift_seconds: Median deviation from the lines of the hits that no swing delays; of all hits where there are no
            others. Positive is late.
    """

    bar: int
    hits: int
    subdivision: str
    swing_8ths: float | None
    swing_16ths: float | None
    drift_seconds: float


def bar_feel(plan: EditPlan) -> tuple[BarFeel, ...]:
    """Read the feel of every bar in which a hit was meant for a line.

    Swing is measured from the even grid, whatever the plan's own: a swung performance is told on a straight grid too.
    Each figure is a median over the bar, and what the bar as a whole lags counts as drift.
    """
    moves = [move for move in plan.moves if move.line_beats is not None and not NOT_MEANT.intersection(move.flags)]
    lines_beats = np.array([move.line_beats for move in moves], np.float64)
    nominals_beats = plan.grid.nominal_of_nearest(lines_beats)
    onsets = samples_to_seconds(np.array([move.onset_samples for move in moves], np.int64), plan.take.sample_rate)
    late_beats = plan.tempo_map.to_beats(onsets) - nominals_beats
    late_seconds = onsets - plan.tempo_map.to_seconds(lines_beats)
    ticks = np.rint(nominals_beats * TICKS_PER_BEAT).astype(np.int64)
    bars = plan.tempo_map.bar_of(nominals_beats)
    here = [(int(bar), bars == bar) for bar in np.unique(bars)]
    return tuple(_of_bar(bar, late_beats[of_bar], late_seconds[of_bar], ticks[of_bar]) for bar, of_bar in here)


def _of_bar(bar: int, late_beats: FloatArray, late_seconds: FloatArray, ticks: IntArray) -> BarFeel:
    unswung = (ticks % _8TH != _16TH) & (ticks % TICKS_PER_BEAT != _8TH)
    return BarFeel(
        bar,
        len(ticks),
        _subdivision(ticks),
        _swing(late_beats, ticks, _8TH),
        _swing(late_beats, ticks, _16TH),
        float(np.median(late_seconds[unswung] if unswung.any() else late_seconds)),
    )


def _subdivision(ticks: IntArray) -> str:
    """The first subdivision on which all ticks lie."""
    for name in _SUBDIVISIONS:
        on_lines = [ticks % DIVISION_TICKS[division] == 0 for division in name.split("+")]
        if np.any(on_lines, axis=0).all():
            break
    return name


def _swing(late_beats: FloatArray, ticks: IntArray, step_ticks: int) -> float | None:
    """By how much the off lines of a step are later than those between them, as a place inside the pair."""
    off, on = ticks % (2 * step_ticks) == step_ticks, ticks % (2 * step_ticks) == 0
    if not off.any() or not on.any():
        return None
    later_beats = float(np.median(late_beats[off]) - np.median(late_beats[on]))
    return 0.5 + later_beats * TICKS_PER_BEAT / (2 * step_ticks)
