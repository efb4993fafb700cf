"""Every family of networks that align a take, trained for some steps from its own configuration; losses and data."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer

from beatnet_align.errors import InputError
from datagen.config import DatasetConfig, Sources, Split
from datagen.dataset import write_dataset
from models import train
from models.resynthesis.conditioning import Told
from models.resynthesis.cut_and_splice import CutAndSplice
from models.resynthesis.data import MiddleCrops, RandomCrops, TakeFiles
from models.resynthesis.interface import Resynthesis
from models.resynthesis.line_data import RandomLineCrops, WholeLineTakes
from models.resynthesis.line_pool import read_pool, write_pool
from models.resynthesis.line_training import LineTraining
from models.resynthesis.losses import ENERGY_METRIC, CollapsedError, CollapseGuard, ResynthesisLoss
from models.resynthesis.micro_tcn import MicroTCN
from models.resynthesis.training import ResynthesisTraining
from models.runs import load_network

CONFIGS = Path(__file__).parents[1] / "configs" / "models" / "resynthesis"
RATE = 22_050
DATASET = DatasetConfig(
    "resynthesis",
    sample_rate=RATE,
    seconds=4.0,
    bars=2,
    channels=(2, 4),
    train=Sources(3, ("synth1",), groove_probability=0.0),
    validation=Sources(2, ("synth2",), groove_probability=0.0),
)
SMALL_LINES: dict[str, object] = {"width": 16, "stem_width": 8, "dilations": [1, 2]}
WAVEFORMS: dict[str, dict[str, object]] = {
    "micro_tcn": {"width": 4, "dilations": [1, 10, 100]},
    "steerable_tcn": {"blocks": 3},
    "unet_tcn": {"widths": [4, 6, 8, 8], "dilations": [1, 3]},
    "signal_train_sequence": {"hidden": 16, "bottleneck": 8},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resynthesis") / "dataset"
    write_dataset(DATASET, folder, workers=1, suffix="wav")
    return folder


@pytest.fixture(scope="module")
def pool(dataset: Path) -> Path:
    folder = dataset.parent / "pool"
    for split in (Split.TRAIN, Split.VALIDATION):
        write_pool(dataset, folder, split)
    return folder


def fit(run: Path, names: Sequence[str], net: dict[str, object], *more: str) -> Resynthesis:
    """Train a configuration as its users do, with a smaller network, and read the run back."""
    arguments = [
        "fit",
        *(part for name in (*names, "budgets/tiny") for part in ("--config", str(CONFIGS / f"{name}.yaml"))),
    ]
    for key, value in net.items():
        arguments += [f"--model.init_args.net.init_args.{key}", str(value)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train", *arguments, "--trainer.logger.init_args.save_dir", str(run), *more])
        train.main()
    return load_network(run, Resynthesis)  # type: ignore[type-abstract]


def is_finite(net: Resynthesis) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in net.parameters())


@pytest.mark.parametrize("names", [*([name] for name in WAVEFORMS), ["micro_tcn", "told/film"]])
def test_networks_that_write_waveforms_train(names: list[str], dataset: Path, tmp_path: Path) -> None:
    assert is_finite(fit(tmp_path, names, WAVEFORMS[names[0]], "--data.init_args.dataset", str(dataset)))


@pytest.fixture(scope="module")
def found(pool: Path) -> Path:
    """A run of cut_and_splice.yaml."""
    fit(pool.parent / "found", ["cut_and_splice"], SMALL_LINES, "--data.init_args.pool", str(pool))
    return pool.parent / "found"


def test_grid_attention_trains(pool: Path, tmp_path: Path) -> None:
    net: dict[str, object] = {**SMALL_LINES, "layers": 1, "heads": 2}
    assert is_finite(fit(tmp_path, ["grid_attention"], net, "--data.init_args.pool", str(pool)))


@pytest.mark.parametrize("name", ["cut_and_splice_audio", "implicit_warp"])
def test_finders_go_on_through_the_audio(name: str, found: Path, dataset: Path, tmp_path: Path) -> None:
    start = load_network(found, CutAndSplice)
    net = fit(
        tmp_path, [name], SMALL_LINES, "--data.init_args.dataset", str(dataset), "--model.init_args.start", str(found)
    )
    assert is_finite(net)
    before, after = start.state_dict(), net.state_dict()
    shared = [key for key in before if key.startswith(("listener", "scorer")) and before[key].is_floating_point()]
    assert shared
    assert all((before[key] - after[key]).abs().max() < 0.05 for key in shared)  # it went on from there


@pytest.mark.parametrize("told", ["none", "metronome", "positions", "both"])
def test_what_a_network_is_told_is_a_line_of_its_configuration(told: str, dataset: Path, tmp_path: Path) -> None:
    net = fit(tmp_path, ["micro_tcn", f"told/{told}"], WAVEFORMS["micro_tcn"], "--data.init_args.dataset", str(dataset))
    assert isinstance(net, MicroTCN) and net.told is Told(told)


def test_a_finder_learns_where_strokes_are(pool: Path) -> None:
    """On three takes, by heart."""
    torch.manual_seed(1)
    takes = read_pool(pool, Split.TRAIN)
    training = LineTraining(CutAndSplice(width=24, stem_width=12, dilations=(1, 2, 4)))
    optimiser = torch.optim.AdamW(training.net.parameters(), 0.01)
    losses = []
    for number, batch in enumerate(RandomLineCrops(takes, Told.BOTH, 4, 400, 2, (1, 0, 0))):
        loss = training.loss_of(batch)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
        if number == 40:
            break
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_crops_are_repeatable_and_fit_together(dataset: Path) -> None:
    takes = TakeFiles(dataset, Split.TRAIN)
    one, again = (next(iter(RandomCrops(takes, 2, 30_000, 2, (1, 0, 0)))) for _ in range(2))
    assert torch.equal(one.take, again.take) and torch.equal(one.conditioning, again.conditioning)
    whole = takes.crop(0, 0, 60_000, [0, 1])
    part = takes.crop(0, 20_000, 30_000, [1])
    assert torch.equal(part.take[0, 0], whole.take[0, 1, 20_000:50_000])
    torch.testing.assert_close(part.conditioning, whole.conditioning[..., 20_000:50_000], atol=1e-4, rtol=0)
    torch.testing.assert_close(part.strokes[..., :2] + 20_000, whole.strokes[..., :2])
    assert len(MiddleCrops(TakeFiles(dataset, Split.VALIDATION), 30_000, 4)) == 2
    with pytest.raises(InputError, match="test"):
        TakeFiles(dataset, Split.TEST)


def test_a_pool_holds_what_the_network_would_hear(dataset: Path, pool: Path) -> None:
    takes = TakeFiles(dataset, Split.TRAIN)
    entry = takes.entries[1]
    crop = takes.crop(1, 0, int(entry["samples"]), range(len(entry["channels"])))
    pooled = WholeLineTakes(read_pool(pool, Split.TRAIN), Told.BOTH)[1]
    net = CutAndSplice(width=16, stem_width=8, dilations=(1, 2)).eval()
    with torch.inference_mode():
        heard = net.look(crop.take, crop.conditioning).sightings
        kept = net.recognise(net.listener.follow(pooled.features, pooled.grid), pooled.places).sightings
    lines = kept.places.shape[1]
    torch.testing.assert_close(kept.places, heard.places[:, :lines])
    torch.testing.assert_close(kept.logits, heard.logits[:, :lines], atol=0.05, rtol=0)


def test_no_pool_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line_pool"):
        read_pool(tmp_path, Split.TRAIN)


def test_losses_prefer_a_late_stroke_to_silence_and_leave_silence_out() -> None:
    rng = np.random.default_rng(0)
    decay = np.exp(-np.arange(9_000) / 900.0)
    stroke = torch.from_numpy((rng.standard_normal(9_000) * decay).astype(np.float32))
    target, late = torch.zeros(1, 2, 20_000), torch.zeros(1, 2, 20_000)
    target[0, 0, 5_000:14_000], late[0, 0, 5_110:14_110] = stroke, stroke
    loss = ResynthesisLoss(RATE)
    silence = torch.zeros_like(target)
    assert 0.0 <= float(loss(target, target)) < 1e-3
    assert float(loss(late, target)) < 0.7 * float(loss(silence, target))
    assert float(loss(late, silence)) == 0.0


@pytest.mark.parametrize(("energy", "fails"), [(0.49, True), (float("nan"), True), (0.51, False)])
def test_a_collapse_ends_the_run(energy: float, fails: bool) -> None:
    trainer = SimpleNamespace(callback_metrics={ENERGY_METRIC: torch.tensor(energy)}, sanity_checking=False)
    guard, training = CollapseGuard(patience=1), ResynthesisTraining(MicroTCN(width=2, dilations=(1,)))
    guard.on_validation_epoch_end(trainer, training)  # type: ignore[arg-type] # the first one does not count
    if not fails:
        guard.on_validation_epoch_end(trainer, training)  # type: ignore[arg-type]
        return
    with pytest.raises(CollapsedError, match="silence"):
        guard.on_validation_epoch_end(trainer, training)  # type: ignore[arg-type]


def test_a_network_that_writes_silence_ends_its_run(dataset: Path, tmp_path: Path) -> None:
    net = MicroTCN(width=2, dilations=(1,))
    with torch.no_grad():
        net.out.dry.zero_()
    training = ResynthesisTraining(net, learning_rate=0.0)
    crops = MiddleCrops(TakeFiles(dataset, Split.VALIDATION), 30_000, 2)
    loader = torch.utils.data.DataLoader(crops, batch_size=None)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, max_epochs=3,
        num_sanity_val_steps=0, callbacks=[CollapseGuard()], default_root_dir=tmp_path,
    )  # fmt: skip
    with pytest.raises(CollapsedError, match="silence"):
        trainer.fit(training, loader, loader)
