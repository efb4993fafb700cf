"""The tempo comes from one place, and what was assumed is said."""

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile as sf

from beatnet_align import engines
from beatnet_align.collection import find_hits
from beatnet_align.demo import demo_folder
from beatnet_align.engines import Engine
from beatnet_align.errors import InputError
from beatnet_align.groove import GrooveTemplate
from beatnet_align.groove_source import read_groove
from beatnet_align.take import Take, take_from_array
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest, resolve_tempo, told_tempo

RATE = 44_100


def click(bpm: float, seconds: float, first_seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    audio = np.zeros(round(seconds * RATE), np.float32)
    burst = (np.sin(np.arange(400) * 0.3) * np.exp(-np.arange(400) / 60)).astype(np.float32)
    for at in np.arange(first_seconds, seconds - 0.1, 60 / bpm):
        audio[round(at * RATE) : round(at * RATE) + 400] += burst * 0.5
    return audio


def test_what_is_told_is_used_and_needs_no_remark(demo_take: Take) -> None:
    tempo_map, notes = resolve_tempo(TempoRequest(bpm=96.5, first_beat_seconds=-0.25), demo_take, [])
    assert tempo_map == TempoMap.constant(96.5, -0.25)
    assert notes == ()


def test_a_midi_map_starts_with_the_take_unless_told(demo_take: Take, tmp_path: Path) -> None:
    track = mido.MidiTrack(
        [mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("set_tempo", tempo=600_000, time=4 * 480)]
    )
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(tmp_path / "map.mid")
    tempo_map, _ = resolve_tempo(TempoRequest(midi=tmp_path / "map.mid", first_beat_seconds=1.5), demo_take, [])
    assert tempo_map.to_seconds(4.0) == pytest.approx(1.5 + 2.0)
    assert tempo_map.to_seconds(5.0) == pytest.approx(1.5 + 2.6)
    assert resolve_tempo(TempoRequest(midi=tmp_path / "map.mid"), demo_take, [])[0].first_beat_seconds == 0.0


def test_a_click_file_and_a_click_channel_say_the_same(tmp_path: Path) -> None:
    audio = click(133.0, 12.0, 0.7)
    sf.write(tmp_path / "click.wav", audio, RATE)
    drums = np.zeros_like(audio)
    take = take_from_array(np.stack([drums, audio]), RATE, ["kick", "click"])
    from_file, file_notes = resolve_tempo(TempoRequest(click=tmp_path / "click.wav"), take, [])
    from_channel, channel_notes = resolve_tempo(TempoRequest(), take, [])
    assert from_channel.to_seconds(16.0) == pytest.approx(from_file.to_seconds(16.0), abs=1e-4)
    assert from_file.to_seconds(16.0) == pytest.approx(0.7 + 16 * 60 / 133, abs=1e-3)
    assert "click.wav" in file_notes[0]
    assert "'click'" in channel_notes[0]


def test_a_tempo_without_a_first_beat_looks_for_the_beat(demo_take: Take) -> None:
    tempo_map, notes = resolve_tempo(TempoRequest(bpm=112.0), demo_take, find_hits(demo_take))
    assert tempo_map.first_beat_seconds == pytest.approx(0.5, abs=0.02)
    assert any("first beat" in note for note in notes)


def test_a_first_beat_without_a_tempo_looks_for_the_tempo(demo_take: Take) -> None:
    tempo_map, notes = resolve_tempo(TempoRequest(first_beat_seconds=0.5), demo_take, find_hits(demo_take))
    assert tempo_map.first_beat_seconds == 0.5
    assert tempo_map.bpm_at(0.0) == pytest.approx(112.0, rel=0.01)
    assert any("tempo" in note for note in notes)


def test_only_one_source_may_be_named() -> None:
    with pytest.raises(InputError, match="one place"):
        TempoRequest(bpm=100, midi=Path("a.mid"))
    with pytest.raises(InputError, match="first beat"):
        TempoRequest(click=Path("a.wav"), first_beat_seconds=1.0)


def test_a_click_channel_and_a_first_beat_contradict_each_other() -> None:
    take = take_from_array(click(120.0, 8.0, 0.5)[None], RATE, ["click"])
    with pytest.raises(InputError, match="leave the first beat out"):
        resolve_tempo(TempoRequest(first_beat_seconds=1.0), take, [])
    assert resolve_tempo(TempoRequest(bpm=96.0, first_beat_seconds=1.0), take, [])[0].bpm_at(0.0) == 96.0


def test_a_tempo_map_without_a_first_beat_says_what_it_assumes(tmp_path: Path, demo_take: Take) -> None:
    path = tmp_path / "song.mid"
    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
    file.save(path)
    _, assumed = resolve_tempo(TempoRequest(midi=path), demo_take, [])
    assert assumed == ("assumed that song.mid starts with the take: bar 1 begins at 0 s, unless a first beat is given",)
    assert resolve_tempo(TempoRequest(midi=path, first_beat_seconds=0.0), demo_take, [])[1] == ()


def test_what_would_do_nothing_beside_a_click_or_without_one_is_refused(demo_take: Take) -> None:
    take = take_from_array(click(120.0, 8.0, 0.5)[None], RATE, ["click"])
    with pytest.raises(InputError, match="'click' says the tempo"):
        told_tempo(TempoRequest(about_bpm=100.0), take)
    with pytest.raises(InputError, match="no click says the tempo"):
        told_tempo(TempoRequest(clicks_per_beat=2.0), demo_take)
    with pytest.raises(InputError, match="no click says the tempo"):
        told_tempo(TempoRequest(clicks_per_beat=2.0, bpm=100.0), take)


def test_what_cannot_be_used_is_told_before_hits_are_looked_for(demo_take: Take) -> None:
    with pytest.raises(InputError, match="out of range"):
        TempoRequest(bpm=1000.0)
    with pytest.raises(InputError, match="ends at"):
        told_tempo(TempoRequest(first_beat_seconds=60.0), demo_take)
    assert told_tempo(TempoRequest(bpm=100.0), demo_take) is None


def test_a_first_beat_behind_the_end_is_refused(demo_take: Take) -> None:
    with pytest.raises(InputError, match="ends at"):
        resolve_tempo(TempoRequest(bpm=100, first_beat_seconds=60.0), demo_take, [])


def test_a_groove_is_measured_on_one_kind_of_lines() -> None:
    with pytest.raises(InputError, match="one kind of lines"):
        read_groove(demo_folder() / "target", "1/16+1/8T")
    told = TempoRequest(bpm=112.0, first_beat_seconds=0.5)
    template, assumed = read_groove(demo_folder() / "target", "1/8t", told)
    assert (template.division, assumed) == ("1/8T", ())


def test_what_was_assumed_of_a_groove_is_said(tmp_path: Path) -> None:
    stages: list[str] = []
    _, assumed = read_groove(
        demo_folder() / "take", "1/8", engine=Engine.ONSET_QUANTISE, progress=lambda stage, *_: stages.append(stage)
    )
    assert any("of the groove in take: " in remark and "BPM" in remark for remark in assumed)
    assert set(stages) == {"finding hits of the groove"}


def test_a_finished_groove_takes_no_tempo(tmp_path: Path) -> None:
    path = tmp_path / "feel.json"
    GrooveTemplate("1/8", 1.0, (0.0, 0.1), "feel").save(path)
    assert read_groove(path, "1/8")[1] == ()
    with pytest.raises(InputError, match=r"would do nothing here: feel\.json"):
        read_groove(path, "1/8", TempoRequest(bpm=100.0))


def test_a_groove_can_come_from_a_take() -> None:
    tempo = TempoRequest(bpm=112.0, first_beat_seconds=0.5)
    target, _ = read_groove(demo_folder() / "target", "1/8", tempo, Engine.ONSET_QUANTISE)
    assert max(map(abs, target.offsets_beats)) < 0.02
    played, _ = read_groove(demo_folder() / "take", "1/8", tempo, Engine.ONSET_QUANTISE)
    assert max(map(abs, played.offsets_beats)) > 0.02


@pytest.mark.parametrize("engine", Engine)
def test_a_groove_is_heard_by_the_engine_that_was_asked_for(engine: Engine, demo_take: Take) -> None:
    tempo = TempoRequest(bpm=112.0, first_beat_seconds=0.5)
    read, _ = read_groove(demo_folder() / "take", "1/8", tempo, engine)
    hits = engines.find_hits(demo_take, engine)
    beats = TempoMap.constant(112.0, 0.5).to_beats(
        np.array([hit.onset_samples for hit in hits]) / demo_take.sample_rate
    )
    assert read == GrooveTemplate.extract(beats, "1/8", 4.0, np.array([hit.velocity for hit in hits]), name="take")


@pytest.mark.parametrize("about_bpm", [56.0, 112.0, 224.0])
def test_a_hint_decides_between_half_and_double(about_bpm: float, demo_take: Take) -> None:
    tempo_map, notes = resolve_tempo(TempoRequest(about_bpm=1.12 * about_bpm), demo_take, find_hits(demo_take))
    assert tempo_map.bpm_at(0.0) == pytest.approx(about_bpm, rel=0.01)
    assert any("assumed" in note or "followed" in note for note in notes)


def test_a_hint_beside_a_tempo_is_refused() -> None:
    with pytest.raises(InputError, match="one place"):
        TempoRequest(bpm=100.0, about_bpm=50.0)
