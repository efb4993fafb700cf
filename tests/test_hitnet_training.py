"""HitNet end to end: generate, pool, train, export, find; and what training, figures and calibration rest on."""

import csv
import shutil
from pathlib import Path

import mir_eval
import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.hit_features import FEATURE_RATE_HZ, FEATURES, FRAME_SECONDS, HOP_SAMPLES, hit_features
from beatnet_align.hit_outputs import CHANNEL_ROWS, GROUP, HEARD, HIT, OWN, PIECES, ROLES, TAKE_ROWS
from beatnet_align.hitnet import Decoding, HitNetModel, find_hits
from beatnet_align.onnx_networks import load_weights
from beatnet_align.take import Take, take_from_array
from datagen.config import DatasetConfig, Sources, Split
from datagen.dataset import read_manifest, write_dataset
from models import train
from models.export import export_hitnet, fit_decoding, platt, validation_outputs
from models.export import main as export_main
from models.feature_augmentation import FeatureAugmentation
from models.hit_pool import HitPool, HitPools, write_pool
from models.hit_targets import bumps
from models.hitnet import HitNet
from models.hitnet_data import Batch, CropBatches, WholeTakes
from models.hitnet_loss import LossWeights, hitnet_losses, weighted_sum
from models.hitnet_parts import DilatedConvolutions
from models.hitnet_training import HitNetTraining, f_measure, target_onsets, without_ignored
from models.onset_figures import MERGE_SECONDS, merged
from models.runs import CHECKPOINTS_NAME, CONFIG_NAME, load_average, load_network

CONFIG = Path(__file__).parents[1] / "configs" / "models" / "hitnet_tiny.yaml"
DATASET = DatasetConfig(
    "hits",
    seconds=3.0,
    bars=2,
    channels=(2, 5),
    metronome=False,
    targets=False,
    train=Sources(3, ("synth1",), groove_probability=0.0),
    validation=Sources(1, ("synth2",), groove_probability=0.0),
)
ONSETS = st.lists(st.integers(0, 2_000), max_size=40)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hits") / "dataset"
    write_dataset(DATASET, folder, workers=1)
    return folder


@pytest.fixture(scope="module")
def pool(dataset: Path) -> Path:
    write_pool(dataset, dataset.parent / "pool", workers=1)
    return dataset.parent / "pool"


@pytest.fixture(scope="module")
def run(pool: Path) -> Path:
    """The folder that a training of the tiny configuration leaves."""
    folder = pool.parent / "run"
    arguments = [
        "fit", "--config", str(CONFIG), "--data.init_args.pools", f"[{pool}]",
        "--trainer.logger.init_args.save_dir", str(folder), "--trainer.default_root_dir", str(folder),
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["models.train", *arguments])
        train.main()
    return folder


def rendered_take(dataset: Path, split: Split) -> Take:
    entry = next(entry for entry in read_manifest(dataset) if entry["split"] == split.value)
    audio, rate = sf.read(dataset / entry["take"], dtype="float32", always_2d=True)
    return take_from_array(np.ascontiguousarray(audio.T), rate, [channel["name"] for channel in entry["channels"]])


def batches(pool: Path, seed: tuple[int, int, int]) -> CropBatches:
    return CropBatches(HitPool(pool, Split.TRAIN), FeatureAugmentation(), 3, 100, 4, seed)


def same(one: Batch, other: Batch) -> bool:
    pairs = zip([*one[:3], *one.targets.values()], [*other[:3], *other.targets.values()], strict=True)
    return all(a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)


def sorted_seconds(steps: list[int]) -> npt.NDArray[np.float64]:
    """Onsets on a lattice of a 1,024th of a second, which no tolerance falls on."""
    return np.sort(np.array(steps, np.float64)) / 1_024.0


