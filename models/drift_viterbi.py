"""The classical opponent of GridNet: dynamic programming over hits and a deviation that drifts.

Hits that are struck together are one node. A path gives every node one of its lines and the player a running
deviation, which walks at random and is drawn to 0; what is left over is jitter with heavy tails. Lines of coarser
divisions are likelier, triplets and straight 16ths seldom share a beat, and lines come in order.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.grid_tokens import CANDIDATES, GridTokens, Struck
from beatnet_align.groove import TICKS_PER_BEAT
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, IntArray

_BIN_SECONDS, _FURTHEST_SECONDS = 0.005, 0.180
_BINS = np.arange(-_FURTHEST_SECONDS, _FURTHEST_SECONDS + _BIN_SECONDS / 2, _BIN_SECONDS)
_LEAST_GAP_BEATS = 1 / 24
_TAIL = 4.0  # degrees of freedom of the jitter's Student-t
_SOFTEST = 0.1  # what a hit of velocity 0 counts


@dataclass(frozen=True)
class DriftModel:
    """Sizes of the model; costs are in nats.

    The defaults come from a search that changed one size or two at a time, for the least sum of the error shares of
    all sets of :mod:`models.grid_takes`. Its takes, every second one with errors, were those of generated patterns and
    of drummers 1, 2, 9 and 10 in the training split of the Groove MIDI Dataset. ``finer`` and ``disorder`` are guesses:
    hardly a take depends on them.

    Attributes:
        jitters_seconds: Standard deviations of the jitter; the one that explains a take best is used.
        walk_seconds: Standard deviation of the change of the running deviation over a beat.
        pull_seconds: Standard deviation of the running deviation over a take.
        eighth, sixteenth, triplet, finer: Cost of lines of these divisions; quarters are free.
        mixing: Cost of straight and triplet lines next to each other inside a beat.
        sharing: Cost of two nodes on one line.
        repeating: Added where they have a piece group in common.
        disorder: Cost of a node on a line before that of the node before it.
        together_seconds, together_steps: Reach of a node from its first hit, the second in distances of lines; the
            smaller one counts.
    """

    jitters_seconds: tuple[float, ...] = (0.006, 0.012, 0.020, 0.030)
    walk_seconds: float = 0.012
    pull_seconds: float = 0.020
    eighth: float = 0.5
    sixteenth: float = 3.0
    triplet: float = 2.0
    finer: float = 3.5
    mixing: float = 4.0
    sharing: float = 1.5
    repeating: float = 3.0
    disorder: float = 12.0
    together_seconds: float = 0.035
    together_steps: float = 0.20


DEFAULT_MODEL = DriftModel()


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Hits struck together.

    Attributes:
        of_hit: [hits], index of its node.
        beats: [nodes], velocity-weighted medians.
        nominals_beats: [nodes, CANDIDATES], of their middle hit.
        late_seconds: [nodes, CANDIDATES], from each line.
        repeats: [nodes], whether a piece group is struck again that the node before has.
    """

    of_hit: IntArray
    beats: FloatArray
    nominals_beats: FloatArray
    late_seconds: FloatArray
    repeats: npt.NDArray[np.bool_]


def drift_viterbi(
    tokens: GridTokens, struck: Struck, tempo_map: TempoMap, model: DriftModel = DEFAULT_MODEL
) -> IntArray:
    """Choose a line for every hit, all at once.

    Args:
        tokens: Lines on offer.
        struck: The same hits.
        tempo_map: Gives beats.
        model: Sizes and costs.

    Returns:
        [hits], index of the chosen candidate; ornaments get the line of what they were struck with.
    """
    if not len(tokens.beats):
        return np.zeros(0, np.int64)
    nodes = _join(tokens, struck, tempo_map, model)
    paths = [_best_path(nodes, jitter, model) for jitter in model.jitters_seconds]
    lines = min(paths, key=lambda path: path[1])[0]
    chosen_beats = nodes.nominals_beats[np.arange(len(lines)), lines]
    return np.asarray(np.abs(tokens.nominals_beats - chosen_beats[nodes.of_hit, None]).argmin(axis=1))


