"""Human timing: what is drawn is what is played, targets stay on the grid, and hands can play the result."""

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray
from datagen.played.deviations import coloured_noise, drift
from datagen.played.patterns import Patterns
from datagen.played.performance import (
    AS_PLAYED,
    EXACT,
    HARD,
    HUMAN,
    UNIFORM_JITTER,
    HumanTiming,
    Performance,
    Stroke,
    perform,
)
from datagen.played.score import Note, Score
from datagen.played.spacing import rising

seeds = st.integers(0, 10_000)
presets = st.sampled_from([EXACT, AS_PLAYED, UNIFORM_JITTER, HUMAN, HARD])
PATTERNS = Patterns()
TINY_SECONDS = 1e-9


def pattern(seed: int, bars: int = 4) -> Score:
    return PATTERNS.pick(np.random.default_rng(seed), bars)


def steady(*pieces: Piece, beats: int = 64, bpm: float = 100.0, swing: float = 0.5) -> Score:
    notes = tuple(Note(piece, 0.8, i / 2) for i in range(2 * beats) for piece in pieces)
    return Score(notes, TempoMap.constant(bpm, 1.0), ("1/8",), swing, "test", "rock", "nobody", "CC0")


def deviations(performance: Performance) -> FloatArray:
    strokes = sorted(performance.strokes, key=lambda stroke: (stroke.target_seconds, stroke.piece))
    return np.array([stroke.performed_seconds - stroke.target_seconds for stroke in strokes])


def play(score: Score, seed: int = 0, **changes: object) -> Performance:
    return perform(score, replace(EXACT, **changes), np.random.default_rng(seed))  # type: ignore[arg-type]


@given(seed=seeds, timing=presets)
def test_the_same_seed_is_the_same_performance(seed: int, timing: HumanTiming) -> None:
    score = pattern(seed)
    assert perform(score, timing, np.random.default_rng(seed)) == perform(score, timing, np.random.default_rng(seed))


@given(seed=seeds)
def test_exact_timing_puts_every_stroke_on_its_target(seed: int) -> None:
    np.testing.assert_allclose(deviations(perform(pattern(seed), EXACT, np.random.default_rng(0))), 0.0, atol=1e-12)


@given(seed=seeds, timing=presets)
@settings(max_examples=60)
def test_targets_are_lines_and_ornaments_keep_their_spacing_in_both_versions(seed: int, timing: HumanTiming) -> None:
    performance = perform(pattern(seed), timing, np.random.default_rng(seed))
    lines = performance.grid.lines_beats(-1.0, 40.0)
    for stroke in performance.strokes:
        if stroke.main_stroke is None:
            assert not stroke.ornament
            beats = performance.tempo_map.to_beats(stroke.target_seconds)
            assert np.min(np.abs(lines - beats)) < 1e-6
            continue
        main = performance.strokes[stroke.main_stroke]
        assert stroke.ornament and not main.ornament
        assert (stroke.piece, stroke.line, stroke.score_beats) == (main.piece, main.line, main.score_beats)
        played = stroke.performed_seconds - main.performed_seconds
        assert played == pytest.approx(stroke.target_seconds - main.target_seconds, abs=TINY_SECONDS)


@given(seed=seeds, timing=presets)
@settings(max_examples=60)
def test_hands_can_play_it(seed: int, timing: HumanTiming) -> None:
    performance = perform(pattern(seed), timing, np.random.default_rng(seed))
    times = [stroke.performed_seconds for stroke in performance.strokes]
    assert times == sorted(times) and times[0] >= 0.0
    for piece in Piece:
        for key in ("performed_seconds", "target_seconds"):
            own = [stroke for stroke in performance.strokes if stroke.piece == piece]
            own.sort(key=lambda stroke, key=key: getattr(stroke, key))  # type: ignore[misc]
            for before, after in pairwise(own):
                least = 0.010 if before.ornament or after.ornament else 0.020
                assert getattr(after, key) - getattr(before, key) >= least - TINY_SECONDS
        order = [stroke.score_beats for stroke in performance.strokes if stroke.piece == piece]
        assert order == sorted(order)


@given(seed=seeds, timing=presets)
def test_one_stroke_leads_every_line(seed: int, timing: HumanTiming) -> None:
    performance = perform(pattern(seed), timing, np.random.default_rng(seed))
    leaders: dict[int, list[Stroke]] = {}
    for stroke in performance.strokes:
        leaders.setdefault(stroke.line, []).extend([stroke] if stroke.leads else [])
    assert all(len(found) == 1 and not found[0].ornament for found in leaders.values())
    assert sorted(leaders) == list(range(len(leaders)))


