"""Draw what an alignment did: waveforms before and after under the grid, and every hit's distance from its line.

Colours are those of Okabe and Ito, which stay apart for every kind of colour vision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.roles import Role
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, seconds_to_ms, seconds_to_samples
from beatnet_align.whole_files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WAVE, GRID, BEFORE, AFTER = "#5b6b7a", "#c3c9cf", "#8c8c8c", "#0072b2"
BEFORE_MARK, AFTER_MARK = "#d55e00", "#0072b2"
SIZE_INCHES, DOTS_PER_INCH = (12.0, 9.0), 130
COLUMNS = 2_400
"""Minima and maxima drawn across the width of a waveform: twice what the picture can show."""
SHOWN_ROLES = (Role.KICK, Role.SNARE, Role.OVERHEAD)
DEFAULT_SPAN_SECONDS = 4.0
MIN_DEVIATION_RANGE_MS = 10.0


@dataclass(frozen=True)
class HitMarks:
    """Where the hits of a take are.

    Attributes:
        onsets_seconds: [hits].
        deviations_seconds: [hits], from each hit's grid line, positive is late; NaN where a hit has no line.
        channels: [hits], index of each hit's own channel.
    """

    onsets_seconds: FloatArray
    deviations_seconds: FloatArray
    channels: Sequence[int]

    def __post_init__(self) -> None:
        counts = len(self.onsets_seconds), len(self.deviations_seconds), len(self.channels)
        if len(set(counts)) > 1:
            raise InputError(f"counts of onsets, deviations and channels are {counts}; give one of each for every hit")


@dataclass(frozen=True)
class Window:
    """What part of the take the waveforms show.

    Attributes:
        start_seconds: Where it begins.
        stop_seconds: Where it ends.
        channels: Rows of the take; a kick, a snare and an overhead when absent.
    """

    start_seconds: float
    stop_seconds: float
    channels: tuple[int, ...] | None = None


def before_after(
    path: Path,
    take: Take,
    output: Take,
    lines_seconds: FloatArray,
    before: HitMarks,
    after: HitMarks,
    *,
    window: Window | None = None,
) -> None:
    """Draw a PNG: waveforms before, waveforms after, deviations of all hits from their lines.

    Args:
        path: Where to write it.
        take: As recorded.
        output: As aligned; same channels and rate.
        lines_seconds: Grid lines, ascending.
        before: Hits as recorded.
        after: Hits as aligned.
        window: What to show of the waveforms; four seconds from just before the first line when absent.

    Raises:
        InputError: The takes do not belong together, or the window is empty or names a channel that is not there.
        OutputError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  slow to import, seldom needed
    from matplotlib.figure import Figure  # noqa: PLC0415

    if take.sample_rate != output.sample_rate or take.channels != output.channels:
        raise InputError("the take and the output differ in sample rate or channels; draw two renders of one take")
    window = window or _opening(take, lines_seconds)
    channels = window.channels if window.channels is not None else telling_channels(take)
    if not window.start_seconds < window.stop_seconds:
        raise InputError(f"nothing lies between {window.start_seconds:g} s and {window.stop_seconds:g} s")
    if not channels or not set(channels) <= set(range(len(take.channels))):
        raise InputError(f"there are no channels {list(channels)}; the take has 0 to {len(take.channels) - 1}")
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    top, middle, bottom = figure.subplots(3, 1, height_ratios=(1.0, 1.0, 0.85))
    _draw_waveforms(top, take, window, channels, lines_seconds, (before, BEFORE_MARK))
    _draw_waveforms(middle, output, window, channels, lines_seconds, (after, AFTER_MARK))
    top.set_title("Before", loc="left", fontweight="bold")
    middle.set_title("After", loc="left", fontweight="bold")
    _draw_deviations(bottom, before, after, max(take.seconds, output.seconds), window)
    with written_whole(path) as partial:
        figure.savefig(partial, format="png")


def _opening(take: Take, lines_seconds: FloatArray) -> Window:
    first = float(lines_seconds[0]) if len(lines_seconds) else 0.0
    start = max(0.0, first - 0.05)
    return Window(start, max(start + 0.1, min(take.seconds, start + DEFAULT_SPAN_SECONDS)))