def test_a_pool_holds_the_hits_of_its_dataset(dataset: Path, pool: Path) -> None:
    for split in (Split.TRAIN, Split.VALIDATION):
        entries = [entry for entry in read_manifest(dataset) if entry["split"] == split.value]
        pooled = HitPool(pool, split)
        assert len(pooled) == len(entries)
        for index, entry in enumerate(entries):
            take, hits = pooled[index], entry["hits"]
            names = [channel["name"] for channel in entry["channels"]]
            onsets = np.array([hit["performed_seconds"] for hit in hits])
            np.testing.assert_allclose(take.labels.onset_frames * FRAME_SECONDS, onsets, atol=1e-6)
            assert [PIECES[piece].value for piece in take.labels.piece] == [hit["piece"] for hit in hits]
            assert [names[channel] for channel in take.labels.reference] == [hit["close"] for hit in hits]
            assert [ROLES[role].value for role in take.roles] == [channel["role"] for channel in entry["channels"]]
            for i, hit in enumerate(hits):
                heard = np.isfinite(take.labels.arrival_frames[i])
                assert {name for name, yes in zip(names, heard, strict=True) if yes} == set(hit["arrivals_seconds"])
                for name, delay in hit["arrivals_seconds"].items():
                    arrival = take.labels.arrival_frames[i, names.index(name)] * FRAME_SECONDS
                    assert arrival == pytest.approx(hit["performed_seconds"] + delay, abs=1e-6)


