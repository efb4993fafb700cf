"""What GridNet is told of the hits of a take, and the lines that each of them may be meant for.

The same code makes the tokens of training and those of the effect. Every hit is one token; every line that it may
belong to is described beside it, so that any grid, swing, groove template, tempo map and time signature will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from beatnet_align.grid import Grid
from beatnet_align.groove import TICKS_PER_BEAT
from beatnet_align.hit_outputs import UNKNOWN_GROUP, groups_of
from beatnet_align.hits import Hit
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import Float32Array, FloatArray, IntArray, samples_to_seconds

CANDIDATES = 9
"""Lines on offer to each hit: the nearest one and four to either side."""

LEAVE, ORNAMENT = CANDIDATES, CANDIDATES + 1
"""Columns of the answer behind the candidates: no hit of its own line, or adorns another stroke."""

ANSWERS = CANDIDATES + 2
GROUPS = UNKNOWN_GROUP + 1

_PHASES = (1, 2, 3, 4, 6)  # turns a beat
_BAR_PHASES = (1, 2)  # turns a bar
_LATTICES_BEATS = (1.0, 1 / 2, 1 / 3, 1 / 4)
_WIDTHS_BEATS = (1.0, 4.0)
_WIDTH_REACH = 3.0
_LEVEL_TICKS = (24, 12, 6, 8, 4, 3)  # is a line one of quarters, 8ths, 16ths, their triplets, 32nds?
_NO_GAP_BEATS = 8.0
_SHORTEST_GAP_BEATS = 1 / 96
_LATE_SCALE = 10.0  # brings seconds to the size of the other numbers
PATTERN_BARS = 8
"""How far, in bars to either side, the take's own pattern is looked for."""

TOKEN_FEATURES = GROUPS + 3 + 2 * (len(_PHASES) + len(_BAR_PHASES)) + 6 + 2 * len(_LATTICES_BEATS) * len(_WIDTHS_BEATS)
CANDIDATE_FEATURES = 4 + len(_LEVEL_TICKS) + 2 + 2 * len(_PHASES)
PATTERN_FEATURES = 2


@dataclass(frozen=True, eq=False)
class Struck:
    """Hits as arrays, in order of time.

    Attributes:
        seconds: [hits], onsets.
        groups: [hits], place in ``PIECE_GROUPS``, or :data:`~beatnet_align.hit_outputs.UNKNOWN_GROUP`.
        velocities, confidences: [hits], 0 to 1.
    """

    seconds: FloatArray
    groups: IntArray
    velocities: FloatArray
    confidences: FloatArray

    @classmethod
    def of(cls, hits: Sequence[Hit], sample_rate: int) -> Self:
        """The hits of a take, which must be in order."""
        return cls(
            samples_to_seconds(np.array([hit.onset_samples for hit in hits], np.int64), sample_rate),
            groups_of(hit.piece for hit in hits),
            np.array([hit.velocity for hit in hits]),
            np.array([hit.confidence for hit in hits]),
        )


@dataclass(frozen=True, eq=False)
class GridTokens:
    """Hits as GridNet reads them.

    Attributes:
        beats: [hits], where they are struck.
        features: [hits, TOKEN_FEATURES].
        lines_beats: [hits, CANDIDATES], rising: where the lines on offer lie.
        nominals_beats: [hits, CANDIDATES], the same without swing and template.
        candidates: [hits, CANDIDATES, CANDIDATE_FEATURES].
        slots: [hits, CANDIDATES], one number a place in the bar, for the take's own pattern.
        bars: [hits, CANDIDATES], from 0.
        groups: [hits], as in :class:`Struck`.
    """

    beats: FloatArray
    features: Float32Array
    lines_beats: FloatArray
    nominals_beats: FloatArray
    candidates: Float32Array
    slots: IntArray
    bars: IntArray
    groups: IntArray

    @property
    def late_seconds(self) -> FloatArray:
        """[hits, CANDIDATES], how late each hit is for each line on offer."""
        return self.candidates[:, :, 0].astype(np.float64) / _LATE_SCALE

    def pattern(self, probabilities: FloatArray) -> Float32Array:
        """How often the other bars of the take strike each line on offer, by a first answer.

        Args:
            probabilities: [hits, CANDIDATES] or wider, of the first answer.

        Returns:
            [hits, CANDIDATES, PATTERN_FEATURES]: by the same group of pieces, and by any; strikes a bar within
            :data:`PATTERN_BARS`, at most 1.
        """
        if not len(self.beats):
            return np.zeros((0, CANDIDATES, PATTERN_FEATURES), np.float32)
        found = np.zeros((len(self.beats), CANDIDATES, PATTERN_FEATURES), np.float32)
        weights = np.asarray(probabilities, np.float64)[:, :CANDIDATES]
        for column, groups in enumerate((self.groups, np.zeros_like(self.groups))):
            strikes = np.zeros((int(self.bars.max()) + 1, GROUPS, int(self.slots.max()) + 1))
            where = (self.bars, np.broadcast_to(groups[:, None], self.bars.shape), self.slots)
            np.add.at(strikes, where, weights)
            strikes = np.minimum(strikes, 1.0)
            total = np.concatenate([np.zeros((1, *strikes.shape[1:])), np.cumsum(strikes, axis=0)])
            first = np.maximum(self.bars - PATTERN_BARS, 0)
            last = np.minimum(self.bars + PATTERN_BARS + 1, len(strikes))
            around = total[last, where[1], self.slots] - total[first, where[1], self.slots] - strikes[where]
            found[..., column] = around / np.maximum(last - first - 1, 1)
        return found


