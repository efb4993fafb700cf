"""The parts that a human deviation from the grid is made of; each takes positions and drawn sizes, gives seconds."""

import numpy as np

from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray

_PROCESS_STEPS_PER_BEAT = 4
_PROCESS_MIN_BEATS = 64.0
_WANDER_EXPONENT, _DRIFT_EXPONENT = 1.3, 3.0
"""Power falls with frequency to this: 1/f fluctuation (Hennig et al. 2011 found 0.2 to 1.3), and a smooth drift."""
MAX_RUN_SECONDS = 0.15


def coloured_noise(
    at_beats: FloatArray, slowest_beats: float, exponent: float, rng: np.random.Generator
) -> tuple[FloatArray, float]:
    """Long-range correlated noise of unit standard deviation over 64 beats or more.

    Args:
        at_beats: Where to read it, from 0 on.
        slowest_beats: Slower fluctuations than this period are no stronger.
        exponent: Power falls as frequency to the minus this.
        rng: Draws it.

    Returns:
        Its values at ``at_beats``, and its largest magnitude over its whole length.
    """
    length_beats = max(_PROCESS_MIN_BEATS, float(at_beats.max(initial=0.0)))
    count = int(np.ceil(length_beats * _PROCESS_STEPS_PER_BEAT))
    cycles_per_beat = np.fft.rfftfreq(2 * count, 1.0 / _PROCESS_STEPS_PER_BEAT)
    amplitude = np.maximum(cycles_per_beat, 1.0 / slowest_beats) ** (-exponent / 2.0)
    amplitude[0] = 0.0
    noise = np.fft.irfft(amplitude * np.fft.rfft(rng.standard_normal(2 * count)))[:count]
    noise -= noise.mean()
    noise /= noise.std()
    values = np.interp(at_beats * _PROCESS_STEPS_PER_BEAT, np.arange(count), noise)
    return values, float(np.max(np.abs(noise)))


def wander(at_beats: FloatArray, sd_seconds: float, slowest_beats: float, rng: np.random.Generator) -> FloatArray:
    """1/f fluctuation of a standard deviation."""
    return sd_seconds * coloured_noise(at_beats, slowest_beats, _WANDER_EXPONENT, rng)[0]


def drift(at_beats: FloatArray, peak_seconds: float, slowest_beats: float, rng: np.random.Generator) -> FloatArray:
    """Smooth drift; its largest excursion over 64 beats, or the whole take if longer, is ``peak_seconds``."""
    values, peak = coloured_noise(at_beats, slowest_beats, _DRIFT_EXPONENT, rng)
    return values * (peak_seconds / peak)


def student(count: int, sd_seconds: float, tail: float, rng: np.random.Generator) -> FloatArray:
    """Independent jitter, Student-t of ``tail`` (above 2) degrees of freedom scaled to its standard deviation."""
    return np.asarray(rng.standard_t(tail, count) * (sd_seconds * np.sqrt((tail - 2.0) / tail)))


def tempo_changes(lines_seconds: FloatArray, drawn: dict[str, float], tempo_map: TempoMap) -> FloatArray:
    """A player who leaves the metronome's tempo: a constant error, a ramp, and a ritardando at the end.

    Args:
        lines_seconds: [lines] targets, rising.
        drawn: ``tempo_error``, ``tempo_ramp``, ``ritardando``, ``ritardando_beats`` and ``tempo_limit_seconds`` as in
            :class:`~datagen.played.timing.HumanTiming`.
        tempo_map: Gives the ritardando its length in seconds.
    """
    elapsed = lines_seconds - lines_seconds[0]
    length = max(float(elapsed[-1]), 1e-3)
    deviation = -drawn["tempo_error"] * elapsed - drawn["tempo_ramp"] * elapsed**2 / (2.0 * length)
    last_beat = tempo_map.to_beats(float(lines_seconds[-1]))
    start = tempo_map.to_seconds(last_beat - drawn["ritardando_beats"])
    slowing = np.maximum(lines_seconds - max(start, float(lines_seconds[0])), 0.0)
    deviation += drawn["ritardando"] * slowing**2 / (2.0 * max(float(slowing[-1]), 1e-3))
    excess = float(np.max(np.abs(deviation))) / max(drawn["tempo_limit_seconds"], 1e-9)
    return np.asarray(deviation / max(excess, 1.0))


def runs(
    at_beats: FloatArray,
    steps_seconds: FloatArray,
    count: int,
    beats: tuple[float, float],
    steps: tuple[float, float],
    rng: np.random.Generator,
) -> FloatArray:
    """Laid-back or pushed runs: deviations that rise and fall again over some beats.

    Args:
        at_beats: [lines], rising.
        steps_seconds: [lines] distance of the grid's lines there.
        count: How many runs.
        beats: Range of their length.
        steps: Range of their peak in distances of lines; at most 150 ms.
        rng: Draws where they begin, how long and how far they go.
    """
    deviation = np.zeros_like(at_beats)
    for _ in range(count):
        length = rng.uniform(*beats)
        start = rng.uniform(at_beats[0] - length / 2.0, at_beats[-1])
        peak = np.clip(rng.uniform(*steps) * steps_seconds, -MAX_RUN_SECONDS, MAX_RUN_SECONDS)
        deviation += peak * np.sin(np.pi * np.clip((at_beats - start) / length, 0.0, 1.0)) ** 2
    return deviation
