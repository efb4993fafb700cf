"""What each piece sounds like in every microphone: templates of magnitude, learned from the hits of the take itself.

Score-informed non-negative matrix deconvolution (Smaragdis 2004; Ewert and Mueller 2012 on scores): the onsets are
known, so only a template a piece, over all microphones together, and a few gains a hit are fitted, by multiplicative
updates of the Kullback-Leibler divergence (Lee and Seung 2001). What was tried before is in the guide to repairs.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt

from beatnet_align.edit_plan import Move
from beatnet_align.hits import Piece
from beatnet_align.spectra import Levels, Transform
from beatnet_align.take import Take
from beatnet_align.units import seconds_to_samples

DECAY_SECONDS: Mapping[Piece, float] = {
    Piece.KICK: 1.0,
    Piece.SNARE: 1.0,
    Piece.SIDESTICK: 0.6,
    Piece.HIHAT_CLOSED: 0.5,
    Piece.HIHAT_PEDAL: 0.5,
    Piece.HIHAT_OPEN: 1.5,
    Piece.TOM_HIGH: 1.5,
    Piece.TOM_MID: 1.5,
    Piece.TOM_FLOOR: 2.0,
    Piece.RIDE: 2.5,
    Piece.RIDE_BELL: 2.5,
    Piece.CRASH: 3.5,
    Piece.SPLASH: 2.0,
    Piece.CHINA: 3.0,
    Piece.UNKNOWN: 1.0,
}
"""How long a template is: what is heard of a piece at the tempo of a song, in a room."""

LONGEST_DECAY_SECONDS = max(DECAY_SECONDS.values())
LEAD_IN_FRAMES = 2
"""A template begins before the onset, since a window hears the attack before its centre does."""

RISE_SECONDS = 0.040
"""Later than this a template only falls, so that it does not learn the hits that usually follow."""

START_PERCENTILE = 15
"""A template starts as what nearly every hit of the piece has, not as what their neighbours add."""

MOST_STARTING_HITS = 40
GAIN_BANDS = 8
LOWEST_GAIN_HZ, HIGHEST_GAIN_HZ = 120.0, 12_000.0
"""A harder stroke is brighter, in all microphones alike: one gain a hit and band; 16 bands gained nothing."""
WHITENING = 0.7
"""Loud bands weigh on gains by their level to the power of 1 - 0.7."""

ITERATIONS = 7
"""With twelve, pieces that are struck together begin to take each other's sound (measured on the bench's sessions)."""

GAIN_STEPS = (1.8, 1.8, 1.8, 1.0)
"""Exponents of the updates where gains alone are fitted. Any between 0 and 2 is stable (Badeau, Bertin and Vincent
2010, "Stability analysis of multiplicative update algorithms"). These four do what seven of 1 do, figure for figure;
templates are fitted worse by such steps (0.89 dB for 0.87)."""

LEARNING_SECONDS = 40.0
"""About seventy strokes of what is played most, and a few seconds of work. The bench's sessions have 22 to 26 s; with
20 s of them 2 % of the hits lose their phase."""

EXCERPT_SECONDS, LAST_DECAY_SECONDS = 10.0, 1.0
"""An excerpt goes on for the decay of its last hits, unless it is followed by the next."""

LEAST_SHOWN_SECONDS = 0.2
"""Of a hit at the edge of an excerpt less than this says nothing."""

CHANNELS_AT_ONCE = 6
"""So many are learned from in a thread: enough that NumPy has long rows."""

HITS_WANTED = 16
"""A piece is known well after so many; excerpts are chosen that show every piece so often."""


@dataclass(frozen=True)
class Strike:
    """A hit as the model knows it.

    Attributes:
        onset_samples: In the take.
        kind: Hits of one kind share a template: those of a piece, or what an unknown piece's channel hears.
        decay_seconds: Of its template.
    """

    onset_samples: int
    kind: str
    decay_seconds: float

    @classmethod
    def of(cls, move: Move) -> "Strike":
        """The strike of a planned move."""
        kind = f"{move.piece.value} on {move.channel}" if move.piece is Piece.UNKNOWN else move.piece.value
        return cls(move.onset_samples, kind, DECAY_SECONDS[move.piece])


@dataclass(frozen=True)
class Span:
    """Where a strike's template lies over a row of frames: frames start to stop, from ``lag`` of the template on."""

    start: int
    stop: int
    lag: int

    @property
    def frames(self) -> slice:
        """Of the row."""
        return slice(self.start, self.stop)

    @property
    def lags(self) -> slice:
        """Frames of the template."""
        return slice(self.lag, self.lag + self.stop - self.start)


