"""Resynthesis in the effect: a network writes a take in blocks as it would at once, and says honestly what it did."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from beatnet_align.audio_files import load
from beatnet_align.cli import main
from beatnet_align.conditioning import conditioning_rows
from beatnet_align.demo import demo_folder
from beatnet_align.errors import InputError
from beatnet_align.grid import parse_grid
from beatnet_align.metrics import evaluate, reference_hits_from_truth
from beatnet_align.resampling import resampled
from beatnet_align.resynthesis import resynthesised
from beatnet_align.resynthesis_network import NetworkFacts, Resynthesiser, open_resynthesiser, resynthesiser
from beatnet_align.take import Audio, Take, take_from_array
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import Float32Array
from models import export_resynthesis
from models.export_resynthesis import exported, in_torch, parity
from models.resynthesis.cut_and_splice import CutAndSplice
from models.resynthesis.grid_attention import GridAttention
from models.resynthesis.implicit_warp import ImplicitWarp
from models.resynthesis.interface import Resynthesis
from models.resynthesis.micro_tcn import MicroTCN
from models.resynthesis.signal_train import SignalTrain
from models.resynthesis.steerable_tcn import SteerableTCN
from models.resynthesis.unet_tcn import UNetTCN

TAKE = demo_folder() / "take"
TEMPO = ["--bpm", "112", "--first-beat", "0.5"]
MAP, GRID = TempoMap.constant(112.0, 0.5), parse_grid("1/16")
RATE = 8_000
SHIPPED = "cut_and_splice"


FAMILIES: dict[str, Callable[[], Resynthesis]] = {
    "micro_tcn": lambda: MicroTCN(RATE, width=4, kernel_samples=3, dilations=(1, 100, 300)),
    "steerable_tcn": lambda: SteerableTCN(RATE, width=4, kernel_samples=5, blocks=4),
    "unet_tcn": lambda: UNetTCN(RATE, widths=(4, 4, 4, 4), dilations=(1, 3)),
    "signal_train": lambda: SignalTrain(RATE, hidden=8, bottleneck=4),
    "cut_and_splice": lambda: CutAndSplice(RATE, width=8, stem_width=8, dilations=(1, 2)),
    "grid_attention": lambda: GridAttention(RATE, width=8, stem_width=8, dilations=(1,), layers=1, heads=2),
    "implicit_warp": lambda: ImplicitWarp(RATE, width=8, stem_width=8, dilations=(1, 2)),
}


def untrained(family: str) -> Resynthesis:
    """With weights that do something: several of the networks begin as the identity."""
    torch.manual_seed(1)
    net = FAMILIES[family]()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    net.eval()
    return net


@pytest.fixture(scope="module")
def net() -> Resynthesis:
    return untrained("micro_tcn")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, net: Resynthesis) -> Path:
    path = tmp_path_factory.mktemp("model") / "micro_tcn.onnx"
    path.write_bytes(exported(net, "micro_tcn"))
    return path


def noise(channels: int, samples: int, seed: int = 0) -> Float32Array:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, samples))).astype(np.float32)


def written(take: Take, network: Resynthesiser, strength: float = 1.0) -> Audio:
    return np.concatenate(list(resynthesised(take, network, MAP, GRID, strength)), axis=1)


def strokes(channels: int, samples: int) -> Float32Array:
    """Bursts of noise over a quiet floor."""
    rng = np.random.default_rng(2)
    audio = noise(channels, samples) * np.float32(1e-3)
    for at in rng.integers(0, samples, samples // 2_000):
        burst = rng.standard_normal(2_000) * np.exp(-np.arange(2_000) / 400) * rng.uniform(0.1, 0.5)
        kept = burst[: samples - at].astype(np.float32)
        audio[rng.integers(channels), at : at + len(kept)] += kept
    return audio


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_hold_what_the_whole_take_would(family: str) -> None:
    network, audio = in_torch(untrained(family), family), strokes(2, 130_001)
    whole = network.network(audio, conditioning_rows(MAP, GRID, 1.0, RATE, 0, audio.shape[1]))
    assert not np.allclose(whole, audio, atol=1e-3)
    np.testing.assert_allclose(written(take_from_array(audio, RATE), network), whole, atol=2e-5)


@settings(max_examples=8)
@given(channels=st.integers(1, 3), samples=st.integers(1, 90_000))
def test_blocks_fit_takes_of_any_size(channels: int, samples: int) -> None:
    network, audio = in_torch(untrained("micro_tcn"), "micro_tcn"), noise(channels, samples)
    whole = network.network(audio, conditioning_rows(MAP, GRID, 1.0, RATE, 0, samples))
    np.testing.assert_allclose(written(take_from_array(audio, RATE), network), whole, atol=2e-5)


def test_blocks_start_where_networks_that_halve_their_rate_expect() -> None:
    starts: list[int] = []

    def network(audio: Float32Array, rows: Float32Array) -> Float32Array:
        starts.append(int(np.flatnonzero(np.isclose(ramp[0], audio[0, 0]))[0]))
        return audio

    ramp = np.linspace(0.0, 1.0, 100_000)[None].astype(np.float32)
    out = written(take_from_array(ramp, RATE), Resynthesiser(NetworkFacts("same", RATE, (500, 500), 3_776), network))
    np.testing.assert_array_equal(out, ramp)
    assert len(starts) == 4
    assert all(start % 3_776 == 0 for start in starts)


@settings(max_examples=30)
@given(
    rates=st.sampled_from([(1, 2), (2, 1), (147, 320), (320, 147), (1, 1)]),
    samples=st.integers(1, 4_000),
    cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_resampled_stretch_is_that_of_the_whole(
    rates: tuple[int, int], samples: int, cuts: tuple[float, float]
) -> None:
    up, down = rates
    take = take_from_array(noise(2, samples).astype(np.float64), RATE)
    whole = resample_poly(take.read(0, samples), up, down, axis=1)
    start, stop = sorted(int(cut * whole.shape[1]) for cut in cuts)
    np.testing.assert_allclose(resampled(take.read, up, down, start, stop), whole[:, start:stop], atol=1e-12)


@pytest.mark.parametrize("rate", [RATE, 2 * RATE, 48_000, 11_025])
def test_a_network_that_changes_nothing_leaves_what_its_rate_can_hold(rate: int) -> None:
    seconds = np.arange(9 * rate) / rate
    tone = np.sin(2 * np.pi * 440.0 * seconds)[None].astype(np.float32)
    same = Resynthesiser(NetworkFacts("same", RATE, (0, 0)), lambda audio, rows: audio)
    out = written(take_from_array(tone, rate), same)
    assert out.shape == tone.shape
    middle = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(out[:, middle], tone[:, middle], atol=5e-3)  # ripple of the resampling filter


def test_strength_0_and_clicks_ask_no_network(net: Resynthesis) -> None:
    def never(audio: Float32Array, rows: Float32Array) -> Float32Array:
        raise AssertionError

    take = take_from_array(noise(2, 50_000), RATE, ["kick", "click"])
    asked = Resynthesiser(NetworkFacts("never", RATE, (0, 0)), never)
    np.testing.assert_array_equal(written(take, asked, 0.0), take.read(0, take.samples))
    out = written(take, in_torch(net, "micro_tcn"))
    np.testing.assert_array_equal(out[1], take.read(0, take.samples)[1])
    assert not np.array_equal(out[0], take.read(0, take.samples)[0])


def test_the_file_computes_what_the_network_does_at_any_size(net: Resynthesis, model: Path) -> None:
    assert parity(net, model.read_bytes(), [(1, 2_000), (16, 50_000), (2, 12_345)]) < 1e-5
    facts = NetworkFacts("micro_tcn", RATE, net.context_samples, net.step_samples)
    assert open_resynthesiser(str(model)).facts == facts


def test_align_writes_stems_and_says_what_was_done(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], demo_take: Take
) -> None:
    command = ["align", str(TAKE), "-o", str(tmp_path), *TEMPO, "--engine", "resynthesis", "--model", str(model)]
    assert main(command) == 0
    told = capsys.readouterr()
    assert "wrote all drum audio by itself (experimental)" in told.err
    assert "nothing above 4000 Hz is left" in told.err
    assert "a network wrote the stems" in told.out
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(path.name for path in TAKE.iterdir()), "edits.json"]
    )
    edits = json.loads((tmp_path / "edits.json").read_text())
    assert (edits["engine"], edits["moves"], edits["places"]) == ("resynthesis", [], [])
    assert "no edits to list" in edits["notes"][0]
    assert main(command) == 2
    assert "use --force" in capsys.readouterr().err
    assert main(["render", str(TAKE), str(tmp_path / "edits.json"), "-o", str(tmp_path / "again")]) == 2
    assert "nothing to render again" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_the_network_that_ships_brings_hits_to_their_lines(tmp_path: Path, demo_take: Take) -> None:
    assert main(["align", str(TAKE), "-o", str(tmp_path), *TEMPO, "--engine", "resynthesis", "--model", SHIPPED]) == 0
    truth, target = reference_hits_from_truth(demo_folder()), load(demo_folder() / "target")
    before, after = (evaluate(demo_take, one, target, truth) for one in (demo_take, load(tmp_path)))
    assert after["main_timing_within_2_ms"] > 0.6 > before["main_timing_within_2_ms"]
    assert after["phase_locked"] > 0.9


def test_align_at_strength_0_gives_back_the_take(tmp_path: Path, model: Path) -> None:
    command = ["align", str(TAKE), "-o", str(tmp_path), *TEMPO, "--engine", "resynthesis", "--model", str(model)]
    assert main([*command, "--strength", "0"]) == 0
    for path in TAKE.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_tempo_that_nobody_tells_is_estimated(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["align", str(TAKE), "-o", str(tmp_path), "--engine", "resynthesis", "--model", str(model)]) == 0
    assert "assumed constant tempo 112 BPM" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model", "FILE"], "--model would do nothing here"),
        (["--engine", "resynthesis"], "needs --model"),
        (["--engine", "resynthesis", "--model", "nobody"], f"that comes with the program ({SHIPPED})"),
        (["--engine", "resynthesis", "--model", str(TAKE / "kick.flac")], "these weights are no resynthesis network's"),
        (["--engine", "resynthesis", "--model", "HITNET"], "these weights are no resynthesis network's"),
        (["--engine", "resynthesis", "--model", "FILE", "--flam", "3"], "--flam would do nothing here"),
        (["--engine", "resynthesis", "--model", "FILE", "--report-hits"], "--report-hits would do nothing here"),
    ],
    ids=["other engine", "no model", "absent", "audio", "another network", "idle", "no hits"],
)
def test_what_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, model: Path, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hitnet = Path(export_resynthesis.__file__).parents[1] / "beatnet_align" / "weights" / "hitnet.onnx"
    names = {"FILE": str(model), "HITNET": str(hitnet)}
    out = tmp_path / "out"
    assert main(["align", str(TAKE), "-o", str(out), *TEMPO, *(names.get(one, one) for one in options)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_network_that_sorts_lines_has_a_graph_too() -> None:
    made, audio = untrained("cut_and_splice"), strokes(4, 50_000)
    rows = conditioning_rows(MAP, GRID, 1.0, RATE, 0, audio.shape[1])
    content = exported(made, "cut_and_splice", half=True)
    kinds = {weights.data_type for weights in onnx.load_from_string(content).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds
    in_file = resynthesiser(content).network(audio, rows)
    np.testing.assert_allclose(in_file, in_torch(made, "").network(audio, rows), atol=1e-5)


def test_a_network_without_a_graph_stays_in_the_lab() -> None:
    with pytest.raises(InputError, match="stays in the lab"):
        exported(untrained("signal_train"), "signal_train")


def test_a_folder_without_a_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export_resynthesis.main([str(tmp_path), "-o", str(tmp_path / "x.onnx")]) == 2
    assert "holds no trained Resynthesis" in capsys.readouterr().err
