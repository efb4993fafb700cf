"""Spectrograms of a channel in several versions, in colours that mean the same levels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from beatnet_align.errors import OutputError
from beatnet_align.roles import Role
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, seconds_to_ms, seconds_to_samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW_SECONDS, HOP_SECONDS = 0.010, 0.0015
"""Attacks 10 ms apart stand apart; below 200 Hz, tones run together."""

LOWEST_HZ, HIGHEST_HZ = 60.0, 16_000.0
RANGE_DB, STEPS = 72.0, 24
"""Steps of 3 dB, which keep the files small."""

DOTS_PER_INCH = 110
FAR_ROLES = (Role.ROOM, Role.OVERHEAD, Role.OTHER)

Spectrogram = tuple[FloatArray, FloatArray, FloatArray]


def new_figure(width_inches: float, height_inches: float) -> "Figure":
    """A figure that can be saved without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def far_channel(take: Take, close: Sequence[str]) -> str | None:
    """A microphone that hears the whole kit and is none of the ``close`` ones, the farthest first."""
    far = [channel for channel in take.channels if channel.role in FAR_ROLES and channel.name not in close]
    return min(far, key=lambda channel: FAR_ROLES.index(channel.role)).name if far else None


def spectrogram_db(take: Take, row: int, start_seconds: float, stop_seconds: float) -> Spectrogram:
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


def draw_levels(axes: "Axes", spectrogram: Spectrogram, zero_seconds: float, loudest_db: float) -> None:
    """Draw a spectrogram over milliseconds from a time, frequencies on a logarithmic axis."""
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


def save_picture(figure: "Figure", path: Path, dots_per_inch: int = DOTS_PER_INCH, *, small: bool = False) -> None:
    """Write a PNG.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        figure.savefig(path, dpi=dots_per_inch, pil_kwargs={"optimize": small})
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(f"cannot write the picture {path}: {error.strerror}; choose another place with -o") from error
