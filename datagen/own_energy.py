"""How much of what sounds where a hit is scored is the hit's own: what is drowned has no place that can be heard."""

from collections.abc import Iterator, Sequence

import numpy as np

from beatnet_align.audio_figures import lag_window_samples
from beatnet_align.units import Float32Array, FloatArray, IntArray, seconds_to_samples
from datagen.recorded.recording import Recording
from datagen.rendering import Placement

APART_SECONDS = 0.010
"""Filters and compressors have forgotten an excerpt after that."""
LAYERS_AT_ONCE = 4


def own_energies(
    placements: Sequence[Placement],
    recording: Recording,
    target: Float32Array,
    kick_samples: IntArray,
) -> FloatArray:
    """Each hit's share of the energy around its onset, as recorded: after a mix-down, noise and compression.

    Args:
        placements: Of the hits.
        recording: The chain.
        target: [inputs, samples], that it records.
        kick_samples: Onsets of the kicks in it.

    Returns:
        [hits], 0 to 1, in the output that hears each hit's reference channel loudest.
    """
    shares = np.zeros(len(placements))
    outputs = [recording.output_of(placement.heard.reference) for placement in placements]
    # The window around a hit in which the metrics listen.
    before, after = lag_window_samples(recording.sample_rate)
    onsets = np.array([placement.target_samples for placement in placements], np.int64)
    firsts, lasts = np.maximum(onsets - before, 0), np.minimum(onsets + after, target.shape[1])
    for layers in _in_layers(firsts, lasts + seconds_to_samples(APART_SECONDS, recording.sample_rate)):
        excerpts = np.zeros((len(layers), *target.shape), np.float32)
        for excerpt, hits in zip(excerpts, layers, strict=True):
            for hit in hits:
                placements[hit].add_to(excerpt, onsets[hit], firsts[hit], lasts[hit])
        recorded, own = recording.apply_to_parts(target, excerpts, kick_samples=kick_samples)
        for excerpt, hits in zip(own, layers, strict=True):
            for hit in hits:
                window = outputs[hit], slice(firsts[hit], lasts[hit])
                everything = float(np.sum(recorded[window].astype(np.float64) ** 2))
                own_energy = float(np.sum(excerpt[window].astype(np.float64) ** 2))
                shares[hit] = min(1.0, own_energy / everything) if everything > 0.0 else 0.0
    return shares


def _in_layers(firsts: IntArray, lasts: IntArray) -> Iterator[list[list[int]]]:
    """Stretches of time, given by first and last samples, in layers in which none overlaps; some layers at a time."""
    layers: list[list[int]] = []
    for hit in np.argsort(firsts, kind="stable").tolist():
        free = next((layer for layer in layers if lasts[layer[-1]] <= firsts[hit]), None)
        if free is None:
            layers.append([hit])
        else:
            free.append(hit)
    for start in range(0, len(layers), LAYERS_AT_ONCE):
        yield layers[start : start + LAYERS_AT_ONCE]
