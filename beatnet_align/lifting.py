"""Take a take apart into the sounds of its hits, by masks, a block at a time.

The masks are those of ``bin_shares.py``: real-valued, so that a hit keeps its phase in every microphone. The masks and
what no mask claims sum to one.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from beatnet_align.bin_shares import BRIEFLY, BinShares, HitToLift, Hold
from beatnet_align.piece_spectra import LONGEST_DECAY_SECONDS, PieceSpectra, Span, learn
from beatnet_align.take import Audio, Take
from beatnet_align.units import IntArray, seconds_to_samples

EARLIEST_SECONDS, GATE_SECONDS = 0.002, 0.001
"""A hit is faded in over this stretch before its onset."""

FRESH_SECONDS = 0.040
"""What sounds just before a hit belongs to another one that was struck up to so long before, if there is one."""

LAST_FADE_SECONDS = 0.020
"""A template that ends while it still rings is faded out."""

BLOCK_SECONDS, LEAST_BLOCK_SECONDS = 8.0, 2.0
BLOCK_VALUES = 8 * 12 * 48_000
"""Blocks get shorter where more than so many samples, of all channels, lie in one."""

CONTEXT_BEFORE_SECONDS = 0.2
"""Enough to see how strong the hits before a block were; 0.1 to 2 s gave the same figures on the bench."""

Float32Audio = npt.NDArray[np.float32]
"""[channels, samples]."""


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
        self.reach_samples = seconds_to_samples(hold.reach_seconds, take.sample_rate)
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
        stop = min(take.samples, latest + seconds_to_samples(hold.reach_seconds, rate))
        self._frequencies = self._transform.forward(take.read(self.start, max(stop, self.start + 1)))
        levels = self._transform.levels(self._frequencies) + np.float32(spectra.floor)
        spans = [spectra.span(hit.strike, 0, len(levels), self.start) for hit in hits]
        gains = spectra.gains(levels, [hit.strike for hit in hits], spans)
        self._early: dict[int, Sound] = {}
        self._shares = BinShares(spectra, hits, spans, gains, levels, hold)

    def sounds(self, number: int, asked: IntArray | None = None) -> Iterator[Sound]:
        """What a hit sounds like in every microphone, where it is, part by part.

        Args:
            number: Of the hit.
            asked: [stretches, 2], from which sample to which it will be used; everywhere when None. The parts hold
                that, and what comes before the onset. At their ends, beyond what was asked for, they lack something.

        Yields:
            In order of time, apart from each other; nothing where nothing of it is heard.
        """
        span, hop = self._shares.claimed(number), self._transform.hop_samples
        onset = self.hits[number].strike.onset_samples
        starts, ends = self.start + span.start * hop, self.start + span.stop * hop
        parts = [span] if asked is None else self._frames_asked_for(span, np.append(asked, [[starts, onset]], axis=0))
        for part in parts:
            at = self.start + part.start * hop
            mask = self._shares.mask(number, part)
            audio = self._transform.inverse(self._frequencies[part.frames], mask, self._shares.heard(mask, part))
            before = audio[:, : max(0, onset - at)].copy()
            self._gate(self.hits[number], Sound(at, audio), ends)
            if at == starts:
                self._early[number] = Sound(at, before - audio[:, : before.shape[1]])
            yield Sound(at, audio)

    def _frames_asked_for(self, span: Span, asked: IntArray) -> list[Span]:
        """The runs of a span's frames that are heard where somebody asks."""
        half = self._transform.window_samples // 2
        middles = self.start + self._transform.hop_samples * np.arange(span.start, span.stop)
        firsts, lasts = np.sort(asked, axis=0).T
        # More stretches begin before a frame ends than end before it begins: one of them is heard there.
        wanted = np.searchsorted(firsts, middles + half) > np.searchsorted(lasts, middles - half, side="right")
        edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False)).reshape(-1, 2).tolist()
        return [Span(span.start + first, span.start + last, span.lag + first) for first, last in edges]

    def early(self, number: int) -> tuple[int, Sound] | None:
        """What a hit claimed before its onset, and whose it is: that of the hit which was struck just before.

        To be asked for after :meth:`sounds`.

        Returns:
            The number of that hit and its sound; None where nothing was struck just before, or what was is not lifted.
        """
        onset = self.hits[number].strike.onset_samples
        fresh = seconds_to_samples(FRESH_SECONDS, self.sample_rate)
        least = seconds_to_samples(EARLIEST_SECONDS, self.sample_rate)
        for before in range(number - 1, -1, -1):
            apart = onset - self.hits[before].strike.onset_samples
            if apart > fresh:
                return None
            if apart >= least:
                if not self.hits[before].lifted:
                    return None
                self._gate(self.hits[before], self._early[number])
                return before, self._early[number]
        return None

    def filler(self, number: int) -> Sound | None:
        """What rings on where a hit that moves later leaves a gap, in the output; None where no gap opens."""
        self._shares.let_ring(number)
        gap = self._shares.gap(number)
        if gap is None:
            return None
        behind, gain = gap
        heard = self._frequencies[behind.start - behind.lag : behind.stop - behind.lag]
        at = self.start + behind.start * self._transform.hop_samples + self._shares.ringing_shift
        sound = self._transform.inverse(heard, gain)
        edge = min(self._transform.hop_samples, sound.shape[1] // 2)
        rise = np.linspace(0.0, 1.0, edge, dtype=np.float32)
        sound[:, :edge] *= rise
        sound[:, sound.shape[1] - edge :] *= rise[::-1]
        return Sound(at, sound)

    def _gate(self, hit: HitToLift, sound: Sound, ends: int | None = None) -> None:
        """Silence what lies before the onset of a hit, and fade out what comes before the sample where it ``ends``."""
        rate, audio, samples = self.sample_rate, sound.audio, sound.audio.shape[1]
        opens = hit.strike.onset_samples - seconds_to_samples(EARLIEST_SECONDS, rate) - sound.start
        rises = seconds_to_samples(EARLIEST_SECONDS, rate) - seconds_to_samples(GATE_SECONDS, rate)
        before = np.arange(max(0, min(opens + rises, samples)))
        audio[:, : len(before)] *= np.maximum(0.0, (before - opens) / rises).astype(np.float32)
        if ends is not None:
            falls = seconds_to_samples(LAST_FADE_SECONDS, rate) - 1
            last = np.arange(max(0, min(ends - 1 - falls - sound.start, samples)), samples)
            audio[:, samples - len(last) :] *= np.maximum(0.0, (ends - 1 - sound.start - last) / falls).astype(
                np.float32
            )
        audio[:, max(0, self._end - sound.start) :] = 0.0
