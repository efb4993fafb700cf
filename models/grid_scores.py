"""Which scores belong into which test set of :mod:`models.grid_takes`, and scores written down in another way."""

from dataclasses import replace

import numpy as np

from beatnet_align.tempo_map import TempoChange, TempoMap
from datagen.played.groove_windows import coarsest
from datagen.played.score import Note, Score

SHUFFLE_SWING = (0.62, 0.69)
"""Swung 8ths that are as well written in triplets."""

_LEAST_TRIPLETS = 0.2  # share of notes on lines that only triplets have, for a performance to be in triplets
_STRAIGHT = frozenset({"1/16", "1/8", "1/4"})
_TWICE_AS_LONG = {"1/16T": "1/8T", "1/8T": "1/4T", "1/16": "1/8", "1/8": "1/4"}
_ON_LINE_BEATS = 1e-6


def count_bars(score: Score) -> int:
    """The bar of the last note, from 1; 0 of no notes."""
    last_beats = np.array([note.score_beats for note in score.notes[-1:]], np.float64)
    return int(score.tempo_map.bar_of(last_beats).max(initial=0))


def in_16ths(score: Score) -> bool:
    """Straight, nothing but 16ths, 8ths and quarters."""
    return score.swing == 0.5 and set(score.divisions) <= _STRAIGHT


def in_eighths(score: Score) -> bool:
    """8ths alone, swung or not."""
    return score.divisions == ("1/8",)


def in_sixteenths(score: Score) -> bool:
    """16ths alone, swung or not."""
    return score.divisions == ("1/16",)


def mixed(score: Score) -> bool:
    """16ths and 8th triplets, nothing else."""
    return score.swing == 0.5 and {"1/16", "1/8T"} <= set(score.divisions) <= _STRAIGHT | {"1/8T"}


def with_real_triplets(score: Score) -> bool:
    """Played by somebody, on 16ths and 8th triplets, some of them triplets."""
    return score.drummer != "pattern" and score.swing == 0.5 and "1/8T" in score.divisions and _on_both(score)


def straight_common_time(score: Score) -> bool:
    """4/4 throughout, 16ths among its straight lines."""
    return in_16ths(score) and "1/16" in score.divisions and _common_time(score)


def triplet_common_time(score: Score) -> bool:
    """4/4 throughout, 8th triplets alone."""
    return score.swing == 0.5 and score.divisions == ("1/8T",) and _common_time(score)


def as_triplets(score: Score) -> Score:
    """Shuffled 8ths written in triplets, and 16th triplets as 8th triplets of twice the tempo; others as they are.

    Nothing sounds at another time. Few performances of the Groove MIDI Dataset are in 8th triplets as they stand.
    """
    divisions = set(score.divisions)
    if divisions == {"1/8"} and SHUFFLE_SWING[0] <= score.swing <= SHUFFLE_SWING[1]:
        notes = tuple(_on_triplet(note, score) for note in score.notes)
        return replace(score, notes=notes, divisions=("1/8T",), swing=0.5)
    if score.swing == 0.5 and "1/16T" in divisions <= set(_TWICE_AS_LONG) and _triplet_share(score) >= _LEAST_TRIPLETS:
        return _at_twice_the_tempo(score)
    return score


def _on_triplet(note: Note, score: Score) -> Note:
    if abs(note.score_beats % 1.0 - 0.5) > _ON_LINE_BEATS:
        return note
    late_beats = score.swing - 2.0 / 3.0
    late_seconds = note.deviation_seconds + late_beats * 60.0 / score.tempo_map.bpm_at(note.score_beats)
    return replace(note, score_beats=note.score_beats + 1.0 / 6.0, deviation_seconds=late_seconds)


def _at_twice_the_tempo(score: Score) -> Score:
    old = score.tempo_map
    changes = tuple(TempoChange(2.0 * one.beats, 2.0 * one.bpm) for one in old.tempi)
    signatures = tuple(replace(one, beats=2.0 * one.beats) for one in old.time_signatures)
    return replace(
        score,
        notes=tuple(replace(note, score_beats=2.0 * note.score_beats) for note in score.notes),
        tempo_map=TempoMap(changes, old.first_beat_seconds, signatures),
        divisions=coarsest({_TWICE_AS_LONG[one] for one in score.divisions}),
    )


def _triplet_share(score: Score) -> float:
    """Share of notes on lines of 16th triplets that are no straight ones."""
    thirds = np.array([note.score_beats for note in score.notes]) * 6.0
    halves = np.array([note.score_beats for note in score.notes]) * 4.0
    off = [np.abs(lines - np.rint(lines)) > _ON_LINE_BEATS for lines in (thirds, halves)]
    return float(np.mean(~off[0] & off[1]))


def _on_both(score: Score) -> bool:
    return set(score.divisions) <= _STRAIGHT | {"1/8T"}


def _common_time(score: Score) -> bool:
    return len(score.tempo_map.time_signatures) == 1 and score.tempo_map.time_signatures[0].bar_beats == 4.0
