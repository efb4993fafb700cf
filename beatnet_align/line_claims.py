"""Claims from lines chosen hit by hit: hits in a row for one line go together, and nobody overtakes.

A hit whose line lies before that of a hit before it cannot be cut free: it goes along and is flagged. Ornaments go with
their main strokes; what is probably no hit goes along with whatever sounds before it, so that nothing is cut for it.
Hits whose place a user gave lead claims of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from beatnet_align.claims import Claim, Decision, Held, held_decisions, one_piece
from beatnet_align.edit_plan import Flag
from beatnet_align.grid_tokens import ORNAMENT
from beatnet_align.hit_outputs import GROUP_OF_PIECE
from beatnet_align.hits import Hit
from beatnet_align.line_decoding import ChosenLines
from beatnet_align.units import seconds_to_samples

ORNAMENT_SECONDS = 0.15
"""An ornament's main stroke is no further away."""

AHEAD_SECONDS = 0.02
"""What is probably no hit goes with the stroke behind it if that is nearer and no further than this: a cut between
the two would have no room, and the stroke would be held back."""


def line_claims(hits: Sequence[Hit], chosen: ChosenLines, sample_rate: int, held: Sequence[Held] = ()) -> list[Claim]:
    """Make claims of chosen lines.

    Args:
        hits: In order of onset, at least one.
        chosen: For each of them.
        sample_rate: Of their onsets, in hertz.
        held: Those that have a given place in ``chosen``.

    Returns:
        In order of time and of lines. A claim is led by the most salient of the strokes that chose its line.
    """
    strokes, mains = _strokes(hits, chosen, sample_rate)
    lines, numbers = _numbered(hits, strokes, mains, sample_rate)
    members: list[list[int]] = [[] for _ in lines]
    for i, number in enumerate(numbers):
        members[number].append(i)
    held_on = {one.line_beats: one for one in held}
    claims = []
    for number, line in enumerate(lines):
        given = held_on.get(line)
        on_line = [i for i in members[number] if strokes.get(i) == line]
        lead = max(on_line, key=lambda i: (hits[i].salience, -i)) if given is None else given.lead
        deciding = _Deciding(hits, chosen, on_line, line, lead)
        told = {i: deciding.stroke(i) for i in members[number] if i in strokes}
        told |= {i: deciding.ornament(i, mains[i], told.get(mains[i])) for i in members[number] if i in mains}
        told |= {} if given is None else held_decisions(hits, given)
        decisions = tuple(told[i] if i in told else deciding.left(i) for i in members[number])
        stays = given is not None and given.stays
        claims.append(Claim(tuple(members[number]), lead, line, decisions=decisions, stays=stays))
    return claims


def _strokes(hits: Sequence[Hit], chosen: ChosenLines, sample_rate: int) -> tuple[dict[int, float], dict[int, int]]:
    """The lines of hits that have one of their own, and the main strokes of those that adorn one.

    An ornament without a main stroke near it is a stroke; and so is the most salient hit, where there is none at all.
    """
    strokes = {i: line for i in range(len(hits)) if (line := chosen.line_beats(i)) is not None}
    mains: dict[int, int] = {}
    alone: list[int] = []
    places = np.array(sorted(strokes), np.int64)
    onsets = np.array([hits[i].onset_samples for i in places], np.int64)
    reach = seconds_to_samples(ORNAMENT_SECONDS, sample_rate)
    for i in np.flatnonzero(chosen.answers == ORNAMENT).tolist():
        near = np.abs(onsets - hits[i].onset_samples) <= reach
        main = _main_stroke(hits, i, places[near].tolist())
        if main is None:
            alone.append(i)
        else:
            mains[i] = main
    if not strokes and not alone:
        alone = [max(range(len(hits)), key=lambda i: (hits[i].salience, -i))]
    return strokes | {i: line for i in alone if (line := chosen.best_line_beats(i)) is not None}, mains


