"""What a style is: tabs of one bar, one character a grid line, to be varied by :mod:`datagen.played.patterns`.

``X`` accent, ``x`` plain, ``s`` soft, ``g`` ghost, ``f`` flam, ``d`` drag (two grace notes), ``r`` ruff (three),
``?`` played or not, ``-`` nothing. Tabs of one piece are alternatives.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from beatnet_align.errors import InputError
from beatnet_align.groove import division_step_beats
from beatnet_align.hits import Piece

SYMBOLS = "Xxsgfdr?-"
Tabs = Mapping[Piece, tuple[str, ...]]


@dataclass(frozen=True)
class Style:
    """A style.

    Attributes:
        name: As it stands in the manifest.
        bpm: Lowest and highest tempo, quarter notes a minute.
        tabs: For each piece the alternatives; all of one bar.
        division: Grid line of each character.
        swing: Range of the swing; (0.5, 0.5) is straight.
        signature: Numerator and denominator.
        leads: Pieces that may carry the pulse in place of the hi-hat that the tab names, for instance the ride.
        fills: Whether phrases end in fills.
    """

    name: str
    bpm: tuple[float, float]
    tabs: Tabs
    division: str = "1/16"
    swing: tuple[float, float] = (0.5, 0.5)
    signature: tuple[int, int] = (4, 4)
    leads: tuple[Piece, ...] = (Piece.RIDE, Piece.HIHAT_OPEN)
    fills: bool = True

    def __post_init__(self) -> None:
        for piece, tabs in self.tabs.items():
            for tab in tabs:
                if len(tab) != self.steps_per_bar or set(tab) - set(SYMBOLS):
                    raise InputError(
                        f"style {self.name}: a tab of {piece} needs {self.steps_per_bar} of the symbols {SYMBOLS}, "
                        f"found {tab!r}"
                    )

    @property
    def bar_beats(self) -> float:
        """Length of a bar in quarter notes."""
        return self.signature[0] * 4.0 / self.signature[1]

    @property
    def steps_per_bar(self) -> int:
        """Grid lines in a bar."""
        return round(self.bar_beats / division_step_beats(self.division))
