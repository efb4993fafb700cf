"""Engines by name, each with its own hit finder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align import collection, gridnet, hitnet, nearest_line
from beatnet_align.collection import OnsetSettings
from beatnet_align.engines import (
    DEFAULT_ENGINE,
    Engine,
    Positions,
    claim_maker,
    engine_called,
    find_hits,
    positions_called,
)
from beatnet_align.errors import InputError
from beatnet_align.take import Take, take_from_array

FINDERS = {Engine.NEURAL: hitnet.find_hits, Engine.ONSET_QUANTISE: collection.find_hits}


@pytest.mark.parametrize("engine", Engine)
def test_every_engine_is_found_by_its_name(engine: Engine) -> None:
    assert engine_called(str(engine)) is engine


@given(name=st.text().filter(lambda name: name not in set(Engine)))
def test_an_unknown_engine_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(InputError) as caught:
        engine_called(name)
    for engine in Engine:
        assert engine in str(caught.value)


@pytest.mark.parametrize("positions", Positions)
def test_every_way_of_choosing_positions_is_found_by_its_name(positions: Positions) -> None:
    assert positions_called(str(positions)) is positions


def test_unknown_positions_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"neural, nearest; found 'furthest'"):
        positions_called("furthest")


def test_every_engine_chooses_positions_in_its_own_way() -> None:
    makers = {engine: claim_maker(engine.positions) for engine in Engine}
    assert makers == {
        Engine.NEURAL: gridnet.gridnet_claims,
        Engine.ONSET_QUANTISE: nearest_line.nearest_line_claims,
    }


@pytest.mark.parametrize("settings", [None, OnsetSettings(0.8, triggers=("kick",))])
@pytest.mark.parametrize("engine", Engine)
def test_every_engine_hears_with_its_own_finder(
    engine: Engine, settings: OnsetSettings | None, demo_take: Take
) -> None:
    assert find_hits(demo_take, engine, settings) == FINDERS[engine](demo_take, settings)


def test_the_default_finder_is_the_default_engines(demo_take: Take) -> None:
    assert find_hits(demo_take) == find_hits(demo_take, DEFAULT_ENGINE)


@pytest.mark.parametrize("engine", Engine)
def test_progress_adds_up_to_the_take(engine: Engine, demo_take: Take) -> None:
    done: list[int] = []
    find_hits(demo_take, engine, progress=done.append)
    assert sum(done) == demo_take.samples


@pytest.mark.parametrize("engine", Engine)
def test_a_trigger_that_does_not_exist_is_refused(engine: Engine) -> None:
    take = take_from_array(np.zeros((1, 4410), np.float32), 44_100, ["kick"])
    with pytest.raises(InputError, match="tuba"):
        find_hits(take, engine, OnsetSettings(triggers=("tuba",)))
