"""The figures that compare generated with real timing are what their names say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from datagen.played.groove_statistics import (
    comparison_table,
    draw_comparison,
    main,
    real_and_generated,
    timing_statistics,
)
from datagen.played.patterns import Patterns
from datagen.played.performance import EXACT, HumanTiming, Performance, perform
from datagen.played.score import Note, Score

GROOVES = Path(__file__).parents[2] / "shared" / "data" / "groove"
needs_grooves = pytest.mark.skipif(not GROOVES.is_dir(), reason="needs the Groove MIDI Dataset in shared/data/groove")


def takes(timing: HumanTiming, count: int = 20) -> list[Performance]:
    notes = tuple(Note(piece, 0.5, i / 2) for i in range(128) for piece in (Piece.KICK, Piece.HIHAT_CLOSED))
    score = Score(notes, TempoMap.constant(100, 1.0), ("1/8",), 0.5, "test", "rock", "nobody", "CC0")
    return [perform(score, timing, np.random.default_rng(seed)) for seed in range(count)]


def test_bias_jitter_and_flams_are_measured() -> None:
    timing = replace(EXACT, kick_bias_seconds=(0.01, 0.01), limb_jitter_seconds=(0.005, 0.005))
    measured = timing_statistics(takes(timing))
    assert measured.deviations_seconds["kick"].mean() == pytest.approx(0.01, abs=0.0005)
    assert measured.within_sd_seconds["kick"] == pytest.approx(0.005, rel=0.15)
    assert len(measured.flam_seconds) == 20 * 128
    assert measured.flam_seconds.mean() == pytest.approx(0.01, abs=0.0005)
    assert measured.flam_seconds.std() == pytest.approx(0.005 * np.sqrt(2.0), rel=0.15)
    assert set(measured.bpm) == {100.0} and set(measured.velocities) == {0.5}


def test_shared_jitter_is_alike_at_lag_one_of_pairs_and_independent_jitter_is_not() -> None:
    shared = timing_statistics(takes(replace(EXACT, line_jitter_seconds=(0.01, 0.01)))).autocorrelation
    assert shared[0] == pytest.approx(0.5, abs=0.05) and abs(shared[1]) < 0.05
    own = timing_statistics(takes(replace(EXACT, limb_jitter_seconds=(0.01, 0.01)))).autocorrelation
    assert np.max(np.abs(own)) < 0.05
    slow = timing_statistics(takes(replace(EXACT, wander_seconds=(0.01, 0.01)))).autocorrelation
    assert slow[7] > 0.15


def test_the_comparison_is_printed_and_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    real, made = real_and_generated([Patterns().pick(rng, 8) for _ in range(12)], seed=0)
    table = comparison_table(real, made)
    assert all(name in table for name in ("kick: mean", "autocorrelation lag 8", "flam spread", "tempo", "velocity"))
    draw_comparison(real, made, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_a_missing_folder_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--grooves", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@needs_grooves
def test_human_timing_is_close_to_real_drummers(tmp_path: Path) -> None:
    from datagen.played.grooves import load_grooves  # noqa: PLC0415

    rng = np.random.default_rng(3)
    grooves = load_grooves(GROOVES, "validation")
    real, made = real_and_generated([grooves.pick(rng, 16) for _ in range(120)], seed=0)
    for name in ("kick", "snare", "hi-hat"):
        ratio = made.deviations_seconds[name].std() / real.deviations_seconds[name].std()
        assert 0.7 < ratio < 1.4, name
    assert np.max(np.abs(made.autocorrelation - real.autocorrelation)) < 0.2
    spreads = [float(np.median(np.abs(one.flam_seconds))) for one in (real, made)]
    assert spreads[1] == pytest.approx(spreads[0], rel=0.3)
