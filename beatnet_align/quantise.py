"""From claims to moves: where every hit of a claim goes, and what is left alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.bar_selection import BarRange, BarSelection
from beatnet_align.claims import Claim, ClaimMaker, Decision, one_piece
from beatnet_align.clusters import FLAM_SECONDS
from beatnet_align.crowding import in_own_places, inside_take, uncrowded
from beatnet_align.cut_list import channel_groups
from beatnet_align.edit_plan import Flag, Move, SpliceSettings, TakeFacts
from beatnet_align.errors import InputError
from beatnet_align.feel import GROUP_NAMES, group_of, piece_feel_seconds
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit, Piece
from beatnet_align.locks import Lock, held_hits
from beatnet_align.nearest_line import nearest_line_claims
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import samples_to_seconds, seconds_to_ms, seconds_to_samples

LOW_CONFIDENCE = 0.5
LINE_CONFIDENCE_DECIMALS = 4

SURE_LINE = 0.9
"""From this confidence on a line needs no second look."""


@dataclass(frozen=True)
class QuantiseSettings:
    """The rules.

    Attributes:
        strength: 0 leaves every hit, 1 puts it on its line.
        piece_strengths: Pieces, or kinds of pieces as in ``feel.py``, with a strength of their own. What is cut
            together moves as its leading hit says.
        keep_feel: 0 removes all deviation; 1 keeps what each kind of piece does all along, and removes drift and
            mistakes.
        exclude_within_seconds: Hits this close to their line are left alone.
        max_move_seconds: Hits that would move further are left alone and flagged, or go along with what they were
            struck with; None for no limit.
        bars: First and last bar to edit, from 1, both included; None for all.
        leave_bars: Bars to leave alone, whatever ``bars`` says.
        locks: Hits that stay, or whose position is given. How far these go is up to strength and feel as for all; what
            leaves other hits alone does not hold them.
    """

    strength: float = 1.0
    piece_strengths: tuple[tuple[str, float], ...] = ()
    keep_feel: float = 0.0
    exclude_within_seconds: float = 0.0
    max_move_seconds: float | None = None
    bars: BarRange | None = None
    leave_bars: tuple[BarRange, ...] = ()
    locks: tuple[Lock, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise InputError(f"strength must lie between 0 and 1 (0 to 100 %), found {self.strength}")
        known = list(dict.fromkeys((*GROUP_NAMES, *Piece)))
        for name, strength in self.piece_strengths:
            if name not in known:
                raise InputError(f"no such piece: {name!r}; choose from {', '.join(known)}")
            if not 0.0 <= strength <= 1.0:
                raise InputError(f"strength of {name} must lie between 0 and 1 (0 to 100 %), found {strength}")
        if not 0.0 <= self.keep_feel <= 1.0:
            raise InputError(f"the feel to keep must lie between 0 and 1 (0 to 100 %), found {self.keep_feel}")
        if not self.exclude_within_seconds >= 0.0:
            raise InputError(
                f"exclude-within must not be negative, found {seconds_to_ms(self.exclude_within_seconds):g} ms"
            )
        if self.max_move_seconds is not None and not self.max_move_seconds > 0.0:
            raise InputError(f"the maximum move must be over 0, found {seconds_to_ms(self.max_move_seconds):g} ms")
        _ = self.edited_bars

    @property
    def edited_bars(self) -> BarSelection:
        """The bars whose hits may move."""
        return BarSelection(self.bars, self.leave_bars)

    def strength_of(self, piece: Piece) -> float:
        """The strength of a piece: its own, else that of its kind, else that of all."""
        own = dict(self.piece_strengths)
        return own.get(piece.value, own.get(group_of(piece), self.strength))


def quantise(  # noqa: PLR0913 - what was played, where it may go, how it will be cut
    hits: Sequence[Hit],
    take: Take,
    tempo_map: TempoMap,
    grid: Grid,
    settings: QuantiseSettings | None = None,
    splice: SpliceSettings | None = None,
    *,
    claim_maker: ClaimMaker = nearest_line_claims,
    repaired: bool = False,
) -> tuple[Move, ...]:
    """Send each hit to the line that it was meant for.

    Hits of one claim go together: the lead to the line, ornaments and those that only go along by the lead's shift.

    Args:
        hits: In order of onset.
        take: Gives rate, length and channel names.
        tempo_map: Gives the beats.
        grid: Gives the lines.
        settings: See :class:`QuantiseSettings`.
        splice: How the moves will be cut, which decides how close two of them may come.
        claim_maker: Decides which line that is; the nearest, by the rules of ``nearest_line.py``, when not given.
        repaired: Whether hits that cannot be cut apart will be lifted, so that each can go where it was meant to.

    Returns:
        One move per hit, in the same order. Cut lists derived from them keep the invariants.
    """
    if not hits:
        return ()
    settings = settings or QuantiseSettings()
    splice = splice or SpliceSettings()
    groups = channel_groups(splice, TakeFacts.of(take))
    moves: list[Move] = []
    held = held_hits(settings.locks, hits, take, tempo_map, grid)
    claims = claim_maker(hits, take.sample_rate, tempo_map, grid, held)
    feel = piece_feel_seconds(hits, claims, take.sample_rate, tempo_map) if settings.keep_feel else {}
    flam_samples = seconds_to_samples(FLAM_SECONDS, take.sample_rate)
    most_seconds = take.seconds if settings.max_move_seconds is None else settings.max_move_seconds
    most_samples = seconds_to_samples(most_seconds, take.sample_rate)

    def shift_to(line_samples: int, aims: Hit) -> int:
        late_seconds = settings.keep_feel * feel.get(group_of(aims.piece), 0.0)
        wanted = line_samples + seconds_to_samples(late_seconds, take.sample_rate)
        return round(settings.strength_of(aims.piece) * (wanted - aims.onset_samples))

    for claim in claims:
        line_seconds = tempo_map.to_seconds(claim.line_beats)
        locked = any(Flag.LOCKED in decision.flags for decision in claim.decisions)
        leave = None if locked else _reason_to_leave(hits[claim.lead], line_seconds, tempo_map, take, settings)
        moves_away = leave is None and not claim.stays
        line_samples = seconds_to_samples(line_seconds, take.sample_rate)
        for i, decision in claim.decided():
            flags = _flags(hits, claim, i, decision)
            far_off = abs(hits[i].onset_samples - hits[claim.lead].onset_samples) > flam_samples
            if locked and far_off and not {Flag.LOCKED, Flag.TWO_CLAIMS}.intersection(flags):
                flags.append(Flag.CROWDED)
            shift = 0
            if moves_away:
                shift = shift_to(line_samples, hits[_spaced_from(claim, i, decision, flags)])
                if repaired and not locked and abs(shift) > most_samples and i != claim.lead:
                    shift = shift_to(line_samples, hits[claim.lead])
                    flags.append(Flag.BEYOND_MAX_MOVE)
            if leave is not None:
                flags.append(leave)
            moves.append(
                Move(
                    onset_samples=hits[i].onset_samples,
                    destination_samples=inside_take(hits[i].onset_samples + shift, take.samples),
                    channel=take.channels[hits[i].channel].name,
                    piece=hits[i].piece,
                    velocity=hits[i].velocity,
                    confidence=hits[i].confidence,
                    leads=i == claim.lead or not moves_away,
                    line_beats=claim.line_beats if moves_away else None,
                    line_confidence=round(decision.line_confidence, LINE_CONFIDENCE_DECIMALS),
                    runner_up_beats=decision.runner_up_beats,
                    flags=tuple(flags),
                )
            )
    placed = uncrowded(moves, groups, take, splice)
    return tuple(in_own_places(placed, moves) if repaired else placed)


def _flags(hits: Sequence[Hit], claim: Claim, i: int, decision: Decision) -> list[Flag]:
    """What there is to say of a member of a claim, each once."""
    flags = [*claim.flags, *decision.flags]
    if decision.line_confidence < SURE_LINE:
        flags.append(Flag.UNSURE_LINE)
    if hits[i].confidence < LOW_CONFIDENCE:
        flags.append(Flag.LOW_CONFIDENCE)
    if i != claim.lead and not {Flag.ORNAMENT, Flag.FOLLOWS_LEAD}.intersection(flags):
        flags.append(Flag.ORNAMENT if one_piece(hits[i], hits[claim.lead]) else Flag.FOLLOWS_LEAD)
    return list(dict.fromkeys(flags))


def _spaced_from(claim: Claim, i: int, decision: Decision, flags: Sequence[Flag]) -> int:
    """The hit that is put on the line so that a member keeps its spacing to it, or the member itself."""
    if decision.moves_with is not None:
        return decision.moves_with
    return claim.lead if Flag.ORNAMENT in flags or Flag.TWO_CLAIMS in flags else i


def _reason_to_leave(
    lead: Hit, line_seconds: float, tempo_map: TempoMap, take: Take, settings: QuantiseSettings
) -> Flag | None:
    distance_seconds = line_seconds - samples_to_seconds(lead.onset_samples, take.sample_rate)
    bar = int(tempo_map.bar_of(tempo_map.to_beats(np.array([line_seconds])))[0])
    if bar not in settings.edited_bars:
        return Flag.OUTSIDE_BARS
    if not 0.0 <= line_seconds < take.seconds:
        return Flag.OUTSIDE_TAKE
    if abs(distance_seconds) < settings.exclude_within_seconds:
        return Flag.WITHIN_EXCLUSION
    if settings.max_move_seconds is not None and abs(distance_seconds) > settings.max_move_seconds:
        return Flag.BEYOND_MAX_MOVE
    return None
