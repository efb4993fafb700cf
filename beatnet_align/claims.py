"""Claims: which hits go to which grid line together. Who makes them decides what every hit was meant for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from beatnet_align.edit_plan import Flag
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit, Piece
from beatnet_align.tempo_map import TempoMap


@dataclass(frozen=True)
class Decision:
    """What is known of one hit beyond its claim.

    Attributes:
        flags: Of this hit alone.
        moves_with: The hit whose shift it takes, so that it keeps its spacing to that one; None where the flags tell.
        line_confidence: How sure the line is, as in :class:`~beatnet_align.edit_plan.Move`; 1 where nobody asked.
        runner_up_beats: The line that it was meant for if not for this one, where that is known.
    """

    flags: tuple[Flag, ...] = ()
    moves_with: int | None = None
    line_confidence: float = 1.0
    runner_up_beats: float | None = None


@dataclass(frozen=True)
class Claim:
    """Hits that go to one line together, led by one of them.

    Attributes:
        members: Places in the list of hits, in order and without gaps.
        lead: The one that is put on the line.
        line_beats: The line; those of a take's claims strictly increase.
        flags: Of every member.
        decisions: One a member, or none where there is nothing more to say.
        stays: Whether its hits are left where they are; the line is where the lead is struck.
    """

    members: tuple[int, ...]
    lead: int
    line_beats: float
    flags: tuple[Flag, ...] = ()
    decisions: tuple[Decision, ...] = ()
    stays: bool = False

    def __post_init__(self) -> None:
        if self.decisions and len(self.decisions) != len(self.members):
            raise InputError(f"a claim of {len(self.members)} hits has {len(self.decisions)} decisions")

    def decided(self) -> Iterator[tuple[int, Decision]]:
        """Every member and what is known of it."""
        return zip(self.members, self.decisions or repeat(Decision()), strict=False)


@dataclass(frozen=True)
class Held:
    """Hits struck together whose place is given, see ``locks.py``.

    Attributes:
        members: Places in the list of hits, in order and without gaps.
        lead: The one that is put on the line.
        line_beats: The line, or any place that a user gave; where the lead is struck for hits that stay.
        stays: Whether they are left where they are.
    """

    members: tuple[int, ...]
    lead: int
    line_beats: float
    stays: bool


ClaimMaker = Callable[[Sequence[Hit], int, TempoMap, Grid, Sequence[Held]], Sequence[Claim]]
"""Makes the claims of hits, in order of onset, at a sample rate; every hit is in one, and they are in order. Held hits
lead claims of their own places; others go along with them where they must."""


def one_piece(one: Hit, other: Hit) -> bool:
    """Whether two strokes may be of one piece: in a mix, kick and hat share a channel and are struck together."""
    known = Piece.UNKNOWN not in (one.piece, other.piece)
    return one.channel == other.channel and (one.piece == other.piece or not known)


def held_decisions(hits: Sequence[Hit], held: Held) -> dict[int, Decision]:
    """What is to be said of each held hit: the firmest stroke of a piece goes to the place, the others keep to it."""
    told = {}
    for i in held.members:
        own = [j for j in held.members if one_piece(hits[i], hits[j])]
        firmest = max(own, key=lambda j: (j == held.lead, hits[j].salience, -j))
        told[i] = Decision((Flag.LOCKED,)) if i == firmest else Decision((Flag.LOCKED, Flag.ORNAMENT), firmest)
    return told
