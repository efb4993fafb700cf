"""Classical alignment: every hit to its nearest grid line, by rules an engineer can foresee."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from beatnet_align.cut_list import Cut, channel_groups, cut_before, leaves_take, runs_into, segments
from beatnet_align.edit_plan import Flag, Move, SpliceSettings
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit, Piece
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, samples_to_seconds, seconds_to_ms, seconds_to_samples

FAR_SHARE = 0.35
"""Further than this share of a grid step from its line, a hit is doubtful."""

LOW_CONFIDENCE = 0.5
FLAM_SECONDS, FLAM_SHARE = 0.035, 0.35
"""Hits closer than this in time, and than this share of a grid step, were meant for one line."""

ORNAMENT_SECONDS, ORNAMENT_SHARE = 0.090, 0.6
ORNAMENT_VELOCITY = 0.7
"""A softer stroke of the same piece this close to a main stroke ornaments it, and keeps its spacing."""

LEAST_APART_SHARE = 0.6
LEANING_SHARE = 0.3
"""Of two strokes that far apart, in steps, one that leans this far to a free neighbouring line goes there."""

CLEAR_LEAD_DB = 10.0
"""Of two strokes on one line the nearer leads, unless the other is this much more salient."""

LEAST_APART_SECONDS = 0.006
"""Less than this of an attack before the next cut is as good as none."""


@dataclass(frozen=True)
class QuantiseSettings:
    """The rules.

    Attributes:
        strength: 0 leaves every hit, 1 puts it on its line.
        exclude_within_seconds: Hits this close to their line are left alone.
        max_move_seconds: Hits that would move further are left alone and flagged; None for no limit.
        bars: First and last bar to edit, from 1, both included; None for all.
    """

    strength: float = 1.0
    exclude_within_seconds: float = 0.0
    max_move_seconds: float | None = None
    bars: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise InputError(f"strength must lie between 0 and 1 (0 to 100 %), found {self.strength}")
        if not self.exclude_within_seconds >= 0.0:
            raise InputError(
                f"exclude-within must not be negative, found {seconds_to_ms(self.exclude_within_seconds):g} ms"
            )
        if self.max_move_seconds is not None and not self.max_move_seconds > 0.0:
            raise InputError(f"the maximum move must be over 0, found {seconds_to_ms(self.max_move_seconds):g} ms")
        if self.bars is not None and self.bars[0] > self.bars[1]:
            raise InputError(f"the bar range ends before it starts: {self.bars[0]}-{self.bars[1]}")


def quantise(
    hits: Sequence[Hit],
    take: Take,
    tempo_map: TempoMap,
    grid: Grid,
    settings: QuantiseSettings | None = None,
    splice: SpliceSettings | None = None,
) -> tuple[Move, ...]:
    """Send each hit to its nearest line.

    Hits within a flam of each other go together, led by the most salient. An ornament goes with its main stroke.
    Where two strokes claim one line, the nearer has it; the other takes the free neighbouring line it leans to, or
    follows.

    Args:
        hits: In order of onset.
        take: Gives rate, length and channel names.
        tempo_map: Gives the beats.
        grid: Gives the lines.
        settings: See :class:`QuantiseSettings`.
        splice: How the moves will be cut, which decides how close two of them may come.

    Returns:
        One move per hit, in the same order. Cut lists derived from them keep the invariants.
    """
    if not hits:
        return ()
    settings = settings or QuantiseSettings()
    splice = splice or SpliceSettings()
    groups = channel_groups(splice, [channel.name for channel in take.channels])
    rate = take.sample_rate
    beats = tempo_map.to_beats(samples_to_seconds(np.array([hit.onset_samples for hit in hits]), rate))
    steps = grid.step_beats_at(beats)
    moves: list[Move] = []
    for claim in _claims(hits, beats, steps * 60.0 / tempo_map.bpm_at(beats), grid, rate):
        line_seconds = tempo_map.to_seconds(claim.line_beats)
        leave = _reason_to_leave(hits[claim.lead], line_seconds, tempo_map, take, settings)
        far = abs(beats[claim.lead] - claim.line_beats) > FAR_SHARE * steps[claim.lead]
        for i in claim.members:
            flags = [*claim.flags, *([Flag.FAR_FROM_LINE] if far else [])]
            if hits[i].confidence < LOW_CONFIDENCE:
                flags.append(Flag.LOW_CONFIDENCE)
            if i != claim.lead:
                flags.append(Flag.ORNAMENT if _one_piece(hits[i], hits[claim.lead]) else Flag.FOLLOWS_LEAD)
            destination = hits[i].onset_samples
            if leave is None:
                keeps_spacing = Flag.ORNAMENT in flags or Flag.TWO_CLAIMS in flags
                aims = hits[claim.lead if keeps_spacing else i].onset_samples
                destination += round(settings.strength * (seconds_to_samples(line_seconds, rate) - aims))
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
                    flags=tuple(flags),
                )
            )
    return tuple(uncrowded(moves, groups, take, splice))


@dataclass(frozen=True)
class _Claim:
    """Hits that go to one line together, led by one of them."""

    members: tuple[int, ...]
    lead: int
    line_beats: float
    flags: tuple[Flag, ...] = ()


def _claims(hits: Sequence[Hit], beats: FloatArray, steps_seconds: FloatArray, grid: Grid, rate: int) -> list[_Claim]:
    """Who goes to which line: nearest lines first, then every second claim is settled."""
    claims: list[_Claim] = []
    for cluster in _clusters(hits, steps_seconds, rate):
        lead = max(cluster, key=lambda i: (hits[i].salience, -i))
        claims.append(_Claim(tuple(cluster), lead, float(grid.nearest_line(beats[[lead]])[0])))
    settled: list[_Claim] = []
    for k, claim in enumerate(claims):
        rival = settled[-1] if settled and settled[-1].line_beats >= claim.line_beats else None
        if rival is None:
            settled.append(claim)
            continue
        line = rival.line_beats
        around = grid.lines_beats(line - 3.0, line + 3.0)
        at = int(np.searchsorted(around, line))
        below, above = float(around[at - 1]), float(around[at + 1])
        next_is_free = k + 1 == len(claims) or claims[k + 1].line_beats > above
        last_is_free = len(settled) == 1 or settled[-2].line_beats < below
        early, late = line - beats[rival.lead], beats[claim.lead] - line
        apart = early + late > LEAST_APART_SHARE * (above - line)
        if apart and next_is_free and late > LEANING_SHARE * (above - line) and late > early:
            settled.append(replace(claim, line_beats=above, flags=(Flag.TWO_CLAIMS,)))
        elif apart and last_is_free and early > LEANING_SHARE * (line - below) and early > late:
            settled[-1] = replace(rival, line_beats=below, flags=(Flag.TWO_CLAIMS,))
            settled.append(replace(claim, line_beats=line))
        else:
            nearer = min((rival.lead, claim.lead), key=lambda i: abs(beats[i] - line))
            firmer = max((rival.lead, claim.lead), key=lambda i: hits[i].salience)
            clear = not apart or abs(hits[rival.lead].salience - hits[claim.lead].salience) > CLEAR_LEAD_DB
            members = (*rival.members, *claim.members)
            settled[-1] = _Claim(members, firmer if clear else nearer, line, (Flag.TWO_CLAIMS,))
    return settled


def _clusters(hits: Sequence[Hit], steps_seconds: FloatArray, rate: int) -> list[list[int]]:
    """Indices of hits that go together: flams between pieces, and ornaments with their main stroke."""
    clusters: list[list[int]] = []
    for i, hit in enumerate(hits):
        if clusters:
            step = float(steps_seconds[i])
            flam = seconds_to_samples(min(FLAM_SECONDS, FLAM_SHARE * step), rate)
            near = seconds_to_samples(min(ORNAMENT_SECONDS, ORNAMENT_SHARE * step), rate)
            distance = hit.onset_samples - hits[clusters[-1][0]].onset_samples
            strokes = [j for j in clusters[-1] if _one_piece(hits[j], hit)]
            ornament = bool(strokes) and _is_ornament(hits[strokes[-1]], hit) and distance <= near
            if (distance <= flam and not strokes) or ornament:
                clusters[-1].append(i)
                continue
        clusters.append([i])
    return clusters


def _is_ornament(one: Hit, other: Hit) -> bool:
    """Whether two strokes of one piece differ enough in force to be a main stroke and its ornament."""
    softer, firmer = sorted((one.velocity, other.velocity))
    return _one_piece(one, other) and softer <= ORNAMENT_VELOCITY * firmer


def _one_piece(one: Hit, other: Hit) -> bool:
    """Whether two strokes may be of one piece: in a mix, kick and hat share a channel and are struck together."""
    known = Piece.UNKNOWN not in (one.piece, other.piece)
    return one.channel == other.channel and (one.piece == other.piece or not known)


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
