"""Datasets: one seed one example, resumable, the same bytes whoever makes them; and truth that is true."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from beatnet_align.compare import mean_figures
from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.roles import guess_role
from datagen import oracle
from datagen.__main__ import main
from datagen.config import DatasetConfig, Sources, Split, TimingPreset, read_config
from datagen.dataset import read_manifest, read_pairs, write_dataset
from datagen.example import Example, ExampleMaker
from datagen.kits.synth_kit import onset_in_strike
from datagen.misplaced import Cause
from datagen.oracle import causes_table, measure

CONFIGS = Path(__file__).parents[1] / "configs"
SHARED = Path(__file__).parents[2] / "shared"
TINY = read_config(CONFIGS / "datagen" / "tiny.yaml")
CLEAN = replace(
    TINY,
    clean_probability=1.0,
    drop_channel_probability=0.0,
    channels=(4, 8),
    seconds=6.0,
    bars=3,
    timing_preset=TimingPreset.HARD,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset") / "tiny"
    assert write_dataset(TINY, folder, workers=1) == 4
    return folder


WAYS = ("tuned", "ringing", "coloured", "softened")


@pytest.fixture(
    scope="module",
    params=[WAYS[:count] for count in range(len(WAYS) + 1)],
    ids=["as recorded", "tuned", "and ringing", "and coloured", "and softened"],
)
def example(request: pytest.FixtureRequest) -> Example:
    changed: dict[str, Any] = {f"{how}_probability": 1.0 for how in request.param}
    return ExampleMaker(replace(CLEAN, **changed)).make(Split.TRAIN, 5)


def test_the_number_of_workers_changes_no_byte(dataset: Path, tmp_path: Path) -> None:
    write_dataset(TINY, tmp_path / "again", workers=2)
    assert contents(tmp_path / "again") == contents(dataset)


def test_a_run_that_was_cut_off_goes_on(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    whole = ExampleMaker.make

    def make(self: ExampleMaker, split: Split, index: int, *, scored: bool) -> Example:
        calls.append(index)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, split, index, scored=scored)

    monkeypatch.setattr("datagen.dataset.ProcessPoolExecutor", SerialPool)
    monkeypatch.setattr(ExampleMaker, "make", make)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(TINY, tmp_path / "cut", workers=1)
    assert not (tmp_path / "cut" / "manifest.jsonl").exists()
    assert write_dataset(TINY, tmp_path / "cut", workers=1) == 2
    assert contents(tmp_path / "cut") == contents(dataset)
    assert write_dataset(TINY, tmp_path / "cut", workers=1) == 0


class SerialPool:
    """As ProcessPoolExecutor, in this process."""

    def __init__(self, _workers: int, initializer: object, initargs: tuple[object, ...]) -> None:
        assert callable(initializer)
        initializer(*initargs)

    def __enter__(self) -> "SerialPool":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @staticmethod
    def map(work: object, tasks: list[object]) -> list[object]:
        assert callable(work)
        return [work(task) for task in tasks]


def test_another_seed_gives_other_examples() -> None:
    one, other = (ExampleMaker(replace(TINY, seed=seed)).make(Split.TRAIN, 0) for seed in (0, 1))
    assert one.take.shape != other.take.shape or (one.take != other.take).any()


def test_the_manifest_names_files_that_fit(dataset: Path) -> None:
    entries = list(read_manifest(dataset))
    assert [(entry["split"], entry["index"]) for entry in entries] == [
        ("train", 0), ("train", 1), ("train", 2), ("validation", 0)
    ]  # fmt: skip
    for entry in entries:
        for name in ("take", "target"):
            info = sf.info(dataset / entry[name])
            assert (info.channels, info.frames) == (len(entry["channels"]), entry["samples"])
        images = sf.info(dataset / entry["take_images"])
        assert images.channels == len(entry["channels"]) * len(entry["image_pieces"])
    card = (dataset / "README.md").read_text()
    assert "CC0-1.0" in card
    assert str(sum(len(entry["hits"]) for entry in entries)) in card


def test_takes_are_the_same_without_targets(dataset: Path, tmp_path: Path) -> None:
    alone = replace(TINY, targets=False)
    write_dataset(alone, tmp_path / "alone", workers=1)
    for entry in read_manifest(tmp_path / "alone"):
        assert "target" not in entry
        assert (tmp_path / "alone" / entry["take"]).read_bytes() == (dataset / entry["take"]).read_bytes()
    with pytest.raises(InputError, match="without targets"):
        list(read_pairs(tmp_path / "alone"))


def test_no_take_begins_with_digital_silence(dataset: Path) -> None:
    for entry in read_manifest(dataset):
        opening, _ = sf.read(dataset / entry["take"], stop=2048, dtype="int16", always_2d=True)
        assert (np.abs(opening).max(axis=0) > 0).all()


def test_rendered_onsets_are_found_again_by_the_rule(example: Example) -> None:
    """On the image of the piece in the hit's own channel, wherever no other stroke of the piece is near."""
    rate, rows = example.sample_rate, [channel.name for channel in example.channels]
    found = []
    for version, images in (("performed_seconds", example.take_images), ("target_seconds", example.target_images)):
        for hit in example.truth["hits"]:
            same = [other for other in example.truth["hits"] if other["piece"] == hit["piece"] and other is not hit]
            if any(-4.0 < other[version] - hit[version] < 0.2 for other in same):
                continue
            image = images[example.image_pieces.index(Piece(hit["piece"])), rows.index(hit["close"])]
            onset = round(hit[version] * rate)
            start = max(0, onset - rate // 20)
            found.append(start + onset_in_strike(image[start : onset + rate // 7].astype(np.float64), rate) - onset)
    assert len(found) >= 8
    assert np.mean(np.abs(found) <= 1) > 0.999


def test_images_add_up_to_the_recording_but_for_its_noise(example: Example) -> None:
    rest = example.take - example.take_images.sum(axis=0)
    assert 20 * np.log10(np.sqrt(np.mean(rest**2)) / np.sqrt(np.mean(example.take**2))) < -40.0


def test_take_and_target_hold_the_same_noise(example: Example) -> None:
    opening = round(0.05 * example.sample_rate)
    np.testing.assert_array_equal(example.take[:, :opening], example.target[:, :opening])


def test_truth_is_in_order_and_within_the_example(example: Example) -> None:
    hits = example.truth["hits"]
    assert [hit["performed_seconds"] for hit in hits] == sorted(hit["performed_seconds"] for hit in hits)
    lines: dict[int, list[dict[str, float]]] = {}
    for hit in hits:
        assert 0 <= hit["target_seconds"] < CLEAN.seconds
        assert hit["close"] in {channel.name for channel in example.channels}
        assert hit["arrivals_seconds"][hit["close"]] == 0.0
        lines.setdefault(hit["line"], []).append(hit)
    for together in lines.values():
        assert sum(hit["main"] for hit in together) == 1
        straight = [hit for hit in together if not hit["ornament"]]
        assert max(hit["target_seconds"] for hit in straight) - min(hit["target_seconds"] for hit in straight) < 1e-4
    for hit in hits:
        if hit["main_stroke"] is not None:
            main_hit = hits[hit["main_stroke"]]
            spacing = hit["performed_seconds"] - main_hit["performed_seconds"]
            assert spacing == pytest.approx(hit["target_seconds"] - main_hit["target_seconds"], abs=5e-5)


def test_perfect_knowledge_aligns_what_the_generator_made(tmp_path: Path) -> None:
    sources = Sources(3, ("synth1",), groove_probability=0.0)
    human = replace(CLEAN, images=False, timing_preset=TimingPreset.HUMAN, train=sources, validation=Sources())
    write_dataset(human, tmp_path / "data", workers=1)
    examples = [measure(tmp_path / "data", entry, causes=True) for entry in read_manifest(tmp_path / "data")]
    figures = mean_figures([example.rows for example in examples])
    assert list(figures) == [
        "untouched",
        "onset-quantise",
        "neural",
        "perfect knowledge, spliced",
        "the same, separated",
    ]
    assert figures["perfect knowledge, spliced"]["main_timing_within_2_ms"] > 0.9
    assert figures["the same, separated"]["main_timing_within_2_ms"] > 0.9
    assert figures["untouched"]["main_timing_within_2_ms"] < 0.4
    for engine in ("perfect knowledge, spliced", "the same, separated"):
        causes = {cause for example in examples for cause in example.misplaced[engine][1]}
        assert causes <= {Cause.NOT_FREE, Cause.HARD_TO_HEAR}
    assert causes_table(examples).splitlines()[1].startswith("in place")


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared kits and grooves")
def test_real_kits_and_grooves() -> None:
    config = replace(
        CLEAN,
        images=False,
        array_probability=0.0,
        train=Sources(1, ("gogodze",), groove_split="train"),
        validation=Sources(),
    )
    maker = ExampleMaker(config, SHARED / "data")
    example = maker.make(Split.TRAIN, 0)
    microphones = {guess_role(name) for name in maker.kit("gogodze").microphones}
    assert {channel.role for channel in example.channels} == microphones
    assert example.truth["kit"] == "gogodze"
    assert any("CC0" in licence for licence in example.truth["licences"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nseconds: 0.1\ntrain: {examples: 1, kits: [synth1]}", "seconds"),
        ("name: a\nbananas: 3", "bananas"),
        ("name: a\ntrain: {examples: 1}", "kit"),
        ("name: a\ntrain: {examples: 1, kits: [synth1]}\ntest: {examples: 1, kits: [synth1]}", "synth1"),
        ("name: a\ntiming: {drift_seconds: [0.2, 0.1]}", "drift_seconds"),
        ("name: a\ntiming: {mood: [0.2, 0.1]}", "mood"),
        ("name: a\nrecording: {noise_floor_db: [-20, -90]}", "noise_floor_db"),
        ("name: a\nchannels: [0, 4]", "channels"),
        ("name: a\ntrain: {examples: 1, kits: [nowhere]}", "--data"),
        ("name: a\ntrain: {examples: 1, kits: [synth1]}", "--data"),
        ("name: [", "YAML"),
        ("name: a", "no examples"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(text)
    assert main([str(tmp_path / "config.yaml"), "-o", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="no dataset"):
        write_dataset(TINY, tmp_path)
    with pytest.raises(InputError, match="another configuration"):
        write_dataset(replace(TINY, seed=9), dataset)


def test_every_shipped_configuration_can_be_read() -> None:
    configs = sorted((CONFIGS / "datagen").glob("*.yaml"))
    assert {path.stem for path in configs} >= {"tiny", "human", "hard", "multimic", "uniform_jitter"}
    for path in configs:
        config = read_config(path)
        assert isinstance(config, DatasetConfig)
        assert config.name == path.stem


def test_a_broken_manifest_names_its_line(dataset: Path, tmp_path: Path) -> None:
    lines = (dataset / "manifest.jsonl").read_text().splitlines()
    (tmp_path / "manifest.jsonl").write_text("\n".join([lines[0], lines[1][:50]]))
    with pytest.raises(InputError, match="line 2"):
        list(read_manifest(tmp_path))
    assert json.loads(lines[0])["index"] == 0


@pytest.mark.parametrize("split", [None, "validation"])
def test_splits_that_share_grooves_are_refused(split: str | None) -> None:
    one, other = (Sources(1, (kit,), groove_split="validation", drummers=("drummer1",)) for kit in ("synth1", "synth2"))
    with pytest.raises(InputError, match="validation and test use the same grooves"):
        DatasetConfig("x", validation=one, test=replace(other, groove_split=split))
    DatasetConfig("x", validation=one, test=replace(other, groove_split=split, drummers=("drummer2",)))
    DatasetConfig("x", validation=one, test=replace(other, groove_split=split, groove_probability=0.0))
    DatasetConfig("x", validation=one, test=replace(other, groove_split="test"))


def test_every_configuration_can_be_read() -> None:
    names = [read_config(path).name for path in sorted((CONFIGS / "datagen").glob("*.yaml"))]
    assert {"hard", "human", "multimic", "tiny", "uniform_jitter"} <= set(names)


def test_a_negative_seed_and_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed must not be negative, found -1"):
        replace(TINY, seed=-1)
    with pytest.raises(InputError, match="workers must be at least 1, found 0"):
        write_dataset(TINY, tmp_path / "none", workers=0)
    assert not (tmp_path / "none").exists()


def test_an_interrupted_run_says_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("datagen.dataset.write_dataset", interrupted)
    assert main([str(CONFIGS / "datagen" / "tiny.yaml"), "-o", str(tmp_path / "cut")]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_a_killed_process_ends_in_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExampleMaker, "make", lambda *_, **__: os._exit(9))
    with pytest.raises(InputError, match="a process was killed"):
        write_dataset(TINY, tmp_path / "killed", workers=1)


def test_the_oracle_refuses_for_a_dataset_what_only_sessions_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["oracle", str(tmp_path), "--fill", "neural"])
    assert oracle.main() == 2
    assert "for sessions" in capsys.readouterr().err
