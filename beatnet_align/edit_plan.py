"""The edit plan: pure data between deciding and cutting. The cut list follows from it, see ``cut_list.py``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from beatnet_align.bar_selection import BarRange, BarSelection
from beatnet_align.engines import Engine, Fill, Render
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import seconds_to_ms

MAX_PAD_SECONDS = 0.050
MAX_FLAM_SECONDS = 0.100


class Flag(StrEnum):
    """Why a move deserves a second look, or why a hit was not simply sent to its nearest line."""

    FAR_FROM_LINE = "far_from_line"
    LOW_CONFIDENCE = "low_confidence"
    UNSURE_LINE = "unsure_line"
    TWO_CLAIMS = "two_claims"
    ORNAMENT = "ornament"
    FOLLOWS_LEAD = "follows_lead"
    CROWDED = "crowded"
    WITHIN_EXCLUSION = "within_exclusion"
    BEYOND_MAX_MOVE = "beyond_max_move"
    OUTSIDE_BARS = "outside_bars"
    OUTSIDE_TAKE = "outside_take"
    LOCKED = "locked"


DOUBTFUL = frozenset(
    {
        Flag.FAR_FROM_LINE,
        Flag.LOW_CONFIDENCE,
        Flag.UNSURE_LINE,
        Flag.TWO_CLAIMS,
        Flag.CROWDED,
        Flag.BEYOND_MAX_MOVE,
    }
)
"""The flags that ask the engineer to look."""


@dataclass(frozen=True)
class Move:
    """One hit and where it goes.

    Attributes:
        onset_samples: Where the hit is in the source.
        destination_samples: Where it should sound.
        channel: Name of the channel that triggered it.
        piece: What was struck.
        velocity: 0 to 1.
        confidence: 0 to 1, that the hit is real.
        leads: Whether the other hits of its segment follow this one.
        line_beats: The grid line it was meant for; None for a hit that is left where it is.
        line_confidence: 0 to 1, that a bar of hits as sure as this one goes to the lines it was meant for, see
            ``line_confidence.py``; of an ornament, that it is one as well; of what is probably no hit, that it is none.
            1 where nobody asked, as with nearest lines, and of locked hits.
        runner_up_beats: The line that it was meant for if not for that one; None where nobody asked.
        flags: See :class:`Flag`.
    """

    onset_samples: int
    destination_samples: int
    channel: str
    piece: Piece
    velocity: float
    confidence: float
    leads: bool = True
    line_beats: float | None = None
    line_confidence: float = 1.0
    runner_up_beats: float | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def shift_samples(self) -> int:
        """Movement applied; positive is later."""
        return self.destination_samples - self.onset_samples


@dataclass(frozen=True)
class TakeFacts:
    """What a plan remembers of its take, so that it is never rendered over another.

    Attributes:
        name: What the take was called.
        sample_rate: In hertz.
        samples: Length of the longest channel.
        channels: Names, one a row.
        roles: What each was put up for.
    """

    name: str
    sample_rate: int
    samples: int
    channels: tuple[str, ...]
    roles: tuple[Role, ...]

    @classmethod
    def of(cls, take: Take) -> "TakeFacts":
        """The facts of a take."""
        names, roles = zip(*((channel.name, channel.role) for channel in take.channels), strict=True)
        return cls(take.name, take.sample_rate, take.samples, names, roles)


@dataclass(frozen=True)
class SpliceSettings:
    """How a plan is cut.

    Attributes:
        pad_seconds: A cut lies this long before the first attack of its segment; 5 ms as in REAPER, at most 50 ms as in
            Pro Tools.
        crossfade_seconds: Length of the crossfade, which ends before the attack.
        fill: What sounds in gaps, and with NEURAL where attacks move closer; AUTO runs on into the tail for up to 30 ms
            and does with longer ones as ``long_gaps`` says.
        long_gaps: NEURAL in plans of the neural engine; the classical one stays classical.
        groups: Names of channels or stems that are cut together; channels in no group form a last one. Without
            groups all channels are cut together. Clicks that no group names stay as they are.
    """

    pad_seconds: float = 0.005
    crossfade_seconds: float = 0.005
    fill: Fill = Fill.AUTO
    groups: tuple[tuple[str, ...], ...] = ()
    long_gaps: Fill = Fill.AUTOREGRESSIVE

    def __post_init__(self) -> None:
        if not 0.001 <= self.pad_seconds <= MAX_PAD_SECONDS:
            raise InputError(f"the pre-onset pad must be 1 to 50 ms, found {seconds_to_ms(self.pad_seconds):g} ms")
        if not 0.0005 <= self.crossfade_seconds <= MAX_PAD_SECONDS:
            raise InputError(f"the crossfade must be 0.5 to 50 ms, found {seconds_to_ms(self.crossfade_seconds):g} ms")
        check_in_one_group(self.groups)


@dataclass(frozen=True)
class RepairSettings:
    """Where hits of one line that were struck apart are lifted out of the microphones and moved each by itself.

    Attributes:
        render: SPLICE cuts everywhere; SEPARATE lifts every hit; AUTO lifts those that a cut leaves off their place.
        flam_seconds: AUTO lifts a hit that a cut would leave further than this from its place.
        bars: First and last bar to repair, from 1; None for all.
    """

    render: Render = Render.SPLICE
    flam_seconds: float = 0.002
    bars: BarRange | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.flam_seconds <= MAX_FLAM_SECONDS:
            raise InputError(
                f"flams to repair must be over 0 and at most {seconds_to_ms(MAX_FLAM_SECONDS):g} ms, "
                f"found {seconds_to_ms(self.flam_seconds):g} ms"
            )
        _ = self.repaired_bars

    @property
    def repaired_bars(self) -> BarSelection:
        """The bars in which AUTO repairs."""
        return BarSelection(self.bars)


@dataclass(frozen=True)
class EditPlan:
    """Everything that was decided about a take.

    Attributes:
        take: Which take the plan belongs to.
        moves: One per hit, in order of onset.
        tempo_map: What the lines were placed by.
        grid: The lines.
        engine: Who decided; the name of an :class:`~beatnet_align.engines.Engine`, or of another source.
        splice: How to cut.
        repair: Where to lift hits out instead.
        notes: Assumptions and warnings, in plain sentences.
    """

    take: TakeFacts
    moves: tuple[Move, ...]
    tempo_map: TempoMap
    grid: Grid
    engine: str = Engine.ONSET_QUANTISE.value
    splice: SpliceSettings = field(default_factory=SpliceSettings)
    repair: RepairSettings = field(default_factory=RepairSettings)
    notes: tuple[str, ...] = ()


def check_in_one_group(groups: Sequence[Sequence[str]]) -> None:
    """Raise :class:`InputError` where a channel is named twice."""
    names = [name for group in groups for name in group]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"a channel may be in one group only, {twice!r} is named twice")
