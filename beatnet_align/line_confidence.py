"""How sure a chosen line is: what the network says of the hit, and how the hits around it fare.

A network's own probabilities are too sure where whole phrases are shifted, and too unsure where order alone settles a
line. A logistic regression on a few signs of both puts that right (Platt 1999, with more than one input).
"""

import json
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from beatnet_align.errors import InputError
from beatnet_align.grid_tokens import CANDIDATES, GridTokens
from beatnet_align.line_decoding import ChosenLines
from beatnet_align.units import FloatArray

SIGNS = ("log_odds", "earlier_lines", "step", "spread", "apart", "doubts")
"""Log-odds of what was chosen; log-probability that an earlier line was meant; log of the lines' distance in seconds;
how much the hits around stray, how far the hit is from what they do, both in steps; log of the errors expected of them.
"""

BAR_HITS = 16
"""A confidence is told of a bar of hits: a decision of which one in a hundred is wrong deserves a second look."""

_NEAR_BEATS, _AROUND_BEATS = 2.0, 4.0
_FURTHEST_LOG_ODDS = 12.0
_LEAST_PROBABILITY, _LEAST_DOUBT = 1e-6, 1e-3


@dataclass(frozen=True)
class LineConfidence:
    """Turns signs into confidences.

    Attributes:
        bias: Log-odds of an error where all signs are 0.
        weights: What each of :data:`SIGNS` adds to that.

    Raises:
        InputError: The weights are not as many as the signs, or not finite.
    """

    bias: float = 0.0
    weights: tuple[float, ...] = (-1.0, *(0.0,) * (len(SIGNS) - 1))

    def __post_init__(self) -> None:
        if len(self.weights) != len(SIGNS) or not np.isfinite([self.bias, *self.weights]).all():
            raise InputError(f"a confidence needs {len(SIGNS)} finite weights and a bias, found {self}")

    def __call__(self, tokens: GridTokens, chosen: ChosenLines) -> FloatArray:
        """How sure every choice of a take is.

        Args:
            tokens: All hits.
            chosen: For each of them.

        Returns:
            [hits], 0 to 1: the probability that a bar of :data:`BAR_HITS` hits as sure as this one comes out right.
            The signs are for lines; "ornament" and "no hit" are as sure as the network is.
        """
        signs = line_signs(tokens, chosen)
        by_network = -signs[:, SIGNS.index("log_odds")]
        has_line = chosen.answers < CANDIDATES
        wrong = expit(np.where(has_line, self.bias + signs @ np.array(self.weights), by_network))
        return np.asarray((1.0 - wrong) ** BAR_HITS)

    @classmethod
    def parse(cls, text: str) -> Self:
        """What :meth:`__str__` wrote.

        Raises:
            InputError: It is something else.
        """
        try:
            bias, *weights = (float(number) for number in json.loads(text))
        except (TypeError, ValueError) as error:
            raise InputError(f"a confidence should be a list of numbers, found {text!r}") from error
        return cls(bias, tuple(weights))

    def __str__(self) -> str:
        """The bias and the weights as a list in JSON."""
        return json.dumps([self.bias, *self.weights])


def line_signs(tokens: GridTokens, chosen: ChosenLines) -> FloatArray:
    """Signs of right and wrong lines, [hits, SIGNS]; of hits without a line, those of their likeliest."""
    hits = np.arange(len(tokens.beats))
    if not hits.size:
        return np.zeros((0, len(SIGNS)))
    likeliest = chosen.probabilities[:, :CANDIDATES].argmax(axis=1)
    lines = np.where(chosen.answers < CANDIDATES, chosen.answers, likeliest)
    sure = np.clip(chosen.probabilities[hits, chosen.answers], 0.0, 1.0)
    odds = np.log(sure + 1e-12) - np.log(np.maximum(1.0 - sure, 1e-12))
    below = np.where(np.arange(CANDIDATES) < lines[:, None], chosen.probabilities[:, :CANDIDATES], 0.0).sum(axis=1)
    late_seconds = tokens.late_seconds
    steps = -np.diff(late_seconds, axis=1)[hits, np.minimum(lines, CANDIDATES - 2)]
    late = late_seconds[hits, lines] / steps
    given = np.isin(hits, list(chosen.given_beats))
    counts = (chosen.answers < CANDIDATES) & ~given
    _, spread = _deviations(tokens.beats, late, counts, _NEAR_BEATS)
    mean, _ = _deviations(tokens.beats, late, counts, _AROUND_BEATS)
    doubts = _sums(tokens.beats, np.where(given, 0.0, 1.0 - sure), _AROUND_BEATS)
    columns = [
        np.clip(odds, -_FURTHEST_LOG_ODDS, _FURTHEST_LOG_ODDS),
        np.log(below + _LEAST_PROBABILITY),
        np.log(steps),
        spread,
        np.abs(late - mean),
        np.log(doubts + _LEAST_DOUBT),
    ]
    return np.column_stack(columns)


def _deviations(
    beats: FloatArray, late: FloatArray, counts: npt.NDArray[np.bool_], reach_beats: float
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of what counts within reach of each hit; 0 where nothing does."""
    weights = counts.astype(np.float64)
    total = np.maximum(_sums(beats, weights, reach_beats), 1.0)
    mean = _sums(beats, weights * late, reach_beats) / total
    squares = _sums(beats, weights * late**2, reach_beats) / total
    return mean, np.sqrt(np.maximum(squares - mean**2, 0.0))


def _sums(beats: FloatArray, values: FloatArray, reach_beats: float) -> FloatArray:
    """Sum of the values of the hits within reach of each one."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    first = np.searchsorted(beats, beats - reach_beats)
    last = np.searchsorted(beats, beats + reach_beats, "right")
    return np.asarray(total[last] - total[first])
