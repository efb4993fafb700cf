"""Measuring sessions and timing the effect, as the README's figures were made."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from beatnet_align.compare import mean_figures
from beatnet_align.demo import demo_folder
from beatnet_align.errors import InputError
from datagen.sessions import find_sessions, measure


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
