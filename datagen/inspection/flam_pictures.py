"""Draw flams as spectrograms side by side: as played, spliced, separated, and as they should be.

The hits' colours are those of Okabe and Ito, which stay apart for every kind of colour vision; shapes tell the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beatnet_align.reference_hits import ReferenceHit
from beatnet_align.units import seconds_to_ms
from datagen.inspection.flam_versions import Version, Versions
from datagen.inspection.flams import Flam
from datagen.inspection.spectrograms import draw_levels, far_channel, new_figure, save_picture, spectrogram_db

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEFORE_SECONDS, AFTER_SECONDS = 0.06, 0.24
OVERVIEW_BEFORE_SECONDS, OVERVIEW_AFTER_SECONDS = 0.03, 0.10

HIT_STYLES = (("#56b4e9", "v", "--"), ("#009e73", "D", "-."))
"""Colour, shape and dashes of the first and the second hit."""

OTHER_HIT = "#5b6b7a"
OVERVIEW_DOTS_PER_INCH = (100, 85, 70, 55, 40)
MOST_OVERVIEW_BYTES = 300_000


def draw_flam(flam: Flam, hits: Sequence[ReferenceHit], versions: Versions, path: Path) -> None:
    """Draw a flam on its close microphones and a far one.

    Args:
        flam: Which.
        hits: All of the session, to mark those nearby.
        versions: Where it is heard.
        path: Where to write the PNG.

    Raises:
        OutputError: The picture cannot be written.
    """
    far = far_channel(versions[Version.TAKE], flam.channels)
    channels = flam.channels if far is None else (*flam.channels, far)
    save_picture(_figure([_Shown(flam, channels, BEFORE_SECONDS, AFTER_SECONDS)], hits, versions), path)


def draw_overview(flams: Sequence[Flam], hits: Sequence[ReferenceHit], versions: Versions, path: Path) -> None:
    """Draw a few flams, each on the close microphone of the hit that a cut leaves off its place.

    The file is at most :data:`MOST_OVERVIEW_BYTES` long.

    Raises:
        OutputError: The picture cannot be written.
    """
    shown = []
    for flam in flams:
        left_off = flam.first if flam.second.main else flam.second
        shown.append(_Shown(flam, (left_off.channel,), OVERVIEW_BEFORE_SECONDS, OVERVIEW_AFTER_SECONDS))
    figure = _figure(shown, hits, versions)
    for dots_per_inch in OVERVIEW_DOTS_PER_INCH:
        save_picture(figure, path, dots_per_inch, small=True)
        if path.stat().st_size <= MOST_OVERVIEW_BYTES:
            return


@dataclass(frozen=True)
class _Shown:
    """What is shown of a flam: on which channels, and how long before and after."""

    flam: Flam
    channels: tuple[str, ...]
    before_seconds: float
    after_seconds: float


def _figure(shown: Sequence[_Shown], hits: Sequence[ReferenceHit], versions: Versions) -> "Figure":
    """Flams under each other: a row for each of their channels, a column for each version."""
    counts = [len(one.channels) for one in shown]
    figure = new_figure(13.0, 0.4 + 0.5 * len(shown) + 2.4 * sum(counts))
    parts = figure.subfigures(len(shown), 1, squeeze=False, height_ratios=counts)[:, 0]
    for part, one in zip(parts, shown, strict=True):
        part.suptitle(one.flam.title, fontweight="bold")
        grid = part.subplots(len(one.channels), len(versions), sharey=True, squeeze=False)
        for line, channel in zip(grid, one.channels, strict=True):
            _draw_row(line, one, channel, hits, versions)
        for axes, version in zip(grid[0], versions, strict=True):
            axes.set_title(version.caption, pad=18.0)
    for axes in parts[-1].axes[-len(versions) :]:
        axes.set_xlabel("after the line (ms)")
    _legend(figure)
    return figure


def _draw_row(
    line: Sequence["Axes"], shown: _Shown, channel: str, hits: Sequence[ReferenceHit], versions: Versions
) -> None:
    """All versions of one channel, in colours that mean the same levels."""
    window = shown.flam.window_seconds(shown.before_seconds, shown.after_seconds)
    row = [one.name for one in versions[Version.TAKE].channels].index(channel)
    spectrograms = [spectrogram_db(take, row, *window) for take in versions.values()]
    loudest_db = max(float(np.max(levels_db)) for _, _, levels_db in spectrograms)
    for axes, version, spectrogram in zip(line, versions, spectrograms, strict=True):
        draw_levels(axes, spectrogram, shown.flam.line_seconds, loudest_db)
        _mark(axes, shown.flam, hits, window, version)
    line[0].set_ylabel(f"{channel}\nfrequency (Hz)")


def _mark(
    axes: "Axes", flam: Flam, hits: Sequence[ReferenceHit], window: tuple[float, float], version: Version
) -> None:
    """Mark where the hits should sound in a version; hollow, where they were played."""

    def to_ms(seconds: float) -> float:
        return seconds_to_ms(seconds - flam.line_seconds)

    start, stop = window
    above = axes.get_xaxis_transform()
    for hit, height, (colour, shape, dashes) in zip(flam.hits, (1.09, 1.04), HIT_STYLES, strict=True):
        played, wanted = to_ms(hit.performed_seconds), to_ms(hit.target_seconds)
        if version is not Version.TAKE:
            axes.plot(
                played,
                height,
                shape,
                color=colour,
                markerfacecolor="white",
                markersize=5,
                transform=above,
                clip_on=False,
            )
            axes.axvline(played, color=colour, linestyle=":", linewidth=0.8)
        at = played if version is Version.TAKE else wanted
        axes.plot(at, height, shape, color=colour, markersize=5, transform=above, clip_on=False)
        axes.axvline(at, color=colour, linestyle=dashes, linewidth=0.9)
    for hit in hits:
        at_seconds = hit.performed_seconds if version is Version.TAKE else hit.target_seconds
        if hit not in flam.hits and start < at_seconds < stop:
            axes.plot(to_ms(at_seconds), 1.04, "|", color=OTHER_HIT, markersize=6, transform=above, clip_on=False)
    axes.set_xlim(to_ms(start), to_ms(stop))


def _legend(figure: "Figure") -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    marks = [
        Line2D([], [], linestyle="", marker=shape, color=colour, label=f"{which} hit")
        for which, (colour, shape, _) in zip(("first", "second"), HIT_STYLES, strict=True)
    ]
    hollow = Line2D([], [], linestyle="", marker="o", color=OTHER_HIT, markerfacecolor="white", label="where played")
    other = Line2D([], [], linestyle="", marker="|", color=OTHER_HIT, label="other hits")
    figure.legend(handles=[*marks, hollow, other], loc="outside lower center", ncols=4, frameon=False)
