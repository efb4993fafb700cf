"""The figures of tempo estimation: right ones are right, octave errors are told apart, bent time is bent."""

from pathlib import Path

import numpy as np
import pytest

from beatnet_align.tempo_map import TempoMap
from datagen.played.patterns import Patterns
from datagen.played.performance import HUMAN, perform
from models import evaluate_tempo
from models.evaluate_tempo import TempoFigures, beats_f, measured, summary, wandering

GROOVES = Path(__file__).parents[2] / "shared" / "data"
needs_grooves = pytest.mark.skipif(not (GROOVES / "groove").is_dir(), reason="needs the Groove MIDI Dataset")


def test_a_steady_rock_pattern_has_tempo_and_phase_right() -> None:
    rng = np.random.default_rng(0)
    patterns = (Patterns().pick(rng, 12) for _ in range(500))
    rock = next(score for score in patterns if score.style == "rock" and 85 < score.tempo_map.bpm_at(0.0) < 125)
    figures = measured(perform(rock, HUMAN, rng))
    assert figures.tempo_right
    assert not figures.octave_wrong
    assert figures.from_drummer_seconds < 0.02
    assert figures.beats_f > 0.9


def test_octave_errors_are_no_right_tempo() -> None:
    assert TempoFigures(1.005, 0.0, 0.0, 1.0).tempo_right
    for ratio in (0.5, 2.0, 1.503):
        one = TempoFigures(ratio, 0.0, 0.0, 0.5)
        assert one.octave_wrong and not one.tempo_right
    assert not TempoFigures(1.1, 0.0, 0.0, 0.5).octave_wrong


def test_beats_are_measured_as_mir_eval_does() -> None:
    beats = TempoMap.constant(100.0, 0.0).to_seconds(np.arange(40.0))
    assert beats_f(beats, beats + 0.05) == 1.0
    assert beats_f(beats, beats + 0.3) == 0.0


def test_wandering_time_still_rises() -> None:
    for seed in range(20):
        before, after = wandering(60.0, np.random.default_rng(seed))
        assert (np.diff(after) > 0.0).all() and before[0] == after[0] == 0.0


def test_a_summary_is_shares_and_a_mean() -> None:
    cells = summary([TempoFigures(1.0, 0.03, 0.01, 1.0), TempoFigures(2.0, 0.01, 0.01, 0.5)])
    assert cells == ["0.500", "0.500", "0.500", "1.000", "0.500", "0.750"]


@needs_grooves
def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate_tempo.main(["--data", str(GROOVES), "--performances", "2"]) == 0
    assert "| as played |" in capsys.readouterr().out


def test_bad_input_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate_tempo.main(["--data", str(tmp_path)]) == 2
    assert "groove" in capsys.readouterr().err
