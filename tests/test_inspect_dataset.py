"""Inspecting a dataset: what is drawn, mixed and counted is what the manifest and the audio say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image as mpl_image
import numpy as np
import pytest
import soundfile as sf

from beatnet_align.audio_files import load
from beatnet_align.demo import demo_folder
from beatnet_align.errors import InputError, OutputError
from beatnet_align.grid import Grid
from beatnet_align.roles import Role
from beatnet_align.take import Channel, Take
from beatnet_align.tempo_map import TempoMap
from datagen.inspect_dataset import inspect_dataset
from datagen.inspection.examples import read_examples
from datagen.inspection.listening import PEAK, stereo
from datagen.inspection.pictures import busiest_bars_seconds
from datagen.inspection.statistics import (
    flam_spreads_seconds,
    measure_levels,
    ornament_spacings_seconds,
    summary_table,
)

COUNT = 2


def demo_entry(index: int, take: Take, truth: dict[str, Any]) -> dict[str, Any]:
    """A manifest's entry for the demo take, with what its own truth leaves out."""
    hits = [
        hit
        | {"own_microphone": True, "line": round(hit["score_beats"] * 4), "main_stroke": None, "arrivals_seconds": {}}
        for hit in truth["hits"]
    ]
    for hit in hits:
        if hit["ornament"]:
            same = [other["score_beats"] == hit["score_beats"] and other["main"] for other in hits]
            hit["main_stroke"] = same.index(True)
    return {
        "index": index,
        "split": "train",
        "take": f"audio/{index}.take.flac",
        "target": f"audio/{index}.target.wav",
        "metronome": f"audio/{index}.metronome.flac" if index == 0 else None,
        "sample_rate": take.sample_rate,
        "samples": take.samples,
        "channels": [{"name": channel.name, "role": channel.role.value} for channel in take.channels],
        "tempo_map": TempoMap.constant(truth["bpm"], truth["first_beat_seconds"]).to_json(),
        "grid": Grid().to_json(),
        "kit": "demo",
        "licences": ["demo: MIT"],
        "parameters": {"swing": 0.5},
        "recording": [],
        "hits": hits,
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, demo_take: Take) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "audio").mkdir()
    truth = json.loads((demo_folder() / "truth.json").read_text(encoding="utf-8"))
    entries = [demo_entry(index, demo_take, truth) for index in range(COUNT)]
    target = load(demo_folder() / "target")
    click = np.zeros(demo_take.samples)
    click[:: demo_take.sample_rate] = 1.0
    for index, entry in enumerate(entries):
        for path, take in ((entry["take"], demo_take), (entry["target"], target)):
            sf.write(folder / path, take.read(0, take.samples).T, take.sample_rate, subtype="PCM_16")
        if index == 0:
            sf.write(folder / entry["metronome"], click, demo_take.sample_rate, subtype="PCM_16")
    (folder / "manifest.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def inspected(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return inspect_dataset(dataset, tmp_path_factory.mktemp("seen") / "deep" / "inside")


def test_every_example_gets_a_picture_and_two_mixes(inspected: list[Path]) -> None:
    names = [f"train-{index:06d}{end}" for index in range(COUNT) for end in (".png", ".take.wav", ".target.wav")]
    assert [path.name for path in inspected] == [*names, "statistics.png", "summary.txt"]
    assert all(path.stat().st_size > 0 for path in inspected)


def test_a_dataset_of_takes_alone_gets_pictures_and_mixes_of_those(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "audio").symlink_to(dataset / "audio")
    entry = json.loads((dataset / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[1])
    del entry["target"]
    (tmp_path / "manifest.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    names = [path.name for path in inspect_dataset(tmp_path, tmp_path / "seen")]
    assert names == ["train-000001.png", "train-000001.take.wav", "statistics.png", "summary.txt"]
    pixels = mpl_image.imread(tmp_path / "seen" / "train-000001.png")[..., :3]
    assert 0.02 < np.mean(np.any(pixels < 0.95, axis=2)) < 0.6


def test_pictures_show_something(inspected: list[Path]) -> None:
    for path in inspected:
        if path.suffix == ".png":
            pixels = mpl_image.imread(path)[..., :3]
            assert pixels.shape[1] > 1_000
            assert 0.02 < np.mean(np.any(pixels < 0.95, axis=2)) < 0.6


def test_mixes_are_the_takes_at_one_level_with_the_click_on_top(inspected: list[Path], demo_take: Take) -> None:
    mixes = {path.name: sf.read(path)[0].T for path in inspected if path.suffix == ".wav"}
    assert all(mix.shape == (2, demo_take.samples) for mix in mixes.values())
    plain = [mixes["train-000001.take.wav"], mixes["train-000001.target.wav"]]
    assert max(np.max(np.abs(mix)) for mix in plain) == pytest.approx(PEAK, abs=1e-3)
    click = mixes["train-000000.take.wav"] - plain[0]
    assert np.flatnonzero(np.abs(click[0]) > 0.1).tolist() == list(range(0, demo_take.samples, demo_take.sample_rate))


def test_the_summary_counts_what_is_there(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = read_examples(dataset)
    table = summary_table(examples)
    hits = [hit for example in examples for hit in example.hits]
    kicks = sum(hit.piece.value == "kick" for hit in hits)
    assert f"hits          {len(hits)}," in table
    assert "demo: MIT" in table
    assert any(line.split()[:2] == ["kick", str(kicks)] for line in table.splitlines())
    inspect_dataset(dataset, examples=0)
    assert capsys.readouterr().out.strip() == table
    assert (dataset / "inspect" / "summary.txt").read_text(encoding="utf-8").strip() == table


def test_ornaments_and_flams_are_those_of_the_truth(dataset: Path) -> None:
    examples = read_examples(dataset)[:1]
    spacings = ornament_spacings_seconds(examples)
    assert len(spacings) == 3
    assert np.all((spacings < -0.02) & (spacings > -0.08))
    spreads = flam_spreads_seconds(examples)
    first_line = [hit.performed_seconds for hit in examples[0].hits if hit.score_beats == 0.0]
    assert spreads[0] == pytest.approx(max(first_line) - min(first_line))


def test_bleed_is_what_the_audio_holds(dataset: Path, tmp_path: Path) -> None:
    """One click on the kick microphone, 20 dB weaker on the snare's and 6 dB on the overhead."""
    rate, samples, gains = 44_100, 44_100, np.array([1.0, 0.1, 0.5])
    click = np.zeros(samples)
    click[22_050:22_500] = 0.5 * (-1.0) ** np.arange(450)
    audio = gains[:, None] * click
    entry = json.loads((dataset / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[1])
    hit = next(hit for hit in entry["hits"] if hit["piece"] == "kick") | {
        "close": "Kick",
        "performed_seconds": 0.5,
        "target_seconds": 0.5,
    }
    roles = (("Kick", "kick"), ("Snare", "snare"), ("OH", "overhead"))
    entry |= {"samples": samples, "hits": [hit], "channels": [{"name": name, "role": role} for name, role in roles]}
    (tmp_path / "audio").mkdir()
    for name in ("take", "target"):
        sf.write(tmp_path / entry[name], audio.T, rate, subtype="PCM_16")
    (tmp_path / "manifest.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    levels = measure_levels(read_examples(tmp_path))
    assert levels.bleed_db["other close microphones"] == pytest.approx([-20.0], abs=0.05)
    assert levels.bleed_db["overheads"] == pytest.approx([20 * np.log10(0.5)], abs=0.05)
    assert len(levels.bleed_db["rooms"]) == 0
    power = 0.25 * 450 / (0.03 * rate)
    assert levels.own_dbfs["kick"] == pytest.approx([10 * np.log10(power)], abs=0.05)


def test_the_window_holds_the_two_bars_with_most_hits(dataset: Path) -> None:
    example = read_examples(dataset)[0]
    start, stop = busiest_bars_seconds(example)
    bar_seconds = 4 * 60 / 112
    assert 0.0 <= start < stop <= example.seconds
    assert stop - start == pytest.approx(2 * bar_seconds, rel=0.05)

    def inside(first: float) -> int:
        return sum(first - 1e-3 <= hit.target_seconds < first + 2 * bar_seconds - 1e-3 for hit in example.hits)

    assert inside(start + 0.02 * 2 * bar_seconds) == max(inside(0.5 + bar * bar_seconds) for bar in range(4))


def test_sides_go_by_name() -> None:
    channels = [Channel(name, Role.OVERHEAD) for name in ("OH.L", "OH R", "Kick", "OHR", "Snare Trigger", "03_room_l")]
    sides = [np.sign(np.diff(stereo(np.eye(6, dtype=np.float32)[:, [row]], channels)[:, 0]))[0] for row in range(6)]
    assert sides == [-1, 1, 0, 1, 0, -1]


def with_line(number: int, change: Callable[[str], str]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "manifest.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()
        lines[number - 1] = change(lines[number - 1])
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return damage


def without(key: str) -> Callable[[str], str]:
    def change(line: str) -> str:
        entry = json.loads(line)
        del entry[key]
        return json.dumps(entry)

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.jsonl").unlink(), r"manifest\.jsonl"),
        (lambda folder: (folder / "manifest.jsonl").write_text(""), "holds no examples"),
        (lambda folder: (folder / "manifest.jsonl").write_bytes(b"\xff\xfe"), "line 1"),
        (with_line(2, lambda line: line[: len(line) // 2]), "line 2"),
        (with_line(2, lambda _: "[1, 2]"), "line 2"),
        (with_line(2, without("hits")), "line 2 .* 'hits'"),
        (with_line(2, without("grid")), "line 2 .* 'grid'"),
        (with_line(1, lambda line: line.replace('"kick"', '"cowbell"')), "line 1 .*cowbell"),
        (with_line(1, lambda line: line.replace("112.0", "9999")), "line 1 .* tempo"),
        (lambda folder: (folder / "audio" / "1.take.flac").unlink(), r"line 2 .*audio/1\.take\.flac"),
        (lambda folder: (folder / "audio" / "0.take.flac").write_bytes(b"fLaC"), r"0\.take\.flac"),
        (with_line(1, lambda line: line.replace('"samples": ', '"samples": 1')), "the manifest says"),
    ],
)
def test_broken_datasets_are_refused_in_one_line(
    damage: Callable[[Path], object], message: str, dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "audio").mkdir()
    for path in (dataset / "audio").iterdir():
        (tmp_path / "audio" / path.name).symlink_to(path)
    (tmp_path / "manifest.jsonl").write_bytes((dataset / "manifest.jsonl").read_bytes())
    link = tmp_path / "audio" / "0.take.flac"
    link.unlink()
    link.write_bytes((dataset / "audio" / "0.take.flac").read_bytes())
    damage(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        inspect_dataset(tmp_path, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_places_that_cannot_be_written_and_odd_counts_are_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        inspect_dataset(dataset, tmp_path / "file")
    with pytest.raises(InputError, match="-1"):
        inspect_dataset(dataset, tmp_path / "out", examples=-1)


def test_an_example_without_hits_can_be_shown(dataset: Path, tmp_path: Path) -> None:
    entry = json.loads((dataset / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[1]) | {"hits": []}
    (tmp_path / "audio").symlink_to(dataset / "audio")
    (tmp_path / "manifest.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    assert len(inspect_dataset(tmp_path)) == 5
