"""Which bars of a take are worked on, as people name them: 5-12, or one bar by its number."""

from dataclasses import dataclass

from beatnet_align.errors import InputError

BarRange = tuple[int, int]
"""First and last bar, both included, counted from 1."""


@dataclass(frozen=True)
class BarSelection:
    """Some bars of a take; ``bar in selection`` tells whether a bar is among them.

    Attributes:
        only: The bars to choose from; all of them when None.
        apart_from: Bars that are left out of those.

    Raises:
        InputError: A range ends before it starts.
    """

    only: BarRange | None = None
    apart_from: tuple[BarRange, ...] = ()

    def __post_init__(self) -> None:
        for first, last in (*([self.only] if self.only is not None else []), *self.apart_from):
            if first > last:
                raise InputError(f"the bar range ends before it starts: {first}-{last}")

    def __contains__(self, bar: int) -> bool:
        chosen = self.only is None or self.only[0] <= bar <= self.only[1]
        return chosen and not any(first <= bar <= last for first, last in self.apart_from)


def parse_bars(text: str, option: str) -> BarRange:
    """The bars that a user named with an option, such as "5-12" or "5".

    Raises:
        InputError: The text is neither; the message names the option.
    """
    first, dash, last = text.partition("-")
    try:
        return int(first), int(last if dash else first)
    except ValueError as error:
        raise InputError(f"{option} wants FIRST-LAST or one bar, such as 5-12 or 5; found {text!r}") from error
