"""Take a take apart into the sounds of its hits, by masks, a block at a time.

Every time-frequency bin is shared among the hits by what the take's own piece spectra say of each (score-informed
masks, as Wiener filters with a sharper exponent); real-valued, so that a hit keeps its phase in every microphone. The
masks and what no mask claims sum to one.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from beatnet_align.piece_spectra import LEAD_IN_FRAMES, LONGEST_DECAY_SECONDS, PieceSpectra, Span, Strike, learn
from beatnet_align.spectra import Levels
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

FRESH_SECONDS = 0.040
"""What sounds just before a hit belongs to another one that was struck up to so long before, if there is one."""

LAST_FADE_SECONDS = 0.020
"""A template that ends while it still rings is faded out."""

SAME_STRIKE_SECONDS = 0.015
"""What was struck longer ago than this was ringing already when a hit came."""

LEAST_GAP_SECONDS = 0.002
"""Nobody hears a shorter hole in a ringing."""

BLOCK_SECONDS, LEAST_BLOCK_SECONDS = 8.0, 2.0
BLOCK_VALUES = 8 * 12 * 48_000
"""Blocks get shorter where more than so many samples, of all channels, lie in one."""

CONTEXT_BEFORE_SECONDS = 0.5
"""Enough to see how strong the hits before a block were; 0.1 to 2 s gave the same figures on the bench."""

LARGEST_RATIO = 1e4
"""Its power to the sharpness still fits a float32."""


Float32Audio = npt.NDArray[np.float32]
"""[channels, samples]."""


@dataclass(frozen=True)
class Hold:
    """How long a hit claims its sound.

    Attributes:
        whole_seconds: Until then it claims all that is its own, then less and less.
        let_go_seconds: From then on it claims nothing; longer than ``whole_seconds``.
    """

    whole_seconds: float
    let_go_seconds: float


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


@dataclass(frozen=True)
class Sound:
    """Audio, [channels, samples], and the sample at which it begins."""

    start: int
    audio: Float32Audio


class Lifter:
    """Takes a take apart into the sounds of its hits, those of a block at a time.

    Args:
        take: Read around each block.
        hits: All of the take, in order of onset.
        hold: How long each claims its sound.

    Attributes:
        hits: As given.
        block_samples: Length of a block.
        reach_samples: No hit is heard longer than this after its onset.
    """

    def __init__(self, take: Take, hits: Sequence[HitToLift], hold: Hold = BRIEFLY) -> None:
        self.hits = hits
        values_a_second = len(take.channels) * take.sample_rate
        block_seconds = min(BLOCK_SECONDS, max(LEAST_BLOCK_SECONDS, BLOCK_VALUES / values_a_second))
        self.block_samples = seconds_to_samples(block_seconds, take.sample_rate)
        self.reach_samples = seconds_to_samples(hold.let_go_seconds + 0.1, take.sample_rate)
        self._take, self._hold = take, hold
        self._onsets = [hit.strike.onset_samples for hit in hits]

    def blocks_near(self, start: int, stop: int) -> list[int]:
        """Blocks with hits that are to be lifted and may sound from start to stop, before they are moved."""
        first = bisect_left(self._onsets, start - self.reach_samples)
        last = bisect_left(self._onsets, stop + self.reach_samples)
        return sorted({self._onsets[i] // self.block_samples for i in range(first, last) if self.hits[i].lifted})

    def hear(self, block: int) -> "HeardBlock":
        """Share the sound around a block among its hits."""
        start, stop = block * self.block_samples, (block + 1) * self.block_samples
        before = seconds_to_samples(CONTEXT_BEFORE_SECONDS + LONGEST_DECAY_SECONDS, self._take.sample_rate)
        first, last = bisect_left(self._onsets, start - before), bisect_left(self._onsets, stop + self.reach_samples)
        around = [
            replace(hit, lifted=hit.lifted and start <= hit.strike.onset_samples < stop)
            for hit in self.hits[first:last]
        ]
        return HeardBlock(self._take, self._spectra, around, start, self._hold)

    def learn(self) -> None:
        """Learn what the pieces sound like, once; :meth:`hear` does so where it was not done, but not for threads."""
        _ = self._spectra

    @cached_property
    def _spectra(self) -> PieceSpectra:
        return learn(self._take, [hit.strike for hit in self.hits])


def add_sound(audio: Audio, start: int, sound: Sound) -> None:
    """Add what overlaps of a sound to audio that begins at sample ``start``."""
    first = max(start, sound.start)
    last = min(start + audio.shape[1], sound.start + sound.audio.shape[1])
    if last > first:
        audio[:, first - start : last - start] += sound.audio[:, first - sound.start : last - sound.start]


class HeardBlock:
    """The sound of a block and of what is around it, shared among its hits.

    Args:
        take: Read from a little before the block to where its hits have faded.
        spectra: Of the take.
        hits: Of the block, marked, and those around it that share their sound with them; in order of onset.
        block_start: In samples.
        hold: How long each claims its sound.

    Attributes:
        hits, hold: As given.
        sample_rate: In hertz.
        channels: How many.
        start: First sample that was read.
    """

    def __init__(
        self, take: Take, spectra: PieceSpectra, hits: Sequence[HitToLift], block_start: int, hold: Hold
    ) -> None:
        self.hits, self.hold, self.sample_rate, self.channels = hits, hold, take.sample_rate, len(take.channels)
        self._transform, self._end = spectra.transform, take.samples
        hop, rate = self._transform.hop_samples, take.sample_rate
        earliest = min((hit.strike.onset_samples for hit in hits if hit.lifted), default=block_start)
        self.start = max(0, earliest - seconds_to_samples(CONTEXT_BEFORE_SECONDS, rate)) // hop * hop
        latest = max((hit.strike.onset_samples for hit in hits if hit.lifted), default=block_start)
        stop = min(take.samples, latest + seconds_to_samples(hold.let_go_seconds + 0.1, rate))
        self._frequencies = self._transform.forward(take.read(self.start, max(stop, self.start + 1)))
        levels = self._transform.levels(self._frequencies) + np.float32(spectra.floor)
        spans = [spectra.span(hit.strike, 0, len(levels), self.start) for hit in hits]
        gains = spectra.gains(levels, [hit.strike for hit in hits], spans)
        self._early: dict[int, Sound] = {}
        self._claims = _Claims(spectra, hits, spans, gains, levels, hold)

    def sound(self, number: int) -> Sound | None:
        """What a hit sounds like in every microphone, where it is; None where nothing of it is heard."""
        span = self._claims.claimed(number)
        if span.stop <= span.start:
            return None
        transform = self._transform
        masked = self._frequencies[span.start : span.stop] * transform.to_bins(self._claims.mask(number, span))
        at = self.start + span.start * transform.hop_samples
        whole = transform.inverse(masked)
        gated = self._gated(self.hits[number], whole, at)
        self._early[number] = Sound(at, whole - gated)
        return Sound(at, gated)

    def early(self, number: int) -> tuple[int, Sound] | None:
        """What a hit claimed before its onset, and whose it is: that of the hit which was struck just before.

        To be asked for after :meth:`sound`.

        Returns:
            The number of that hit and its sound; None where nothing was struck just before.
        """
        onset = self.hits[number].strike.onset_samples
        fresh = seconds_to_samples(FRESH_SECONDS, self.sample_rate)
        least = seconds_to_samples(EARLIEST_SECONDS, self.sample_rate)
        for before in range(number - 1, -1, -1):
            apart = onset - self.hits[before].strike.onset_samples
            if apart > fresh:
                return None
            if apart >= least and self.hits[before].lifted:
                early = self._early[number]
                ends = max(0, onset - early.start)
                sound = self._gated(self.hits[before], early.audio[:, :ends], early.start, fades=False)
                return before, Sound(early.start, sound)
        return None

    def filler(self, number: int) -> Sound | None:
        """What rings on where a hit that moves later leaves a gap, in the output; None where no gap opens."""
        self._claims.let_ring(number)
        gap = self._claims.gap(number)
        if gap is None:
            return None
        behind, gain = gap
        heard = self._frequencies[behind.start - behind.lag : behind.stop - behind.lag]
        at = self.start + behind.start * self._transform.hop_samples + self._claims.ringing_shift
        sound = self._transform.inverse(heard * self._transform.to_bins(gain))
        edge = min(self._transform.hop_samples, sound.shape[1] // 2)
        rise = np.linspace(0.0, 1.0, edge, dtype=np.float32)
        sound[:, :edge] *= rise
        sound[:, sound.shape[1] - edge :] *= rise[::-1]
        return Sound(at, sound)

    def _gated(self, hit: HitToLift, sound: Float32Audio, at: int, *, fades: bool = True) -> Float32Audio:
        """Nothing before its onset, and where it ``fades`` an end without a click."""
        rate, onset = self.sample_rate, hit.strike.onset_samples
        gate = seconds_to_samples(EARLIEST_SECONDS, rate) - seconds_to_samples(GATE_SECONDS, rate)
        opens = (np.arange(at, at + sound.shape[1]) - onset + seconds_to_samples(EARLIEST_SECONDS, rate)) / gate
        fade = min(seconds_to_samples(LAST_FADE_SECONDS, rate), sound.shape[1])
        if fades and fade:
            opens[-fade:] = np.minimum(opens[-fade:], np.linspace(1.0, 0.0, fade))
        sound = sound * np.clip(opens, 0.0, 1.0).astype(np.float32)
        sound[:, max(0, self._end - at) :] = 0.0
        return sound


class _Claims:
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
            self._all[span.start : span.stop] += self._ratio(number, span) ** SHARPNESS
        self._ringing = np.zeros_like(levels)
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
        hit = self._hits[number]
        template = self._spectra.templates[hit.strike.kind]
        said = template[span.lag : span.lag + span.stop - span.start] * self._gains[number]
        if hit.favours is not None:
            said *= np.array(hit.favours, np.float32)[:, None]
        return np.asarray(np.minimum(said / self._levels[span.start : span.stop], np.float32(LARGEST_RATIO)))
