"""How well hits are found, measured against hits that are known exactly: pure figures, no audio.

A detector's constant bias is taken off first. Each true hit is then judged by itself, unmerged: it is *timed* when an
estimate lies within 5 ms of it, and *found* when one lies within 25 ms.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import mir_eval
import numpy as np

from beatnet_align.hit_outputs import GROUP_OF_PIECE, PIECE_GROUPS
from beatnet_align.hits import Piece
from beatnet_align.nearest import nearest
from beatnet_align.units import FloatArray
from models.hit_rises import AUDIBLE_DB
from models.onset_figures import HeardTake, OnsetFigures, TrueHit, median_bias_seconds, onset_figures

TIMED_SECONDS, FOUND_SECONDS = 0.005, 0.025
FLAM_SECONDS = (0.012, 0.040)
SOFT_VELOCITY = 0.3
VELOCITY_BANDS = ((0.0, 0.3), (0.3, 0.6), (0.6, 1.0))
RISE_BANDS_DB = ((0.0, AUDIBLE_DB), (AUDIBLE_DB, 6.0), (6.0, 12.0), (12.0, np.inf))
ALONE_SECONDS = 0.030
"""Rises at hits with others this close may be the others'."""
CONFIDENCE_BINS = 10


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    @classmethod
    def of(cls, yes: Iterable[bool]) -> "Share":
        """Count how many are true."""
        counted = list(yes)
        return cls(sum(counted), len(counted))

    @property
    def value(self) -> float:
        """0 to 1; NaN of nothing."""
        return self.part / self.whole if self.whole else np.nan


@dataclass(frozen=True)
class ConfidenceBin:
    """Estimates of about one confidence: the mean of it, NaN where there are none, and how many were right."""

    mean_confidence: float
    right: Share


@dataclass(frozen=True)
class HitFigures:
    """What one detector reached on some takes.

    Attributes:
        takes: How many.
        bias_seconds: Median error of matched onsets, positive where they are late; taken off before the rest.
        onsets: By tolerance (``2_ms`` and so on), merged.
        heard: The same without hits that stand alone and are not heard: that raise no channel by 3 dB, see
            ``hit_rises.py``. Finding them is no mistake. As ``onsets`` where nobody measured that.
        soft, ornaments: Share of such hits that are timed.
        flams: Share of pairs of pieces 12 to 40 ms apart of which both are timed; no estimate can serve for both.
        pieces, velocities: Share of hits timed, by piece and by band of velocity.
        rises: Share of hits without another within 30 ms that are found, by how far they raise the level of a channel;
            of nothing where nobody measured that.
        groups: Share of the found hits with a microphone of their own that an estimate of the right piece group found;
            of nothing for detectors that name no piece.
        reliability: Ten bins of confidence from 0 to 1; empty for detectors that give none.
    """

    takes: int
    bias_seconds: float
    onsets: Mapping[str, OnsetFigures]
    heard: Mapping[str, OnsetFigures]
    soft: Share
    ornaments: Share
    flams: Share
    pieces: Mapping[str, Share]
    velocities: Mapping[str, Share]
    rises: Mapping[str, Share]
    groups: Mapping[str, Share]
    reliability: tuple[ConfidenceBin, ...]


def hit_figures(takes: Sequence[HeardTake]) -> HitFigures:
    """Everything that can be said of one detector on takes whose hits are known exactly.

    Raises:
        InputError: Times are not finite, or not in seconds.
    """
    bias_seconds = median_bias_seconds(takes)
    onsets = onset_figures(takes, bias_seconds=bias_seconds)
    judged = [hit for take in takes for hit in _judged(take, bias_seconds)]
    knows_pieces = any(hit.piece is not Piece.UNKNOWN for take in takes for hit in take.estimated_hits)

    def timed(chosen: Callable[[TrueHit], bool]) -> Share:
        return Share.of(hit.timed for hit in judged if chosen(hit.true))

    return HitFigures(
        takes=len(takes),
        bias_seconds=bias_seconds,
        onsets=onsets,
        heard=onset_figures(takes, bias_seconds=bias_seconds, left_out=_unheard_seconds),
        soft=timed(lambda hit: hit.velocity < SOFT_VELOCITY),
        ornaments=timed(lambda hit: hit.ornament),
        flams=Share.of(both for take in takes for both in _flams_timed(take, bias_seconds)),
        pieces={piece.value: Share.of(h.timed for h in judged if h.true.piece is piece) for piece in Piece},
        velocities={f"{low:g}-{high:g}": _velocity_share(judged, low, high) for low, high in VELOCITY_BANDS},
        rises={_band_name(low, high): _rise_share(judged, low, high) for low, high in RISE_BANDS_DB},
        groups={group: _group_share(judged if knows_pieces else [], i) for i, group in enumerate(PIECE_GROUPS)},
        reliability=reliability(takes, bias_seconds),
    )


