"""Groove templates: how far each grid line lies from its nominal place, taken from a performance and reusable.

Also the home of the named grid divisions, which templates and grids share.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from beatnet_align.errors import InputError, OutputError
from beatnet_align.units import FloatArray, IntArray
from beatnet_align.whole_files import written_whole

TICKS_PER_BEAT = 24  # the smallest count in which straight 32nds and 16th triplets are both whole
DIVISION_TICKS = {"1/4": 24, "1/8": 12, "1/16": 6, "1/32": 3, "1/4T": 16, "1/8T": 8, "1/16T": 4}
"""Distance of the lines of each division. T is a triplet: 1/8T has three lines a beat."""

_CLIP_STEPS = 0.49  # a line moved by half a step or more could meet or pass its neighbour
_MAX_TEMPLATE_BEATS = 4096.0


def division_step_beats(division: str) -> float:
    """Distance between the lines of a division, in beats.

    Raises:
        InputError: No such division.
    """
    if division not in DIVISION_TICKS:
        raise InputError(f"unknown grid division {division!r}, choose from {', '.join(DIVISION_TICKS)}")
    return DIVISION_TICKS[division] / TICKS_PER_BEAT


@dataclass(frozen=True)
class GrooveTemplate:
    """A pattern of offsets that repeats every ``length_beats`` from beat 0.

    Attributes:
        division: Its lines, for instance "1/16".
        length_beats: A whole number of its lines.
        offsets_beats: One a line, positive is late, each less than half the distance of two lines.
        name: What to call it in print.
    """

    division: str
    length_beats: float
    offsets_beats: tuple[float, ...]
    name: str = "groove"

    def __post_init__(self) -> None:
        step_beats = division_step_beats(self.division)
        lines = _line_count(self.division, self.length_beats)
        if len(self.offsets_beats) != lines:
            raise InputError(
                f"a template of {self.length_beats:g} beats of {self.division} has {lines} lines, "
                f"found {len(self.offsets_beats)} offsets"
            )
        if not all(abs(offset) < step_beats / 2 for offset in self.offsets_beats):
            raise InputError(f"every offset of a {self.division} template must be below {step_beats / 2:g} beats")

    def offsets_at(self, beats: FloatArray) -> FloatArray:
        """The offset at nominal positions, in beats; between the template's lines interpolated."""
        step_beats = division_step_beats(self.division)
        lines = np.asarray(beats, np.float64) / step_beats
        below = np.floor(lines + 1e-9)
        fraction = np.maximum(lines - below, 0.0)
        offsets = np.array(self.offsets_beats)
        index = below.astype(np.int64) % len(offsets)
        return np.asarray((1 - fraction) * offsets[index] + fraction * offsets[(index + 1) % len(offsets)])

    @classmethod
    def extract(
        cls,
        beats: FloatArray,
        division: str,
        length_beats: float,
        weights: FloatArray | None = None,
        name: str = "groove",
    ) -> Self:
        """The groove of a performance: the weighted median deviation of the hits meant for each line.

        A line that was never struck takes the median of the lines at the same place in other beats, or 0.

        Args:
            beats: [n] onsets in beats, in any order.
            division: The lines to measure against.
            length_beats: After which the pattern repeats.
            weights: [n] above or equal to 0, for instance velocities; equal when absent.
            name: Of the template.

        Raises:
            InputError: No onset, shapes that differ, or an unknown division or length.
        """
        onsets = np.asarray(beats, np.float64)
        importance = np.ones_like(onsets) if weights is None else np.asarray(weights, np.float64)
        if onsets.ndim != 1 or onsets.shape != importance.shape or not np.isfinite(onsets).all():
            raise InputError(f"need finite onsets [n] and weights [n], found {onsets.shape} and {importance.shape}")
        if not np.isfinite(importance).all() or np.any(importance < 0) or not np.any(importance > 0):
            raise InputError("a groove needs at least one onset of a weight above 0 and none below 0")
        step_beats = division_step_beats(division)
        count = _line_count(division, length_beats)
        nearest: IntArray = np.rint(onsets / step_beats).astype(np.int64)
        deviation_beats = onsets - nearest * step_beats
        line = nearest % count
        offsets = np.full(count, np.nan)
        for i in np.unique(line[importance > 0]):
            here = line == i
            offsets[i] = _weighted_median(deviation_beats[here], importance[here])
        class_lines = np.lcm(TICKS_PER_BEAT, DIVISION_TICKS[division]) // DIVISION_TICKS[division]
        classes = np.arange(count) % class_lines
        for i in np.flatnonzero(np.isnan(offsets)):
            struck = offsets[(classes == classes[i]) & (np.bincount(line, importance, count) > 0)]
            offsets[i] = float(np.median(struck)) if len(struck) else 0.0
        offsets = np.clip(offsets, -_CLIP_STEPS * step_beats, _CLIP_STEPS * step_beats)
        return cls(division, float(length_beats), tuple(float(offset) for offset in offsets), name)

    @classmethod
    def from_midi(cls, path: Path, division: str, length_beats: float | None = None) -> Self:
        """The groove of a MIDI file's drum notes, louder notes counting more.

        Args:
            path: A Standard MIDI File.
            division: The lines to measure against.
            length_beats: After which the pattern repeats; by default the whole bars that hold all notes.

        Raises:
            InputError: The file cannot be read or has no notes.
        """
        from beatnet_align.midi import read_onsets_beats, read_tempo_map  # noqa: PLC0415 - keeps mido out of start-up

        beats, velocities, _ = read_onsets_beats(path)
        if not len(beats):
            raise InputError(f"{path} holds no notes, so no groove either")
        if length_beats is None:
            tempo_map = read_tempo_map(path)
            last_line_beats = np.rint(beats.max() / division_step_beats(division)) * division_step_beats(division)
            length_beats = tempo_map.bar_start_beats(int(tempo_map.bar_of(np.array([last_line_beats]))[0]) + 1)
        return cls.extract(beats, division, length_beats, velocities, path.stem)

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON."""
        return {
            "name": self.name,
            "division": self.division,
            "length_beats": self.length_beats,
            "offsets_beats": list(self.offsets_beats),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The template that :meth:`to_json` wrote.

        Raises:
            InputError: A key is missing, a value has the wrong form, or the template breaks its rules.
        """
        try:
            offsets = tuple(float(offset) for offset in data["offsets_beats"])
            division, length_beats, name = str(data["division"]), float(data["length_beats"]), str(data["name"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the groove template is malformed ({type(error).__name__}: {error})") from error
        return cls(division, length_beats, offsets, name)

    def save(self, path: Path, overwrite: bool = False) -> None:
        """Write the template as a JSON file.

        Raises:
            OutputError: The file exists and ``overwrite`` is off, or it cannot be written.
        """
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already, choose another name or allow overwriting")
        with written_whole(path) as partial:
            partial.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a template that :meth:`save` wrote.

        Raises:
            InputError: The file cannot be read or is no groove template.
        """
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"cannot read the groove template {path}: {error.strerror}") from error
        except ValueError as error:  # JSON, encoding, and InputError, which does not know the file's name
            raise InputError(f"{path} is no groove template: {error}") from error


def _line_count(division: str, length_beats: float) -> int:
    """Lines of a template; its length must be a whole number of them."""
    lines = length_beats / division_step_beats(division)
    if length_beats > _MAX_TEMPLATE_BEATS:
        raise InputError(
            f"a groove template may be at most {_MAX_TEMPLATE_BEATS:g} quarter notes long, not {length_beats:g}"
        )
    if not length_beats > 0 or abs(lines - round(lines)) > 1e-6 or round(lines) < 1:
        raise InputError(f"a groove template's length must be a whole number of {division} lines, not {length_beats:g}")
    return round(lines)


def _weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """The value at which half of the weight is passed; between two values where it falls between them."""
    order = np.argsort(values)
    passed = np.cumsum(weights[order]) / weights.sum()
    first, last = np.searchsorted(passed, [0.5 - 1e-12, 0.5 + 1e-12], "left")
    return float(values[order][[first, min(last, len(values) - 1)]].mean())