@dataclass(frozen=True, eq=False)
class PieceSpectra:
    """The templates of a take.

    Attributes:
        transform: Gives frames and bands.
        templates: By kind: [frames, channels, bands], the level of a hit of middling strength, from
            :data:`LEAD_IN_FRAMES` before its onset on.
        weights: [channels, bands], of errors when gains are fitted.
        floor: A level under all that matters.
    """

    transform: Transform
    templates: Mapping[str, Levels]
    weights: npt.NDArray[np.float32]
    floor: float

    def span(self, strike: Strike, first_frame: int, frames: int, hop_offset_samples: int = 0) -> Span:
        """Where a strike's template lies over ``frames`` frames, of which the first is ``first_frame``."""
        onset_frame = _onset_frame(strike, self.transform, hop_offset_samples) - first_frame
        return _span(onset_frame, len(self.templates[strike.kind]), frames)

    def gains(self, levels: Levels, strikes: Sequence[Strike], spans: Sequence[Span]) -> npt.NDArray[np.float32]:
        """How strong each strike is in each band, [strikes, bands], so that together they explain ``levels``."""
        fit = _Fit(self.transform, levels, strikes, spans, self.floor)
        gains = np.ones((len(strikes), GAIN_BANDS), np.float32)
        templates = {kind: _flat(template) for kind, template in self.templates.items()}
        weighed = fit.weighed(templates, self.weights)
        for step in GAIN_STEPS:
            gains = _better(gains, [fit.gain_sums(gains, templates, weighed)], step)
        return np.asarray(gains[:, fit.of_bands])


def learn(take: Take, strikes: Sequence[Strike]) -> PieceSpectra:
    """Learn the templates of a take from :data:`LEARNING_SECONDS` of it, and more where a kind of hit would be missed.

    Args:
        take: Read in excerpts.
        strikes: All of the take, in order; at least one.
    """
    transform = Transform(take.sample_rate)
    lengths = {
        strike.kind: round(strike.decay_seconds * transform.frames_per_second) + LEAD_IN_FRAMES for strike in strikes
    }
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return _learned(take, strikes, transform, lengths, threads)


def _learned(
    take: Take,
    strikes: Sequence[Strike],
    transform: Transform,
    lengths: Mapping[str, int],
    threads: ThreadPoolExecutor,
) -> PieceSpectra:
    levels, spans, heard = _excerpts(take, strikes, transform, lengths, threads)
    floor = 1e-7 * float(levels.max(initial=0.0)) + 1e-12
    mean_levels = levels.mean(axis=0) + floor
    weights = (mean_levels**-WHITENING).astype(np.float32)
    falling_from = round(RISE_SECONDS * transform.frames_per_second) + LEAD_IN_FRAMES
    gains = np.ones((len(heard), GAIN_BANDS), np.float32)
    parts = _channel_parts(len(weights))
    fits = [_Fit(transform, levels[:, part], heard, spans, floor) for part in parts]
    weights_of_parts = [weights[part] for part in parts]
    of_parts = list(threads.map(_Fit.first_templates, fits, repeat(lengths)))
    for _ in range(ITERATIONS):
        better = threads.map(_Fit.improved, fits, repeat(gains), of_parts, weights_of_parts, repeat(falling_from))
        of_parts, sums = map(list, zip(*better, strict=True))
        gains, middles = _balanced(_better(gains, sums), [strike.kind for strike in heard])
        of_parts = [fit.louder(some, middles) for fit, some in zip(fits, of_parts, strict=True)]
    bands = levels.shape[2]
    shaped = {
        kind: np.concatenate([some[kind].reshape(len(some[kind]), -1, bands) for some in of_parts], axis=1)
        for kind in lengths
    }
    return PieceSpectra(transform, shaped, weights, floor)


def _channel_parts(channels: int) -> list[slice]:
    return [slice(first, first + CHANNELS_AT_ONCE) for first in range(0, channels, CHANNELS_AT_ONCE)]


Gains = npt.NDArray[np.float32]
"""[strikes, GAIN_BANDS]."""


@dataclass(frozen=True, eq=False)
class _GainSums:
    """What some channels say of every gain.

    Attributes:
        asked: [strikes, GAIN_BANDS], what it should explain of what is heard.
        given: Alike, what it explains.
    """

    asked: npt.NDArray[np.float64]
    given: npt.NDArray[np.float64]


def _better(gains: Gains, sums: Sequence[_GainSums], step: float = 1.0) -> Gains:
    """One multiplicative update of every gain, from all channels."""
    asked, given = sum(one.asked for one in sums), sum(one.given for one in sums)
    return np.asarray(gains * (asked / np.maximum(given, 1e-12)) ** step, np.float32)


def _balanced(gains: Gains, kinds: Sequence[str]) -> tuple[Gains, dict[str, npt.NDArray[np.float32]]]:
    """Gains about 1, and by how much a kind's template is to be louder instead, [GAIN_BANDS] each."""
    gains, middles = gains.copy(), {}
    for kind in set(kinds):
        mine = np.array([other == kind for other in kinds])
        middles[kind] = np.exp(np.log(np.maximum(gains[mine], 1e-6)).mean(axis=0))
        gains[mine] /= middles[kind]
    return gains, middles


