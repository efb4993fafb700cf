"""The refiner: what its windows ignore, what it leaves alone, and that it learns to time what it can hear."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.demo import demo_folder
from beatnet_align.errors import InputError
from beatnet_align.hit_outputs import UNKNOWN_GROUP, groups_of
from beatnet_align.hit_refiner import (
    AFTER_SAMPLES,
    BEFORE_SAMPLES,
    FEWEST_TIMED,
    POSITIONS,
    REACH_STEPS,
    REFINER_RATE_HZ,
    ROWS,
    SIGNAL_ROWS,
    STRIDE_SAMPLES,
    WINDOW_SAMPLES,
    HitRefiner,
    cut_windows,
    decode,
    shipped_refiner,
    window_rows,
    with_usual_correction,
    without_offset,
)
from beatnet_align.hits import Piece
from beatnet_align.take import Take
from beatnet_align.units import Float32Array
from datagen.config import DatasetConfig, Sources, Split
from datagen.dataset import write_dataset
from models.export_refiner import export_network, export_refiner
from models.refiner import Refiner
from models.refiner_data import FIRST_STAGE, RefinerData, WindowBatches, targets, windowed
from models.refiner_pool import MARGIN_SAMPLES, Stretches, audible_rise, read_stretches, write_stretches
from models.refiner_training import UNREACHABLE, RefinerTraining, choose_threshold, timing_figures

CENTRE = MARGIN_SAMPLES + BEFORE_SAMPLES


def strikes(hits: int, rng: np.random.Generator) -> Float32Array:
    """Clicks of about a kilohertz over noise 50 dB under them, each beginning at ``CENTRE``: [hits, samples]."""
    samples = WINDOW_SAMPLES + 2 * MARGIN_SAMPLES
    time = (np.arange(samples) - CENTRE) / REFINER_RATE_HZ
    frequency = rng.uniform(500.0, 3_000.0, (hits, 1))
    click = np.where(time >= 0.0, np.cos(2.0 * np.pi * frequency * time) * np.exp(-time / 0.005), 0.0)
    noise = rng.normal(size=(hits, samples)) * 10.0 ** (-50.0 / 20.0)
    return np.asarray(click * rng.choice([-1.0, 1.0], (hits, 1)) + noise, np.float32)


def noise_windows(hits: int, seed: int) -> Float32Array:
    return np.random.default_rng(seed).normal(size=(hits, WINDOW_SAMPLES)).astype(np.float32)


def no_groups(onsets: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.full(len(onsets), UNKNOWN_GROUP)


@lru_cache(maxsize=1)
def tiny_network() -> Refiner:
    torch.manual_seed(0)
    return Refiner(channels=4, dilations=(1, 2))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An untrained network as a file."""
    path = tmp_path_factory.mktemp("exported") / "refiner.onnx"
    export_network(tiny_network(), 0.25, path)
    return path.read_bytes()


