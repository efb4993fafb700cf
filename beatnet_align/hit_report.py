"""Tables for people: the hits of a take, where each one goes and why, and the feel of every bar."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from beatnet_align.bar_feel import bar_feel
from beatnet_align.edit_plan import EditPlan
from beatnet_align.groove import TICKS_PER_BEAT
from beatnet_align.hits import Hit
from beatnet_align.repair import landed_samples
from beatnet_align.take import Take
from beatnet_align.units import samples_to_seconds, seconds_to_ms

NOTHING = "-"


class HitRow(TypedDict):
    """One hit as the command line names it."""

    seconds: float
    channel: str
    piece: str
    velocity: float
    confidence: float


def hit_rows(hits: Sequence[Hit], take: Take) -> list[HitRow]:
    """The hits of a take for print or JSON."""
    return [
        HitRow(
            seconds=round(samples_to_seconds(hit.onset_samples, take.sample_rate), 6),
            channel=take.channels[hit.channel].name,
            piece=hit.piece.value,
            velocity=hit.velocity,
            confidence=hit.confidence,
        )
        for hit in hits
    ]


def hit_table(rows: Sequence[HitRow]) -> str:
    """Hits as text, a line each."""
    cells = [
        (
            f"{row['seconds']:11.4f}",
            row["channel"],
            row["piece"],
            f"{row['velocity']:.2f}",
            f"{row['confidence']:.2f}",
        )
        for row in rows
    ]
    return _table(("seconds", "channel", "piece", "velocity", "confidence"), cells, left=(1, 2))


def move_table(plan: EditPlan) -> str:
    """What was decided on every hit of a plan: its line, its shift, how sure the line is and which came next."""
    lines = _positions(plan, [move.line_beats for move in plan.moves])
    runners_up = _positions(plan, [move.runner_up_beats for move in plan.moves])
    rate = plan.take.sample_rate
    cells = [
        (
            f"{samples_to_seconds(move.onset_samples, rate):11.4f}",
            move.piece.value,
            move.channel,
            line,
            f"{seconds_to_ms(samples_to_seconds(landed - move.onset_samples, rate)):+.1f}",
            NOTHING if None in (move.line_beats, move.runner_up_beats) else f"{move.line_confidence:.3f}",
            runner_up,
            " ".join(move.flags) or NOTHING,
        )
        for move, landed, line, runner_up in zip(plan.moves, landed_samples(plan), lines, runners_up, strict=True)
    ]
    header = ("seconds", "piece", "channel", "line", "shift ms", "sure", "runner-up", "flags")
    return _table(header, cells, left=(1, 2, 7))


def bar_table(plan: EditPlan) -> str:
    """The feel of every bar of a plan in which something was struck for a line."""
    cells = [
        (
            str(feel.bar),
            str(feel.hits),
            feel.subdivision or NOTHING,
            _percent(feel.swing_8ths),
            _percent(feel.swing_16ths),
            f"{seconds_to_ms(feel.drift_seconds):+.1f}",
        )
        for feel in bar_feel(plan)
    ]
    return _table(("bar", "hits", "subdivision", "swing 1/8 %", "swing 1/16 %", "drift ms"), cells, left=(2,))


def _positions(plan: EditPlan, lines_beats: Sequence[float | None]) -> list[str]:
    """Lines as ``--lock`` reads positions: the bar, and the beat in quarter notes, both from 1."""
    known = [line for line in lines_beats if line is not None]
    nominals = plan.grid.nominal_of_nearest(np.array(known, np.float64))
    bars = plan.tempo_map.bar_of(nominals)
    ticks = np.rint(plan.tempo_map.beat_in_bar(nominals) * TICKS_PER_BEAT).astype(np.int64)
    written = (f"{bar}:{round(1.0 + tick / TICKS_PER_BEAT, 4):g}" for bar, tick in zip(bars, ticks, strict=True))
    return [NOTHING if line is None else next(written) for line in lines_beats]


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100.0 * share:.0f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """Rows under a header, in columns as wide as they must be; numbers on the right, the columns ``left`` not."""
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
