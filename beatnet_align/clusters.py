"""Hits that go together whatever their line: flams between pieces, and ornaments with their main stroke."""

from collections.abc import Sequence

from beatnet_align.claims import one_piece
from beatnet_align.hits import Hit
from beatnet_align.units import FloatArray, seconds_to_samples

FLAM_SECONDS, FLAM_SHARE = 0.035, 0.35
"""Hits closer than this in time, and than this share of a grid step, were meant for one line."""

ORNAMENT_SECONDS, ORNAMENT_SHARE = 0.090, 0.6
ORNAMENT_VELOCITY = 0.7
"""A softer stroke of the same piece this close to a main stroke ornaments it, and keeps its spacing."""


def clusters(hits: Sequence[Hit], steps_seconds: FloatArray, sample_rate: int) -> list[list[int]]:
    """Sort hits into those that go together.

    Args:
        hits: In order of onset.
        steps_seconds: [hits], distance of the grid lines around each.
        sample_rate: Of the onsets, in hertz.

    Returns:
        Places in ``hits``, every one in one cluster, in order and without gaps.
    """
    found: list[list[int]] = []
    for i, hit in enumerate(hits):
        if found:
            step = float(steps_seconds[i])
            flam = seconds_to_samples(min(FLAM_SECONDS, FLAM_SHARE * step), sample_rate)
            near = seconds_to_samples(min(ORNAMENT_SECONDS, ORNAMENT_SHARE * step), sample_rate)
            distance = hit.onset_samples - hits[found[-1][0]].onset_samples
            strokes = [j for j in found[-1] if one_piece(hits[j], hit)]
            ornament = bool(strokes) and _is_ornament(hits[strokes[-1]], hit) and distance <= near
            if (distance <= flam and not strokes) or ornament:
                found[-1].append(i)
                continue
        found.append([i])
    return found


def _is_ornament(one: Hit, other: Hit) -> bool:
    """Whether two strokes of one piece differ enough in force to be a main stroke and its ornament."""
    softer, firmer = sorted((one.velocity, other.velocity))
    return one_piece(one, other) and softer <= ORNAMENT_VELOCITY * firmer
