"""A stretch of a signal at another rate, without the rest of the signal."""

from collections.abc import Callable
from math import ceil

from beatnet_align.take import Audio

FILTER_REACH = 10
"""Zero crossings of resample_poly's filter to each side, at the lower of both rates."""


def resampled(read: Callable[[int, int], Audio], up: int, down: int, start: int, stop: int) -> Audio:
    """A stretch of a signal at another rate, the same as the stretch of the whole signal resampled.

    Args:
        read: Gives [channels, samples] of the signal between two places, also before 0 and beyond its end.
        up: The new rate, in lowest terms with
        down: the old rate.
        start: First sample of the stretch, at the new rate.
        stop: One after its last.
    """
    if up == down:
        return read(start, stop)
    from scipy.signal import resample_poly  # noqa: PLC0415 - only where rates differ

    # Whole turns of both rates, so that the filter meets each sample in the phase in which it would in one go.
    reach = ceil(FILTER_REACH * max(up, down) / up / down) + 1
    first, last = start // up - reach, -(-stop // up) + reach
    out: Audio = resample_poly(read(first * down, last * down), up, down, axis=1)
    return out[:, start - first * up : stop - first * up]
