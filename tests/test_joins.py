"""Joins with their truth, the classical ways to make them, and the command that compares those."""

from pathlib import Path

import numpy as np
import pytest

from datagen.config import Split, read_config
from datagen.example import ExampleMaker
from datagen.joins import GAP_SECONDS, Join, draw_joins
from models import join_figures
from models.join_judge import Judge, phase_agreement
from models.join_opponents import OPPONENTS, Repair, autoregressive, linear, stretched

TINY = Path(__file__).parents[1] / "configs" / "datagen" / "tiny.yaml"


@pytest.fixture(scope="module")
def joins() -> list[Join]:
    maker = ExampleMaker(read_config(TINY))
    return [join for index in range(3) for join in draw_joins(maker, Split.TRAIN, index, 6)]


def test_joins_are_fixed_by_their_example_and_hold_their_truth(joins: list[Join]) -> None:
    again = draw_joins(ExampleMaker(read_config(TINY)), Split.TRAIN, 0, 6)
    assert {join.gap_samples > 0 for join in joins} == {True, False}
    assert again
    for join, same in zip(joins[: len(again)], again, strict=True):
        np.testing.assert_array_equal(join.target, same.target)
        np.testing.assert_array_equal(join.incoming, same.incoming)
        assert join.gap_samples == same.gap_samples
    for join in joins:
        assert GAP_SECONDS[0] * 0.99 <= abs(join.gap_samples) / join.sample_rate <= GAP_SECONDS[1] * 1.01
        assert 0 <= join.first < join.tail_stop <= join.stop < join.target.shape[1]
        assert join.outgoing.shape == join.incoming.shape == join.target.shape
        # In front of the attack the truth is what sounded before it, as long as that was heard alone.
        before = slice(0, join.tail_stop - 220)
        np.testing.assert_allclose(join.target[:, before], join.outgoing[:, before], atol=1e-3)


@pytest.mark.parametrize("repair", OPPONENTS.values(), ids=list(OPPONENTS))
def test_repairs_touch_nothing_but_the_transition(joins: list[Join], repair: Repair) -> None:
    for join in joins:
        out = repair(join)
        assert out.dtype == join.outgoing.dtype
        np.testing.assert_array_equal(out[:, : join.first], join.outgoing[:, : join.first])
        np.testing.assert_array_equal(out[:, join.stop :], join.incoming[:, join.stop :])
        assert np.isfinite(out).all()


def test_the_judge_knows_the_truth_and_a_wrong_phase(joins: list[Join]) -> None:
    judge = Judge()
    for join in joins:
        assert judge.distance(join, join.target) == pytest.approx(0.0, abs=1e-4)
        if len(join.target) > 1:
            assert phase_agreement(join, join.target) == pytest.approx(1.0, abs=1e-4)
            turned = join.target * np.where(np.arange(len(join.target)) % 2, -1, 1)[:, None].astype(np.float32)
            assert phase_agreement(join, turned) < 0.9


def test_a_modelled_tail_is_nearer_to_the_truth_than_the_others(joins: list[Join]) -> None:
    """The reason for the default in long gaps."""
    judge = Judge()
    long = [join for join in joins if join.gap_samples > 0.015 * join.sample_rate]
    means = [np.mean([judge.distance(join, one(join)) for join in long]) for one in (autoregressive, linear, stretched)]
    assert means[0] < min(means[1:])


def test_the_command_prints_a_row_for_every_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert join_figures.main([str(TINY), "--split", "train", "--examples", "1", "--joins", "2"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in (*OPPONENTS, *join_figures.KINDS))
    assert join_figures.main([str(TINY), "--split", "train", "--examples", "0"]) == 2
