"""A score holds its notes in order, ornaments know their main stroke, and swing moves every second line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from datagen.played.score import Note, Score, swung_lines_beats


def score(*notes: Note) -> Score:
    return Score(notes, TempoMap.constant(120, 1.0), ("1/16",), 0.5, "test", "rock", "nobody", "CC0")


@given(
    division=st.sampled_from(["1/8", "1/16"]),
    swing=st.floats(0.5, 0.75),
    start_beats=st.integers(-8, 8),
)
def test_lines_sound_where_the_grid_has_them(division: str, swing: float, start_beats: int) -> None:
    grid = Grid((division,), swing)
    nominals = grid.nominal_lines_beats(float(start_beats), start_beats + 8.0)
    np.testing.assert_allclose(swung_lines_beats(nominals, grid), grid.lines_beats(start_beats, start_beats + 8.0))


def test_straight_lines_stay() -> None:
    beats = np.array([0.0, 0.25, 1 / 3, 2.0])
    np.testing.assert_array_equal(swung_lines_beats(beats, Grid(("1/16", "1/8T"))), beats)


def test_an_ornament_may_lean_on_a_later_note_of_its_line() -> None:
    ornament = Note(Piece.SNARE, 0.3, 1.0, 0.0, 1, -0.03)
    assert score(ornament, Note(Piece.SNARE, 0.9, 1.0)).notes[0].ornament_of == 1


@pytest.mark.parametrize(
    ("notes", "complaint"),
    [
        ((Note(Piece.KICK, 0.5, 1.0), Note(Piece.KICK, 0.5, 0.0)), "in order"),
        ((Note(Piece.KICK, 1.5, 0.0),), "velocities must be 0 to 1"),
        ((Note(Piece.KICK, 0.5, float("nan")),), "not finite"),
        ((Note(Piece.KICK, 0.5, 0.0, ornament_of=4),), "names note 4 of 1"),
        ((Note(Piece.KICK, 0.5, 0.0), Note(Piece.KICK, 0.5, 1.0, ornament_of=0)), "on the same line"),
        ((Note(Piece.KICK, 0.5, 0.0, ornament_of=0),), "plain note"),
    ],
)
def test_a_malformed_score_is_named(notes: tuple[Note, ...], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        score(*notes)
