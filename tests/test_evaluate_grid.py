"""Comparing choosers of grid positions: what counts as wrong, sure and swung, and the command."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from beatnet_align.grid_tokens import (
    ANSWERS,
    CANDIDATE_FEATURES,
    CANDIDATES,
    LEAVE,
    ORNAMENT,
    PATTERN_FEATURES,
    TOKEN_FEATURES,
    GridTokens,
)
from datagen.played.patterns import Patterns
from models.evaluate_grid import NEAREST, VITERBI, Choice, GridFigures, gridnet, main, measure, nearest_line, tables
from models.grid_takes import GRID_SETS
from models.heard_takes import HITNETS_ERRORS, GridTake, with_errors
from models.hit_figures import Share

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_grooves = pytest.mark.skipif(
    not (DATA / "groove").is_dir(), reason="needs the Groove MIDI Dataset in shared/data/groove"
)
LATE_FEATURE = 1  # how far off a candidate is, see grid_tokens


def takes_of(name: str, count: int = 3, errors: bool = False) -> list[GridTake]:
    takes = GRID_SETS[name].takes([Patterns()], 0, count, 8)
    rng = np.random.default_rng(0)
    return [with_errors(take, HITNETS_ERRORS, rng) for take in takes] if errors else takes


def all_knowing(take: GridTake, tokens: GridTokens) -> Choice:
    """The truth, and nonsense of what does not count."""
    off = np.abs(tokens.nominals_beats - take.nominals_beats[:, None])
    answers = np.where(take.counted, np.where(np.isnan(off), np.inf, off).argmin(axis=1), 0)
    return Choice(answers, np.where(take.counted, 0.95, 0.0))


def silent(_take: GridTake, tokens: GridTokens) -> Choice:
    return Choice(np.where(np.arange(len(tokens.beats)) % 2, LEAVE, ORNAMENT), np.full(len(tokens.beats), 0.5))


def network(path: Path, temperature: float = 1.0) -> Path:
    """A GridNet that believes in whatever line is near."""
    shapes: dict[str, list[str | int | None]] = {
        "features": [1, "hits", TOKEN_FEATURES],
        "beats": [1, "hits"],
        "candidates": [1, "hits", CANDIDATES, CANDIDATE_FEATURES],
        "pattern": [1, "hits", CANDIDATES, PATTERN_FEATURES],
    }
    numbers = {
        "first": np.array([LATE_FEATURE]),
        "last": np.array([LATE_FEATURE + 1]),
        "axis": np.array([3]),
        "slope": np.array(-50.0, np.float32),
        "pads": np.array([0, 0, 0, 0, 0, ANSWERS - CANDIDATES]),
        "never": np.array(-1e3, np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["candidates", "first", "last", "axis"], ["column"]),
        helper.make_node("Squeeze", ["column", "axis"], ["late"]),
        helper.make_node("Mul", ["late", "slope"], ["scores"]),
        helper.make_node("Pad", ["scores", "pads", "never"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "near",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "hits", ANSWERS])],
        [onnx.numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"temperature": repr(temperature)})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize("name", ["straight16_120", "mixed_120", "swung8"])
def test_the_truth_is_never_wrong_and_silence_always(name: str, errors: bool) -> None:
    takes = takes_of(name, errors=errors)
    figures = measure(takes, {"truth": all_knowing, "silence": silent})
    hits = sum(int(take.counted.sum()) for take in takes)
    assert figures["truth"].wrong == Share(0, hits) and figures["silence"].wrong == Share(hits, hits)
    assert figures["truth"].sure == Share(hits, hits) and figures["truth"].sure_wrong == Share(0, hits)
    assert figures["silence"].sure == Share(0, hits) and figures["silence"].sure_wrong == Share(0, 0)


@pytest.mark.parametrize("name", ["swung8", "swung16"])
def test_swing_is_read_off_true_lines_and_off_no_others(name: str) -> None:
    figures = measure(takes_of(name, 6), {"truth": all_knowing, "silence": silent})
    assert figures["truth"].swing.whole > 20 and figures["truth"].swing.value > 0.9
    assert figures["silence"].swing == Share(0, figures["truth"].swing.whole)
    assert measure(takes_of("straight16_120"), {NEAREST: nearest_line})[NEAREST].swing == Share(0, 0)


def test_nearest_lines_are_wrong_where_jitter_is_wide() -> None:
    figures = measure(takes_of("fast_180", 8), {NEAREST: nearest_line})[NEAREST]
    assert figures.wrong.value == pytest.approx(0.16, abs=0.03)  # Gauss beyond half a 16th at 180 BPM: 0.165
    assert figures.sure == Share(0, 0)


def test_a_network_is_asked_and_its_temperature_heeded(tmp_path: Path) -> None:
    takes = takes_of("straight16_120", errors=True)
    cold = gridnet(network(tmp_path / "cold.onnx"))
    hot = gridnet(network(tmp_path / "hot.onnx", 1000.0))
    figures = measure(takes, {"cold": cold, "hot": hot, NEAREST: nearest_line})
    assert figures["cold"].wrong.value <= figures[NEAREST].wrong.value + 0.02
    assert figures["cold"].sure.value > 0.5 and figures["hot"].sure.value == 0.0


def test_tables_are_markdown_with_a_line_a_set() -> None:
    none = Share(0, 0)
    plain = GridFigures(Share(1, 4), none, none, none)
    asked = GridFigures(Share(0, 4), Share(2, 4), Share(0, 2), none)
    printed = tables({"set": {"one": plain, "two": asked}})
    assert "|  | one | two |\n| --- | ---: | ---: |\n| set | 0.2500 (4) | 0.0000 (4) |" in printed
    assert "|  | two |\n| --- | ---: |\n| set | 0.5000 (4) |" in printed and "swing" not in printed


@needs_grooves
def test_the_command_prints_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(DATA), "--takes", "2", "--bars", "4", "--sets", "straight16_120", "swung8"]
    assert main([*arguments, "--network", str(network(tmp_path / "near.onnx"))]) == 0
    printed = capsys.readouterr().out
    assert f"|  | {NEAREST} | {VITERBI} | near |" in printed and "| swung8, errors |" in printed
    assert "confidence above .9" in printed and "whose swing is recognised" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "no folder of grooves at nowhere"),
        (["--data", "nowhere", "--takes", "0"], "--takes and --bars must be at least 1"),
        (["--data", "nowhere", "--network", "nowhere.onnx"], "cannot read GridNet's weights"),
        (["--data", "nowhere", "--network", __file__], "no GridNet's"),
    ],
)
def test_what_cannot_be_used_ends_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and message in line
