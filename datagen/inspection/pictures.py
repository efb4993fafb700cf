"""Draw examples of a dataset and histograms of all of it.

Colours are those of Okabe and Ito, which stay apart for every kind of colour vision; shapes and dashes tell the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beatnet_align.errors import OutputError
from beatnet_align.units import FloatArray, seconds_to_samples
from datagen.inspection.examples import OTHER_GROUP, DatasetExample, ExampleHit
from datagen.inspection.statistics import HitLevels, flam_spreads_seconds, ornament_spacings_seconds
from datagen.played.groove_statistics import GROUPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000")
_SHAPES = ("s", "v", "o", "D", "^", "x")
_DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
STYLES = dict(zip((*GROUPS, OTHER_GROUP), zip(_COLOURS, _SHAPES, _DASHES, strict=True), strict=True))
"""Colour, shape and dashes of each group of pieces."""

_WAVE, _LINE, _BEAT, _BAR = "#8a97a3", "#e3e6e9", "#b9c0c7", "#3c4650"
BARS_SHOWN = 2
COLUMNS = 2_400
FEWEST_VALUES = 10
"""A histogram of fewer is noise."""

DOTS_PER_INCH = 110


def draw_example(example: DatasetExample, path: Path) -> None:
    """Draw about two bars of an example: the take, the target below it where there is one, hits and lines over all.

    Raises:
        InputError: The example's audio cannot be read.
        OutputError: The picture cannot be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and only pictures need it

    start, stop = busiest_bars_seconds(example)
    versions = example.versions
    inches = len(versions) * (1.5 + 0.45 * len(example.channels))
    figure = Figure(figsize=(14.0, inches), layout="constrained")
    rows = figure.subplots(len(versions), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, audio_path) in zip(rows, versions.items(), strict=True):
        times = [hit.performed_seconds if name == "take" else hit.target_seconds for hit in example.hits]
        _draw_version(axes, example, example.read(audio_path), np.array(times), (start, stop))
        axes.set_title(f"{name}: {'as performed' if name == 'take' else 'every hit where it belongs'}", loc="left")
    rows[-1].set_xlabel("time (s); dark lines: bars, light lines: grid; hollow marks: ornaments")
    _legend(figure, rows[0], {hit.group for hit in example.hits})
    swing = f", swing {example.grid.swing:.0%}" if example.grid.swing > 0.5 else ""
    figure.suptitle(
        f"{example.name}: {example.kit}, {example.tempo_map.bpm_at(0.0):.1f} BPM, {example.grid.name}{swing}",
        fontweight="bold",
    )
    _save(figure, path)


def busiest_bars_seconds(example: DatasetExample) -> tuple[float, float]:
    """Start and stop of the two bars in which most is played."""
    tempo_map = example.tempo_map
    beats = tempo_map.to_beats(np.array([hit.target_seconds for hit in example.hits], np.float64))
    bars = tempo_map.bar_of(beats)
    counts = {int(bar): int(np.sum((bars >= bar) & (bars < bar + BARS_SHOWN))) for bar in np.unique(bars)}
    first = max(counts, key=lambda bar: (counts[bar], -bar), default=1)
    edges = [tempo_map.to_seconds(tempo_map.bar_start_beats(bar)) for bar in (first, first + BARS_SHOWN)]
    margin = 0.02 * (edges[1] - edges[0])
    start, stop = max(0.0, edges[0] - margin), min(example.seconds, edges[1] + margin)
    return (start, stop) if start < stop else (0.0, example.seconds)


def _draw_version(
    axes: "Axes",
    example: DatasetExample,
    audio: "NDArray[np.float32]",
    times: FloatArray,
    window: tuple[float, float],
) -> None:
    start, stop = window
    rows = len(example.channels)
    _draw_grid(axes, example, window, rows)
    first, last = (seconds_to_samples(s, example.sample_rate) for s in window)
    edges = np.unique(np.linspace(first, last, min(COLUMNS, last - first), endpoint=False).astype(np.int64))
    for row in range(rows):
        signal = audio[row, :last].astype(np.float64)
        level, scale = rows - 1 - row, 0.45 / max(1e-6, float(np.max(np.abs(signal[first:]), initial=0.0)))
        lows, highs = np.minimum.reduceat(signal, edges), np.maximum.reduceat(signal, edges)
        seconds = edges / example.sample_rate
        axes.fill_between(seconds, level + scale * lows, level + scale * highs, color=_WAVE, linewidth=0.5, zorder=2)
    names = [channel.name for channel in example.channels]
    for hit, at in zip(example.hits, times, strict=True):
        if start <= at <= stop:
            level = rows - 1 - names.index(hit.close) if hit.close in names else rows - 1
            _mark(axes, hit, float(at), level)
    axes.set_yticks(range(rows - 1, -1, -1), names)
    axes.set_ylim(-0.6, rows - 0.3)
    axes.set_xlim(start, stop)
    axes.tick_params(axis="y", length=0)
    _tidy(axes)


def _mark(axes: "Axes", hit: ExampleHit, at: float, level: float) -> None:
    colour, shape, _ = STYLES[hit.group]
    hollow = hit.ornament and shape != "x"
    axes.vlines(at, level - 0.46, level + 0.46, color=colour, linewidth=1.2, zorder=3)
    fill = "white" if hollow else colour
    axes.plot(at, level + 0.5, shape, color=colour, markerfacecolor=fill, markersize=6, zorder=4, clip_on=False)