def test_a_drum_leads_before_a_hat_that_is_not_twice_as_loud() -> None:
    notes = (
        Note(Piece.HIHAT_CLOSED, 0.9, 0.0),
        Note(Piece.KICK, 0.6, 0.0),
        Note(Piece.HIHAT_CLOSED, 0.9, 1.0),
        Note(Piece.KICK, 0.2, 1.0),
    )
    score = replace(steady(Piece.KICK), notes=notes)
    leads = [(stroke.piece, stroke.line) for stroke in play(score).strokes if stroke.leads]
    assert leads == [(Piece.KICK, 0), (Piece.HIHAT_CLOSED, 1)]


@given(scale=st.floats(0.0, 2.0), seed=seeds)
def test_real_deviations_are_scaled(scale: float, seed: int) -> None:
    real = np.random.default_rng(seed).normal(0.0, 0.02, 128)
    score = steady(Piece.SNARE)
    notes = tuple(replace(note, deviation_seconds=float(one)) for note, one in zip(score.notes, real, strict=True))
    performance = play(replace(score, notes=notes), real_probability=1.0, real_scale=(scale, scale))
    np.testing.assert_allclose(deviations(performance), scale * real, atol=1e-9)


@pytest.mark.parametrize(
    ("field", "size", "expected_sd"),
    [
        ("line_jitter_seconds", 0.01, 0.01),
        ("limb_jitter_seconds", 0.01, 0.01),
        ("uniform_jitter_seconds", 0.03, 0.03 / np.sqrt(3.0)),
        ("habit_seconds", 0.01, 0.01),
        ("wander_seconds", 0.01, 0.01),
    ],
)
@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_every_jitter_has_the_size_that_was_drawn(field: str, size: float, expected_sd: float, factor: float) -> None:
    score = steady(Piece.KICK, Piece.HIHAT_CLOSED, beats=256)
    drawn = (factor * size, factor * size)
    played = np.concatenate([deviations(play(score, seed, **{field: drawn})) for seed in range(20)])
    assert float(played.std()) == pytest.approx(factor * expected_sd, rel=0.12)


def test_line_jitter_is_shared_and_limb_jitter_is_not() -> None:
    score = steady(Piece.KICK, Piece.HIHAT_CLOSED)
    shared = deviations(play(score, line_jitter_seconds=(0.01, 0.01))).reshape(-1, 2)
    np.testing.assert_allclose(shared[:, 0], shared[:, 1], atol=1e-9)
    own = deviations(play(score, limb_jitter_seconds=(0.01, 0.01))).reshape(-1, 2)
    assert abs(float(np.mean(own[:, 0] * own[:, 1]))) < 0.3 * 0.01**2


@given(x=st.floats(0.0, 0.05), seed=seeds)
def test_uniform_jitter_stays_within_its_width(x: float, seed: int) -> None:
    assert np.max(np.abs(deviations(play(steady(Piece.SNARE), seed, uniform_jitter_seconds=(x, x))))) <= x + 1e-9


@given(peak=st.floats(0.01, 0.13), seed=seeds)
def test_drift_reaches_its_peak_and_is_slow(peak: float, seed: int) -> None:
    beats = np.arange(0.0, 64.0, 0.25)
    moved = drift(beats, peak, 32.0, np.random.default_rng(seed))
    assert float(np.max(np.abs(moved))) == pytest.approx(peak)
    steps = np.abs(np.diff(moved))  # of a quarter beat: a random walk has a few larger ones
    assert float(np.quantile(steps, 0.9)) < 0.2 * peak
    assert float(np.max(steps)) < 0.5 * peak


def test_wander_is_correlated_over_bars() -> None:
    noise = coloured_noise(np.arange(0.0, 4096.0), 64.0, 1.3, np.random.default_rng(0))[0]
    assert np.mean(noise[4:] * noise[:-4]) > 0.2
    assert np.mean(noise[1:] * noise[:-1]) > np.mean(noise[8:] * noise[:-8])


@given(bias=st.floats(-0.03, 0.03))
def test_limbs_are_early_or_late_by_their_bias(bias: float) -> None:
    performance = play(steady(Piece.KICK, Piece.SNARE), snare_bias_seconds=(bias, bias))
    for stroke in performance.strokes:
        expected = bias if stroke.piece == Piece.SNARE else 0.0
        assert stroke.performed_seconds - stroke.target_seconds == pytest.approx(expected, abs=1e-9)


def test_a_player_at_another_tempo_runs_away_up_to_the_limit() -> None:
    drawn: dict[str, Any] = {
        "tempo_change_probability": 1.0,
        "tempo_error": (0.001, 0.001),
        "tempo_limit_seconds": (0.1, 0.1),
    }
    played = deviations(play(steady(Piece.SNARE), **drawn))
    np.testing.assert_allclose(played, -0.001 * np.arange(128) * 0.3, atol=1e-9)
    played = deviations(play(steady(Piece.SNARE), **{**drawn, "tempo_error": (0.05, 0.05)}))
    assert played.min() == pytest.approx(-0.1)


