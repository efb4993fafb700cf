"""Compression, clipping and conversion: what squeezes the level of a channel without moving it in time."""

from dataclasses import dataclass

import numpy as np

from beatnet_align.units import Float32Array
from datagen.recorded.stage import Layers, Moment, apply_control, follow, from_db, peaks, shape_layers


@dataclass(frozen=True)
class Compressor:
    """A feed-forward compressor on each channel, or on all of them as one.

    Its detector looks at most 1.5 ms ahead (one control period), as look-ahead compressors do; the audio itself has no
    delay. A high ratio without attack makes it a limiter.

    Attributes:
        threshold_db: One a channel; at or above 0 the channel is left alone.
        ratio: Decibels in for one decibel out.
        attack_seconds: Time constant of the rise.
        release_db_per_second: How fast the gain recovers, as a level.
        makeup_db: Gain afterwards.
        linked: One gain for all channels, from the loudest.
    """

    threshold_db: tuple[float, ...]
    ratio: float
    attack_seconds: float
    release_db_per_second: float
    makeup_db: tuple[float, ...]
    linked: bool = False

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`."""
        rows = [row for row, threshold_db in enumerate(self.threshold_db) if threshold_db < 0.0]
        if not rows:
            return layers
        level_db = 20.0 * np.log10(np.maximum(peaks(layers[0, rows]), 1e-6))
        if self.linked:
            level_db[:] = level_db.max(axis=0)
        held_db = follow(level_db, self.attack_seconds, self.release_db_per_second, moment.sample_rate)
        over_db = np.maximum(held_db - np.array(self.threshold_db, np.float32)[rows, None], 0.0)
        makeup_db = np.array(self.makeup_db, np.float32)[rows, None]
        gain = from_db(makeup_db - over_db * (1.0 - 1.0 / self.ratio))
        layers[:, rows] = apply_control(layers[:, rows], gain)
        return layers


@dataclass(frozen=True)
class Overdrive:
    """Channels driven into their converter or a tube.

    Attributes:
        drive_db: Gain into the ceiling at full scale, one a channel; 0 or less leaves the channel alone.
        soft: Rounded (tanh) rather than cut off.
    """

    drive_db: tuple[float, ...]
    soft: bool

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; without memory."""
        rows = [row for row, drive_db in enumerate(self.drive_db) if drive_db > 0.0]
        if not rows:
            return layers
        drive = from_db(np.array(self.drive_db)[rows])[:, None]

        def curve(audio: Float32Array) -> Float32Array:
            driven = audio * drive
            return np.asarray(np.tanh(driven) if self.soft else np.clip(driven, -1.0, 1.0))

        layers[:, rows] = shape_layers(layers[:, rows], curve)
        return layers


@dataclass(frozen=True)
class Converter:
    """The last stage of every chain: nothing gets past full scale."""

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; bit-exact below full scale."""
        if len(layers) == 1:
            return np.clip(layers, -1.0, 1.0, out=layers)
        return shape_layers(layers, lambda audio: np.asarray(np.clip(audio, -1.0, 1.0)))
