"""The comparison of networks that write audio: everybody's figures, pictures of where networks look, table and page."""

import base64
import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
import yaml
from typing_extensions import override

from beatnet_align.compare import UNTOUCHED
from beatnet_align.demo import demo_folder
from datagen.config import Sources, Split, read_config
from datagen.dataset import write_dataset
from datagen.oracle import PERFECT
from models import compare_resynthesis
from models.resynthesis.attention_pictures import look
from models.resynthesis.candidates import Candidate, load_candidate, run_folder
from models.resynthesis.comparison_table import as_csv, from_csv, markdown
from models.resynthesis.cut_and_splice import CutAndSplice
from models.resynthesis.figures import aligned_si_sdr_db, figures_of
from models.resynthesis.held_out import HeldOutTake, cut, heard_as, of_dataset, of_session
from models.resynthesis.interface import Resynthesis
from models.resynthesis.receptive_field import measure_reach

TINY = Path(__file__).parents[1] / "configs" / "datagen" / "tiny.yaml"


class Delay(Resynthesis):
    """Plays everything later."""

    def __init__(self, sample_rate: int, samples: int) -> None:
        super().__init__(sample_rate)
        self.samples = samples
        self.gain = torch.nn.Parameter(torch.ones(()))

    @property
    @override
    def context_samples(self) -> tuple[int, int]:
        return 2 * self.samples, self.samples

    @override
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        return self.gain * torch.nn.functional.pad(audio, (self.samples, 0))[..., : audio.shape[-1]]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    config = replace(read_config(TINY), images=False, train=Sources(1, ("synth1",), groove_probability=0.0))
    write_dataset(config, folder, workers=1)
    return folder


