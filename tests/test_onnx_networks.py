"""Weights of one's own in place of those that ship: where they are looked for, and what is said of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from beatnet_align import gridnet, hit_refiner, hitnet, resynthesis_network, seams
from beatnet_align.cli import main
from beatnet_align.demo import demo_folder
from beatnet_align.errors import InputError
from beatnet_align.onnx_networks import WEIGHTS_VARIABLE, load_weights, other_weights


def test_a_file_of_the_folder_takes_the_place_of_the_one_that_ships(tmp_path: Path) -> None:
    (tmp_path / "gridnet.onnx").write_bytes(b"mine")
    assert load_weights("gridnet.onnx", tmp_path) == b"mine"
    assert load_weights("hitnet.onnx", tmp_path) == load_weights("hitnet.onnx")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "where there are no weights"),
        ("hit_net.onnx", r"hit_net.onnx takes no place; names are gridnet.onnx, hitnet.onnx"),
    ],
)
def test_a_folder_that_replaces_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, message: str
) -> None:
    if name is not None:
        (tmp_path / name).write_bytes(b"mine")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=f"BEATNET_ALIGN_WEIGHTS names .*{message}"):
        other_weights()


@pytest.mark.parametrize(
    ("name", "load"),
    [
        (hitnet.WEIGHTS_NAME, hitnet.shipped_hitnet),
        (hit_refiner.WEIGHTS_NAME, hit_refiner.shipped_refiner),
        (gridnet.WEIGHTS_NAME, gridnet.shipped_gridnet),
        (seams.WEIGHTS_NAME, seams.shipped_seamnet),
        (
            "resynthesis_cut_and_splice.onnx",
            lambda: resynthesis_network.open_resynthesiser("cut_and_splice"),
        ),
    ],
)
def test_every_network_is_looked_for_there_even_where_it_was_loaded_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, load: Callable[[], object]
) -> None:
    load()
    (tmp_path / name).write_bytes(b"no network")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match="these weights are no") as told:
        load()
    assert name in str(told.value) or "resynthesis" in name


def test_the_command_line_says_that_other_networks_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hitnet.onnx").write_bytes(load_weights("hitnet.onnx"))
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    assert main(["detect", str(demo_folder() / "take")]) == 0
    assert f"note: networks in {tmp_path.resolve()} take the place" in capsys.readouterr().err