def test_a_pool_holds_the_features_of_its_takes(dataset: Path, pool: Path) -> None:
    take = rendered_take(dataset, Split.VALIDATION)
    pooled = HitPool(pool, Split.VALIDATION)[0].features_db
    assert pooled.shape == (len(take.channels), take.samples // HOP_SAMPLES, FEATURES)
    assert take.sample_rate == FEATURE_RATE_HZ
    np.testing.assert_allclose(pooled, hit_features(take.read(0, take.samples)), atol=0.04)


def test_several_pools_are_read_as_one(pool: Path) -> None:
    train_takes, validation_takes = (HitPool(pool, split) for split in (Split.TRAIN, Split.VALIDATION))
    pools = HitPools([train_takes, validation_takes])
    assert len(pools) == len(train_takes) + len(validation_takes)
    for found, expected in zip(pools, [*train_takes, *validation_takes], strict=True):
        np.testing.assert_array_equal(found.features_db, expected.features_db)
        np.testing.assert_array_equal(found.labels.onset_frames, expected.labels.onset_frames)
    with pytest.raises(IndexError):
        pools[len(pools)]


def test_a_folder_without_a_pool_is_refused(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pool for test"):
        HitPool(pool, Split.TEST)
    with pytest.raises(InputError, match="no pool for train"):
        HitPool(tmp_path, Split.TRAIN)


def test_the_seed_fixes_the_batches(pool: Path) -> None:
    first, again, other = (next(iter(batches(pool, seed))) for seed in ((1, 0, 0), (1, 0, 0), (2, 0, 0)))
    assert same(first, again)
    assert not same(first, other)
    assert first.features.shape[0] == 3
    assert first.features.shape[2:] == (100, FEATURES)
    assert first.present.any(dim=1).all()


def test_every_epoch_and_every_process_has_other_crops(pool: Path) -> None:
    first, epoch, rank = (next(iter(batches(pool, seed))) for seed in ((1, 0, 0), (1, 1, 0), (1, 0, 1)))
    assert not same(first, epoch)
    assert not same(first, rank)
    assert not same(epoch, rank)


def test_whole_takes_come_as_they_are(pool: Path) -> None:
    stems, mono = (WholeTakes(HitPool(pool, Split.VALIDATION), mono=mono) for mono in (False, True))
    assert same(stems[0], stems[0])
    assert same(mono[0], mono[0])
    assert mono[0].features.shape[1] == 1
    labels = HitPool(pool, Split.VALIDATION)[0].labels
    onsets = target_onsets(stems[0].targets["hit_offset"][0].numpy())
    nearest = np.abs(onsets[:, None] - labels.onset_frames[None] * FRAME_SECONDS).min(axis=1)
    assert np.median(nearest) < 1e-4


def test_what_says_the_targets_costs_nothing(pool: Path) -> None:
    batch = WholeTakes(HitPool(pool, Split.VALIDATION))[0]
    frames, channels = batch.features.shape[2], batch.features.shape[1]
    take, heard = torch.zeros(1, TAKE_ROWS, frames), torch.zeros(1, channels, CHANNEL_ROWS, frames)
    guessed = hitnet_losses(take, heard, batch.present, batch.targets)
    for rows, name in ((HIT, "hit"), (GROUP, "group")):
        take[:, rows] = batch.targets[name].clamp(1e-6, 1.0 - 1e-6).logit()
    for rows, name in ((HEARD, "heard"), (OWN, "own")):
        heard[:, :, rows] = batch.targets[name].clamp(1e-6, 1.0 - 1e-6).logit()
    known = hitnet_losses(take, heard, batch.present, batch.targets)
    for name in ("hit", "group", "heard", "own"):
        assert abs(float(known[name])) < 0.01 < float(guessed[name])
    assert float(weighted_sum(known, LossWeights())) < float(weighted_sum(guessed, LossWeights()))


def test_training_lowers_the_loss(run: Path) -> None:
    with (run / "metrics.csv").open() as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert len(losses) > 3
    assert losses[-1] < 0.7 * losses[0]


def test_a_trained_network_finds_hits_in_a_rendered_take(dataset: Path, pool: Path, run: Path, tmp_path: Path) -> None:
    net = load_network(run, HitNet)
    assert not net.training
    outputs = validation_outputs(net, HitPool(pool, Split.VALIDATION))
    assert len(outputs) == 2
    decoding = fit_decoding(outputs)
    export_hitnet(net, decoding, tmp_path / "weights" / "hitnet.onnx")
    model = HitNetModel((tmp_path / "weights" / "hitnet.onnx").read_bytes(), threads=1)
    assert model.decoding == decoding
    take = rendered_take(dataset, Split.TRAIN)
    hits = find_hits(take, model=model, refine=False)
    assert hits == sorted(hits)
    found = merged(np.array([hit.onset_samples / take.sample_rate for hit in hits]))
    true = merged(HitPool(pool, Split.TRAIN)[0].labels.onset_frames.astype(np.float64) * FRAME_SECONDS)
    assert f_measure(true, found, 0.025) > 0.6


def test_runs_that_cannot_be_read_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no trained HitNet"):
        load_network(tmp_path, HitNet)
    with pytest.raises(InputError, match="no trained HitNet"):
        load_network(run, HitNet, "missing.ckpt")
    shutil.copy(run / "config.yaml", tmp_path / "config.yaml")
    arguments = [str(tmp_path), "--pool", str(tmp_path), "-o", str(tmp_path / "out.onnx")]
    monkeypatch.setattr("sys.argv", ["models.export", *arguments])
    assert export_main() == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.onnx").exists()


@given(reference=ONSETS.filter(bool), estimated=ONSETS.filter(bool), tolerance=st.sampled_from([0.002, 0.005, 0.025]))
def test_the_f_measure_is_that_of_mir_eval(reference: list[int], estimated: list[int], tolerance: float) -> None:
    one, other = sorted_seconds(reference), sorted_seconds(estimated)
    expected, _, _ = mir_eval.onset.f_measure(one, other, window=tolerance)
    assert f_measure(one, other, tolerance) == pytest.approx(expected)


def test_nothing_found_where_nothing_is_was_right() -> None:
    nothing, something = np.zeros(0), np.ones(1)
    assert f_measure(nothing, nothing, 0.005) == 1.0
    assert f_measure(something, nothing, 0.005) == f_measure(nothing, something, 0.005) == 0.0


@given(steps=ONSETS)
def test_merging_keeps_the_first_of_each_cluster(steps: list[int]) -> None:
    onsets = sorted_seconds(steps)
    kept = merged(onsets)
    assert set(kept) <= set(onsets)
    assert (np.diff(kept) > MERGE_SECONDS).all()
    np.testing.assert_array_equal(merged(kept), kept)
    for onset in onsets:
        assert ((kept <= onset) & (onset - kept <= MERGE_SECONDS)).any()


@given(steps=ONSETS)
def test_only_onsets_in_frames_that_count_are_left(steps: list[int]) -> None:
    onsets, weight = sorted_seconds(steps), np.ones(400, np.float32)
    np.testing.assert_array_equal(without_ignored(onsets, weight), onsets)
    weight[100:200] = 0.0
    ignored = (onsets >= 100 * FRAME_SECONDS) & (onsets < 200 * FRAME_SECONDS)
    np.testing.assert_array_equal(without_ignored(onsets, weight), onsets[~ignored])
    assert not len(without_ignored(onsets, np.zeros(400, np.float32)))


@given(start=st.floats(0.0, 5.0), gaps=st.lists(st.floats(2.1, 9.0), max_size=8))
def test_true_onsets_are_read_back_from_their_targets(start: float, gaps: list[float]) -> None:
    onsets = np.cumsum([start, *gaps]).astype(np.float32)
    _, offsets = bumps(onsets, 100)
    np.testing.assert_allclose(target_onsets(offsets) / FRAME_SECONDS, onsets, atol=1e-3)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.6, -0.8), (1.5, 1.0)])
