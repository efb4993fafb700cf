"""Real drummers' MIDI becomes scores: right lines, deviations and ornaments; what cannot be used is named."""

from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from datagen.played.drum_midi import PIECES, TD11_PIECES, PlayedNotes, read_drum_notes
from datagen.played.groove_lines import find_lines
from datagen.played.groove_windows import coarsest
from datagen.played.grooves import GROOVE_LICENCE, load_grooves
from datagen.played.performance import AS_PLAYED, perform

GROOVES = Path(__file__).parents[2] / "shared" / "data" / "groove"
needs_grooves = pytest.mark.skipif(not GROOVES.is_dir(), reason="needs the Groove MIDI Dataset in shared/data/groove")
KICK, SNARE, HAT, OPEN = 36, 38, 42, 46
Strike = tuple[float, int, int]


def write_midi(path: Path, strikes: list[Strike], bpm: float = 120.0, signature: tuple[int, int] = (4, 4)) -> Path:
    """Write (beats, note, velocity) as a type 0 file on channel 10."""
    events = [(round(960 * beats), note, velocity) for beats, note, velocity in strikes]
    events += [(ticks + 1, note, 0) for ticks, note, _ in events]
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=0))
    track.append(mido.MetaMessage("time_signature", numerator=signature[0], denominator=signature[1], time=0))
    now = 0
    for ticks, note, velocity in sorted(events):
        track.append(mido.Message("note_on", channel=9, note=note, velocity=velocity, time=ticks - now))
        now = ticks
    file = mido.MidiFile(type=0, ticks_per_beat=960)
    file.tracks.append(track)
    file.save(path)
    return path


def beat(bars: int = 4, loose_seconds: float = 0.008, bpm: float = 120.0) -> list[Strike]:
    """Eighth hats over kick and snare, a little loose."""
    rng = np.random.default_rng(0)
    strikes = [(i / 2, HAT, 80) for i in range(8 * bars)]
    strikes += [(float(i), SNARE if i % 2 else KICK, 110) for i in range(4 * bars)]
    return [(max(at + rng.normal(0.0, loose_seconds) * bpm / 60.0, 0.0), note, vel) for at, note, vel in strikes]


def played(beats: np.ndarray, velocity: float = 0.8, bpm: float = 120.0) -> PlayedNotes:
    snare = np.full(len(beats), PIECES.index(Piece.SNARE), np.int64)
    return PlayedNotes(beats, snare, np.full(len(beats), velocity), TempoMap.constant(bpm, 0.0))


