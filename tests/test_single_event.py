"""SignalTrain's single-event task: windows are what they say, landing is measured, and a tiny network trains on it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from datagen.config import DatasetConfig, Sources, Split
from models import train
from models.resynthesis.interface import Resynthesis
from models.resynthesis.lines import line_places
from models.resynthesis.signal_train import SignalTrain, delayed
from models.resynthesis.single_event import FixedEvents, SingleEvents, lags_seconds
from models.resynthesis.single_event_figures import landing
from models.runs import load_network

CONFIG = Path(__file__).parents[1] / "configs" / "models" / "resynthesis"
RATE = 22_050
KITS = DatasetConfig(
    "events",
    sample_rate=RATE,
    train=Sources(1, ("synth1",), groove_probability=0.0),
    validation=Sources(1, ("synth2",), groove_probability=0.0),
)


@pytest.fixture(scope="module")
def events() -> SingleEvents:
    return SingleEvents(KITS, Split.VALIDATION, None)


def test_a_stroke_is_where_the_labels_say(events: SingleEvents) -> None:
    (batch,) = FixedEvents(events, 24, 1).batches
    performed, target = (batch.strokes[:, 0, column].tolist() for column in (0, 1))
    off = lags_seconds(batch.target, batch.take, [int(place) for place in target], RATE)
    true = (np.array(performed) - np.array(target)) / RATE
    found = np.isfinite(off)
    assert found.mean() > 0.9  # decays of cymbals may match themselves elsewhere
    assert np.median(np.abs(off[found] - true[found])) < 0.0001
    assert np.abs(true).max() > 0.03
    assert line_places(batch.conditioning, RATE)[:, 0].tolist() == pytest.approx(target, abs=1.0)


def test_windows_are_repeatable(events: SingleEvents) -> None:
    one, again = (events.draw(np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one.take, again.take) and torch.equal(one.target, again.target)


def test_silence_has_not_landed(events: SingleEvents) -> None:
    batch = events.draw(np.random.default_rng(1))
    assert np.isnan(lags_seconds(batch.target, torch.zeros_like(batch.target), [events.line], RATE)).all()


def test_a_sure_delay_delays(events: SingleEvents) -> None:
    heard = torch.randn(2, 5, 60)
    chances = torch.zeros(2, 21)
    chances[:, 10 + 4] = 1.0
    torch.testing.assert_close(delayed(heard, chances)[..., 4:], heard[..., :-4], atol=1e-5, rtol=0)


@pytest.mark.parametrize("delays", [True, False])
def test_signal_train_trains_on_single_events(delays: bool, tmp_path: Path) -> None:
    kits = tmp_path / "kits.yaml"
    kits.write_text(
        "name: events\nsample_rate: 22050\ntrain: {examples: 1, kits: [synth1], groove_probability: 0.0}\n"
        "validation: {examples: 1, kits: [synth2], groove_probability: 0.0}\n",
        encoding="utf-8",
    )
    values = {
        "model.init_args.net.init_args.hidden": 16,
        "model.init_args.net.init_args.delays": delays,
        "data.init_args.dataset": kits,
        "data.init_args.validation_batches": 1,
        "trainer.logger.init_args.save_dir": tmp_path / "run",
    }
    arguments = ["--config", str(CONFIG / "single_event.yaml"), "--config", str(CONFIG / "budgets" / "tiny.yaml")]
    for key, value in values.items():
        arguments += [f"--{key}", str(value).lower() if isinstance(value, bool) else str(value)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train", "fit", *arguments])
        train.main()
    net = load_network(tmp_path / "run", Resynthesis)  # type: ignore[type-abstract]
    assert isinstance(net, SignalTrain) and (net.delay is not None) is delays
    assert all(bool(parameter.isfinite().all()) for parameter in net.parameters())


def test_figures_count_what_landed(events: SingleEvents) -> None:
    fixed = FixedEvents(events, 4, 3)
    perfect = landing(lambda batch: batch.target, fixed, RATE)
    assert perfect == {"within_1_ms": 1.0, "lost": 0.0, "median_ms": 0.0, "energy": 1.0}
    played = landing(lambda batch: batch.take, fixed, RATE)
    late = np.concatenate([(batch.strokes[:, 0, 0] - batch.strokes[:, 0, 1]).numpy() / RATE for batch in fixed.batches])
    assert played["within_1_ms"] == pytest.approx(np.mean(np.abs(late) <= 0.001), abs=0.1)
    assert played["median_ms"] == pytest.approx(np.median(np.abs(late)) * 1000.0, rel=0.2)
