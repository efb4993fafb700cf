"""Render a plan by cutting: move, crossfade, fill; attacks bit-exact, all channels of a group together.

The output is a row of spans. A plain span copies the source at one shift. Between two shifts stands a join, which ends
before the attack behind the cut: a crossfade where the tail in front is cut short, or, where a gap opens, the tail in
front run on into, stretched, or continued by a model of it, with a crossfade into what comes just before the attack; or
a network mixes both sides.
"""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from beatnet_align.autoregression import CONTEXT_SECONDS, continued
from beatnet_align.cut_list import Cut, channel_groups, cut_list
from beatnet_align.edit_plan import EditPlan, SpliceSettings
from beatnet_align.engines import Fill
from beatnet_align.fill import stretched_tail
from beatnet_align.seams import LONGEST_GAP_SECONDS, context_samples, shipped_seamnet, transition_samples
from beatnet_align.take import Audio, Take
from beatnet_align.units import seconds_to_samples

GUARD_SECONDS = 0.0005
"""A crossfade ends this long before an onset, because the energy of the definition is smoothed over as much."""

HOLD_SECONDS = 0.035
"""The first part of a hit that is never stretched or faded (REAPER's SWS extensions: 35 ms)."""

LEAST_HOLD_SECONDS = 0.005
"""Nor is this much of it heard again, and no tail shorter than twice this is stretched without need."""

LONGEST_EXTENSION_SECONDS = 0.030
"""Gaps up to this run on into the tail; longer ones continue it. What continues is nearer to the truth from 2 ms on, by
a tenth (`python -m models.join_figures`), but running on doubles the fewest attacks."""

MOST_STRETCH = 1.5
"""A stretched tail is at most this much longer (REAPER's SWS extensions), where the tail is long enough."""

LONGEST_TAIL_SECONDS = 0.250

KEPT_JOINS = 2
"""Of each group, the last ones: repaired stretches begin and end inside joins, so that these are read part by part."""


def crossfade(outgoing: Audio, incoming: Audio) -> Audio:
    """Fade ``outgoing`` into ``incoming`` over their whole length.

    Equal gain, not equal power: both sides of a drum edit hold nearly the same sound, so amplitudes add.

    Args:
        outgoing: [channels, samples], full scale ±1; audible at the first sample.
        incoming: Same shape; audible at the last sample.

    Returns:
        [channels, samples]; equal to the input wherever the two agree.
    """
    samples = outgoing.shape[1]
    fade = ((np.arange(samples) + 1) / (samples + 1)).astype(outgoing.dtype)
    faded: Audio = outgoing + fade * (incoming - outgoing)
    return faded


@dataclass(frozen=True)
class Plain:
    """Source samples at one shift."""

    start: int
    stop: int
    shift: int

    @property
    def source(self) -> tuple[int, int]:
        """First source sample needed, and the one behind the last."""
        return self.start - self.shift, self.stop - self.shift


@dataclass(frozen=True)
class Fade:
    """From one shift to another."""

    start: int
    stop: int
    shift_out: int
    shift_in: int

    @property
    def source(self) -> tuple[int, int]:
        """First source sample needed, and the one behind the last."""
        return (
            self.start - max(self.shift_out, self.shift_in),
            self.stop - min(self.shift_out, self.shift_in),
        )


@dataclass(frozen=True)
class Stretched:
    """The tail in front of a gap, stretched over it; fades from the earlier shift and into the later one."""

    start: int
    stop: int
    shift_out: int
    shift_in: int
    fade: int

    @property
    def source(self) -> tuple[int, int]:
        """First source sample needed, and the one behind the last."""
        return self.start - self.shift_out, self.stop - self.shift_in


@dataclass(frozen=True)
class Continued:
    """More of the tail in front of a gap, from a model of its last ``context`` samples; fades into the later shift."""

    start: int
    stop: int
    shift_out: int
    shift_in: int
    fade: int
    context: int

    @property
    def source(self) -> tuple[int, int]:
        """First source sample needed, and the one behind the last."""
        return (
            min(self.start - self.context - self.shift_out, self.stop - self.fade - self.shift_in),
            max(self.start - self.shift_out, self.stop - self.shift_in),
        )


