"""Measuring sessions and timing the effect, as the README's figures were made."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from beatnet_align.compare import mean_figures
from beatnet_align.demo import demo_folder
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.tempo_map import TempoChange, TempoMap
from datagen.perfect_plan import session_grid, session_tempo_map
from datagen.sessions import find_sessions, main, measure


def test_the_demo_take_is_a_session() -> None:
    (session,) = find_sessions(demo_folder())
    figures = measure(session)
    averaged = mean_figures([figures.rows, figures.rows])
    assert averaged.keys() == {"untouched", "onset-quantise", "neural"}
    for engine, row in figures.rows.items():
        for figure, value in row.items():
            assert math.isclose(averaged[engine][figure], value)


def test_a_folder_without_sessions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"truth\.json"):
        find_sessions(tmp_path)


@pytest.mark.parametrize("truth", ["{}", "[]", "no JSON", '{"bpm": "fast", "first_beat_seconds": 0}'])
def test_a_session_without_a_tempo_is_refused_with_one_line(
    truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "truth.json").write_text(truth)
    monkeypatch.setattr("sys.argv", ["datagen.sessions", str(tmp_path)])
    assert main() == 2
    assert re.fullmatch(r"error: .*truth\.json .*\n", capsys.readouterr().err)


def test_a_session_may_have_a_whole_tempo_map_and_another_grid(tmp_path: Path) -> None:
    tempo_map = TempoMap((TempoChange(0.0, 100.0), TempoChange(8.0, 120.0)), 0.25)
    grid = Grid(("1/8T",))
    truth = json.loads((demo_folder() / "truth.json").read_text())
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    assert (session_tempo_map(tmp_path), session_grid(tmp_path)) == (TempoMap.constant(112.0, 0.5), Grid())
    (tmp_path / "truth.json").write_text(json.dumps(truth | {"tempo_map": tempo_map.to_json(), "grid": grid.to_json()}))
    assert (session_tempo_map(tmp_path), session_grid(tmp_path)) == (tempo_map, grid)


def test_the_benchmark_prints_speed_and_memory() -> None:
    command = [
        sys.executable,
        "-m",
        "datagen.benchmark",
        "--minutes",
        "0.1",
        "--channels",
        "7",
        "--sample-rate",
        "48000",
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "7 channels of 6 s at 48000 Hz" in run.stdout
    assert "times real time" in run.stdout
