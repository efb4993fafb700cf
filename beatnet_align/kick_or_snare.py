"""Tell kicks from snares by how loud this take's own microphones hear both.

A kick sounds in the snare's microphone too, since the wires rattle with it; on some kits a network takes that for a
snare. How much louder it is there than in the kick's own microphone hardly changes from kick to kick, and lies far from
that of snares. So it is learned from the take itself, and a snare that shows it is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.hit_outputs import PIECE_GROUPS
from beatnet_align.roles import Role
from beatnet_align.units import FloatArray, IntArray

KICK, SNARE = (tuple(PIECE_GROUPS).index(name) for name in ("kick", "snare"))

TOGETHER_SECONDS = 0.012
"""A kick and a snare this close are heard as one strike; what each microphone hears is the sum of both."""

KICK_PERCENTILE = 25
"""Of the differences between both microphones at kicks: those that no snare is struck with show the lowest."""

ALIKE_DB = 2.0
"""Kicks alone differ by so much: half of this, 10th to 90th percentile, on the bench's kit."""

SNARES_APART_DB = 8.0
"""Snares alone are at least so much louder in their own microphone, against the kick's; 10 to 25 on the bench's kit."""

FEWEST_KICKS, FEWEST_SNARES = 6, 3
LEAST_SHARE_ALIKE = 0.5
"""Of the kicks: where fewer are alike, the difference depends on something else than the kit."""

LEAST_SHARE_ALONE, SOFTER_DB = 0.1, 6.0
"""So many of the kicks that are alike were found without a snare, or what is heard of snares with them is so much
softer than other snares: else each kick of the take may really come with a snare."""

LOUDNESS_PERCENTILE, UNDER_SOFT_KICKS_DB = 10, 3.0
"""A snare that is to be a kick is nearly as loud in the kick's microphone as its soft kicks; ghost notes are not."""


@dataclass(frozen=True, eq=False)
class KicksAmongSnares:
    """Which of a take's snares are no snares.

    Attributes:
        doubled: [hits], those beside a kick that was found as well.
        kicks: [hits], those that are themselves the kick.
        late_samples: How much later the snare's microphone hears a kick than its own, at the rate of the onsets.
    """

    doubled: npt.NDArray[np.bool_]
    kicks: npt.NDArray[np.bool_]
    late_samples: float


def kicks_among_snares(
    groups: IntArray,
    onsets_samples: FloatArray,
    levels_db: FloatArray,
    logits: FloatArray,
    roles: Sequence[Role],
    sample_rate: int,
) -> KicksAmongSnares:
    """Find the snares that are kicks; none where the take does not show clearly what a kick alone looks like.

    What the network is as sure of as of most that are clearly snares stays one: both may be struck together.

    Args:
        groups: [hits], places in :data:`~beatnet_align.hit_outputs.PIECE_GROUPS`.
        onsets_samples: [hits].
        levels_db: [hits, channels], how loud each channel hears each hit.
        logits: [hits], of the network, that each is of its group.
        roles: One a channel.
        sample_rate: Of the onsets, in hertz.
    """
    none = np.zeros(len(groups), np.bool_)
    nothing = KicksAmongSnares(none, none, 0.0)
    of_kicks, of_snares = (np.array([role is wanted for role in roles]) for wanted in (Role.KICK, Role.SNARE))
    kicks, snares = groups == KICK, groups == SNARE
    if not of_kicks.any() or not of_snares.any() or kicks.sum() < FEWEST_KICKS:
        return nothing
    kick_db, snare_db = levels_db[:, of_kicks].mean(axis=1), levels_db[:, of_snares].mean(axis=1)
    difference_db = snare_db - kick_db
    alone_db = np.percentile(difference_db[kicks], KICK_PERCENTILE)
    alike = np.abs(difference_db - alone_db) < ALIKE_DB

    after_kick, after_snare = (_after_nearest(onsets_samples, onsets_samples[some]) for some in (kicks, snares))
    together = TOGETHER_SECONDS * sample_rate
    beside_kick, beside_snare = np.abs(after_kick) <= together, np.abs(after_snare) <= together
    clear = snares & ~beside_kick & (difference_db > alone_db + SNARES_APART_DB)
    alike_kicks = kicks & alike
    if clear.sum() < FEWEST_SNARES or alike_kicks.sum() < LEAST_SHARE_ALIKE * kicks.sum():
        return nothing
    told_alone = (alike_kicks & ~beside_snare).sum() >= LEAST_SHARE_ALONE * alike_kicks.sum()
    softer = np.median(snare_db[alike_kicks]) < np.median(snare_db[clear]) - SOFTER_DB
    if not told_alone and not softer:
        return nothing

    unsure = snares & (logits < np.median(logits[clear]))
    doubled = unsure & beside_kick & (difference_db < alone_db + ALIKE_DB)
    loud = kick_db >= np.percentile(kick_db[kicks], LOUDNESS_PERCENTILE) - UNDER_SOFT_KICKS_DB
    late_samples = float(np.median(after_kick[doubled])) if doubled.any() else 0.0
    return KicksAmongSnares(doubled, unsure & ~beside_kick & alike & loud, late_samples)


def _after_nearest(onsets: FloatArray, others: FloatArray) -> FloatArray:
    """How long after the nearest of some others each onset lies; infinite where there are none."""
    places = np.concatenate([[-np.inf], np.sort(others), [np.inf]])
    behind = np.searchsorted(places, onsets, side="right")
    since, until = onsets - places[behind - 1], places[behind] - onsets
    return np.asarray(np.where(since <= until, since, -until), np.float64)
