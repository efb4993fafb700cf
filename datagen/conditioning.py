"""What a model needs beside the audio: a metronome track and positional encodings of bar, beat and subdivision."""

import numpy as np
import numpy.typing as npt

from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray, seconds_to_samples

CLICK_SECONDS = 0.03
BEAT_HZ, BAR_HZ = 1_000.0, 1_500.0
BEAT_AMPLITUDE, BAR_AMPLITUDE = 0.35, 0.7
ENCODINGS = ("bar_sin", "bar_cos", "beat_sin", "beat_cos", "subdivision_sin", "subdivision_cos")
SUBDIVISIONS_PER_BEAT = 4


def metronome(tempo_map: TempoMap, samples: int, sample_rate: int) -> npt.NDArray[np.float32]:
    """A click on every beat of the time signature's quarter notes, higher and louder on the bar.

    Args:
        tempo_map: Gives beats and bars.
        samples: Length.
        sample_rate: In hertz.

    Returns:
        [samples]; each click's first sample is at its beat.
    """
    track = np.zeros(samples, np.float32)
    first, last = tempo_map.to_beats(0.0), tempo_map.to_beats(samples / sample_rate)
    beats = np.arange(np.ceil(first), last)
    on_bar = np.abs(tempo_map.beat_in_bar(beats)) < 1e-6
    places = seconds_to_samples(tempo_map.to_seconds(beats), sample_rate)
    time_seconds = np.arange(seconds_to_samples(CLICK_SECONDS, sample_rate)) / sample_rate
    fall = np.exp(-time_seconds / (CLICK_SECONDS / 6.0))
    clicks = {
        True: (BAR_AMPLITUDE * np.cos(2 * np.pi * BAR_HZ * time_seconds) * fall).astype(np.float32),
        False: (BEAT_AMPLITUDE * np.cos(2 * np.pi * BEAT_HZ * time_seconds) * fall).astype(np.float32),
    }
    for place, accent in zip(places, on_bar, strict=True):
        click = clicks[bool(accent)][: samples - int(place)]
        track[int(place) : int(place) + len(click)] += click
    return track


def positional_encodings(tempo_map: TempoMap, times_seconds: FloatArray) -> npt.NDArray[np.float32]:
    """Sine and cosine of the phase within bar, beat and sixteenth.

    Args:
        tempo_map: Gives beats and bars.
        times_seconds: [n].

    Returns:
        [6, n], in the order of ``ENCODINGS``; the cosine is 1 on the line.
    """
    beats = tempo_map.to_beats(times_seconds)
    bars = tempo_map.bar_of(beats)
    starts = {int(bar): tempo_map.bar_start_beats(int(bar)) for bar in np.unique(np.concatenate([bars, bars + 1]))}
    bar_starts = np.array([starts[int(bar)] for bar in bars])
    bar_lengths = np.array([starts[int(bar) + 1] for bar in bars]) - bar_starts
    phases = np.stack([(beats - bar_starts) / bar_lengths, beats, beats * SUBDIVISIONS_PER_BEAT])
    turns = 2.0 * np.pi * phases
    return np.stack([np.sin(turns), np.cos(turns)], axis=1).reshape(6, -1).astype(np.float32)