@pytest.mark.parametrize(
    ("lines", "division"),
    [
        (np.arange(64) / 2, "1/8"),
        (np.arange(128) / 4, "1/16"),
        (np.arange(96) / 3, "1/8T"),
        (np.arange(192) / 6, "1/16T"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_straight_grids_are_found(lines: np.ndarray, division: str, seed: int) -> None:
    real = np.random.default_rng(seed).normal(-0.01, 0.012, len(lines))
    meant = find_lines(played(lines + 1.0 + real * 1.5, bpm=90.0))
    assert meant.swing == 0.5 and set(meant.divisions) == {division}
    np.testing.assert_allclose(meant.score_beats, lines + 1.0, atol=1e-9)
    np.testing.assert_allclose(meant.deviation_seconds, real, atol=1e-9)


@pytest.mark.parametrize("swing", [0.57, 0.61, 0.65])
@pytest.mark.parametrize(("division", "step"), [("1/8", 0.5), ("1/16", 0.25)])
def test_swing_is_found(swing: float, division: str, step: float) -> None:
    nominal = np.arange(128) * step
    beats = nominal + (np.arange(128) % 2) * (2 * swing - 1) * step
    real = np.random.default_rng(1).normal(0.0, 0.005, 128)
    meant = find_lines(played(beats + 1.0 + real * 1.5, bpm=90.0))
    assert meant.swing == pytest.approx(swing, abs=0.021) and set(meant.divisions) == {division}
    np.testing.assert_allclose(meant.score_beats, nominal + 1.0, atol=1e-9)


def test_a_triplet_fill_in_a_straight_groove_changes_its_beats_alone() -> None:
    lines = np.concatenate([np.arange(48) / 4, 12 + np.arange(12) / 6, 14 + np.arange(48) / 4])
    meant = find_lines(played(lines + np.random.default_rng(0).normal(0.0, 0.008, len(lines)), bpm=80.0))
    np.testing.assert_allclose(meant.score_beats, lines, atol=1e-9)
    assert set(meant.divisions) == {"1/16", "1/16T"}


def test_a_drag_belongs_to_its_main_stroke(tmp_path: Path) -> None:
    drag = [(5.0 - ahead * 2.0, SNARE, 30) for ahead in (0.062, 0.031)]
    score = load_grooves_of(tmp_path, beat() + drag)
    ornaments = [note for note in score.notes if note.ornament_of is not None]
    assert [note.score_beats for note in ornaments] == [5.0, 5.0]
    mains = {note.ornament_of for note in ornaments}
    assert len(mains) == 1
    main = score.notes[mains.pop() or 0]
    assert (main.piece, main.score_beats, main.ornament_of) == (Piece.SNARE, 5.0, None)
    spacing = sorted(note.ornament_seconds for note in ornaments)
    np.testing.assert_allclose(np.diff(spacing), 0.031, atol=1e-3)


def test_a_ghost_note_on_a_line_of_its_own_is_no_ornament(tmp_path: Path) -> None:
    ghosts = [(bar * 4 + 1.75, SNARE, 25) for bar in range(4)]
    score = load_grooves_of(tmp_path, beat() + ghosts)
    assert not [note for note in score.notes if note.ornament_of is not None]
    assert [n.score_beats for n in score.notes if n.velocity < 0.3] == [1.75, 5.75, 9.75, 13.75]


def test_a_double_trigger_is_left_out(tmp_path: Path) -> None:
    score = load_grooves_of(tmp_path, [*beat(loose_seconds=0.0), (8.01, KICK, 40)])
    assert len(score.notes) == len(beat())


def load_grooves_of(folder: Path, strikes: list[Strike]):  # type: ignore[no-untyped-def]
    write_midi(folder / "groove.mid", strikes)
    return load_grooves(folder).pick(np.random.default_rng(0), 4)


def test_what_locks_to_no_grid_is_rejected() -> None:
    fives = np.arange(200) / 5.0
    with pytest.raises(InputError, match="locks to no grid"):
        find_lines(played(fives + np.random.default_rng(0).normal(0.0, 0.01, 200)))
    with pytest.raises(InputError, match="locks to no grid"):
        find_lines(played(np.sort(np.random.default_rng(0).uniform(0.0, 64.0, 200)), bpm=130.0))


def test_a_folder_of_rejects_says_why(tmp_path: Path) -> None:
    write_midi(tmp_path / "fives.mid", [(i / 5.0, SNARE, 90) for i in range(100)])
    with pytest.raises(InputError, match=r"fives.mid.*locks to no grid"):
        load_grooves(tmp_path).pick(np.random.default_rng(0), 4)


def test_windows_start_on_a_bar_and_keep_the_metre(tmp_path: Path) -> None:
    strikes = [(i / 2, HAT, 90) for i in range(60)] + [(3.0 * bar, KICK, 110) for bar in range(10)]
    write_midi(tmp_path / "waltz.mid", strikes, signature=(3, 4))
    grooves = load_grooves(tmp_path)
    for seed in range(10):
        score = grooves.pick(np.random.default_rng(seed), 4)
        assert score.tempo_map.time_signatures[0].numerator == 3
        assert [n.score_beats for n in score.notes if n.piece == Piece.KICK] == [0.0, 3.0, 6.0, 9.0]
        assert 0.3 <= score.tempo_map.first_beat_seconds <= 2.0


def test_tempo_may_be_changed_and_deviations_keep_their_seconds(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", beat())
    as_it_was = load_grooves(tmp_path).pick(np.random.default_rng(0), 4)
    faster = load_grooves(tmp_path, tempo_ratio=(1.2, 1.2)).pick(np.random.default_rng(0), 4)
    assert faster.tempo_map.bpm_at(0.0) == pytest.approx(144.0, rel=1e-4)
    assert faster.notes == as_it_was.notes


def test_no_tempo_is_changed_to_one_that_there_is_not(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", beat(bpm=290.0), bpm=290.0)
    score = load_grooves(tmp_path, tempo_ratio=(1.6, 1.6)).pick(np.random.default_rng(0), 4)
    assert score.tempo_map.bpm_at(0.0) == pytest.approx(400.0)


def test_same_numbers_are_other_cymbals_on_a_td11() -> None:
    assert TD11_PIECES[55] == Piece.CRASH and TD11_PIECES[22] == Piece.HIHAT_CLOSED


def test_divisions_are_as_coarse_as_the_notes_allow() -> None:
    assert coarsest({"1/8", "1/16"}) == ("1/16",)
    assert coarsest({"1/8", "1/8T", "1/16T"}) == ("1/16T",)
    assert coarsest({"1/32", "1/8T"}) == ("1/8T", "1/32")


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of grooves"):
        load_grooves(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no drum MIDI files"):
        load_grooves(tmp_path)
    (tmp_path / "broken.mid").write_bytes(b"MThd but not really")
    with pytest.raises(InputError, match=r"broken\.mid"):
        load_grooves(tmp_path).pick(np.random.default_rng(0), 4)
    piano = write_midi(tmp_path / "piano.mid", [(float(i), 70 + i, 90) for i in range(8)])
    with pytest.raises(InputError, match=r"piano\.mid holds no drum part"):
        read_drum_notes(piano)
    with pytest.raises(InputError, match=r"no info\.csv, so no split 'train'"):
        load_grooves(tmp_path, "train")
    (tmp_path / "info.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"info\.csv is not the table"):
        load_grooves(tmp_path)


@needs_grooves
def test_splits_share_no_drummer_take() -> None:
    train, validation = (load_grooves(GROOVES, split) for split in ("train", "validation"))
    assert len(train.files) == 897 and len(validation.files) == 124
    assert not {file.path for file in train.files} & {file.path for file in validation.files}
    assert train.licence == GROOVE_LICENCE


@needs_grooves
@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_real_grooves_come_back_as_they_were_played(seed: int) -> None:
    grooves = load_grooves(GROOVES, "validation")
    score = grooves.pick(np.random.default_rng(seed), 4)
    assert score == load_grooves(GROOVES, "validation").pick(np.random.default_rng(seed), 4)
    performance = perform(score, AS_PLAYED, np.random.default_rng(0))
    assert len(performance.strokes) >= 0.9 * len(score.notes)
    deviations = [s.performed_seconds - s.target_seconds for s in performance.strokes if not s.ornament]
    assert abs(float(np.median(deviations))) < 0.06