def telling_channels(take: Take) -> tuple[int, ...]:
    """The first channel of each role that tells most; the first three where roles are unknown."""
    roles = [channel.role for channel in take.channels]
    return tuple(roles.index(role) for role in SHOWN_ROLES if role in roles) or tuple(range(min(3, len(roles))))


def _draw_waveforms(
    axes: "Axes",
    take: Take,
    window: Window,
    channels: Sequence[int],
    lines_seconds: FloatArray,
    marked: tuple[HitMarks, str],
) -> None:
    """Channels under each other, each to its own peak; grid lines behind, a mark on each hit's own channel."""
    marks, colour = marked
    start, stop = (seconds_to_samples(s, take.sample_rate) for s in (window.start_seconds, window.stop_seconds))
    audio = take.read(start, stop)
    visible = (lines_seconds >= window.start_seconds) & (lines_seconds <= window.stop_seconds)
    axes.vlines(lines_seconds[visible], -0.5, len(channels) - 0.5, color=GRID, linewidth=0.9, zorder=1)
    owners = np.asarray(marks.channels)
    for place, channel in enumerate(channels):
        level = len(channels) - 1 - place
        times, lows, highs = envelope(audio[channel].astype(np.float64), window)
        scale = 0.44 / max(1e-6, float(np.max(np.abs(audio[channel]))))
        axes.fill_between(times, level + scale * lows, level + scale * highs, color=WAVE, linewidth=0.4, zorder=2)
        onsets = marks.onsets_seconds[owners == channel] if len(owners) else marks.onsets_seconds
        axes.vlines(onsets, level - 0.46, level + 0.46, color=colour, linewidth=1.1, zorder=1.5)
        axes.plot(onsets, np.full(len(onsets), level + 0.46), "v", color=colour, markersize=5, zorder=4)
    names = [take.channels[channel].name for channel in channels]
    axes.set_yticks(range(len(channels) - 1, -1, -1), names)
    axes.set_ylim(-0.55, len(channels) - 0.42)
    axes.set_xlim(window.start_seconds, window.stop_seconds)
    axes.set_xlabel("time (s)")
    axes.set_title("grey lines: grid    triangles: hits", loc="right", fontsize="small", color=colour)
    _tidy(axes)


def envelope(signal: FloatArray, window: Window) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Times, minima and maxima of short stretches of ``signal`` [samples]."""
    edges = np.unique(np.linspace(0, len(signal), min(COLUMNS, len(signal)), endpoint=False).astype(np.int64))
    span_seconds = window.stop_seconds - window.start_seconds
    times = window.start_seconds + edges / len(signal) * span_seconds
    return times, np.minimum.reduceat(signal, edges), np.maximum.reduceat(signal, edges)


def _draw_deviations(axes: "Axes", before: HitMarks, after: HitMarks, seconds: float, window: Window) -> None:
    """Deviation of each hit over the whole take; the stretch that the waveforms show is shaded."""
    axes.axvspan(window.start_seconds, window.stop_seconds, color=GRID, alpha=0.25, linewidth=0)
    axes.axhline(0.0, color="black", linewidth=0.8)
    largest = MIN_DEVIATION_RANGE_MS
    for marks, colour, name, shape, size in ((before, BEFORE, "before", "o", 5.0), (after, AFTER, "after", "D", 4.0)):
        deviations_ms = np.array([seconds_to_ms(deviation) for deviation in marks.deviations_seconds])
        known = np.isfinite(deviations_ms)
        label = name
        if known.any():
            label = f"{name}: half of the hits within {np.median(np.abs(deviations_ms[known])):.1f} ms of their line"
            largest = max(largest, float(np.max(np.abs(deviations_ms[known]))))
        axes.plot(marks.onsets_seconds, deviations_ms, shape, color=colour, markersize=size, alpha=0.85, label=label)
    axes.set_xlim(0.0, seconds)
    axes.set_ylim(-1.1 * largest, 1.1 * largest)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("deviation (ms)\nearly ←  → late")
    axes.set_title("Distance of every hit from its grid line", loc="left", fontweight="bold")
    axes.grid(axis="y", color=GRID, linewidth=0.5)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, fontsize="small", borderaxespad=0)
    _tidy(axes)


def _tidy(axes: "Axes") -> None:
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
