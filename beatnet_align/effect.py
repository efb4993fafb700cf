"""The whole road: hits -> tempo map and grid -> alignment -> edit plan -> render; on arrays, takes and files."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from beatnet_align.ahead import ahead
from beatnet_align.audio_files import OpenTake, open_take
from beatnet_align.bar_selection import BarRange
from beatnet_align.claims import ClaimMaker
from beatnet_align.collection import OnsetSettings
from beatnet_align.cut_list import channel_groups, validate
from beatnet_align.edit_plan import EditPlan, RepairSettings, SpliceSettings, TakeFacts
from beatnet_align.engines import (
    DEFAULT_ENGINE,
    RESYNTHESIS,
    Engine,
    Fill,
    Positions,
    Render,
    claim_maker,
    engine_called,
    find_hits,
    positions_called,
    render_called,
)
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid, parse_grid
from beatnet_align.groove import GrooveTemplate
from beatnet_align.hits import Hit
from beatnet_align.locks import Lock
from beatnet_align.plan_json import load_plan, plan_to_json
from beatnet_align.quantise import QuantiseSettings, quantise
from beatnet_align.remarks import (
    bar_remarks,
    clipping_remarks,
    doubt_remarks,
    group_remarks,
    name_remarks,
    padding_remarks,
    repair_remarks,
    role_remarks,
    why_no_hits,
)
from beatnet_align.rendering import render, render_whole
from beatnet_align.repair import placements
from beatnet_align.roles import Role
from beatnet_align.stem_writer import check_out_dir, write_stems
from beatnet_align.take import Audio, Take, take_from_array
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest, estimated_tempo, told_tempo
from beatnet_align.units import FloatArray

EDITS_NAME = "edits.json"

Progress = Callable[[str, int, int], None]
"""Told the stage, how many further samples of the take it has done, and how many the take has."""


def no_progress(stage: str, samples: int, total_samples: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class BeatDetective:
    """The effect: aligns a drum take to the grid.

    Called as ``effect(audio, sample_rate, tempo)``.

    Attributes:
        engine: Who finds the hits.
        positions: How their places on the grid are chosen; the engine's own way when None.
        grid: Such as "1/16", "1/8T" or "1/16+1/8T".
        swing: 0.5 straight, 0.667 triplet swing.
        groove: A template to follow instead of the even grid.
        strength: 0 leaves every hit, 1 puts it on its line.
        piece_strengths: Pieces or kinds of pieces with a strength of their own, such as {"hihat": 0.6}.
        keep_feel: 0 to 1; how much of what each kind of piece does all along stays, while drift and mistakes go.
        exclude_within_seconds: Hits this close to their line stay.
        max_move_seconds: Hits that would move further stay and are flagged; None for no limit.
        bars: First and last bar to edit, from 1; None for all.
        leave_bars: First and last of bars to leave alone, whatever ``bars`` says.
        locks: Hits that stay where they are, or whose position is given; see :class:`~beatnet_align.locks.Lock`.
        sensitivity: 0 to 1, of hit finding.
        merge_window_seconds: Of ONSET_QUANTISE, up to 12 ms; what is heard closer together may be one strike.
        triggers: Names of the channels or stems that may trigger; None for all.
        pad_seconds: How long before an attack to cut.
        crossfade_seconds: Of each join, in front of the attack.
        fill: What sounds in gaps.
        groups: Names of channels or stems that are cut together; none for all together.
        render: Cut everywhere, lift every hit out of the microphones, or those that a cut leaves off their place; the
            engine's own way when None.
        flam_seconds: Flams up to this long are left to the cut.
        repair_bars: First and last bar in which flams are repaired, from 1; None for all.

    Example:
        >>> effect = BeatDetective(grid="1/16", strength=0.9)
        >>> aligned, plan = effect(audio, 44100, TempoMap.constant(bpm=96, first_beat_seconds=1.0))
    """

    engine: Engine = DEFAULT_ENGINE
    positions: Positions | None = None
    grid: str = "1/16"
    swing: float = 0.5
    groove: GrooveTemplate | None = None
    strength: float = 1.0
    piece_strengths: Mapping[str, float] = field(default_factory=dict)
    keep_feel: float = 0.0
    exclude_within_seconds: float = 0.0
    max_move_seconds: float | None = None
    bars: BarRange | None = None
    leave_bars: tuple[BarRange, ...] = ()
    locks: tuple[Lock, ...] = ()
    sensitivity: float = 0.5
    merge_window_seconds: float = 0.010
    triggers: tuple[str, ...] | None = None
    pad_seconds: float = 0.005
    crossfade_seconds: float = 0.005
    fill: Fill = Fill.AUTO
    groups: tuple[tuple[str, ...], ...] = ()
    render: Render | None = None
    flam_seconds: float = 0.002
    repair_bars: BarRange | None = None

    def __post_init__(self) -> None:
        # Each of these checks its own part, so that a wrong value is told before any work.
        _ = self.claim_maker, self.lines, self.rules, self.listening, self.splicing, self.repairing

    @property
    def lines(self) -> Grid:
        """The grid."""
        return parse_grid(self.grid, self.swing, self.groove)

    @property
    def claim_maker(self) -> ClaimMaker:
        """What sends hits to lines."""
        own = engine_called(self.engine).positions
        return claim_maker(own if self.positions is None else positions_called(self.positions))

    @property
    def rules(self) -> QuantiseSettings:
        """How hits are sent to lines."""
        return QuantiseSettings(
            self.strength,
            tuple(self.piece_strengths.items()),
            self.keep_feel,
            self.exclude_within_seconds,
            self.max_move_seconds,
            self.bars,
            self.leave_bars,
            self.locks,
        )

    @property
    def listening(self) -> OnsetSettings:
        """How hits are found."""
        return OnsetSettings(self.sensitivity, self.merge_window_seconds, self.triggers)

    @property
    def splicing(self) -> SpliceSettings:
        """How the plan is cut."""
        long_gaps = Fill.NEURAL if engine_called(self.engine) is Engine.NEURAL else Fill.AUTOREGRESSIVE
        return SpliceSettings(self.pad_seconds, self.crossfade_seconds, Fill(self.fill), self.groups, long_gaps)

    @property
    def repairing(self) -> RepairSettings:
        """Where hits are lifted out of the microphones instead of cut."""
        own = engine_called(self.engine).render
        render = own if self.render is None else render_called(self.render)
        return RepairSettings(render, self.flam_seconds, self.repair_bars)

    def plan(self, take: Take, tempo: TempoRequest | None = None, progress: Progress = no_progress) -> EditPlan:
        """Decide, without cutting.

        Args:
            take: Read once.
            tempo: What is known of the tempo.
            progress: Told of the stage "finding hits".

        Returns:
            A plan without moves where there are no hits.

        Raises:
            InputError: A named channel does not exist, the tempo cannot be used, or a lock finds no hit, no position of
                the take, or no way to keep it.
        """
        channel_groups(self.splicing, TakeFacts.of(take))
        request = tempo or TempoRequest()
        told = told_tempo(request, take)  # before the long work, so that what cannot be used is told at once
        hits = self.hits(take, progress)
        if not hits:
            return self._empty_plan(take)
        tempo_map, notes = told or estimated_tempo(request, take, hits)
        named = [bars for bars in (self.bars, *self.leave_bars, self.repair_bars) if bars is not None]
        notes = (*notes, *bar_remarks(named, tempo_map, take))
        maker = self.claim_maker
        moves = quantise(
            hits,
            take,
            tempo_map,
            self.lines,
            self.rules,
            self.splicing,
            claim_maker=maker,
            repaired=self.repairing.render is not Render.SPLICE,
        )
        plan = EditPlan(
            TakeFacts.of(take), moves, tempo_map, self.lines, str(self.engine), self.splicing, self.repairing, notes
        )
        validate(plan, take)
        return plan

    def hits(self, take: Take, progress: Progress = no_progress) -> list[Hit]:
        """Find the hits of a take; ``progress`` is told of the stage "finding hits"."""
        return find_hits(
            take, self.engine, self.listening, lambda samples: progress("finding hits", samples, take.samples)
        )

    def __call__(
        self,
        audio: Audio,
        sample_rate: int,
        tempo: TempoMap | float | None = None,
        first_beat_seconds: float | None = None,
        channel_names: Sequence[str] | None = None,
        roles: Sequence[Role] | None = None,
    ) -> tuple[Audio, EditPlan]:
        """Align audio that is in memory.

        Args:
            audio: [channels, samples], floating point, full scale ±1.
            sample_rate: In hertz.
            tempo: A map, a constant tempo in BPM, or None to estimate it.
            first_beat_seconds: When bar 1 begins, with a tempo in BPM; estimated when None.
            channel_names: Say what each channel is, for instance ``["kick", "snare", "overheads.L"]``.
            roles: Instead of guessing them from the names.

        Returns:
            Audio of the same shape and type, and the plan.

        Raises:
            InputError: Something given cannot be used.
        """
        take = take_from_array(audio, sample_rate, channel_names, roles)
        if isinstance(tempo, TempoMap):
            request = TempoRequest(tempo_map=tempo, first_beat_seconds=first_beat_seconds)
        else:
            request = TempoRequest(bpm=tempo, first_beat_seconds=first_beat_seconds)
        plan = self.plan(take, request)
        return render_whole(take, plan), plan

    def _empty_plan(self, take: Take) -> EditPlan:
        nothing = TempoMap.constant(120.0, 0.0)
        facts = TakeFacts.of(take)
        notes = ("no hits were found",)
        return EditPlan(facts, (), nothing, self.lines, str(self.engine), self.splicing, self.repairing, notes)


@dataclass(frozen=True)
class Aligned:
    """What a run did.

    Attributes:
        plan: The edits.
        remarks: What the user should know, one sentence each: assumptions, warnings, padded stems, doubtful moves.
    """

    plan: EditPlan
    remarks: tuple[str, ...]


def align(
    take_path: Path,
    out_dir: Path,
    detective: BeatDetective | None = None,
    tempo: TempoRequest | None = None,
    *,
    roles: Mapping[str, Role] | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> Aligned:
    """Align a take on disk and write the result.

    Args:
        take_path: A folder of stems or one multichannel file.
        out_dir: Gets stems of the same names, formats and lengths, and ``edits.json``.
        detective: The effect and its parameters.
        tempo: What is known of the tempo.
        roles: Channel or stem names to roles, where the guess from the name is wrong.
        force: Replace files that are there.
        progress: Told of the stages "finding hits" and "writing stems".

    Raises:
        InputError: Something given cannot be used; nothing was written.
        OutputError: The result could not be written; nothing half-written is left.
    """
    detective = detective or BeatDetective()
    with open_take(take_path, roles) as opened:
        check_out_dir(opened, out_dir, force, [EDITS_NAME])
        plan = detective.plan(opened.take, tempo, progress)
        if not plan.moves:
            raise InputError(why_no_hits(opened.take, take_path))
        written = _write(opened, plan, out_dir, force, progress)
        of_take = (*role_remarks(opened.take), *padding_remarks(opened), *group_remarks(plan))
        said = (*of_take, *plan.notes, *written)
        return Aligned(plan, (*said, *doubt_remarks(plan, EDITS_NAME)))


def render_edits(
    take_path: Path, edits_path: Path, out_dir: Path, *, force: bool = False, progress: Progress = no_progress
) -> Aligned:
    """Render a plan, perhaps corrected by hand, over its take.

    Args:
        take_path: The take that the plan was made of.
        edits_path: The ``edits.json``.
        out_dir: As for :func:`align`.
        force: As for :func:`align`.
        progress: Told of the stage "writing stems".

    Raises:
        InputError: The plan is malformed, breaks an invariant or belongs to another take; nothing was written.
        OutputError: As for :func:`align`.
    """
    plan = load_plan(edits_path)
    if plan.engine == RESYNTHESIS:
        raise InputError(
            f"{edits_path} is of a resynthesis, which lists no edits: there is nothing to render again; align the take"
        )
    with open_take(take_path) as opened:
        validate(plan, opened.take)
        check_out_dir(opened, out_dir, force, [EDITS_NAME])
        written = _write(opened, plan, out_dir, force, progress)
        return Aligned(plan, (*name_remarks(plan, opened.take), *padding_remarks(opened), *written))


def _write(opened: OpenTake, plan: EditPlan, out_dir: Path, force: bool, progress: Progress) -> tuple[str, ...]:
    """Render and write; what there is to say of it."""
    placed = placements(plan)
    rendered = render(opened.take, plan, lambda samples: progress("writing stems", samples, opened.take.samples))
    clipped = write_blocks(opened, rendered, plan_to_json(plan, placed), out_dir, force)
    return (*repair_remarks(plan, placed), *clipped)


def write_blocks(
    opened: OpenTake, blocks: Generator[Audio, None, None], edits: str, out_dir: Path, force: bool
) -> tuple[str, ...]:
    """Write the stems of a take and its ``edits.json`` while they are being made.

    Args:
        opened: The take.
        blocks: As for :func:`~beatnet_align.stem_writer.write_stems`; closed in the end.
        edits: What ``edits.json`` holds.
        out_dir: As for :func:`align`.
        force: As for :func:`align`.

    Returns:
        What there is to say of their level.

    Raises:
        InputError, OutputError: As for :func:`align`.
    """
    peaks = np.zeros(len(opened.take.channels))
    # Closed before the take's files are, so that after a failure nobody is still reading them.
    with closing(blocks), closing(ahead(blocks)) as coming:
        write_stems(opened, _metered(coming, peaks), out_dir, force=force, extra_files={EDITS_NAME: edits.encode()})
    return clipping_remarks(opened, peaks)


def _metered(blocks: Iterator[Audio], peaks: FloatArray) -> Iterator[Audio]:
    """The same blocks; ``peaks``, [channels], keeps the loudest sample of each channel so far."""
    for block in blocks:
        np.maximum(peaks, np.abs(block).max(axis=1), out=peaks)
        yield block
