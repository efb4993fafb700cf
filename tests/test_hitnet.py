"""HitNet: any number of channels in any order, a bounded view, the same in ONNX; hits of any take, block by block."""

import copy
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from typing_extensions import override

from beatnet_align.collection import OnsetSettings
from beatnet_align.demo import demo_folder
from beatnet_align.errors import InputError
from beatnet_align.hit_decoding import FoundHit, Thresholds
from beatnet_align.hit_features import FEATURES, FRAME_SECONDS, LEVEL_FEATURES, Features
from beatnet_align.hit_outputs import CHANNEL_ROWS, GROUP, HIT, HIT_OFFSET, OWN, PIECE_GROUPS, TAKE_ROWS
from beatnet_align.hit_refiner import WEIGHTS_NAME
from beatnet_align.hitnet import BLOCK_SECONDS, CONTEXT_SECONDS, GATE_DB, Decoding, HitNetModel, find_hits
from beatnet_align.hits import Hit, Piece
from beatnet_align.onnx_networks import load_weights
from beatnet_align.roles import Role
from beatnet_align.take import Take, take_from_array
from beatnet_align.travel import EXTRA_TRAVEL_SECONDS
from beatnet_align.units import Float32Array
from models.export import export_hitnet
from models.hitnet import RARE_LOGIT, HitNet
from models.hitnet_parts import DilatedConvolutions, FrameNorm, NearbyAttention
from models.leaner import leaner

Outputs = tuple[torch.Tensor, torch.Tensor]

BODIES = ("dilated", "nearby")
STEM_REACH, MIXING_REACH, HEADS_REACH = 2 + 1 + 2, 1, 1 + 1
BODY_REACH = {"dilated": 1 + 2, "nearby": 2 * (8 + 1)}
HELD_OUT = Path(__file__).parents[1] / "models" / "held_out" / "hitnet.onnx"
RATES_HZ = (22_050, 44_100, 48_000, 96_000, 44_101)
OPEN = Decoding(Thresholds(0.018, 0.018), (0.8, 0.1), (0.9, -0.2))
"""Thresholds about where an untrained network's outputs lie, so that it finds something."""


@lru_cache(maxsize=2)
def small_network(body: str) -> HitNet:
    torch.manual_seed(0)
    follows: nn.Module = (
        DilatedConvolutions(16, dilations=(1, 2)) if body == "dilated" else NearbyAttention(16, 2, 2, reach_frames=8)
    )
    return HitNet(follows, stem_width=8, stem_dilations=(1, 2), mixing_rounds=1).eval()


def some_features(channels: int, frames: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(1, channels, frames, FEATURES))).float()


def some_roles(channels: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(len(Role), size=(1, channels)))


def heard(net: HitNet, features: torch.Tensor, roles: torch.Tensor, present: torch.Tensor | None = None) -> Outputs:
    with torch.inference_mode():
        take, channels = net(features, roles, present)
    return take, channels


def assert_close(one: torch.Tensor, other: torch.Tensor, atol: float = 1e-4) -> None:
    torch.testing.assert_close(one, other, atol=atol, rtol=0.0)


def trained_looking(body: str) -> HitNet:
    """A network none of whose gains and slopes is as it began; some slopes are over 1."""
    net = copy.deepcopy(small_network(body))
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, FrameNorm):
            assert module.gain is not None
            module.gain.data.uniform_(-1.5, 1.5)
        elif isinstance(module, nn.PReLU):
            module.weight.data.uniform_(-0.5, 1.0)
    [*_, last] = [module for module in net.modules() if isinstance(module, nn.PReLU)]
    last.weight.data[3] = 1.5
    return net


