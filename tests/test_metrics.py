"""Laws that the figures keep, goldens worked out by hand, and agreement with the scorer of the bench."""

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align import audio_figures, metrics
from beatnet_align.audio_figures import attack_frames, lags, spectral_distance_db, unmatched
from beatnet_align.audio_files import load
from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.nearest import nearest
from beatnet_align.reference_hits import ReferenceHit, reference_hits_from_truth
from beatnet_align.take import Take, take_from_array
from beatnet_align.units import FloatArray

RATE = 8_000
DEMO = Path(metrics.__file__).parent / "demo_take"
BENCH = Path(__file__).parents[2] / "shared" / "bench"
PIECES = (Piece.KICK, Piece.SNARE)
CHANNELS = ("kick", "snare", "overhead")
times = st.lists(st.floats(0.0, 20.0), max_size=12).map(lambda values: np.unique(np.array(values, np.float64)))
few = settings(max_examples=20, deadline=None)


def play(onsets_samples: dict[int, list[int]], samples: int = 2 * RATE, seed: int = 0) -> Take:
    """A take of decaying bursts: each piece its own sound, close on its own channel, 12 samples later overhead."""
    rng = np.random.default_rng(seed)
    strikes = rng.standard_normal((len(PIECES), 400)) * 0.2 * np.exp(-np.arange(400) / 80)
    audio = 1e-5 * rng.standard_normal((len(CHANNELS), samples))
    for piece, onsets in onsets_samples.items():
        for onset in onsets:
            audio[piece, onset : onset + 400] += strikes[piece]
            audio[2, onset + 12 : onset + 412] += 0.5 * strikes[piece]
    return take_from_array(audio, RATE, CHANNELS)


def hits_at(onsets_samples: dict[int, list[int]], shift_samples: int = 0) -> list[ReferenceHit]:
    """Reference hits for :func:`play`; performed ``shift_samples`` after their places."""
    return [
        ReferenceHit(PIECES[piece], CHANNELS[piece], (onset + shift_samples) / RATE, onset / RATE, onset / RATE)
        for piece, onsets in onsets_samples.items()
        for onset in onsets
    ]


PLACES = {0: [2_000, 6_000, 10_000], 1: [4_000, 8_000, 12_000]}


def moved(samples: int) -> dict[int, list[int]]:
    return {piece: [onset + samples for onset in onsets] for piece, onsets in PLACES.items()}


def test_a_perfect_output_has_perfect_figures() -> None:
    target = play(PLACES)
    figures = metrics.evaluate(play(moved(90)), target, target, hits_at(PLACES, 90))
    assert list(figures)[:3] == ["hits", "timing_median_seconds", "timing_p95_seconds"]
    ones = {
        "timing_within_2_ms",
        "timing_within_5_ms",
        "timing_within_10_ms",
        "main_timing_within_2_ms",
        "phase_locked",
    }
    assert figures.pop("hits") == 6.0
    assert math.isnan(figures.pop("flam_spread_median_seconds"))  # no line holds two hits
    assert math.isnan(figures.pop("flam_spread_p95_seconds"))
    assert figures == {name: float(name in ones) for name in figures}


@few
@given(delay=st.integers(-600, 600), gain=st.floats(0.01, 3.0))
def test_a_delayed_output_lags_by_the_delay_however_loud(delay: int, gain: float) -> None:
    target, hits = play(PLACES), hits_at(PLACES)
    output = take_from_array(gain * np.roll(target.read(0, target.samples), delay, axis=1), RATE, CHANNELS)
    residuals = metrics.timing_residuals_seconds(target, output, hits)
    np.testing.assert_allclose(residuals * RATE, delay, atol=1e-9)
    at = np.array([hit.target_seconds for hit in hits])
    spreads = metrics.microphone_spreads_samples(output, [(target, at)], at)
    np.testing.assert_array_equal(spreads, 0)


@few
@given(slip=st.integers(0, 300))
def test_a_microphone_that_slips_is_seen_sample_by_sample(slip: int) -> None:
    target, hits = play(PLACES), hits_at(PLACES)
    audio = target.read(0, target.samples).copy()
    audio[2] = np.roll(audio[2], slip)
    output = take_from_array(audio, RATE, CHANNELS)
    at = np.array([hit.target_seconds for hit in hits])
    np.testing.assert_array_equal(metrics.microphone_spreads_samples(output, [(target, at)], at), slip)
    figures = metrics.evaluate(target, output, target, hits)
    assert figures["phase_locked"] == float(slip <= 1)
    assert figures["timing_within_2_ms"] == 1.0  # the hits' own channels stand still


