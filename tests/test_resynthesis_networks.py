"""Laws of the networks that align a take: identity, length, channels, reach, and no slip of a sample."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.conditioning import conditioning_rows
from beatnet_align.grid import Grid
from beatnet_align.tempo_map import TempoMap
from models.resynthesis.conditioning import Told, global_parameters
from models.resynthesis.cut_and_splice import CutAndSplice
from models.resynthesis.grid_attention import GridAttention
from models.resynthesis.implicit_warp import ImplicitWarp
from models.resynthesis.interface import Resynthesis
from models.resynthesis.line_network import LineNetwork
from models.resynthesis.micro_tcn import MicroTCN
from models.resynthesis.signal_train import SignalTrain
from models.resynthesis.steerable_tcn import SteerableTCN
from models.resynthesis.unet_tcn import UNetTCN

RATE = 22_050
SMALL = {"width": 16, "stem_width": 8, "dilations": (1, 2)}


CLOSE = {"implicit_warp": 0.01}
"""A warp reads between samples, at places that single precision knows to a hundredth of one."""


def signal_train() -> SignalTrain:
    """One that is sure of no delay."""
    net = SignalTrain(hidden=16, bottleneck=8)
    assert net.delay is not None
    last = net.delay[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias[net.reach] = 60.0
    return net


MAKERS: dict[str, Callable[[], Resynthesis]] = {
    "micro_tcn": lambda: MicroTCN(width=4, dilations=(1, 10, 100)),
    "micro_tcn_film": lambda: MicroTCN(width=4, dilations=(1, 10, 100), film=True),
    "steerable_tcn": lambda: SteerableTCN(blocks=3),
    "unet_tcn": lambda: UNetTCN(widths=(4, 6, 8, 8), dilations=(1, 3)),
    "signal_train": signal_train,
    "cut_and_splice": lambda: CutAndSplice(**SMALL),  # type: ignore[arg-type]
    "grid_attention": lambda: GridAttention(**SMALL, layers=1, heads=2),  # type: ignore[arg-type]
    "implicit_warp": lambda: ImplicitWarp(**SMALL),  # type: ignore[arg-type]
}


def made(name: str) -> Resynthesis:
    torch.manual_seed(1)
    return MAKERS[name]().eval()


def stirred(name: str) -> Resynthesis:
    """With weights that do something everywhere: a network that writes, or finds a stroke for every line."""
    net = made(name)
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            if key.startswith(("out.wet", "mix.1", "synthesis")):
                parameter.add_(0.05 * torch.randn_like(parameter))
        if isinstance(net, CutAndSplice | ImplicitWarp):
            net.scorer.head[-1].bias[-1] = -30.0  # type: ignore[operator]
        if isinstance(net, GridAttention):
            net.leave[-1].bias[-1] = -30.0  # type: ignore[operator]
    return net


def resting(name: str) -> Resynthesis:
    """Set to identity: those that find strokes find none."""
    net = made(name)
    with torch.no_grad():
        if isinstance(net, CutAndSplice | ImplicitWarp):
            net.scorer.head[-1].bias[-1] = 60.0  # type: ignore[operator]
        if isinstance(net, GridAttention):
            net.leave[-1].bias[-1] = 60.0  # type: ignore[operator]
    return net


def noise(channels: int, samples: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy((0.1 * rng.standard_normal((1, channels, samples))).astype(np.float32))


def told(samples: int, first_beat_seconds: float = 0.1) -> torch.Tensor:
    rows = conditioning_rows(TempoMap.constant(120.0, first_beat_seconds), Grid(), 1.0, RATE, 0, samples)
    return torch.from_numpy(rows)[None]


def error_db(output: torch.Tensor, expected: torch.Tensor) -> float:
    return float(10.0 * torch.log10((output - expected).square().sum() / expected.square().sum() + 1e-30))


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=6)
@given(channels=st.integers(1, 5), samples=st.integers(600, 20_001))
def test_identity_at_any_length_and_number_of_channels(name: str, channels: int, samples: int) -> None:
    audio = noise(channels, samples)
    with torch.inference_mode():
        output = resting(name)(audio, told(samples))
    assert output.shape == audio.shape
    assert error_db(output, audio) < -80.0


@pytest.mark.parametrize("name", MAKERS)
def test_the_order_of_channels_does_not_matter(name: str) -> None:
    audio, rows, order = noise(4, 15_001), told(15_001), [2, 0, 3, 1]
    net = stirred(name)
    with torch.inference_mode():
        output, reordered = net(audio, rows), net(audio[:, order], rows)
    assert error_db(output, audio) > -60.0  # it does something
    torch.testing.assert_close(reordered, output[:, order], atol=CLOSE.get(name, 1e-4), rtol=0)


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "micro_tcn_film"])
def test_nothing_beyond_the_context_is_heard(name: str) -> None:
    net = stirred(name)
    back, ahead = net.context_samples
    middle = -(-(back + 4_096) // 4_096) * 4_096
    samples = middle + 4_096 + ahead + 4_096
    audio, rows = noise(2, samples), told(samples)
    other = noise(2, samples, seed=1)
    inside = slice(middle - back, middle + 4_096 + ahead)
    other[..., inside] = audio[..., inside]
    with torch.inference_mode():
        one, two = (net(heard, rows)[..., middle : middle + 4_096] for heard in (audio, other))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "step"),
    [("micro_tcn", 1), ("steerable_tcn", 1), ("unet_tcn", 64), ("cut_and_splice", 128), ("grid_attention", 128),
     ("implicit_warp", 128)],
)  # fmt: skip
def test_later_in_is_later_out_to_the_sample(name: str, step: int) -> None:
    net, later = stirred(name), 5 * step
    samples = 2 * sum(net.context_samples) + 20_000
    audio, rows = noise(2, samples), told(samples)
    moved = torch.nn.functional.pad(audio, (later, 0))[..., :samples]
    moved_rows = told(samples, 0.1 + later / RATE)
    with torch.inference_mode():
        one, two = net(audio, rows), net(moved, moved_rows)
    inner = slice(net.context_samples[0], samples - net.context_samples[1] - later)
    torch.testing.assert_close(two[..., later:][..., inner], one[..., inner], atol=CLOSE.get(name, 1e-4), rtol=0)


@pytest.mark.parametrize("name", ["cut_and_splice", "grid_attention", "implicit_warp"])
def test_attention_is_a_distribution_over_the_take(name: str) -> None:
    net, audio, rows = stirred(name), noise(2, 40_000), told(40_000)
    with torch.inference_mode():
        seen = net.attention(audio, rows)
    assert isinstance(net, LineNetwork) and seen is not None
    batch, lines, keys = seen.weights.shape
    assert seen.query_seconds.shape == (batch, lines) and seen.key_seconds.shape == (keys,)
    total = seen.weights.sum(dim=-1)
    assert (total <= 1.0 + 1e-4).all()
    assert (total[:, 2:-2] > 0.99).all()  # every line inside the take was given a stroke


def test_the_waveform_networks_do_not_attend() -> None:
    assert made("micro_tcn").attention(noise(1, 4_000), told(4_000)) is None


def test_half_of_the_strength_moves_half_as_far() -> None:
    net, audio, rows = stirred("cut_and_splice"), noise(2, 40_000), told(40_000)
    assert isinstance(net, LineNetwork)
    with torch.inference_mode():
        sightings = net.look(audio, rows).sightings
        full = net.moves(sightings, rows)
        rows[:, -1] = 0.5
        half = net.moves(sightings, rows)
        rows[:, -1] = 0.0
        output = net(audio, rows)
    torch.testing.assert_close(half.shifts, 0.5 * full.shifts)
    torch.testing.assert_close(output, audio, atol=0, rtol=0)


@pytest.mark.parametrize(("choice", "rows"), [(Told.NONE, 1), (Told.METRONOME, 2), (Told.POSITIONS, 7), (Told.BOTH, 8)])
def test_a_variant_hears_only_its_rows(choice: Told, rows: int) -> None:
    conditioning = told(12_000)
    assert choice.choose(conditioning).shape[1] == rows
    net = MicroTCN(told=choice, width=4, dilations=(1, 10))
    with torch.no_grad():
        torch.nn.init.normal_(net.out.wet.weight)
    changed = conditioning.clone()
    changed[:, [row for row in range(8) if row not in choice.rows]] = 0.0
    audio = noise(2, 12_000)
    with torch.inference_mode():
        torch.testing.assert_close(net(audio, changed), net(audio, conditioning), atol=0, rtol=0)


@pytest.mark.parametrize(("bpm", "swing"), [(120.0, 0.5), (90.0, 0.66), (180.0, 0.56)])
def test_global_parameters_are_tempo_swing_and_strength(bpm: float, swing: float) -> None:
    rows = conditioning_rows(TempoMap.constant(bpm, 0.2), Grid(("1/16",), swing), 0.7, RATE, 0, 4 * RATE)
    found = global_parameters(torch.from_numpy(rows)[None], RATE)[0]
    assert found.tolist() == pytest.approx([bpm / 120.0, swing, 0.7], abs=0.01)
