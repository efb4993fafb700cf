"""Find each hit of a take again in an edited version of it: how far it moved, and how surely.

Windows are compared after differencing, which lifts the attack over the slow waves of a tail and makes the peak of the
correlation one sample wide. Each channel is normalised by itself, so that changed levels do not matter, and all
channels vote for one shift, since editors move all microphones together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.hits import Hit
from beatnet_align.take import Audio, Take
from beatnet_align.units import FloatArray, seconds_to_samples

REACH_SECONDS = 0.3
BEFORE_ONSET_SECONDS = 0.001
SHORTEST_WINDOW_SECONDS, LONGEST_WINDOW_SECONDS = 0.008, 0.035
"""What editors leave alone after an attack (REAPER's SWS extensions: 35 ms); less where the next hit is near."""

FOUND_FROM_SCORE = 0.7
AS_GOOD = 0.003
"""A shift that scores this little less than the best one is taken if it is that of the hit before, or the smaller."""

_SILENCE = 1e-9


@dataclass(frozen=True)
class Anchor:
    """A place whose shift is known.

    Attributes:
        onset_samples: In the take before the edit.
        stop_samples: End of the window that was compared, likewise.
        shift_samples: How far it moved; positive is later.
        score: Agreement of the two windows: −1 to 1, where 1 is the same sound at any level.
    """

    onset_samples: int
    stop_samples: int
    shift_samples: int
    score: float

    @property
    def destination_samples(self) -> int:
        """Where it is after the edit."""
        return self.onset_samples + self.shift_samples

    @property
    def found(self) -> bool:
        """Whether the window was found at all."""
        return self.score >= FOUND_FROM_SCORE


def hit_anchors(before: Take, after: Take, hits: Sequence[Hit]) -> list[Anchor]:
    """Find hits of ``before`` again in ``after``, up to 300 ms away.

    Args:
        before: As recorded; read forward, a window a hit.
        after: As edited; same channels and rate.
        hits: In order of time.

    Returns:
        One a hit; its score tells whether it was found.
    """
    rate = before.sample_rate
    ahead = seconds_to_samples(BEFORE_ONSET_SECONDS, rate)
    shortest, longest = (seconds_to_samples(s, rate) for s in (SHORTEST_WINDOW_SECONDS, LONGEST_WINDOW_SECONDS))
    anchors: list[Anchor] = []
    preferred = 0
    for number, hit in enumerate(hits):
        following = hits[number + 1].onset_samples if number + 1 < len(hits) else before.samples
        length = int(np.clip((following - hit.onset_samples) // 2, shortest, longest))
        start, stop = hit.onset_samples - ahead, hit.onset_samples + length
        shift, score = best_lag(before, start, stop, after, preferred)
        anchors.append(Anchor(hit.onset_samples, stop, shift, score))
        preferred = shift if anchors[-1].found else preferred
    return anchors


def best_lag(take: Take, start: int, stop: int, other: Take, preferred: int = 0) -> tuple[int, float]:
    """Where samples ``start`` to ``stop`` of a take are found in another one: the shift, and its score.

    Args:
        take: Gives the window.
        start: First sample of the window.
        stop: End of the window.
        other: Searched up to 300 ms around.
        preferred: A shift to take where it is as good as the best one.
    """
    reach = seconds_to_samples(REACH_SECONDS, take.sample_rate)
    window = take.read(start, stop)
    as_before = float(lag_scores(window, other.read(start + preferred, stop + preferred))[0])
    if as_before >= 1.0 - AS_GOOD:
        return preferred, as_before
    scores = lag_scores(window, other.read(start - reach, stop + reach))
    best = float(scores.max())
    if as_before >= best - AS_GOOD:
        return preferred, as_before
    as_good = np.flatnonzero(scores >= best - AS_GOOD) - reach
    smallest = int(as_good[np.argmin(np.abs(as_good))])
    # Beside the peak of a low sound its neighbours are nearly as good: climb to the top.
    around = slice(max(0, smallest + reach - 8), smallest + reach + 9)
    peak = around.start + int(np.argmax(scores[around]))
    return peak - reach, float(scores[peak])


def lag_scores(window: Audio, searched: Audio) -> FloatArray:
    """Agreement of a window with every stretch of the same length in a longer one.

    Args:
        window: [channels, n].
        searched: [channels, m], m ≥ n.

    Returns:
        [m − n + 1], the mean of the channels' normalised correlations, each weighted by its amplitude in the window.
    """
    from scipy.fft import irfft, next_fast_len, rfft  # noqa: PLC0415 - slow to import

    short = np.diff(window.astype(np.float64), axis=1)
    long = np.diff(searched.astype(np.float64), axis=1)
    n, m = short.shape[1], long.shape[1]
    size = next_fast_len(m, real=True)
    spectrum = rfft(long, size, axis=1) * np.conj(rfft(short, size, axis=1))
    products = irfft(spectrum, size, axis=1)[:, : m - n + 1]
    energy = np.sum(short**2, axis=1)
    passed = np.pad(np.cumsum(long**2, axis=1), ((0, 0), (1, 0)))
    energies = passed[:, n:] - passed[:, :-n]
    audible = np.sqrt(energy[:, None] * np.maximum(energies, 0.0))
    correlations = np.where(
        energies > _SILENCE * passed[:, -1:], products / np.maximum(audible, np.finfo(np.float64).tiny), 0.0
    )
    weights = np.sqrt(energy)
    if not weights.any():
        return np.zeros(m - n + 1)
    scores: FloatArray = weights @ np.clip(correlations, -1.0, 1.0) / weights.sum()
    return scores
