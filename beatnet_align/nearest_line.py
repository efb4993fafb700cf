"""Classical alignment: every hit to its nearest grid line, by rules an engineer can foresee."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from beatnet_align.claims import Claim, Decision, Held, held_decisions, one_piece
from beatnet_align.clusters import clusters
from beatnet_align.edit_plan import Flag
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, samples_to_seconds

FAR_SHARE = 0.35
"""Further than this share of a grid step from its line, a hit is doubtful."""

LEAST_APART_SHARE = 0.6
LEANING_SHARE = 0.3
"""Of two strokes that far apart, in steps, one that leans this far to a free neighbouring line goes there."""

CLEAR_LEAD_DB = 10.0
"""Of two strokes on one line the nearer leads, unless the other is this much more salient."""


def nearest_line_claims(
    hits: Sequence[Hit], sample_rate: int, tempo_map: TempoMap, grid: Grid, held: Sequence[Held] = ()
) -> list[Claim]:
    """Send each hit to its nearest line.

    Hits within a flam of each other go together, led by the most salient. An ornament goes with its main stroke.
    Where two strokes claim one line, the nearer has it; the other takes the free neighbouring line it leans to, or
    follows. Claims led from far off their line are flagged.

    Args:
        hits: In order of onset.
        sample_rate: Of their onsets, in hertz.
        tempo_map: Gives the beats.
        grid: Gives the lines.
        held: Hits whose place is given. Those around them take lines before and behind that place, or go along.
    """
    if not hits:
        return []
    beats = tempo_map.to_beats(samples_to_seconds(np.array([hit.onset_samples for hit in hits]), sample_rate))
    steps = grid.step_beats_at(beats)
    nearest = grid.nearest_line(beats)
    together = clusters(hits, steps * 60.0 / tempo_map.bpm_at(beats), sample_rate)
    claims: list[Claim] = []
    leading: list[int] = []
    for before, after in pairwise((None, *held, None)):
        first = 0 if before is None else before.members[-1] + 1
        stop = len(hits) if after is None else after.members[0]
        low_beats = -np.inf if before is None else before.line_beats
        high_beats = np.inf if after is None else after.line_beats
        stretch = _Stretch(hits, beats, nearest, steps, grid, low_beats, high_beats)
        following, free, last = stretch.parted([cluster for cluster in together if first <= cluster[0] < stop])
        if before is not None:
            claims.append(_held_claim(hits, before, (*leading, *before.members, *following), nearest))
        claims += stretch.settled(free)
        leading = last
    return claims


def _held_claim(hits: Sequence[Hit], held: Held, members: Sequence[int], nearest_beats: FloatArray) -> Claim:
    """The claim of held hits and of those that go along; other pieces on their own nearest line are put on that."""
    told = held_decisions(hits, held)
    for i in members:
        strangers = not any(one_piece(hits[i], hits[j]) for j in held.members)
        on_line = strangers and nearest_beats[i] == held.line_beats
        told.setdefault(i, Decision() if on_line else Decision((Flag.TWO_CLAIMS,), held.lead))
    decisions = tuple(told[i] for i in members)
    return Claim(tuple(members), held.lead, held.line_beats, decisions=decisions, stays=held.stays)


@dataclass(frozen=True, eq=False)
class _Stretch:
    """The hits between two places that are given, or before, behind or without any.

    Attributes:
        hits: Of the whole take.
        beats: [hits], where they are struck.
        nearest_beats: [hits], the lines nearest to that.
        steps_beats: [hits], the distance of the lines around.
        grid: Gives the lines.
        low_beats, high_beats: The places; lines between them are free.
    """

    hits: Sequence[Hit]
    beats: FloatArray
    nearest_beats: FloatArray
    steps_beats: FloatArray
    grid: Grid
    low_beats: float
    high_beats: float

    def parted(self, together: Sequence[Sequence[int]]) -> tuple[list[int], list[Claim], list[int]]:
        """Hits that go along with the place before, claims of those that find a line, hits that go along behind.

        Who finds no free line near enough goes along.
        """
        claims = [self._claim(cluster) for cluster in together]
        nearest = [self.nearest_beats[claim.lead] for claim in claims]
        lost = [
            abs(claim.line_beats - self.beats[claim.lead]) > (1.0 - LEANING_SHARE) * self.steps_beats[claim.lead]
            for claim in claims
        ]
        first = max((k + 1 for k, line in enumerate(nearest) if lost[k] and line <= self.low_beats), default=0)
        stop = min((k for k in range(first, len(claims)) if lost[k]), default=len(claims))
        following, leading = ([i for claim in part for i in claim.members] for part in (claims[:first], claims[stop:]))
        return following, claims[first:stop], leading

    def _claim(self, cluster: Sequence[int]) -> Claim:
        """A cluster's claim to the nearest free line, however far; to infinity where there is none."""
        lead = max(cluster, key=lambda i: (self.hits[i].salience, -i))
        lines = self._lines_around(float(self.beats[lead]))
        lines = lines[(lines > self.low_beats) & (lines < self.high_beats)]
        far = np.abs(lines - self.beats[lead])
        return Claim(tuple(cluster), lead, float(lines[far.argmin()]) if lines.size else np.inf)

    def _lines_around(self, beats: float) -> FloatArray:
        return self.grid.lines_beats(beats - 3.0, beats + 3.0)

    def settled(self, claims: Sequence[Claim]) -> list[Claim]:
        """Claims of which no two want one line; those led from far off it are flagged."""
        settled: list[Claim] = []
        for k, claim in enumerate(claims):
            rival = settled[-1] if settled and settled[-1].line_beats >= claim.line_beats else None
            if rival is None:
                settled.append(claim)
                continue
            next_line = claims[k + 1].line_beats if k + 1 < len(claims) else self.high_beats
            last_line = settled[-2].line_beats if len(settled) > 1 else self.low_beats
            settled[-1:] = self._of_rivals(rival, claim, last_line, next_line)
        return [
            replace(claim, flags=(*claim.flags, Flag.FAR_FROM_LINE))
            if abs(self.beats[claim.lead] - claim.line_beats) > FAR_SHARE * self.steps_beats[claim.lead]
            else claim
            for claim in settled
        ]

    def _of_rivals(self, rival: Claim, claim: Claim, last_line: float, next_line: float) -> tuple[Claim, ...]:
        """What becomes of two claims to one line, between the lines of the claims around them."""
        line = rival.line_beats
        around = self._lines_around(line)
        at = int(np.searchsorted(around, line))
        below, above = float(around[at - 1]), float(around[at + 1])
        early, late = line - self.beats[rival.lead], self.beats[claim.lead] - line
        apart = early + late > LEAST_APART_SHARE * (above - line)
        if apart and above < next_line and late > LEANING_SHARE * (above - line) and late > early:
            return rival, replace(claim, line_beats=above, flags=(Flag.TWO_CLAIMS,))
        if apart and last_line < below and early > LEANING_SHARE * (line - below) and early > late:
            return replace(rival, line_beats=below, flags=(Flag.TWO_CLAIMS,)), replace(claim, line_beats=line)
        nearer = min((rival.lead, claim.lead), key=lambda i: abs(self.beats[i] - line))
        firmer = max((rival.lead, claim.lead), key=lambda i: self.hits[i].salience)
        clear = not apart or abs(self.hits[rival.lead].salience - self.hits[claim.lead].salience) > CLEAR_LEAD_DB
        return (Claim((*rival.members, *claim.members), firmer if clear else nearer, line, (Flag.TWO_CLAIMS,)),)
