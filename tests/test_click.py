"""Click tracks, synthesized with known click times."""

from collections.abc import Callable

import numpy as np
import pytest

from beatnet_align.click import tempo_map_from_click
from beatnet_align.errors import InputError
from beatnet_align.take import take_from_array
from beatnet_align.tempo_map import TimeSignature


def synthesize(
    seconds: np.ndarray,
    sample_rate: int = 48_000,
    *,
    accent_every: int | None = None,
    first_accent: int = 0,
    accent_gain: float = 2.0,
    accent_hz: float = 1000.0,
    noise: float = 0.001,
) -> np.ndarray:
    """[samples] 30 ms beeps that begin exactly at ``seconds``, in noise."""
    audio = np.random.default_rng(1).standard_normal(int((seconds[-1] + 1) * sample_rate)) * noise
    for i, second in enumerate(seconds):
        first = int(np.ceil(second * sample_rate))
        time = (first + np.arange(int(0.03 * sample_rate))) / sample_rate - second
        accented = accent_every is not None and i >= first_accent and (i - first_accent) % accent_every == 0
        beep = np.sin(2 * np.pi * (accent_hz if accented else 1000.0) * time) * np.exp(-time / 0.008)
        audio[first : first + len(time)] += 0.3 * (accent_gain if accented else 1.0) * beep
    return audio.astype(np.float32)


def check(audio: np.ndarray, beats: np.ndarray, seconds: np.ndarray, sample_rate: int = 48_000) -> None:
    """The click's map meets the truth within 1 ms."""
    tempo_map = tempo_map_from_click(take_from_array(np.atleast_2d(audio), sample_rate))
    np.testing.assert_allclose(tempo_map.to_seconds(beats), seconds, atol=0.001)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("accents", [(4, 2.0, 1000.0), (4, 1.0, 1600.0), (4, 2.0, 700.0), (None, 1.0, 1000.0)])
def test_a_steady_click_that_starts_late(sample_rate: int, accents: tuple[int | None, float, float]) -> None:
    beats = np.arange(32.0)
    seconds = 7.2171 + beats * 60 / 96.02
    every, gain, hertz = accents
    check(
        synthesize(seconds, sample_rate, accent_every=every, accent_gain=gain, accent_hz=hertz),
        beats,
        seconds,
        sample_rate,
    )


def test_the_outer_tempo_goes_on() -> None:
    seconds = 20 + np.arange(40) * 60 / 117.3
    beats = np.array([-30.0, 300.0])
    check(synthesize(seconds), beats, 20 + beats * 60 / 117.3)


def test_the_first_accent_is_beat_0_and_gives_the_bar() -> None:
    seconds = 1 + np.arange(25) * 0.5
    take = take_from_array(synthesize(seconds, accent_every=3, first_accent=2)[None], 48_000)
    tempo_map = tempo_map_from_click(take)
    assert tempo_map.first_beat_seconds == pytest.approx(2.0, abs=0.001)
    assert tempo_map.time_signatures == (TimeSignature(0, 3, 4),)


@pytest.mark.parametrize(("clicks_per_beat", "every", "bar"), [(2.0, 7, (7, 8)), (2.0, 6, (3, 4)), (0.5, 2, (4, 4))])
def test_clicks_of_other_note_values(clicks_per_beat: float, every: int, bar: tuple[int, int]) -> None:
    seconds = 2 + np.arange(40) * 60 / 100 / clicks_per_beat
    tempo_map = tempo_map_from_click(
        take_from_array(synthesize(seconds, accent_every=every)[None], 48_000), clicks_per_beat
    )
    assert tempo_map.bpm_at(8.0) == pytest.approx(100, rel=1e-3)
    assert tempo_map.time_signatures == (TimeSignature(0, *bar),)


def test_a_tempo_change_missing_and_double_clicks_and_bleed() -> None:
    beats = np.arange(36.0)
    seconds = np.concatenate([1 + np.arange(16) * 0.5, 9 + np.arange(20) * 60 / 90])
    check(synthesize(seconds, accent_every=4), beats, seconds)
    check(synthesize(np.delete(seconds, [5, 9, 10, 22])), beats, seconds)
    audio = synthesize(seconds)
    doubles = np.array([seconds[3] + 0.02, seconds[12] + 0.2, seconds[20] + 0.3, seconds[25] + 0.1, seconds[-1]])
    check(audio + 0.5 * synthesize(doubles)[: len(audio)], beats, seconds)
    bleed = np.arange(0.3, seconds[-1], 0.217)
    check(
        audio[: int(seconds[-1] * 48_000)] + 0.03 * synthesize(bleed)[: int(seconds[-1] * 48_000)],
        beats[:-1],
        seconds[:-1],
    )


def test_the_loudest_channel_is_used() -> None:
    seconds = 1 + np.arange(16) * 0.5
    click = synthesize(seconds)
    quiet = 0.1 * np.roll(click, 10_000)
    check(np.stack([quiet, click, np.zeros_like(click)]), np.arange(16.0), seconds)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: np.zeros(480_000), "0 clicks"),
        (lambda: np.zeros(1), "0 clicks"),
        (lambda: synthesize(np.array([1.0, 2.0, 3.0])), "3 clicks"),
        (lambda: synthesize(np.sort(np.random.default_rng(0).uniform(0, 12, 40))), "irregular"),
        (lambda: synthesize(np.array([1.0, 1.06, 1.12, 1.18, 1.24])), "irregular"),
        (lambda: synthesize(np.cumsum(np.full(30, 0.13))), "tempo out of range|irregular"),
    ],
)
def test_what_is_no_click_track_is_refused(make: Callable[[], np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tempo_map_from_click(take_from_array(make().astype(np.float32)[None], 48_000))


def test_noise_is_refused() -> None:
    audio = np.random.default_rng(0).standard_normal(480_000) * 0.1
    with pytest.raises(InputError, match="clicks"):
        tempo_map_from_click(take_from_array(audio.astype(np.float32)[None], 48_000))