def _main_stroke(hits: Sequence[Hit], ornament: int, near: Sequence[int]) -> int | None:
    """Of the strokes nearby, the nearest one of the same piece; else of the same group of pieces; else of all."""
    own = hits[ornament]

    def remoteness(i: int) -> tuple[bool, bool, int]:
        of_group = GROUP_OF_PIECE.get(hits[i].piece) == GROUP_OF_PIECE.get(own.piece)
        return not one_piece(hits[i], own), not of_group, abs(hits[i].onset_samples - own.onset_samples)

    return min(near, key=remoteness, default=None)


def _numbered(
    hits: Sequence[Hit], strokes: dict[int, float], mains: dict[int, int], sample_rate: int
) -> tuple[list[float], list[int]]:
    """The lines of the claims, strictly increasing, and the claim of every hit, never decreasing."""
    lines: list[float] = []
    of_stroke: dict[int, int] = {}
    for i in sorted(strokes):
        if not lines or strokes[i] > lines[-1]:
            lines.append(strokes[i])
        of_stroke[i] = len(lines) - 1
    following = _following(len(hits), of_stroke)
    ahead = seconds_to_samples(AHEAD_SECONDS, sample_rate)
    numbers: list[int] = []
    for i, hit in enumerate(hits):
        before, behind = numbers[-1] if numbers else 0, following[i]
        wanted = before
        if i in mains:
            wanted = of_stroke[mains[i]]
        elif i not in of_stroke and behind is not None and i:
            until = hits[behind].onset_samples - hit.onset_samples
            if until <= min(ahead, hit.onset_samples - hits[i - 1].onset_samples):
                wanted = of_stroke[behind]
        last = len(lines) - 1 if behind is None else of_stroke[behind]
        numbers.append(of_stroke.get(i, min(max(wanted, before), last)))
    return lines, numbers


def _following(hits: int, of_stroke: dict[int, int]) -> list[int | None]:
    """The next stroke from every hit on."""
    found: list[int | None] = [None] * hits
    behind = None
    for i in reversed(range(hits)):
        behind = i if i in of_stroke else behind
        found[i] = behind
    return found


@dataclass(frozen=True)
class _Deciding:
    """What is to be said of the members of one claim."""

    hits: Sequence[Hit]
    chosen: ChosenLines
    on_line: Sequence[int]
    line_beats: float
    lead: int

    def stroke(self, i: int) -> Decision:
        """Of a hit with a line of its own: this one, or one that it could not go to."""
        decision = Decision(
            line_confidence=self.chosen.confidence_of(i, self.line_beats),
            runner_up_beats=self.chosen.runner_up_beats(i, self.line_beats),
        )
        if i not in self.on_line:
            return replace(decision, flags=(Flag.TWO_CLAIMS,), moves_with=self.lead)
        own = [j for j in self.on_line if one_piece(self.hits[i], self.hits[j])]
        firmest = max(own, key=lambda j: (j == self.lead, self.hits[j].salience, -j))
        return decision if i == firmest else replace(decision, flags=(Flag.TWO_CLAIMS,), moves_with=firmest)

    def ornament(self, i: int, main: int, mains_own: Decision | None) -> Decision:
        """Of a hit that adorns another; ``mains_own`` is None where that one is in another claim."""
        runner_up_beats = self.chosen.runner_up_beats(i, self.line_beats)
        if mains_own is None:
            sure = self.chosen.confidence_of(i, self.line_beats)
            return Decision((Flag.ORNAMENT, Flag.TWO_CLAIMS), self.lead, sure, runner_up_beats)
        sure = min(self.chosen.confidence(i), mains_own.line_confidence)
        with_main = main if mains_own.moves_with is None else mains_own.moves_with
        return Decision((Flag.ORNAMENT,), with_main, sure, runner_up_beats)

    def left(self, i: int) -> Decision:
        """Of what is probably no hit."""
        return Decision(
            (Flag.FOLLOWS_LEAD, Flag.LOW_CONFIDENCE),
            self.lead,
            self.chosen.confidence(i),
            self.chosen.runner_up_beats(i, self.line_beats),
        )
