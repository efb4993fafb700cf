"""Where the beats of a take lie in time: beats to seconds and back, bars and time signatures.

Beats are quarter notes, whatever the time signature. Beat 0 is beat 1 of bar 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, overload

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.units import FloatArray, IntArray

MIN_BPM, MAX_BPM = 20.0, 400.0
_ON_BAR_LINE_BEATS = 1e-6  # round-off of to_beats must not put a bar line's own beat into the bar before


@dataclass(frozen=True)
class TempoChange:
    """A step to a new tempo at a beat."""

    beats: float
    bpm: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.beats):
            raise InputError(f"a tempo change needs a finite beat, found {self.beats}")
        if not MIN_BPM <= self.bpm <= MAX_BPM:
            raise InputError(
                f"tempo out of range at beat {self.beats:g}: {self.bpm:g} BPM, supported are {MIN_BPM:g} to {MAX_BPM:g}"
            )


@dataclass(frozen=True)
class TimeSignature:
    """A time signature from a beat on; a bar starts there, even where that cuts the bar before it short."""

    beats: float
    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if not np.isfinite(self.beats):
            raise InputError(f"a time signature needs a finite beat, found {self.beats}")
        if not 1 <= self.numerator <= 64 or self.denominator not in (1, 2, 4, 8, 16, 32, 64):
            raise InputError(
                f"time signature {self.numerator}/{self.denominator}: the numerator must be 1 to 64, "
                "the denominator 1, 2, 4, 8, 16, 32 or 64"
            )

    @property
    def bar_beats(self) -> float:
        """Length of one bar in quarter notes."""
        return self.numerator * 4.0 / self.denominator


FOUR_FOUR = TimeSignature(0.0, 4, 4)


@dataclass(frozen=True)
class TempoMap:
    """Beats to seconds and back: constant tempo between changes, the outer tempos reach on for ever.

    Attributes:
        tempi: At least one, at strictly increasing beats; the first also holds for everything before it.
        first_beat_seconds: When beat 0 sounds.
        time_signatures: The first at beat 0, strictly increasing; the first also holds before beat 0.
    """

    tempi: tuple[TempoChange, ...]
    first_beat_seconds: float
    time_signatures: tuple[TimeSignature, ...] = (FOUR_FOUR,)

    def __post_init__(self) -> None:
        if not self.tempi:
            raise InputError("a tempo map needs at least one tempo")
        if not np.isfinite(self.first_beat_seconds):
            raise InputError(f"the first beat needs a finite time in seconds, found {self.first_beat_seconds}")
        if np.any(np.diff([change.beats for change in self.tempi]) <= 0):
            raise InputError("tempo changes must be in order of their beats, at most one a beat position")
        signature_beats = [signature.beats for signature in self.time_signatures]
        if not signature_beats or signature_beats[0] != 0.0 or np.any(np.diff(signature_beats) <= 0):
            raise InputError(f"time signatures must start at beat 0 and be in order, found them at {signature_beats}")

    @classmethod
    def constant(cls, bpm: float, first_beat_seconds: float, numerator: int = 4, denominator: int = 4) -> Self:
        """One tempo and one time signature throughout.

        Raises:
            InputError: Tempo or time signature out of range.
        """
        signature = TimeSignature(0.0, numerator, denominator)
        return cls((TempoChange(0.0, bpm),), first_beat_seconds, (signature,))

    @classmethod
    def from_beat_times(
        cls,
        seconds: FloatArray,
        first_beat: float = 0.0,
        step_beats: float = 1.0,
        time_signatures: tuple[TimeSignature, ...] = (FOUR_FOUR,),
    ) -> Self:
        """A map through the times of successive beats, one tempo between each two.

        Args:
            seconds: [n >= 2], strictly increasing.
            first_beat: The beat that sounds at ``seconds[0]``; negative for a pickup.
            step_beats: Beats from one entry to the next.
            time_signatures: As in the class.

        Raises:
            InputError: Too few or unordered times, or a tempo out of range between two of them.
        """
        times = np.asarray(seconds, np.float64)
        if times.ndim != 1 or len(times) < 2 or not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
            raise InputError(
                f"beat times must be two or more rising times in seconds, found {times.size} of shape {times.shape}"
            )
        if not step_beats > 0:
            raise InputError(f"the step between beat times must be above 0 beats, found {step_beats}")
        bpms = 60.0 * step_beats / np.diff(times)
        tempi = tuple(TempoChange(first_beat + i * step_beats, float(bpm)) for i, bpm in enumerate(bpms))
        from_first_entry = cls(tempi, 0.0)
        offset_seconds = float(times[0]) - from_first_entry.to_seconds(float(first_beat))
        return cls(tempi, offset_seconds, time_signatures)

    @overload
    def to_seconds(self, beats: float) -> float: ...
    @overload
    def to_seconds(self, beats: FloatArray) -> FloatArray: ...
    def to_seconds(self, beats: float | FloatArray) -> float | FloatArray:
        """When beats sound, in seconds; takes one position or an array of any shape."""
        knots_beats, knots_seconds, bpms = self._knots
        positions = np.asarray(beats, np.float64)
        segment = np.maximum(np.searchsorted(knots_beats, positions, "right") - 1, 0)
        seconds = knots_seconds[segment] + (positions - knots_beats[segment]) * 60.0 / bpms[segment]
        return seconds if isinstance(beats, np.ndarray) else float(seconds)

    @overload
    def to_beats(self, seconds: float) -> float: ...
    @overload
    def to_beats(self, seconds: FloatArray) -> FloatArray: ...
    def to_beats(self, seconds: float | FloatArray) -> float | FloatArray:
        """The beat position at times in seconds; the inverse of :meth:`to_seconds`."""
        knots_beats, knots_seconds, bpms = self._knots
        times = np.asarray(seconds, np.float64)
        segment = np.maximum(np.searchsorted(knots_seconds, times, "right") - 1, 0)
        beats = knots_beats[segment] + (times - knots_seconds[segment]) * bpms[segment] / 60.0
        return beats if isinstance(seconds, np.ndarray) else float(beats)

    @overload
    def bpm_at(self, beats: float) -> float: ...
    @overload
    def bpm_at(self, beats: FloatArray) -> FloatArray: ...
    def bpm_at(self, beats: float | FloatArray) -> float | FloatArray:
        """The tempo at beat positions; at a change the new one."""
        knots_beats, _, bpms = self._knots
        found = bpms[np.maximum(np.searchsorted(knots_beats, np.asarray(beats, np.float64), "right") - 1, 0)]
        return found if isinstance(beats, np.ndarray) else float(found)

    def bar_start_beats(self, bar: int) -> float:
        """The beat on which a bar starts: bar 1 at beat 0, bar 0 one bar before it, and so on backwards."""
        first_bars, starts_beats, bars_beats = self._signature_knots
        i = max(int(np.searchsorted(first_bars, bar, "right")) - 1, 0)
        return float(starts_beats[i] + (bar - first_bars[i]) * bars_beats[i])

    def bar_of(self, beats: FloatArray) -> IntArray:
        """The bar in which each beat position lies, from 1; 0 and below before beat 0."""
        first_bars, starts_beats, bars_beats = self._signature_knots
        positions = np.asarray(beats, np.float64) + _ON_BAR_LINE_BEATS
        i = self._signature_at(positions)
        bars: IntArray = first_bars[i] + np.floor((positions - starts_beats[i]) / bars_beats[i]).astype(np.int64)
        return bars

    def bar_beats_at(self, beats: FloatArray) -> FloatArray:
        """Length of the bar in which each beat position lies, in quarter notes."""
        return self._signature_knots[2][self._signature_at(np.asarray(beats, np.float64) + _ON_BAR_LINE_BEATS)]

    def beat_in_bar(self, beats: FloatArray) -> FloatArray:
        """How far into its bar each beat position lies, in quarter notes: 0 on the bar line."""
        positions = np.asarray(beats, np.float64)
        bars, where = np.unique(self.bar_of(positions), return_inverse=True)
        starts_beats = np.array([self.bar_start_beats(int(bar)) for bar in bars])
        return np.asarray(np.maximum(positions - starts_beats[where].reshape(positions.shape), 0.0))

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON: ``tempi`` as [beats, bpm], ``time_signatures`` as [beats, numerator, denominator]."""
        return {
            "first_beat_seconds": self.first_beat_seconds,
            "tempi": [[change.beats, change.bpm] for change in self.tempi],
            "time_signatures": [[s.beats, s.numerator, s.denominator] for s in self.time_signatures],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The map that :meth:`to_json` wrote.

        Raises:
            InputError: A key is missing, a value has the wrong form, or the map breaks its rules.
        """
        try:
            tempi = tuple(TempoChange(float(beats), float(bpm)) for beats, bpm in data["tempi"])
            signatures = tuple(TimeSignature(float(b), int(n), int(d)) for b, n, d in data["time_signatures"])
            first_beat_seconds = float(data["first_beat_seconds"])
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the tempo map is malformed ({type(error).__name__}: {error})") from error
        return cls(tempi, first_beat_seconds, signatures)

    @cached_property
    def _knots(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Beats, seconds and tempo of every tempo change."""
        beats = np.array([change.beats for change in self.tempi], np.float64)
        bpms = np.array([change.bpm for change in self.tempi], np.float64)
        seconds = np.concatenate([[0.0], np.cumsum(np.diff(beats) * 60.0 / bpms[:-1])])
        segment = max(int(np.searchsorted(beats, 0.0, "right")) - 1, 0)
        zero_seconds = seconds[segment] - beats[segment] * 60.0 / bpms[segment]
        return beats, seconds - zero_seconds + self.first_beat_seconds, bpms

    def _signature_at(self, positions: FloatArray) -> IntArray:
        """Which time signature holds at each position in beats; the first one also before it."""
        return np.maximum(np.searchsorted(self._signature_knots[1], positions, "right") - 1, 0)

    @cached_property
    def _signature_knots(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """First bar, start in beats and bar length in beats of every time signature; a cut-short bar counts."""
        starts_beats = np.array([signature.beats for signature in self.time_signatures], np.float64)
        bars_beats = np.array([signature.bar_beats for signature in self.time_signatures], np.float64)
        bars = np.ceil(np.diff(starts_beats) / bars_beats[:-1] - _ON_BAR_LINE_BEATS).astype(np.int64)
        return np.concatenate([[1], 1 + np.cumsum(np.maximum(bars, 1))]), starts_beats, bars_beats
