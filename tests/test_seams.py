"""Joins mixed by a network: voices add up, silence and level mean nothing, no attack sounds twice; and it learns."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.autoregression import continued
from beatnet_align.errors import InputError
from beatnet_align.hit_refiner import WEIGHTS_NAME as REFINER_NAME
from beatnet_align.onnx_networks import load_weights
from beatnet_align.seams import (
    BANDS,
    CONTEXT_KNOTS,
    FINAL_FADE_SECONDS,
    ROWS,
    VOICES,
    Seam,
    SeamNetwork,
    context_samples,
    in_bands,
    neighbours_of,
    seam,
    shipped_seamnet,
)
from beatnet_align.take import Audio
from beatnet_align.units import Float32Array
from datagen.config import Split, read_config
from datagen.example import ExampleMaker
from datagen.joins import Join, draw_joins
from models import export_seamnet, train
from models.export_seamnet import exported
from models.join_judge import Judge
from models.join_opponents import autoregressive
from models.runs import load_network
from models.seam_data import SeamBatches, batched, repaired, seam_of, transition_length
from models.seam_pool import read_partings, write_partings
from models.seam_training import SeamTraining, mixed
from models.seamnet import SeamNet

CONFIGS = Path(__file__).parents[1] / "configs"
TINY = CONFIGS / "datagen" / "tiny.yaml"
TINY_NET = CONFIGS / "models" / "seamnet_tiny.yaml"
RATE = 44_100


@lru_cache(maxsize=1)
def joins() -> tuple[Join, ...]:
    maker = ExampleMaker(read_config(TINY))
    return tuple(join for index in range(2) for join in draw_joins(maker, Split.TRAIN, index, 5))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seams")
    write_partings(read_config(TINY), None, folder, {Split.TRAIN: 2, Split.VALIDATION: 1}, most=6, workers=1)
    return folder


def noise(channels: int, samples: int, seed: int) -> Float32Array:
    fall = np.exp(-np.arange(samples) / 6_000.0)
    return (0.2 * fall * np.random.default_rng(seed).standard_normal((channels, samples))).astype(np.float32)


def constant_gains(one: Seam, ringing: float, hissing: float, incoming: float) -> Float32Array:
    knots = one.knots_to_samples.shape[0]
    gains = np.ones((len(one.features), VOICES, BANDS, knots), np.float32)
    return gains * np.array([ringing, hissing, incoming], np.float32)[:, None, None]


@settings(max_examples=30, deadline=None)
@given(channels=st.integers(1, 3), samples=st.integers(1, 3_000), rate=st.sampled_from([8_000, 44_100, 96_000]))
def test_bands_add_up_to_the_whole(channels: int, samples: int, rate: int) -> None:
    audio = noise(channels, samples, 0)
    np.testing.assert_allclose(in_bands(audio, rate).sum(axis=-2), audio, atol=1e-6)


@pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
def test_where_the_network_says_nothing_new_the_tail_goes_on(rate: int) -> None:
    context, gap = context_samples(rate), round(0.02 * rate)
    audio = noise(2, context + gap, 1)
    one = seam(audio[:, :context], audio, context, rate)
    expected = continued(audio[:, :context], gap, rate)
    fade = round(FINAL_FADE_SECONDS * rate)
    out = one.mixed(constant_gains(one, 1.0, 1.0, 0.0))
    np.testing.assert_allclose(out[:, :-fade], expected[:, :-fade], atol=1e-5)


def test_an_overlap_is_a_crossfade_between_both_sides() -> None:
    context, samples = context_samples(RATE), 500
    audio = noise(2, context + samples, 2)
    one = seam(audio, audio, context, RATE)
    for share in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(
            one.mixed(constant_gains(one, share, 1.0, 1.0 - share)), audio[:, context:], atol=1e-5
        )


@settings(max_examples=25, deadline=None)
@given(
    channels=st.integers(1, 5),
    samples=st.integers(1, 3_600),
    tail=st.integers(20, 4_000),
    opens=st.booleans(),
    kind=st.sampled_from([np.float32, np.float64]),
    rate=st.sampled_from([8_000, 44_100, 96_000]),
)
def test_level_means_nothing_and_channels_have_no_order(
    channels: int, samples: int, tail: int, opens: bool, kind: type, rate: int
) -> None:
    context = context_samples(rate)
    outgoing: Audio = noise(channels, context + samples, 3)[:, : context + (0 if opens else samples)].astype(kind)
    incoming: Audio = noise(channels, context + samples, 4).astype(kind)
    network = shipped_seamnet()
    out = network.transition(outgoing, incoming, min(tail, context), rate)
    assert out.shape == (channels, samples)
    assert out.dtype == np.dtype(kind)
    louder = network.transition(outgoing * 4.0, incoming * 4.0, min(tail, context), rate)
    np.testing.assert_allclose(louder, out * 4.0, atol=2e-3)
    order = np.random.default_rng(5).permutation(channels)
    turned = network.transition(outgoing[order], incoming[order], min(tail, context), rate)
    np.testing.assert_allclose(turned, out[order], atol=1e-4)


@pytest.mark.parametrize("opens", [True, False])
def test_silence_stays_silent(opens: bool) -> None:
    context = context_samples(RATE)
    sides = np.zeros((2, context + (0 if opens else 300)), np.float32), np.zeros((2, context + 300), np.float32)
    np.testing.assert_array_equal(shipped_seamnet().transition(*sides, 2_000, RATE), 0.0)


def test_the_attack_before_does_not_sound_again() -> None:
    """A gap longer than the tail: the later side holds the attack before, where the transition is."""
    context, gap, tail = context_samples(RATE), 2_000, 600
    take = np.zeros((1, context + gap), np.float32)
    take[0, context - tail - 10] = 1.0
    incoming = np.roll(take, gap, axis=1)
    assert incoming[:, context:].max() == 1.0
    out = shipped_seamnet().transition(take[:, :context], incoming, tail, RATE)
    np.testing.assert_allclose(out, 0.0, atol=1e-6)


def test_repairs_touch_nothing_but_the_transition() -> None:
    for join in joins():
        one = seam_of(join)
        out = repaired(join, shipped_seamnet().mixed(one))
        start = join.stop - transition_length(join)
        assert start >= join.first
        np.testing.assert_array_equal(out[:, :start], join.outgoing[:, :start])
        np.testing.assert_array_equal(out[:, join.stop :], join.incoming[:, join.stop :])


def test_what_is_trained_is_what_the_effect_does() -> None:
    some = [join for join in joins() if join.gap_samples > 0][:1] * 2
    batch = batched(some)
    net = SeamNet()
    torch.nn.init.normal_(net.gains.weight, std=0.3)
    with torch.no_grad():
        out = mixed(batch, net(batch.features, batch.neighbours)).numpy()
    one, network = seam_of(some[0]), SeamNetwork(exported(net))
    expected = network.mixed(one)
    for half in np.split(out, 2):
        np.testing.assert_allclose(half, expected, atol=1e-5)
    torch.testing.assert_close(
        torch.cat([batch.before, torch.from_numpy(out), batch.after], 1)[:, : batch.before.shape[1]],
        batch.target[:, : batch.before.shape[1]],
        atol=1e-3,
        rtol=0.0,
    )


def test_an_untrained_network_lets_the_tail_ring_on() -> None:
    judge = Judge()
    net = SeamNet()
    for join in (one for one in joins() if one.gap_samples > 0):
        one = seam_of(join)
        with torch.no_grad():
            gains = net(torch.from_numpy(one.features), torch.from_numpy(neighbours_of(one.features))).numpy()
        rung = judge.distance(join, autoregressive(join))
        assert judge.distance(join, repaired(join, one.mixed(gains))) == pytest.approx(rung, abs=0.15)


def test_the_exported_network_takes_any_channels_and_lengths() -> None:
    net = SeamNet(width=8, dilations=(1, 2))
    torch.nn.init.normal_(net.gains.weight, std=0.3)
    in_file = SeamNetwork(exported(net))
    rng = np.random.default_rng(6)
    for channels, knots in ((1, 1), (2, 7), (12, 80)):
        features = rng.normal(size=(channels, ROWS, CONTEXT_KNOTS + knots)).astype(np.float32)
        found = in_file.gains(features, neighbours_of(features))
        with torch.no_grad():
            expected = net(torch.from_numpy(features), torch.from_numpy(neighbours_of(features))).numpy()
        assert found.shape == (channels, VOICES, BANDS, knots)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_other_weights_are_refused() -> None:
    with pytest.raises(InputError, match="SeamNet"):
        SeamNetwork(load_weights(REFINER_NAME))


@pytest.mark.parametrize("opens", [True, False])
def test_silent_channels_change_nothing(opens: bool) -> None:
    context, samples = context_samples(RATE), 1_500
    outgoing, incoming = noise(6, context + samples, 7), noise(6, context + samples, 8)
    outgoing = outgoing[:, : context + (0 if opens else samples)]
    outgoing[3:] = incoming[3:] = 0.0
    every = shipped_seamnet().transition(outgoing, incoming, 2_000, RATE)
    alone = shipped_seamnet().transition(outgoing[:3], incoming[:3], 2_000, RATE)
    np.testing.assert_allclose(every[:3], alone, atol=1e-6)
    np.testing.assert_array_equal(every[3:], 0.0)


def test_batches_keep_joins_apart() -> None:
    joined = [join for join in joins() if join.gap_samples > 0][:1] * 2
    channels = len(joined[0].target)
    neighbours = batched(joined).neighbours.numpy()
    np.testing.assert_allclose(neighbours.sum(axis=1), 1.0, rtol=1e-6)
    assert not neighbours[:channels, channels:].any()
    assert not neighbours[channels:, :channels].any()


def test_a_missing_pool_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"models\.seam_pool"):
        read_partings(tmp_path, Split.TRAIN)


def test_an_epoch_fixes_its_batches(pool: Path) -> None:
    partings = read_partings(pool, Split.TRAIN)
    first, again, other = (next(iter(SeamBatches(partings, 2, (0, epoch, 0)))) for epoch in (0, 0, 1))
    torch.testing.assert_close(first.features, again.features)
    assert first.target.shape != other.target.shape or not torch.equal(first.target, other.target)
    assert torch.isfinite(first.features).all()


def test_training_brings_joins_nearer_to_the_truth(pool: Path) -> None:
    """Generate, train, export, mix: from the tiny configuration to the effect."""
    folder = pool.parent / "run"
    arguments = [
        "fit", "--config", str(TINY_NET), "--data.init_args.pool", str(pool),
        "--trainer.logger.init_args.save_dir", str(folder), "--trainer.default_root_dir", str(folder),
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["models.train", *arguments])
        train.main()
    net = load_network(folder, SeamNet)
    drawn = iter(SeamBatches(read_partings(pool, Split.TRAIN), 2, (0, 0, 0)))
    batches = [next(drawn) for _ in range(8)]
    with torch.no_grad():
        before, after = (
            float(np.mean([float(sum(SeamTraining(one).errors(batch)[::2])) for batch in batches]))
            for one in (SeamNet(8, (1, 4)), net)
        )
    assert after < before
    path = folder / "seamnet.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["export", str(folder), "-o", str(path)])
        assert export_seamnet.main() == 0
    one = seam_of(joins()[0])
    assert np.isfinite(SeamNetwork(path.read_bytes()).mixed(one)).all()


def test_export_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["export", str(tmp_path), "-o", str(tmp_path / "out.onnx")])
    assert export_seamnet.main() == 2
    assert "no trained SeamNet" in capsys.readouterr().err
