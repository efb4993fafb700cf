"""What HitNet is taught: bumps, who times a hit, what is left open; the same wherever a crop begins."""

from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.hit_features import FEATURES
from beatnet_align.hit_outputs import GROUP_OF_PIECE, PIECE_GROUPS, PIECES, ROLES
from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from models.hit_pool import HitLabels
from models.hit_rises import AUDIBLE_DB
from models.hit_targets import (
    IGNORED_FRAMES,
    REACH_FRAMES,
    Targets,
    bumps,
    make_targets,
    reference_channels,
)
from models.hitnet_data import mixed_labels

LATTICE = 64
"""Times are whole 64ths of a frame, so that shifting them is exact."""

TAKE_FRAMES, CHANNELS = 120, 4
GROUPS = len(PIECE_GROUPS)
EVERY_CHANNEL = np.arange(CHANNELS)
DRUM_ROLES = np.array([ROLES.index(role) for role in (Role.KICK, Role.SNARE, Role.KICK, Role.OVERHEAD)])

lattice_onsets = st.lists(st.integers(-5 * LATTICE, 45 * LATTICE), max_size=12)


def random_labels(seed: int, hits: int = 12) -> HitLabels:
    """Hits all over a take, some unheard in some channels, no two arrivals of one at one time."""
    rng = np.random.default_rng(seed)
    onsets = rng.integers(0, TAKE_FRAMES * LATTICE, hits) / LATTICE
    reference = rng.integers(CHANNELS, size=hits)
    delays = np.array([1 + rng.permutation(2 * LATTICE)[:CHANNELS] for _ in range(hits)]).reshape(-1, CHANNELS)
    delays[np.arange(hits), reference] = 0
    arrivals = onsets[:, None] + delays / LATTICE
    unheard = rng.random((hits, CHANNELS)) < 0.2
    unheard[np.arange(hits), reference] = False
    return HitLabels(
        rng.integers(len(PIECES), size=hits),
        rng.random(hits).astype(np.float32),
        reference,
        rng.random(hits) < 0.6,
        onsets.astype(np.float32),
        np.where(unheard, np.nan, arrivals).astype(np.float32),
        np.where(unheard, np.nan, rng.uniform(0.0, 12.0, (hits, CHANNELS))).astype(np.float32),
        np.zeros(hits, np.bool_),
    )


def one_hit(onset: float, rises_db: list[float], delays: list[float], reference: int, *, own: bool) -> HitLabels:
    """A snare hit; ``delays`` are those of each channel, in frames."""
    return HitLabels(
        np.array([PIECES.index(Piece.SNARE)]),
        np.array([0.5], np.float32),
        np.array([reference]),
        np.array([own]),
        np.array([onset], np.float32),
        np.array([[onset + delay for delay in delays]], np.float32),
        np.array([rises_db], np.float32),
        np.zeros(1, np.bool_),
    )


def values(targets: Targets) -> dict[str, npt.NDArray[np.float32]]:
    return {field.name: getattr(targets, field.name) for field in fields(Targets)}


@given(steps=lattice_onsets)
def test_a_bump_is_highest_where_an_onset_is_nearest(steps: list[int]) -> None:
    onsets = (np.array(steps) / LATTICE).astype(np.float32)
    value, offset = bumps(onsets, 40)
    middles = np.arange(40) + 0.5
    distance = np.abs(onsets[None] - middles[:, None]).min(axis=1, initial=np.inf)
    known = np.isfinite(offset)
    np.testing.assert_array_equal(known, distance <= REACH_FRAMES)
    np.testing.assert_array_equal(np.abs(offset[known]), distance[known])
    assert np.isin(middles[known] + offset[known], onsets).all()
    assert not value[~known].any()
    order = np.argsort(distance[known])
    assert (np.diff(value[known][order]) <= 1e-7).all()
    assert ((value >= 0.0) & (value <= 1.0)).all()


@given(steps=lattice_onsets, seed=st.integers(0, 99))
def test_the_order_of_onsets_does_not_matter(steps: list[int], seed: int) -> None:
    onsets = (np.array(steps) / LATTICE).astype(np.float32)
    shuffled = np.random.default_rng(seed).permutation(onsets)
    for one, other in zip(bumps(onsets, 40), bumps(shuffled, 40), strict=True):
        np.testing.assert_array_equal(np.abs(one), np.abs(other))  # as far before one as behind another is a tie


def test_an_onset_in_the_middle_of_a_frame_gives_one() -> None:
    value, offset = bumps(np.array([7.5], np.float32), 12)
    assert (value[7], offset[7]) == (1.0, 0.0)
    assert (offset[6], offset[8]) == (1.0, -1.0)


