"""Laws of drawn rooms: nothing before the direct sound, a slow build-up, decays as drawn."""

import time

import numpy as np
import pytest

from beatnet_align.errors import InputError
from datagen.recorded.rooms import RT60_LIMITS_SECONDS, RoomRanges, draw_room

RATE = 44_100


def test_the_same_seed_draws_the_same_room() -> None:
    first, second = (draw_room(np.random.default_rng(5), RATE, 3, 2) for _ in range(2))
    np.testing.assert_array_equal(first.tail(1, 4_000), second.tail(1, 4_000))
    assert first.size_m == second.size_m


def test_tails_have_unit_energy_and_differ_between_microphones_and_pieces() -> None:
    room = draw_room(np.random.default_rng(0), RATE, 3, 2)
    tails = np.concatenate([room.tail(0, 8_000), room.tail(1, 8_000)])
    np.testing.assert_allclose(tails @ tails.T, np.eye(6), atol=0.15)


@pytest.mark.parametrize("rt60_seconds", [0.25, 0.6, 1.2])
def test_the_middle_bands_decay_as_drawn(rt60_seconds: float) -> None:
    ranges = RoomRanges(rt60_seconds=(rt60_seconds, rt60_seconds))
    room = draw_room(np.random.default_rng(1), RATE, 16, 1, ranges)
    samples = room.tail_samples
    energy = np.mean(room.tail(0, samples) ** 2, axis=0)
    early, late = int(0.1 * rt60_seconds * RATE), int(0.4 * rt60_seconds * RATE)
    window = int(0.02 * rt60_seconds * RATE)
    drop_db = 10.0 * np.log10(energy[early : early + window].mean() / energy[late : late + window].mean())
    assert 0.3 * 60.0 * 0.7 < drop_db < 0.3 * 60.0 * 1.4


@pytest.mark.parametrize("build_up_seconds", [0.008, 0.018])
def test_the_diffuse_field_builds_up_until_the_time_drawn(build_up_seconds: float) -> None:
    ranges = RoomRanges(rt60_seconds=(0.6, 0.6), build_up_seconds=(build_up_seconds, build_up_seconds))
    room = draw_room(np.random.default_rng(2), RATE, 16, 4, ranges)
    energy = np.mean([np.mean(room.tail(piece, 12_000) ** 2, axis=0) for piece in range(4)], axis=0)
    smooth = np.convolve(energy, np.ones(132) / 132.0, mode="same")
    peak = np.argmax(smooth) / RATE
    assert 0.5 * build_up_seconds < peak < 1.9 * build_up_seconds
    assert smooth[40] < 0.3 * smooth.max()


def test_reflections_arrive_after_the_direct_sound_and_weaker() -> None:
    for seed in range(20):
        room = draw_room(np.random.default_rng(seed), RATE, 2, 1)
        source, receivers = np.array([-0.2, 0.1, 0.7]), np.array([[-0.2, 0.15, 0.75], [0.1, 2.2, 1.2]])
        early = room.early(source, receivers)
        for response, receiver in zip(early, receivers, strict=True):
            distance_m = float(np.linalg.norm(receiver - source))
            assert np.flatnonzero(response)[0] >= int(distance_m / 343.0 * RATE)
            assert np.abs(response).max() < 1.0 / distance_m


def test_drawing_is_quick() -> None:
    draw_room(np.random.default_rng(0), RATE, 16, 14).tail(0, 100)  # fills the pool of noise once
    start = time.perf_counter()
    draw_room(np.random.default_rng(1), RATE, 16, 14)
    assert time.perf_counter() - start < 0.05


@pytest.mark.parametrize(
    "ranges",
    [
        {"rt60_seconds": (0.9, 0.2)},
        {"rt60_seconds": (0.01, 0.2)},
        {"rt60_seconds": (0.2, RT60_LIMITS_SECONDS[1] + 1.0)},
        {"width_m": (0.5, 2.0)},
        {"liveliness_db": (float("nan"), 0.0)},
    ],
)
def test_impossible_ranges_are_refused(ranges: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(InputError, match=next(iter(ranges))):
        RoomRanges(**ranges)
