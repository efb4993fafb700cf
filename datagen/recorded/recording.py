"""Draw and apply a whole recording chain: the same for a take and its target, with noise tied to absolute time.

Order of the stages: every channel to full scale; what rings along and leaks in; equaliser, overdrive and compression of
each channel; recording level; noise; slow changes of level; mix-down with its bus; conversion and codecs; full scale.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.take import Channel
from beatnet_align.units import Float32Array, FloatArray, IntArray
from datagen.recorded.chain_draws import Draws
from datagen.recorded.layouts import Microphone
from datagen.recorded.mastering import Mixdown
from datagen.recorded.recording_ranges import CLEAN, RecordingRanges
from datagen.recorded.stage import Layers, Moment, Stage

__all__ = ["CLEAN", "Recording", "RecordingRanges", "draw_recording"]

DEFAULT_RANGES = RecordingRanges()
_NO_EVENTS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Recording:
    """One drawn chain.

    Attributes:
        sample_rate: In hertz.
        inputs: Channels that go in.
        outputs: Channels that come out; fewer after a mix-down.
        stages: In order.
    """

    sample_rate: int
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    stages: tuple[Stage, ...]

    @property
    def description(self) -> list[dict[str, object]]:
        """The chain as plain values for a manifest: one entry a stage, with the name of its class."""
        return [{"stage": type(stage).__name__, **asdict(stage)} for stage in self.stages]  # type: ignore[call-overload]

    @property
    def contributions(self) -> FloatArray:
        """How loud each input is in each output: [outputs, inputs]; the identity without a mix-down."""
        mixdowns = [np.array(stage.gains) for stage in self.stages if isinstance(stage, Mixdown)]
        return mixdowns[0] if mixdowns else np.eye(len(self.inputs))

    def output_of(self, channel: int) -> int:
        """The output that hears an input loudest."""
        return int(np.argmax(np.abs(self.contributions[:, channel])))

    def apply(self, audio: Float32Array, start_samples: int = 0, kick_samples: IntArray = _NO_EVENTS) -> Float32Array:
        """Record ``audio``.

        Filters and compressors start at rest, so apply the chain to a whole take: a stretch from its middle gets the
        right noise and leakage, but not the compression of what came before.

        Args:
            audio: [inputs, samples]; left as it is.
            start_samples: Absolute time of the first sample.
            kick_samples: Absolute times of the kicks, for pedal noise; the same kicks in take and target, in one order.

        Returns:
            [outputs, samples] within ±1; every sample stays at its time.

        Raises:
            InputError: Wrong number of channels.
        """
        return self.apply_to_parts(audio, np.zeros((0, *np.shape(audio)), np.float32), start_samples, kick_samples)[0]

    def apply_to_parts(
        self, audio: Float32Array, parts: Layers, start_samples: int = 0, kick_samples: IntArray = _NO_EVENTS
    ) -> tuple[Float32Array, Layers]:
        """Record ``audio``, and pass parts of it (images of pieces, say) through the same filters and gains.

        Args:
            audio: [inputs, samples].
            parts: [parts, inputs, samples]; whatever ``audio`` holds beyond their sum remains in the recording alone.
            start_samples: Absolute time of the first sample.
            kick_samples: Absolute times of the kicks.

        Returns:
            The recording [outputs, samples], and its parts [parts, outputs, samples] without noise, leakage and codecs.

        Raises:
            InputError: Wrong number of channels, or parts of another shape.
        """
        if np.ndim(audio) != 2 or len(audio) != len(self.inputs):
            raise InputError(f"this chain records [{len(self.inputs)}, samples], found {np.shape(audio)}")
        if np.ndim(parts) != 3 or parts.shape[1:] != audio.shape:
            raise InputError(f"parts must be [parts, {audio.shape[0]}, {audio.shape[1]}], found {np.shape(parts)}")
        layers: Layers = np.concatenate([audio[None], parts]).astype(np.float32, copy=False)
        moment = Moment(self.sample_rate, start_samples, kick_samples)
        for stage in self.stages:
            layers = stage.apply(layers, moment)
        return layers[0], layers[1:]


def draw_recording(
    rng: np.random.Generator,
    channels: Sequence[Channel] | Sequence[Microphone],
    sample_rate: int,
    samples: int,
    ranges: RecordingRanges = DEFAULT_RANGES,
    *,
    peaks: FloatArray | None = None,
    beat_samples: IntArray = _NO_EVENTS,
) -> Recording:
    """Draw a chain.

    Args:
        rng: Draws.
        channels: Names and roles of what goes in.
        sample_rate: In hertz.
        samples: Length of the longer of take and target; leakage ends there, noise never.
        ranges: What may be drawn.
        peaks: [channels], largest magnitude that each channel will have in take or target; 1 where unknown. Levels are
            set by them, as a recordist sets them by ear.
        beat_samples: Absolute times of the beats, for other instruments that play in time.

    Raises:
        InputError: No channels, or peaks that are not one positive number a channel.
    """
    if not channels or samples < 1:
        raise InputError(f"a recording needs channels and samples, found {len(channels)} and {samples}")
    heard = np.ones(len(channels)) if peaks is None else np.asarray(peaks, np.float64)
    if heard.shape != (len(channels),) or not np.isfinite(heard).all() or (heard < 0.0).any():
        raise InputError(f"peaks must be {len(channels)} numbers, not negative, found {heard}")
    inputs = tuple(Channel(channel.name, channel.role) for channel in channels)
    draws = Draws(rng, ranges, inputs, sample_rate, samples)
    stages = draws.polarity(heard) + draws.sympathy() + draws.leakage(beat_samples) + draws.distractors()
    stages += draws.channel_strips() + draws.recorded_level() + draws.noise() + draws.ride()
    mix, outputs = draws.mixdown()
    return Recording(sample_rate, inputs, outputs, tuple(stages + mix + draws.delivery(bool(mix), len(outputs))))
