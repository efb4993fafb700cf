"""Share every time-frequency bin among the hits, by what the take's own piece spectra say of each.

Score-informed masks, as Wiener filters with a sharper exponent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beatnet_align.piece_spectra import LEAD_IN_FRAMES, LONGEST_DECAY_SECONDS, PieceSpectra, Span, Strike
from beatnet_align.spectra import Levels
from beatnet_align.units import seconds_to_samples

SHARPNESS = 8
"""Masks are shares of levels to this power, itself a power of two. At 2, the Wiener filter's, ringing that is shared by
hits with different shifts loses level, since their parts no longer add in phase."""

UNCLAIMED_SHARE = 0.1
"""Where all hits together explain less than this share of a level, nobody claims it: other instruments, noise."""

CLAIM_SECONDS, LET_GO_SECONDS = 0.5, 1.0
"""A hit claims its first half second whole and nothing after a second: later, its ringing is anybody's."""

SAME_STRIKE_SECONDS = 0.015
"""What was struck longer ago than this was ringing already when a hit came."""

LEAST_GAP_SECONDS = 0.002
"""Nobody hears a shorter hole in a ringing."""

LEAST_HEARD = 1e-5
"""Where a frame of a hit's share lies so far, 100 dB, under the loudest of its channel in a block, it claims nothing:
half of all frames on the demo take, a quarter to two fifths on recorded ones."""

LARGEST_RATIO = 1e4
"""Its power to the sharpness still fits a float32."""


@dataclass(frozen=True)
class Hold:
    """How long a hit claims its sound.

    Attributes:
        whole_seconds: Until then it claims all that is its own, then less and less.
        let_go_seconds: From then on it claims nothing; longer than ``whole_seconds``.
    """

    whole_seconds: float
    let_go_seconds: float

    @property
    def reach_seconds(self) -> float:
        """No hit is heard longer than this after its onset: windows go on a little where claims end."""
        return self.let_go_seconds + 0.1


BRIEFLY = Hold(CLAIM_SECONDS, LET_GO_SECONDS)
WHOLE_DECAY = Hold(LONGEST_DECAY_SECONDS, LONGEST_DECAY_SECONDS + 0.1)
"""For who wants a piece as it rings: no template is longer."""


@dataclass(frozen=True)
class HitToLift:
    """A hit to lift, or one that shares its sound with such.

    Attributes:
        strike: Where, and what.
        shift: How far it goes, in samples.
        lifted: Whether it is lifted at all.
        favours: A factor a channel, by which what the model says of the hit counts there when the sound is shared;
            None for 1 everywhere.
    """

    strike: Strike
    shift: int = 0
    lifted: bool = True
    favours: tuple[float, ...] | None = None


class BinShares:
    """How every bin of a block is shared among its hits."""

    def __init__(
        self,
        spectra: PieceSpectra,
        hits: Sequence[HitToLift],
        spans: Sequence[Span],
        gains: npt.NDArray[np.float32],
        levels: Levels,
        hold: Hold,
    ) -> None:
        self._spectra, self._hits, self._spans, self._gains, self._levels = spectra, hits, spans, gains, levels
        self._hold = hold
        self._all = np.full_like(levels, np.float32(UNCLAIMED_SHARE**SHARPNESS))
        for number, span in enumerate(spans):
            self._all[span.frames] += self._sharp_ratio(number, span)
        self._least_heard = np.float32(LEAST_HEARD) * spectra.transform.loudness(levels).max(axis=0)
        self._rang = 0
        self.ringing_shift = 0

    def claimed(self, number: int) -> Span:
        """The frames that a hit claims something of."""
        span = self._spans[number]
        most = round(self._hold.let_go_seconds * self._spectra.transform.frames_per_second) + LEAD_IN_FRAMES
        return Span(span.start, max(span.start, min(span.stop, span.start + most - span.lag)), span.lag)

    def mask(self, number: int, span: Span) -> Levels:
        """A hit's share, 0 to 1."""
        lags = np.arange(span.lag, span.lag + span.stop - span.start) - LEAD_IN_FRAMES
        seconds = lags / self._spectra.transform.frames_per_second
        fading_seconds = self._hold.let_go_seconds - self._hold.whole_seconds
        holds = np.clip((self._hold.let_go_seconds - seconds) / fading_seconds, 0.0, 1.0).astype(np.float32)
        shares = self._sharp_ratio(number, span)
        shares /= self._all[span.frames]
        shares *= holds[:, None, None]
        return shares

    def heard(self, mask: Levels, span: Span) -> npt.NDArray[np.bool_]:
        """Where a hit's share is loud enough to count, [frames, channels]."""
        loudness = self._spectra.transform.loudness(mask * self._levels[span.frames])
        return np.asarray(loudness >= self._least_heard)

    def let_ring(self, number: int) -> None:
        """Count as ringing what was struck before a hit."""
        rate = self._spectra.transform.sample_rate
        onset = self._hits[number].strike.onset_samples
        while self._hits[self._rang].strike.onset_samples < onset - seconds_to_samples(SAME_STRIKE_SECONDS, rate):
            self.ringing_shift = self._hits[self._rang].shift
            self._rang += 1

    def gap(self, number: int) -> tuple[Span, Levels] | None:
        """What rang on under a hit that moves later, and is wanted where the hit was.

        Returns:
            The frames where it is wanted, with how many frames earlier it can be heard alone, and how much of that
            is needed; None where no gap opens.
        """
        transform = self._spectra.transform
        gap_samples = self._hits[number].shift - self.ringing_shift
        if not self._rang or gap_samples < seconds_to_samples(LEAST_GAP_SECONDS, transform.sample_rate):
            return None
        frames = -(-gap_samples // transform.hop_samples)
        span = self._spans[number]
        start = span.start + max(0, LEAD_IN_FRAMES - span.lag - 1)
        stop = min(span.stop, start + frames + 2)
        back = frames + LEAD_IN_FRAMES + 1
        if start < back or stop <= start:
            return None
        here = Span(start, stop, start - span.start + span.lag)
        left = 1.0 - self.mask(number, here)
        lacking = np.sqrt(np.maximum(0.0, self._ringing(start, stop) - left**2)) * self._levels[start:stop]
        gain = np.minimum(1.0, lacking / self._levels[start - back : stop - back])
        return Span(start, stop, back), np.asarray(gain, np.float32)

    def _ringing(self, start: int, stop: int) -> Levels:
        """Energy of all that rings in some frames, over what is heard."""
        ringing = np.zeros_like(self._levels[start:stop])
        for number, span in enumerate(self._spans[: self._rang]):
            first, last = max(start, span.start), min(stop, span.stop)
            if first < last:
                here = Span(first, last, span.lag + first - span.start)
                ringing[first - start : last - start] += np.square(self._ratio(number, here))
        return ringing

    def _ratio(self, number: int, span: Span) -> Levels:
        """What the model says of a hit, over what is heard."""
        hit = self._hits[number]
        said = self._spectra.templates[hit.strike.kind][span.lags] * self._gains[number]
        if hit.favours is not None:
            said *= np.array(hit.favours, np.float32)[:, None]
        said /= self._levels[span.frames]
        np.minimum(said, np.float32(LARGEST_RATIO), out=said)
        return np.asarray(said)

    def _sharp_ratio(self, number: int, span: Span) -> Levels:
        """The same to the power of :data:`SHARPNESS`, by squaring: a third of the time of NumPy's power."""
        ratio = self._ratio(number, span)
        for _ in range(SHARPNESS.bit_length() - 1):
            np.square(ratio, out=ratio)
        return ratio
