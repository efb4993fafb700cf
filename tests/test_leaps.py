"""Leaps are found where a close microphone jumps to nearly its loudest, once each, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.hit_features import FEATURES, FRAME_SECONDS, LEVEL_FEATURES, Features, hit_features, reference_db
from beatnet_align.leaps import FRAMES_BEFORE, RISE_DB, UNDER_LOUDEST_DB, leaps
from beatnet_align.roles import Role

QUIET_DB, LOUD_DB = -70.0, -20.0
FRAMES = 60
LOUDEST_DB = np.full((1, 1, 1), LOUD_DB, np.float32)


def levels(*decibels: float) -> Features:
    """One channel with these levels, frame by frame."""
    features_db = np.full((1, len(decibels), FEATURES), -120.0, np.float32)
    features_db[0, :, :LEVEL_FEATURES] = np.array(decibels)[:, None]
    return features_db


def struck(at: int, loud_db: float = LOUD_DB, before_db: float = QUIET_DB) -> Features:
    """From a frame on loud, falling by a decibel a frame."""
    return levels(*(loud_db - max(0, frame - at) if frame >= at else before_db for frame in range(FRAMES)))


def leaps_of(features_db: Features, role: Role = Role.KICK) -> list[int]:
    return list(leaps(features_db, LOUDEST_DB, [role]))


@given(at=st.integers(FRAMES_BEFORE, FRAMES - 1), role=st.sampled_from(Role))
def test_a_leap_of_a_close_microphone_is_one_frame(at: int, role: Role) -> None:
    assert leaps_of(struck(at), role) == ([at] if role.is_close else [])


@pytest.mark.parametrize(
    ("loud_db", "before_db", "found"),
    [
        (LOUD_DB - UNDER_LOUDEST_DB, QUIET_DB, [20]),
        (LOUD_DB - UNDER_LOUDEST_DB - 0.5, QUIET_DB, []),
        (LOUD_DB, LOUD_DB - RISE_DB, [20]),
        (LOUD_DB, LOUD_DB - RISE_DB + 0.5, []),
    ],
)
def test_a_leap_is_high_enough_and_loud_enough(loud_db: float, before_db: float, found: list[int]) -> None:
    assert leaps_of(struck(20, loud_db, before_db)) == found


def test_a_leap_that_takes_three_frames_is_where_it_is_steepest() -> None:
    rising = [QUIET_DB] * 20 + [QUIET_DB + 8.0, QUIET_DB + 38.0, LOUD_DB] + [LOUD_DB] * 20
    assert leaps_of(levels(*rising)) == [21]


def test_two_leaps_are_two_and_what_goes_on_is_none() -> None:
    assert leaps_of(np.concatenate([struck(20), struck(20)], axis=1)) == [20, FRAMES + 20]
    assert leaps_of(levels(*[LOUD_DB] * FRAMES)) == []
    assert leaps_of(struck(0)) == []


def test_channels_that_leap_together_leap_once() -> None:
    both = np.concatenate([struck(20), struck(21)])
    assert leaps(both, np.tile(LOUDEST_DB, (2, 1, 1)), [Role.KICK, Role.SNARE]).size == 1


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_any_length_will_do(frames: int) -> None:
    assert leaps_of(levels(*[LOUD_DB] * frames)) == []


def test_a_thump_in_the_audio_of_a_kick_leaps_and_silence_does_not() -> None:
    time = np.arange(11_025) / 44_100
    thump = np.exp(-time / 0.05) * np.sin(2.0 * np.pi * 55.0 * time)
    audio = np.concatenate([np.zeros(11_025), thump, np.zeros(11_025), thump])[None].astype(np.float32)
    features_db = hit_features(audio)
    found = leaps(features_db, reference_db(features_db), [Role.KICK])
    np.testing.assert_allclose(found * FRAME_SECONDS, [0.25, 0.75], atol=0.007)
    silent_db = hit_features(np.zeros_like(audio))
    assert not leaps(silent_db, reference_db(silent_db), [Role.KICK]).size
