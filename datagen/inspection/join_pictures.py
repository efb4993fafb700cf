"""Draw a join: spectrogram and waveform of what rings and of a far microphone, in every version side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beatnet_align.take import Audio, Take
from beatnet_align.units import samples_to_seconds, seconds_to_ms, seconds_to_samples
from datagen.inspection.hard_joins import HardJoin
from datagen.inspection.spectrograms import draw_levels, far_channel, new_figure, save_picture, spectrogram_db

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE_SECONDS, AFTER_SECONDS = 0.160, 0.060
COLUMN_INCHES, SPECTROGRAM_INCHES, WAVEFORM_INCHES = 2.6, 2.2, 1.1
LEAST_INCHES = 9.0
HEADROOM, LEAST_SCALED_SECONDS = 1.6, 0.040
JOIN_COLOUR, ATTACK_COLOUR, WAVE_COLOUR = "#56b4e9", "#009e73", "#5b6b7a"

Bounds = tuple[int, int]
"""First sample of a join, and the one behind its last."""


def draw_join(
    join: HardJoin,
    versions: Mapping[str, Take],
    captions: Mapping[str, str],
    bounds: Mapping[str, Bounds],
    path: Path,
) -> None:
    """Draw a join.

    Args:
        join: Which.
        versions: Where it is heard, in one shape.
        captions: Those to draw, and what people call them.
        bounds: Where the join lies in the versions that have one.
        path: Where to write the PNG.

    Raises:
        OutputError: The picture cannot be written.
    """
    takes = {version: versions[version] for version in captions}
    first = next(iter(takes.values()))
    far = far_channel(first, [join.channel])
    channels = [join.channel] if far is None else [join.channel, far]
    width = max(LEAST_INCHES, COLUMN_INCHES * len(takes))
    figure = new_figure(width, 0.9 + (SPECTROGRAM_INCHES + WAVEFORM_INCHES) * len(channels))
    figure.suptitle(join.title, fontweight="bold")
    heights = [SPECTROGRAM_INCHES, WAVEFORM_INCHES] * len(channels)
    grid = figure.subplots(len(heights), len(takes), squeeze=False, sharex=True, sharey="row", height_ratios=heights)
    least = join.attack - seconds_to_samples(LEAST_SCALED_SECONDS, join.sample_rate)
    joined = min((least, *(first for first, _ in bounds.values()))), join.attack
    for number, channel in enumerate(channels):
        row = [one.name for one in first.channels].index(channel)
        _draw_spectrograms(grid[2 * number], join, list(takes.values()), row)
        _draw_waveforms(grid[2 * number + 1], join, list(takes.values()), row, joined)
        grid[2 * number][0].set_ylabel(f"{channel}\nfrequency (Hz)")
    for column, version in enumerate(takes):
        for number, axes in enumerate(grid[:, column]):
            _mark(axes, join, bounds.get(version), filled=number % 2 == 1)
        grid[0][column].set_title(captions[version])
        grid[-1][column].set_xlabel("after the attack (ms)")
    save_picture(figure, path)


def _draw_spectrograms(line: Sequence["Axes"], join: HardJoin, takes: Sequence[Take], row: int) -> None:
    window = join.window_seconds(BEFORE_SECONDS, AFTER_SECONDS)
    spectrograms = [spectrogram_db(take, row, *window) for take in takes]
    loudest_db = max(float(np.max(levels_db)) for _, _, levels_db in spectrograms)
    for axes, spectrogram in zip(line, spectrograms, strict=True):
        draw_levels(axes, spectrogram, join.attack_seconds, loudest_db)


def _draw_waveforms(line: Sequence["Axes"], join: HardJoin, takes: Sequence[Take], row: int, joined: Bounds) -> None:
    """What rings where the join lies fills the height; attacks go beyond it."""
    start, stop = (
        seconds_to_samples(seconds, join.sample_rate) for seconds in join.window_seconds(BEFORE_SECONDS, AFTER_SECONDS)
    )
    milliseconds = seconds_to_ms(1.0) * (np.arange(start, stop) - join.attack) / join.sample_rate
    signals = [take.read(start, stop)[row] for take in takes]
    height = waveform_height(signals, start, joined)
    for axes, signal in zip(line, signals, strict=True):
        axes.plot(milliseconds, signal, color=WAVE_COLOUR, linewidth=0.5)
        axes.set_ylim(-height, height)
        axes.set_yticks([])


def waveform_height(signals: Sequence[Audio], start: int, joined: Bounds) -> float:
    """How high pictures of [samples] from ``start`` on are: what rings where the join lies fills them.

    The median leaves out the take as played, whose attack may lie there.
    """
    first, last = (max(0, place - start) for place in joined)  # a stretched tail may begin before the picture
    return HEADROOM * float(np.median([np.max(np.abs(signal[first:last]), initial=1e-6) for signal in signals]))


def _mark(axes: "Axes", join: HardJoin, bounds: Bounds | None, *, filled: bool) -> None:
    """Dashes where the attack sounds, and edges of the join, with a band between them where it hides nothing."""
    axes.axvline(0.0, color=ATTACK_COLOUR, linestyle="--", linewidth=1.0)
    if bounds is not None:
        start, stop = (seconds_to_ms(samples_to_seconds(place - join.attack, join.sample_rate)) for place in bounds)
        if filled:
            axes.axvspan(start, stop, facecolor=JOIN_COLOUR, alpha=0.15)
        for edge in (start, stop):
            axes.axvline(edge, color=JOIN_COLOUR, linewidth=1.0)
    axes.set_xlim(-seconds_to_ms(BEFORE_SECONDS), seconds_to_ms(AFTER_SECONDS))
