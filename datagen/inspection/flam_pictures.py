"""Draw flams as spectrograms side by side: as played, spliced, separated, and as they should be.

The hits' colours are those of Okabe and Ito, which stay apart for every kind of colour vision; shapes tell the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from beatnet_align.errors import OutputError
from beatnet_align.reference_hits import ReferenceHit
from beatnet_align.roles import Role
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, seconds_to_ms, seconds_to_samples
from datagen.inspection.flam_versions import Version, Versions
from datagen.inspection.flams import Flam

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEFORE_SECONDS, AFTER_SECONDS = 0.06, 0.24
OVERVIEW_BEFORE_SECONDS, OVERVIEW_AFTER_SECONDS = 0.03, 0.10
WINDOW_SECONDS, HOP_SECONDS = 0.010, 0.0015
"""Attacks 10 ms apart stand apart; below 200 Hz, tones run together."""

LOWEST_HZ, HIGHEST_HZ = 60.0, 16_000.0
RANGE_DB, STEPS = 72.0, 24
"""Steps of 3 dB, which keep the files small."""

HIT_STYLES = (("#56b4e9", "v", "--"), ("#009e73", "D", "-."))
"""Colour, shape and dashes of the first and the second hit."""

OTHER_HIT = "#5b6b7a"
DOTS_PER_INCH = 110
OVERVIEW_DOTS_PER_INCH = (100, 85, 70, 55, 40)
MOST_OVERVIEW_BYTES = 300_000
FAR_ROLES = (Role.ROOM, Role.OVERHEAD, Role.OTHER)


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
    _save(_figure([_Shown(flam, channels, BEFORE_SECONDS, AFTER_SECONDS)], hits, versions), path, DOTS_PER_INCH)


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
        _save(figure, path, dots_per_inch, small=True)
        if path.stat().st_size <= MOST_OVERVIEW_BYTES:
            return


def far_channel(take: Take, close: Sequence[str]) -> str | None:
    """A microphone that hears the whole kit and is none of the ``close`` ones, the farthest first."""
    far = [channel for channel in take.channels if channel.role in FAR_ROLES and channel.name not in close]
    return min(far, key=lambda channel: FAR_ROLES.index(channel.role)).name if far else None


def spectrogram_db(
    take: Take, row: int, start_seconds: float, stop_seconds: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Spectrogram of one channel.

    Returns:
        Times in seconds [frames], frequencies in hertz [bins], and levels in dB, full scale 0 [bins, frames].
    """
    window, hop = (max(1, seconds_to_samples(s, take.sample_rate)) for s in (WINDOW_SECONDS, HOP_SECONDS))
    bins = 2 ** int(np.ceil(np.log2(2 * window)))
    transform = ShortTimeFFT(hann(window, sym=False), hop, take.sample_rate, mfft=bins, scale_to="magnitude")
    start, stop = (seconds_to_samples(s, take.sample_rate) for s in (start_seconds, stop_seconds))
    start = max(0, start - window)
    audio = take.read(start, min(stop + window, take.samples))[row].astype(np.float64)
    levels_db = 20.0 * np.log10(np.maximum(2.0 * np.abs(transform.stft(audio)), 1e-9))
    heard = (transform.f >= LOWEST_HZ / 2.0) & (transform.f <= 1.1 * HIGHEST_HZ)
    return start / take.sample_rate + transform.t(len(audio)), transform.f[heard], levels_db[heard]


@dataclass(frozen=True)
class _Shown:
    """What is shown of a flam: on which channels, and how long before and after."""

    flam: Flam
    channels: tuple[str, ...]
    before_seconds: float
    after_seconds: float


def _figure(shown: Sequence[_Shown], hits: Sequence[ReferenceHit], versions: Versions) -> "Figure":
    """Flams under each other: a row for each of their channels, a column for each version."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    counts = [len(one.channels) for one in shown]
    figure = Figure(figsize=(13.0, 0.4 + 0.5 * len(shown) + 2.4 * sum(counts)), layout="constrained")
    FigureCanvasAgg(figure)
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
        _draw_levels(axes, spectrogram, shown.flam.line_seconds, loudest_db)
        _mark(axes, shown.flam, hits, window, version)
    line[0].set_ylabel(f"{channel}\nfrequency (Hz)")


def _draw_levels(
    axes: "Axes", spectrogram: tuple[FloatArray, FloatArray, FloatArray], zero_seconds: float, loudest_db: float
) -> None:
    from matplotlib import colormaps  # noqa: PLC0415

    seconds, frequencies_hz, levels_db = spectrogram
    axes.pcolormesh(
        seconds_to_ms(1.0) * (seconds - zero_seconds),
        frequencies_hz,
        levels_db,
        vmin=loudest_db - RANGE_DB,
        vmax=loudest_db,
        cmap=colormaps["magma"].resampled(STEPS),
        shading="nearest",
        rasterized=True,
    )
    axes.set_yscale("log")
    axes.set_ylim(LOWEST_HZ, HIGHEST_HZ)
    axes.set_yticks([100.0, 1_000.0, 10_000.0], ["100", "1k", "10k"])
    axes.minorticks_off()


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


def _save(figure: "Figure", path: Path, dots_per_inch: int, *, small: bool = False) -> None:
    try:
        figure.savefig(path, dpi=dots_per_inch, pil_kwargs={"optimize": small})
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(f"cannot write the picture {path}: {error.strerror}; choose another place with -o") from error
