"""Compare engines side by side: untouched, onset-quantise and neural, against a known target or against the grid.

One ruler measures all rows. Where hits have to be found again, in an output or in a target without truth, the
onset-quantise finder finds them for every row. It stays the same while networks are trained anew, so figures of two
versions can be compared; and since a finder is deaf to its own mistakes, it flatters the baseline if anyone. It times
kicks and snares that overheads alone hear when they arrive, where the neural engine knows better (``travel.py``).
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from beatnet_align.audio_files import open_take
from beatnet_align.edit_plan import EditPlan, Flag
from beatnet_align.effect import EDITS_NAME, Aligned, BeatDetective, Progress, align, no_progress
from beatnet_align.engines import Engine, find_hits
from beatnet_align.errors import InputError
from beatnet_align.hits import Hit
from beatnet_align.metrics import (
    evaluate,
    extra_and_missing,
    grid_deviation,
    microphone_spreads_samples,
    validate,
)
from beatnet_align.onset_metrics import share
from beatnet_align.pictures import HitMarks, before_after
from beatnet_align.reference_hits import ReferenceHit, reference_hits_from_truth
from beatnet_align.repair import landed_samples
from beatnet_align.roles import Role
from beatnet_align.stem_writer import check_out_dir
from beatnet_align.take import Take
from beatnet_align.tempo_source import TempoRequest
from beatnet_align.units import FloatArray, samples_to_seconds, seconds_to_ms

UNTOUCHED = "untouched"
COMPARED = (Engine.ONSET_QUANTISE, Engine.NEURAL)
RULER = Engine.ONSET_QUANTISE
PICTURE_NAME = "before_after.png"
WITHOUT_TARGET = (
    "without --target the take as it was played is the measure: what is lifted out of it counts as out of phase, and "
    "an attack that moved onto another as missing; figures with a target are others"
)
PAIR_SECONDS = 0.120
"""Without a truth file, a hit of the target is paired with one of the take on its channel up to this far away."""


@dataclass(frozen=True)
class Comparison:
    """One row of figures an engine.

    Attributes:
        rows: Engine to figure to value; NaN where nothing could be measured.
        remarks: What was assumed.
    """

    rows: Mapping[str, Mapping[str, float]]
    remarks: tuple[str, ...]


def mean_figures(takes: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Mean of each engine's figures over the takes, at least one, in which they could be measured."""
    return {
        engine: {figure: float(np.nanmean([rows[engine][figure] for rows in takes])) for figure in figures}
        for engine, figures in takes[0].items()
    }


