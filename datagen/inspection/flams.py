"""Which flams of a session are worth a look: the widest that their microphones hear, spread over its length."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from beatnet_align.errors import InputError
from beatnet_align.reference_hits import ReferenceHit
from beatnet_align.units import seconds_to_ms
from datagen.inspection.spreading import spread_out

LEAST_APART_SECONDS = 0.002
"""What is struck closer together than this sounds as one; the effect leaves it to the cut."""

LEAST_OWN_ENERGY = 0.5
"""Under this share of the energy around it, the close microphone hardly hears the hit."""


@dataclass(frozen=True)
class Flam:
    """Two hits of different pieces that were meant for one line and struck apart.

    Attributes:
        first: The one that was struck earlier.
        second: The other.
    """

    first: ReferenceHit
    second: ReferenceHit

    @property
    def hits(self) -> tuple[ReferenceHit, ReferenceHit]:
        """Both, in the order in which they were struck."""
        return self.first, self.second

    @property
    def apart_seconds(self) -> float:
        """From one strike to the other."""
        return self.second.performed_seconds - self.first.performed_seconds

    @property
    def line_seconds(self) -> float:
        """Where both belong."""
        return self.first.target_seconds

    @property
    def channels(self) -> tuple[str, ...]:
        """Their close microphones; one where both share it."""
        return tuple(dict.fromkeys(hit.channel for hit in self.hits))

    @property
    def title(self) -> str:
        """Such as "kick, 31 ms later snare; line at 4.158 s"."""
        first, second = (hit.piece.value for hit in self.hits)
        return f"{first}, {seconds_to_ms(self.apart_seconds):.0f} ms later {second}; line at {self.line_seconds:.3f} s"

    def window_seconds(self, before_seconds: float, after_seconds: float) -> tuple[float, float]:
        """Start and stop of a stretch around all that sounds before and after."""
        places = [self.line_seconds, *(hit.performed_seconds for hit in self.hits)]
        return max(0.0, min(places) - before_seconds), max(places) + after_seconds


def flams_of_lines(hits: Sequence[ReferenceHit]) -> list[Flam]:
    """The widest flam of every line that has one, in order of line."""
    lines: dict[float, list[ReferenceHit]] = defaultdict(list)
    for hit in sorted(hits, key=lambda hit: hit.performed_seconds):
        if not hit.ornament and hit.own_energy >= LEAST_OWN_ENERGY:
            lines[hit.score_beats].append(hit)
    pairs = (
        [Flam(first, second) for first, second in combinations(struck, 2) if first.piece is not second.piece]
        for _, struck in sorted(lines.items())
    )
    widest = (max(flams, key=lambda flam: flam.apart_seconds) for flams in pairs if flams)
    return [flam for flam in widest if flam.apart_seconds > LEAST_APART_SECONDS]


def widest_flams(hits: Sequence[ReferenceHit], count: int, seconds: float) -> list[Flam]:
    """Choose the widest flams, spread over a session of so many ``seconds``.

    No two are closer than half of an even spacing, as long as there are others.

    Returns:
        At most ``count``, in order of time.

    Raises:
        InputError: There is none, or ``count`` is below 1.
    """
    if count < 1:
        raise InputError(f"cannot show {count} flams; give 1 or more")
    left = sorted(flams_of_lines(hits), key=lambda flam: -flam.apart_seconds)
    if not left:
        raise InputError(
            f"the session has no flams: no line has hits of two pieces over {seconds_to_ms(LEAST_APART_SECONDS):g} ms "
            "apart that their microphones hear; choose another session"
        )
    return spread_out(left, count, seconds, lambda flam: flam.line_seconds)
