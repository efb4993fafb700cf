"""From claims to moves: where every hit of a claim goes, what is left alone, and that all of it can be cut."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from beatnet_align.claims import Claim, ClaimMaker, Decision, one_piece
from beatnet_align.cut_list import Cut, channel_groups, cut_before, leaves_take, runs_into, segments
from beatnet_align.edit_plan import Flag, Move, SpliceSettings, check_bars
from beatnet_align.errors import InputError
from beatnet_align.feel import GROUP_NAMES, group_of, piece_feel_seconds
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit, Piece
from beatnet_align.nearest_line import nearest_line_claims
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import samples_to_seconds, seconds_to_ms, seconds_to_samples

LOW_CONFIDENCE = 0.5
SURE_LINE = 0.9
"""From this probability on a line needs no second look."""

LEAST_APART_SECONDS = 0.006
"""Less than this of an attack before the next cut is as good as none."""


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
        max_move_seconds: Hits that would move further are left alone and flagged; None for no limit.
        bars: First and last bar to edit, from 1, both included; None for all.
    """

    strength: float = 1.0
    piece_strengths: tuple[tuple[str, float], ...] = ()
    keep_feel: float = 0.0
    exclude_within_seconds: float = 0.0
    max_move_seconds: float | None = None
    bars: tuple[int, int] | None = None

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
        check_bars(self.bars)

    def strength_of(self, piece: Piece) -> float:
        """The strength of a piece: its own, else that of its kind, else that of all."""
        own = dict(self.piece_strengths)
        return own.get(piece.value, own.get(group_of(piece), self.strength))


def quantise(
    hits: Sequence[Hit],
    take: Take,
    tempo_map: TempoMap,
    grid: Grid,
    settings: QuantiseSettings | None = None,
    splice: SpliceSettings | None = None,
    *,
    claim_maker: ClaimMaker = nearest_line_claims,
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

    Returns:
        One move per hit, in the same order. Cut lists derived from them keep the invariants.
    """
    if not hits:
        return ()
    settings = settings or QuantiseSettings()
    splice = splice or SpliceSettings()
    groups = channel_groups(splice, [channel.name for channel in take.channels])
    moves: list[Move] = []
    claims = claim_maker(hits, take.sample_rate, tempo_map, grid)
    feel = piece_feel_seconds(hits, claims, take.sample_rate, tempo_map) if settings.keep_feel else {}
    for claim in claims:
        line_seconds = tempo_map.to_seconds(claim.line_beats)
        leave = _reason_to_leave(hits[claim.lead], line_seconds, tempo_map, take, settings)
        line_samples = seconds_to_samples(line_seconds, take.sample_rate)
        for i, decision in claim.decided():
            flags = _flags(hits, claim, i, decision)
            destination = hits[i].onset_samples
            if leave is None:
                aims = hits[_spaced_from(claim, i, decision, flags)]
                late_seconds = settings.keep_feel * feel.get(group_of(aims.piece), 0.0)
                wanted = line_samples + seconds_to_samples(late_seconds, take.sample_rate)
                destination += round(settings.strength_of(aims.piece) * (wanted - aims.onset_samples))
            else:
                flags.append(leave)
            moves.append(
                Move(
                    onset_samples=hits[i].onset_samples,
                    destination_samples=_inside(destination, take.samples),
                    channel=take.channels[hits[i].channel].name,
                    piece=hits[i].piece,
                    velocity=hits[i].velocity,
                    confidence=hits[i].confidence,
                    leads=i == claim.lead or leave is not None,
                    line_beats=claim.line_beats if leave is None else None,
                    line_confidence=decision.line_confidence,
                    runner_up_beats=decision.runner_up_beats,
                    flags=tuple(flags),
                )
            )
    return tuple(uncrowded(moves, groups, take, splice))


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
    if settings.bars is not None:
        bar = int(tempo_map.bar_of(tempo_map.to_beats(np.array([line_seconds])))[0])
        if not settings.bars[0] <= bar <= settings.bars[1]:
            return Flag.OUTSIDE_BARS
    if not 0.0 <= line_seconds < take.seconds:
        return Flag.OUTSIDE_TAKE
    if abs(distance_seconds) < settings.exclude_within_seconds:
        return Flag.WITHIN_EXCLUSION
    if settings.max_move_seconds is not None and abs(distance_seconds) > settings.max_move_seconds:
        return Flag.BEYOND_MAX_MOVE
    return None


def uncrowded(moves: Sequence[Move], groups: Sequence[Sequence[str]], take: Take, splice: SpliceSettings) -> list[Move]:
    """Make the cuts of every group possible.

    A segment that would run into the one before it goes along with that one; one that would leave the take stays.
    """
    placed: list[tuple[Move, ...]] = []
    cuts: list[list[Cut]] = []
    for wanted in segments(moves):
        segment = wanted
        while True:
            behind = cuts[-1] if cuts else [None] * len(groups)
            pairs = [
                (previous, cut_before(segment, group, previous, splice, take.sample_rate))
                for group, previous in zip(groups, behind, strict=True)
            ]
            if any(leaves_take(cut, take.samples) for _, cut in pairs):
                segment = _left(segment)
            elif any(
                previous is not None and runs_into(previous, cut, LEAST_APART_SECONDS, take.sample_rate)
                for previous, cut in pairs
            ):
                cuts.pop()
                segment = _joined(placed.pop(), segment, take.samples)
            else:
                break
        placed.append(segment)
        cuts.append([cut for _, cut in pairs])
    return [move for segment in placed for move in segment]


def _joined(before: tuple[Move, ...], segment: tuple[Move, ...], samples: int) -> tuple[Move, ...]:
    """Both segments as one, which moves as far as the leading hit of the earlier one."""
    lead = next(move for move in before if move.leads)
    segment = tuple(_held_back(move) if move.line_beats != lead.line_beats else move for move in segment)
    followers = tuple(
        replace(
            move,
            destination_samples=_inside(move.onset_samples + lead.shift_samples, samples),
            line_beats=lead.line_beats,
            leads=lead.line_beats is None,
            flags=_with(move.flags, Flag.CROWDED),
        )
        for move in segment
    )
    return before + followers


def _held_back(move: Move) -> Move:
    """A move that cannot go to the line it was meant for; nothing changes where nobody was asked how sure that is."""
    if move.runner_up_beats is None or move.line_beats is None:
        return move
    flags = _with(move.flags, Flag.UNSURE_LINE)
    return replace(move, line_confidence=0.0, runner_up_beats=move.line_beats, flags=flags)


def _left(segment: tuple[Move, ...]) -> tuple[Move, ...]:
    """The hits of a segment where they were."""
    return tuple(
        replace(
            move,
            destination_samples=move.onset_samples,
            line_beats=None,
            leads=True,
            flags=_with(move.flags, Flag.OUTSIDE_TAKE),
        )
        for move in segment
    )


def _inside(samples: int, length_samples: int) -> int:
    return min(max(samples, 0), length_samples - 1)


def _with(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    return flags if flag in flags else (*flags, flag)