def test_calibration_recovers_the_truth(slope: float, intercept: float) -> None:
    rng = np.random.default_rng(3)
    logits = 2.0 * rng.normal(size=20_000)
    right = rng.random(20_000) < 1.0 / (1.0 + np.exp(-(slope * logits + intercept)))
    found = platt(list(zip(logits.tolist(), right.tolist(), strict=True)))
    np.testing.assert_allclose(found, (slope, intercept), atol=0.1)


def moved_run(run: Path, folder: Path, by: float) -> Path:
    """A copy of a run whose weights are all larger by ``by``."""
    shutil.copytree(run, folder)
    path = folder / CHECKPOINTS_NAME / "best.ckpt"
    checkpoint = torch.load(path, weights_only=False)
    checkpoint["state_dict"] = {name: weights + by for name, weights in checkpoint["state_dict"].items()}
    torch.save(checkpoint, path)
    return folder


@pytest.mark.parametrize("shares", [(0.0,), (0.0, 1.0), (1.0, 0.0, 0.5)])
def test_a_training_goes_on_from_the_middle_of_the_weights_of_others(
    run: Path, tmp_path: Path, shares: tuple[float, ...]
) -> None:
    runs = [moved_run(run, tmp_path / str(i), share) for i, share in enumerate(shares)]
    best, other = load_network(run, HitNet), load_network(run, HitNet)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    going_on = HitNetTraining(other, start=runs)
    for name, weights in best.state_dict().items():
        assert torch.allclose(weights + np.mean(shares), going_on.net.state_dict()[name], atol=1e-5)


def test_networks_in_other_shapes_have_no_middle(run: Path, tmp_path: Path) -> None:
    other = moved_run(run, tmp_path / "other", 0.0)
    path = other / CHECKPOINTS_NAME / "best.ckpt"
    config = yaml.safe_load((run / CONFIG_NAME).read_text())
    net = config["model"]["init_args"]["net"]["init_args"]
    net["stem_width"] += 8
    (other / CONFIG_NAME).write_text(yaml.safe_dump(config))
    wider = HitNet(DilatedConvolutions(**net["body"]["init_args"]), **{k: v for k, v in net.items() if k != "body"})
    torch.save({"state_dict": {f"net.{name}": weights for name, weights in wider.state_dict().items()}}, path)
    with pytest.raises(InputError, match="differ in shape"):
        load_average([run, other], HitNet)


def test_a_training_goes_on_from_what_was_exported(run: Path, tmp_path: Path) -> None:
    best, path = load_network(run, HitNet), tmp_path / "hitnet.onnx"
    export_hitnet(best, Decoding(), path)
    other = load_network(run, HitNet)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    going_on = HitNetTraining(other, start=[path]).net.eval()
    heard, roles = torch.randn(1, 3, 40, FEATURES), torch.tensor([[0, 1, 3]])
    for found, expected in zip(going_on(heard, roles), best(heard, roles), strict=True):
        assert torch.allclose(found, expected, atol=1e-4)
    for name, weights in load_average([run, path], HitNet).state_dict().items():
        middle = (best.state_dict()[name] + going_on.state_dict()[name]) / 2.0
        assert torch.allclose(weights, middle, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no network", "cannot read .*other.onnx"), (load_weights("refiner.onnx"), "holds another")],
)
def test_nothing_goes_on_from_another_network(run: Path, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_average([run, path], HitNet)
    with pytest.raises(InputError, match="at least one must be the folder of a run"):
        load_average([path], HitNet)
