"""The differentiable splice is the effect's own when hard, sums to one when soft, and its gradients are true."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.cut_list import cut_list
from beatnet_align.edit_plan import EditPlan, Move, SpliceSettings, TakeFacts
from beatnet_align.engines import Fill
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.splice import Splicer, timeline
from beatnet_align.take import Take, take_from_array
from beatnet_align.tempo_map import TempoMap
from models.differentiable_splice import DifferentiableSplice, Joins, joins_of
from models.fractional_delay import FractionalDelay, Lagrange, PhaseRamp, Thiran, WindowedSinc

RATE = 8_000
HARD = SpliceSettings(fill=Fill.EXTEND)


def take_of(seed: int, channels: int = 2, seconds: float = 1.5) -> Take:
    audio = 0.3 * np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))
    return take_from_array(audio.astype(np.float32), RATE)


def plan_of(take: Take, seed: int, strokes: int) -> EditPlan:
    """Strokes 160 to 190 ms apart, each up to 15 ms off its line."""
    rng = np.random.default_rng(seed)
    onsets = 800 + np.cumsum(rng.integers(1_280, 1_520, strokes))
    name = take.channels[0].name
    moves = tuple(
        Move(int(at), int(at + rng.integers(-120, 121)), name, Piece.SNARE, 0.9, 1.0, line_beats=float(i))
        for i, at in enumerate(onsets)
    )
    return EditPlan(TakeFacts.of(take), moves, TempoMap.constant(120.0, 0.0), Grid(), splice=HARD)


def joins_for(plan: EditPlan, take: Take) -> Joins:
    names = [channel.name for channel in take.channels]
    return joins_of(timeline(cut_list(plan, names), take.samples, RATE, plan.splice))


def level_db(audio: torch.Tensor, against: torch.Tensor) -> float:
    return float(10.0 * torch.log10((audio**2).sum() / (against**2).sum() + 1e-30))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1_000), strokes=st.integers(0, 6))
@pytest.mark.parametrize(
    "delay", [PhaseRamp(), WindowedSinc(), Lagrange(), Thiran()], ids=lambda one: type(one).__name__
)
def test_hard_windows_are_the_splice_of_the_effect(delay: FractionalDelay, seed: int, strokes: int) -> None:
    take = take_of(seed)
    plan = plan_of(take, seed, strokes)
    expected = torch.from_numpy(Splicer(take, plan).read(0, take.samples))
    heard = torch.from_numpy(take.read(0, take.samples))
    spliced = DifferentiableSplice(delay)(heard, joins_for(plan, take))
    assert level_db(spliced - expected, expected) < -80.0


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1_000), softness=st.floats(0.0, 4_000.0), steepness=st.floats(0.3, 6.0))
def test_windows_sum_to_one_however_soft(seed: int, softness: float, steepness: float) -> None:
    """So that one shift for all segments is that shift, whatever is cut."""
    take = take_of(seed)
    joins = joins_for(plan_of(take, seed, 5), take)
    still = joins._replace(
        shifts_samples=torch.full_like(joins.shifts_samples, 40.0),
        steepness=torch.full_like(joins.steepness, steepness),
    )
    heard = torch.from_numpy(take.read(0, take.samples))
    spliced = DifferentiableSplice()(heard, still, softness)
    assert level_db(spliced[:, 40:] - heard[:, :-40], heard) < -80.0


def test_soft_windows_anneal_to_the_hard_cut() -> None:
    take = take_of(3)
    plan = plan_of(take, 3, 5)
    joins, heard = joins_for(plan, take), torch.from_numpy(take.read(0, take.samples))
    expected = torch.from_numpy(Splicer(take, plan).read(0, take.samples))
    errors_db = [
        level_db(DifferentiableSplice()(heard, joins, softness) - expected, expected)
        for softness in (800.0, 200.0, 50.0, 12.0, 3.0, 0.0)
    ]
    assert errors_db == sorted(errors_db, reverse=True)
    assert errors_db[0] > -20.0
    assert errors_db[-1] < -80.0


@pytest.mark.parametrize("softness", [0.0, 60.0])
def test_gradients_agree_with_finite_differences(softness: float) -> None:
    """Of shifts, places, lengths and curves of crossfades, at once."""
    rng = np.random.default_rng(5)
    time = torch.arange(300, dtype=torch.float64)
    audio = torch.stack([torch.sin(time * rate) for rate in rng.uniform(0.05, 0.9, 3)])
    shifts, starts, lengths, steepness = (
        torch.tensor(values, dtype=torch.float64, requires_grad=True)
        for values in ([0.3, -7.6, 12.2], [80.3, 190.7], [30.2, 45.6], [1.2, 0.8])
    )

    def spliced(*parts: torch.Tensor) -> torch.Tensor:
        return DifferentiableSplice()(audio, Joins(*parts), softness)

    assert torch.autograd.gradcheck(spliced, (shifts, starts, lengths, steepness), eps=1e-5, atol=1e-5)


def test_a_stretched_tail_is_refused() -> None:
    take = take_of(0)
    plan = replace(plan_of(take, 0, 4), splice=SpliceSettings(fill=Fill.STRETCH))
    names = [channel.name for channel in take.channels]
    with pytest.raises(ValueError, match="EXTEND"):
        joins_of(timeline(cut_list(plan, names), take.samples, RATE, plan.splice))