@given(gain_db=st.floats(-40.0, 40.0), inverted=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_gain_and_polarity_change_no_window(gain_db: float, inverted: bool, seed: int) -> None:
    around = noise_windows(3, seed)
    gain = np.float32(10.0 ** (gain_db / 20.0) * (-1.0 if inverted else 1.0))
    groups = np.array([UNKNOWN_GROUP, 0, 5])
    np.testing.assert_allclose(window_rows(around * gain, groups), window_rows(around, groups), atol=1e-3)


@given(offset=st.floats(-0.5, 0.5), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_a_constant_offset_changes_no_window(offset: float, seed: int) -> None:
    signal = np.random.default_rng(seed).normal(size=5_000) * 0.1
    places = np.array([0, 2_000, 4_999])
    plain, moved = (
        window_rows(cut_windows(without_offset(one), places, BEFORE_SAMPLES, AFTER_SAMPLES), np.zeros(3, np.int64))
        for one in (signal, signal + offset)
    )
    np.testing.assert_allclose(moved, plain, atol=1e-4)


def test_a_window_tells_which_piece_is_meant() -> None:
    told = window_rows(noise_windows(3, 0), np.array([UNKNOWN_GROUP, 0, 5]))[:, SIGNAL_ROWS:]
    assert told.min(axis=2).tolist() == told.max(axis=2).tolist() == [[0] * 6, [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]]


@given(shift=st.integers(-300, 300), place=st.integers(-100, 3_100))
@settings(max_examples=30)
def test_shifting_the_estimate_shifts_the_window(shift: int, place: int) -> None:
    signal = np.arange(1.0, 3_001.0)
    here, there = (cut_windows(signal, np.array([p]), BEFORE_SAMPLES, AFTER_SAMPLES)[0] for p in (place, place + shift))
    overlap = WINDOW_SAMPLES - abs(shift)
    ahead, behind = (there, here) if shift >= 0 else (here, there)
    np.testing.assert_array_equal(ahead[:overlap], behind[-overlap:])


def test_beyond_the_ends_of_a_signal_lies_silence() -> None:
    cut = cut_windows(np.ones(10, np.float32), np.array([-5, 4, 12]), 5, 10)
    assert cut.sum(axis=1).tolist() == [5.0, 10.0, 3.0]
    assert not cut_windows(np.zeros(0, np.float32), np.array([3]), 5, 10).any()


@given(
    onset=st.floats(-REACH_STEPS * STRIDE_SAMPLES, REACH_STEPS * STRIDE_SAMPLES, width=32),
)
def test_a_target_decodes_to_its_onset(onset: float) -> None:
    probability = targets(np.array([onset], np.float32))
    assert probability.sum() == pytest.approx(1.0, abs=1e-5)
    offsets, confidence = decode(np.log(probability + 1e-9))
    at_the_rim = abs(onset) > (REACH_STEPS - 6) * STRIDE_SAMPLES
    assert abs(offsets[0] - onset) < (5.0 if at_the_rim else 0.25)
    assert confidence[0] > 0.95


def test_no_onset_in_reach_is_no_telling() -> None:
    probability = targets(np.array([np.nan, 300.0, -222.0], np.float32))
    assert probability[:, POSITIONS].tolist() == [1.0, 1.0, 1.0]
    assert not probability[:, :POSITIONS].any()
    assert (decode(np.log(probability + 1e-9))[1] < 0.01).all()


def test_silence_is_not_refined(exported: bytes) -> None:
    refiner = HitRefiner(exported, threshold=0.0)
    onsets = np.array([-3.5, 100.25, 4_999.0])
    for signal in (np.zeros(5_000, np.float32), np.full(5_000, 0.5, np.float32)):
        refined, replaced = refiner.refine(signal, onsets, no_groups(onsets))
        assert not replaced.any()
        np.testing.assert_array_equal(refined, onsets)


def test_what_is_not_sure_enough_stays_where_it_was(exported: bytes) -> None:
    signal = noise_windows(1, 0)[0]
    onsets = np.linspace(0.3, 800.3, 300)
    refined, replaced = HitRefiner(exported, threshold=UNREACHABLE).refine(signal, onsets, no_groups(onsets))
    assert not replaced.any()
    np.testing.assert_array_equal(refined, onsets)
    refined, replaced = HitRefiner(exported, threshold=0.0).refine(signal, onsets, no_groups(onsets))
    assert replaced.all()
    assert np.abs(refined - onsets).max() <= REACH_STEPS * STRIDE_SAMPLES + 0.5


def test_no_hits_give_no_hits(exported: bytes) -> None:
    refined, replaced = HitRefiner(exported, threshold=0.0).refine(
        np.zeros(100, np.float32), np.zeros(0), np.zeros(0, np.int64)
    )
    assert refined.shape == replaced.shape == (0,)


def test_the_exported_network_computes_what_torch_does(exported: bytes) -> None:
    windows = window_rows(noise_windows(5, 1), np.array([UNKNOWN_GROUP, 0, 1, 2, 3]))
    assert windows.shape == (5, ROWS, WINDOW_SAMPLES)
    with torch.no_grad():
        expected = tiny_network().eval()(torch.from_numpy(windows)).numpy()
    refiner = HitRefiner(exported)
    assert expected.shape == (5, POSITIONS + 1)
    np.testing.assert_allclose(refiner.logits(windows), expected, atol=1e-4)
    assert refiner.threshold == 0.25


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no refiner"):
        HitRefiner(b"something else")
    (tmp_path / "other.ckpt").write_bytes(b"something else")
    with pytest.raises(InputError, match="no checkpoint"):
        export_refiner(tmp_path / "other.ckpt", tmp_path / "refiner.onnx")


def test_the_threshold_brings_most_hits_near() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    coarse_ms = np.array([2.0, -2.0, 0.1, 2.0, 0.1])
    assert choose_threshold(confidence, coarse_ms, np.array([0.0, 0.1, -3.0, 0.1, 0.1])) == 0.8
    assert choose_threshold(confidence, coarse_ms, np.array([0.0, 0.1, 0.2, 0.1, 4.0])) == 0.6
    assert choose_threshold(np.full(5, 0.9), coarse_ms, np.array([0.0, 0.1, -3.0, 2.0, 4.0])) == UNREACHABLE
    assert choose_threshold(confidence, coarse_ms, coarse_ms) == UNREACHABLE
    assert choose_threshold(np.zeros(0), np.zeros(0), np.zeros(0)) == UNREACHABLE


def test_figures_count_what_is_left() -> None:
    figures = timing_figures(
        np.array([0.4, -0.4, 0.4, -3.0]), np.array([0.0, 0.0, 2.0, 9.0]), np.array([True, True, True, False])
    )
    assert figures["coarse_median_ms"] == pytest.approx(0.4)
    assert figures["median_ms"] == pytest.approx(1.0)
    assert figures["refined_share"] == 0.75
    assert figures["refined_far_share"] == pytest.approx(1 / 3)


def test_a_strike_is_audible_and_steady_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    steady = rng.normal(size=(20, WINDOW_SAMPLES + 2 * MARGIN_SAMPLES)).astype(np.float32)
    assert audible_rise(strikes(20, rng), CENTRE).all()
    assert not audible_rise(steady, CENTRE).any()


def test_windows_follow_their_estimates() -> None:
    stretches = synthetic(4, 0)
    errors = np.array([0.0, 100.0, -100.0, 240.0])
    batch = windowed(stretches, errors, stretches.groups)
    np.testing.assert_allclose(batch.onset_samples.numpy(), -errors)
    found = batch.target.numpy().argmax(axis=1)
    assert found.tolist() == [REACH_STEPS, REACH_STEPS - 50, REACH_STEPS + 50, POSITIONS]


def test_stretches_of_a_dataset_hold_its_hits(tmp_path: Path) -> None:
    config = DatasetConfig(
        "windows", seconds=3.0, bars=1, channels=(3, 4), train=Sources(2, ("synth1",), groove_probability=0.0)
    )
    write_dataset(config, tmp_path / "dataset", workers=1)
    write_stretches(tmp_path / "dataset", tmp_path / "windows", workers=1)
    stretches = read_stretches(tmp_path / "windows", Split.TRAIN)
    hit = np.isfinite(stretches.onset_samples)
    assert hit.any()
    assert not (stretches.audible & ~hit).any()
    assert np.abs(stretches.onset_samples[hit]).max() <= 0.5
    heard = stretches.audio[stretches.audible & stretches.is_reference].astype(np.float32)
    before, after = heard[:, CENTRE - 100 : CENTRE - 30], heard[:, CENTRE : CENTRE + 350]
    assert np.median(np.abs(after).max(axis=1) / np.abs(before).max(axis=1)) > 4.0
    with pytest.raises(InputError, match="no stretches for"):
        read_stretches(tmp_path / "windows", Split.TEST)


def test_training_sees_other_estimates_every_epoch_and_validation_the_same() -> None:
    for shuffled in (True, False):
        batches = WindowBatches(synthetic(8, 0), 4, FIRST_STAGE, 0, shuffled=shuffled)
        first, second = (torch.cat([batch.onset_samples for batch in batches]) for _ in range(2))
        assert torch.equal(first, second) is not shuffled


def synthetic(hits: int, seed: int) -> Stretches:
    audio = strikes(hits, np.random.default_rng(seed))
    audio /= np.abs(audio).max(axis=1, keepdims=True)
    yes = np.ones(hits, np.bool_)
    return Stretches(audio.astype(np.float16), np.zeros(hits, np.float32), yes, yes, np.zeros(hits, np.int64))


def test_shipped_weights_time_the_demo_take(demo_take: Take) -> None:
    hits = json.loads((demo_folder() / "truth.json").read_text())["hits"]
    audio = demo_take.read(0, demo_take.samples)
    rng = np.random.default_rng(0)
    errors, sure = [], []
    for channel, signal in zip(demo_take.channels, audio, strict=True):
        own = [hit["performed_seconds"] for hit in hits if hit["close"] == channel.name]
        groups = groups_of(Piece(hit["piece"]) for hit in hits if hit["close"] == channel.name)
        onsets = np.array(own) * REFINER_RATE_HZ
        refined, replaced = shipped_refiner().refine(signal, onsets + FIRST_STAGE.draw(rng, len(onsets)), groups)
        errors.append(np.abs(refined - onsets)[replaced] / REFINER_RATE_HZ)
        sure.append(replaced)
    assert demo_take.sample_rate == REFINER_RATE_HZ
    assert np.concatenate(sure).mean() > 0.7
    assert np.median(np.concatenate(errors)) < 0.0001
    assert np.concatenate(errors).max() < 0.001


def test_it_learns_to_time_clicks(tmp_path: Path) -> None:
    for split, hits in ((Split.TRAIN, 2_000), (Split.VALIDATION, 100)):
        stretches = synthetic(hits, 1 + hits)
        np.save(tmp_path / f"{split.value}.stretches.npy", stretches.audio)
        np.savez(
            tmp_path / f"{split.value}.stretches.npz",
            onset_samples=stretches.onset_samples,
            audible=stretches.audible,
            is_reference=stretches.is_reference,
            groups=stretches.groups,
        )
    pl.seed_everything(0)
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    training = RefinerTraining(channels=12, learning_rate=1e-2)
    trainer.fit(training, RefinerData(tmp_path, batch_size=32))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    export_refiner(tmp_path / "last.ckpt", tmp_path / "refiner.onnx")
    refiner = HitRefiner((tmp_path / "refiner.onnx").read_bytes())
    rng = np.random.default_rng(9)
    unseen = strikes(50, rng)
    onsets = CENTRE + np.arange(50) * unseen.shape[1]
    estimates = onsets + rng.uniform(-100.0, 100.0, 50)
    refined, replaced = refiner.refine(unseen.ravel(), estimates, no_groups(estimates))
    assert replaced.mean() > 0.5
    assert np.median(np.abs(refined - onsets)) < 0.0003 * REFINER_RATE_HZ


@given(seed=st.integers(0, 2**16), offset=st.floats(-100.0, 100.0))
def test_what_could_not_be_timed_is_corrected_as_the_rest_of_its_group(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.0, 1e5, 40)
    groups, sure = rng.integers(0, 6, 40), rng.random(40) < 0.5
    refined = np.where(sure, coarse + offset * groups, coarse)
    found = with_usual_correction(coarse, refined, sure, groups)
    known = np.bincount(groups[sure], minlength=6)[groups] >= FEWEST_TIMED
    np.testing.assert_allclose(found, np.where(sure | known, coarse + offset * groups, coarse))
