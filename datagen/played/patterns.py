"""Scores from nowhere: patterns of many styles and metres, varied from bar to bar, with fills and rudiments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.groove import division_step_beats
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from datagen.played.groove_windows import coarsest
from datagen.played.grooves import Range
from datagen.played.pattern_fills import FASTEST_STEP_SECONDS, Event, fill
from datagen.played.pattern_style import Style
from datagen.played.pattern_styles import STYLES
from datagen.played.score import Note, Score

LICENCE = "CC0, generated"
VELOCITIES = {"X": 0.9, "x": 0.68, "s": 0.45, "g": 0.22, "?": 0.62, "f": 0.9, "d": 0.92, "r": 0.92}
GRACES = {"f": 1, "d": 2, "r": 3}
GRACE_SPACING_SECONDS = {1: (0.018, 0.042), 2: (0.024, 0.042), 3: (0.022, 0.036)}
"""Between neighbouring grace notes and to the main stroke: what demo drummers and rudiments have."""

_VELOCITY_SPREAD = 0.05
_PHRASES_BARS = (2, 4, 8)
_HIHAT_LEAD = Piece.HIHAT_CLOSED
_RARE_SPLASH = 0.1


@dataclass(frozen=True)
class Patterns:
    """Generated scores to pick from.

    Attributes:
        styles: Drawn with equal chance.
        density: Range of how many of the optional notes are played, 0 to 1.
        variation: Range of how much bars differ from each other, 0 to 1.
        first_beat_seconds: Range from which the time of bar 1 is drawn.
    """

    styles: tuple[Style, ...] = STYLES
    density: Range = (0.2, 0.9)
    variation: Range = (0.0, 0.5)
    first_beat_seconds: Range = (0.3, 2.0)

    def __post_init__(self) -> None:
        if not self.styles:
            raise InputError("patterns need at least one style")
        for name, share in (("density", self.density), ("variation", self.variation)):
            if not 0.0 <= share[0] <= share[1] <= 1.0:
                raise InputError(f"{name} must be a rising range within 0 to 1, found {share}")
        if not 0.0 <= self.first_beat_seconds[0] <= self.first_beat_seconds[1]:
            raise InputError(f"first_beat_seconds must be a rising range from 0 on, found {self.first_beat_seconds}")

    def pick(self, rng: np.random.Generator, bars: int) -> Score:
        """A score of ``bars`` bars in one style.

        Raises:
            InputError: ``bars`` is below 1.
        """
        if bars < 1:
            raise InputError(f"a score needs at least one bar, found {bars}")
        style = self.styles[int(rng.integers(len(self.styles)))]
        bpm = float(rng.uniform(*style.bpm))
        swing = round(float(rng.uniform(*style.swing)), 3)
        first_beat_seconds = float(rng.uniform(*self.first_beat_seconds))
        density, variation = float(rng.uniform(*self.density)), float(rng.uniform(*self.variation))
        writer = _Writer(style, bpm, density, variation, rng)
        events = writer.write(bars)
        return Score(
            notes=_notes(events, bpm, rng),
            tempo_map=TempoMap.constant(bpm, first_beat_seconds, *style.signature),
            divisions=coarsest(writer.divisions),
            swing=swing,
            source="pattern",
            style=style.name,
            drummer="pattern",
            licence=LICENCE,
        )


class _Writer:
    """Writes the bars of one score: the same tabs throughout, varied, in phrases that end in fills."""

    def __init__(self, style: Style, bpm: float, density: float, variation: float, rng: np.random.Generator) -> None:
        self.style, self.bpm, self.density, self.variation, self.rng = style, bpm, density, variation, rng
        self.divisions = {style.division}
        self._step_beats = division_step_beats(style.division)
        self._tabs = {piece: tabs[int(rng.integers(len(tabs)))] for piece, tabs in style.tabs.items()}
        lead = style.leads[int(rng.integers(len(style.leads)))] if style.leads and rng.uniform() < 0.3 else None
        self._stands_for = {_HIHAT_LEAD: lead} if lead is not None and lead not in style.tabs else {}

    def write(self, bars: int) -> list[Event]:
        """All events; bars that follow a fill, and mostly the first, begin with a crash."""
        phrase = int(self.rng.choice(_PHRASES_BARS))
        filled = self.style.fills and self.rng.uniform() < 0.8
        crash = self.rng.uniform() < 0.6
        events: list[Event] = []
        for bar in range(bars):
            start, stop = bar * self.style.bar_beats, (bar + 1) * self.style.bar_beats
            ends_phrase = filled and (bar + 1) % phrase == 0
            fill_start = stop - self._fill_beats() if ends_phrase else stop
            own = [event for event in self._bar(start) if event.beats < fill_start - 1e-6]
            if crash:
                own = self._crash(own, start)
            crash = ends_phrase and self.rng.uniform() < 0.8
            if ends_phrase:
                straight = self.style.swing == (0.5, 0.5)
                more, division = fill(fill_start, stop, self.style.division, self.bpm, straight, self.rng)
                self.divisions.add(division if straight else self.style.division)
                own += [event for event in more if straight or self._on_grid(event.beats)]
            events += own
        return events

    def _on_grid(self, beats: float) -> bool:
        return abs(beats / self._step_beats - round(beats / self._step_beats)) < 1e-6

    def _fill_beats(self) -> float:
        bar_beats = self.style.bar_beats
        return float(self.rng.choice([length for length in (1.0, 2.0, bar_beats) if length <= bar_beats]))

    def _bar(self, start_beats: float) -> list[Event]:
        events = []
        for piece, tab in self._tabs.items():
            for step, written in enumerate(tab):
                symbol = self._vary(piece, written, step)
                if symbol == "-" or (symbol == "?" and self.rng.uniform() > self.density):
                    continue
                velocity = float(np.clip(self.rng.normal(VELOCITIES[symbol], _VELOCITY_SPREAD), 0.05, 1.0))
                struck = self._stands_for.get(piece, piece)
                if piece == _HIHAT_LEAD == struck and self.rng.uniform() < 0.06 * self.variation:
                    struck = Piece.HIHAT_OPEN
                beats = start_beats + step * self._step_beats
                events.append(Event(struck, beats, velocity, GRACES.get(symbol, 0)))
        return events

    def _vary(self, piece: Piece, symbol: str, step: int) -> str:
        """Now and then a note more or less: kicks and ghost notes come, kicks and soft notes go, accents get flams."""
        if self.rng.uniform() >= 0.25 * self.variation:
            return symbol
        if symbol == "-":
            fast = self._step_beats * 60.0 / self.bpm < 2 * FASTEST_STEP_SECONDS
            if fast or self.rng.uniform() > self.density:
                return symbol
            return {Piece.KICK: "x", Piece.SNARE: "g"}.get(piece, "-")
        if piece == Piece.SNARE and symbol == "X":
            return "Xfdr"[int(self.rng.integers(4))]
        if symbol in "xsg" and step:
            return "-"
        return symbol

    def _crash(self, events: list[Event], start_beats: float) -> list[Event]:
        """A crash, a splash now and then, in place of what the hand would play on one, with the kick."""
        kept = [event for event in events if event.beats > start_beats or event.piece in (Piece.KICK, Piece.SNARE)]
        piece = Piece.SPLASH if self.rng.uniform() < _RARE_SPLASH else Piece.CRASH
        crash = [Event(piece, start_beats, float(self.rng.uniform(0.75, 1.0)))]
        if not any(event.beats == start_beats and event.piece == Piece.KICK for event in kept):
            crash.append(Event(Piece.KICK, start_beats, float(self.rng.uniform(0.7, 1.0))))
        return crash + kept


def _notes(events: Sequence[Event], bpm: float, rng: np.random.Generator) -> tuple[Note, ...]:
    """Write ornaments out; one note a piece and line, the loudest, and on open hats no closed ones."""
    loudest: dict[tuple[float, Piece], Event] = {}
    for event in events:
        line = (round(event.beats, 6), event.piece)
        if line not in loudest or event.velocity > loudest[line].velocity:
            loudest[line] = replace(event, beats=line[0])
    for beats, piece in tuple(loudest):
        if piece == Piece.HIHAT_OPEN:
            loudest.pop((beats, Piece.HIHAT_CLOSED), None)
    notes: list[Note] = []
    for _, event in sorted(loudest.items(), key=lambda item: (item[0][0], item[0][1].value)):
        main = len(notes)
        notes.append(Note(event.piece, event.velocity, event.beats))
        if event.graces:
            spacing = min(float(rng.uniform(*GRACE_SPACING_SECONDS[event.graces])), 9.0 / bpm / event.graces)
            for before in range(event.graces, 0, -1):
                at = -spacing * before * float(rng.uniform(0.93, 1.07))
                softer = float(event.velocity * rng.uniform(0.3, 0.6))
                notes.append(Note(event.piece, softer, event.beats, 0.0, main, at))
    return tuple(notes)