def _join(tokens: GridTokens, struck: Struck, tempo_map: TempoMap, model: DriftModel) -> _Nodes:
    near = np.diff(tokens.lines_beats, axis=1)[:, CANDIDATES // 2 - 1 : CANDIDATES // 2 + 1].min(axis=1)
    steps_seconds = near * 60.0 / tempo_map.bpm_at(tokens.beats)
    ends = struck.seconds + np.minimum(model.together_seconds, model.together_steps * steps_seconds)
    of_hit, first = np.zeros(len(ends), np.int64), 0
    middles: list[int] = []
    repeats: list[bool] = []
    groups: set[int] = set()
    while first < len(ends):
        last = int(np.searchsorted(struck.seconds, ends[first], "right"))
        passed = np.cumsum(_SOFTEST + struck.velocities[first:last])
        of_hit[first:last] = len(middles)
        middles.append(first + int(np.searchsorted(passed, passed[-1] / 2.0)))
        before, groups = groups, set(struck.groups[first:last].tolist())
        repeats.append(bool(before & groups))
        first = last
    late = struck.seconds[middles, None] - tempo_map.to_seconds(tokens.lines_beats[middles])
    return _Nodes(of_hit, tokens.beats[middles], tokens.nominals_beats[middles], late, np.array(repeats))


def _best_path(nodes: _Nodes, jitter_seconds: float, model: DriftModel) -> tuple[IntArray, float]:
    """[nodes] candidates of the cheapest path, and its cost.

    The state is a candidate and a bin of the running deviation: the walk between bins costs the same whichever
    candidates it joins, so both steps are minimised one after the other.
    """
    gaps = np.maximum(np.diff(nodes.beats, prepend=nodes.beats[0]), _LEAST_GAP_BEATS)
    own = _levels(nodes.nominals_beats, model)[:, :, None] + _surprise(nodes.late_seconds, jitter_seconds)
    cost = own[0] + 0.5 * (_BINS / model.pull_seconds) ** 2
    from_bin = np.zeros((len(own), CANDIDATES, len(_BINS)), np.int64)
    from_line = np.zeros_like(from_bin)
    for i in range(1, len(own)):
        kept = np.exp(-0.5 * gaps[i] * (model.walk_seconds / model.pull_seconds) ** 2)
        spread = model.pull_seconds**2 * (1.0 - kept**2)
        walk = (_BINS[:, None] - kept * _BINS) ** 2 / (2.0 * spread)
        walked = cost[:, None, :] + walk
        from_bin[i] = walked.argmin(axis=2)
        arrived = np.take_along_axis(walked, from_bin[i][:, :, None], axis=2)[:, :, 0]
        sharing = model.sharing + model.repeating * nodes.repeats[i]
        pairs = _pairs(nodes.nominals_beats[i - 1], nodes.nominals_beats[i], sharing, model)
        joined = arrived[:, None, :] + pairs[:, :, None]
        from_line[i] = joined.argmin(axis=0)
        cost = joined.min(axis=0) + own[i]
    line, at = np.unravel_index(int(cost.argmin()), cost.shape)
    total = float(cost.min())
    path = np.zeros(len(own), np.int64)
    for i in range(len(own) - 1, -1, -1):
        path[i] = line
        line = from_line[i, line, at]
        at = from_bin[i, line, at]
    return path, total


def _surprise(late_seconds: FloatArray, jitter_seconds: float) -> FloatArray:
    """[nodes, CANDIDATES, bins] costs of what a running deviation leaves, but for a constant of all jitters."""
    left = (late_seconds[:, :, None] - _BINS) / jitter_seconds
    return np.asarray((_TAIL + 1.0) / 2.0 * np.log1p(left**2 / _TAIL) + np.log(jitter_seconds))


def _levels(nominals_beats: FloatArray, model: DriftModel) -> FloatArray:
    ticks = np.rint(nominals_beats * TICKS_PER_BEAT).astype(np.int64)
    levels = [ticks % 24 == 0, ticks % 12 == 0, ticks % 6 == 0, ticks % 8 == 0]
    return np.asarray(np.select(levels, [0.0, model.eighth, model.sixteenth, model.triplet], model.finer))


def _pairs(before_beats: FloatArray, now_beats: FloatArray, sharing: float, model: DriftModel) -> FloatArray:
    """[CANDIDATES before, CANDIDATES now] costs of lines that follow each other."""
    before, now = (np.rint(one * TICKS_PER_BEAT).astype(np.int64) for one in (before_beats[:, None], now_beats))
    triplet = [one % 8 == 0 for one in (before, now)]
    straight = [one % 6 == 0 for one in (before, now)]
    clash = (triplet[0] & ~straight[0] & straight[1] & ~triplet[1]) | (
        straight[0] & ~triplet[0] & triplet[1] & ~straight[1]
    )
    clash &= before // TICKS_PER_BEAT == now // TICKS_PER_BEAT
    return np.asarray(model.mixing * clash + sharing * (before == now) + model.disorder * (before > now))
