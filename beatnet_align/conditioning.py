"""What a model needs beside the audio: a metronome track and positional encodings of bar, beat and subdivision."""

import numpy as np
import numpy.typing as npt

from beatnet_align.grid import Grid
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, seconds_to_samples

CLICK_SECONDS = 0.03
BEAT_HZ, BAR_HZ = 1_000.0, 1_500.0
BEAT_AMPLITUDE, BAR_AMPLITUDE = 0.35, 0.7
ENCODINGS = ("bar_sin", "bar_cos", "beat_sin", "beat_cos", "subdivision_sin", "subdivision_cos")
SUBDIVISIONS_PER_BEAT = 4
ROWS = 8
"""Of :func:`conditioning_rows`."""

_REACH_BEATS = 4.0


def conditioning_rows(
    tempo_map: TempoMap, grid: Grid, strength: float, sample_rate: int, start_samples: int, stop_samples: int
) -> npt.NDArray[np.float32]:
    """What a resynthesis network is told of a stretch of a take, sample by sample.

    The metronome; sine and cosine of the phase in the bar, in the beat, and between two lines of the take's grid; the
    strength. The third phase follows the grid that the user chose, triplets and swing included, since no phase of plain
    sixteenths could tell it.

    Args:
        tempo_map: Of the take.
        grid: Its lines.
        strength: How far hits go towards them.
        sample_rate: In hertz.
        start_samples: First sample of the stretch.
        stop_samples: One after its last; all stretches of a take fit together.

    Returns:
        [ROWS, stop - start].
    """
    seconds = np.arange(start_samples, stop_samples) / sample_rate
    clicks = metronome(tempo_map, len(seconds), sample_rate, start_samples)
    phases = positional_encodings(tempo_map, seconds)
    turns = 2.0 * np.pi * (line_phase(tempo_map, grid, seconds) % 1.0)
    rows = [clicks[None], phases[:4], np.stack([np.sin(turns), np.cos(turns)]), np.full((1, len(seconds)), strength)]
    return np.concatenate(rows).astype(np.float32)


def line_phase(tempo_map: TempoMap, grid: Grid, seconds: FloatArray) -> FloatArray:
    """How much of the way from one line to the next has passed; any number plus a whole one means the same."""
    beats = tempo_map.to_beats(seconds)
    lines = grid.lines_beats(float(beats.min()) - _REACH_BEATS, float(beats.max()) + _REACH_BEATS)
    return np.interp(seconds, tempo_map.to_seconds(lines), np.arange(len(lines), dtype=np.float64))


def metronome(tempo_map: TempoMap, samples: int, sample_rate: int, start_samples: int = 0) -> npt.NDArray[np.float32]:
    """A click on every beat of the time signature's quarter notes, higher and louder on the bar.

    Args:
        tempo_map: Gives beats and bars.
        samples: Length.
        sample_rate: In hertz.
        start_samples: Where the track begins; no beat before 0 clicks, as nobody hears a take's metronome earlier.

    Returns:
        [samples]; each click's first sample is at its beat.
    """
    click_samples = seconds_to_samples(CLICK_SECONDS, sample_rate)
    earliest = max(0, start_samples - click_samples)
    lead = start_samples - earliest
    track = np.zeros(lead + samples, np.float32)
    stop_samples = start_samples + samples
    first, last = (tempo_map.to_beats(place / sample_rate) for place in (earliest, stop_samples))
    beats = np.arange(np.ceil(first), last)
    on_bar = np.abs(tempo_map.beat_in_bar(beats)) < 1e-6
    places = seconds_to_samples(tempo_map.to_seconds(beats), sample_rate) - earliest
    time_seconds = np.arange(click_samples) / sample_rate
    fall = np.exp(-time_seconds / (CLICK_SECONDS / 6.0))
    clicks = {
        True: (BAR_AMPLITUDE * np.cos(2 * np.pi * BAR_HZ * time_seconds) * fall).astype(np.float32),
        False: (BEAT_AMPLITUDE * np.cos(2 * np.pi * BEAT_HZ * time_seconds) * fall).astype(np.float32),
    }
    for place, accent in zip(places, on_bar, strict=True):
        click = clicks[bool(accent)][: len(track) - int(place)]
        track[int(place) : int(place) + len(click)] += click
    return track[lead:]


def positional_encodings(tempo_map: TempoMap, times_seconds: FloatArray) -> npt.NDArray[np.float32]:
    """Sine and cosine of the phase within bar, beat and sixteenth.

    Args:
        tempo_map: Gives beats and bars.
        times_seconds: [n].

    Returns:
        [6, n], in the order of ``ENCODINGS``; the cosine is 1 on the line.
    """
    beats = tempo_map.to_beats(times_seconds)
    bars, where = np.unique(tempo_map.bar_of(beats), return_inverse=True)
    starts, ends = (np.array([tempo_map.bar_start_beats(int(bar)) for bar in edge]) for edge in (bars, bars + 1))
    in_bar = (beats - starts[where]) / (ends - starts)[where]
    phases = np.stack([in_bar, beats, beats * SUBDIVISIONS_PER_BEAT])
    turns = 2.0 * np.pi * phases
    return np.stack([np.sin(turns), np.cos(turns)], axis=1).reshape(6, -1).astype(np.float32)
