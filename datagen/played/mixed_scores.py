"""Scores whose bars or beats come from two others, as of a drummer who goes from sixteenths to triplets and back."""

from dataclasses import replace

import numpy as np

from beatnet_align.errors import InputError
from datagen.played.groove_windows import coarsest
from datagen.played.score import Note, Score

BAR_BEATS = 4.0


def mixed_score(
    first: Score, second: Score, rng: np.random.Generator, unit_beats: float = BAR_BEATS, second_share: float = 0.5
) -> Score:
    """Take every bar, or every beat, from one or the other, at the tempo of the first.

    Args:
        first: In 4/4 throughout and without swing.
        second: Likewise.
        rng: Draws from which score each unit comes.
        unit_beats: What is taken as a whole: a bar, or 1 for single beats of the second among those of the first.
        second_share: How many units come from the second on average; of a short score it may be none.

    Raises:
        InputError: Another time signature, swing, or scores without notes.
    """
    for score in (first, second):
        if score.swing != 0.5 or any(one.bar_beats != BAR_BEATS for one in score.tempo_map.time_signatures):
            raise InputError(f"{score.source}: only straight scores in 4/4 can be mixed")
        if not score.notes:
            raise InputError(f"{score.source}: a score without notes cannot be mixed")
    units = 1 + int(max(score.notes[-1].score_beats for score in (first, second)) // unit_beats)
    takes_second = rng.random(units) < second_share
    notes: list[Note] = []
    for unit in range(units):
        source = (second if takes_second[unit] else first).notes
        here = [i for i, note in enumerate(source) if unit <= note.score_beats / unit_beats < unit + 1]
        place = {old: len(notes) + new for new, old in enumerate(here)}
        for i in here:
            main = source[i].ornament_of
            notes.append(source[i] if main is None else replace(source[i], ornament_of=place[main]))
    return replace(
        first,
        notes=tuple(notes),
        divisions=coarsest({*first.divisions, *second.divisions}),
        source=f"{first.source} and {second.source}",
    )