@given(seed=st.integers(0, 999), start=st.integers(0, 60), frames=st.integers(1, 60))
@settings(max_examples=50)
def test_a_crop_is_taught_what_the_whole_take_is(seed: int, start: int, frames: int) -> None:
    labels = random_labels(seed)
    whole = values(make_targets(labels, DRUM_ROLES, EVERY_CHANNEL, 0, TAKE_FRAMES))
    cropped = values(make_targets(labels, DRUM_ROLES, EVERY_CHANNEL, start, frames))
    for name, value in cropped.items():
        np.testing.assert_array_equal(value, whole[name][..., start : start + frames], err_msg=name)


@given(seed=st.integers(0, 999), order=st.permutations(range(CHANNELS)), kept=st.integers(1, CHANNELS))
@settings(max_examples=50)
def test_channels_may_come_in_any_order(seed: int, order: list[int], kept: int) -> None:
    labels, channels = random_labels(seed), np.sort(np.array(order[:kept]))
    permuted = np.array(order[:kept])
    plain = values(make_targets(labels, DRUM_ROLES, channels, 0, TAKE_FRAMES))
    moved = values(make_targets(labels, DRUM_ROLES, permuted, 0, TAKE_FRAMES))
    places = np.searchsorted(channels, permuted)
    for name, value in plain.items():
        of_channels = name.startswith(("heard", "own"))
        np.testing.assert_array_equal(moved[name], value[places] if of_channels else value, err_msg=name)


@given(seed=st.integers(0, 999), kept=st.permutations(range(CHANNELS)), count=st.integers(1, CHANNELS))
@settings(max_examples=50)
def test_targets_have_their_shapes_and_ranges(seed: int, kept: list[int], count: int) -> None:
    channels = np.array(kept[:count])
    targets = make_targets(random_labels(seed), DRUM_ROLES, channels, 10, 50)
    assert targets.hit.shape == targets.hit_weight.shape == targets.hit_offset.shape == (50,)
    assert targets.group.shape == targets.group_weight.shape == targets.velocity.shape == (GROUPS, 50)
    assert targets.piece.shape == (len(PIECES), 50)
    assert targets.heard.shape == targets.heard_weight.shape == targets.heard_offset.shape == (count, 50)
    assert targets.own.shape == targets.own_weight.shape == (count, GROUPS, 50)
    for name, value in values(targets).items():
        known = value[np.isfinite(value)]
        if name.endswith("offset"):
            assert (np.abs(known) <= REACH_FRAMES).all()
        else:
            assert ((known >= 0.0) & (known <= 1.0)).all()
            assert name in {"velocity", "piece"} or np.isfinite(value).all()
    np.testing.assert_array_equal(targets.hit, targets.group.max(axis=0))
    assert (targets.own <= targets.group[None]).all()


def test_no_hits_are_taught_as_none() -> None:
    targets = make_targets(random_labels(0, hits=0), DRUM_ROLES, EVERY_CHANNEL, 0, 20)
    assert not targets.hit.any()
    assert not targets.own.any()
    assert targets.hit_weight.all()
    assert targets.heard_weight.all()
    assert np.isnan(targets.hit_offset).all()


@given(seed=st.integers(0, 999), kept=st.permutations(range(CHANNELS)), count=st.integers(1, CHANNELS))
@settings(max_examples=50)
def test_the_own_channel_times_a_hit_or_else_the_earliest(seed: int, kept: list[int], count: int) -> None:
    labels, channels = random_labels(seed), np.array(kept[:count])
    audible = np.nan_to_num(labels.rise_db[:, channels]) >= AUDIBLE_DB
    found = reference_channels(labels, channels, audible)
    for hit, place in enumerate(found):
        if labels.reference[hit] in channels:
            assert channels[place] == labels.reference[hit]
        elif audible[hit].any():
            assert audible[hit, place]
            arrivals = labels.arrival_frames[hit, channels]
            assert arrivals[place] == arrivals[audible[hit]].min()
        else:
            assert place == -1


def test_the_onset_is_that_of_the_channel_that_times_it() -> None:
    labels = one_hit(10.5, [9.0, 9.0, 2.0, 9.0], [3.0, 0.0, 1.0, 2.0], reference=1, own=True)
    for channels, onset in (([0, 1, 3], 10.5), ([0, 3], 12.5), ([0], 13.5), ([2, 0], 13.5)):
        targets = make_targets(labels, DRUM_ROLES, np.array(channels), 0, 30)
        assert targets.hit_offset[int(onset)] == 0.0
        assert targets.hit[int(onset)] == 1.0
        assert targets.group[GROUP_OF_PIECE[Piece.SNARE], int(onset)] == 1.0


