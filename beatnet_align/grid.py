"""Grid lines: where in the bar hits are meant to be, in beats; straight, swung or after a groove template."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.groove import DIVISION_TICKS, TICKS_PER_BEAT, GrooveTemplate, division_step_beats
from beatnet_align.units import FloatArray

MIN_SWING, MAX_SWING = 0.5, 0.75
_REACH_BEATS = 3.0  # no two neighbouring lines are further apart: quarters at the strongest swing leave 1.5 beats


@dataclass(frozen=True)
class Grid:
    """Lines that repeat for ever from beat 0, in both directions.

    Attributes:
        divisions: One or more of :data:`~beatnet_align.groove.DIVISION_TICKS`; several are laid over each other.
        swing: Where the second line of each pair falls inside the pair: 0.5 straight, 0.667 triplet swing.
        template: Moves every line by its offsets; carries its own swing.
    """

    divisions: tuple[str, ...] = ("1/16",)
    swing: float = 0.5
    template: GrooveTemplate | None = None

    def __post_init__(self) -> None:
        if not self.divisions:
            raise InputError("a grid needs at least one division, for instance 1/16")
        for division in self.divisions:
            division_step_beats(division)
        if not MIN_SWING <= self.swing <= MAX_SWING:
            raise InputError(
                f"swing must be {MIN_SWING} to {MAX_SWING} (50 to 75 %, straight to dotted), found {self.swing}"
            )
        if self.swing == MIN_SWING:
            return
        if any(division.endswith("T") for division in self.divisions):
            raise InputError(
                f"swing delays every second line of straight pairs, and triplets ({'+'.join(self.divisions)}) "
                "have no pairs: use triplets without swing, or 1/8 with a swing of 0.667"
            )
        if len(set(self.divisions)) > 1:
            raise InputError(f"swing needs a single division to know its pairs, found {'+'.join(self.divisions)}")
        if self.template is not None:
            raise InputError(
                f"the groove template {self.template.name!r} carries its own swing: leave swing at 0.5 (50 %)"
            )

    @property
    def name(self) -> str:
        """The divisions as :func:`parse_grid` reads them."""
        return "+".join(self.divisions)

    def lines_beats(self, start_beats: float, stop_beats: float) -> FloatArray:
        """The lines from ``start_beats`` up to, not including, ``stop_beats``: sorted and unique, in beats."""
        return self._lines_and_nominals(start_beats, stop_beats)[0]

    def nominal_lines_beats(self, start_beats: float, stop_beats: float) -> FloatArray:
        """Where the lines of :meth:`lines_beats` would be without swing and template; same order and count."""
        return self._lines_and_nominals(start_beats, stop_beats)[1]

    def nearest_line(self, beats: FloatArray) -> FloatArray:
        """The line nearest to each position, in beats and the same shape; the earlier of two that are as near.

        Raises:
            InputError: A position is not finite.
        """
        below, above = self._neighbours(beats)
        return np.where(beats - below <= above - beats, below, above)

    def nominal_of_nearest(self, beats: FloatArray) -> FloatArray:
        """The score position of :meth:`nearest_line`: that line without swing and template.

        Raises:
            InputError: A position is not finite.
        """
        if not np.size(beats):
            return np.zeros_like(beats)
        nearest = self.nearest_line(beats)
        lines, nominals = self._lines_and_nominals(float(nearest.min()) - 1, float(nearest.max()) + 1)
        return np.asarray(nominals[np.searchsorted(lines, nearest)])

    def step_beats_at(self, beats: FloatArray) -> FloatArray:
        """Distance between the two lines around each position, in beats; on a line, the distance to the next one.

        Raises:
            InputError: A position is not finite.
        """
        below, above = self._neighbours(beats)
        return above - below

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON."""
        template = None if self.template is None else self.template.to_json()
        return {"divisions": list(self.divisions), "swing": self.swing, "template": template}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The grid that :meth:`to_json` wrote.

        Raises:
            InputError: A key is missing, a value has the wrong form, or the grid breaks its rules.
        """
        try:
            divisions = tuple(str(division) for division in data["divisions"])
            swing = float(data["swing"])
            template = data["template"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the grid is malformed ({type(error).__name__}: {error})") from error
        return cls(divisions, swing, None if template is None else GrooveTemplate.from_json(template))

    def _lines_and_nominals(self, start_beats: float, stop_beats: float) -> tuple[FloatArray, FloatArray]:
        """Lines in [start, stop) and their nominal places."""
        first_tick = int(np.floor((start_beats - _REACH_BEATS) * TICKS_PER_BEAT))
        last_tick = int(np.ceil((stop_beats + _REACH_BEATS) * TICKS_PER_BEAT))
        steps = {DIVISION_TICKS[division] for division in self.divisions}
        ticks = np.unique(np.concatenate([np.arange(-(-first_tick // s) * s, last_tick, s) for s in steps]))
        nominals = ticks / TICKS_PER_BEAT
        lines = nominals.copy()
        if self.template is not None:
            lines += self.template.offsets_at(nominals)
        elif self.swing > MIN_SWING:
            step = next(iter(steps))
            lines[(ticks // step) % 2 == 1] += (2 * self.swing - 1) * step / TICKS_PER_BEAT
        inside = (lines >= start_beats) & (lines < stop_beats)
        return lines[inside], nominals[inside]

    def _neighbours(self, beats: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The last line at or before each position, and the first one after it."""
        positions = np.asarray(beats, np.float64)
        if not np.isfinite(positions).all():
            raise InputError("positions must be finite beats; did a tempo map get NaN or infinity?")
        if not positions.size:
            return positions, positions
        lines = self.lines_beats(float(positions.min()) - _REACH_BEATS, float(positions.max()) + _REACH_BEATS)
        after = np.searchsorted(lines, positions, "right")
        return lines[after - 1], lines[after]


def parse_grid(text: str, swing: float = 0.5, template: GrooveTemplate | None = None) -> Grid:
    """The grid that a user wrote, such as "1/16", "1/8T" or "1/16+1/8T".

    Args:
        text: One division, or several joined by ``+``.
        swing: As in :class:`Grid`.
        template: As in :class:`Grid`.

    Raises:
        InputError: An unknown division (the message lists the choices), or a swing that the divisions cannot have.
    """
    divisions = [part.strip().upper() for part in text.split("+")]
    return Grid(tuple(dict.fromkeys(divisions)), swing, template)
