"""The figures of everybody as one table: in Markdown to read, as CSV to count with."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from beatnet_align.units import seconds_to_ms

Figures = Mapping[str, float]
"""By name, as :func:`models.resynthesis.figures.figures_of` gives them, and a candidate's own."""


@dataclass(frozen=True)
class Column:
    """A column of the Markdown table: one or more figures, and how to write one."""

    head: str
    figures: tuple[str, ...]
    write: Callable[[float], str]


def _share(value: float) -> str:
    """Without the zero in front, as in ``.93``."""
    return f"{value:.2f}".removeprefix("0")


def _ms(value: float) -> str:
    return f"{seconds_to_ms(value):.1f} ms"


def _count(value: float) -> str:
    return f"{value / 1e3:.1f} k" if value >= 1e3 else f"{value:.0f}"


def _unit(pattern: str) -> Callable[[float], str]:
    return pattern.format


COLUMNS = (
    Column(
        "leading hits within 2 / 5 / 10 ms",
        ("main_timing_within_2_ms", "main_timing_within_5_ms", "main_timing_within_10_ms"),
        _share,
    ),
    Column("all", ("timing_within_2_ms", "timing_within_5_ms", "timing_within_10_ms"), _share),
    Column("median", ("timing_median_seconds",), _ms),
    Column("lost", ("lost",), _share),
    Column("MR-STFT", ("mr_stft",), _unit("{:.2f}")),
    Column("spectral", ("spectral_distance_db",), _unit("{:.2f} dB")),
    Column("SI-SDR", ("aligned_si_sdr_db",), _unit("{:.1f} dB")),
    Column("extra / missing", ("extra", "missing"), _share),
    Column("phase locked / agrees", ("phase_locked", "phase_agreement"), _share),
    Column("energy", ("energy",), _unit("{:.2f}")),
    Column("parameters", ("parameters",), _count),
    Column("context / used", ("context_seconds", "used_seconds"), _unit("{:.2f} s")),
    Column("training", ("training_minutes",), _unit("{:.1f} min")),
    Column("× real time", ("times_real_time",), _unit("{:.1f}")),
)


def markdown(rows: Mapping[str, Figures]) -> str:
    """A line for everybody; a dash where nothing is known."""
    lines = ["| | " + " | ".join(column.head for column in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in rows.items():
        cells = (" / ".join(_cell(column, row.get(figure, np.nan)) for figure in column.figures) for column in COLUMNS)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(column: Column, value: float) -> str:
    return column.write(value) if np.isfinite(value) else "–"


def from_csv(text: str) -> dict[str, Figures]:
    """The rows of a table that :func:`as_csv` wrote."""
    return {
        row.pop("name"): {name: float(value) for name, value in row.items() if value}
        for row in csv.DictReader(io.StringIO(text))
    }


def as_csv(rows: Mapping[str, Figures]) -> str:
    """All figures at full precision; an empty cell where nothing is known."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", *names])
    for name, row in rows.items():
        writer.writerow([name, *("" if np.isnan(value := row.get(one, np.nan)) else repr(value) for one in names)])
    return out.getvalue()