def test_runs_cross_the_midpoint_between_lines() -> None:
    played = deviations(
        play(steady(Piece.SNARE, bpm=160.0), runs_per_bar=(0.5, 0.5), run_steps=(0.7, 0.7), run_beats=(4.0, 4.0))
    )
    step_seconds = 0.5 * 60.0 / 160.0
    assert played.max() > 0.6 * step_seconds > played.min() >= 0.0


def test_straight_scores_can_be_swung_and_their_targets_follow() -> None:
    performance = play(steady(Piece.RIDE), swing_probability=1.0, swing=(0.66, 0.66))
    assert performance.grid.swing == pytest.approx(0.66)
    np.testing.assert_allclose(deviations(performance), 0.0, atol=1e-9)
    gaps = np.diff([stroke.performed_seconds for stroke in performance.strokes])
    np.testing.assert_allclose(gaps[::2] / (gaps[::2] + gaps[1::2][: len(gaps[::2])].mean()), 0.66, atol=0.01)


def test_a_player_may_swing_more_than_the_grid() -> None:
    played = deviations(play(steady(Piece.RIDE, swing=0.6), swing_error=(0.02, 0.02)))
    np.testing.assert_allclose(played[1::2], 0.02 * 0.6, atol=1e-9)
    np.testing.assert_allclose(played[::2], 0.0, atol=1e-9)


def test_flams_part_one_piece_of_shared_lines() -> None:
    score = steady(Piece.KICK, Piece.HIHAT_CLOSED)
    played = deviations(play(score, flam_share=(1.0, 1.0), flam_seconds=(0.03, 0.03))).reshape(-1, 2)
    np.testing.assert_allclose(np.sort(played, axis=1), np.tile([0.0, 0.03], (128, 1)), atol=1e-9)
    alone = play(steady(Piece.KICK), flam_share=(1.0, 1.0), flam_seconds=(0.03, 0.03))
    np.testing.assert_allclose(deviations(alone), 0.0, atol=1e-9)


def test_strokes_are_dropped_and_doubled_as_often_as_said() -> None:
    score = steady(Piece.SNARE, beats=512)
    assert len(play(score, dropped_share=(0.1, 0.1)).strokes) == pytest.approx(0.9 * 1024, rel=0.05)
    doubled = play(score, doubled_share=(0.1, 0.1))
    extra = [stroke for stroke in doubled.strokes if stroke.ornament]
    assert len(extra) == pytest.approx(0.1 * 1024, rel=0.3)
    assert all(0.02 < (stroke.target_seconds - 1.0) % 0.3 < 0.12 for stroke in extra)


def test_something_is_always_played() -> None:
    assert len(play(steady(Piece.KICK), dropped_share=(1.0, 1.0)).strokes) == 1


def test_nothing_sounds_before_zero() -> None:
    score = replace(steady(Piece.SNARE), tempo_map=TempoMap.constant(100, 0.0))
    performance = play(score, offset_seconds=(-0.2, -0.2))
    assert performance.strokes[0].performed_seconds == 0.0


@given(values=st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_the_nearest_rising_sequence(values: list[float]) -> None:
    found = rising(np.array(values))
    assert np.all(np.diff(found) >= -1e-9)
    assert found.mean() == pytest.approx(np.mean(values), abs=1e-6)
    np.testing.assert_allclose(rising(np.sort(values)), np.sort(values))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"drift_seconds": (0.1, 0.0)}, "drift_seconds must be a lowest and a highest"),
        ({"limb_jitter_seconds": (-0.1, 0.0)}, "limb_jitter_seconds must not be below 0"),
        ({"real_probability": 1.5}, "real_probability must be a probability"),
        ({"dropped_share": (0.0, 2.0)}, "dropped_share must lie within 0 to 1"),
        ({"swing": (0.4, 0.6)}, "swing must lie within"),
        ({"tail": (1.0, 3.0)}, "tail must be above 2"),
    ],
)
def test_impossible_ranges_are_named(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        replace(EXACT, **changes)  # type: ignore[arg-type]


def test_what_was_drawn_is_on_record() -> None:
    performance = perform(steady(Piece.KICK), HARD, np.random.default_rng(1))
    assert {one.name for one in fields(HARD) if not one.name.endswith("_probability")} <= set(performance.parameters)
    assert performance.parameters["source"] == "test"
    assert 0.004 <= float(performance.parameters["limb_jitter_seconds"]) <= 0.022