@dataclass(frozen=True)
class Mixed:
    """A transition that a network mixes from both sides, see ``seams.py``.

    Attributes:
        opens: Whether a gap opens, and so nothing is known of the earlier side inside.
        context: Of both sides, heard in front.
        tail: So much in front lies behind the attack before.
    """

    start: int
    stop: int
    shift_out: int
    shift_in: int
    opens: bool
    context: int
    tail: int

    @property
    def source(self) -> tuple[int, int]:
        """First source sample needed, and the one behind the last."""
        known = self.start if self.opens else self.stop
        return (
            self.start - self.context - max(self.shift_out, self.shift_in),
            max(known - self.shift_out, self.stop - self.shift_in),
        )


Span = Plain | Fade | Stretched | Continued | Mixed
Group = tuple[list[int], list[Span]]
"""Rows of the take that are cut together, and what sounds there."""
_start, _stop = attrgetter("start"), attrgetter("stop")


class Splicer:
    """Renders any stretch of a plan's output by cutting.

    Args:
        take: The take that the plan belongs to, or another of the same shape.
        plan: Valid for the take.
    """

    def __init__(self, take: Take, plan: EditPlan) -> None:
        self._take = take
        self._lock = threading.Lock()
        names = [channel.name for channel in take.channels]
        self._groups = [
            (
                [names.index(name) for name in group],
                timeline(cut_list(plan, group), take.samples, take.sample_rate, plan.splice),
            )
            for group in channel_groups(plan.splice, plan.take)
        ]
        cut = {row for rows, _ in self._groups for row in rows}
        self._still = [row for row in range(len(names)) if row not in cut]
        self._kept: list[dict[Span, Audio]] = [{} for _ in self._groups]

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """[channels, stop_samples − start_samples] of the output; what does not move is the input bit for bit."""
        inside = _spans_inside(self._groups, start_samples, stop_samples)
        first, last = _source_of_block(inside, start_samples, stop_samples)
        # At least one sample of the take itself: all of it may come from outside, and only the source knows its type.
        first, last = min(first, self._take.samples - 1), max(last, 1)
        if self._still:
            first, last = min(first, start_samples), max(last, stop_samples)
        source = self._take.read(first, last)
        out = np.empty((len(self._take.channels), stop_samples - start_samples), source.dtype)
        if self._still:
            out[self._still] = source[self._still, start_samples - first : stop_samples - first]
        for (rows, spans), kept in zip(inside, self._kept, strict=True):
            every = len(rows) == len(self._take.channels)
            audio = source if every else source[rows]
            column = 0
            for span in _clipped(spans, start_samples, stop_samples):
                piece = self._rendered(kept, span, audio, first)
                lead_in = max(0, start_samples - span.start)
                piece = piece[:, lead_in : lead_in + out.shape[1] - column]
                out[rows if not every else slice(None), column : column + piece.shape[1]] = piece
                column += piece.shape[1]
        return out

    def _rendered(self, kept: dict[Span, Audio], span: Span, audio: Audio, offset: int) -> Audio:
        """See :func:`_render_span`; what took long is kept for who reads on from its middle."""
        if isinstance(span, Plain | Fade):
            return _render_span(span, audio, offset, self._take.sample_rate)
        with self._lock:
            known = kept.get(span)
        if known is not None:
            return known
        rendered = _render_span(span, audio, offset, self._take.sample_rate)
        with self._lock:
            while len(kept) >= KEPT_JOINS:
                del kept[next(iter(kept))]
            kept[span] = rendered
        return rendered

    def joins_samples(self) -> list[tuple[int, int]]:
        """Where joins start and stop, in order; those of several groups that overlap are one."""
        found: list[tuple[int, int]] = []
        joins = [span for _, spans in self._groups for span in spans if not isinstance(span, Plain)]
        for join in sorted(joins, key=_start):
            if found and join.start < found[-1][1]:
                found[-1] = found[-1][0], max(found[-1][1], join.stop)
            else:
                found.append((join.start, join.stop))
        return found

    def reads(self, start_samples: int, stop_samples: int) -> tuple[int, int]:
        """From where to where :meth:`read` reads the take for that stretch of the output, or for any part of it."""
        return _source_of_block(_spans_inside(self._groups, start_samples, stop_samples), start_samples, stop_samples)


