"""How a strike reaches the channels of a recording: through a real kit's microphones, or through a simulated array."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from beatnet_align.hits import Piece
from beatnet_align.roles import guess_role
from beatnet_align.take import Channel
from beatnet_align.units import Float32Array, seconds_to_samples
from datagen.kits.loading import Kit, Strike
from datagen.kits.synth_kit import onset_in_strike
from datagen.kits.tuning import AS_RECORDED, Tuning
from datagen.recorded.microphones import ArrayRenderer

ARRIVAL_SECONDS = 0.15
"""Onsets are looked for in so much of an image; rooms are loudest 20 to 30 ms after the strike."""

FAINT = 10.0 ** (-20.0 / 20.0)
"""Where a piece's own microphone is missing, channels quieter than the loudest by more than this do not time it."""

SILENT = 1e-6


class Hearing(Protocol):
    """Microphones, real or simulated."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """One a row of the images."""
        ...

    def image(self, piece: Piece, strike: Strike) -> Float32Array:
        """What every microphone hears of a strike: [channels, samples]."""
        ...

    def own_rows(self, piece: Piece, strike: Strike) -> tuple[int, ...]:
        """The microphones that stand at the piece; empty where there is none."""
        ...


@dataclass(frozen=True, eq=False)
class KitHearing:
    """The microphones that a kit was recorded with: real bleed, real time of flight."""

    kit: Kit

    @property
    def channels(self) -> tuple[Channel, ...]:
        """See :class:`Hearing`."""
        return tuple(Channel(name, guess_role(name)) for name in self.kit.microphones)

    def image(self, piece: Piece, strike: Strike) -> Float32Array:
        """See :class:`Hearing`."""
        return strike.audio

    def own_rows(self, piece: Piece, strike: Strike) -> tuple[int, ...]:
        """See :class:`Hearing`."""
        return (strike.own_microphone,)


@dataclass(frozen=True, eq=False)
class ArrayHearing:
    """Simulated microphones around dry strikes, each piece's hardest one peaking at full scale before it is tuned."""

    kit: Kit
    renderer: ArrayRenderer

    @property
    def channels(self) -> tuple[Channel, ...]:
        """See :class:`Hearing`."""
        return tuple(Channel(microphone.name, microphone.role) for microphone in self.renderer.array.microphones)

    def image(self, piece: Piece, strike: Strike) -> Float32Array:
        """See :class:`Hearing`."""
        hardest = self.kit.strikes[self.kit.sounding_piece(piece)][-1]
        peak = max(float(np.max(np.abs(_dry(self.kit, one)))) for one in hardest)
        return self.renderer.image(piece, _dry(self.kit, strike) / np.float32(max(peak, SILENT)))

    def own_rows(self, piece: Piece, strike: Strike) -> tuple[int, ...]:
        """See :class:`Hearing`."""
        return self.renderer.array.own_microphones(piece)


def _dry(kit: Kit, strike: Strike) -> Float32Array:
    """One row of a strike to play through an array: its own close microphone, or the mean of a stereo mix."""
    row = strike.audio[strike.own_microphone] if kit.is_multimicrophone else strike.audio.mean(axis=0)
    return np.asarray(row, np.float32)


@dataclass(frozen=True, eq=False)
class Heard:
    """One strike as the channels of a recording hear it.

    Attributes:
        audio: [channels, samples].
        reference: The channel whose onset is the label: the piece's own, or where that is missing the one that hears
            the piece first.
        is_own: Whether the reference is the piece's own microphone.
        onset_samples: Onset by the rule on the reference channel, from the first sample of ``audio``.
        arrivals_samples: The same on every channel, counted from ``onset_samples``; None where nothing is heard.
    """

    audio: Float32Array
    reference: int
    is_own: bool
    onset_samples: int
    arrivals_samples: tuple[int | None, ...]


@dataclass
class Channels:
    """The channels of one recording: some of the microphones, in some order. Remembers what it has rendered."""

    hearing: Hearing
    rows: Sequence[int]
    sample_rate: int
    tuning: Tuning = AS_RECORDED
    _heard: dict[tuple[Piece, int], Heard] = field(default_factory=dict)
    _references: dict[Piece, tuple[int, bool]] = field(default_factory=dict)

    def hear(self, piece: Piece, strike: Strike) -> Heard:
        """What the channels hear of a strike, rendered and measured once."""
        key = piece, id(strike)
        if key not in self._heard:
            tuned = self.tuning.tuned(piece, strike, self.sample_rate)
            audio = np.ascontiguousarray(self.hearing.image(piece, tuned)[list(self.rows)])
            opening = audio[:, : seconds_to_samples(ARRIVAL_SECONDS, self.sample_rate)].astype(np.float64)
            peaks = np.max(np.abs(opening), axis=1)
            onsets = [
                onset_in_strike(row, self.sample_rate) if peak > SILENT else None
                for row, peak in zip(opening, peaks, strict=True)
            ]
            if piece not in self._references:
                self._references[piece] = self._reference(piece, strike, peaks, onsets)
            reference, is_own = self._references[piece]
            onset = onsets[reference] or 0
            arrivals = tuple(None if other is None else other - onset for other in onsets)
            self._heard[key] = Heard(audio, reference, is_own, onset, arrivals)
        return self._heard[key]

    def _reference(
        self, piece: Piece, strike: Strike, peaks: npt.NDArray[np.float64], onsets: Sequence[int | None]
    ) -> tuple[int, bool]:
        own = [i for i, row in enumerate(self.rows) if row in self.hearing.own_rows(piece, strike)]
        if own and onsets[own[0]] is not None:
            return own[0], True
        loud = [i for i, peak in enumerate(peaks) if peak >= max(FAINT * peaks.max(), SILENT)]
        return min(loud, key=lambda i: onsets[i] or 0, default=0), False
