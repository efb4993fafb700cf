"""Choose a line for every hit: the most probable ones that keep order, as long as order costs little.

A beam search over the hits in order of time. Going back in time, and a second stroke of a piece on its line, are made
dear and not forbidden: a hard constraint on these scores makes them worse (EVIDENCE.md).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.grid_tokens import ANSWERS, CANDIDATES
from beatnet_align.units import FloatArray, IntArray

BACKWARDS_NATS = 1.5
"""What a line before the furthest one so far costs. Hits that go there cannot be cut apart."""

REPEATED_NATS = 1.5
"""What a second main stroke of a piece on one line costs."""

NO_LINE_NATS = 2.0
"""What it costs to call a hit an ornament or none: a main stroke that goes nowhere is worse than a false one that does.
These three were chosen on performances of drummers who are not those of the card's figures."""

BEAM_WIDTH = 32
HOPELESS_NATS = 15.0
"""Answers so far under a hit's best are not tried: what they could save is less."""

NOWHERE_BEATS = -np.inf

_Trail = tuple[int, "_Trail"] | None
_Place = tuple[float, tuple[float, ...]]
"""The furthest line so far, and the last line of each piece."""


@dataclass(frozen=True, eq=False)
class ChosenLines:
    """What was chosen for every hit, and between what.

    Attributes:
        answers: [hits], a column of ``probabilities``.
        probabilities: [hits, ANSWERS].
        lines_beats: [hits, CANDIDATES], the lines on offer.
    """

    answers: IntArray
    probabilities: FloatArray
    lines_beats: FloatArray

    def line_beats(self, hit: int) -> float | None:
        """The line chosen for a hit; None where it has none of its own."""
        answer = self.answers[hit]
        return float(self.lines_beats[hit, answer]) if answer < CANDIDATES else None

    def best_line_beats(self, hit: int) -> float:
        """The most probable line of a hit, whatever was chosen."""
        return float(self.lines_beats[hit, self.probabilities[hit, :CANDIDATES].argmax()])

    def probability(self, hit: int) -> float:
        """Of what was chosen for a hit."""
        return float(self.probabilities[hit, self.answers[hit]])

    def probability_of(self, hit: int, line_beats: float) -> float:
        """Of a line; 0 where it was not on offer."""
        return float(self.probabilities[hit, :CANDIDATES][self.lines_beats[hit] == line_beats].sum())

    def runner_up_beats(self, hit: int, line_beats: float | None = None) -> float:
        """The most probable line of a hit apart from one: the chosen one when None."""
        apart_from = self.line_beats(hit) if line_beats is None else line_beats
        others = self.lines_beats[hit] != apart_from
        at = np.where(others, self.probabilities[hit, :CANDIDATES], -1.0).argmax()
        return float(self.lines_beats[hit, at])


def choose_lines(log_probabilities: FloatArray, lines_beats: FloatArray, strokes: Sequence[Hashable]) -> ChosenLines:
    """Choose the most probable answers under the soft rules.

    Args:
        log_probabilities: [hits, ANSWERS], in order of time.
        lines_beats: [hits, CANDIDATES], rising along both axes.
        strokes: [hits], equal for strokes of one piece in one channel.
    """
    numbers = {stroke: number for number, stroke in enumerate(dict.fromkeys(strokes))}
    beam: dict[_Place, tuple[float, _Trail]] = {(NOWHERE_BEATS, (NOWHERE_BEATS,) * len(numbers)): (0.0, None)}
    costs = np.where(np.arange(ANSWERS) < CANDIDATES, 0.0, NO_LINE_NATS)
    for said, lines, stroke in zip(log_probabilities - costs, lines_beats.tolist(), strokes, strict=True):
        hopeful = np.flatnonzero(said >= said.max() - HOPELESS_NATS)
        beam = _extended(beam, [(int(answer), float(said[answer])) for answer in hopeful], lines, numbers[stroke])
    trail = max(beam.values(), key=lambda hypothesis: hypothesis[0])[1]
    answers = []
    while trail is not None:
        answer, trail = trail
        answers.append(answer)
    return ChosenLines(np.array(answers[::-1], np.int64), np.exp(log_probabilities), lines_beats)


def _extended(
    beam: dict[_Place, tuple[float, _Trail]], hopeful: Sequence[tuple[int, float]], lines: Sequence[float], number: int
) -> dict[_Place, tuple[float, _Trail]]:
    """The best hypotheses with one hit more; of those that do not differ for the hits to come, the better one."""
    found: dict[_Place, tuple[float, _Trail]] = {}
    for (furthest, own), (score, trail) in beam.items():
        for answer, nats in hopeful:
            place, total = (furthest, own), score + nats
            if answer < CANDIDATES:
                line = lines[answer]
                total -= BACKWARDS_NATS * (line < furthest) + REPEATED_NATS * (line == own[number])
                place = (max(line, furthest), (*own[:number], line, *own[number + 1 :]))
            place = _forgetful(place, lines[0])
            if place not in found or total > found[place][0]:
                found[place] = (total, (answer, trail))
    best = sorted(found.items(), key=lambda hypothesis: -hypothesis[1][0])
    return dict(best[:BEAM_WIDTH])


def _forgetful(place: _Place, first_line_beats: float) -> _Place:
    """A place without the lines that are behind all that later hits can choose."""
    furthest, own = place
    kept = tuple(line if line >= first_line_beats else NOWHERE_BEATS for line in own)
    return furthest if furthest > first_line_beats else NOWHERE_BEATS, kept
