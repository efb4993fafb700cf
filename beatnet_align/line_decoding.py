"""Choose a line for every hit: the most probable ones that keep order, as long as order costs little.

A beam search over the hits in order of time. Going back in time, and a second stroke of a piece on its line, are made
dear and not forbidden: a hard constraint on these scores makes them worse (docs/evidence.md). Only a place that a user
gave is certain: no other hit goes to the wrong side of it.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from beatnet_align.grid_tokens import ANSWERS, CANDIDATES
from beatnet_align.units import FloatArray, IntArray

BACKWARDS_NATS = 1.5
"""What a line before the furthest one so far costs. Hits that go there cannot be cut apart."""

REPEATED_NATS = 1.5
"""What a second main stroke of a piece on one line costs."""

ONE_LINE_SHARE = 0.2
"""A stroke that follows the first one of its piece on a line within this share of the distance to the next line shares
it for nothing: a flam, two pieces under one name, or a stroke that was found twice. GridNet's card has the figures; .15
to .3 were compared on the same performances as the costs."""

NO_LINE_NATS = 2.0
"""What it costs to call a hit an ornament or none: a main stroke that goes nowhere is worse than a false one that does.
The costs were chosen on performances of drummers who are not those of the card's figures."""

BEAM_WIDTH = 32
HOPELESS_NATS = 12.0
"""Answers so far under a hit's best are not tried, nor hypotheses so far under the best one: what they could save is
less."""

NOWHERE_BEATS = -np.inf

_Trail = tuple[int, "_Trail"] | None
_OwnLine = tuple[float, float]
"""The last line of a piece, and where the first stroke on it was struck, in beats."""

_Place = tuple[float, tuple[_OwnLine, ...]]
"""The furthest line so far, and the last line of each piece."""

_NO_OWN_LINE = (NOWHERE_BEATS, NOWHERE_BEATS)


@dataclass(frozen=True, eq=False)
class ChosenLines:
    """What was chosen for every hit, and between what.

    Attributes:
        answers: [hits], a column of ``probabilities``.
        probabilities: [hits, ANSWERS].
        lines_beats: [hits, CANDIDATES], the lines on offer.
        given_beats: Places of hits that were given; what was chosen for these hits does not count.
        barred: [hits, CANDIDATES], lines that the given places leave to nobody; None where none is given.
        confidences: [hits], how sure the answers are, see ``line_confidence.py``; None where nobody asked.
    """

    answers: IntArray
    probabilities: FloatArray
    lines_beats: FloatArray
    given_beats: Mapping[int, float] = field(default_factory=dict)
    barred: npt.NDArray[np.bool_] | None = None
    confidences: FloatArray | None = None

    def line_beats(self, hit: int) -> float | None:
        """The line chosen for a hit, or its given place; None where it has none of its own."""
        if hit in self.given_beats:
            return self.given_beats[hit]
        answer = self.answers[hit]
        return float(self.lines_beats[hit, answer]) if answer < CANDIDATES else None

    def best_line_beats(self, hit: int) -> float | None:
        """The most probable line of a hit, whatever was chosen; None where given places leave it none."""
        barred = np.zeros(CANDIDATES, bool) if self.barred is None else self.barred[hit]
        best = np.where(barred, -1.0, self.probabilities[hit, :CANDIDATES]).argmax()
        return None if barred[best] else float(self.lines_beats[hit, best])

    def confidence(self, hit: int) -> float:
        """How sure is what was chosen for a hit; its probability where nobody asked."""
        if self.confidences is not None:
            return float(self.confidences[hit])
        return float(self.probabilities[hit, self.answers[hit]])

    def confidence_of(self, hit: int, line_beats: float) -> float:
        """How sure a line is: the chosen one, or by its probability another; 0 where that was not on offer."""
        if self.line_beats(hit) == line_beats:
            return self.confidence(hit)
        return float(self.probabilities[hit, :CANDIDATES][self.lines_beats[hit] == line_beats].sum())

    def runner_up_beats(self, hit: int, line_beats: float | None = None) -> float:
        """The most probable line of a hit apart from one: the chosen one when None."""
        apart_from = self.line_beats(hit) if line_beats is None else line_beats
        others = self.lines_beats[hit] != apart_from
        at = np.where(others, self.probabilities[hit, :CANDIDATES], -1.0).argmax()
        return float(self.lines_beats[hit, at])