def test_each_channel_hears_a_hit_when_it_arrives() -> None:
    labels = one_hit(10.5, [9.0, 9.0, 2.0, 9.0], [3.0, 0.0, 1.0, 2.0], reference=1, own=True)
    targets = make_targets(labels, DRUM_ROLES, EVERY_CHANNEL, 0, 30)
    assert [int(channel.argmax()) for channel in targets.heard[[0, 1, 3]]] == [13, 10, 12]
    assert not targets.heard[2].any()
    assert not targets.heard_weight[2, 11]
    assert targets.heard_weight[[0, 1, 3]].all()


def test_nothing_is_learned_around_what_nobody_hears() -> None:
    labels = one_hit(15.5, [1.0] * CHANNELS, [0.0, 1.0, 2.0, 3.0], reference=0, own=True)
    targets = make_targets(labels, DRUM_ROLES, EVERY_CHANNEL, 0, 40)
    assert not targets.hit.any()
    ignored = np.flatnonzero(targets.hit_weight == 0.0)
    assert ignored.min() == int(15.5 - IGNORED_FRAMES)
    assert ignored.max() == int(15.5 + IGNORED_FRAMES)
    snare = GROUP_OF_PIECE[Piece.SNARE]
    assert np.flatnonzero((targets.group_weight == 0.0).any(axis=1)).tolist() == [snare]
    assert not targets.own.any()
    assert np.isnan(targets.velocity).all()


def test_an_audible_hit_counts_even_beside_one_that_nobody_hears() -> None:
    quiet = one_hit(15.5, [1.0] * CHANNELS, [0.0] * CHANNELS, reference=0, own=True)
    loud = one_hit(17.5, [9.0] * CHANNELS, [0.0] * CHANNELS, reference=0, own=True)
    both = HitLabels(*(np.concatenate([getattr(one, f.name) for one in (quiet, loud)]) for f in fields(HitLabels)))
    targets = make_targets(both, DRUM_ROLES, EVERY_CHANNEL, 0, 40)
    assert targets.hit[17] == targets.hit_weight[17] == 1.0
    assert targets.hit_weight[15] == 0.0


def test_siblings_of_the_own_microphone_are_left_open() -> None:
    labels = one_hit(10.5, [9.0] * CHANNELS, [0.0] * CHANNELS, reference=0, own=True)
    targets = make_targets(labels, DRUM_ROLES, EVERY_CHANNEL, 0, 20)
    weight, own = targets.own_weight[:, 1, 10], targets.own[:, 1, 10]
    assert own.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert weight.tolist() == [1.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize(("delay", "weight"), [(0.25, 0.0), (2.0, 1.0)])
def test_without_an_own_microphone_only_channels_that_hear_it_at_once_are_left_open(
    delay: float, weight: float
) -> None:
    labels = one_hit(10.5, [9.0] * CHANNELS, [0.0, 0.0, delay, 0.0], reference=0, own=False)
    targets = make_targets(labels, DRUM_ROLES, EVERY_CHANNEL, 0, 20)
    assert targets.own_weight[:, 1, 10].tolist() == [1.0, 1.0, weight, 1.0]


@given(seed=st.integers(0, 99), start=st.integers(0, 60))
@settings(max_examples=20)
def test_in_a_mix_every_hit_is_where_its_own_microphone_hears_it(seed: int, start: int) -> None:
    labels = random_labels(seed)
    features_db = np.random.default_rng(seed).normal(-60.0, 1.0, (40, FEATURES)).astype(np.float32)
    mixed = mixed_labels(labels, features_db, start)
    np.testing.assert_array_equal(mixed.arrival_frames[:, 0], labels.onset_frames)
    np.testing.assert_array_equal(mixed.onset_frames, labels.onset_frames)
    assert not mixed.reference.any()
    assert not mixed.is_own.any()
    assert mixed.rise_db.shape == (len(labels.piece), 1)
    outside = (labels.onset_frames < start) | (labels.onset_frames >= start + 40)
    assert not mixed.rise_db[outside].any()


@pytest.mark.parametrize(("step_db", "audible"), [(0.0, False), (20.0, True), (-20.0, False)])
def test_in_a_mix_a_hit_is_audible_where_the_mix_rises(step_db: float, audible: bool) -> None:
    labels = replace(one_hit(22.25, [0.0] * CHANNELS, [0.0] * CHANNELS, 0, own=True))
    features_db = np.full((40, FEATURES), -60.0, np.float32)
    features_db[12:] += np.float32(step_db)
    rise = float(mixed_labels(labels, features_db, 10).rise_db[0, 0])
    assert rise == pytest.approx(max(0.0, step_db))
    assert (rise >= AUDIBLE_DB) is audible
