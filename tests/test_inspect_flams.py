"""Inspecting flams: the widest that are heard are chosen, and what is heard and seen is what was rendered."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from urllib.parse import unquote

import matplotlib.image as mpl_image
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.audio_files import load
from beatnet_align.cut_list import cut_list, validate
from beatnet_align.demo import demo_folder
from beatnet_align.edit_plan import EditPlan, RepairSettings
from beatnet_align.effect import BeatDetective
from beatnet_align.engines import Engine, Render
from beatnet_align.errors import InputError, OutputError
from beatnet_align.hits import Piece
from beatnet_align.reference_hits import ReferenceHit, reference_hits_from_truth
from beatnet_align.repair import landed_samples
from beatnet_align.take import Take, take_from_array
from beatnet_align.tempo_source import TempoRequest
from beatnet_align.units import seconds_to_samples
from datagen.inspect_flams import inspect_flams, main
from datagen.inspection.excerpts import FADE_SECONDS, MIX
from datagen.inspection.flam_pictures import MOST_OVERVIEW_BYTES
from datagen.inspection.flam_versions import AFTER_SECONDS, BEFORE_SECONDS, Version
from datagen.inspection.flams import (
    LEAST_APART_SECONDS,
    LEAST_OWN_ENERGY,
    Flam,
    flams_of_lines,
    widest_flams,
)
from datagen.inspection.listening import PEAK, stereo
from datagen.inspection.session import Knows, decided
from datagen.inspection.spectrograms import far_channel, spectrogram_db
from datagen.perfect_plan import perfect_plan_of_session, session_tempo_map

FLAMS = 2
PIECES = (Piece.KICK, Piece.SNARE, Piece.HIHAT_CLOSED)


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flams") / "deep" / "inside"
    assert main([str(demo_folder()), "-o", str(folder), "--flams", str(FLAMS)]) == 0
    return folder


@pytest.fixture(scope="module")
def chosen(demo_take: Take) -> list[Flam]:
    return widest_flams(reference_hits_from_truth(demo_folder()), FLAMS, demo_take.seconds)


def strike(piece: Piece, line: int, late_seconds: float) -> ReferenceHit:
    at = 1.0 + 0.5 * line
    return ReferenceHit(piece, piece.value, at + late_seconds, at, float(line))


strikes = st.lists(
    st.builds(
        lambda piece, line, late_ms, ornament, energy: replace(
            strike(piece, line, late_ms / 1e3), ornament=ornament, own_energy=energy
        ),
        st.sampled_from(PIECES),
        st.integers(0, 12),
        st.integers(-60, 60),
        st.booleans(),
        st.sampled_from([0.2, 0.5, 0.9]),
    ),
    min_size=2,
    max_size=40,
)


@given(hits=strikes, count=st.integers(1, 8))
def test_what_is_chosen_is_heard_and_no_wider_flam_of_a_line_is_left(hits: list[ReferenceHit], count: int) -> None:
    found = flams_of_lines(hits)
    if not found:
        with pytest.raises(InputError, match="no flams"):
            widest_flams(hits, count, 10.0)
        return
    flams = widest_flams(hits, count, 10.0)
    assert len(flams) == min(count, len(found))
    assert [flam.line_seconds for flam in flams] == sorted({flam.line_seconds for flam in flams})
    for flam in flams:
        assert flam.apart_seconds > LEAST_APART_SECONDS
        assert flam.first.piece is not flam.second.piece
        assert not any(hit.ornament or hit.own_energy < LEAST_OWN_ENERGY for hit in flam.hits)
    widest = {flam.first.score_beats: flam.apart_seconds for flam in found}
    heard = [hit for hit in hits if not hit.ornament and hit.own_energy >= LEAST_OWN_ENERGY]
    for one, other in combinations(heard, 2):
        if one.score_beats == other.score_beats and one.piece is not other.piece:
            apart_seconds = abs(one.performed_seconds - other.performed_seconds)
            assert apart_seconds <= widest.get(one.score_beats, LEAST_APART_SECONDS)


def test_the_widest_come_first_and_neighbours_only_where_nothing_else_is_left() -> None:
    late_ms = {0: 50, 1: 49, 8: 20, 16: 10}
    hits = [
        hit
        for line, late in late_ms.items()
        for hit in (strike(Piece.KICK, line, 0), strike(Piece.SNARE, line, late / 1e3))
    ]
    lines = [[flam.first.score_beats for flam in widest_flams(hits, count, 10.0)] for count in (1, 2, 3, 4, 9)]
    assert lines == [[0.0], [0.0, 8.0], [0.0, 8.0, 16.0], [0.0, 1.0, 8.0, 16.0], [0.0, 1.0, 8.0, 16.0]]


@pytest.mark.parametrize("render", list(Render))
def test_the_perfect_plan_of_a_session_can_be_rendered_every_way(render: Render, demo_take: Take) -> None:
    plan = perfect_plan_of_session(demo_folder(), demo_take, RepairSettings(render))
    validate(plan, demo_take)
    assert plan.repair.render is render
    assert len(plan.moves) == len(reference_hits_from_truth(demo_folder()))


def test_separated_every_hit_lands_where_the_truth_says(demo_take: Take) -> None:
    plan = perfect_plan_of_session(demo_folder(), demo_take, RepairSettings(Render.SEPARATE))
    truth = sorted(reference_hits_from_truth(demo_folder()), key=lambda hit: hit.performed_seconds)
    wanted = [seconds_to_samples(hit.target_seconds, demo_take.sample_rate) for hit in truth]
    assert landed_samples(plan) == wanted


def test_hits_too_close_to_cut_apart_keep_their_own_destinations(tmp_path: Path) -> None:
    """A kick 3 ms in front of the snare of the next line: one cut, two destinations."""
    rate = 44_100
    take = take_from_array(np.zeros((2, 2 * rate), np.float32), rate, ["kick", "snare"])
    hits = [
        {"piece": piece, "close": piece, "performed_seconds": at, "target_seconds": to, "score_beats": beats}
        | {"velocity": 0.5, "ornament": False, "main": True, "own_energy": 1.0}
        for piece, at, to, beats in (("kick", 1.0, 0.95, 0.0), ("snare", 1.003, 1.05, 0.25))
    ]
    truth = {"bpm": 150.0, "first_beat_seconds": 0.95, "hits": hits}
    (tmp_path / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    plan = perfect_plan_of_session(tmp_path, take, RepairSettings(Render.SEPARATE))
    assert len(cut_list(plan, plan.take.channels)) == 1
    assert [move.line_beats for move in plan.moves] == [0.0, 0.0]
    assert [move.leads for move in plan.moves] == [True, False]
    assert landed_samples(plan) == [round(0.95 * rate), round(1.05 * rate)]
    spliced = replace(plan, repair=RepairSettings(Render.SPLICE))
    assert landed_samples(spliced) == [round(0.95 * rate), round(0.953 * rate)]


def test_the_neural_engine_is_told_the_tempo_and_lifts_every_hit(
    demo_take: Take, demo_tempo: TempoRequest, demo_plan: EditPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Engine, RepairSettings, TempoRequest | None]] = []

    def plan(effect: BeatDetective, _: Take, tempo: TempoRequest | None) -> EditPlan:
        asked.append((effect.engine, effect.repairing, tempo))
        return demo_plan

    monkeypatch.setattr(BeatDetective, "plan", plan)
    assert decided(demo_folder(), demo_take, Knows.NEURAL, Render.SEPARATE) is demo_plan
    request = TempoRequest(tempo_map=session_tempo_map(demo_folder()))
    assert asked == [(Engine.NEURAL, RepairSettings(Render.SEPARATE), request)]
    tempo_map = session_tempo_map(demo_folder())
    assert tempo_map.bpm_at(0.0) == demo_tempo.bpm
    assert tempo_map.first_beat_seconds == demo_tempo.first_beat_seconds


def test_excerpts_are_the_takes_at_one_gain(out_dir: Path, chosen: list[Flam], demo_take: Take) -> None:
    rate = demo_take.sample_rate
    takes = {Version.TAKE: demo_take, Version.TARGET: load(demo_folder() / "target")}
    fade = seconds_to_samples(FADE_SECONDS, rate)
    for number, flam in enumerate(chosen, 1):
        start, stop = (round(s * rate) for s in flam.window_seconds(BEFORE_SECONDS, AFTER_SECONDS))
        for what in (MIX, *flam.channels):
            heard = {v: sf.read(out_dir / f"{number:02d}.{what}.{v}.wav", always_2d=True)[0].T for v in Version}
            assert max(np.max(np.abs(audio)) for audio in heard.values()) == pytest.approx(PEAK, abs=1e-3)
            gains = []
            for version, take in takes.items():
                audio = take.read(start, min(stop, take.samples)).astype(np.float32)
                row = [channel.name for channel in take.channels].index(what) if what != MIX else None
                wanted = stereo(audio, take.channels) if row is None else audio[[row]]
                assert heard[version].shape == wanted.shape
                inner = heard[version][:, fade:-fade], wanted[:, fade:-fade]
                gains.append(float(np.sum(inner[0] * inner[1]) / np.sum(inner[1] ** 2)))
                np.testing.assert_allclose(inner[0], gains[-1] * inner[1], atol=2e-4)
            assert gains[0] == pytest.approx(gains[1], rel=1e-3)


def test_separated_excerpts_are_nearer_to_the_target_than_spliced_ones(out_dir: Path) -> None:
    def off(number: int, version: Version) -> float:
        audio, target = (sf.read(out_dir / f"{number:02d}.{MIX}.{v}.wav")[0] for v in (version, Version.TARGET))
        return float(np.sum((audio - target) ** 2) / np.sum(target**2))

    numbers = range(1, FLAMS + 1)
    spliced, separated = ([off(number, v) for number in numbers] for v in (Version.SPLICED, Version.SEPARATED))
    assert all(repaired < 0.5 * cut for repaired, cut in zip(separated, spliced, strict=True))


def test_pictures_show_something_and_the_overview_is_small(out_dir: Path) -> None:
    pictures = sorted(out_dir.glob("*.png"))
    assert [path.name for path in pictures] == [
        *(f"{number:02d}.png" for number in range(1, FLAMS + 1)),
        "overview.png",
    ]
    for path in pictures:
        pixels = mpl_image.imread(path)[..., :3]
        assert pixels.shape[1] > 500
        assert 0.3 < np.mean(np.any(pixels < 0.95, axis=2)) < 0.95
    assert pictures[-1].stat().st_size <= MOST_OVERVIEW_BYTES


def test_the_page_shows_every_file_and_names_none_that_is_not_there(out_dir: Path, chosen: list[Flam]) -> None:
    page = (out_dir / "index.html").read_text(encoding="utf-8")
    named = {unquote(name) for name in re.findall(r'src="([^"]+)"', page)}
    assert named == {path.name for path in out_dir.iterdir()} - {"index.html"}
    assert all(flam.title in page for flam in chosen)


@settings(max_examples=20)
@given(hz=st.floats(300.0, 8_000.0), at=st.floats(0.3, 0.7))
def test_spectrograms_have_tones_at_their_pitch_time_and_level(hz: float, at: float) -> None:
    rate = 44_100
    time = np.arange(rate) / rate
    tone = np.where(time >= at, 0.5 * np.sin(2 * np.pi * hz * time), 0.0).astype(np.float32)
    take = take_from_array(np.stack([np.zeros_like(tone), tone]), rate)
    seconds, frequencies_hz, levels_db = spectrogram_db(take, 1, 0.2, 0.95)
    sounding = np.max(levels_db, axis=0)
    assert seconds[0] <= 0.2
    assert seconds[-1] >= 0.95
    assert np.all(sounding[seconds < at - 0.01] < -60.0)
    assert sounding[(seconds > at + 0.01) & (seconds < 0.95)] == pytest.approx(20 * np.log10(0.5), abs=0.5)
    loudest = frequencies_hz[np.argmax(levels_db[:, np.searchsorted(seconds, 0.85)])]
    assert loudest == pytest.approx(hz, abs=30.0)


def test_the_far_microphone_is_none_of_the_close_ones() -> None:
    def farthest(names: list[str], close: list[str]) -> str | None:
        return far_channel(take_from_array(np.zeros((len(names), 10), np.float32), 44_100, names), close)

    assert farthest(["kick", "overhead", "room"], ["kick"]) == "room"
    assert farthest(["kick", "overhead", "snare"], ["kick"]) == "overhead"
    assert farthest(["kick", "room"], ["kick", "room"]) is None


def without_hits(folder: Path) -> None:
    (folder / "truth.json").write_text('{"bpm": 112.0, "first_beat_seconds": 0.5, "hits": []}', encoding="utf-8")


def without_tempo(folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    (folder / "truth.json").write_text(json.dumps({"hits": truth["hits"]}), encoding="utf-8")


def with_a_stranger(folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    truth["hits"][0]["close"] = "cowbell"
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "truth.json").unlink(), "truth.json"),
        (lambda folder: shutil.rmtree(folder / "take"), "take"),
        (lambda folder: (folder / "target" / "room.flac").unlink(), "differ in rate, length or channels"),
        (without_hits, "no flams"),
        (without_tempo, "names no tempo"),
        (with_a_stranger, "cowbell"),
    ],
)
def test_what_is_no_session_is_refused_in_one_line(
    damage: Callable[[Path], object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = tmp_path / "session"
    shutil.copytree(demo_folder(), session)
    damage(session)
    assert main([str(session), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_places_that_cannot_be_written_and_odd_counts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        inspect_flams(demo_folder(), tmp_path / "file", 1)
    with pytest.raises(InputError, match="cannot show 0 flams"):
        inspect_flams(demo_folder(), tmp_path / "out", 0)
