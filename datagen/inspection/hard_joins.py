"""Which joins of a plan are worth a look: the widest gaps and overlaps in what rings, spread over its length."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from beatnet_align.cut_list import cut_list, segments
from beatnet_align.edit_plan import EditPlan, Move
from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.splice import Plain, Span, timeline
from beatnet_align.units import samples_to_seconds, seconds_to_ms, seconds_to_samples
from datagen.inspection.spreading import spread_out
from datagen.joins import RINGING_SECONDS, WASHING
from datagen.played.human import HIHATS

LEAST_GAP_SECONDS = 0.005
"""Below this a join is hard for nobody."""

TAILS = WASHING | {Piece.TOM_HIGH, Piece.TOM_MID, Piece.TOM_FLOOR}
"""What rings so long that people hear it torn."""


@dataclass(frozen=True)
class HardJoin:
    """The join in front of an attack that moves otherwise than what sounds before it. Places are samples.

    Attributes:
        attack: Where the attack sounds in the output.
        onset: Where it was played.
        gap: By how much a gap opens in front of it; negative where the tail is cut short.
        struck: The pieces of its segment.
        ringing: What was struck within a second before, each once.
        tails: Those of it that ring long.
        channel: Microphone of what rings: of the latest tail, or of the latest stroke where there is none.
        sample_rate: In hertz.
    """

    attack: int
    onset: int
    gap: int
    struck: tuple[Piece, ...]
    ringing: tuple[Piece, ...]
    tails: tuple[Piece, ...]
    channel: str
    sample_rate: int

    @property
    def attack_seconds(self) -> float:
        """Where the attack sounds."""
        return samples_to_seconds(self.attack, self.sample_rate)

    @property
    def title(self) -> str:
        """Such as "gap of 23 ms in ride and snare, before kick at 4.158 s"."""
        kind = "gap" if self.gap > 0 else "overlap"
        size_ms = seconds_to_ms(samples_to_seconds(abs(self.gap), self.sample_rate))
        heard = _listed(self.tails or self.ringing)
        return f"{kind} of {size_ms:.0f} ms in {heard}, before {_listed(self.struck)} at {self.attack_seconds:.3f} s"

    def span(self, spans: Sequence[Span]) -> Span | None:
        """The join itself in a timeline of the plan; None where nothing is joined in front of the attack."""
        return max(
            (one for one in spans if not isinstance(one, Plain) and one.stop <= self.attack),
            key=lambda one: one.stop,
            default=None,
        )

    def window_seconds(self, before_seconds: float, after_seconds: float) -> tuple[float, float]:
        """Start and stop of a stretch around the attack."""
        return max(0.0, self.attack_seconds - before_seconds), self.attack_seconds + after_seconds


def hardest_joins(plan: EditPlan, count: int) -> list[HardJoin]:
    """Choose the hardest joins of a plan whose channels are cut together.

    Where ride, crash, open hi-hat or a tom rings comes first, then the wider one; no two are closer than half of an
    even spacing over the take, as long as there are others.

    Returns:
        At most ``count``, in order of time.

    Raises:
        InputError: There is none, or ``count`` is below 1.
    """
    if count < 1:
        raise InputError(f"cannot show {count} joins; give 1 or more")
    joins = joins_of_plan(plan)
    if not joins:
        raise InputError(
            f"the plan has no hard joins: nothing that rings is torn by {seconds_to_ms(LEAST_GAP_SECONDS):g} ms; "
            "choose another session"
        )
    ranked = sorted(joins, key=lambda join: (not join.tails, -abs(join.gap)))
    seconds = samples_to_seconds(plan.take.samples, plan.take.sample_rate)
    return spread_out(ranked, count, seconds, lambda join: join.attack_seconds)


def joins_of_plan(plan: EditPlan) -> list[HardJoin]:
    """All joins of a plan in which something rings and that are wide enough, in order of time."""
    rate, channels = plan.take.sample_rate, plan.take.channels
    cuts, parts = cut_list(plan, channels), segments(plan.moves)
    spans = timeline(cuts, plan.take.samples, rate, plan.splice)
    least = seconds_to_samples(LEAST_GAP_SECONDS, rate)
    found = []
    for (before, cut), part in zip(pairwise(cuts), parts[1:], strict=True):
        gap = cut.shift_samples - before.shift_samples
        ringing = _ringing(plan.moves, cut.first_onset_samples, rate)
        if abs(gap) < least or not ringing:
            continue
        tails = [move for move in ringing if move.piece in TAILS and not _choked(move, ringing)]
        join = HardJoin(
            attack=cut.first_onset_samples + cut.shift_samples,
            onset=cut.first_onset_samples,
            gap=gap,
            struck=tuple(dict.fromkeys(move.piece for move in part)),
            ringing=tuple(dict.fromkeys(move.piece for move in ringing)),
            tails=tuple(dict.fromkeys(move.piece for move in tails)),
            channel=(tails or ringing)[-1].channel,
            sample_rate=rate,
        )
        found += [join] if join.span(spans) is not None else []
    return found


def _ringing(moves: Sequence[Move], until: int, sample_rate: int) -> list[Move]:
    since = until - seconds_to_samples(RINGING_SECONDS, sample_rate)
    return [move for move in moves if since <= move.onset_samples < until]


def _choked(move: Move, ringing: Sequence[Move]) -> bool:
    """Whether it is an open hi-hat that another stroke of the hi-hat has ended since."""
    since = ringing[ringing.index(move) + 1 :]
    return move.piece is Piece.HIHAT_OPEN and any(other.piece in HIHATS for other in since)


def _listed(pieces: Sequence[Piece]) -> str:
    *others, last = (piece.value for piece in pieces)
    return f"{', '.join(others)} and {last}" if others else last
