"""What all tests share: Hypothesis draws the same examples on every machine, and no slow machine fails a test."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from beatnet_align.audio_files import load
from beatnet_align.demo import demo_folder
from beatnet_align.edit_plan import EditPlan
from beatnet_align.effect import BeatDetective
from beatnet_align.engines import Engine
from beatnet_align.onnx_networks import WEIGHTS_VARIABLE
from beatnet_align.reference_hits import truth_tempo
from beatnet_align.take import Take
from beatnet_align.tempo_source import TempoRequest

settings.register_profile("stable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("stable")

os.environ.pop(WEIGHTS_VARIABLE, None)  # tests are about the networks that ship


@pytest.fixture(scope="session")
def demo_take() -> Take:
    """The demo take, in memory."""
    return load(demo_folder() / "take")


@pytest.fixture
def nameless_take(tmp_path: Path) -> Path:
    """The demo take's stems under names that say nothing, in the same order."""
    folder = tmp_path / "nameless"
    folder.mkdir()
    for number, stem in enumerate(sorted((demo_folder() / "take").iterdir()), 1):
        shutil.copy(stem, folder / f"Audio {number:02d}{stem.suffix}")
    return folder


@pytest.fixture(scope="session")
def demo_tempo() -> TempoRequest:
    """The tempo that the demo was played to."""
    bpm, first_beat_seconds = truth_tempo(demo_folder() / "truth.json")
    return TempoRequest(bpm=bpm, first_beat_seconds=first_beat_seconds)


@pytest.fixture(scope="session")
def demo_plan(demo_take: Take, demo_tempo: TempoRequest) -> EditPlan:
    """What the onset-quantise engine decides about the demo take: the same whatever weights are shipped."""
    return BeatDetective(engine=Engine.ONSET_QUANTISE).plan(demo_take, demo_tempo)
