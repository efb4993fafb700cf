"""Evaluating hit finders: what each condition leaves of a take, where truth is read from, and the command."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.collection import OnsetSettings
from beatnet_align.demo import demo_folder
from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.take import Take, take_from_array
from beatnet_align.units import Float32Array
from datagen.config import DatasetConfig, Sources, Split
from datagen.dataset import write_dataset
from models.evaluate_hits import DETECTORS, DetectorOptions, main, measure, measure_recordings
from models.hit_evaluation_report import ALL_RECORDINGS, table
from models.hit_evaluation_takes import Condition, KnownTake, dataset_takes, recordings, sessions, under
from models.onset_figures import EstimatedHit, TrueHit
from models.reference_detectors import aubio_onsets, librosa_onsets, mono_mix, superflux

RECORDINGS = Path(__file__).parents[2] / "shared" / "data" / "mdb_drums"
needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="needs the MDB recordings in shared/data")
HELD_OUT = Path(__file__).parents[1] / "models" / "held_out" / "hitnet.onnx"
RATE = 44_100
OPTIONS = DetectorOptions(OnsetSettings())
ROLES = (Role.KICK, Role.SNARE, Role.HIHAT, Role.OVERHEAD, Role.ROOM)


def known_take(audio: Float32Array, roles: tuple[Role, ...]) -> KnownTake:
    names = [f"{role}-{i}" for i, role in enumerate(roles)]
    hits = tuple(TrueHit(0.001 * i, Piece.KICK, own_channel=name) for i, name in enumerate(names))
    return KnownTake(take_from_array(audio, RATE, names, roles), hits)


def noise(channels: int, seed: int) -> Float32Array:
    return np.random.default_rng(seed).normal(size=(channels, 500)).astype(np.float32) * np.float32(0.1)


def whole(known: KnownTake) -> Float32Array:
    return np.asarray(known.take.read(0, known.take.samples), np.float32)


def test_hits_know_how_far_they_raise_the_loudest_of_the_channels_that_are_left() -> None:
    audio = np.random.default_rng(1).normal(size=(2, RATE)).astype(np.float32) * np.float32(1e-3)
    audio[0, RATE // 2 : RATE // 2 + 2_000] *= np.float32(10.0)
    known = KnownTake(
        take_from_array(audio, RATE, ["kick", "room"], [Role.KICK, Role.ROOM]), (TrueHit(0.25), TrueHit(0.5))
    )
    both, far = (under(condition, known, np.random.default_rng(1)) for condition in (Condition.ALL, Condition.FAR))
    assert both is not None and far is not None
    nothing, struck = (hit.rise_db for hit in both.true_hits)
    assert nothing < 8.0 and struck > 15.0
    assert all(hit.rise_db < 8.0 for hit in far.true_hits)


@given(
    roles=st.lists(st.sampled_from(ROLES), min_size=1, max_size=8).map(tuple),
    condition=st.sampled_from(list(Condition)),
    seed=st.integers(0, 9),
)
@settings(max_examples=60)
def test_conditions_keep_length_and_hits_and_own_only_what_they_hold(
    roles: tuple[Role, ...], condition: Condition, seed: int
) -> None:
    known = known_take(noise(len(roles), seed), roles)
    left, again = (under(condition, known, np.random.default_rng(seed)) for _ in range(2))
    if left is None or again is None:
        if condition is Condition.FAR:
            assert not {Role.OVERHEAD, Role.ROOM} & set(roles)
        else:
            assert condition is Condition.KICK_SNARE_OVERHEADS
            assert not {Role.KICK, Role.SNARE, Role.OVERHEAD} <= set(roles)
        return
    np.testing.assert_array_equal(whole(left), whole(again))
    assert left.take.samples == known.take.samples and left.take.sample_rate == RATE
    assert [hit.seconds for hit in left.true_hits] == [hit.seconds for hit in known.true_hits]
    names = {channel.name for channel in left.take.channels}
    for hit, before in zip(left.true_hits, known.true_hits, strict=True):
        assert hit.own_channel == (before.own_channel if before.own_channel in names else None)


def test_conditions_hold_what_they_promise() -> None:
    known, rng = known_take(noise(5, 0), ROLES), np.random.default_rng(0)
    everything = under(Condition.ALL, known, rng)
    assert everything is not None and everything.take is known.take
    far, few, mono = (
        under(condition, known, rng) for condition in (Condition.FAR, Condition.KICK_SNARE_OVERHEADS, Condition.MONO)
    )
    assert far is not None and few is not None and mono is not None
    np.testing.assert_array_equal(whole(far), whole(known)[3:])
    assert [channel.role for channel in few.take.channels] == [Role.KICK, Role.SNARE, Role.OVERHEAD]
    assert [channel.name for channel in mono.take.channels] == ["mix"]
    np.testing.assert_allclose(whole(mono)[0], whole(known).mean(axis=0), atol=1e-7)


def test_noise_and_bleed_have_their_levels() -> None:
    audio = np.zeros((2, 20_000), np.float32)
    audio[0, 100] = 1.0
    noisy = under(Condition.NOISY, known_take(audio, ROLES[:2]), np.random.default_rng(0))
    assert noisy is not None
    heard = whole(noisy)
    assert 20.0 * np.log10(np.sqrt(np.mean(heard[:, 200:] ** 2))) == pytest.approx(-50.0, abs=0.2)
    assert heard[1, 100] == pytest.approx(10.0 ** (-12.0 / 20.0), abs=0.02)


def test_a_mix_leaves_clicks_out() -> None:
    audio = np.stack([np.full(9, 0.5, np.float32), np.ones(9, np.float32)])
    np.testing.assert_array_equal(mono_mix(take_from_array(audio, RATE, roles=(Role.KICK, Role.CLICK))), audio[0])


def test_a_detector_that_knows_the_truth_gets_full_marks_on_the_demo_session() -> None:
    (load_take,) = sessions(demo_folder())
    known = load_take()
    roles = {channel.name: channel.role for channel in known.take.channels}
    owned = [hit for hit in known.true_hits if hit.own_channel is not None]
    assert {hit.piece for hit in owned} >= {Piece.KICK, Piece.SNARE}
    assert all(roles[hit.own_channel or ""].is_close for hit in owned)

    def oracle(_take: Take) -> tuple[EstimatedHit, ...]:
        return tuple(EstimatedHit(hit.seconds, hit.piece, 1.0) for hit in known.true_hits)

    rows = measure([load_take], {"oracle": oracle}, list(Condition))
    assert "all" in rows
    for of_condition in rows.values():
        assert of_condition["oracle"].onsets["2_ms"].f_measure == 1.0


def test_takes_of_a_dataset_come_by_split(tmp_path: Path) -> None:
    one = Sources(1, ("synth1",), groove_probability=0.0)
    write_dataset(DatasetConfig("tiny", seconds=2.0, bars=1, train=one), tmp_path / "set", workers=1)
    (load_take,) = dataset_takes(tmp_path / "set", Split.TRAIN)
    known = load_take()
    names = {channel.name for channel in known.take.channels}
    assert known.true_hits and {hit.own_channel for hit in known.true_hits} <= {*names, None}
    with pytest.raises(InputError, match="validation"):
        dataset_takes(tmp_path / "set", Split.VALIDATION)


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    """A folder with one recording: four bursts of noise, labelled in seconds."""
    rng = np.random.default_rng(0)
    audio = rng.normal(size=3 * RATE) * 1e-4
    for onset in (0.5, 1.0, 1.5, 2.0):
        start = round(onset * RATE)
        audio[start : start + 4_000] += rng.normal(size=4_000) * 0.2 * np.exp(-np.arange(4_000) / 600.0)
    folder = tmp_path / "clicks"
    folder.mkdir()
    sf.write(folder / "four.flac", audio, RATE)
    (folder / "four.onsets.txt").write_text("0.5 \t SD\n1.0 \t KD\n1.01 \t HH\n1.5 \t SD\n2.0 \t SD\n\n")
    return folder


@pytest.mark.parametrize(
    ("find", "package"), [(superflux, "librosa"), (librosa_onsets, "librosa"), (aubio_onsets, "aubio")]
)
def test_detectors_of_others_hear_clear_strikes(clicks: Path, find: object, package: str) -> None:
    pytest.importorskip(package)
    assert callable(find)
    onsets = find(recordings(clicks)[0]().take)
    np.testing.assert_allclose(onsets, [0.5, 1.0, 1.5, 2.0], atol=0.03)


@pytest.mark.parametrize(("name", "package"), [("superflux", "librosa"), ("librosa", "librosa"), ("aubio", "aubio")])
def test_a_missing_package_is_named(clicks: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"pip install {package}"):
        measure_recordings(recordings(clicks), {name: DETECTORS[name](OPTIONS)})


def test_recordings_are_scored_one_by_one_and_together(clicks: Path) -> None:
    figures = measure_recordings(recordings(clicks), {"classical": DETECTORS["classical"](OPTIONS)})
    assert figures["classical"]["four"]["50_ms"].f_measure == 1.0  # labels 10 ms apart are one event here
    assert figures["classical"][ALL_RECORDINGS] == figures["classical"]["four"]


def test_the_command_prints_tables_and_writes_json_and_a_picture(
    clicks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written, picture = tmp_path / "figures.json", tmp_path / "picture.png"
    arguments = ["--detectors", "classical", "--conditions", "all", "far", "--sessions", str(demo_folder())]
    arguments += ["--recordings", str(clicks), "--json", str(written), "--picture", str(picture)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "sessions: 1 takes" in printed and "classical ±50 ms" in printed
    figures = json.loads(written.read_text(encoding="utf-8"))
    row = figures["sessions"]["all"]["classical"]
    assert 0.5 < row["onsets"]["5_ms"]["f_measure"] <= 1.0 and len(row["reliability"]) == 10
    assert row["pieces"]["kick"]["of"] > 0 and row["pieces"]["china"] == {"share": None, "of": 0}
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to measure on"),
        (["--recordings", "nowhere"], "there are no recordings in nowhere"),
        (["--sessions", "nowhere"], "there is no session in nowhere"),
        (["--dataset", "nowhere"], "no finished dataset"),
        (["--sessions", "nowhere", "--limit", "0"], "--limit must be at least 1"),
        (["--sessions", str(demo_folder()), "--sensitivity", "200"], "sensitivity must lie between"),
        (["--sessions", str(demo_folder()), "--detectors", "hitnet", "--weights", "nowhere.onnx"], "HitNet's weights"),
        (
            ["--sessions", str(demo_folder()), "--detectors", "hitnet", "--weights", str(HELD_OUT), str(HELD_OUT)],
            "two detectors are called held_out/hitnet",
        ),
    ],
)
def test_what_cannot_be_used_ends_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and message in line


def test_labels_that_are_no_times_are_refused(clicks: Path) -> None:
    (clicks / "four.onsets.txt").write_text("0.5 SD\nsnare 0.7\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        recordings(clicks)[0]()


def test_tables_align_words_left_and_figures_right() -> None:
    assert table(["", "F"], [["one", "0.5"], ["three", "10.25"]]) == "           F\none      0.5\nthree  10.25"


@needs_recordings
def test_the_classical_detector_finds_most_of_a_real_recording() -> None:
    detectors = {"classical": DETECTORS["classical"](OPTIONS)}
    figures = measure_recordings(recordings(RECORDINGS, limit=1), detectors)
    assert figures["classical"][ALL_RECORDINGS]["50_ms"].f_measure > 0.9
