"""What sounds where a gap opens: more of the tail, stretched, all channels in one call."""

import numpy as np

from beatnet_align.take import Audio

STRETCH_BLOCK_SECONDS, STRETCH_INTERVAL_SECONDS = 0.060, 0.015
"""Short blocks keep short tails in place; python-stretch's own preset takes 120 ms, longer than most tails."""

PHASE_SEED = 0
"""Signalsmith draws random phases where it stretches a lot; unseeded, no two renders of one plan are equal."""


def stretched_tail(tail: Audio, samples: int, sample_rate: int) -> Audio:
    """Play a tail over a longer time at the same pitch.

    All channels go through one call of python-stretch: measured inter-microphone phase error −52 dB, where a call per
    channel destroys phase (docs/evidence.md).

    Args:
        tail: [channels, n], no attack inside.
        samples: Wanted length, at least n.
        sample_rate: In hertz.

    Returns:
        [channels, samples] of the same type; scales with the input.
    """
    from python_stretch import Signalsmith  # noqa: PLC0415 - loads a compiled library

    stretched: Audio = np.zeros((len(tail), samples), tail.dtype)
    loudest = float(np.max(np.abs(tail), initial=0.0))
    if loudest == 0.0:
        return stretched
    stretch = Signalsmith.Stretch(PHASE_SEED)
    block = max(64, round(STRETCH_BLOCK_SECONDS * sample_rate))
    stretch.configure(len(tail), block, max(16, round(STRETCH_INTERVAL_SECONDS * sample_rate)))
    stretch.setTimeFactor(tail.shape[1] / samples)
    # At unit level, since the library adds tiny constants of its own and float32 has no room below them.
    out = np.asarray(stretch.process(np.ascontiguousarray(tail / loudest, np.float32)))[:, :samples]
    stretched[:, : out.shape[1]] = out * loudest
    stretched[:, out.shape[1] :] = stretched[:, out.shape[1] - 1 : out.shape[1]]
    return stretched
