"""Hit-finding figures as text tables, as JSON, and as a picture of how far confidences can be trusted."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from beatnet_align.errors import OutputError
from beatnet_align.hit_outputs import PIECE_GROUPS
from beatnet_align.units import seconds_to_ms
from models.hit_figures import CONFIDENCE_BINS, HitFigures, Share
from models.onset_figures import OnsetFigures

Rows = Mapping[str, Mapping[str, HitFigures]]
"""Condition to detector to figures."""

RecordingRows = Mapping[str, Mapping[str, Mapping[str, OnsetFigures]]]
"""Detector to recording to tolerance to figures."""

ALL_RECORDINGS = "mean"


def figures_tables(rows: Rows) -> str:
    """All figures of one material as text, a line a detector and condition."""
    named = [((condition, detector), row) for condition, of in rows.items() for detector, row in of.items()]
    windows = list(named[0][1].onsets) if named else []
    pieces = sorted({piece for _, row in named for piece, share in row.pieces.items() if share.whole})
    bands, rises = ([*of] for of in (named[0][1].velocities, named[0][1].rises)) if named else ([], [])
    tables: list[tuple[str, list[str], Callable[[HitFigures], list[str]]]] = [
        (
            "onsets merged within 12 ms, bias removed: F-measure, mean of takes, then of pooled counts",
            ["takes", "bias ms", *(_tolerance(w) for w in windows), *(f"pooled {_tolerance(w)}" for w in windows)],
            lambda row: [
                str(row.takes),
                f"{seconds_to_ms(row.bias_seconds):+.1f}",
                *(_number(row.onsets[w].f_measure) for w in windows),
                *(_number(row.onsets[w].pooled_f_measure) for w in windows),
            ],
        ),
        (
            "precision and recall, mean of takes",
            [f"{letter} {_tolerance(w)}" for w in windows for letter in "PR"],
            lambda row: [_number(v) for w in windows for v in (row.onsets[w].precision, row.onsets[w].recall)],
        ),
        (
            "F-measure, as above, without hits that stand alone and raise no channel by 3 dB",
            [*map(_tolerance, windows), *(f"pooled {_tolerance(w)}" for w in windows)],
            lambda row: [
                *(_number(row.heard[w].f_measure) for w in windows),
                *(_number(row.heard[w].pooled_f_measure) for w in windows),
            ],
        ),
        (
            "share of true hits found at ±5 ms, and their number",
            ["velocity < .3", "ornaments", "flams, both", *(f"velocity {band}" for band in bands[1:])],
            lambda row: [_share(s) for s in (row.soft, row.ornaments, row.flams, *list(row.velocities.values())[1:])],
        ),
        (
            "the same by piece",
            list(pieces),
            lambda row: [_share(row.pieces[piece]) for piece in pieces],
        ),
        (
            "share of hits with no other within 30 ms found at ±25 ms, by how far they raise the level of a channel",
            rises,
            lambda row: [_share(share) for share in row.rises.values()],
        ),
        (
            "right piece group, of the hits with a microphone of their own that were found at ±25 ms",
            list(PIECE_GROUPS),
            lambda row: [_share(share) for share in row.groups.values()],
        ),
    ]
    parts = []
    for title, header, cells in tables:
        parts.append(f"{title}\n" + table(["", "", *header], [[*name, *cells(row)] for name, row in named]))
    trusted = [[*name, *(_share(b.right) for b in row.reliability)] for name, row in named if row.reliability]
    if trusted:
        header = [f"{i / CONFIDENCE_BINS:g}-{(i + 1) / CONFIDENCE_BINS:g}" for i in range(CONFIDENCE_BINS)]
        parts.append("share of estimates that are hits (±25 ms) by confidence\n" + table(["", "", *header], trusted))
    return "\n\n".join(parts)


def recordings_table(rows: RecordingRows) -> str:
    """F-measures on recordings as text: a line a recording, a column a detector and tolerance."""
    windows = list(next(iter(next(iter(rows.values())).values())))
    names = list(next(iter(rows.values())))
    header = ["", *(f"{detector} {_tolerance(window)}" for detector in rows for window in windows)]
    lines = [
        [name, *(_number(of[name][window].f_measure) for of in rows.values() for window in windows)] for name in names
    ]
    return "onsets and labels merged within 30 ms, bias left in: F-measure\n" + table(header, lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text in columns: words, which come first, to the left and figures to the right."""
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    words = sum(1 for cell in header if not cell)
    lines = []
    for line in (header, *rows):
        cells = [c.ljust(w) if i < words else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def plain(value: object) -> Any:
    """Figures as JSON has them: dataclasses as objects, a share beside its number, NaN as null."""
    if isinstance(value, Share):
        return {"share": plain(value.value), "of": value.whole}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def draw_reliability(materials: Mapping[str, Rows], path: Path) -> None:
    """Draw confidence against the share of estimates that are hits: a panel a material, its first condition.

    Raises:
        OutputError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(4.5 * max(1, len(materials)), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, max(1, len(materials)), squeeze=False)[0]
    for axes, (material, rows) in zip(panels, materials.items(), strict=False):
        condition, detectors = next(iter(rows.items()))
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for detector, row in detectors.items():
            filled = [part for part in row.reliability if part.right.whole]
            if filled:
                confidences = [part.mean_confidence for part in filled]
                axes.plot(confidences, [part.right.value for part in filled], marker="o", label=detector)
        axes.set(title=f"{material}, {condition}", xlabel="confidence", ylabel="share that are hits (±25 ms)")
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:  # ValueError: a suffix that names no picture
        raise OutputError(f"cannot write the picture {path}: {error}") from error


def _tolerance(window: str) -> str:
    return "±" + window.replace("_", " ")


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _share(share: Share) -> str:
    return f"{share.value:.3f} ({share.whole})" if share.whole else "-"