@pytest.fixture(scope="module")
def held(dataset: Path) -> HeldOutTake:
    return of_dataset(dataset, Split.TRAIN, 1)[0]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What trainings leave, of networks that have not learned anything."""
    folder, found = tmp_path_factory.mktemp("runs"), []
    torch.manual_seed(3)
    for name, net, init_args in (
        ("delay", Delay(22_050, 220), {"sample_rate": 22_050, "samples": 220}),
        ("cuts", CutAndSplice(width=8, stem_width=8), {"sample_rate": 22_050, "width": 8, "stem_width": 8}),
    ):
        name_of_class = f"{type(net).__module__}.{type(net).__qualname__}"
        config = {"model": {"init_args": {"net": {"class_path": name_of_class, "init_args": init_args}}}}
        weights = {f"net.{key}": value for key, value in net.state_dict().items()}
        timed = {"state_dict": weights, "callbacks": {"Timer": {"time_elapsed": {"train": 90.0}}}}
        (folder / name / "checkpoints").mkdir(parents=True)
        (folder / name / "config.yaml").write_text(yaml.safe_dump(config))
        for file in ("best.ckpt", "last.ckpt"):
            torch.save(timed, folder / name / "checkpoints" / file)
        found.append(folder / name)
    return found


def test_the_target_is_perfect_and_the_untouched_take_is_not(held: HeldOutTake) -> None:
    perfect, untouched = figures_of(held, held.target), figures_of(held, held.take)
    for name in ("timing_within_2_ms", "main_timing_within_10_ms", "phase_locked", "energy"):
        assert perfect[name] == pytest.approx(1.0)
    assert perfect["phase_agreement"] == pytest.approx(1.0, abs=1e-4)
    assert perfect["mr_stft"] == pytest.approx(0.0, abs=1e-3)
    assert perfect["aligned_si_sdr_db"] > 60.0
    assert perfect["extra"] == perfect["missing"] == perfect["lost"] == 0.0
    assert untouched["mr_stft"] > perfect["mr_stft"]
    spliced = figures_of(held, heard_as(held.take, cut(held, PERFECT)))
    assert untouched["main_timing_within_2_ms"] < spliced["main_timing_within_2_ms"]


def test_a_blurred_quieter_output_is_told_from_a_late_one(held: HeldOutTake) -> None:
    target = held.target.read(0, held.target.samples)
    late = figures_of(held, heard_as(held.target, np.roll(target, 265, axis=1)))
    assert late["timing_median_seconds"] == pytest.approx(265 / held.take.sample_rate, abs=1e-4)
    assert late["timing_within_5_ms"] == 0.0
    assert late["timing_within_10_ms"] == 1.0
    assert late["aligned_si_sdr_db"] > 60.0
    assert late["phase_agreement"] == pytest.approx(1.0, abs=1e-3)
    noise = np.random.default_rng(0).standard_normal(target.shape) * np.abs(target).max() * 0.1
    blurred = figures_of(held, heard_as(held.target, (0.5 * target + noise).astype(np.float32)))
    assert blurred["aligned_si_sdr_db"] < 30.0
    assert blurred["phase_agreement"] < 0.99


def test_si_sdr_follows_from_the_correlation() -> None:
    rng = np.random.default_rng(1)
    target = rng.standard_normal(500)
    estimated = 0.3 * target + 0.1 * rng.standard_normal(500)
    scaled = (estimated @ target) / (target @ target) * target
    expected = 10 * np.log10(np.sum(scaled**2) / np.sum((estimated - scaled) ** 2))
    correlation = (estimated @ target) / np.sqrt((target @ target) * (estimated @ estimated))
    assert aligned_si_sdr_db(np.array([correlation]))[0] == pytest.approx(expected)


def test_a_delay_listens_where_it_takes_its_sound_from(held: HeldOutTake) -> None:
    candidate = Candidate("delay", Delay(22_050, 220), np.nan)
    assert look(candidate, held) is None
    reach = measure_reach(candidate, held)
    assert reach.lags_seconds[np.argmax(reach.gradient)] == pytest.approx(-220 / 22_050)
    assert reach.used_seconds(0.5) == reach.used_seconds(0.99) == pytest.approx(220 / 22_050)


def test_candidates_are_loaded_with_what_is_known_of_them(runs: list[Path], tmp_path: Path) -> None:
    delay = load_candidate(runs[0])
    assert delay.facts == {"parameters": 1.0, "context_seconds": 660 / 22_050, "training_minutes": 1.5}
    config = tmp_path / "some.yaml"
    config.write_text("trainer: {logger: {init_args: {save_dir: somewhere/else}}}\n")
    assert run_folder(config) == Path("somewhere/else")


def test_the_table_has_a_line_for_everybody_and_dashes_where_nothing_is_known() -> None:
    rows = {"one": {"lost": 0.25, "energy": 1.0}, "other": {"lost": float("nan"), "parameters": 12_345.0}}
    head, _, one, other = markdown(rows).splitlines()
    assert head.count("|") == one.count("|") == other.count("|")
    assert "| .25 |" in one
    assert "| 12.3 k |" in other
    assert as_csv(rows).splitlines() == ["name,lost,energy,parameters", "one,0.25,1.0,", "other,,,12345.0"]
    assert from_csv(as_csv(rows)) == {"one": {"lost": 0.25, "energy": 1.0}, "other": {"parameters": 12_345.0}}


def test_the_command_writes_table_figures_pictures_and_a_page(
    dataset: Path, runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    chosen = ["--split", "train", "--examples", "1", "-o", str(out)]
    assert compare_resynthesis.main([str(dataset), *map(str, runs), *chosen]) == 0
    printed = capsys.readouterr().out
    names = [UNTOUCHED, "onset-quantise", "neural", PERFECT, "delay", "cuts"]
    for name in names:
        assert f"| {name} |" in printed
    with (out / "figures.csv").open(newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["name", *names]
    assert {path.name for path in out.glob("*.png")} == {"map.png", "train_0.png", "delay.png", "cuts.png"}
    page = (out / "index.html").read_text()
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)
    sounds = re.findall(r"data:audio/flac;base64,([^\"]*)", page)
    assert len(sounds) == len(names) + 1
    audio, rate = sf.read(io.BytesIO(base64.b64decode(sounds[0])))
    assert (audio.shape, rate) == ((3 * 44_100, 2), 44_100)
    again = [*chosen[:-1], str(tmp_path / "again"), "--beside", str(out)]
    assert compare_resynthesis.main([str(dataset), *map(str, runs), *again]) == 0
    assert (tmp_path / "again" / "figures.csv").read_bytes() == (out / "figures.csv").read_bytes()


def test_what_has_no_weights_is_trained_when_asked(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = {
        "class_path": "models.resynthesis.micro_tcn.MicroTCN",
        "init_args": {"sample_rate": 44_100, "width": 2, "kernel_samples": 3, "dilations": [1, 10]},
    }
    logger = {
        "class_path": "pytorch_lightning.loggers.CSVLogger",
        "init_args": {"save_dir": str(tmp_path / "small"), "name": None, "version": ""},
    }
    config = {
        "model": {"class_path": "models.resynthesis.training.ResynthesisTraining", "init_args": {"net": net}},
        "data": {
            "class_path": "models.resynthesis.data.ResynthesisData",
            "init_args": {"dataset": str(dataset), "batch_size": 1, "seconds": 0.5},
        },
        "trainer": {
            "accelerator": "cpu",
            "max_epochs": 1,
            "limit_train_batches": 2,
            "enable_progress_bar": False,
            "logger": logger,
            "callbacks": [
                {"class_path": "pytorch_lightning.callbacks.Timer", "init_args": {"interval": "step"}},
                {
                    "class_path": "pytorch_lightning.callbacks.ModelCheckpoint",
                    "init_args": {"save_last": True, "filename": "best"},
                },
            ],
        },
    }
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(config))
    command = [str(dataset), str(file), "--split", "validation", "-o", str(tmp_path / "report")]
    assert compare_resynthesis.main(command) == 2
    assert compare_resynthesis.main([*command, "--train"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| small |"))
    assert re.search(r"\| \d\.\d min \|", row)  # however busy the machine is


def test_a_session_is_a_held_out_take() -> None:
    session = of_session(demo_folder())
    assert session.tempo_map.bpm_at(0.0) == 112.0
    assert len(session.told.moves) == len(session.hits) == 73
    assert session.take.channels == session.target.channels


def test_what_cannot_be_compared_is_told(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for takes, candidate, told in (
        (dataset, tmp_path, "there is no trained candidate"),
        (tmp_path, tmp_path, "is no finished dataset"),
        (dataset, tmp_path / "absent.yaml", "does not say where its training goes"),
        (dataset, "--sessions", "there is no session"),
    ):
        options = ["--split", "train", "--examples", "1", "-o", str(tmp_path / "out")]
        assert compare_resynthesis.main([str(takes), str(candidate), *options]) == 2
        assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
