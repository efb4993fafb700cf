"""A take: the channels of one performance, their names, roles and sample rate, readable a stretch at a time.

A take may be longer than memory, so nothing here loads it whole: readers ask for ranges of samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from beatnet_align.errors import InputError
from beatnet_align.roles import Role, guess_role

Audio = npt.NDArray[np.float32] | npt.NDArray[np.float64]
"""[channels, samples], full scale ±1. float32, or float64 where a stem holds more than 24 bits a sample."""

MAX_CHANNELS = 32
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 192_000


@dataclass(frozen=True)
class Channel:
    """One row of a take: its name (unique in the take) and its role."""

    name: str
    role: Role


class AudioSource(Protocol):
    """Where a take's samples come from; several threads may read at once."""

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """Samples ``start_samples`` to ``stop_samples`` of every channel, both inside the take."""
        ...


@dataclass(frozen=True)
class ArraySource:
    """Samples that are in memory already."""

    audio: Audio

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """See :class:`AudioSource`."""
        return self.audio[:, start_samples:stop_samples]


@dataclass(frozen=True)
class Take:
    """One performance.

    Attributes:
        name: What to call it in print and in plans.
        sample_rate: In hertz.
        samples: Length of the longest channel.
        channels: One entry a row.
        source: Gives the samples.
    """

    name: str
    sample_rate: int
    samples: int
    channels: tuple[Channel, ...]
    source: AudioSource

    def __post_init__(self) -> None:
        if not 1 <= len(self.channels) <= MAX_CHANNELS:
            raise InputError(f"a take has 1 to {MAX_CHANNELS} channels, this one has {len(self.channels)}")
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise InputError(
                f"sample rates of {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz are supported, not {self.sample_rate}"
            )
        if self.samples < 1:
            raise InputError(f"the take {self.name!r} has no samples")
        names = [channel.name for channel in self.channels]
        if len(set(names)) != len(names):
            raise InputError(f"channel names must differ, found {names}")

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        """Read a range of samples; what lies before or after the take is silence.

        Returns:
            [channels, stop_samples − start_samples].
        """
        inside_start, inside_stop = max(0, start_samples), min(self.samples, stop_samples)
        if inside_start >= inside_stop:
            return np.zeros((len(self.channels), max(0, stop_samples - start_samples)), np.float32)
        audio = self.source.read(inside_start, inside_stop)
        if (inside_start, inside_stop) == (start_samples, stop_samples):
            return audio
        shape = (len(self.channels), stop_samples - start_samples)
        padded = np.zeros(shape, np.float64) if audio.dtype == np.float64 else np.zeros(shape, np.float32)
        padded[:, inside_start - start_samples : inside_stop - start_samples] = audio
        return padded


def channels_called(name: str, channels: Sequence[str]) -> tuple[str, ...]:
    """The channels that a name means: the one called so, or all of the stem called so.

    Args:
        name: What a user wrote.
        channels: The names in the take.

    Raises:
        InputError: There is none.

    Example:
        >>> channels_called("OH", ["Kick", "OH.L", "OH.R"])
        ('OH.L', 'OH.R')
    """
    if name in channels:
        return (name,)
    of_stem = tuple(channel for channel in channels if channel.rpartition(".")[0] == name != "")
    if not of_stem:
        raise InputError(f"no channel is called {name!r}; the channels are {', '.join(channels)}")
    return of_stem


def take_from_array(
    audio: Audio,
    sample_rate: int,
    channel_names: Sequence[str] | None = None,
    roles: Sequence[Role] | None = None,
    name: str = "take",
) -> Take:
    """Make a take of audio that is in memory.

    Args:
        audio: [channels, samples], full scale ±1, finite.
        sample_rate: In hertz.
        channel_names: One a channel; ``channel 1`` and so on when absent.
        roles: One a channel; guessed from the names when absent.
        name: Of the take.

    Raises:
        InputError: Wrong shape or type, NaN or infinity in the audio, or counts that do not match.
    """
    if not isinstance(audio, np.ndarray) or audio.ndim != 2:
        raise InputError(f"audio must be an array [channels, samples], found shape {np.shape(audio)}")
    if audio.dtype not in (np.float32, np.float64):
        raise InputError(f"audio must be floating point at full scale ±1, found {audio.dtype}")
    if audio.shape[0] > MAX_CHANNELS:
        raise InputError(f"audio must be [channels, samples] with 1 to {MAX_CHANNELS} channels, found {audio.shape}")
    if not np.isfinite(audio).all():
        raise InputError("audio holds NaN or infinity")
    names = list(channel_names) if channel_names is not None else [f"channel {i + 1}" for i in range(len(audio))]
    kinds = list(roles) if roles is not None else [guess_role(channel_name) for channel_name in names]
    if not len(names) == len(kinds) == len(audio):
        raise InputError(f"{len(audio)} channels but {len(names)} names and {len(kinds)} roles")
    channels = tuple(Channel(channel_name, Role(role)) for channel_name, role in zip(names, kinds, strict=True))
    return Take(name, sample_rate, audio.shape[1], channels, ArraySource(audio))