def choose_lines(
    log_probabilities: FloatArray,
    lines_beats: FloatArray,
    strokes: Sequence[Hashable],
    given_beats: Mapping[int, float] | None = None,
    *,
    beats: FloatArray | None = None,
) -> ChosenLines:
    """Choose the most probable answers under the soft rules.

    Args:
        log_probabilities: [hits, ANSWERS], in order of time.
        lines_beats: [hits, CANDIDATES], rising along both axes.
        strokes: [hits], equal for strokes of one piece in one channel.
        given_beats: Places of hits that are certain, rising with the hits. A hit before one goes to no line behind it,
            and a stroke of the same piece not to the same line.
        beats: [hits], where they are struck; without them no strokes are too close for two lines.
    """
    given = given_beats or {}
    numbers = {stroke: number for number, stroke in enumerate(dict.fromkeys(strokes))}
    beam: dict[_Place, tuple[float, _Trail]] = {(NOWHERE_BEATS, (_NO_OWN_LINE,) * len(numbers)): (0.0, None)}
    worth = log_probabilities - np.where(np.arange(ANSWERS) < CANDIDATES, 0.0, NO_LINE_NATS)
    barred = _barred(lines_beats, given, strokes) if given else None
    if barred is not None:
        worth[:, :CANDIDATES][barred] = -np.inf
    struck_beats = np.full(len(strokes), np.inf) if beats is None else beats
    for hit, (said, lines, stroke) in enumerate(zip(worth, lines_beats.tolist(), strokes, strict=True)):
        hopeful = np.flatnonzero(said >= said.max() - HOPELESS_NATS)
        options = [
            (int(answer), lines[answer] if answer < CANDIDATES else None, float(said[answer])) for answer in hopeful
        ]
        if hit in given:
            options = [(CANDIDATES // 2, given[hit], 0.0)]
        struck = _Struck(numbers[stroke], float(struck_beats[hit]), ONE_LINE_SHARE * _step_beats(lines))
        beam = _extended(beam, options, lines[0], struck)
    trail = max(beam.values(), key=lambda hypothesis: hypothesis[0])[1]
    answers = []
    while trail is not None:
        answer, trail = trail
        answers.append(answer)
    return ChosenLines(np.array(answers[::-1], np.int64), np.exp(log_probabilities), lines_beats, given, barred)


@dataclass(frozen=True)
class _Struck:
    """A hit: the number of its piece, where it is struck, and how soon behind another it may share its line."""

    number: int
    beats: float
    close_beats: float


def _step_beats(lines_beats: Sequence[float]) -> float:
    """The distance from the nearest line to the nearer of those beside it."""
    before, nearest, after = lines_beats[CANDIDATES // 2 - 1 : CANDIDATES // 2 + 2]
    return min(nearest - before, after - nearest)


def _barred(
    lines_beats: FloatArray, given_beats: Mapping[int, float], strokes: Sequence[Hashable]
) -> npt.NDArray[np.bool_]:
    """[hits, CANDIDATES], whether a line lies beyond a given place, or on one that has a stroke of the piece."""
    barred = np.zeros(lines_beats.shape, bool)
    for hit, place_beats in given_beats.items():
        barred[:hit] |= lines_beats[:hit] > place_beats
        barred[hit:] |= lines_beats[hit:] < place_beats
        of_piece = np.array([stroke == strokes[hit] for stroke in strokes])
        barred |= of_piece[:, None] & (lines_beats == place_beats)
    return barred


def _extended(
    beam: dict[_Place, tuple[float, _Trail]],
    options: Sequence[tuple[int, float | None, float]],
    first_line_beats: float,
    struck: _Struck,
) -> dict[_Place, tuple[float, _Trail]]:
    """The best hypotheses with one hit more; of those that do not differ for the hits to come, the better one.

    Lines that are behind all that this hit and later ones can choose are forgotten. An option is an answer, its line
    and its worth in nats.
    """
    found: dict[_Place, tuple[float, _Trail]] = {}
    for (furthest, own), (score, trail) in beam.items():
        kept = tuple([one if one[0] >= first_line_beats else _NO_OWN_LINE for one in own])
        before, own_line, after = kept[: struck.number], kept[struck.number], kept[struck.number + 1 :]
        for answer, line, nats in options:
            total = score + nats
            if line is None:
                place = (furthest if furthest > first_line_beats else NOWHERE_BEATS, kept)
            else:
                repeated = line == own_line[0]
                close = repeated and struck.beats - own_line[1] < struck.close_beats
                total -= BACKWARDS_NATS * (line < furthest) + REPEATED_NATS * (repeated and not close)
                reached = max(line, furthest)
                latest = own_line if repeated else (line, struck.beats)
                place = (reached if reached > first_line_beats else NOWHERE_BEATS, (*before, latest, *after))
            if place not in found or total > found[place][0]:
                found[place] = (total, (answer, trail))
    worst = max(total for total, _ in found.values()) - HOPELESS_NATS
    hopeful = [hypothesis for hypothesis in found.items() if hypothesis[1][0] >= worst]
    hopeful.sort(key=lambda hypothesis: -hypothesis[1][0])
    return dict(hopeful[:BEAM_WIDTH])
