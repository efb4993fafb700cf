"""Choose what to show of a session: the most telling places, not all from one bar."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Place = TypeVar("Place")


def spread_out(
    ranked: Sequence[Place], count: int, seconds: float, at_seconds: Callable[[Place], float]
) -> list[Place]:
    """The first of some places, spread over a session of so many ``seconds``.

    No two are closer than half of an even spacing, as long as there are others.

    Args:
        ranked: What to take first comes first; no two alike.
        count: How many at most.
        seconds: Length of the session.
        at_seconds: Where a place is.

    Returns:
        In order of time.
    """
    chosen: list[Place] = []
    for spacing_seconds in (0.5 * seconds / count, 0.0):
        for place in ranked:
            far = all(abs(at_seconds(place) - at_seconds(other)) >= spacing_seconds for other in chosen)
            if far and place not in chosen and len(chosen) < count:
                chosen.append(place)
    return sorted(chosen, key=at_seconds)
