"""Augmentation of features: nothing where nothing is asked for, the same for the same draw, sounds that only add."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.hit_features import FEATURES, FRAME_SECONDS, LEVEL_FEATURES, normalised, reference_db
from beatnet_align.hit_outputs import ROLES
from beatnet_align.roles import Role
from beatnet_align.units import Float32Array
from models.feature_augmentation import (
    BLOCK_SECONDS,
    NO_AUGMENTATION,
    FeatureAugmentation,
    augment,
    choose_channels,
    forget_roles,
    mix_down,
)

FAR = {ROLES.index(Role.OVERHEAD), ROLES.index(Role.ROOM)}

roles_of_takes = st.lists(st.integers(0, len(ROLES) - 1), min_size=1, max_size=12).map(np.array)
seeds = st.integers(0, 999)


def some_features(channels: int, seed: int, frames: int = 30) -> Float32Array:
    """Levels between −90 and −10 dB."""
    return np.random.default_rng(seed).uniform(-90.0, -10.0, (channels, frames, FEATURES)).astype(np.float32)


def drawing(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(channels=st.integers(1, 6), seed=seeds)
@settings(max_examples=20)
def test_no_augmentation_is_the_identity(channels: int, seed: int) -> None:
    features_db = some_features(channels, seed)
    np.testing.assert_array_equal(augment(drawing(seed), features_db, NO_AUGMENTATION), features_db)


@given(roles=roles_of_takes, seed=seeds)
def test_no_augmentation_keeps_every_channel_and_role(roles: npt.NDArray[np.int64], seed: int) -> None:
    assert sorted(choose_channels(drawing(seed), roles, len(roles), NO_AUGMENTATION)) == list(range(len(roles)))
    np.testing.assert_array_equal(forget_roles(drawing(seed), roles, NO_AUGMENTATION), roles)


@given(channels=st.integers(1, 6), seed=seeds)
@settings(max_examples=20)
def test_the_same_draw_gives_the_same_features(channels: int, seed: int) -> None:
    features_db = some_features(channels, seed)
    untouched = features_db.copy()
    augmented, again = (augment(drawing(seed), features_db, FeatureAugmentation()) for _ in range(2))
    np.testing.assert_array_equal(augmented, again)
    mixed, again = (mix_down(drawing(seed), features_db) for _ in range(2))
    np.testing.assert_array_equal(mixed, again)
    np.testing.assert_array_equal(features_db, untouched)


def test_another_draw_gives_other_features() -> None:
    features_db = some_features(3, 0)
    always = FeatureAugmentation(bleed_probability=1.0, noise_probability=1.0, equaliser_probability=1.0)
    assert (augment(drawing(0), features_db, always) != augment(drawing(1), features_db, always)).any()


@given(channels=st.integers(2, 6), seed=seeds)
@settings(max_examples=20)
def test_bleed_only_adds(channels: int, seed: int) -> None:
    features_db = some_features(channels, seed)
    at_once = replace(NO_AUGMENTATION, bleed_probability=1.0, bleed_delay_seconds=(0.0, 0.0))
    changed = augment(drawing(seed), features_db, at_once)
    assert (changed >= features_db - 1e-3).all()
    assert (changed > features_db + 0.1).any()
    loudest_bleed_db = features_db.max(axis=0) + at_once.bleed_db[1] + 10.0 * np.log10(channels)
    assert (changed <= np.maximum(features_db, loudest_bleed_db) + 3.02).all()


@given(blocks=st.integers(1, 2 * LEVEL_FEATURES))
def test_bleed_arrives_so_many_blocks_later(blocks: int) -> None:
    """An impulse in one channel is heard in the other one, later and only there."""
    features_db = np.full((2, 12, FEATURES), -120.0, np.float32)
    features_db[0, 4, 0] = 0.0
    delay_seconds = blocks * BLOCK_SECONDS
    chances = replace(
        NO_AUGMENTATION,
        bleed_probability=1.0,
        bleed_db=(-6.0, -6.0),
        bleed_delay_seconds=(delay_seconds, delay_seconds),
    )
    heard = augment(drawing(0), features_db, chances)[1, :, :LEVEL_FEATURES].ravel()
    assert int(np.argmax(heard)) == 4 * LEVEL_FEATURES + blocks
    assert heard.max() == pytest.approx(-6.0, abs=0.01)
    assert (np.sort(heard)[:-1] < -100.0).all()


@given(channels=st.integers(1, 4), seed=seeds)
@settings(max_examples=20)
def test_ripple_swells_slowly_and_around_nothing(channels: int, seed: int) -> None:
    features_db = some_features(channels, seed, frames=400)
    chances = replace(NO_AUGMENTATION, ripple_probability=1.0, ripple_db=(2.0, 2.0), ripple_hz=(3.0, 10.0))
    ripple = augment(drawing(seed), features_db, chances) - features_db
    assert np.abs(ripple.mean(axis=1)).max() < 2.0
    assert 0.5 < ripple.std() < 4.0
    steepest_db_per_second = 2.0 * 3.0 * 2.0 * np.pi * 10.0 * 2.0  # two layers of three sines, all at once
    assert np.abs(np.diff(ripple, axis=1)).max() < steepest_db_per_second * FRAME_SECONDS


@given(channels=st.integers(1, 6), seed=seeds)
@settings(max_examples=20)
def test_noise_only_adds(channels: int, seed: int) -> None:
    features_db = some_features(channels, seed)
    changed = augment(drawing(seed), features_db, replace(NO_AUGMENTATION, noise_probability=1.0))
    assert (changed >= features_db - 1e-3).all()
    assert (changed > features_db + 0.1).any()


@given(channels=st.integers(1, 6), seed=seeds, most_db=st.floats(0.0, 12.0))
@settings(max_examples=20)
def test_an_equaliser_is_steady_and_bounded(channels: int, seed: int, most_db: float) -> None:
    features_db = some_features(channels, seed)
    chances = replace(NO_AUGMENTATION, equaliser_probability=1.0, equaliser_db=most_db)
    change_db = augment(drawing(seed), features_db, chances) - features_db
    assert np.abs(change_db).max() <= most_db + 1e-3
    np.testing.assert_allclose(change_db, np.repeat(change_db[:, :1], change_db.shape[1], axis=1), atol=1e-3)


@given(seed=seeds)
@settings(max_examples=20)
def test_a_mix_of_one_channel_is_that_channel(seed: int) -> None:
    features_db = some_features(1, seed)
    mixed = mix_down(drawing(seed), features_db)
    assert np.ptp(mixed - features_db) < 1e-3
    same, plain = (normalised(one, reference_db(one)) for one in (mixed, features_db))
    np.testing.assert_allclose(same, plain, atol=1e-3)


@given(channels=st.integers(2, 6), seed=seeds)
@settings(max_examples=20)
def test_a_mix_is_at_least_as_loud_as_every_channel_in_it(channels: int, seed: int) -> None:
    features_db = some_features(channels, seed)
    mixed = mix_down(drawing(seed), features_db)
    assert mixed.shape == (1, *features_db.shape[1:])
    assert (mixed >= (features_db - reference_db(features_db)).max(axis=0) - 15.001).all()


@given(roles=roles_of_takes, most=st.integers(1, 8), seed=seeds, drop=st.floats(0.0, 1.0), far=st.floats(0.0, 1.0))
def test_some_channels_are_kept_and_none_twice(
    roles: npt.NDArray[np.int64], most: int, seed: int, drop: float, far: float
) -> None:
    chances = replace(NO_AUGMENTATION, drop_probability=drop, far_probability=far)
    kept = choose_channels(drawing(seed), roles, most, chances)
    assert 1 <= len(kept) <= most
    assert len(set(kept)) == len(kept)
    assert set(kept) <= set(range(len(roles)))


@given(roles=roles_of_takes, seed=seeds)
def test_far_takes_have_only_far_microphones(roles: npt.NDArray[np.int64], seed: int) -> None:
    kept = choose_channels(drawing(seed), roles, len(roles), replace(NO_AUGMENTATION, far_probability=1.0))
    far = [i for i, role in enumerate(roles) if role in FAR]
    assert sorted(kept) == (far or list(range(len(roles))))


@pytest.mark.parametrize("probability", [0.0, 0.6])
def test_forgotten_roles_are_other(probability: float) -> None:
    roles = np.arange(len(ROLES))
    other = ROLES.index(Role.OTHER)
    chances = replace(NO_AUGMENTATION, role_probability=probability)
    told = np.stack([forget_roles(drawing(seed), roles, chances) for seed in range(500)])
    assert np.isin(told[told != roles], other).all()
    known = (told[:, roles != other] != other).mean()
    assert known == pytest.approx((1.0 + probability) ** 2 / 4.0, abs=0.05)