Rows = npt.NDArray[np.float32]
"""Levels with the bands of all channels side by side, [frames, channels * bands], since NumPy is fast on long rows."""


def _flat(levels: Levels) -> Rows:
    return levels.reshape(len(levels), -1)


@dataclass(frozen=True, eq=False)
class _Weighed:
    """A template as gains see it.

    Attributes:
        rows: Each cell by the weight of its errors.
        sums: [frames + 1, GAIN_BANDS], of all before a frame.
    """

    rows: Rows
    sums: npt.NDArray[np.float64]


class _Fit:
    """Updates of templates and gains for strikes at known places of some frames, in some channels."""

    def __init__(
        self, transform: Transform, levels: Levels, strikes: Sequence[Strike], spans: Sequence[Span], floor: float
    ) -> None:
        self.levels = _flat(levels) + np.float32(floor)
        self.floor = np.float32(floor)
        self.kinds = [strike.kind for strike in strikes]
        self.spans = spans
        edges_hz = np.geomspace(LOWEST_GAIN_HZ, HIGHEST_GAIN_HZ, GAIN_BANDS - 1)
        self.of_bands = np.searchsorted(edges_hz, transform.bands_hz)
        self.of_cells = np.tile(self.of_bands, levels.shape[1])
        self.membership = np.eye(GAIN_BANDS, dtype=np.float32)[self.of_bands]

    def per_gain(self, rows: Rows) -> Rows:
        """Sums, [.., GAIN_BANDS] of [.., channels * bands]; over channels first, which keeps the product small."""
        return np.asarray(rows.reshape(*rows.shape[:-1], -1, len(self.of_bands)).sum(axis=-2) @ self.membership)

    def first_templates(self, lengths: Mapping[str, int]) -> dict[str, Rows]:
        """Where to begin, by kind, each so many frames long."""
        return {kind: self._first_template(kind, length) for kind, length in lengths.items()}

    def improved(
        self, gains: Gains, templates: Mapping[str, Rows], weights: npt.NDArray[np.float32], falling_from: int
    ) -> tuple[dict[str, Rows], _GainSums]:
        """Better templates, and what they say of the gains; ``weights`` of errors, [channels, bands]."""
        better = self._better_templates(gains, templates, falling_from)
        return better, self.gain_sums(gains, better, self.weighed(better, weights))

    def _first_template(self, kind: str, length: int) -> Rows:
        """What nearly all strikes of a kind have."""
        mine = [span for span, other in zip(self.spans, self.kinds, strict=True) if other == kind]
        step = -(-len(mine) // MOST_STARTING_HITS)
        heard = np.full((len(mine[::step]), length, self.levels.shape[1]), np.float32(np.inf))
        shown = np.zeros(length, np.intp)
        for row, span in zip(heard, mine[::step], strict=True):
            row[span.lags] = self.levels[span.frames]
            shown[span.lags] += 1
        heard.sort(axis=0)
        rank = np.rint(START_PERCENTILE / 100.0 * np.maximum(shown - 1, 0)).astype(np.intp)
        template = heard[rank, np.arange(length)]
        template[shown == 0] = self.floor
        return np.asarray(template)

    def _better_templates(self, gains: Gains, templates: Mapping[str, Rows], falling_from: int) -> dict[str, Rows]:
        """One multiplicative update of every template."""
        ratio = self._ratio(gains, templates)
        asked = {kind: np.zeros_like(template) for kind, template in templates.items()}
        given = {kind: np.full((len(template), GAIN_BANDS), 1e-9, np.float32) for kind, template in templates.items()}
        for kind, span, gain in zip(self.kinds, self.spans, gains, strict=True):
            asked[kind][span.lags] += gain[self.of_cells] * ratio[span.frames]
            given[kind][span.lags] += gain
        better = {}
        for kind, template in templates.items():
            seen = given[kind] > 1e-6  # where no strike shows a lag, nothing is learned about it
            new = template * np.where(
                seen[:, self.of_cells], asked[kind] / given[kind][:, self.of_cells], np.float32(1.0)
            )
            new[falling_from:] = np.minimum.accumulate(new[falling_from:], axis=0)
            better[kind] = new
        return better

    def weighed(self, templates: Mapping[str, Rows], weights: npt.NDArray[np.float32]) -> dict[str, _Weighed]:
        """Templates for :meth:`gain_sums`, with the weights of [channels, bands]."""
        found = {}
        for kind, template in templates.items():
            rows = template * weights.reshape(-1)
            sums = np.zeros((len(rows) + 1, GAIN_BANDS))
            np.cumsum(self.per_gain(rows), axis=0, out=sums[1:])
            found[kind] = _Weighed(rows, sums)
        return found

    def gain_sums(self, gains: Gains, templates: Mapping[str, Rows], weighed: Mapping[str, _Weighed]) -> _GainSums:
        """What the errors of the model say of every gain."""
        ratio = self._ratio(gains, templates)
        sums = _GainSums(np.empty(gains.shape), np.empty(gains.shape))
        for number, (kind, span) in enumerate(zip(self.kinds, self.spans, strict=True)):
            template = weighed[kind]
            sums.asked[number] = self.per_gain(np.einsum("tn,tn->n", template.rows[span.lags], ratio[span.frames]))
            sums.given[number] = template.sums[span.lags.stop] - template.sums[span.lags.start]
        return sums

    def louder(self, templates: Mapping[str, Rows], factors: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, Rows]:
        """Every template by its kind's factors, [GAIN_BANDS]."""
        return {kind: template * factors[kind][self.of_cells] for kind, template in templates.items()}

    def _ratio(self, gains: Gains, templates: Mapping[str, Rows]) -> Rows:
        """What is heard over what the model says, in every frame."""
        model = np.full_like(self.levels, self.floor)
        for kind, span, gain in zip(self.kinds, self.spans, gains, strict=True):
            model[span.frames] += templates[kind][span.lags] * gain[self.of_cells]
        return np.asarray(np.divide(self.levels, model, out=model))


def _onset_frame(strike: Strike, transform: Transform, offset_samples: int) -> int:
    return round((strike.onset_samples - offset_samples) / transform.hop_samples)


def _span(onset_frame: int, template_frames: int, frames: int) -> Span:
    """Where a template lies over ``frames`` frames; empty where it lies outside."""
    start = onset_frame - LEAD_IN_FRAMES
    stop = start + template_frames
    inside_start, inside_stop = min(max(start, 0), frames), min(max(stop, 0), frames)
    lag = min(max(0, inside_start - start), template_frames)
    return Span(inside_start, max(inside_start, inside_stop), lag)


def _excerpts(
    take: Take,
    strikes: Sequence[Strike],
    transform: Transform,
    lengths: Mapping[str, int],
    threads: ThreadPoolExecutor,
) -> tuple[Levels, list[Span], list[Strike]]:
    """Levels of the excerpts in a row, and the strikes that are heard in them."""
    length = min(take.samples, seconds_to_samples(EXCERPT_SECONDS, take.sample_rate))
    decay = seconds_to_samples(LAST_DECAY_SECONDS, take.sample_rate)
    least = round(LEAST_SHOWN_SECONDS * transform.frames_per_second)
    levels: list[Levels] = []
    spans: list[Span] = []
    heard: list[Strike] = []
    starts = _choose_starts(take, strikes, length)
    for start in starts:
        before = sum(len(part) for part in levels)
        stop = min(start + length + (0 if start + length in starts else decay), take.samples)
        audio = take.read(start, stop)
        of_channels = threads.map(transform.levels_of, [audio[part] for part in _channel_parts(len(audio))])
        part = np.concatenate(list(of_channels), axis=1)
        levels.append(part)
        ends = stop == take.samples
        for strike in strikes:
            span = _span(_onset_frame(strike, transform, start), lengths[strike.kind], len(part))
            if span.stop - span.start > (0 if ends else least):
                spans.append(Span(before + span.start, before + span.stop, span.lag))
                heard.append(strike)
    return np.concatenate(levels), spans, heard


def _choose_starts(take: Take, strikes: Sequence[Strike], length: int) -> list[int]:
    """Where excerpts begin, in order: greedily those that show most of what every kind still wants.

    Every kind is shown, even where that takes more than :data:`LEARNING_SECONDS`.
    """
    starts = list(range(0, take.samples, length))
    onsets = np.array([strike.onset_samples for strike in strikes]) // length
    kinds = np.array([strike.kind for strike in strikes])
    shown = {kind: np.bincount(onsets[kinds == kind], minlength=len(starts)) for kind in np.unique(kinds).tolist()}
    wanted = {kind: min(HITS_WANTED, int(counts.sum())) for kind, counts in shown.items()}
    left = dict(wanted)
    chosen: list[int] = []
    most = max(1, int(LEARNING_SECONDS // EXCERPT_SECONDS))
    while len(chosen) < len(starts) and (len(chosen) < most or any(left[kind] == wanted[kind] for kind in wanted)):
        worth = np.zeros(len(starts))
        for kind, counts in shown.items():
            worth += np.minimum(counts, left[kind]) / wanted[kind] + 1e-3 * counts
        worth[chosen] = -1.0
        best = int(np.argmax(worth))
        chosen.append(best)
        left = {kind: max(0, still - int(shown[kind][best])) for kind, still in left.items()}
    return [starts[index] for index in sorted(chosen)]