def test_hits_moved_each_by_its_own_shift_keep_phase_with_the_target() -> None:
    performed = {0: [2_000, 6_100], 1: [2_090, 5_950]}
    places = {0: [2_000, 6_000], 1: [2_000, 6_000]}
    hits = [
        replace(hit, performed_seconds=onset / RATE, score_beats=hit.target_seconds)
        for hit, onset in zip(hits_at(places), performed[0] + performed[1], strict=True)
    ]
    figures = metrics.evaluate(play(performed), play(places), play(places), hits)
    assert figures["phase_locked"] == 1.0
    assert figures["flam_spread_p95_seconds"] == 0.0
    untouched = metrics.evaluate(play(performed), play(performed), play(places), hits)
    assert untouched["flam_spread_median_seconds"] == pytest.approx((90 + 150) / 2 / RATE)


def test_a_silent_output_has_lost_every_hit() -> None:
    target = play(PLACES)
    silence = take_from_array(np.zeros((3, target.samples)), RATE, CHANNELS)
    figures = metrics.evaluate(target, silence, target, hits_at(PLACES))
    assert figures["lost"] == figures["missing"] == 1.0
    assert figures["timing_within_10_ms"] == figures["extra"] == 0.0
    assert math.isnan(figures["timing_median_seconds"])


@few
@given(first=st.sets(st.integers(1, 14)), second=st.sets(st.integers(1, 14)))
def test_extra_and_missing_swap_with_their_takes(first: set[int], second: set[int]) -> None:
    """Bursts are an eighth of a second apart, beyond the reach: those of one set alone have no partner."""
    one, other = (play({0: [1_000 * place for place in chosen]}) for chosen in (first, second))
    extra, missing = metrics.extra_and_missing(one, other)
    if first:
        assert extra == pytest.approx(len(second - first) / len(first))
        assert missing == pytest.approx(len(first - second) / len(first))
    if first and second:
        swapped = metrics.extra_and_missing(other, one)
        total, swapped_total = (sum(map(len, attack_frames(take))) for take in (one, other))
        assert extra * total == pytest.approx(swapped[1] * swapped_total)
        assert missing * total == pytest.approx(swapped[0] * swapped_total)


def test_pairing_worked_out_by_hand() -> None:
    made, wanted = np.array([10, 12, 60, 200]), np.array([11, 100, 190])
    # 10 takes 11; 12 is left over; 60 takes 100; 200 takes 190
    assert unmatched(made, wanted, reach=40) == 1
    assert unmatched(wanted, made, reach=40) == 0
    assert unmatched(made, wanted, reach=5) == 3
    assert unmatched(made, np.array([], np.int64), reach=40) == 4


def test_attacks_of_clicks_worked_out_by_hand() -> None:
    """Frames of 16 samples; 8 frames from one attack to the next; nothing 35 dB under the loudest counts."""
    clicks = np.zeros((1, 8_000))
    clicks[0, [1_600, 1_680, 3_200, 4_800]] = [0.5, 0.5, 0.02, 0.005]  # 0.02 is 28 dB under 0.5, 0.005 is 40
    (frames,) = attack_frames(take_from_array(clicks, RATE))
    np.testing.assert_array_equal(frames, [100, 200])


def test_ten_times_the_amplitude_is_twenty_decibels() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 30_000))
    quiet, loud = (take_from_array(gain * noise, RATE) for gain in (1.0, 10.0))
    np.testing.assert_allclose(spectral_distance_db(quiet, loud), 20.0, atol=0.2)
    np.testing.assert_array_equal(spectral_distance_db(quiet, loud), spectral_distance_db(loud, quiet))


