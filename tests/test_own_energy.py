"""Which hits of a generated target can be heard where they are scored."""

from dataclasses import replace

import numpy as np
import pytest

from beatnet_align.units import FloatArray
from datagen.config import DatasetConfig, Sources, Split, TimingPreset
from datagen.example import Example, ExampleMaker
from datagen.recorded.recording import RecordingRanges

PLAIN = DatasetConfig(
    name="own",
    seed=4,
    seconds=4.0,
    bars=2,
    channels=(5, 5),
    clean_probability=0.0,
    drop_channel_probability=0.0,
    timing_preset=TimingPreset.HUMAN,
    recording=RecordingRanges(mono_probability=0.0, stereo_probability=0.0),
    test=Sources(2, ("synth3",), groove_probability=0.0),
)
MONO = replace(PLAIN, recording=replace(PLAIN.recording, mono_probability=1.0))
NOISY = replace(PLAIN, recording=replace(PLAIN.recording, noise_floor_db=(-22.0, -20.0), peak_db=(-18.0, -18.0)))


def made(config: DatasetConfig, index: int = 0) -> Example:
    return ExampleMaker(config).make(Split.TEST, index, scored=True)


def energies(*examples: Example) -> FloatArray:
    return np.array([hit["own_energy"] for example in examples for hit in example.truth["hits"]])


def test_every_hit_has_a_share_and_kicks_have_their_microphone_to_themselves() -> None:
    example = made(PLAIN)
    shares = energies(example)
    assert ((shares >= 0.0) & (shares <= 1.0)).all()
    kicks = [hit["piece"] == "kick" for hit in example.truth["hits"]]
    assert np.median(shares[kicks]) > 0.8


def test_in_a_mono_mix_others_drown_what_its_own_microphone_heard() -> None:
    plain, mono = (energies(*(made(config, index) for index in (0, 1))) for config in (PLAIN, MONO))
    assert np.mean(mono >= 0.5) < np.mean(plain >= 0.5) - 0.1


def test_noise_drowns_soft_hits() -> None:
    assert np.mean(energies(made(NOISY)) >= 0.5) < np.mean(energies(made(PLAIN)) >= 0.5)


def test_it_is_counted_only_when_asked_for() -> None:
    example = ExampleMaker(PLAIN).make(Split.TEST, 0)
    assert not any("own_energy" in hit for hit in example.truth["hits"])


@pytest.mark.parametrize("config", [PLAIN, MONO], ids=["stems", "mono"])
def test_nothing_else_depends_on_it(config: DatasetConfig) -> None:
    one, other = (ExampleMaker(config).make(Split.TEST, 0, scored=scored) for scored in (False, True))
    np.testing.assert_array_equal(one.target, other.target)
    np.testing.assert_array_equal(one.take, other.take)
