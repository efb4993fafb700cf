"""Feel worth keeping: how early or late each kind of piece is struck all along, apart from drift and from mistakes."""

from collections.abc import Sequence

import numpy as np

from beatnet_align.claims import Claim, one_piece
from beatnet_align.edit_plan import Flag
from beatnet_align.hit_outputs import GROUP_OF_PIECE, PIECE_GROUPS, UNKNOWN_GROUP
from beatnet_align.hits import Hit, Piece
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, samples_to_seconds

DRIFT_BEATS = 8.0
"""Drift is what the whole kit does within so many beats to either side; feel is what one kind of piece does always."""

LEAST_STROKES = 8
"""Fewer strokes of a kind of piece tell no feel."""

MISTAKE_SECONDS = 0.025
"""A stroke further than this from those around it counts as if it were no further."""

_ROUNDS = 12
GROUP_NAMES = (*PIECE_GROUPS, "other")


def group_of(piece: Piece) -> str:
    """The kind of a piece: kick, snare, hihat, tom, ride, crash, or other where it is not known."""
    return GROUP_NAMES[GROUP_OF_PIECE.get(piece, UNKNOWN_GROUP)]


def piece_feel_seconds(
    hits: Sequence[Hit], claims: Sequence[Claim], sample_rate: int, tempo_map: TempoMap
) -> dict[str, float]:
    """How late each kind of piece is struck beside the whole kit.

    Drift and feel are told apart in turns: a running mean of what feel does not explain, then the means of what drift
    does not explain (backfitting, Hastie and Tibshirani, "Generalized Additive Models", 1990). Mistakes count as
    :data:`MISTAKE_SECONDS`. Over all strokes the median of the feel is 0, so the kit as a whole goes to its lines.

    Args:
        hits: In order of onset.
        claims: Theirs.
        sample_rate: Of the onsets, in hertz.
        tempo_map: Gives the lines' times.

    Returns:
        Seconds by kind of piece, positive is late; only kinds with enough strokes.
    """
    strokes = [
        (i, claim.line_beats)
        for claim in claims
        if not claim.stays
        for i, decision in claim.decided()
        if not {Flag.ORNAMENT, Flag.TWO_CLAIMS, Flag.FOLLOWS_LEAD}.intersection((*claim.flags, *decision.flags))
        and (i == claim.lead or claim.decisions or not one_piece(hits[i], hits[claim.lead]))
    ]
    if not strokes:
        return {}
    onsets = np.array([hits[i].onset_samples for i, _ in strokes], np.int64)
    beats = np.array([line for _, line in strokes])
    late = samples_to_seconds(onsets, sample_rate) - tempo_map.to_seconds(beats)
    kinds = np.array([group_of(hits[i].piece) for i, _ in strokes])
    told = [name for name in GROUP_NAMES if (kinds == name).sum() >= LEAST_STROKES]
    near = _windows(beats)
    about = np.array([np.median(late[window]) for window in near])
    late = about + np.clip(late - about, -MISTAKE_SECONDS, MISTAKE_SECONDS)
    feel = np.zeros(len(strokes))
    by_kind: dict[str, float] = {}
    for _ in range(_ROUNDS):
        unexplained = late - feel
        drift = np.array([unexplained[window].mean() for window in near])
        by_kind = {name: float(np.mean((late - drift)[kinds == name])) for name in told}
        feel = np.array([by_kind.get(name, 0.0) for name in kinds])
    middle = float(np.median(feel))
    return {name: seconds - middle for name, seconds in by_kind.items()}


def _windows(beats: FloatArray) -> list[slice]:
    """What lies around each stroke."""
    first = np.searchsorted(beats, beats - DRIFT_BEATS)
    last = np.searchsorted(beats, beats + DRIFT_BEATS, "right")
    return [slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
