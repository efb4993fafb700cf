"""Spoil a perfect plan as hit finders err: onsets off, hits lost, pieces misnamed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from beatnet_align.edit_plan import EditPlan
from beatnet_align.take import Take
from beatnet_align.units import seconds_to_samples
from datagen.perfect_plan import arranged


@dataclass(frozen=True)
class PlanErrors:
    """How a plan errs.

    Attributes:
        jitter_seconds: Standard deviation of onsets; a hit's place on the grid is known, so its shift errs as much.
        lost: Share of hits that are not found.
        misnamed: Share of hits that carry the name and channel of another piece of the take.
    """

    jitter_seconds: float = 0.0
    lost: float = 0.0
    misnamed: float = 0.0


ERRORS: Mapping[str, PlanErrors] = {
    "1 ms jitter": PlanErrors(jitter_seconds=0.001),
    "8 % lost": PlanErrors(lost=0.08),
    "5 % misnamed": PlanErrors(misnamed=0.05),
    "all three": PlanErrors(0.001, 0.08, 0.05),
}


def spoilt(take: Take, plan: EditPlan, errors: PlanErrors, rng: np.random.Generator) -> EditPlan:
    """The plan of a take as it would be with such errors."""
    kept = [move for move in plan.moves if rng.random() >= errors.lost]
    named = {move.piece: move.channel for move in plan.moves}
    last = plan.take.samples - 1
    moves = []
    for move in kept:
        off = seconds_to_samples(errors.jitter_seconds * float(rng.standard_normal()), plan.take.sample_rate)
        others = [piece for piece in named if piece != move.piece]
        new = replace(move, onset_samples=min(max(move.onset_samples + off, 0), last))
        if others and rng.random() < errors.misnamed:
            piece = others[int(rng.integers(len(others)))]
            new = replace(new, piece=piece, channel=named[piece])
        moves.append(new)
    return arranged(take, moves, plan.tempo_map, plan.grid, plan.repair)
