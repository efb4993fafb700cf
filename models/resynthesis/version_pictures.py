"""Draw what everybody makes of a take, and where everybody stands: waveforms against the target's lines, and a map."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from beatnet_align.pictures import AFTER, BEFORE_MARK, GRID, WAVE, Window, envelope, telling_channels
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, seconds_to_samples
from models.resynthesis.comparison_table import Figures
from models.resynthesis.held_out import HeldOutTake

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 90
SHOWN_CHANNELS = 2
TARGET = "target"
"""What the row of the truth is called."""


def draw_versions(held: HeldOutTake, versions: Mapping[str, Take], window: Window) -> "Figure":
    """Waveforms of two telling channels, a row a version.

    Args:
        held: The take; its target's hits are marked in every row.
        versions: By name, in the order to draw.
        window: Which stretch.
    """
    channels = telling_channels(held.take)[:SHOWN_CHANNELS]
    figure = new_figure(13.0, 0.9 + 0.62 * len(versions))
    grid = figure.subplots(len(versions), len(channels), squeeze=False, sharex=True)
    edges = window.start_seconds, window.stop_seconds
    for line, (name, version) in zip(grid, versions.items(), strict=True):
        for axes, row in zip(line, channels, strict=True):
            start, stop = (seconds_to_samples(at, version.sample_rate) for at in edges)
            wanted = held.target.read(start, stop)[row]
            level = 1.1 * max(1e-6, float(np.max(np.abs(wanted))))
            _draw_wave(axes, version.read(start, stop)[row].astype(np.float64), window, level, name)
            own = held.take.channels[row].name
            for hit in held.hits:
                if hit.channel == own and window.start_seconds <= hit.target_seconds < window.stop_seconds:
                    axes.axvline(hit.target_seconds, color=BEFORE_MARK, linewidth=0.9, zorder=1)
        line[0].set_ylabel(name, rotation=0, horizontalalignment="right", verticalalignment="center", fontsize="small")
    for axes, row in zip(grid[0], channels, strict=True):
        axes.set_title(held.take.channels[row].name, loc="left", fontsize="medium")
    for axes in grid[-1]:
        axes.set_xlabel("time (s); lines: where the hits of this microphone belong")
    return figure


def draw_map(rows: Mapping[str, Figures]) -> "Figure":
    """Where everybody stands: leading hits in time against distance of the sound, area by parameters."""
    figure = new_figure(9.0, 6.0)
    axes = figure.subplots()
    for name, row in rows.items():
        parameters = row.get("parameters", np.nan)
        place = row["spectral_distance_db"], row["main_timing_within_2_ms"]
        if np.isfinite(parameters):
            axes.scatter(*place, s=12.0 + 0.02 * parameters**0.8, color=AFTER, alpha=0.6, linewidths=0)
        else:
            axes.scatter(*place, marker="D", s=36.0, color=BEFORE_MARK)
        axes.annotate(name, place, xytext=(7, 3), textcoords="offset points", fontsize="small")
    axes.set_xlabel("spectral distance to the target (dB), left is better")
    axes.set_ylabel("leading hits within 2 ms, up is better")
    axes.set_ylim(-0.02, 1.02)
    axes.grid(color=GRID, linewidth=0.5)
    axes.margins(x=0.15)
    axes.set_title("discs: candidates, area by parameters    diamonds: what they are compared with", fontsize="small")
    return figure


def new_figure(width_inches: float, height_inches: float) -> "Figure":
    """A figure that no window shows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width_inches, height_inches), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_wave(axes: "Axes", signal: FloatArray, window: Window, level: float, name: str) -> None:
    at, lows, highs = envelope(signal, window)
    axes.fill_between(at, lows, highs, color=AFTER if name == TARGET else WAVE, linewidth=0.5, zorder=2)
    axes.set_xlim(window.start_seconds, window.stop_seconds)
    axes.set_ylim(-level, level)
    axes.set_yticks([])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
