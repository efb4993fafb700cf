"""Paste strikes on performed and on target times: the same strikes, twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.hits import Piece
from beatnet_align.units import Float32Array
from datagen.hearing import Heard
from datagen.played.performance import Stroke


@dataclass(frozen=True, eq=False)
class Placement:
    """One stroke with its sound and its places.

    Attributes:
        stroke: What is played.
        heard: What the channels hear of it.
        gain: On all of them.
        performed_samples, target_samples: Onset on the reference channel in take and target, exact.
    """

    stroke: Stroke
    heard: Heard
    gain: float
    performed_samples: int
    target_samples: int

    def onset_samples(self, performed: bool) -> int:
        """Onset in the take or in the target."""
        return self.performed_samples if performed else self.target_samples

    def add_to(self, audio: Float32Array, onset_samples: int, first: int = 0, last: int | None = None) -> None:
        """Add what the channels hear.

        Args:
            audio: [channels, samples], changed.
            onset_samples: Where the stroke begins in it; anywhere.
            first: Nothing is added before this sample of ``audio``.
            last: Nor from this one on; its end when None.
        """
        start = onset_samples - self.heard.onset_samples
        last = audio.shape[1] if last is None else min(last, audio.shape[1])
        first, last = max(0, first, start), min(last, start + self.heard.audio.shape[1])
        if first < last:
            audio[:, first:last] += np.float32(self.gain) * self.heard.audio[:, first - start : last - start]


@dataclass(frozen=True, eq=False)
class Rendered:
    """Both versions before anything is recorded.

    Attributes:
        take, target: [channels, samples].
        pieces: Of the images.
        take_images, target_images: [pieces, channels, samples]; no pieces where none were asked for.
    """

    take: Float32Array
    target: Float32Array
    pieces: tuple[Piece, ...]
    take_images: Float32Array
    target_images: Float32Array


def render(placements: Sequence[Placement], channels: int, samples: int, *, images: bool) -> Rendered:
    """Add up all strokes, summing where they overlap.

    Args:
        placements: In any order.
        channels: Rows of the audio.
        samples: Length.
        images: Whether to keep a layer a piece.
    """
    pieces = tuple(sorted({placement.stroke.piece for placement in placements})) if images else ()
    versions: list[tuple[Float32Array, Float32Array]] = []
    for performed in (True, False):
        layers = np.zeros((len(pieces), channels, samples), np.float32)
        whole = np.zeros((channels, samples), np.float32)
        for placement in placements:
            into = layers[pieces.index(placement.stroke.piece)] if images else whole
            placement.add_to(into, placement.onset_samples(performed))
        versions.append((layers.sum(axis=0) if images else whole, layers))
    (take, take_images), (target, target_images) = versions
    return Rendered(take, target, pieces, take_images, target_images)


def heard_between(
    placements: Sequence[Placement], channels: int, start_samples: int, stop_samples: int
) -> Float32Array:
    """[channels, stop_samples − start_samples] of the take, without rendering the rest of it."""
    out = np.zeros((channels, stop_samples - start_samples), np.float32)
    for placement in placements:
        placement.add_to(out, placement.performed_samples - start_samples)
    return out