def figures_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Figures as text: a line a figure, a column an engine."""
    names = list(next(iter(rows.values())))
    width = max(len(_label(name)) for name in names)
    columns = [max(12, len(engine)) for engine in rows]
    lines = [" " * width + "".join(f"  {engine:>{column}}" for engine, column in zip(rows, columns, strict=True))]
    for name in names:
        cells = (f"  {_cell(name, row[name]):>{column}}" for row, column in zip(rows.values(), columns, strict=True))
        lines.append(_label(name).ljust(width) + "".join(cells))
    return "\n".join(lines)


def compare(  # noqa: PLR0913 - the options of align and three of its own
    take_path: Path,
    detective: BeatDetective | None = None,
    tempo: TempoRequest | None = None,
    *,
    target_path: Path | None = None,
    out_dir: Path | None = None,
    roles: Mapping[str, Role] | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> Comparison:
    """Align a take with every engine and measure the results.

    Args:
        take_path: A folder of stems or one multichannel file.
        detective: The effect and its parameters; its engine is drawn, the others run with the same parameters.
        tempo: What is known of the tempo. Where it is estimated, the effect's own engine does that for all, so that
            all rows are measured against the same lines.
        target_path: The same take with every hit in its place. Its truth.json, beside the folder or in it, gives the
            hits; without one they are detected.
        out_dir: Keep the aligned stems, a folder an engine, and a picture here.
        roles: As for align.
        force: Replace files that are there.
        progress: As for :func:`~beatnet_align.effect.align`, each stage with its engine's name in front.

    Raises:
        InputError: As for align; or the target does not fit the take.
        OutputError: As for align; or the picture cannot be written.
    """
    detective = detective or BeatDetective()
    picture = None if out_dir is None else out_dir / PICTURE_NAME
    if picture is not None and picture.exists() and not force:
        raise InputError(f"{picture} exists; use --force to replace it, or choose another folder with -o")
    with ExitStack() as stack:
        folder = out_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="beatnet-align-")))
        opened = stack.enter_context(open_take(take_path, roles))
        take = opened.take
        for engine in COMPARED:  # before the first one writes anything
            check_out_dir(opened, folder / engine, force, [EDITS_NAME])
        target = None
        if target_path is not None:
            target = _fitting_target(stack.enter_context(open_take(target_path, roles)).take, take, target_path)
        aligned: dict[Engine, Aligned] = {}
        for engine in sorted(COMPARED, key=lambda engine: engine != detective.engine):  # its own first
            aligned[engine] = align(
                take_path,
                folder / engine,
                _asked_of(engine, detective),
                tempo,
                roles=roles,
                force=force,
                progress=_with_name(progress, engine),
            )
            tempo = TempoRequest(tempo_map=aligned[engine].plan.tempo_map)
        own_plan = aligned[detective.engine].plan
        plans, heard = {UNTOUCHED: own_plan}, {UNTOUCHED: take}
        for engine in COMPARED:
            plans[engine.value] = aligned[engine].plan
            heard[engine.value] = stack.enter_context(open_take(folder / engine, roles)).take
        if target is not None and target_path is not None:
            reference = _reference_hits(take, target, target_path, detective)
            rows = {name: evaluate(take, output, target, reference) for name, output in heard.items()}
        else:
            rows = {name: _grid_figures(take, heard[name], plan, detective) for name, plan in plans.items()}
        if picture is not None:
            draw_before_after(picture, take, heard[detective.engine], own_plan)
    told = () if target is not None else (WITHOUT_TARGET,)
    return Comparison(rows, (*told, *_remarks(aligned)))


def _fitting_target(target: Take, take: Take, path: Path) -> Take:
    """The target; InputError where it does not fit the take."""
    try:
        validate(take, take, target, ())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return target


def _asked_of(engine: Engine, detective: BeatDetective) -> BeatDetective:
    """The effect with an engine; only its own chooses lines and renders as was asked, the others as they do."""
    return detective if engine is detective.engine else replace(detective, engine=engine, positions=None, render=None)


def _with_name(progress: Progress, engine: Engine) -> Progress:
    return lambda stage, samples, total_samples: progress(f"{engine}, {stage}", samples, total_samples)


def _remarks(aligned: Mapping[Engine, Aligned]) -> tuple[str, ...]:
    """Once what all say, or the first of the tempo that all share; the rest with the name of who says it."""
    first = next(iter(aligned.values()))
    shared = set.intersection(*(set(each.remarks) for each in aligned.values())).union(first.plan.notes)
    remarks = [
        remark if remark in shared else f"{engine}: {remark}"
        for engine, each in aligned.items()
        for remark in each.remarks
    ]
    return tuple(dict.fromkeys(remarks))


def draw_before_after(path: Path, take: Take, output: Take, plan: EditPlan) -> None:
    """Draw what a plan did to a take, see :func:`beatnet_align.pictures.before_after`.

    Ornaments keep their distance from the stroke that they adorn, so they have no line to be early or late for.
    """
    rate = take.sample_rate
    lines_seconds = _lines_seconds(take, plan)
    everything = zip(plan.moves, landed_samples(plan), strict=True)
    on_lines = [
        (move, landed) for move, landed in everything if move.line_beats is not None and Flag.ORNAMENT not in move.flags
    ]
    moves = [move for move, _ in on_lines]
    goals = plan.tempo_map.to_seconds(np.array([move.line_beats for move in moves], np.float64))
    onsets = samples_to_seconds(np.array([move.onset_samples for move in moves], np.int64), rate)
    landed = samples_to_seconds(np.array([landed for _, landed in on_lines], np.int64), rate)
    names = [channel.name for channel in take.channels]
    rows = [names.index(move.channel) for move in moves]
    before_after(
        path,
        take,
        output,
        lines_seconds,
        HitMarks(onsets, onsets - goals, rows),
        HitMarks(landed, landed - goals, rows),
    )


def _lines_seconds(take: Take, plan: EditPlan) -> FloatArray:
    start, stop = plan.tempo_map.to_beats(0.0), plan.tempo_map.to_beats(take.seconds)
    return plan.tempo_map.to_seconds(plan.grid.lines_beats(start, stop))


def _grid_figures(take: Take, output: Take, plan: EditPlan, detective: BeatDetective) -> dict[str, float]:
    """What can be told without a target: hits found again in the output, against the lines."""
    hits = find_hits(output, RULER, detective.listening)
    onsets = samples_to_seconds(np.array([hit.onset_samples for hit in hits], np.int64), output.sample_rate)
    figures = grid_deviation(onsets, _lines_seconds(take, plan))
    source = np.array([move.onset_samples for move in plan.moves], np.int64)
    moved = source if output is take else np.array(landed_samples(plan), np.int64)
    rate = take.sample_rate
    spreads = microphone_spreads_samples(
        output, [(take, samples_to_seconds(source, rate))], samples_to_seconds(moved, rate)
    )
    figures["phase_locked"] = share(spreads[np.isfinite(spreads)] <= 1)
    figures["extra"], figures["missing"] = extra_and_missing(take, output)
    return figures


def _reference_hits(take: Take, target: Take, target_path: Path, detective: BeatDetective) -> tuple[ReferenceHit, ...]:
    folder = target_path if target_path.is_dir() else target_path.parent
    for truth in (folder / "truth.json", folder.parent / "truth.json"):
        if truth.is_file():
            return reference_hits_from_truth(truth)
    played = find_hits(take, RULER, detective.listening)
    meant = find_hits(target, RULER, detective.listening)
    if not meant:
        raise InputError(f"no hits were found in the target {target_path}")
    return tuple(_reference_hit(hit, played, target) for hit in meant)


def _reference_hit(hit: Hit, played: list[Hit], target: Take) -> ReferenceHit:
    rate = target.sample_rate
    target_seconds = samples_to_seconds(hit.onset_samples, rate)
    near = [
        seconds
        for other in played
        if other.channel == hit.channel
        and abs((seconds := samples_to_seconds(other.onset_samples, rate)) - target_seconds) <= PAIR_SECONDS
    ]
    performed = min(near, key=lambda seconds: abs(seconds - target_seconds), default=target_seconds)
    return ReferenceHit(
        piece=hit.piece,
        channel=target.channels[hit.channel].name,
        performed_seconds=performed,
        target_seconds=target_seconds,
        score_beats=target_seconds,
        velocity=hit.velocity,
    )


def _label(name: str) -> str:
    return name.removesuffix("_seconds").removesuffix("_db").replace("_", " ")


def _cell(name: str, value: float) -> str:
    if np.isnan(value):
        return "-"
    if name.endswith("_seconds"):
        return f"{seconds_to_ms(value):.2f} ms"
    if name.endswith("_db"):
        return f"{value:.2f} dB"
    if name in ("hits", "onsets"):
        return f"{value:.0f}"
    return f"{value:.3f}"
