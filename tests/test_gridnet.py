"""GridNet in the effect: answers of small networks made by hand, block by block, and what comes of them."""

from functools import lru_cache

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from scipy.special import softmax

from beatnet_align.edit_plan import EditPlan, Flag
from beatnet_align.effect import BeatDetective
from beatnet_align.engines import Engine
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import (
    ANSWERS,
    CANDIDATE_FEATURES,
    CANDIDATES,
    LEAVE,
    ORNAMENT,
    PATTERN_FEATURES,
    TOKEN_FEATURES,
    GridTokens,
    Struck,
    grid_tokens,
)
from beatnet_align.gridnet import BLOCK_HITS, CONTEXT_HITS, GridNetModel, gridnet_claims, shipped_gridnet
from beatnet_align.hits import Hit, Piece
from beatnet_align.nearest_line import nearest_line_claims
from beatnet_align.onnx_networks import load_weights
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest
from beatnet_align.units import FloatArray

RATE = 8_000
TEMPO = TempoMap.constant(120.0, 0.0)
UNLIKELY = -10.0
LATE_FEATURE, LATE_PER_BEAT = 2, 4.0
STEEP = 5.0


@lru_cache
def network(temperature: str | None = None, leave: str = "unlikely") -> bytes:
    """Lines by nearness alone, ornaments never; and ``leave`` says what the answer "no hit" hears, as a logit.

    "beats" are those of the network's input; "pattern" is how often others strike the middle line on offer.
    """
    told = TensorProto.FLOAT
    shapes = {
        "features": [TOKEN_FEATURES],
        "beats": [],
        "candidates": [CANDIDATES, CANDIDATE_FEATURES],
        "pattern": [CANDIDATES, PATTERN_FEATURES],
    }
    constants = {
        "late_at": np.int64(LATE_FEATURE),
        "steep": np.float32(-STEEP),
        "last": np.array([2], np.int64),
        "middle": np.int64(CANDIDATES // 2),
        "any": np.array([1], np.int64),
        "nothing": np.float32(0.0),
        "unlikely_logit": np.float32(UNLIKELY),
    }
    nodes = [
        helper.make_node("Gather", ["candidates", "late_at"], ["late"], axis=3),
        helper.make_node("Abs", ["late"], ["far"]),
        helper.make_node("Mul", ["far", "steep"], ["lines"]),
        helper.make_node("Unsqueeze", ["beats", "last"], ["column"]),
        helper.make_node("Mul", ["column", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "unlikely_logit"], ["unlikely"]),
        helper.make_node("Gather", ["pattern", "middle"], ["at_middle"], axis=2),
        helper.make_node("Gather", ["at_middle", "any"], ["struck"], axis=2),
        helper.make_node(
            "Concat",
            ["lines", {"beats": "column", "pattern": "struck"}.get(leave, leave), "unlikely"],
            ["logits"],
            axis=2,
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "nearest",
        [helper.make_tensor_value_info(name, told, [1, "hits", *shape]) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("logits", told, [1, "hits", ANSWERS])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if temperature is not None:
        helper.set_model_props(model, {"temperature": temperature})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def model(temperature: str | None = None, leave: str = "unlikely") -> GridNetModel:
    return GridNetModel(network(temperature, leave), threads=1)


def played(hits: int, seed: int = 0, spread_samples: float = 100.0) -> list[Hit]:
    """Sixteenths at 120 BPM, 1000 samples apart."""
    late = np.random.default_rng(seed).normal(0.0, spread_samples, hits)
    onsets = np.sort(np.rint(np.arange(1, hits + 1) * 1_000 + late).astype(np.int64))
    return [Hit(int(onset), 0, Piece.SNARE, 0.9, 1.0) for onset in onsets]


def tokens_of(hits: list[Hit]) -> GridTokens:
    return grid_tokens(Struck.of(hits, RATE), TEMPO, Grid())


def logits_of(log_probabilities: FloatArray, tokens: GridTokens) -> FloatArray:
    """Logits as the network gave them, but for one number a hit, which the first line's tells."""
    first_line = -STEEP * np.abs(tokens.candidates[:, 0, LATE_FEATURE])
    return log_probabilities - log_probabilities[:, :1] + first_line[:, None]


@settings(max_examples=10)
@given(hits=st.sampled_from([0, 1, BLOCK_HITS - 1, BLOCK_HITS, BLOCK_HITS + 1, 3 * BLOCK_HITS + 5]))
def test_every_hit_is_answered_once_whatever_the_blocks(hits: int) -> None:
    tokens = tokens_of(played(hits))
    answers = model()(tokens)
    assert answers.shape == (hits, ANSWERS)
    np.testing.assert_allclose(np.exp(answers).sum(axis=1), 1.0)
    far = np.abs(tokens.candidates[:, :, LATE_FEATURE])
    np.testing.assert_allclose(logits_of(answers, tokens)[:, :CANDIDATES], -STEEP * far, atol=1e-4)
    np.testing.assert_allclose(logits_of(answers, tokens)[:, ORNAMENT], UNLIKELY, atol=1e-4)


def test_a_block_hears_the_hits_around_it_and_beats_from_the_first_of_them() -> None:
    tokens = tokens_of(played(2 * BLOCK_HITS + 10))
    heard = logits_of(model(leave="beats")(tokens), tokens)[:, LEAVE]
    for block in range(3):
        own = slice(block * BLOCK_HITS, (block + 1) * BLOCK_HITS)
        first = max(0, block * BLOCK_HITS - CONTEXT_HITS)
        np.testing.assert_allclose(heard[own], tokens.beats[own] - tokens.beats[first], atol=1e-3)


def test_the_second_pass_hears_what_the_first_answered_for_all_hits() -> None:
    tokens = tokens_of(played(2 * BLOCK_HITS))
    expected = tokens.pattern(softmax(model(leave="pattern")._logits(tokens, no_pattern(tokens)), axis=1))
    heard = logits_of(model(leave="pattern")(tokens), tokens)[:, LEAVE]
    np.testing.assert_allclose(heard, expected[:, CANDIDATES // 2, 1], atol=1e-4)
    assert heard.min() > 0.1


def no_pattern(tokens: GridTokens) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.zeros((len(tokens.beats), CANDIDATES, PATTERN_FEATURES), np.float32)


@pytest.mark.parametrize("temperature", ["0.5", "2.0"])
def test_logits_are_divided_by_the_temperature_of_the_file(temperature: str) -> None:
    tokens = tokens_of(played(20))
    plain, tempered = model("1.0")(tokens), model(temperature)(tokens)
    np.testing.assert_array_equal(plain, model()(tokens))
    ratio = np.diff(plain[:, :CANDIDATES], axis=1) / np.diff(tempered[:, :CANDIDATES], axis=1)
    np.testing.assert_allclose(ratio, float(temperature), rtol=1e-3)


@pytest.mark.parametrize("temperature", ["0", "-1", "nan", "warm"])
def test_an_impossible_temperature_is_refused(temperature: str) -> None:
    with pytest.raises(InputError, match="no GridNet"):
        model(temperature)


@pytest.mark.parametrize("weights", [b"", b"no network", load_weights("refiner.onnx")])
def test_other_weights_are_refused(weights: bytes) -> None:
    with pytest.raises(InputError, match="no GridNet"):
        GridNetModel(weights)


@given(hits=st.integers(0, 40), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_nearness_alone_claims_the_nearest_lines(hits: int, seed: int) -> None:
    performance = played(hits, seed)
    claims = gridnet_claims(performance, RATE, TEMPO, Grid(), model=model())
    nearest = nearest_line_claims(performance, RATE, TEMPO, Grid())
    assert [(claim.members, claim.line_beats) for claim in claims] == [
        (claim.members, claim.line_beats) for claim in nearest
    ]


# The shipped network.


@pytest.fixture(scope="module")
def neural_plan(demo_take: Take, demo_tempo: TempoRequest) -> EditPlan:
    return BeatDetective(engine=Engine.NEURAL).plan(demo_take, demo_tempo)


def test_the_shipped_network_says_how_sure_it_is_and_what_came_next(neural_plan: EditPlan) -> None:
    sure = np.array([move.line_confidence for move in neural_plan.moves])
    assert ((sure >= 0.0) & (sure <= 1.0)).all()
    assert np.median(sure) > 0.9
    for move in neural_plan.moves:
        assert move.runner_up_beats is not None
        assert move.runner_up_beats != move.line_beats or Flag.CROWDED in move.flags


def test_the_shipped_network_sends_even_playing_to_its_lines() -> None:
    claims = gridnet_claims(played(64, spread_samples=40.0), RATE, TEMPO, Grid(), model=shipped_gridnet())
    assert [claim.line_beats for claim in claims] == pytest.approx((0.25 * np.arange(1, 65)).tolist())


@pytest.mark.parametrize("hits", [1, 2, BLOCK_HITS + 1])
def test_the_shipped_network_answers_any_number_of_hits(hits: int) -> None:
    answers = shipped_gridnet()(tokens_of(played(hits)))
    assert answers.shape == (hits, ANSWERS)
    np.testing.assert_allclose(np.exp(answers).sum(axis=1), 1.0, atol=1e-6)


def test_the_shipped_weights_are_a_trained_networks() -> None:
    assert len(load_weights("gridnet.onnx")) > 100_000
