"""Join places of one shift to segments, with the cut points between them.

Between segments, sound may have been moved by itself in which no hit was found: where a long stretch is not explained
by the shifts around it, it is probed for shifts of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from beatnet_align.cut_list import Cut
from beatnet_align.units import seconds_to_samples
from datagen.edited.joins import Join, Joiner, Stretch, StretchKind
from datagen.edited.lags import Anchor, best_lag

LEAST_HELD_SHARE = 0.5
"""A hit of whose window its shift explains less was found by likeness alone, as in a stretched tail."""

PROBE_SECONDS, PROBED_FROM_SECONDS = 0.03, 0.06
PROBE_HELD_SHARE = 0.95


@dataclass(frozen=True)
class EditedSegment:
    """What moved by one shift.

    Attributes:
        cut: Where it begins, how far it moved, its first and last attack; as in a cut list of the effect.
        confidence: 0 to 1: agreement of its hits, times the share that its shift explains from its first to its
            last attack.
    """

    cut: Cut
    confidence: float


def holds(anchor: Anchor, joiner: Joiner, share: float = LEAST_HELD_SHARE) -> bool:
    """Whether the shift of a place explains its window."""
    shift = anchor.shift_samples
    _, failed = joiner.errors(anchor.destination_samples, anchor.stop_samples + shift, shift)
    return float(np.mean(failed)) <= 1.0 - share


@dataclass
class _Growing:
    """A segment while its places are gathered."""

    cut_samples: int
    shift_samples: int
    places: list[Anchor] = field(default_factory=list)


def find_segments(
    anchors: Sequence[Anchor], joiner: Joiner
) -> tuple[tuple[EditedSegment, ...], tuple[Stretch, ...], dict[Anchor, int]]:
    """Gather places of known shift into segments and look into the gaps between them.

    Args:
        anchors: In order of onset.
        joiner: Of the two takes.

    Returns:
        Segments in order, the first from sample 0 on; stretches that no shift explains, in order; and the index of the
        segment that each place belongs to, without those that contradict surer ones.
    """
    before_samples, after_samples = joiner.before.samples, joiner.after.samples
    # The beginning is where it was, the end where the end of the other take is, unless the nearest hit explains them.
    opening = Anchor(0, 0, 0, 1.0)
    ending = Anchor(before_samples, before_samples, after_samples - before_samples, 1.0)
    growing = [_Growing(0, opening.shift_samples)]
    stretches: list[Stretch] = []
    for earlier, later, join in _joins(_in_order([opening, *anchors, ending]), joiner):
        if join.stretch is not None:
            stretches.append(join.stretch)
        if join.cut_samples is not None and join.cut_samples < after_samples:
            grown = _Growing(join.cut_samples, later.shift_samples)
            growing = [*growing, grown] if join.cut_samples > growing[-1].cut_samples else [*growing[:-1], grown]
        elif earlier is opening:
            growing[-1].shift_samples = later.shift_samples
        if later is not ending:
            growing[-1].places.append(later)
    owner = {anchor: number for number, segment in enumerate(growing) for anchor in segment.places}
    return _finished(growing, stretches), tuple(stretches), owner


def _in_order(anchors: Sequence[Anchor]) -> list[Anchor]:
    """Leave out what would sound before an earlier hit: of two that contradict each other, the less sure one."""
    kept: list[Anchor] = []

    def contradicts(anchor: Anchor) -> bool:
        apart = anchor.destination_samples - kept[-1].destination_samples
        return apart < 0 or (apart == 0 and anchor.shift_samples != kept[-1].shift_samples)

    for anchor in anchors:
        while kept and contradicts(anchor) and anchor.score > kept[-1].score:
            kept.pop()
        if not kept or not contradicts(anchor):
            kept.append(anchor)
    return kept


def _joins(places: Sequence[Anchor], joiner: Joiner) -> Iterator[tuple[Anchor, Anchor, Join]]:
    """Every two neighbouring places, with what happened between them; finds moved sound that has no hit."""
    last = len(places) - 2
    for number, (earlier, later) in enumerate(pairwise(places)):
        join = _edge_join(earlier, later, joiner, number == 0, number == last)
        probes = _probes(earlier, later, join.stretch, joiner) if join.stretch is not None else []
        if not probes:
            yield earlier, later, join
            continue
        for first, second in pairwise([earlier, *probes, later]):
            yield first, second, _edge_join(first, second, joiner, first is places[0], second is places[-1])


def _edge_join(earlier: Anchor, later: Anchor, joiner: Joiner, at_start: bool, at_end: bool) -> Join:
    """A join; at the edges of a take, none where the shift of the only hit beside it explains everything."""
    start, stop = earlier.destination_samples, later.destination_samples
    for at_edge, inner in ((at_start, later), (at_end, earlier)):
        if at_edge:
            join = joiner.join(start, stop, inner.shift_samples, inner.shift_samples)
            if join.stretch is None:
                return join
    return joiner.join(start, stop, earlier.shift_samples, later.shift_samples)


def _probes(earlier: Anchor, later: Anchor, stretch: Stretch, joiner: Joiner) -> list[Anchor]:
    """Places inside a stretch that one shift explains after all."""
    rate = joiner.before.sample_rate
    length, least = (seconds_to_samples(s, rate) for s in (PROBE_SECONDS, PROBED_FROM_SECONDS))
    if stretch.kind is StretchKind.CROSSFADE or stretch.stop_samples - stretch.start_samples < least:
        return []
    found = [earlier]
    for at in range(stretch.start_samples, stretch.stop_samples - length + 1, length):
        lag, score = best_lag(joiner.after, at, at + length, joiner.before, -found[-1].shift_samples)
        source = at + lag
        window = Anchor(source, source + length, -lag, score)
        # The window may begin a little before the cut: only its middle is sure.
        probe = replace(window, onset_samples=source + length // 2)
        between = found[-1].onset_samples < probe.onset_samples < later.onset_samples
        if probe.found and between and holds(window, joiner, PROBE_HELD_SHARE):
            found.append(probe)
    return found[1:]


def _finished(growing: Sequence[_Growing], stretches: Sequence[Stretch]) -> tuple[EditedSegment, ...]:
    """Segments with their cuts and confidence."""
    starts = np.array([stretch.start_samples for stretch in stretches], np.int64)
    stops = np.array([stretch.stop_samples for stretch in stretches], np.int64)
    segments = []
    for segment in growing:
        source = segment.cut_samples - segment.shift_samples
        first, last, score = (source, source, 1.0)
        if segment.places:
            first, last = segment.places[0].onset_samples, segment.places[-1].onset_samples
            score = float(np.mean([place.score for place in segment.places]))
        start, stop = first + segment.shift_samples, last + segment.shift_samples
        unexplained = int(np.sum(np.maximum(np.minimum(stops, stop) - np.maximum(starts, start), 0)))
        cut = Cut(source, segment.shift_samples, first, last)
        segments.append(EditedSegment(cut, round(max(0.0, score) * (1.0 - unexplained / max(1, stop - start)), 4)))
    return tuple(segments)
