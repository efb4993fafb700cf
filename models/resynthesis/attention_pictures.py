"""Where a network that attends looks, beside where the strokes really are.

Over a whole take the attention is a thin diagonal: strokes are never far from their lines. So it is shown line by line
against the distance from the line, where the truth is a dot.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from beatnet_align.onset_metrics import share
from beatnet_align.pictures import BEFORE_MARK
from beatnet_align.units import FloatArray, seconds_to_ms
from models.resynthesis.candidates import Candidate, network_inputs
from models.resynthesis.held_out import HeldOutTake
from models.resynthesis.version_pictures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REACH_SECONDS = 0.120
SAME_LINE_SECONDS = 0.003
CLOSE_SECONDS = 0.005
LEAST_WEIGHT = 0.5
"""A line that gives less than this to all places together was told that nothing was meant for it."""


@dataclass(frozen=True)
class Looks:
    """What a network attends to in a take.

    Attributes:
        lines_seconds: [lines], places in the output.
        offsets_seconds: [offsets], places in the take against the line; negative is earlier.
        weights: [lines, offsets].
        performed_seconds: [lines], when the stroke that leads the line was played; NaN where none was.
    """

    lines_seconds: FloatArray
    offsets_seconds: FloatArray
    weights: FloatArray
    performed_seconds: FloatArray

    @property
    def found(self) -> float:
        """Share of the strokes whose line looks within 5 ms of them most."""
        struck = np.isfinite(self.performed_seconds)
        most = self.offsets_seconds[np.argmax(self.weights[struck], axis=1)]
        meant = (self.performed_seconds - self.lines_seconds)[struck]
        sure = self.weights[struck].sum(axis=1) >= LEAST_WEIGHT
        return share((np.abs(most - meant) <= CLOSE_SECONDS) & sure)


def look(candidate: Candidate, held: HeldOutTake) -> Looks | None:
    """What a candidate attends to in a take; None where it does not attend."""
    audio, rows = network_inputs(candidate.net, held)
    with torch.inference_mode():
        attention = candidate.net.attention(audio, rows)
    if attention is None:
        return None
    keys, queries = (one.double().cpu().numpy() for one in (attention.key_seconds, attention.query_seconds[0]))
    there = np.isfinite(queries)
    queries, weights = queries[there], attention.weights[0].double().cpu().numpy()[there]
    step = float(keys[1] - keys[0])
    offsets = np.arange(-round(REACH_SECONDS / step), round(REACH_SECONDS / step) + 1) * step
    at = np.rint((queries[:, None] + offsets - keys[0]) / step).astype(np.int64)
    inside = (at >= 0) & (at < len(keys))
    near = np.take_along_axis(weights, np.clip(at, 0, len(keys) - 1), axis=1) * inside
    leading = [hit for hit in held.hits if hit.main]
    targets = np.array([hit.target_seconds for hit in leading])
    performed = np.array([hit.performed_seconds for hit in leading])
    nearest = np.argmin(np.abs(queries[:, None] - targets), axis=1)
    meant = np.abs(queries - targets[nearest]) <= SAME_LINE_SECONDS
    return Looks(queries, offsets.astype(np.float64), near, np.where(meant, performed[nearest], np.nan))


def draw_looks(name: str, looks: Looks, lines: int = 64) -> "Figure":
    """The first lines of a take, a column each: attention dark, true strokes as marks."""
    figure = new_figure(13.0, 4.2)
    axes = figure.subplots()
    shown = slice(0, min(lines, len(looks.lines_seconds)))
    weights = looks.weights[shown]
    relative = (
        weights
        / np.maximum(weights.max(axis=1, keepdims=True), 1e-12)
        * np.minimum(1.0, weights.sum(axis=1, keepdims=True))
    )
    numbers = np.arange(len(weights))
    offsets_ms = seconds_to_ms(1.0) * looks.offsets_seconds
    axes.pcolormesh(
        numbers, offsets_ms, relative.T, cmap="Greys", vmin=0.0, vmax=1.0, shading="nearest", rasterized=True
    )
    truth_ms = seconds_to_ms(1.0) * (looks.performed_seconds - looks.lines_seconds)[shown]
    axes.plot(numbers, truth_ms, "o", color=BEFORE_MARK, markersize=7, fillstyle="none", label="where it was played")
    step = max(1, len(numbers) // 12)
    axes.set_xticks(numbers[::step], [f"{looks.lines_seconds[number]:.2f}" for number in numbers[::step]])
    axes.set_xlabel("line of the grid (s)")
    axes.set_ylabel("place in the take against\nthe line (ms), positive is late")
    axes.set_title(f"{name}: {looks.found:.0%} of the strokes are looked at within 5 ms", loc="left", fontweight="bold")
    axes.legend(loc="upper right", fontsize="small")
    return figure