def timeline(cuts: Sequence[Cut], samples: int, sample_rate: int, splice: SpliceSettings) -> list[Span]:
    """Lay out the spans of one group of channels.

    Args:
        cuts: In order.
        samples: Length of the take.
        sample_rate: In hertz.
        splice: Gives pad, crossfade and fill.

    Returns:
        Spans that follow each other without gap or overlap from 0 to ``samples``.
    """
    layout = _Layout(sample_rate, splice)
    # The take begins and ends where it did: like segments without attacks, the first one for ever before the take.
    previous, end = Cut(0, 0, 0, -samples - sample_rate), Cut(samples, 0, samples, samples)
    ends = [end] if layout.room(cuts[-1] if cuts else previous, end) >= layout.least_hold else []
    spans: list[Span] = []
    at = 0
    for cut in (*cuts, *ends):
        if cut.shift_samples == previous.shift_samples:
            previous = cut
            continue
        join = layout.join(previous, cut, at)
        if join is not None:
            if join.start > at:
                spans.append(Plain(at, join.start, previous.shift_samples))
            spans.append(join)
            at = join.stop
        previous = cut
    if at < samples:
        spans.append(Plain(at, samples, previous.shift_samples))
    return spans


def samples_to_stretch(tail: int, gap: int, fade: int, longest_tail: int) -> int:
    """How much of the end of a tail is stretched over a gap, no more than needs be; all in samples."""
    length = min(tail, max(round(gap / (MOST_STRETCH - 1.0)), 4 * fade))
    return min(length, longest_tail) if gap < (MOST_STRETCH - 1.0) * longest_tail else length


def stretched_over(tail: Audio, samples: int, incoming: Audio, sample_rate: int) -> Audio:
    """Stretch a tail, faded in from itself and out into what comes just before the next attack.

    Args:
        tail: [channels, n], no attack inside.
        samples: Wanted length, at least n.
        incoming: [channels, fade], what sounds at the end; both fades are as long.
        sample_rate: In hertz.

    Returns:
        [channels, samples].
    """
    fade = incoming.shape[1]
    out = stretched_tail(tail, samples, sample_rate)
    out[:, :fade] = crossfade(tail[:, :fade], out[:, :fade])
    out[:, -fade:] = crossfade(out[:, -fade:], incoming)
    return out


