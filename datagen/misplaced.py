"""Why hits of an aligned take are not in their place: the first step on the way to the output that went wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from beatnet_align.edit_plan import EditPlan, Move
from beatnet_align.hit_outputs import groups_of
from beatnet_align.metrics import hits_to_find, timing_residuals_seconds
from beatnet_align.onset_metrics import TOLERANCES_SECONDS
from beatnet_align.reference_hits import ReferenceHit
from beatnet_align.repair import landed_samples
from beatnet_align.take import Take
from beatnet_align.units import samples_to_seconds

IN_PLACE_SECONDS = TOLERANCES_SECONDS[0]
FOUND_SECONDS, SAME_HIT_SECONDS = 0.025, 0.006
"""An estimate this near, and one so near that it is the hit's own: between the two it is timed badly, or another's."""

SAME_LINE_SECONDS = 0.010


class Cause(StrEnum):
    """What went wrong first, in the order of the road from hits to output."""

    NOT_FOUND = "not found"
    BADLY_TIMED = "found at another time, or only what is struck with it"
    MISNAMED = "found under another name"
    WRONG_LINE = "sent to another line"
    NOT_FREE = "kept from its line by what is struck with it"
    HARD_TO_HEAR = "moved rightly, but heard elsewhere"


def misplaced(
    plan: EditPlan, target: Take, output: Take, hits: Sequence[ReferenceHit]
) -> tuple[int, Mapping[Cause, int]]:
    """Count the hits that are scored, and by cause those of them that do not lie within 2 ms of their place.

    Args:
        plan: What the output was rendered by.
        target: The take with every hit in its place.
        output: The take as aligned.
        hits: The truth, all of it.

    Raises:
        InputError: The plan cannot be rendered.
    """
    scored = hits_to_find(target, hits)
    residuals = timing_residuals_seconds(target, output, scored)
    landed = landed_samples(plan)
    astray = (hit for hit, residual in zip(scored, residuals, strict=True) if not abs(residual) <= IN_PLACE_SECONDS)
    return len(scored), Counter(_cause(plan, landed, hit) for hit in astray)


def _cause(plan: EditPlan, landed: Sequence[int], hit: ReferenceHit) -> Cause:
    rate = plan.take.sample_rate
    off_seconds = np.abs([samples_to_seconds(move.onset_samples, rate) - hit.performed_seconds for move in plan.moves])
    if not (off_seconds <= FOUND_SECONDS).any():
        return Cause.NOT_FOUND
    if not (off_seconds <= SAME_HIT_SECONDS).any():
        return Cause.BADLY_TIMED
    same_group = groups_of(move.piece for move in plan.moves) == groups_of([hit.piece])
    own = np.flatnonzero((off_seconds <= SAME_HIT_SECONDS) & same_group)
    if not len(own):
        return Cause.MISNAMED
    at = int(own[np.argmin(off_seconds[own])])
    return _cause_of_move(plan, plan.moves[at], landed[at], hit)


def _cause_of_move(plan: EditPlan, move: Move, landed: int, hit: ReferenceHit) -> Cause:
    """Of a hit that was found and named."""
    rate = plan.take.sample_rate
    moved_seconds = samples_to_seconds(landed - move.onset_samples, rate)
    if abs(moved_seconds - (hit.target_seconds - hit.performed_seconds)) <= IN_PLACE_SECONDS:
        return Cause.HARD_TO_HEAR
    if abs(samples_to_seconds(landed, rate) - hit.target_seconds) <= IN_PLACE_SECONDS:
        return Cause.BADLY_TIMED
    line_seconds = None if move.line_beats is None else plan.tempo_map.to_seconds(move.line_beats)
    if line_seconds is not None and abs(line_seconds - hit.target_seconds) > SAME_LINE_SECONDS:
        return Cause.WRONG_LINE
    return Cause.NOT_FREE
