"""Classical alignment: every hit to its nearest grid line, by rules an engineer can foresee."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from beatnet_align.claims import Claim, one_piece
from beatnet_align.edit_plan import Flag
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, samples_to_seconds, seconds_to_samples

FAR_SHARE = 0.35
"""Further than this share of a grid step from its line, a hit is doubtful."""

FLAM_SECONDS, FLAM_SHARE = 0.035, 0.35
"""Hits closer than this in time, and than this share of a grid step, were meant for one line."""

ORNAMENT_SECONDS, ORNAMENT_SHARE = 0.090, 0.6
ORNAMENT_VELOCITY = 0.7
"""A softer stroke of the same piece this close to a main stroke ornaments it, and keeps its spacing."""

LEAST_APART_SHARE = 0.6
LEANING_SHARE = 0.3
"""Of two strokes that far apart, in steps, one that leans this far to a free neighbouring line goes there."""

CLEAR_LEAD_DB = 10.0
"""Of two strokes on one line the nearer leads, unless the other is this much more salient."""


def nearest_line_claims(hits: Sequence[Hit], sample_rate: int, tempo_map: TempoMap, grid: Grid) -> list[Claim]:
    """Send each hit to its nearest line.

    Hits within a flam of each other go together, led by the most salient. An ornament goes with its main stroke.
    Where two strokes claim one line, the nearer has it; the other takes the free neighbouring line it leans to, or
    follows. Claims led from far off their line are flagged.

    Args:
        hits: In order of onset.
        sample_rate: Of their onsets, in hertz.
        tempo_map: Gives the beats.
        grid: Gives the lines.
    """
    if not hits:
        return []
    beats = tempo_map.to_beats(samples_to_seconds(np.array([hit.onset_samples for hit in hits]), sample_rate))
    steps = grid.step_beats_at(beats)
    return [
        replace(claim, flags=(*claim.flags, Flag.FAR_FROM_LINE))
        if abs(beats[claim.lead] - claim.line_beats) > FAR_SHARE * steps[claim.lead]
        else claim
        for claim in _claims(hits, beats, steps * 60.0 / tempo_map.bpm_at(beats), grid, sample_rate)
    ]


def _claims(hits: Sequence[Hit], beats: FloatArray, steps_seconds: FloatArray, grid: Grid, rate: int) -> list[Claim]:
    """Who goes to which line: nearest lines first, then every second claim is settled."""
    claims: list[Claim] = []
    for cluster in _clusters(hits, steps_seconds, rate):
        lead = max(cluster, key=lambda i: (hits[i].salience, -i))
        claims.append(Claim(tuple(cluster), lead, float(grid.nearest_line(beats[[lead]])[0])))
    settled: list[Claim] = []
    for k, claim in enumerate(claims):
        rival = settled[-1] if settled and settled[-1].line_beats >= claim.line_beats else None
        if rival is None:
            settled.append(claim)
            continue
        line = rival.line_beats
        around = grid.lines_beats(line - 3.0, line + 3.0)
        at = int(np.searchsorted(around, line))
        below, above = float(around[at - 1]), float(around[at + 1])
        next_is_free = k + 1 == len(claims) or claims[k + 1].line_beats > above
        last_is_free = len(settled) == 1 or settled[-2].line_beats < below
        early, late = line - beats[rival.lead], beats[claim.lead] - line
        apart = early + late > LEAST_APART_SHARE * (above - line)
        if apart and next_is_free and late > LEANING_SHARE * (above - line) and late > early:
            settled.append(replace(claim, line_beats=above, flags=(Flag.TWO_CLAIMS,)))
        elif apart and last_is_free and early > LEANING_SHARE * (line - below) and early > late:
            settled[-1] = replace(rival, line_beats=below, flags=(Flag.TWO_CLAIMS,))
            settled.append(replace(claim, line_beats=line))
        else:
            nearer = min((rival.lead, claim.lead), key=lambda i: abs(beats[i] - line))
            firmer = max((rival.lead, claim.lead), key=lambda i: hits[i].salience)
            clear = not apart or abs(hits[rival.lead].salience - hits[claim.lead].salience) > CLEAR_LEAD_DB
            members = (*rival.members, *claim.members)
            settled[-1] = Claim(members, firmer if clear else nearer, line, (Flag.TWO_CLAIMS,))
    return settled


def _clusters(hits: Sequence[Hit], steps_seconds: FloatArray, rate: int) -> list[list[int]]:
    """Indices of hits that go together: flams between pieces, and ornaments with their main stroke."""
    clusters: list[list[int]] = []
    for i, hit in enumerate(hits):
        if clusters:
            step = float(steps_seconds[i])
            flam = seconds_to_samples(min(FLAM_SECONDS, FLAM_SHARE * step), rate)
            near = seconds_to_samples(min(ORNAMENT_SECONDS, ORNAMENT_SHARE * step), rate)
            distance = hit.onset_samples - hits[clusters[-1][0]].onset_samples
            strokes = [j for j in clusters[-1] if one_piece(hits[j], hit)]
            ornament = bool(strokes) and _is_ornament(hits[strokes[-1]], hit) and distance <= near
            if (distance <= flam and not strokes) or ornament:
                clusters[-1].append(i)
                continue
        clusters.append([i])
    return clusters


def _is_ornament(one: Hit, other: Hit) -> bool:
    """Whether two strokes of one piece differ enough in force to be a main stroke and its ornament."""
    softer, firmer = sorted((one.velocity, other.velocity))
    return one_piece(one, other) and softer <= ORNAMENT_VELOCITY * firmer