def reliability(takes: Sequence[HeardTake], bias_seconds: float = 0.0) -> tuple[ConfidenceBin, ...]:
    """How often estimates of each confidence match a true hit within 25 ms, each true hit serving once.

    Returns:
        Ten bins of equal width from 0 to 1; empty where an estimate has no confidence.
    """
    confidences: list[float] = []
    right: list[bool] = []
    for take in takes:
        estimated = sorted(take.estimated_hits, key=lambda hit: hit.seconds)
        times = take.estimated_seconds - bias_seconds
        matches = mir_eval.util.match_events(take.true_seconds, times, FOUND_SECONDS)
        matched = {late for _, late in matches}
        confidences += [hit.confidence for hit in estimated]
        right += [i in matched for i in range(len(estimated))]
    if not confidences or np.isnan(confidences).any():
        return ()
    bins = np.clip((np.array(confidences) * CONFIDENCE_BINS).astype(np.int64), 0, CONFIDENCE_BINS - 1)
    return tuple(
        ConfidenceBin(
            float(np.mean(np.array(confidences)[bins == i])) if (bins == i).any() else np.nan,
            Share.of(yes for yes, bin_of_estimate in zip(right, bins, strict=True) if bin_of_estimate == i),
        )
        for i in range(CONFIDENCE_BINS)
    )


@dataclass(frozen=True)
class _Judged:
    """A true hit: whether no other is near, and whether it was timed, found, and found as of its piece group."""

    true: TrueHit
    alone: bool
    timed: bool
    found: bool
    group_right: bool


def _judged(take: HeardTake, bias_seconds: float) -> list[_Judged]:
    estimated = take.estimated_seconds - bias_seconds
    of_group = {
        group: np.sort([h.seconds for h in take.estimated_hits if GROUP_OF_PIECE.get(h.piece) == group]) - bias_seconds
        for group in GROUP_OF_PIECE.values()
    }
    nothing = np.zeros(0)
    alone = _alone(take)
    return [
        _Judged(
            hit,
            alone=alone[hit.seconds],
            timed=_has_near(hit.seconds, estimated, TIMED_SECONDS),
            found=_has_near(hit.seconds, estimated, FOUND_SECONDS),
            group_right=_has_near(
                hit.seconds,
                of_group[GROUP_OF_PIECE[hit.piece]] if hit.piece in GROUP_OF_PIECE else nothing,
                FOUND_SECONDS,
            ),
        )
        for hit in take.true_hits
    ]


def _alone(take: HeardTake) -> dict[float, bool]:
    """Whether a hit has no other near it, by its time."""
    gaps = np.diff(take.true_seconds, prepend=-np.inf, append=np.inf)
    return dict(
        zip(take.true_seconds.tolist(), (np.minimum(gaps[:-1], gaps[1:]) > ALONE_SECONDS).tolist(), strict=True)
    )


def _unheard_seconds(take: HeardTake) -> FloatArray:
    """Onsets of the hits that nobody can hear, ascending."""
    alone = _alone(take)
    return np.sort([hit.seconds for hit in take.true_hits if alone[hit.seconds] and hit.rise_db < AUDIBLE_DB])


def _flams_timed(take: HeardTake, bias_seconds: float) -> list[bool]:
    """Whether both hits of each flam are timed. Windows of 5 ms around hits 12 ms apart share no estimate."""
    estimated = take.estimated_seconds - bias_seconds
    least, most = FLAM_SECONDS
    hits = sorted(take.true_hits, key=lambda hit: hit.seconds)
    return [
        all(_has_near(hit.seconds, estimated, TIMED_SECONDS) for hit in (first, second))
        for first, second in combinations(hits, 2)
        if first.piece is not second.piece and least <= second.seconds - first.seconds <= most
    ]


def _has_near(seconds: float, others: FloatArray, window_seconds: float) -> bool:
    if not len(others):
        return False
    return bool(abs(nearest(np.array([seconds]), others)[0] - seconds) <= window_seconds)


def _velocity_share(judged: Sequence[_Judged], low: float, high: float) -> Share:
    """Share of timed hits in a band, its upper edge left out unless it is 1."""
    return Share.of(hit.timed for hit in judged if low <= hit.true.velocity < high or hit.true.velocity == high == 1.0)


def _band_name(low_db: float, high_db: float) -> str:
    return f"{low_db:g}-{high_db:g} dB" if np.isfinite(high_db) else f"over {low_db:g} dB"


def _rise_share(judged: Sequence[_Judged], low_db: float, high_db: float) -> Share:
    return Share.of(hit.found for hit in judged if hit.alone and low_db <= hit.true.rise_db < high_db)


def _group_share(judged: Sequence[_Judged], group: int) -> Share:
    return Share.of(
        hit.group_right
        for hit in judged
        if hit.found and hit.true.own_channel is not None and GROUP_OF_PIECE.get(hit.true.piece) == group
    )
