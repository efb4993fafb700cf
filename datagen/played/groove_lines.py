"""Which grid lines a real performance was meant for: find its grid, then the line of every note and its ornaments.

Straight, swung and triplet lattices are compared by how well they explain the onsets. Every onset is thought to be
drawn from one of the ``k`` lines of its beat, each as likely, with a Gaussian error, so a denser lattice has to earn
its lines: the figure is the mean log density over a beat, in nats a note, where 0 is no lock at all.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.units import FloatArray, IntArray
from datagen.played.drum_midi import PlayedNotes
from datagen.played.groove_ornaments import BoolArray, find_ornaments, one_note_a_line
from datagen.played.score import swung_lines_beats

MIN_LOCK_NATS = 0.1
"""Performances below are left out: of the Groove MIDI Dataset what was played in five over four, or free, in all 4 %
of the beats and 15 % of the fills. Typical rock reaches 0.5 to 1."""
MAX_DROPPED_SHARE = 0.25

_SIGMAS_SECONDS = np.array([0.010, 0.015, 0.020, 0.028])
_OFFSETS_SECONDS = np.array([-0.03, -0.02, -0.01, 0.0, 0.01, 0.02])
_STRAY_SHARE = 0.05  # of notes that are meant for no line
_FIT_NOTES = 400  # more notes tell no more about the grid
_SURE_VELOCITY = 0.4  # softer notes are often ornaments or stray touches of a pad, and count less

_OFF_LINE_SIGMAS, _OFF_LINE_SECONDS = 2.0, 0.025
_NOISE_VELOCITY, _NOISE_STEPS = 0.3, 0.4


@dataclass(frozen=True)
class Lattice:
    """Lines that repeat every beat.

    Attributes:
        division: As in :data:`~beatnet_align.groove.DIVISION_TICKS`.
        swing: 0.5 is straight.
        cost_nats: What a single beat must gain before it may leave the performance's own lattice for this one.
    """

    division: str
    swing: float = 0.5
    cost_nats: float = 0.0

    @cached_property
    def nominals_beats(self) -> FloatArray:
        """Lines from 0 to 1, both included, swing not applied."""
        return Grid((self.division,)).nominal_lines_beats(0.0, 1.0 + 1e-6)

    @cached_property
    def lines_beats(self) -> FloatArray:
        """Lines from 0 to 1, both included, swing applied."""
        return swung_lines_beats(self.nominals_beats, Grid((self.division,), self.swing))

    def nearest(self, phases_beats: FloatArray) -> IntArray:
        """Index of the line nearest to positions in a beat, 0 to 1."""
        middles = (self.lines_beats[1:] + self.lines_beats[:-1]) / 2.0
        return np.searchsorted(middles, phases_beats).astype(np.int64)


_GUESTS = tuple(
    Lattice(division, cost_nats=nats)
    for division, nats in (("1/16", 2.0), ("1/8T", 4.0), ("1/32", 5.0), ("1/16T", 5.0))
)
STRAIGHT = tuple(Lattice(division) for division in ("1/8", "1/16", "1/8T", "1/16T"))
SWUNG = tuple(Lattice(d, round(0.55 + 0.01 * i, 2)) for d in ("1/8", "1/16") for i in range(0, 18, 2))


@dataclass(frozen=True)
class MeantNotes:
    """Every note of a performance with the line that it was meant for, in order of those lines.

    Attributes:
        kept: [notes] indices into the performance; double triggers and stray touches are left out.
        score_beats: [notes] nominal line, swing not applied.
        deviation_seconds: [notes] from the swung line, positive is late.
        main: [notes] index of the main stroke of an ornament; -1 for plain notes.
        divisions: [notes] lattice of the note's beat.
        swing: Of the whole performance.
        lock_nats: How well the lattices explain the onsets.
    """

    kept: IntArray
    score_beats: FloatArray
    deviation_seconds: FloatArray
    main: IntArray
    divisions: tuple[str, ...]
    swing: float
    lock_nats: float


@dataclass(frozen=True)
class _Fit:
    """A lattice with its player: how late on the whole, how loose, and the mean log density a note."""

    lattice: Lattice
    offset_seconds: float
    sigma_seconds: float
    nats: float


def find_lines(played: PlayedNotes) -> MeantNotes:
    """Quantise a performance to its own grid.

    Raises:
        InputError: It locks to no grid of 16ths or triplets.
    """
    beat_seconds = 60.0 / played.tempo_map.bpm_at(played.beats)
    weights = np.minimum(played.velocities / _SURE_VELOCITY, 1.0)
    fit, lattices, of_note = _choose_lattices(played.beats, beat_seconds, weights)
    off_line = _off_line(played.beats, fit, beat_seconds)
    seconds = played.tempo_map.to_seconds(played.beats)
    main = find_ornaments(seconds, played.pieces, played.velocities, off_line)
    if (main >= 0).any():  # without their ornaments fewer beats need a denser lattice
        fit, lattices, of_note = _choose_lattices(played.beats, beat_seconds, weights * (main < 0))
    if fit.nats < MIN_LOCK_NATS:
        raise InputError(f"it locks to no grid of 16ths or triplets (gain {fit.nats:.2f} nats a note)")
    lines, steps_beats = _lines(played.beats - fit.offset_seconds / beat_seconds, lattices, of_note)
    stray_beats = np.abs(played.beats - fit.offset_seconds / beat_seconds - _swung(lines, fit.lattice))
    dropped = (played.velocities < _NOISE_VELOCITY) & (stray_beats > _NOISE_STEPS * steps_beats) & (main < 0)
    lines, main, dropped = one_note_a_line(seconds, played, lines, main, dropped)
    if dropped.mean() > MAX_DROPPED_SHARE:
        raise InputError(f"{dropped.mean():.0%} of its notes are double triggers or lie on no line")
    targets = played.tempo_map.to_seconds(_swung(lines, fit.lattice))
    order = np.lexsort((seconds, lines))
    kept = order[~dropped[order]]
    place = np.full(len(lines), -1, np.int64)
    place[kept] = np.arange(len(kept))
    return MeantNotes(
        kept=kept,
        score_beats=lines[kept],
        deviation_seconds=(seconds - targets)[kept],
        main=np.where(main[kept] >= 0, place[main[kept]], -1),
        divisions=tuple(lattices[i].division for i in of_note[kept]),
        swing=fit.lattice.swing,
        lock_nats=fit.nats,
    )


def _swung(lines_beats: FloatArray, lattice: Lattice) -> FloatArray:
    if lattice.swing == 0.5:
        return lines_beats
    return swung_lines_beats(lines_beats, Grid((lattice.division,), lattice.swing))


def _nats(
    beats: FloatArray, beat_seconds: FloatArray, lattice: Lattice, offsets: FloatArray, sigmas: FloatArray
) -> FloatArray:
    """Log density of each note for every offset and sigma tried, in seconds: [offsets, sigmas, notes]."""
    phases = (beats - offsets[:, None] / beat_seconds) % 1.0
    deviation = (phases - lattice.lines_beats[lattice.nearest(phases)]) * beat_seconds
    sigma = sigmas[:, None]
    gaussian = np.exp(-0.5 * (deviation[:, None] / sigma) ** 2) / (np.sqrt(2.0 * np.pi) * sigma)
    beats_lines = len(lattice.lines_beats) - 1
    return np.asarray(np.log((1.0 - _STRAY_SHARE) * gaussian * beat_seconds / beats_lines + _STRAY_SHARE))


def _fit(beats: FloatArray, beat_seconds: FloatArray, weights: FloatArray, lattice: Lattice) -> _Fit:
    chosen = np.linspace(0, len(beats) - 1, min(len(beats), _FIT_NOTES)).astype(np.int64)
    weight = weights[chosen] / max(weights[chosen].sum(), 1e-9)
    tried = _nats(beats[chosen], beat_seconds[chosen], lattice, _OFFSETS_SECONDS, _SIGMAS_SECONDS) @ weight
    offset, sigma = np.unravel_index(int(np.argmax(tried)), tried.shape)
    best = float(tried[offset, sigma])
    return _Fit(lattice, float(_OFFSETS_SECONDS[offset]), float(_SIGMAS_SECONDS[sigma]), best)


def _choose_lattices(
    beats: FloatArray, beat_seconds: FloatArray, weights: FloatArray
) -> tuple[_Fit, tuple[Lattice, ...], IntArray]:
    """The performance's own lattice and, for straight ones, the beats that are played on another.

    Returns:
        The fit, its nats after those beats have changed; the lattices in use; [notes] which of them each note is on.
    """
    swung = max((_fit(beats, beat_seconds, weights, lattice) for lattice in SWUNG), key=lambda fit: fit.nats)
    best: tuple[_Fit, tuple[Lattice, ...], IntArray] = (swung, (swung.lattice,), np.zeros(len(beats), np.int64))
    for lattice in STRAIGHT:
        fit = _fit(beats, beat_seconds, weights, lattice)
        lattices = (lattice, *(guest for guest in _GUESTS if guest.division != lattice.division))
        at = (np.array([fit.offset_seconds]), np.array([fit.sigma_seconds]))
        nats = [weights * _nats(beats, beat_seconds, one, *at)[0, 0] for one in lattices]
        beat = np.floor(beats - fit.offset_seconds / beat_seconds).astype(np.int64)
        beat -= beat.min()
        per_beat = np.stack([np.bincount(beat, row) for row in nats])
        per_beat -= np.array([one.cost_nats for one in lattices])[:, None]
        wish = per_beat.copy()
        if lattice.division == "1/8":  # one ghost note may add sixteenths though its beat's other notes leave them
            wish[1] += np.log(2.0) * np.bincount(beat, weights)
        choice = np.argmax(wish, axis=0)
        chosen_nats = np.take_along_axis(per_beat, choice[None], axis=0)
        nats_a_note = float(chosen_nats.sum() / max(weights.sum(), 1e-9))
        if nats_a_note > best[0].nats:
            fit = _Fit(lattice, fit.offset_seconds, fit.sigma_seconds, nats_a_note)
            best = (fit, lattices, choice[beat])
    return best


def _lines(beats: FloatArray, lattices: tuple[Lattice, ...], of_note: IntArray) -> tuple[FloatArray, FloatArray]:
    """Nominal line nearest to each note on its lattice, and the distance of lines there; both in beats."""
    lines, steps_beats = np.zeros(len(beats)), np.zeros(len(beats))
    whole = np.floor(beats)
    for i, lattice in enumerate(lattices):
        here = of_note == i
        lines[here] = whole[here] + lattice.nominals_beats[lattice.nearest(beats[here] - whole[here])]
        steps_beats[here] = lattice.nominals_beats[1]
    return lines, steps_beats


def _off_line(beats: FloatArray, fit: _Fit, beat_seconds: FloatArray) -> BoolArray:
    """[notes] whether a note is too far from every line of the performance's own lattice to be meant for one."""
    phases = (beats - fit.offset_seconds / beat_seconds) % 1.0
    lines = fit.lattice.lines_beats[fit.lattice.nearest(phases)]
    limit = max(_OFF_LINE_SIGMAS * fit.sigma_seconds, _OFF_LINE_SECONDS)
    return np.asarray(np.abs(phases - lines) * beat_seconds > limit)
