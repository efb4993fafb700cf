"""Lift each hit out of every microphone by masks, and move it by its own shift; what no mask claims is spliced.

Every time-frequency bin is shared among the hits by what the take's own piece spectra say of each (score-informed
masks, as Wiener filters with a sharper exponent); real-valued, so that a hit keeps its phase in every microphone, and
moved by whole samples. The masks and the rest sum to one: hits that move alike come back as they were.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from beatnet_align.edit_plan import EditPlan
from beatnet_align.piece_spectra import LEAD_IN_FRAMES, LONGEST_DECAY_SECONDS, PieceSpectra, Span, Strike, learn
from beatnet_align.spectra import Levels
from beatnet_align.splice import Splicer
from beatnet_align.take import Audio, Take
from beatnet_align.units import seconds_to_samples

SHARPNESS = 8
"""Masks are shares of levels to this power. At 2, the Wiener filter's, ringing that is shared by hits with different
shifts loses level, since their parts no longer add in phase."""

UNCLAIMED_SHARE = 0.1
"""Where all hits together explain less than this share of a level, nobody claims it: other instruments, noise."""

CLAIM_SECONDS, LET_GO_SECONDS = 0.5, 1.0
"""A hit claims its first half second whole and nothing after a second: later, its ringing is anybody's."""

EARLIEST_SECONDS, GATE_SECONDS = 0.002, 0.001
"""A hit is faded in over this stretch before its onset."""

LAST_FADE_SECONDS = 0.020
SAME_STRIKE_SECONDS = 0.015
"""What was struck longer ago than this was ringing already when a hit came."""

LEAST_GAP_SECONDS = 0.002
BLOCK_SECONDS, LEAST_BLOCK_SECONDS = 8.0, 2.0
BLOCK_VALUES = 8 * 12 * 48_000
"""Blocks get shorter where more than so many samples, of all channels, lie in one."""

CONTEXT_BEFORE_SECONDS = 2.0
KEPT_BLOCKS = 4
LARGEST_RATIO = 1e4

_Mono = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Lifted:
    """What the hits of a block sound like, where they were and where they go, summed.

    Attributes:
        taken_start: First sample, in the source, of ``taken``.
        taken: [channels, samples], to be taken out of the source.
        moved_start: First sample, in the output, of ``moved``.
        moved: [channels, samples], to be added to the output.
    """

    taken_start: int
    taken: _Mono
    moved_start: int
    moved: _Mono