class _Layout:
    """Chooses the join between two shifts."""

    def __init__(self, sample_rate: int, splice: SpliceSettings) -> None:
        def to_samples(seconds: float) -> int:
            return max(1, seconds_to_samples(seconds, sample_rate))

        self.fill = splice.fill
        self.long_gaps = splice.long_gaps
        self.pad = to_samples(splice.pad_seconds)
        self.fade = to_samples(splice.crossfade_seconds)
        self.guard = to_samples(GUARD_SECONDS)
        self.hold = to_samples(HOLD_SECONDS)
        self.least_hold = to_samples(LEAST_HOLD_SECONDS)
        self.longest_context = to_samples(CONTEXT_SECONDS)
        self.longest_extension = to_samples(LONGEST_EXTENSION_SECONDS)
        self.longest_tail = to_samples(LONGEST_TAIL_SECONDS)
        self.longest_mixed = to_samples(LONGEST_GAP_SECONDS)
        self.seam_context = context_samples(sample_rate)
        self.sample_rate = sample_rate

    def room(self, before: Cut, after: Cut) -> int:
        """Samples between the attacks around a join, in the source or in the output, whichever has less."""
        apart = after.first_onset_samples - before.last_onset_samples
        return min(apart, apart + after.shift_samples - before.shift_samples) - self.guard

    def join(self, before: Cut, after: Cut, earliest: int) -> Span | None:
        """The join in front of ``after``, not before ``earliest``; None where nothing sounds in front of it."""
        stop = after.first_onset_samples + after.shift_samples - self.guard
        gap = after.shift_samples - before.shift_samples
        if stop - max(gap, 0) <= earliest:
            return None
        # The attack before is sacred for 35 ms, or for half of what is left of it when hits are close.
        hold = min(self.hold, self.room(before, after) // 2)
        start = max(earliest, before.last_onset_samples + before.shift_samples + hold)
        if gap < 0 and self.fill is Fill.NEURAL:
            return self._mixed(before, after, start, stop)
        if gap < 0:
            fade_start = max(start, stop + self.guard - max(self.pad, self.fade))
            return Fade(fade_start, min(fade_start + self.fade, stop), before.shift_samples, after.shift_samples)
        return self._over_gap(before, after, start, stop)

    def _over_gap(self, before: Cut, after: Cut, start: int, stop: int) -> Span:
        """Fill a gap from the tail that sounds from ``start`` on at the earlier shift."""
        gap = after.shift_samples - before.shift_samples
        shifts = before.shift_samples, after.shift_samples
        tail_stop = stop - gap
        tail = tail_stop - start
        extension = Fade(max(start, tail_stop - self.fade), tail_stop, *shifts)
        heard_again = extension.start - after.shift_samples
        repeats_attack = heard_again < before.last_onset_samples + self.least_hold
        fill = self.long_gaps if self.fill is Fill.AUTO and gap > self.longest_extension else self.fill
        if fill is Fill.NEURAL and gap <= self.longest_mixed and tail >= 2 * self.least_hold:
            return self._mixed(before, after, start, stop)
        if fill in (Fill.AUTOREGRESSIVE, Fill.NEURAL) and tail >= 2 * self.least_hold:
            alone = stop - (before.last_onset_samples + after.shift_samples + self.least_hold)
            return Continued(tail_stop, stop, *shifts, min(self.fade, gap, alone), min(tail, self.longest_context))
        if not repeats_attack and (fill is not Fill.STRETCH or tail < 2 * self.least_hold):
            return extension
        length = samples_to_stretch(tail, gap, self.fade, self.longest_tail)
        return Stretched(tail_stop - length, stop, *shifts, fade=min(self.fade, length // 2))

    def _mixed(self, before: Cut, after: Cut, tail_start: int, stop: int) -> Mixed:
        shifts = before.shift_samples, after.shift_samples
        gap = after.shift_samples - before.shift_samples
        start = stop - transition_samples(gap, stop - tail_start, self.sample_rate)
        return Mixed(start, stop, *shifts, opens=gap > 0, context=self.seam_context, tail=start - tail_start)


def _spans_inside(groups: Sequence[Group], start: int, stop: int) -> list[Group]:
    return [
        (rows, spans[bisect_right(spans, start, key=_stop) : bisect_left(spans, stop, key=_start)])
        for rows, spans in groups
    ]


def _source_of_block(inside: Sequence[Group], start: int, stop: int) -> tuple[int, int]:
    sources = [span.source for _, spans in inside for span in _clipped(spans, start, stop)]
    return min((first for first, _ in sources), default=start), max((last for _, last in sources), default=stop)


def _clipped(spans: Sequence[Span], start: int, stop: int) -> Iterator[Span]:
    """The spans with plain ones cut to the block; joins stay whole, so that blocks do not change the result."""
    for span in spans:
        if isinstance(span, Plain):
            yield Plain(max(span.start, start), min(span.stop, stop), span.shift)
        else:
            yield span


def _render_span(span: Span, audio: Audio, offset: int, sample_rate: int) -> Audio:
    """[channels, stop − start] of a span; ``audio`` begins at source sample ``offset``."""

    def source(start: int, stop: int, shift: int) -> Audio:
        return audio[:, start - shift - offset : stop - shift - offset]

    if isinstance(span, Plain):
        return source(span.start, span.stop, span.shift)
    if isinstance(span, Fade):
        outgoing = source(span.start, span.stop, span.shift_out)
        return crossfade(outgoing, source(span.start, span.stop, span.shift_in))
    if isinstance(span, Continued):
        tail = source(span.start - span.context, span.start, span.shift_out)
        out = continued(tail, span.stop - span.start, sample_rate)
        ends = span.stop - span.fade
        out[:, -span.fade :] = crossfade(out[:, -span.fade :], source(ends, span.stop, span.shift_in))
        return out
    if isinstance(span, Mixed):
        first, known = span.start - span.context, span.start if span.opens else span.stop
        sides = source(first, known, span.shift_out), source(first, span.stop, span.shift_in)
        return shipped_seamnet().transition(*sides, span.tail, sample_rate)
    tail = source(span.start, span.stop - span.shift_in + span.shift_out, span.shift_out)
    incoming = source(span.stop - span.fade, span.stop, span.shift_in)
    return stretched_over(tail, span.stop - span.start, incoming, sample_rate)
