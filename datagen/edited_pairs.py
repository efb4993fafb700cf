"""Recover the cut list and the shifts of a take that an engineer edited by hand, from its stems before and after.

Hits are found in the take as recorded, found again in the edited one, and joined to segments of one shift; between
segments the cut points are located, to the sample where the audio was moved bit for bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from beatnet_align.audio_files import OpenTake, open_take
from beatnet_align.collection import OnsetSettings, find_hits
from beatnet_align.edit_plan import Cut
from beatnet_align.errors import InputError
from beatnet_align.hits import Hit
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest, resolve_tempo
from beatnet_align.units import samples_to_seconds, seconds_to_ms, seconds_to_samples
from datagen.edited_joins import Joiner, Likeness, Stretch, StretchKind
from datagen.edited_lags import REACH_SECONDS, Anchor, best_lag, hit_anchors

LEAST_FOUND_SHARE = 0.35
"""With fewer of its hits found again, the edited take is another take."""

PROBE_SECONDS, PROBED_FROM_SECONDS = 0.03, 0.06
"""Where no shift explains this much, sound that no hit was found in may have been moved by itself."""


@dataclass(frozen=True)
class EditedHit:
    """A hit, and where the engineer put it.

    Attributes:
        hit: As found in the take before the edit.
        target_samples: Its onset after the edit.
        score: Agreement of the sound before and after; 1 is the same at any level.
        segment: Index of the segment that it moved with.
    """

    hit: Hit
    target_samples: int
    score: float
    segment: int


@dataclass(frozen=True)
class EditedSegment:
    """What moved by one shift.

    Attributes:
        cut: Where it begins, how far it moved, its first and last attack; as in a cut list of the effect.
        confidence: 0 to 1: agreement of its hits, times the share of it that its shift explains.
    """

    cut: Cut
    confidence: float


@dataclass(frozen=True)
class EditedPair:
    """What an engineer did to a take.

    Attributes:
        take: The take as recorded; readable as long as its files are open.
        hits: Those found again, in order of time.
        lost: Onsets of those that were not: removed, replaced or torn by a join.
        segments: In order; the first begins at sample 0.
        stretches: Of the edited take, that no constant shift explains; in order.
        exact: Whether the hits of every channel were moved bit for bit.
        tempo_map: Given, or estimated from the hits after the edit.
        notes: What was assumed about the tempo, a sentence each.
    """

    take: Take
    hits: tuple[EditedHit, ...]
    lost: tuple[int, ...]
    segments: tuple[EditedSegment, ...]
    stretches: tuple[Stretch, ...]
    exact: bool
    tempo_map: TempoMap
    notes: tuple[str, ...]

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """Where the shift changes: the segments but for an unmoved first one."""
        cuts = tuple(segment.cut for segment in self.segments)
        return cuts[1:] if cuts[0].shift_samples == 0 else cuts

    def __str__(self) -> str:
        rate = self.take.sample_rate
        moves_ms = [seconds_to_ms(samples_to_seconds(abs(cut.shift_samples), rate)) for cut in self.cuts]
        kinds = [stretch.kind for stretch in self.stretches]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in StretchKind)
        unexplained = samples_to_seconds(sum(s.stop_samples - s.start_samples for s in self.stretches), rate)
        lines = [
            f"{len(self.hits)} hits found again, {len(self.lost)} not",
            f"{len(self.cuts)} cuts, moves of up to {max(moves_ms, default=0.0):.1f} ms, "
            + ("bit-exact" if self.exact else "by correlation"),
            f"stretches without one shift: {counted}; {unexplained:.2f} s of {self.take.seconds:.2f} s",
            *self.notes,
        ]
        return "\n".join(lines)


def import_edited_pair(
    before: Path,
    after: Path,
    tempo: TempoRequest | None = None,
    settings: OnsetSettings | None = None,
) -> EditedPair:
    """Compare a take with its edited version, see :func:`recover_edits`.

    Args:
        before: A folder of stems or one multichannel file, as recorded.
        after: The same, as edited.
        tempo: What it was edited to; estimated from the edited hits as far as it is unknown.
        settings: How hits are found.

    Raises:
        InputError: Either cannot be read, or they are not the same take.
    """
    with open_take(before) as recorded, open_take(after) as edited:
        return recover_edits(recorded.take, same_channels(recorded, edited), tempo, settings)


def same_channels(before: OpenTake, after: OpenTake) -> Take:
    """The edited take with its channels in the order of the recorded one.

    Two single files go together whatever they are called, as long as they have as many channels.

    Raises:
        InputError: Channels or sample rates differ.
    """
    first, second = before.take, after.take
    if first.sample_rate != second.sample_rate:
        raise InputError(
            f"{first.name} has {first.sample_rate} Hz and {second.name} {second.sample_rate} Hz; export both at one rate"
        )
    names, others = ([channel.name for channel in take.channels] for take in (first, second))
    single_files = len(before.stems) == len(after.stems) == 1 and len(names) == len(others)
    if names != others and not single_files:
        missing = sorted(set(names) ^ set(others))
        where = first.name if missing[0] in names else second.name
        raise InputError(
            f"{first.name} and {second.name} have to hold the same channels, but {missing[0]!r} is only in {where}; "
            "give the stems the same names"
        )
    return replace(second, channels=first.channels)


def recover_edits(
    before: Take,
    after: Take,
    tempo: TempoRequest | None = None,
    settings: OnsetSettings | None = None,
) -> EditedPair:
    """Recover what moved where.

    Args:
        before: As recorded; read in windows, so it may be longer than memory.
        after: As edited; same channels and rate, any length.
        tempo: As for :func:`import_edited_pair`.
        settings: As for :func:`import_edited_pair`.

    Raises:
        InputError: No hits are found in ``before``, or too few of them in ``after``.
    """
    hits = find_hits(before, settings)
    if not hits:
        raise InputError(f"no hits were found in {before.name}, so there is nothing to follow into {after.name}")
    anchors = hit_anchors(before, after, hits)
    found = [anchor for anchor in anchors if anchor.found]
    if len(found) < LEAST_FOUND_SHARE * len(hits):
        raise InputError(
            f"only {len(found)} of {len(hits)} hits of {before.name} are found within "
            f"{seconds_to_ms(REACH_SECONDS):.0f} ms in {after.name}; give the same take before and after editing, "
            "exported from the same start"
        )
    joiner = Joiner(before, after, Likeness.at(found, before, after))
    # The beginning is where it was; the end is where the end of the other take is.
    opening = Anchor(0, 0, 0, 1.0)
    ending = Anchor(before.samples, before.samples, after.samples - before.samples, 1.0)
    places = _in_order([opening, *found, ending])
    segments, stretches, owner = _segments(places, joiner)
    kept = [
        EditedHit(hit, anchor.destination_samples, round(anchor.score, 4), owner[anchor])
        for hit, anchor in zip(hits, anchors, strict=True)
        if anchor in owner
    ]
    lost = tuple(hit.onset_samples for hit, anchor in zip(hits, anchors, strict=True) if anchor not in owner)
    moved = [replace(one.hit, onset_samples=one.target_samples) for one in kept]
    tempo_map, notes = resolve_tempo(tempo or TempoRequest(), after, moved)
    exact = bool(joiner.likeness.exact.all())
    return EditedPair(before, tuple(kept), lost, segments, stretches, exact, tempo_map, notes)


def _in_order(anchors: Sequence[Anchor]) -> list[Anchor]:
    """Leave out what would sound before an earlier hit: of two that contradict each other, the less sure one."""
    kept: list[Anchor] = []
    for anchor in anchors:
        while kept and anchor.destination_samples < kept[-1].destination_samples and anchor.score > kept[-1].score:
            kept.pop()
        if not kept or anchor.destination_samples >= kept[-1].destination_samples:
            kept.append(anchor)
    return kept


@dataclass
class _Growing:
    """A segment while its places are gathered."""

    cut: Cut
    places: list[Anchor]
    unexplained: int = 0


def _segments(
    places: Sequence[Anchor], joiner: Joiner
) -> tuple[tuple[EditedSegment, ...], tuple[Stretch, ...], dict[Anchor, int]]:
    """Segments, stretches, and which segment every place belongs to."""
    growing = [_Growing(Cut(0, places[0].shift_samples, 0, 0), [])]
    stretches: list[Stretch] = []
    for earlier, later in _with_probes(places, joiner):
        join = joiner.join(
            earlier.destination_samples, later.destination_samples, earlier.shift_samples, later.shift_samples
        )
        if join.stretch is not None:
            stretches.append(join.stretch)
            growing[-1].unexplained += join.stretch.stop_samples - join.stretch.start_samples
        if join.cut_samples is not None and join.cut_samples < joiner.after.samples:
            shift = later.shift_samples
            onset = later.onset_samples
            growing.append(_Growing(Cut(join.cut_samples - shift, shift, onset, onset), []))
        growing[-1].places.append(later)
    return _finished(growing, joiner), tuple(stretches), {}