class Separator:
    """Renders any stretch of a plan's output by lifting hits.

    Args:
        take: The take that the plan belongs to.
        plan: Valid for the take.
        shifts_samples: [moves], how far each hit goes.
        wanted: [moves], whether a hit is lifted at all; the others go with the splice.
    """

    def __init__(self, take: Take, plan: EditPlan, shifts_samples: Sequence[int], wanted: Sequence[bool]) -> None:
        self._take = take
        self._strikes = [Strike.of(move) for move in plan.moves]
        self._onsets = [strike.onset_samples for strike in self._strikes]
        self._shifts = shifts_samples
        self._wanted = wanted
        self._spectra: PieceSpectra | None = None
        values_a_second = len(take.channels) * take.sample_rate
        block_seconds = min(BLOCK_SECONDS, max(LEAST_BLOCK_SECONDS, BLOCK_VALUES / values_a_second))
        self._block = seconds_to_samples(block_seconds, take.sample_rate)
        self._reach = seconds_to_samples(LET_GO_SECONDS + 0.1, take.sample_rate)
        self._lifted = lru_cache(KEPT_BLOCKS)(self._lift)
        rest = Take(take.name, take.sample_rate, take.samples, take.channels, _Rest(take, self))
        self._splicer = Splicer(rest, plan)
        self._furthest = max((abs(shift) for shift in shifts_samples), default=0)

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """[channels, stop_samples − start_samples] of the output."""
        out = self._splicer.read(start_samples, stop_samples)
        for block in self._near(start_samples - self._furthest, stop_samples + self._furthest):
            lifted = self._lifted(block)
            _add(out, start_samples, lifted.moved, lifted.moved_start)
        return out

    def taken(self, start_samples: int, stop_samples: int) -> list[Lifted]:
        """What may have to be taken out of a stretch of the source."""
        return [self._lifted(block) for block in self._near(start_samples, stop_samples)]

    def _near(self, start: int, stop: int) -> list[int]:
        """Blocks with hits that are wanted and may sound from start to stop, before they are moved."""
        first = bisect_left(self._onsets, start - self._reach)
        last = bisect_left(self._onsets, stop + self._reach)
        return sorted({self._onsets[i] // self._block for i in range(first, last) if self._wanted[i]})

    def _lift(self, block: int) -> Lifted:
        """Lift the hits whose onsets lie in a block."""
        if self._spectra is None:
            self._spectra = learn(self._take, self._strikes)
        return _lift_block(self._take, self._spectra, self._hits_around(block), block * self._block)

    def _hits_around(self, block: int) -> "list[_Hit]":
        """The hits of a block, and those around it that share their sound with them."""
        rate = self._take.sample_rate
        start, stop = block * self._block, (block + 1) * self._block
        before = seconds_to_samples(CONTEXT_BEFORE_SECONDS + LONGEST_DECAY_SECONDS, rate)
        first, last = bisect_left(self._onsets, start - before), bisect_left(self._onsets, stop + self._reach)
        return [
            _Hit(self._strikes[i], self._shifts[i], start <= self._onsets[i] < stop and self._wanted[i])
            for i in range(first, last)
        ]


@dataclass(frozen=True)
class _Hit:
    strike: Strike
    shift: int
    lifted: bool


class _Rest:
    """A take less what is lifted out of it."""

    def __init__(self, take: Take, separator: Separator) -> None:
        self._take, self._separator = take, separator

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """See :class:`~beatnet_align.take.AudioSource`."""
        audio = self._take.read(start_samples, stop_samples).copy()
        for lifted in self._separator.taken(start_samples, stop_samples):
            _add(audio, start_samples, -lifted.taken, lifted.taken_start)
        return audio


def _add(audio: Audio, start: int, further: _Mono, further_start: int) -> None:
    """Add to audio that begins at ``start`` what overlaps of something that begins at ``further_start``."""
    first = max(start, further_start)
    last = min(start + audio.shape[1], further_start + further.shape[1])
    if last > first:
        audio[:, first - start : last - start] += further[:, first - further_start : last - further_start]


def _lift_block(take: Take, spectra: PieceSpectra, hits: Sequence[_Hit], block_start: int) -> Lifted:
    """Lift the marked ones of some hits, in order of onset, of which the others share the sound."""
    rate, transform = take.sample_rate, spectra.transform
    hop = transform.hop_samples
    context = seconds_to_samples(CONTEXT_BEFORE_SECONDS, rate)
    start = max(0, block_start - context) // hop * hop
    ends = [hit.strike.onset_samples for hit in hits] or [start]
    stop = min(take.samples, max(ends) + seconds_to_samples(LET_GO_SECONDS + 0.1, rate))
    frequencies = transform.forward(take.read(start, max(stop, start + 1)))
    levels = transform.levels(frequencies) + np.float32(spectra.floor)
    spans = [spectra.span(hit.strike, 0, len(levels), start) for hit in hits]
    gains = spectra.gains(levels, [hit.strike for hit in hits], spans)
    claims = _Claims(spectra, hits, spans, gains, levels)
    sums = _Sums(take, start, hits)
    for number, hit in enumerate(hits):
        claims.let_ring(number)
        if not hit.lifted:
            continue
        span = claims.claimed(number)
        if span.stop <= span.start:
            continue
        masked = frequencies[span.start : span.stop] * transform.to_bins(claims.mask(number, span))
        sums.lift(hit, transform.inverse(masked), start + span.start * hop)
        gap = claims.gap(number)
        if gap is not None:
            behind, gain = gap
            filler = frequencies[behind.start - behind.lag : behind.stop - behind.lag] * transform.to_bins(gain)
            sums.fill(transform.inverse(filler), start + behind.start * hop + claims.ringing_shift)
    return sums.lifted()


class _Claims:
    """How every bin of a block is shared among its hits."""

    def __init__(
        self,
        spectra: PieceSpectra,
        hits: Sequence[_Hit],
        spans: Sequence[Span],
        gains: npt.NDArray[np.float32],
        levels: Levels,
    ) -> None:
        self._spectra, self._hits, self._spans, self._gains, self._levels = spectra, hits, spans, gains, levels
        self._all = np.full_like(levels, np.float32(UNCLAIMED_SHARE**SHARPNESS))
        for number, span in enumerate(spans):
            self._all[span.start : span.stop] += self._ratio(number, span) ** SHARPNESS
        self._ringing = np.zeros_like(levels)
        self._rang = 0
        self.ringing_shift = 0

    def claimed(self, number: int) -> Span:
        """The frames that a hit claims something of."""
        span = self._spans[number]
        most = round(LET_GO_SECONDS * self._spectra.transform.frames_per_second) + LEAD_IN_FRAMES
        return Span(span.start, max(span.start, min(span.stop, span.start + most - span.lag)), span.lag)

    def mask(self, number: int, span: Span) -> Levels:
        """A hit's share, 0 to 1."""
        lags = np.arange(span.lag, span.lag + span.stop - span.start) - LEAD_IN_FRAMES
        seconds = lags / self._spectra.transform.frames_per_second
        holds = np.clip((LET_GO_SECONDS - seconds) / (LET_GO_SECONDS - CLAIM_SECONDS), 0.0, 1.0).astype(np.float32)
        shares = self._ratio(number, span) ** SHARPNESS / self._all[span.start : span.stop]
        return np.asarray(shares * holds[:, None, None])

    def let_ring(self, number: int) -> None:
        """Count as ringing what was struck before a hit."""
        rate = self._spectra.transform.sample_rate
        onset = self._hits[number].strike.onset_samples
        while self._hits[self._rang].strike.onset_samples < onset - seconds_to_samples(SAME_STRIKE_SECONDS, rate):
            span = self._spans[self._rang]
            self._ringing[span.start : span.stop] += self._ratio(self._rang, span) ** 2
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
        lacking = np.sqrt(np.maximum(0.0, self._ringing[start:stop] - left**2)) * self._levels[start:stop]
        gain = np.minimum(1.0, lacking / self._levels[start - back : stop - back])
        return Span(start, stop, back), np.asarray(gain, np.float32)

    def _ratio(self, number: int, span: Span) -> Levels:
        """What the model says of a hit, over what is heard."""
        template = self._spectra.templates[self._hits[number].strike.kind]
        said = template[span.lag : span.lag + span.stop - span.start] * self._gains[number]
        return np.asarray(np.minimum(said / self._levels[span.start : span.stop], np.float32(LARGEST_RATIO)))


class _Sums:
    """Adds up what is lifted, where it was and where it goes."""

    def __init__(self, take: Take, start: int, hits: Sequence[_Hit]) -> None:
        rate, channels = take.sample_rate, len(take.channels)
        lifted = [hit for hit in hits if hit.lifted]
        self._rate = rate
        reach = seconds_to_samples(LET_GO_SECONDS + 0.2, rate)
        first = min((hit.strike.onset_samples for hit in lifted), default=start) - reach
        last = max((hit.strike.onset_samples for hit in lifted), default=start) + reach
        earliest = min((hit.shift for hit in hits), default=0)
        latest = max((hit.shift for hit in hits), default=0)
        self._end = take.samples
        self._taken_start, self._moved_start = first, first + min(earliest, 0)
        self._taken = np.zeros((channels, last - first), np.float32)
        self._moved = np.zeros((channels, last - first + max(latest, 0) - min(earliest, 0)), np.float32)

    def lift(self, hit: _Hit, sound: _Mono, at: int) -> None:
        """Take a hit's sound, which begins at sample ``at`` of the source, and put it where the hit goes."""
        onset = hit.strike.onset_samples
        gate = seconds_to_samples(EARLIEST_SECONDS, self._rate) - seconds_to_samples(GATE_SECONDS, self._rate)
        opens = (np.arange(at, at + sound.shape[1]) - onset + seconds_to_samples(EARLIEST_SECONDS, self._rate)) / gate
        fade = min(seconds_to_samples(LAST_FADE_SECONDS, self._rate), sound.shape[1])
        opens[-fade:] = np.minimum(opens[-fade:], np.linspace(1.0, 0.0, fade))
        sound = sound * np.clip(opens, 0.0, 1.0).astype(np.float32)
        sound[:, max(0, self._end - at) :] = 0.0
        _add(self._taken, self._taken_start, sound, at)
        _add(self._moved, self._moved_start, sound, at + hit.shift)

    def fill(self, sound: _Mono, at: int) -> None:
        """Add to the output alone."""
        _add(self._moved, self._moved_start, sound, at)

    def lifted(self) -> Lifted:
        """All of it."""
        return Lifted(self._taken_start, self._taken, self._moved_start, self._moved)
