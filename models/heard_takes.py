"""Takes without audio: strokes as hits with the lines they were meant for, and what a hit finder gets wrong of them."""

from dataclasses import dataclass, replace

import numpy as np

from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import Struck
from beatnet_align.hit_outputs import PIECE_GROUPS, UNKNOWN_GROUP, groups_of
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, IntArray
from datagen.played.parts import BoolArray
from datagen.played.performance import Performance

Range = tuple[float, float]

CLEAN_CONFIDENCE = 0.95
_CONFIDENCE_BETA, _FALSE_CONFIDENCE_BETA = (19.0, 1.0), (5.0, 3.0)  # means .95 and .63
_FALSE_VELOCITY_BETA = (2.0, 6.0)
_ECHO_SECONDS = (0.010, 0.200)  # of a false hit behind the one that it was heard in
_ECHO_SHARE = 0.7  # of false hits; the others lie anywhere


@dataclass(frozen=True, eq=False)
class GridTake:
    """The hits of one take, and where they were meant to be.

    Attributes:
        name: Score that it was played from.
        bars: Length of that.
        struck: The hits.
        tempo_map: The metronome.
        grid: The lines that a chooser is allowed.
        played_grid: The lines that were meant, swing included.
        nominals_beats: [hits], score position, swing not applied; NaN for a false hit, its main stroke's for an
            ornament.
        ornaments: [hits], whether it is a grace note or a double.
        is_hit: [hits], False where nothing was struck.
    """

    name: str
    bars: int
    struck: Struck
    tempo_map: TempoMap
    grid: Grid
    played_grid: Grid
    nominals_beats: FloatArray
    ornaments: BoolArray
    is_hit: BoolArray

    @property
    def counted(self) -> BoolArray:
        """[hits], those that figures are about: main strokes that were struck."""
        return self.is_hit & ~self.ornaments


@dataclass(frozen=True)
class HearingErrors:
    """How hits differ from what was played; every take draws its own from the ranges.

    Attributes:
        dropped_share: Of hits.
        inserted_share: Beside them, where nothing was struck; most of them echo a hit shortly behind it.
        misnamed_share: Of hits that are taken for another group of pieces.
        unnamed_probability: That a take's hits have no names at all, as those of a classical finder.
        onset_noise_seconds: Scale of a Laplace distribution.
        loudness_spread: Of the logarithm of the power by which all velocities are bent.
    """

    dropped_share: Range = (0.0, 0.12)
    inserted_share: Range = (0.0, 0.08)
    misnamed_share: Range = (0.0, 0.08)
    unnamed_probability: float = 0.05
    onset_noise_seconds: Range = (0.0, 0.001)
    loudness_spread: float = 0.3


HITNETS_ERRORS = HearingErrors((0.08, 0.08), (0.03, 0.03), (0.05, 0.05), 0.0, (0.0005, 0.0005), 0.0)
"""HitNet's errors as the trial in docs/evidence.md had them."""


def take_of(performance: Performance, grid: Grid) -> GridTake:
    """The strokes of a performance as hits that were all found, with the lines of ``grid`` to choose from."""
    strokes = performance.strokes
    nominals = np.array([stroke.score_beats for stroke in strokes], np.float64)
    bars = performance.tempo_map.bar_of(nominals)
    return GridTake(
        name=str(performance.parameters["source"]),
        bars=int(bars.max(initial=0)),
        struck=Struck(
            np.array([stroke.performed_seconds for stroke in strokes], np.float64),
            groups_of(stroke.piece for stroke in strokes),
            np.array([stroke.velocity for stroke in strokes], np.float64),
            np.full(len(strokes), CLEAN_CONFIDENCE),
        ),
        tempo_map=performance.tempo_map,
        grid=grid,
        played_grid=performance.grid,
        nominals_beats=nominals,
        ornaments=np.array([stroke.ornament for stroke in strokes], bool),
        is_hit=np.ones(len(strokes), bool),
    )


def with_errors(take: GridTake, errors: HearingErrors, rng: np.random.Generator) -> GridTake:
    """The take as a hit finder might have heard it: hits missed, invented, misnamed and a little off.

    False hits are soft, less sure, and of the group of the hit that they were heard in.
    """
    count = len(take.struck.seconds)
    kept = np.flatnonzero(rng.uniform(size=count) >= rng.uniform(*errors.dropped_share))
    if not len(kept):
        return take
    false = int(rng.binomial(count, rng.uniform(*errors.inserted_share)))
    heard = rng.choice(kept, false)
    first, last = take.struck.seconds[[0, -1]]
    echoes = rng.uniform(size=false) < _ECHO_SHARE
    behind = take.struck.seconds[heard] + rng.uniform(*_ECHO_SECONDS, false)
    seconds = np.concatenate([take.struck.seconds[kept], np.where(echoes, behind, rng.uniform(first, last, false))])
    groups = np.concatenate([take.struck.groups[kept], take.struck.groups[heard]])
    power = float(np.exp(errors.loudness_spread * rng.standard_normal()))
    velocities = np.concatenate([take.struck.velocities[kept] ** power, rng.beta(*_FALSE_VELOCITY_BETA, false)])
    confidences = np.concatenate([rng.beta(*_CONFIDENCE_BETA, len(kept)), rng.beta(*_FALSE_CONFIDENCE_BETA, false)])
    seconds += rng.laplace(0.0, 1.0, len(seconds)) * rng.uniform(*errors.onset_noise_seconds)
    groups = _misnamed(groups, float(rng.uniform(*errors.misnamed_share)), rng)
    if rng.uniform() < errors.unnamed_probability:
        groups = np.full(len(groups), UNKNOWN_GROUP)
    order = np.argsort(seconds, kind="stable")
    nothing = np.zeros(false, bool)
    return replace(
        take,
        struck=Struck(seconds[order], groups[order], velocities[order], confidences[order]),
        nominals_beats=np.concatenate([take.nominals_beats[kept], np.full(false, np.nan)])[order],
        ornaments=np.concatenate([take.ornaments[kept], nothing])[order],
        is_hit=np.concatenate([take.is_hit[kept], nothing])[order],
    )


def _misnamed(groups: IntArray, share: float, rng: np.random.Generator) -> IntArray:
    others = (groups + rng.integers(1, len(PIECE_GROUPS), len(groups))) % len(PIECE_GROUPS)
    return np.where(rng.uniform(size=len(groups)) < share, others, groups)
