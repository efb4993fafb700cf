"""Generated patterns lie on their grid, in range, in every style, and fill the bars they are asked for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from datagen.played.pattern_fills import FASTEST_STEP_SECONDS, fill
from datagen.played.pattern_styles import STYLES
from datagen.played.patterns import Patterns
from datagen.played.performance import EXACT, perform

seeds = st.integers(0, 100_000)
styles = st.sampled_from(STYLES)
RUDIMENTS = 3


@given(style=styles, seed=seeds, bars=st.integers(1, 9))
def test_notes_lie_on_their_grid_within_their_bars(style, seed: int, bars: int) -> None:  # type: ignore[no-untyped-def]
    score = Patterns((style,)).pick(np.random.default_rng(seed), bars)
    beats = np.array([note.score_beats for note in score.notes])
    lines = score.grid.nominal_lines_beats(-1.0, bars * style.bar_beats + 1.0)
    assert np.max(np.min(np.abs(beats[:, None] - lines[None]), axis=1)) < 1e-5
    assert beats.min() >= 0.0 and beats.max() < bars * style.bar_beats
    assert np.all(np.diff(np.unique((beats // style.bar_beats).astype(int))) <= 2)
    assert style.bpm[0] <= score.tempo_map.bpm_at(0.0) <= style.bpm[1]
    assert score.tempo_map.time_signatures[0].bar_beats == style.bar_beats
    assert style.swing[0] <= score.swing <= style.swing[1]


@given(style=styles, seed=seeds)
def test_a_line_holds_one_note_a_piece_and_hats_are_open_or_closed(style, seed: int) -> None:  # type: ignore[no-untyped-def]
    score = Patterns((style,)).pick(np.random.default_rng(seed), 4)
    plain = [(note.score_beats, note.piece) for note in score.notes if note.ornament_of is None]
    assert len(plain) == len(set(plain))
    opened = {beats for beats, piece in plain if piece == Piece.HIHAT_OPEN}
    assert not opened & {beats for beats, piece in plain if piece == Piece.HIHAT_CLOSED}


@given(seed=seeds)
def test_the_same_seed_is_the_same_score_and_all_of_it_can_be_played(seed: int) -> None:
    score = Patterns().pick(np.random.default_rng(seed), 8)
    assert score == Patterns().pick(np.random.default_rng(seed), 8)
    strokes = perform(score, EXACT, np.random.default_rng(0)).strokes
    assert len(strokes) >= 0.97 * len(score.notes)


@given(seed=seeds, bpm=st.floats(50, 220), division=st.sampled_from(["1/8", "1/16", "1/8T"]), free=st.booleans())
def test_fills_are_no_faster_than_hands(seed: int, bpm: float, division: str, free: bool) -> None:
    events, _ = fill(2.0, 4.0, division, bpm, free, np.random.default_rng(seed))
    beats = np.unique([event.beats for event in events])
    assert beats[0] >= 2.0 and beats[-1] < 4.0
    assert not len(beats) > 1 or np.diff(beats).min() * 60.0 / bpm >= FASTEST_STEP_SECONDS - 1e-9
    assert all(0.0 <= event.velocity <= 1.0 and 0 <= event.graces <= RUDIMENTS for event in events)


def test_every_style_metre_and_rudiment_turns_up() -> None:
    rng = np.random.default_rng(0)
    scores = [Patterns().pick(rng, 8) for _ in range(400)]
    assert {score.style for score in scores} == {style.name for style in STYLES}
    assert {0.75 * 4, 5.0, 3.5, 6.0} <= {score.tempo_map.time_signatures[0].bar_beats for score in scores}
    graces = {sum(note.ornament_of == i for note in score.notes) for score in scores for i in range(len(score.notes))}
    assert graces == {0, 1, 2, 3}
    assert {piece for score in scores for piece in {note.piece for note in score.notes}} >= {
        Piece.CRASH, Piece.SPLASH, Piece.CHINA, Piece.RIDE_BELL, Piece.HIHAT_OPEN, Piece.HIHAT_PEDAL, Piece.SIDESTICK,
    }  # fmt: skip
    bpms = [score.tempo_map.bpm_at(0.0) for score in scores]
    assert min(bpms) < 60.0 and max(bpms) > 200.0


def test_density_adds_the_optional_notes() -> None:
    funk = tuple(style for style in STYLES if style.name == "funk")

    def notes(density: float) -> int:
        made = Patterns(funk, density=(density, density), variation=(0.0, 0.0))
        return sum(len(made.pick(np.random.default_rng(seed), 8).notes) for seed in range(20))

    assert notes(1.0) > notes(0.5) > notes(0.0)


def test_bad_ranges_and_tabs_are_named() -> None:
    with pytest.raises(InputError, match="at least one bar"):
        Patterns().pick(np.random.default_rng(0), 0)
    with pytest.raises(InputError, match="density must be a rising range"):
        Patterns(density=(0.5, 2.0))
    with pytest.raises(InputError, match="at least one style"):
        Patterns(())
    with pytest.raises(InputError, match="needs 16 of the symbols"):
        replace(STYLES[0], tabs={Piece.KICK: ("X--",)})
