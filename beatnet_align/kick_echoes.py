"""What follows a kick sooner than a foot can strike again: a beater that bounces, a head that swings back.

On some kits it is heard as a second, softer stroke, always as long after the kick: of a kick, or, where it was named
otherwise, of another drum at the time that those of the take show.
"""

import numpy as np
import numpy.typing as npt

from beatnet_align.hit_outputs import PIECE_GROUPS, UNKNOWN_GROUP
from beatnet_align.units import FloatArray, IntArray

KICK, *OTHER_DRUMS = (tuple(PIECE_GROUPS).index(name) for name in ("kick", "snare", "tom"))

FASTEST_SECONDS = 0.052
"""Nobody plays 19 kicks a second; of 2,600 in generated takes of real drummers, one in a thousand follows sooner."""

TOGETHER_SECONDS = 0.012
"""Closer to a kick than this a hit belongs to it."""

SOFTER_DB = 3.0
SAME_LAG_SECONDS = 0.004
UNSURE_LOGIT = 1.0
"""Other drums that the network is surer of stay: a flam may come as late."""


def kick_echoes(
    groups: IntArray,
    onsets_samples: FloatArray,
    levels_db: FloatArray,
    channels: IntArray,
    logits: FloatArray,
    sample_rate: int,
) -> npt.NDArray[np.bool_]:
    """Which hits are echoes of a kick, [hits].

    Args:
        groups: [hits], places in :data:`~beatnet_align.hit_outputs.PIECE_GROUPS`.
        onsets_samples: [hits].
        levels_db: [hits, channels], how loud each channel hears each hit.
        channels: [hits], the one that hears each best.
        logits: [hits], of the network, that each is of its group.
        sample_rate: Of the onsets, in hertz.
    """
    echoes = np.zeros(len(groups), np.bool_)
    kicks = np.flatnonzero(groups == KICK)
    if not len(kicks):
        return echoes
    kicks = kicks[np.argsort(onsets_samples[kicks], kind="stable")]
    behind = np.searchsorted(onsets_samples[kicks], onsets_samples - TOGETHER_SECONDS * sample_rate, side="right")
    kick = kicks[np.maximum(behind - 1, 0)]
    lags = (onsets_samples - onsets_samples[kick]) / sample_rate
    own = channels[kick]
    softer = levels_db[np.arange(len(groups)), own] <= levels_db[kick, own] - SOFTER_DB
    soon = (behind > 0) & (lags < FASTEST_SECONDS + SAME_LAG_SECONDS) & softer
    echoes = np.asarray(soon & (groups == KICK) & (lags < FASTEST_SECONDS), np.bool_)
    if not echoes.any():
        return echoes
    alike = np.abs(lags - np.median(lags[echoes])) <= SAME_LAG_SECONDS
    others = np.isin(groups, [*OTHER_DRUMS, UNKNOWN_GROUP]) & (logits < UNSURE_LOGIT)
    return np.asarray(echoes | (soon & alike & others), np.bool_)