def _draw_grid(axes: "Axes", example: DatasetExample, window: tuple[float, float], rows: int) -> None:
    first, last = (example.tempo_map.to_beats(seconds) for seconds in window)
    lines = example.grid.lines_beats(first, last)
    beats = np.arange(np.ceil(first), last)
    bars = beats[example.tempo_map.beat_in_bar(beats) < 1e-6]
    for places, colour, width in ((lines, _LINE, 1.0), (beats, _BEAT, 1.0), (bars, _BAR, 1.3)):
        seconds = example.tempo_map.to_seconds(places.astype(np.float64))
        axes.vlines(seconds, -0.6, rows - 0.4, color=colour, linewidth=width, zorder=1)


def draw_statistics(examples: Sequence[DatasetExample], levels: HitLevels, path: Path) -> None:
    """Draw histograms of a whole dataset: deviations, velocities, levels, pieces, bleed, channels, tempo, swing, flams.

    Raises:
        OutputError: The picture cannot be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and only pictures need it

    figure = Figure(figsize=(16.0, 11.5), layout="constrained")
    axes = figure.subplots(3, 3).ravel()
    hits = [hit for example in examples for hit in example.hits]
    steady = [hit for hit in hits if not hit.ornament]
    _outlines(axes[0], _by_group(steady, [1e3 * hit.deviation_seconds for hit in steady]), "deviation (ms), + is late")
    _outlines(axes[1], _by_group(hits, [hit.velocity for hit in hits]), "velocity (0 to 1)")
    _outlines(axes[2], levels.own_dbfs, "level of hits alone, own channel (dBFS)")
    pieces = Counter(hit.piece.value for hit in hits).most_common()[::-1]
    axes[3].barh([name for name, _ in pieces], [count for _, count in pieces], color=_COLOURS[0])
    axes[3].set_xlabel("hits")
    kinds = dict(zip(levels.bleed_db, STYLES, strict=False))
    _outlines(axes[4], levels.bleed_db, "level against own channel (dB)", kinds)
    counts = Counter(len(example.channels) for example in examples)
    axes[5].bar(list(counts), list(counts.values()), color=_COLOURS[0])
    axes[5].set(xlabel="channels", ylabel="examples")
    axes[5].xaxis.get_major_locator().set_params(integer=True)
    axes[6].hist([example.tempo_map.bpm_at(0.0) for example in examples], 30, color=_COLOURS[0])
    axes[6].set(xlabel="tempo at the first beat (BPM)", ylabel="examples")
    axes[7].hist(
        [100.0 * example.grid.swing for example in examples], list(range(49, 77)), align="left", color=_COLOURS[0]
    )
    axes[7].set(xlabel="swing (%), 50 is straight", ylabel="examples")
    spans = {
        "ornaments: after their main stroke": 1e3 * ornament_spacings_seconds(examples),
        "flams: first to last piece of a line": 1e3 * flam_spreads_seconds(examples),
    }
    _outlines(axes[8], spans, "apart (ms)", dict(zip(spans, STYLES, strict=False)))
    titles = ("Deviation", "Velocity", "Level", "Pieces", "Bleed", "Channels", "Tempo", "Swing", "Ornaments and flams")
    for one, title in zip(axes, titles, strict=True):
        one.set_title(title, loc="left", fontweight="bold")
        _tidy(one)
    _save(figure, path)


def _by_group(hits: Sequence[ExampleHit], values: Sequence[float]) -> dict[str, FloatArray]:
    groups = np.array([hit.group for hit in hits])
    return {name: np.array(values)[groups == name] for name in STYLES if np.any(groups == name)}


def _outlines(
    axes: "Axes", parts: Mapping[str, FloatArray], label: str, styles: Mapping[str, str] | None = None
) -> None:
    """Outlined histograms over common bins, each as a share of its own values."""
    axes.set_xlabel(label)
    axes.set_ylabel("share of values (%)")
    shown = {name: values for name, values in parts.items() if len(values) >= FEWEST_VALUES}
    few = [f"{name} ({len(values)})" for name, values in parts.items() if 0 < len(values) < FEWEST_VALUES]
    if few:
        axes.set_title("too few to draw: " + ", ".join(few), loc="right", fontsize="x-small")
    if not shown:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", color=_WAVE)
        return
    everything = np.concatenate(list(shown.values()))
    low, high = np.quantile(everything, (0.002, 0.998))
    bins = np.linspace(low - 1e-6, high + 1e-6, 41).tolist()
    for name, values in shown.items():
        colour, _, dashes = STYLES[styles[name] if styles else name]
        shares = np.full(len(values), 100.0 / len(values))
        inside = np.clip(values, bins[0], bins[-1])
        text = f"{name} ({len(values)})"
        axes.hist(
            inside, bins, weights=shares, histtype="step", color=colour, linestyle=dashes, linewidth=1.6, label=text
        )
    axes.legend(frameon=False, fontsize="small")


def _legend(figure: "Figure", axes: "Axes", groups: set[str]) -> None:
    for name, (colour, shape, _) in STYLES.items():
        if name in groups:
            axes.plot([], [], shape, color=colour, label=name)
    if groups:
        figure.legend(loc="outside upper right", ncols=len(STYLES), frameon=False)


def _tidy(axes: "Axes") -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _save(figure: "Figure", path: Path) -> None:
    try:
        figure.savefig(path, dpi=DOTS_PER_INCH)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(f"cannot write the picture {path}: {error.strerror}; choose another place with -o") from error