@pytest.fixture(scope="module", params=BODIES)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """An untrained network as a file, and which body it has."""
    path = tmp_path_factory.mktemp("exported") / "weights" / "hitnet.onnx"
    export_hitnet(small_network(request.param), OPEN, path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return request.param, path.read_bytes()


@pytest.fixture(scope="module")
def untrained(exported: tuple[str, bytes]) -> HitNetModel:
    return HitNetModel(exported[1], threads=1)


class LevelRises(HitNetModel):
    """In the network's place: a hit of a group wherever the loudest channel's level rises by 20 dB in a frame."""

    def __init__(self, group: str = "snare") -> None:
        self.decoding = Decoding()
        self.group = list(PIECE_GROUPS).index(group)

    @override
    def __call__(self, features: Features, roles: Sequence[Role]) -> tuple[Float32Array, Float32Array]:
        levels = features[:, :, :LEVEL_FEATURES]
        loudest = levels.max(axis=(0, 2))
        rise = np.diff(loudest, prepend=loudest[:1])
        frames = features.shape[1]
        take, channels = np.zeros((TAKE_ROWS, frames)), np.zeros((len(features), CHANNEL_ROWS, frames))
        take[HIT] = 10.0 * (rise - 1.0)
        take[HIT_OFFSET] = (levels.max(axis=0).argmax(axis=1) + 0.5) / LEVEL_FEATURES - 0.5
        take[GROUP] = -9.0
        take[GROUP][self.group] = take[HIT]
        channels[:, OWN] = levels.max(axis=2)[:, None]
        return take.astype(np.float32), channels.astype(np.float32)


class Deaf(LevelRises):
    """In the network's place: nothing is a hit."""

    @override
    def __call__(self, features: Features, roles: Sequence[Role]) -> tuple[Float32Array, Float32Array]:
        take, channels = super().__call__(features, roles)
        take[HIT] = take[GROUP] = -9.0
        return take, channels


def clicks(seconds: Sequence[float], sample_rate: int, length_seconds: float, level: float = 0.5) -> Float32Array:
    """[samples]: tones of a kilohertz that begin at once and last 2 ms, 60 dB over steady noise."""
    audio = 1e-3 * np.random.default_rng(7).normal(size=round(length_seconds * sample_rate))
    for at in seconds:
        samples = np.arange(np.ceil(at * sample_rate), min(len(audio), (at + 0.02) * sample_rate)).astype(np.int64)
        after = samples / sample_rate - at
        audio[samples] += np.cos(2_000.0 * np.pi * after) * np.exp(-after / 0.002)
    return np.asarray(level * audio, np.float32)


def hits_of(take: Take, model: HitNetModel | None = None, settings: OnsetSettings | None = None) -> list[Hit]:
    return find_hits(take, settings, model=model or LevelRises(), refine=False)


# The network.


@pytest.mark.parametrize("body", BODIES)
@given(channels=st.integers(1, 6), frames=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=8)
def test_channels_may_come_in_any_order(body: str, channels: int, frames: int, seed: int) -> None:
    features, roles = some_features(channels, frames, seed), some_roles(channels, seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(channels))
    take, told = heard(small_network(body), features, roles)
    assert take.shape == (1, TAKE_ROWS, frames)
    assert told.shape == (1, channels, CHANNEL_ROWS, frames)
    take_again, told_again = heard(small_network(body), features[:, order], roles[:, order])
    assert_close(take_again, take)
    assert_close(told_again, told[:, order])


@pytest.mark.parametrize("body", BODIES)
@given(channels=st.integers(1, 4), absent=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=8)
def test_channels_that_are_not_there_change_nothing(body: str, channels: int, absent: int, seed: int) -> None:
    features, roles = some_features(channels + absent, 20, seed), some_roles(channels + absent, seed)
    present = torch.arange(channels + absent)[None] < channels
    take, told = heard(small_network(body), features[:, :channels], roles[:, :channels])
    take_padded, told_padded = heard(small_network(body), features, roles, present)
    assert_close(take_padded, take)
    assert_close(told_padded[:, :channels], told)


@pytest.mark.parametrize("body", BODIES)
@given(change=st.integers(30, 60), seed=st.integers(0, 99))
@settings(max_examples=8)
def test_what_is_far_away_does_not_matter(body: str, change: int, seed: int) -> None:
    features, roles = some_features(2, 100, seed), some_roles(2, seed)
    changed = features.clone()
    changed[:, :, change:] = some_features(2, 100 - change, seed + 100)
    reach = STEM_REACH + MIXING_REACH + BODY_REACH[body] + HEADS_REACH
    for plain, other in zip(
        heard(small_network(body), features, roles), heard(small_network(body), changed, roles), strict=True
    ):
        assert_close(other[..., : change - reach], plain[..., : change - reach], atol=1e-5)
        assert (other[..., change:] - plain[..., change:]).abs().max() > 1e-3


@pytest.mark.parametrize("body", [DilatedConvolutions(), NearbyAttention()])
def test_networks_of_the_shipped_size_see_no_further_than_a_block_s_context(body: nn.Module) -> None:
    frames = 800
    features = some_features(1, frames, 0).requires_grad_()
    take, channels = HitNet(body, stem_width=8).eval()(features, some_roles(1, 0), torch.ones(1, 1, dtype=torch.bool))
    (take[..., frames // 2].sum() + channels[..., frames // 2].sum()).backward()
    assert features.grad is not None
    seen = np.flatnonzero(features.grad.abs().sum(dim=(0, 1, 3)).numpy())
    assert 10 < seen.max() - frames // 2 < CONTEXT_SECONDS / FRAME_SECONDS
    assert 10 < frames // 2 - seen.min() < CONTEXT_SECONDS / FRAME_SECONDS


def test_one_channel_among_others_hears_them() -> None:
    features, roles = some_features(3, 30, 0), some_roles(3, 0)
    changed = features.clone()
    changed[:, 2] = some_features(1, 30, 1)[:, 0]
    for plain, other in zip(
        heard(small_network("dilated"), features, roles), heard(small_network("dilated"), changed, roles), strict=True
    ):
        assert (plain - other).abs().max() > 1e-3
    assert not torch.equal(heard(small_network("dilated"), features, (roles + 1) % len(Role))[0], plain)


def test_an_untrained_network_thinks_that_hits_are_rare() -> None:
    take, channels = heard(small_network("dilated"), some_features(2, 50, 0), some_roles(2, 0))
    assert abs(float(take[:, HIT].mean()) - RARE_LOGIT) < 1.0
    assert abs(float(channels[:, :, OWN].mean()) - RARE_LOGIT) < 1.0


# The exported network.


@pytest.mark.parametrize(("channels", "frames"), [(1, 1), (4, 1), (1, 37), (3, 200), (32, 20), (2, 300)])
def test_the_exported_network_computes_what_torch_does(
    exported: tuple[str, bytes], untrained: HitNetModel, channels: int, frames: int
) -> None:
    features, roles = some_features(channels, frames, channels), some_roles(channels, frames)
    expected = heard(small_network(exported[0]), features, roles)
    found = untrained(features[0].numpy(), [tuple(Role)[role] for role in roles[0].tolist()])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("body", BODIES)
def test_what_is_rewritten_for_speed_computes_the_same(body: str) -> None:
    net = trained_looking(body)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    lean = leaner(net)
    assert [float(layer.weight.detach().max()) for layer in lean.modules() if isinstance(layer, nn.PReLU)] == [1.5]
    for one, other in zip(
        heard(lean, some_features(3, 20, 0), some_roles(3, 0)),
        heard(net, some_features(3, 20, 0), some_roles(3, 0)),
        strict=True,
    ):
        assert_close(one, other)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0.0, atol=0.0)


def test_decoding_travels_with_the_weights(untrained: HitNetModel) -> None:
    assert untrained.decoding == OPEN
    assert Decoding.from_json(Decoding().to_json()) == Decoding()


@pytest.mark.parametrize("content", [b"", b"something else"])
def test_files_of_another_kind_are_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="no HitNet"):
        HitNetModel(content)


def test_another_network_is_refused() -> None:
    refiner = files("beatnet_align").joinpath("weights", WEIGHTS_NAME).read_bytes()
    with pytest.raises(InputError, match="no HitNet"):
        HitNetModel(refiner)


@given(low=st.floats(0.0, 1.0), high=st.floats(0.0, 1.0), trained=st.floats(0.15, 0.65))
def test_more_sensitivity_asks_for_less(low: float, high: float, trained: float) -> None:
    decoding = Decoding(Thresholds(trained))
    low, high = sorted([low, high])
    assert decoding.at(high).hit <= decoding.at(low).hit + 1e-6
    assert decoding.at(0.5).hit == pytest.approx(trained, abs=1e-5)
    assert 0.0 < decoding.at(low).hit < 1.0


@given(hit=st.floats(-90.0, 90.0), group=st.floats(-90.0, 90.0))
def test_confidence_is_a_probability_of_the_hit_and_its_piece(hit: float, group: float) -> None:
    known, unknown = (FoundHit(1.0, 1, piece, 0, 0.5, hit, group) for piece in (Piece.SNARE, Piece.UNKNOWN))
    assert 0.0 <= OPEN.confidence(known) <= OPEN.confidence(unknown) <= 1.0


# Hits of a take.


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_silence_has_no_hits(exported: tuple[str, bytes], level: float) -> None:
    model = HitNetModel(exported[1], threads=1)
    model.decoding = Decoding()
    silence = take_from_array(np.full((3, 100_000), level, np.float32), 44_100)
    assert find_hits(silence, model=model) == []
    assert hits_of(silence) == []


@pytest.mark.parametrize("rate", RATES_HZ)
@pytest.mark.parametrize("samples", [1, 100, 301, 20_001])
def test_any_length_and_rate_will_do(untrained: HitNetModel, rate: int, samples: int) -> None:
    audio = np.random.default_rng(0).normal(0.0, 0.1, (2, samples)).astype(np.float32)
    progress: list[int] = []
    hits = find_hits(take_from_array(audio, rate), None, progress.append, model=untrained)
    assert sum(progress) == samples
    assert hits == sorted(hits)
    for hit in hits:
        assert 0 <= hit.onset_samples < samples
        assert hit.channel in {0, 1}
        assert 0.0 < hit.velocity <= 1.0
        assert 0.0 <= hit.confidence <= 1.0


@pytest.mark.parametrize("channels", [1, 2, 7, 32])
def test_any_number_of_channels_will_do(untrained: HitNetModel, channels: int) -> None:
    audio = np.random.default_rng(0).normal(0.0, 0.1, (channels, 30_000)).astype(np.float32)
    hits = find_hits(take_from_array(audio, 44_100), model=untrained)
    assert hits
    assert {hit.channel for hit in hits} <= set(range(channels))


@pytest.mark.parametrize("rate", RATES_HZ)
@pytest.mark.parametrize("block_seconds", [1.0, BLOCK_SECONDS])
def test_clicks_are_found_when_they_sound(rate: int, block_seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beatnet_align.hitnet.BLOCK_SECONDS", block_seconds)
    monkeypatch.setattr("beatnet_align.hitnet.CONTEXT_SECONDS", 0.5)
    seconds = np.cumsum(np.random.default_rng(1).uniform(0.08, 0.3, 15))
    take = take_from_array(clicks(seconds.tolist(), rate, seconds[-1] + 0.1)[None], rate)
    progress: list[int] = []
    hits = find_hits(take, None, progress.append, model=LevelRises(), refine=False)
    found = np.array([hit.onset_samples for hit in hits]) / rate
    np.testing.assert_allclose(found, seconds, atol=0.0015)
    assert {hit.piece for hit in hits} == {Piece.SNARE}
    assert sum(progress) == take.samples


@given(lengths=st.tuples(st.floats(0.6, 4.0), st.floats(0.1, 1.0)), seed=st.integers(0, 99))
@settings(max_examples=8)
def test_blocks_of_any_length_find_the_same(lengths: tuple[float, float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    seconds = np.cumsum(rng.uniform(0.08, 0.3, 25))
    turns = [clicks(seconds[first::2].tolist(), 44_100, seconds[-1] + 0.1) for first in (0, 1)]
    take = take_from_array(np.stack(turns), 44_100)
    whole = hits_of(take)
    assert len(whole) == len(seconds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("beatnet_align.hitnet.BLOCK_SECONDS", lengths[0])
        patch.setattr("beatnet_align.hitnet.CONTEXT_SECONDS", lengths[1])
        in_blocks = hits_of(take)
    assert [hit.channel for hit in in_blocks] == [hit.channel for hit in whole]
    np.testing.assert_array_equal([h.onset_samples for h in in_blocks], [h.onset_samples for h in whole])


def test_the_refiner_times_what_was_found(demo_take: Take) -> None:
    truth = json.loads((demo_folder() / "truth.json").read_text())["hits"]
    medians_seconds: list[float] = []
    for refine in (False, True):
        errors = []
        for hit in find_hits(demo_take, model=LevelRises(), refine=refine):
            name, at_seconds = demo_take.channels[hit.channel].name, hit.onset_samples / demo_take.sample_rate
            own = [abs(one["performed_seconds"] - at_seconds) for one in truth if one["close"] == name]
            errors += [error for error in own if error < 0.003]
        assert len(errors) > 15
        medians_seconds.append(float(np.median(errors)))
    network_seconds, refined_seconds = medians_seconds
    assert refined_seconds < 0.0001
    assert network_seconds > 0.0003


@pytest.mark.parametrize(("name", "counts"), [("Kick", True), ("Overhead", False)])
def test_what_leaps_in_a_close_microphone_counts_but_not_all_that_leaps_where_nobody_plays(
    name: str, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beatnet_align.hitnet.BLOCK_SECONDS", 2.0)
    monkeypatch.setattr("beatnet_align.hitnet.CONTEXT_SECONDS", 0.2)
    played, bumps = [0.5, 0.9, 1.3, 6.5], [3.1, 3.4]
    audio = clicks(played, 44_100, 8.0)
    audio[2 * 44_100 : 6 * 44_100] += clicks([bump - 2.0 for bump in bumps], 44_100, 4.0, 0.02)
    found = hits_of(take_from_array(audio[None], 44_100, [name]), Deaf())
    np.testing.assert_allclose(
        [hit.onset_samples / 44_100 for hit in found], played if counts else [], atol=2 * FRAME_SECONDS
    )
    assert all(hit.confidence == found[0].confidence for hit in found)


def test_click_channels_are_not_heard() -> None:
    drums, other = clicks([0.2, 0.6], 44_100, 1.0), clicks([0.1, 0.4, 0.8], 44_100, 1.0, 0.9)
    alone = take_from_array(drums[None], 44_100, ["Snare"])
    beside = take_from_array(np.stack([other, drums]), 44_100, ["Click", "Snare"])
    assert [(hit.onset_samples, hit.channel) for hit in hits_of(beside)] == [
        (hit.onset_samples, 1) for hit in hits_of(alone)
    ]
    assert hits_of(take_from_array(other[None], 44_100, ["Click"])) == []


def test_only_trigger_channels_are_heard() -> None:
    one, other = clicks([0.2], 44_100, 1.0), clicks([0.6], 44_100, 1.0)
    take = take_from_array(np.stack([one, other]), 44_100, ["Kick", "Snare"])
    assert [hit.channel for hit in hits_of(take)] == [0, 1]
    assert [hit.channel for hit in hits_of(take, settings=OnsetSettings(triggers=("Snare",)))] == [1]
    with pytest.raises(InputError, match="Cowbell"):
        hits_of(take, settings=OnsetSettings(triggers=("Cowbell",)))


@pytest.mark.parametrize(
    ("names", "earlier_seconds"),
    [
        (["Snare"], 0.0),
        (["Mix"], 0.0),
        (["Room"], 0.0),
        (["OH"], EXTRA_TRAVEL_SECONDS[Role.SNARE]),
        (["OH L", "Room", "Kick"], EXTRA_TRAVEL_SECONDS[Role.SNARE]),
        (["OH L", "Snare"], 0.0),
    ],
)
@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_snares_that_only_overheads_hear_were_struck_before_they_arrive(
    names: list[str], earlier_seconds: float, rate: int
) -> None:
    """The first channel hears them loudest and times them; what it hears at once was struck when the take began."""
    audio = clicks([0.0005, 0.3, 0.6], rate, 1.0)
    expected = [hit.onset_samples for hit in hits_of(take_from_array(audio[None], rate, ["Snare"]))]
    assert len(expected) > 1
    hits = hits_of(take_from_array(np.stack([audio, *[0.1 * audio] * (len(names) - 1)]), rate, names))
    assert {hit.channel for hit in hits} == {0}
    earlier = [max(0, onset - round(earlier_seconds * rate)) for onset in expected]
    np.testing.assert_allclose([hit.onset_samples for hit in hits], earlier, atol=1)


@pytest.mark.parametrize(
    ("group", "names", "channel"),
    [
        ("hihat", ["Snare", "Room", "OH"], 1),
        ("hihat", ["Tom", "Snare", "OH"], 2),
        ("ride", ["Snare", "HH", "OH"], 2),
        ("crash", ["Snare", "Ride", "OH"], 2),
        ("hihat", ["Snare", "HH", "OH"], 0),
        ("hihat", ["Snare", "Room"], 0),
        ("hihat", ["Mix", "Snare", "OH"], 0),
        ("snare", ["Tom", "Room", "OH"], 0),
    ],
)
def test_cymbals_without_a_microphone_are_not_those_of_another_piece_s(
    group: str, names: list[str], channel: int
) -> None:
    """All channels hear them alike: they are given to the first that may have them."""
    take = take_from_array(np.stack([clicks([0.3, 0.6], 44_100, 1.0)] * len(names)), 44_100, names)
    assert {hit.channel for hit in hits_of(take, LevelRises(group))} == {channel}


def test_a_take_without_its_snare_among_the_triggers_is_timed_by_overheads() -> None:
    one = clicks([0.2, 0.6], 44_100, 1.0)
    take = take_from_array(np.stack([one, one]), 44_100, ["OH", "Snare"])
    onsets, own_heard = (
        np.array([hit.onset_samples for hit in hits_of(take, settings=OnsetSettings(triggers=triggers))])
        for triggers in (("OH",), ("OH", "Snare"))
    )
    np.testing.assert_allclose(own_heard - onsets, round(EXTRA_TRAVEL_SECONDS[Role.SNARE] * 44_100), atol=1)


@pytest.mark.parametrize(("under_db", "hits"), [(GATE_DB - 6.0, 3), (GATE_DB + 6.0, 2)])
def test_what_is_far_under_its_channel_s_loudest_is_no_hit(under_db: float, hits: int) -> None:
    audio = clicks([0.2, 1.0], 44_100, 1.5)
    around = slice(22_050, 33_075)
    audio[around] = clicks([0.6], 44_100, 1.5, 0.5 * 10.0 ** (-under_db / 20.0))[around]
    assert len(hits_of(take_from_array(audio[None], 44_100))) == hits


@given(gains_db=st.tuples(st.floats(-30.0, 6.0), st.floats(-30.0, 6.0)))
@settings(max_examples=8)
def test_the_level_of_each_channel_does_not_matter(gains_db: tuple[float, float]) -> None:
    audio = np.stack([clicks([0.1, 0.6], 44_100, 0.8), clicks([0.35], 44_100, 0.8)])
    other = audio * np.float32(10.0) ** (np.array(gains_db, np.float32)[:, None] / 20.0)
    plain, changed = (hits_of(take_from_array(one, 44_100)) for one in (audio, other))
    assert [hit.channel for hit in plain] == [0, 1, 0]
    assert [(hit.onset_samples, hit.channel) for hit in changed] == [(hit.onset_samples, hit.channel) for hit in plain]


@pytest.mark.parametrize("name", ["hitnet.onnx", "refiner.onnx"])
def test_shipped_weights_name_no_source_file(name: str) -> None:
    assert b".py" not in load_weights(name)


def test_the_weights_that_figures_come_from_are_another_run_of_the_network(demo_take: Take) -> None:
    shipped, held_out = load_weights("hitnet.onnx"), HELD_OUT.read_bytes()
    assert shipped != held_out
    hits, others = (find_hits(demo_take, model=HitNetModel(one)) for one in (shipped, held_out))
    assert 0.9 < len(others) / len(hits) < 1.1


HATS = (Piece.HIHAT_CLOSED, Piece.HIHAT_OPEN, Piece.HIHAT_PEDAL)


def test_a_hat_in_the_snares_microphone_leads_no_kick(demo_take: Take) -> None:
    """Two hits of one velocity: what was struck decides, not where it was heard."""
    hits = find_hits(take_from_array(demo_take.read(0, demo_take.samples)[1:2], demo_take.sample_rate, ["snare_top"]))
    priority_db = {hit.piece: hit.salience - 20.0 * np.log10(hit.velocity) for hit in hits}
    hats_db = [db for piece, db in priority_db.items() if piece in HATS]
    assert hats_db and hats_db == pytest.approx([3.0] * len(hats_db), abs=0.5)
    assert priority_db[Piece.SNARE] == pytest.approx(12.0, abs=0.5)
