"""Every kernel delays by whole samples exactly, by parts of one as well as it can, and its gradient is true."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.fractional_delay import FractionalDelay, Lagrange, PhaseRamp, Thiran, WetDryMix, WindowedSinc

KERNELS = [
    PhaseRamp(),
    WindowedSinc(),
    WindowedSinc(17, 6.0),
    Lagrange(1),
    Lagrange(3),
    Lagrange(5),
    Thiran(1),
    Thiran(3),
]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=str)


def pulse(delay_samples: float, cycles: float = 0.11, samples: int = 1_500) -> torch.Tensor:
    """A Gaussian burst around a tone, its middle at 600 samples and a delay: known exactly at any delay."""
    place = torch.arange(samples, dtype=torch.float64) - 600.0 - delay_samples
    return torch.exp(-((place / 60.0) ** 2)) * torch.cos(2.0 * np.pi * cycles * place)


def error_db(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float(10.0 * torch.log10(((found - expected) ** 2).sum() / (expected**2).sum() + 1e-30))


@every_kernel
@given(delay=st.integers(-300, 300))
def test_whole_samples_cost_nothing(kernel: FractionalDelay, delay: int) -> None:
    delayed = kernel(pulse(0.0), torch.tensor(float(delay), dtype=torch.float64))
    assert error_db(delayed, pulse(delay)) < -200.0


@pytest.mark.parametrize(
    ("kernel", "worst_db"),
    [(PhaseRamp(), -200.0), (WindowedSinc(), -80.0), (WindowedSinc(17, 6.0), -60.0), (Lagrange(3), -30.0),
     (Lagrange(1), -15.0), (Thiran(3), -35.0)],
    ids=str,
)  # fmt: skip
@given(delay=st.floats(-300.0, 300.0))
def test_parts_of_samples_are_as_good_as_the_kernel(kernel: FractionalDelay, worst_db: float, delay: float) -> None:
    delayed = kernel(pulse(0.0), torch.tensor(delay, dtype=torch.float64))
    assert error_db(delayed, pulse(delay)) < worst_db


@every_kernel
@pytest.mark.parametrize("delays", [[0.3], [5.2, -8.6]])
def test_gradients_agree_with_finite_differences(kernel: FractionalDelay, delays: list[float]) -> None:
    shift = torch.tensor(delays, dtype=torch.float64, requires_grad=True)
    heard = pulse(0.0)[540:660].expand(len(delays), 120)
    assert torch.autograd.gradcheck(lambda one: kernel(heard, one), (shift,), eps=1e-6, atol=1e-6)


@every_kernel
def test_rows_are_delayed_each_by_its_own(kernel: FractionalDelay) -> None:
    delays = torch.tensor([[0.4], [-7.3], [12.0]], dtype=torch.float64)
    heard = torch.stack([pulse(0.0), pulse(0.0, cycles=0.2)])
    together = kernel(heard, delays)
    assert together.shape == (3, 2, heard.shape[-1])
    for row, delay in enumerate(delays[:, 0]):
        for channel, alone in enumerate(heard):
            torch.testing.assert_close(together[row, channel], kernel(alone, delay), atol=1e-9, rtol=0.0)


def test_the_exact_kernel_comes_back() -> None:
    there = PhaseRamp()(pulse(0.0), torch.tensor(31.7, dtype=torch.float64))
    assert error_db(PhaseRamp()(there, torch.tensor(-31.7, dtype=torch.float64)), pulse(0.0)) < -200.0


def test_a_wet_dry_mix_sounds_twice_between_its_ends() -> None:
    kernel = WetDryMix(span_samples=400, steepness=40.0)
    heard = pulse(0.0)
    at = [kernel(heard, torch.tensor(delay, dtype=torch.float64)) for delay in (0.0, 200.0, 400.0)]
    assert error_db(at[0], heard) < -150.0
    assert error_db(at[2], pulse(400.0)) < -150.0
    for middle in (600, 1_000):
        assert float(at[1][middle].abs()) == pytest.approx(0.5, abs=0.01)
