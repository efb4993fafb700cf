"""Compare choosers of grid positions on takes whose positions are known.

python -m models.evaluate_grid --data DATA [--takes 40] [--seed 0] [--network FILE.onnx ...]

Every chooser is given every set of :mod:`models.grid_takes`, as played and with HitNet's kind of errors:

    nearest line        the nearest of the lines that are allowed
    Viterbi with drift  dynamic programming with a running deviation, see models/drift_viterbi.py
    FILE                a GridNet and the decoding of the effect, pieces told apart by their groups

Only main strokes count; one that is left alone or taken for an ornament was sent to a wrong position.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from beatnet_align.bar_feel import bar_feel
from beatnet_align.edit_plan import EditPlan, Move, TakeFacts
from beatnet_align.errors import InputError
from beatnet_align.grid_tokens import ANSWERS, CANDIDATES, GridTokens, grid_tokens
from beatnet_align.hits import Piece
from beatnet_align.quantise import SURE_LINE
from beatnet_align.roles import Role
from beatnet_align.units import FloatArray, IntArray, seconds_to_samples
from datagen.commands import exit_status
from datagen.config import Split
from datagen.played.grooves import load_grooves
from datagen.played.patterns import Patterns
from models.drift_viterbi import drift_viterbi
from models.grid_examples import DRUMMERS, SAME_LINE_BEATS
from models.grid_takes import BARS, GRID_SETS, TAKES, Scores
from models.heard_takes import HITNETS_ERRORS, GridTake, with_errors
from models.hit_figures import Share

NEAREST, VITERBI = "nearest line", "Viterbi with drift"
SWING_TOLERANCE = 0.03
SWING_CONTEXT_BARS = 2
"""One bar has too few delayed 16ths: with jitter of σ 6 ms at 120 BPM, right lines alone tell .90 of the bars."""

_ERRORS_SEED, _PLAN_RATE = 1, 48_000


@dataclass(frozen=True, eq=False)
class Choice:
    """What a chooser said of a take.

    Attributes:
        answers: [hits], a candidate, LEAVE or ORNAMENT.
        confidences: [hits], of those answers; None of a chooser that gives none.
    """

    answers: IntArray
    confidences: FloatArray | None = None


Chooser = Callable[[GridTake, GridTokens], Choice]


@dataclass(frozen=True)
class GridFigures:
    """What one chooser reached on some takes.

    Attributes:
        wrong: Of the main strokes, those sent to a wrong position.
        sure: Of them, those decided with a confidence above .9.
        sure_wrong: Of those, the wrong ones.
        swing: Of the bars of swung takes whose swing can be measured from the true lines, those where the median
            over the bar and two to either side, read off the chosen lines, is within ±.03 of what was played.
    """

    wrong: Share
    sure: Share
    sure_wrong: Share
    swing: Share


Rows = Mapping[str, Mapping[str, GridFigures]]
"""Set to chooser to figures."""


def nearest_line(_take: GridTake, tokens: GridTokens) -> Choice:
    """The middle candidate of every hit."""
    return Choice(np.full(len(tokens.beats), CANDIDATES // 2))


def viterbi(take: GridTake, tokens: GridTokens) -> Choice:
    """Dynamic programming over the whole take."""
    return Choice(drift_viterbi(tokens, take.struck, take.tempo_map))


def gridnet(path: Path) -> Chooser:
    """The network of a file, decoded as the effect does it, but for pieces of one group, which count as one here.

    Raises:
        InputError: The file cannot be read or is no GridNet's.
    """
    from beatnet_align.gridnet import GridNetModel  # noqa: PLC0415 - loads onnxruntime
    from beatnet_align.line_decoding import choose_lines  # noqa: PLC0415

    try:
        model = GridNetModel(path.read_bytes(), threads=1)
    except OSError as error:
        raise InputError(f"cannot read GridNet's weights: {error}") from error

    def choose(_take: GridTake, tokens: GridTokens) -> Choice:
        chosen = choose_lines(model(tokens), tokens.lines_beats, tokens.groups.tolist(), beats=tokens.beats)
        return Choice(chosen.answers, model.confidence(tokens, chosen))

    return choose


def measure(
    takes: Sequence[GridTake], choosers: Mapping[str, Chooser], progress: Callable[[], None] = lambda: None
) -> dict[str, GridFigures]:
    """Figures of every chooser on the same takes.

    Args:
        takes: At least one.
        choosers: By name.
        progress: Told when a take is done.
    """
    wrong, sure, swing = ({name: list[bool]() for name in choosers} for _ in range(3))
    for take in takes:
        tokens = grid_tokens(take.struck, take.tempo_map, take.grid)
        for name, choose in choosers.items():
            choice = choose(take, tokens)
            wrong[name] += _wrong(take, tokens, choice.answers)
            if choice.confidences is not None:
                sure[name] += (choice.confidences[take.counted] > SURE_LINE).tolist()
            swing[name] += _swings_recognised(take, _chosen(tokens.lines_beats, choice.answers))
        progress()
    return {
        name: GridFigures(
            Share.of(wrong[name]),
            Share.of(sure[name]),
            Share.of(bad for bad, trusted in zip(wrong[name], sure[name], strict=False) if trusted),
            Share.of(swing[name]),
        )
        for name in choosers
    }


def tables(rows: Rows) -> str:
    """The figures in Markdown: a line a set, a column a chooser."""
    names = list(next(iter(rows.values())))
    parts = [_table("share of hits sent to a wrong position, and their number", rows, names, lambda one: one.wrong)]
    if trusting := [name for name in names if any(row[name].sure.whole for row in rows.values())]:
        parts.append(_table("share of decisions with a confidence above .9", rows, trusting, lambda one: one.sure))
        parts.append(_table("share of those that are wrong", rows, trusting, lambda one: one.sure_wrong))
    if swung := {name: row for name, row in rows.items() if any(one.swing.whole for one in row.values())}:
        parts.append(_table("share of bars whose swing is recognised", swung, names, lambda one: one.swing))
    return "\n\n".join(parts)


def _table(title: str, rows: Rows, names: Sequence[str], share: Callable[[GridFigures], Share]) -> str:
    lines = [["", *names], ["---", *("---:" for _ in names)]]
    lines += [[of, *(_cell(share(row[name])) for name in names)] for of, row in rows.items()]
    return f"{title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(share: Share) -> str:
    return f"{share.value:.4f} ({share.whole})" if share.whole else "-"


def _wrong(take: GridTake, tokens: GridTokens, answers: IntArray) -> list[bool]:
    """Of every main stroke, whether it was sent to a wrong position."""
    off_beats = np.abs(_chosen(tokens.nominals_beats, answers) - take.nominals_beats)[take.counted]
    return [not off <= SAME_LINE_BEATS for off in off_beats.tolist()]


def _chosen(of_lines: FloatArray, answers: IntArray) -> FloatArray:
    """[hits], the place of [hits, CANDIDATES] that was chosen; NaN where none was."""
    padded = np.append(of_lines, np.full((len(answers), ANSWERS - CANDIDATES), np.nan), axis=1)
    return np.asarray(padded[np.arange(len(answers)), answers])


def _swings_recognised(take: GridTake, chosen_beats: FloatArray) -> list[bool]:
    """Of every bar that can be known to be swung, whether the plan's reader tells so."""
    swing = take.played_grid.swing
    if swing == 0.5:
        return []
    true_beats = np.where(take.counted, take.nominals_beats, np.nan)
    known, read = (_swings(take, lines_beats) for lines_beats in (true_beats, chosen_beats))
    around = ([one for near, one in read.items() if abs(near - bar) <= SWING_CONTEXT_BARS] for bar in known)
    return [bool(near) and abs(float(np.median(near)) - swing) <= SWING_TOLERANCE for near in around]