def grid_tokens(struck: Struck, tempo_map: TempoMap, grid: Grid) -> GridTokens:
    """Describe hits and the lines around them.

    Args:
        struck: In order of time.
        tempo_map: Gives beats and bars.
        grid: The lines that are allowed.
    """
    beats = np.asarray(tempo_map.to_beats(struck.seconds), np.float64)
    if not len(beats):
        none = np.zeros((0, CANDIDATES))
        whole = none.astype(np.int64)
        features = np.zeros((0, TOKEN_FEATURES), np.float32)
        candidates = np.zeros((0, CANDIDATES, CANDIDATE_FEATURES), np.float32)
        return GridTokens(beats, features, none, none, candidates, whole, whole, struck.groups)
    lines, nominals = _lines_around(beats, grid)
    bars = tempo_map.bar_of(nominals)
    slots = np.rint(tempo_map.beat_in_bar(nominals) * TICKS_PER_BEAT).astype(np.int64)
    return GridTokens(
        beats,
        _token_features(struck, beats, tempo_map),
        lines,
        nominals,
        _candidate_features(struck.seconds, beats, lines, nominals, slots, tempo_map),
        slots,
        bars - bars.min(),
        struck.groups,
    )


def _lines_around(beats: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
    reach = CANDIDATES * 1.5
    start, stop = float(beats.min()) - reach, float(beats.max()) + reach
    lines, nominals = grid.lines_beats(start, stop), grid.nominal_lines_beats(start, stop)
    after = np.clip(np.searchsorted(lines, beats), 1, len(lines) - 1)
    nearest = np.where(beats - lines[after - 1] <= lines[after] - beats, after - 1, after)
    around = nearest[:, None] + np.arange(CANDIDATES) - CANDIDATES // 2
    return lines[around], nominals[around]


def _token_features(struck: Struck, beats: FloatArray, tempo_map: TempoMap) -> Float32Array:
    columns = [
        np.eye(GROUPS)[struck.groups],
        np.column_stack([struck.velocities, struck.confidences, np.log2(tempo_map.bpm_at(beats) / 110.0)]),
        _turns(beats, _PHASES),
        _turns(tempo_map.beat_in_bar(beats) / tempo_map.bar_beats_at(beats), _BAR_PHASES),
        _gaps(beats, struck.groups),
        _running_phases(beats, struck.velocities),
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _turns(positions: FloatArray, rates: Sequence[int]) -> FloatArray:
    """Sine and cosine of every rate: [..., 2 rates]."""
    angles = 2.0 * np.pi * positions[..., None] * np.asarray(rates, np.float64)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


def _gaps(beats: FloatArray, groups: IntArray) -> FloatArray:
    """Logarithms of the gaps to the neighbours, to those of the same group, and to the next but one: [hits, 6]."""
    gaps = np.full((len(beats), 6), _NO_GAP_BEATS)
    apart = np.diff(beats)
    gaps[1:, 0], gaps[:-1, 1] = apart, apart
    gaps[2:, 4], gaps[:-2, 5] = beats[2:] - beats[:-2], beats[2:] - beats[:-2]
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        apart = np.diff(beats[members])
        gaps[members[1:], 2], gaps[members[:-1], 3] = apart, apart
    return np.asarray(np.log2(np.clip(gaps, _SHORTEST_GAP_BEATS, _NO_GAP_BEATS)) / 3.0)


def _running_phases(beats: FloatArray, velocities: FloatArray) -> FloatArray:
    """Where hits lie between the lines of some lattices lately and soon: weighted phasors, [hits, 2 lattices widths].

    The angle is the running deviation, the length how well the hits agree.
    """
    phasors = np.exp(2j * np.pi * beats[:, None] / np.asarray(_LATTICES_BEATS))
    weights = 0.1 + velocities
    found = np.zeros((len(beats), len(_WIDTHS_BEATS), len(_LATTICES_BEATS)), np.complex128)
    for column, width in enumerate(_WIDTHS_BEATS):
        first = np.searchsorted(beats, beats - _WIDTH_REACH * width)
        last = np.searchsorted(beats, beats + _WIDTH_REACH * width, "right")
        for i in range(len(beats)):
            near = slice(first[i], last[i])
            shares = weights[near] * np.exp(-0.5 * ((beats[near] - beats[i]) / width) ** 2)
            found[i, column] = shares @ phasors[near] / shares.sum()
    flat = found.reshape(len(beats), -1)
    return np.concatenate([flat.real, flat.imag], axis=1)


def _candidate_features(
    seconds: FloatArray,
    beats: FloatArray,
    lines: FloatArray,
    nominals: FloatArray,
    slots: IntArray,
    tempo_map: TempoMap,
) -> Float32Array:
    late_seconds = seconds[:, None] - tempo_map.to_seconds(lines)
    late_beats = beats[:, None] - lines
    steps = np.diff(lines, axis=1, append=2.0 * lines[:, -1:] - lines[:, -2:-1])
    ticks = np.rint(nominals * TICKS_PER_BEAT).astype(np.int64)
    levels = [ticks % step == 0 for step in _LEVEL_TICKS]
    columns = [_LATE_SCALE * late_seconds, np.abs(_LATE_SCALE * late_seconds), 4.0 * late_beats, 4.0 * steps, *levels]
    columns += [slots == 0, slots % (2 * TICKS_PER_BEAT) == 0]
    described = np.stack([np.asarray(column, np.float64) for column in columns], axis=-1)
    return np.concatenate([described, _turns(nominals, _PHASES)], axis=-1).astype(np.float32)
