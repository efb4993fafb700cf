"""How far hits raise the level of a channel: what they can be heard by."""

import numpy as np

from beatnet_align.onsets import band_levels_db, hop_samples, rise_db
from beatnet_align.take import Audio
from beatnet_align.units import Float32Array, FloatArray

RISE_WINDOW_SECONDS = (-0.004, 0.015)
"""Where, around its arrival, a hit's rise in level is looked for."""

AUDIBLE_DB = 3.0
"""Rises from here on count as heard, in training and in figures. It is what onset-quantise looks for, too. Noise alone
rises so far at one place in fifty of a channel, at one in ten of twelve, so that more counts as heard than is; and some
hits that rise less are found all the same, by what they sound like."""


def rises_at(signal: Audio, sample_rate: int, arrivals_seconds: FloatArray) -> Float32Array:
    """How far one channel's level rises at each arrival, whoever raises it.

    Args:
        signal: [samples].
        sample_rate: In hertz.
        arrivals_seconds: [arrivals]; NaN where nothing arrives.

    Returns:
        [arrivals] in decibels, see :func:`beatnet_align.onsets.rise_db`; NaN where nothing arrives, or not in the
        signal.
    """
    rises = rise_db(band_levels_db(signal, sample_rate))
    hop = hop_samples(sample_rate) / sample_rate
    found = np.full(len(arrivals_seconds), np.nan, np.float32)
    for i, arrival in enumerate(arrivals_seconds):
        if 0.0 <= arrival < len(signal) / sample_rate:
            first, last = (round((arrival + reach) / hop) for reach in RISE_WINDOW_SECONDS)
            found[i] = rises[max(0, first) : max(0, last) + 1].max(initial=0.0)
    return found