def _swings(take: GridTake, lines_beats: FloatArray) -> dict[int, float]:
    """Swing of the bars of a plan that sends hits to these lines, NaN being none."""
    onsets = seconds_to_samples(take.struck.seconds, _PLAN_RATE).tolist()
    moves = tuple(
        Move(onset, onset, "", Piece.UNKNOWN, 1.0, 1.0, line_beats=line)
        for onset, line in zip(onsets, lines_beats.tolist(), strict=True)
        if not np.isnan(line)
    )
    plan = EditPlan(
        TakeFacts(take.name, _PLAN_RATE, max(onsets, default=0), ("",), (Role.OTHER,)), moves, take.tempo_map, take.grid
    )
    eighths = take.played_grid.divisions == ("1/8",)
    feel = bar_feel(plan) if moves else ()
    told = {one.bar: one.swing_8ths if eighths else one.swing_16ths for one in feel}
    return {bar: swing for bar, swing in told.items() if swing is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FOLDER", help="with groove/, the Groove MIDI Dataset")
    add("--takes", type=int, default=TAKES, metavar="N", help="of each set (%(default)s)")
    add("--bars", type=int, default=BARS, metavar="N", help="of each take, at most (%(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="of the takes (%(default)s)")
    add("--network", nargs="+", type=Path, default=[], metavar="FILE.onnx", help="GridNets, called after their files")
    add("--sets", nargs="+", choices=list(GRID_SETS), default=list(GRID_SETS), metavar="NAME", help="only these")
    return parser


def _run(chosen: argparse.Namespace) -> None:
    from tqdm import tqdm  # noqa: PLC0415

    if chosen.takes < 1 or chosen.bars < 1 or chosen.seed < 0:
        raise InputError("--takes and --bars must be at least 1, and --seed at least 0")
    choosers: dict[str, Chooser] = {NEAREST: nearest_line, VITERBI: viterbi}
    for path in chosen.network:
        if path.stem in choosers:
            raise InputError(f"two networks are called {path.stem}: rename one, so that the table can tell them apart")
        choosers[path.stem] = gridnet(path)
    scores: list[Scores] = [load_grooves(chosen.data / "groove", "validation", DRUMMERS[Split.TEST]), Patterns()]
    rows: dict[str, dict[str, GridFigures]] = {}
    with tqdm(total=2 * chosen.takes * len(chosen.sets), unit=" takes", disable=None) as bar:
        for name in chosen.sets:
            takes = GRID_SETS[name].takes(scores, chosen.seed, chosen.takes, chosen.bars)
            rng = np.random.default_rng([_ERRORS_SEED, chosen.seed])
            rows[name] = measure(takes, choosers, bar.update)
            rows[f"{name}, errors"] = measure(
                [with_errors(take, HITNETS_ERRORS, rng) for take in takes], choosers, bar.update
            )
    print(tables(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0, or 2 where something given cannot be used."""
    return exit_status(_run, _parser().parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