def test_reading_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (take_from_array(np.random.default_rng(seed).standard_normal((2, 50_001)), 44_100) for seed in (0, 1))
    whole, attacks = spectral_distance_db(one, other), attack_frames(one)
    monkeypatch.setattr(audio_figures, "SPECTRAL_BLOCK_SAMPLES", 4_096)
    monkeypatch.setattr(audio_figures, "ATTACK_BLOCK_FRAMES", 7)
    np.testing.assert_allclose(spectral_distance_db(one, other), whole, rtol=1e-12)
    for found, expected in zip(attack_frames(one), attacks, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_window_beyond_the_reference_is_not_looked_for() -> None:
    take = play(PLACES)
    assert lags(take, take, 10) is None
    assert lags(take, take, take.samples - 10) is None


def test_what_is_scored() -> None:
    plain = ReferenceHit(Piece.SNARE, "snare", 1.0, 1.0, 0.0)
    others = [
        replace(plain, target_seconds=2.0, ornament=True),
        replace(plain, target_seconds=3.0, own_energy=0.4),
        replace(plain, target_seconds=4.0),
        replace(plain, target_seconds=4.07),
        replace(plain, piece=Piece.KICK, target_seconds=1.0),
    ]
    assert metrics.scored_hits([plain, *others]) == [plain, others[-1]]


def test_onset_scores_worked_out_by_hand() -> None:
    scores = metrics.onset_scores(np.array([1.0, 2.0, 3.0]), np.array([1.001, 2.004, 3.5, 4.0]), (0.002, 0.005))
    assert scores == pytest.approx(
        {
            "precision_2_ms": 1 / 4,
            "recall_2_ms": 1 / 3,
            "f_measure_2_ms": 2 / 7,
            "precision_5_ms": 2 / 4,
            "recall_5_ms": 2 / 3,
            "f_measure_5_ms": 4 / 7,
            "bias_seconds": 0.0025,
        }
    )


@given(reference=times, estimated=times)
def test_onset_scores_are_those_of_mir_eval_and_swap_with_their_arguments(
    reference: FloatArray, estimated: FloatArray
) -> None:
    scores = metrics.onset_scores(reference, estimated, (0.050,))
    swapped = metrics.onset_scores(estimated, reference, (0.050,))
    assert scores["precision_50_ms"] == swapped["recall_50_ms"]
    assert scores["f_measure_50_ms"] == pytest.approx(swapped["f_measure_50_ms"])
    if len(reference) and len(estimated):
        expected = mir_eval.onset.f_measure(reference, estimated, window=0.050)
        assert [scores[f"{name}_50_ms"] for name in ("f_measure", "precision", "recall")] == pytest.approx(expected)


@given(late_seconds=st.floats(-0.024, 0.024))
def test_bias_is_how_late_detection_is(late_seconds: float) -> None:
    reference = np.arange(1.0, 9.0)
    assert metrics.onset_scores(reference, reference + late_seconds)["bias_seconds"] == pytest.approx(late_seconds)


def test_grid_deviation_worked_out_by_hand() -> None:
    lines = np.array([1.0, 2.0, 3.0])
    figures = metrics.grid_deviation(np.array([1.001, 0.997, 2.008, 3.020]), lines)
    assert figures == pytest.approx(
        {
            "onsets": 4,
            "deviation_mean_seconds": 0.0065,
            "deviation_sd_seconds": math.sqrt((5.5**2 + 9.5**2 + 1.5**2 + 13.5**2) / 4) / 1000,
            "deviation_median_abs_seconds": 0.0055,
            "deviation_within_2_ms": 0.25,
            "deviation_within_5_ms": 0.5,
            "deviation_within_10_ms": 0.75,
            "flam_spread_median_seconds": 0.004,
        }
    )
    meant = metrics.grid_deviation(np.array([1.6]), lines, line_of_onset=np.array([1.0]))
    assert meant["deviation_mean_seconds"] == pytest.approx(0.6)


@given(onsets=times, lines=times.filter(len))
def test_no_line_is_nearer_than_the_nearest(onsets: FloatArray, lines: FloatArray) -> None:
    found = nearest(onsets, lines)
    assert np.isin(found, lines).all()
    distances = np.abs(onsets[:, None] - lines)
    np.testing.assert_array_equal(np.abs(onsets - found), distances.min(axis=1))


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: metrics.onset_scores(np.array([44_100.0 * 9]), np.array([1.0])), "samples or milliseconds"),
        (lambda: metrics.onset_scores(np.array([1.0]), np.array([3.0, 2.0])), "sort"),
        (lambda: metrics.onset_scores(np.zeros((2, 2)), np.array([3.0])), "intervals"),
        (lambda: metrics.onset_scores(np.array([np.nan]), np.array([3.0])), "NaN"),
        (lambda: metrics.grid_deviation(np.array([1.0]), np.array([])), "no grid lines"),
        (lambda: metrics.grid_deviation(np.array([1.0]), np.array([1.0]), np.array([1.0, 2.0])), "one for every"),
        (lambda: metrics.flam_spreads_seconds(np.zeros(2), np.zeros(3)), "line of every hit"),
    ],
)
def test_errors_about_times_guess_the_mistake(call: Callable[[], Any], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        call()


def test_errors_about_takes_guess_the_mistake() -> None:
    take, hits = play(PLACES), hits_at(PLACES)
    with pytest.raises(InputError, match="resample"):
        metrics.evaluate(take, replace(take, sample_rate=16_000), take, hits)
    with pytest.raises(InputError, match="name and order"):
        metrics.evaluate(take, replace(take, channels=take.channels[::-1]), take, hits)
    with pytest.raises(InputError, match="one hit"):
        metrics.evaluate(take, replace(take, samples=100), take, hits)
    with pytest.raises(InputError, match="'hat'"):
        metrics.evaluate(take, take, take, [replace(hits[0], channel="hat")])
    with pytest.raises(InputError, match="samples or milliseconds instead of seconds"):
        metrics.evaluate(take, take, take, [replace(hits[0], performed_seconds=2_000.0)])


def test_truth_is_read_from_a_folder_or_a_file() -> None:
    hits = reference_hits_from_truth(DEMO)
    assert hits == reference_hits_from_truth(DEMO / "truth.json")
    entries = json.loads((DEMO / "truth.json").read_text(encoding="utf-8"))["hits"]
    assert [hit.performed_seconds for hit in hits] == [entry["performed_seconds"] for entry in entries]
    assert {hit.channel for hit in hits} == {"kick", "snare_top", "hihat"}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (None, "cannot read"),
        ("{", "not a truth file"),
        ("[]", "not a truth file"),
        ('{"hits": 3}', "int"),
        ('{"hits": [{"piece": "kick"}]}', "lacks 'close'"),
        ('{"hits": [{"piece": "cowbell"}]}', "cowbell"),
        ('{"hits": ["kick"]}', "hit 0"),
    ],
)
def test_a_broken_truth_says_what_is_wrong(tmp_path: Path, text: str | None, hint: str) -> None:
    if text is not None:
        (tmp_path / "truth.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=hint):
        reference_hits_from_truth(tmp_path / "truth.json")


def test_the_demo_target_is_perfect_and_the_take_is_not() -> None:
    take, target, hits = load(DEMO / "take"), load(DEMO / "target"), reference_hits_from_truth(DEMO)
    perfect, untouched = (metrics.evaluate(take, output, target, hits) for output in (target, take))
    assert perfect["timing_within_2_ms"] == perfect["phase_locked"] == untouched["phase_locked"] == 1.0
    assert untouched["timing_within_2_ms"] < 0.3 < untouched["timing_within_10_ms"]
    scored = metrics.scored_hits(hits)
    expected = np.array([hit.performed_seconds - hit.target_seconds for hit in scored])
    residuals = metrics.timing_residuals_seconds(target, take, scored)
    assert np.mean(np.abs(residuals - expected) * 44_100 < 0.6) > 0.9


@pytest.mark.skipif(not BENCH.exists(), reason="the bench lies beside the repository on the project's machines only")
@pytest.mark.parametrize("late_samples", [0, 150])
def test_figures_agree_with_the_bench_scorer(tmp_path: Path, late_samples: int) -> None:
    session = BENCH / "sessions" / "d3_sloppy_rock100"
    take, target = load(session / "take"), load(session / "target")
    audio = np.roll(take.read(0, take.samples), late_samples, axis=1).astype(np.float32)
    for channel, signal in zip(take.channels, audio, strict=True):
        sf.write(tmp_path / f"{channel.name}.wav", signal, take.sample_rate, subtype="FLOAT")
    theirs = _bench_scorer()(str(session), str(tmp_path))
    ours = metrics.evaluate(take, load(tmp_path), target, reference_hits_from_truth(session))
    for name, our_name, scale, rounding in (
        ("hits", "hits", 1, 0.1),
        ("lag_ms_median", "timing_median_seconds", 1_000, 0.006),
        ("lag_ms_p95", "timing_p95_seconds", 1_000, 0.006),
        ("within_2", "timing_within_2_ms", 1, 0.0006),
        ("within_5", "timing_within_5_ms", 1, 0.0006),
        ("within_10", "timing_within_10_ms", 1, 0.0006),
        ("main_within_2", "main_timing_within_2_ms", 1, 0.0006),
        ("lost", "lost", 1, 0.0006),
        ("phase_ok", "phase_locked", 1, 0.0006),
        ("spectral", "spectral_distance_db", 1, 0.006),
        ("extra", "extra", 1, 0.0006),
        ("missing", "missing", 1, 0.0006),
    ):
        assert scale * ours[our_name] == pytest.approx(theirs[name], abs=rounding), name


def _bench_scorer() -> Callable[[str, str], dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("bench_score", BENCH / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    score: Callable[[str, str], dict[str, Any]] = module.score
    return score
