"""Recover the cut list and the shifts of a take that an engineer edited by hand, from its audio before and after.

Hits are found in the take as recorded, found again in the edited one, and joined to segments of one shift; between
segments the cut points are located, to the sample where the audio was moved bit for bit.
"""

from dataclasses import dataclass, replace

from beatnet_align.collection import OnsetSettings, find_hits
from beatnet_align.cut_list import Cut
from beatnet_align.edit_plan import TakeFacts
from beatnet_align.errors import InputError
from beatnet_align.hits import Hit
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest, resolve_tempo
from beatnet_align.units import samples_to_seconds, seconds_to_ms
from datagen.edited.joins import Joiner, Stretch, StretchKind
from datagen.edited.lags import REACH_SECONDS, hit_anchors
from datagen.edited.likeness import Likeness
from datagen.edited.segments import EditedSegment, find_segments, holds

LEAST_FOUND_SHARE = 0.5
"""With fewer of its hits found again, the edited take is another take."""


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
class EditedPair:
    """What an engineer did to a take.

    Attributes:
        take: Which take was recorded.
        edited_samples: Length of the edited one.
        hits: Those found again, in order of time.
        lost: Onsets of those that were not: removed, replaced or torn by a join.
        segments: In order; the first begins at sample 0.
        stretches: Of the edited take, that no constant shift explains; in order.
        exact: Whether the hits of every channel were moved bit for bit.
        tempo_map: Given, or estimated from the hits after the edit.
        notes: What was assumed about the tempo, a sentence each.
    """

    take: TakeFacts
    edited_samples: int
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
            f"stretches without one shift: {counted}; {unexplained:.2f} s of "
            f"{samples_to_seconds(self.edited_samples, rate):.2f} s",
            *self.notes,
        ]
        return "\n".join(lines)


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
        tempo: What it was edited to; estimated from the edited hits as far as it is unknown.
        settings: How hits are found.

    Raises:
        InputError: No hits are found in ``before``, or too few of them in ``after``.
    """
    hits = find_hits(before, settings)
    if not hits:
        raise InputError(f"no hits were found in {before.name}, so there is nothing to follow into {after.name}")
    anchors = hit_anchors(before, after, hits)
    found = [anchor for anchor in anchors if anchor.found]
    if found:
        joiner = Joiner(before, after, Likeness.at(found, before, after))
        found = [anchor for anchor in found if holds(anchor, joiner)]
    if not found or len(found) < LEAST_FOUND_SHARE * len(hits):
        raise InputError(
            f"only {len(found)} of {len(hits)} hits of {before.name} are found within "
            f"{seconds_to_ms(REACH_SECONDS):.0f} ms in {after.name}; give the same take before and after "
            "cutting and moving (lifted hits are not followed), exported from the same start"
        )
    segments, stretches, owner = find_segments(found, joiner)
    kept = [
        EditedHit(hit, anchor.destination_samples, round(anchor.score, 4), owner[anchor])
        for hit, anchor in zip(hits, anchors, strict=True)
        if anchor in owner
    ]
    lost = tuple(hit.onset_samples for hit, anchor in zip(hits, anchors, strict=True) if anchor not in owner)
    moved = [replace(one.hit, onset_samples=one.target_samples) for one in kept]
    tempo_map, notes = resolve_tempo(tempo or TempoRequest(), after, moved)
    exact = bool(joiner.likeness.exact.all())
    facts = TakeFacts.of(before)
    return EditedPair(facts, after.samples, tuple(kept), lost, segments, stretches, exact, tempo_map, notes)
