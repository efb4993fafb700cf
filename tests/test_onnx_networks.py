"""Weights of one's own in place of those that ship: where they are looked for, and what is said of them."""

from pathlib import Path

import pytest

from beatnet_align.effect import BeatDetective
from beatnet_align.engines import Engine
from beatnet_align.errors import InputError
from beatnet_align.onnx_networks import WEIGHTS_VARIABLE, load_weights
from beatnet_align.take import Take
from beatnet_align.tempo_source import TempoRequest


def test_a_file_of_the_folder_takes_the_place_of_the_one_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = load_weights("hitnet.onnx")
    (tmp_path / "gridnet.onnx").write_bytes(b"mine")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    assert load_weights("gridnet.onnx") == b"mine"
    assert load_weights("hitnet.onnx") == shipped


def test_a_folder_without_weights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "wieghts"))
    with pytest.raises(InputError, match=r"BEATNET_ALIGN_WEIGHTS names .*wieghts, where there are no weights"):
        load_weights("gridnet.onnx")


@pytest.mark.parametrize(("engine", "told"), [(Engine.NEURAL, True), (Engine.ONSET_QUANTISE, False)])
def test_a_plan_says_that_other_networks_made_it(
    demo_take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine, told: bool
) -> None:
    (tmp_path / "hitnet.onnx").write_bytes(load_weights("hitnet.onnx"))
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    plan = BeatDetective(engine=engine).plan(demo_take, TempoRequest(bpm=112.0))
    assert any(str(tmp_path) in note for note in plan.notes) is told
