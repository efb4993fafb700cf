"""What a take itself shows of its kicks, and a network that knows kits but not this one may take for other strokes.

A kick sounds in the snare's microphone too, since the wires rattle with it; on some kits a network takes that for a
snare. How much louder it is there than in the kick's own microphone hardly changes from kick to kick, and lies far from
that of snares: it is learned from the take, and a snare that shows it is none. And a beater bounces, a head swings
back: that is heard as a second, softer stroke, always as long after the kick, and sooner than a foot can strike again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.hit_outputs import PIECE_GROUPS, UNKNOWN_GROUP
from beatnet_align.nearest import nearest
from beatnet_align.roles import Role
from beatnet_align.units import FloatArray, IntArray

KICK, SNARE, TOM = (tuple(PIECE_GROUPS).index(name) for name in ("kick", "snare", "tom"))

TOGETHER_SECONDS = 0.012
"""A kick and a hit this close are heard as one strike; what each microphone hears is the sum of both."""

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

FASTEST_SECONDS = 0.052
"""No foot strikes 19 times a second; of 1,129 kicks in 48 generated takes of real drummers four follow sooner."""

ECHO_UNDER_DB, SAME_LAG_SECONDS, UNSURE_LOGIT = 3.0, 0.004, 1.0
"""An echo is this much softer in the kick's channel. At the time of echoes other drums are such too, unless the network
is surer of them: a flam may come as late."""


@dataclass(frozen=True, eq=False)
class HeardHits:
    """The hits of a take, as a network found them.

    Attributes:
        groups: [hits], places in :data:`~beatnet_align.hit_outputs.PIECE_GROUPS`, or UNKNOWN_GROUP.
        onsets_seconds: [hits].
        channels: [hits], which each belongs to, or is heard best in.
        levels_db: [hits, channels], how loud each channel hears each hit.
        logits: [hits], of the network, that each is of its group.
    """

    groups: IntArray
    onsets_seconds: FloatArray
    channels: IntArray
    levels_db: FloatArray
    logits: FloatArray


@dataclass(frozen=True, eq=False)
class KicksAmongSnares:
    """Which of a take's snares are no snares.

    Attributes:
        doubled: [hits], those beside a kick that was found as well.
        kicks: [hits], those that are themselves the kick.
        late_seconds: How much later than its own the snare's microphone hears a kick.
    """

    doubled: npt.NDArray[np.bool_]
    kicks: npt.NDArray[np.bool_]
    late_seconds: float


def kicks_among_snares(hits: HeardHits, roles: Sequence[Role]) -> KicksAmongSnares:
    """Find the snares that are kicks; none where the take does not show clearly what a kick alone looks like.

    What the network is as sure of as of most that are clearly snares stays one: both may be struck together.

    Args:
        hits: In any order.
        roles: One a channel.
    """
    none = np.zeros(len(hits.groups), np.bool_)
    nothing = KicksAmongSnares(none, none, 0.0)
    of_kicks, of_snares = (np.array([role is wanted for role in roles]) for wanted in (Role.KICK, Role.SNARE))
    kicks, snares = hits.groups == KICK, hits.groups == SNARE
    if not of_kicks.any() or not of_snares.any() or kicks.sum() < FEWEST_KICKS or snares.sum() < FEWEST_SNARES:
        return nothing
    kick_db, snare_db = (hits.levels_db[:, some].mean(axis=1) for some in (of_kicks, of_snares))
    difference_db = snare_db - kick_db
    alone_db = np.percentile(difference_db[kicks], KICK_PERCENTILE)
    alike = np.abs(difference_db - alone_db) < ALIKE_DB

    onsets = hits.onsets_seconds
    after_kick, after_snare = (onsets - nearest(onsets, np.sort(onsets[some])) for some in (kicks, snares))
    beside_kick, beside_snare = (np.abs(after) <= TOGETHER_SECONDS for after in (after_kick, after_snare))
    clear = snares & ~beside_kick & (difference_db > alone_db + SNARES_APART_DB)
    alike_kicks = kicks & alike
    if clear.sum() < FEWEST_SNARES or alike_kicks.sum() < LEAST_SHARE_ALIKE * kicks.sum():
        return nothing
    told_alone = (alike_kicks & ~beside_snare).sum() >= LEAST_SHARE_ALONE * alike_kicks.sum()
    softer = np.median(snare_db[alike_kicks]) < np.median(snare_db[clear]) - SOFTER_DB
    if not told_alone and not softer:
        return nothing

    unsure = snares & (hits.logits < np.median(hits.logits[clear]))
    doubled = unsure & beside_kick & (difference_db < alone_db + ALIKE_DB)
    loud = kick_db >= np.percentile(kick_db[kicks], LOUDNESS_PERCENTILE) - UNDER_SOFT_KICKS_DB
    late_seconds = float(np.median(after_kick[doubled])) if doubled.any() else 0.0
    return KicksAmongSnares(doubled, unsure & ~beside_kick & alike & loud, late_seconds)


def kick_echoes(hits: HeardHits) -> npt.NDArray[np.bool_]:
    """Which hits are echoes of a kick, [hits]."""
    kicks = np.flatnonzero(hits.groups == KICK)
    if not len(kicks):
        return np.zeros(len(hits.groups), np.bool_)
    kicks = kicks[np.argsort(hits.onsets_seconds[kicks], kind="stable")]
    behind = np.searchsorted(hits.onsets_seconds[kicks], hits.onsets_seconds - TOGETHER_SECONDS, side="right")
    kick = kicks[np.maximum(behind - 1, 0)]
    lags = hits.onsets_seconds - hits.onsets_seconds[kick]
    in_its_channel = hits.levels_db[np.arange(len(kick)), hits.channels[kick]]
    softer = in_its_channel <= hits.levels_db[kick, hits.channels[kick]] - ECHO_UNDER_DB
    soon = (behind > 0) & (lags < FASTEST_SECONDS + SAME_LAG_SECONDS) & softer
    echoes: npt.NDArray[np.bool_] = soon & (hits.groups == KICK) & (lags < FASTEST_SECONDS)
    echoes[kicks[_in_a_run(hits.onsets_seconds[kicks])]] = False
    if not echoes.any():
        return echoes
    alike = np.abs(lags - np.median(lags[echoes])) <= SAME_LAG_SECONDS
    others = np.isin(hits.groups, [SNARE, TOM, UNKNOWN_GROUP]) & (hits.logits < UNSURE_LOGIT)
    return np.asarray(echoes | (soon & alike & others), np.bool_)


def _in_a_run(onsets: FloatArray) -> npt.NDArray[np.bool_]:
    """Which of some onsets, in order, are of three or more that follow each other as fast as echoes: two feet can."""
    fast = np.diff(onsets) < FASTEST_SECONDS + SAME_LAG_SECONDS
    middle = np.flatnonzero(fast[:-1] & fast[1:]) + 1
    return np.isin(np.arange(len(onsets)), [middle - 1, middle, middle + 1])
