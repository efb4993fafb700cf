"""MIDI files, written here with mido or byte by byte."""

from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.midi import read_onsets_beats, read_tempo_map
from beatnet_align.tempo_map import TempoChange, TimeSignature


def write(path: Path, *tracks: list[tuple[int, mido.Message | mido.MetaMessage]], kind: int = 1) -> Path:
    """Write tracks of (tick, message) at 480 ticks a beat."""
    file = mido.MidiFile(type=kind, ticks_per_beat=480)
    for messages in tracks:
        track, now = mido.MidiTrack(), 0
        for tick, message in messages:
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    file.save(path)
    return path


def tempo(bpm: float) -> mido.MetaMessage:
    return mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm))


def signature(numerator: int, denominator: int) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def note(number: int, velocity: int, channel: int = 9) -> mido.Message:
    return mido.Message("note_on", note=number, velocity=velocity, channel=channel)


def test_tempo_and_signatures_of_all_tracks(tmp_path: Path) -> None:
    path = write(
        tmp_path / "song.mid",
        [(0, tempo(120)), (0, signature(4, 4)), (1920, tempo(90))],
        [(960, tempo(100)), (2400, signature(7, 8)), (2400, tempo(91)), (2400, tempo(80))],
    )
    tempo_map = read_tempo_map(path, first_beat_seconds=1.0)
    assert [change.beats for change in tempo_map.tempi] == [0, 2, 4, 5]
    assert [change.bpm for change in tempo_map.tempi] == pytest.approx([120, 100, 90, 80], rel=1e-5)
    assert tempo_map.time_signatures == (TimeSignature(0, 4, 4), TimeSignature(5, 7, 8))
    np.testing.assert_allclose(tempo_map.to_seconds(np.array([0.0, 2.0, 4.0])), [1.0, 2.0, 3.2], atol=1e-5)
    np.testing.assert_array_equal(tempo_map.bar_of(np.array([3.9, 4.0, 5.0, 8.4, 8.5])), [1, 2, 3, 3, 4])


@pytest.mark.parametrize("kind", [0, 1])
def test_without_events_it_is_120_bpm_in_four_four(tmp_path: Path, kind: int) -> None:
    tempo_map = read_tempo_map(write(tmp_path / "bare.mid", [(0, note(36, 1))], kind=kind))
    assert tempo_map.tempi == (TempoChange(0, 120),)
    late = read_tempo_map(write(tmp_path / "late.mid", [(480, tempo(60)), (960, signature(3, 4))], kind=kind))
    assert late.tempi == (TempoChange(0, 120), TempoChange(1, 60))
    assert late.time_signatures == (TimeSignature(0, 4, 4), TimeSignature(2, 3, 4))


def test_onsets_of_the_drum_channel(tmp_path: Path) -> None:
    path = write(
        tmp_path / "drums.mid",
        [(0, note(60, 90, channel=0)), (240, note(38, 127)), (480, note(38, 0)), (720, note(42, 64))],
        [(120, note(36, 100))],
    )
    beats, velocities, notes = read_onsets_beats(path)
    np.testing.assert_array_equal(beats, [0.25, 0.5, 1.5])
    np.testing.assert_allclose(velocities, [100 / 127, 1.0, 64 / 127])
    np.testing.assert_array_equal(notes, [36, 38, 42])
    melodic = write(tmp_path / "piano.mid", [(0, note(60, 90, channel=0))])
    assert read_onsets_beats(melodic)[2].tolist() == [60]
    assert [len(column) for column in read_onsets_beats(write(tmp_path / "empty.mid", []))] == [0, 0, 0]


HEADER = b"MThd\x00\x00\x00\x06"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable|cannot read"),
        (b"RIFF" + bytes(40), "not a readable|cannot read"),
        (HEADER + b"\x00\x01\x00\x01\x01\xe0MTrk\x00\x00\x00\x20\x00", "not a readable|cannot read"),
        (HEADER + b"\x00\x01\x00\x00\xe7\x28", "SMPTE"),
        (HEADER + b"\x00\x02\x00\x00\x01\xe0", "type 2"),
    ],
)
def test_unusable_files_end_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.mid"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_tempo_map(path)
    assert "\n" not in str(caught.value)


def test_absent_files_and_wild_tempos(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the MIDI file"):
        read_tempo_map(tmp_path / "absent.mid")
    with pytest.raises(InputError, match="cannot read the MIDI file"):
        read_tempo_map(tmp_path)
    with pytest.raises(InputError, match=r"fast\.mid: tempo out of range"):
        read_tempo_map(write(tmp_path / "fast.mid", [(0, tempo(500))]))
    with pytest.raises(InputError, match="tempo out of range"):
        read_tempo_map(write(tmp_path / "zero.mid", [(0, mido.MetaMessage("set_tempo", tempo=0))]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(14, 60), st.binary(min_size=1, max_size=4))
def test_damaged_files_never_end_in_anything_else(tmp_path: Path, at: int, damage: bytes) -> None:
    path = write(tmp_path / "damaged.mid", [(0, tempo(120)), (0, signature(3, 4)), (240, note(38, 127))])
    content = path.read_bytes()
    path.write_bytes(content[:at] + damage + content[at + len(damage) :])
    try:
        read_tempo_map(path)
        read_onsets_beats(path)
    except InputError as error:
        assert "\n" not in str(error)
