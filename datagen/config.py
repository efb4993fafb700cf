"""What a dataset is made of: read from YAML, checked before any work."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from itertools import combinations
from pathlib import Path

from beatnet_align.errors import InputError
from datagen.played.timing import AS_PLAYED, EXACT, HARD, HUMAN, UNIFORM_JITTER, HumanTiming
from datagen.recorded.layouts import MAX_MICROPHONES
from datagen.recorded.recording_ranges import RecordingRanges
from datagen.recorded.rooms import RoomRanges

SYNTHESISED = "synth"
"""Kits of this name followed by a number, such as synth7, are made from that seed and need no files."""


class Split(StrEnum):
    """Which use an example is for; kits, grooves and seeds of one are never those of another."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class TimingPreset(StrEnum):
    """What ``timing`` starts from."""

    EXACT = "exact"
    AS_PLAYED = "as_played"
    UNIFORM_JITTER = "uniform_jitter"
    HUMAN = "human"
    HARD = "hard"


TIMING_PRESETS = {
    TimingPreset.EXACT: EXACT,
    TimingPreset.AS_PLAYED: AS_PLAYED,
    TimingPreset.UNIFORM_JITTER: UNIFORM_JITTER,
    TimingPreset.HUMAN: HUMAN,
    TimingPreset.HARD: HARD,
}


@dataclass(frozen=True)
class Sources:
    """What one split may use.

    Attributes:
        examples: How many to make.
        kits: Folders in the data folder's kits/, or synthN; "a+b" merges kits, the first one's pieces win.
        groove_split: Split of the Groove MIDI Dataset, or None to use all files of the groove folder.
        drummers: Only these drummers; None takes all.
        groove_probability: Share of scores from grooves; the rest are generated patterns.
    """

    examples: int = 0
    kits: tuple[str, ...] = ()
    groove_split: str | None = None
    drummers: tuple[str, ...] | None = None
    groove_probability: float = 0.6

    def __post_init__(self) -> None:
        if self.examples < 0:
            raise InputError(f"examples must not be negative, found {self.examples}")
        if self.examples and not self.kits:
            raise InputError("a split with examples needs at least one kit, such as synth1")
        if not 0.0 <= self.groove_probability <= 1.0:
            raise InputError(f"groove_probability must lie between 0 and 1, found {self.groove_probability}")


@dataclass(frozen=True)
class DatasetConfig:
    """A dataset.

    Attributes:
        name: For the card.
        seed: With the split and its index it fixes an example.
        train, validation, test: What each split uses; they may share neither kits nor grooves.
        sample_rate: In hertz.
        seconds: Length of every example.
        bars: Most bars that are played; the music may be shorter or longer than ``seconds``.
        channels: Fewest and most microphones around kits that need a simulated array.
        array_probability: That a multi-microphone kit is also played dry through a simulated array.
        tuned_probability: That every drum and cymbal of the kit is tuned otherwise, each by itself.
        ringing_probability: That they ring otherwise, each piece by itself: longer, shorter, louder and softer in turn
            after the blow. One piece in six stays as recorded even then.
        coloured_probability: That they have another spectrum, each piece by itself.
        softened_probability: That drums set in more slowly, each by itself. Three in ten stay as recorded even then.
        clean_probability: That the recording chain adds nothing but a quiet noise floor.
        timing_preset: What ``timing`` starts from.
        timing: Fields of :class:`~datagen.played.timing.HumanTiming` that differ from the preset.
        recording: What the chain is drawn from.
        room: What rooms are drawn from.
        drop_channel_probability: That a channel is missing.
        strength: How far the target goes towards the grid, drawn for each example; 1 is all the way.
        images: Whether to keep the image of every piece in every channel, take and target.
        metronome: Whether to keep a metronome track.
        targets: Whether to record the target too; finding hits is learned from takes alone.
    """

    name: str
    seed: int = 0
    train: Sources = field(default_factory=Sources)
    validation: Sources = field(default_factory=Sources)
    test: Sources = field(default_factory=Sources)
    sample_rate: int = 44_100
    seconds: float = 12.0
    bars: int = 8
    channels: tuple[int, int] = (1, 16)
    array_probability: float = 0.2
    tuned_probability: float = 0.0
    ringing_probability: float = 0.0
    coloured_probability: float = 0.0
    softened_probability: float = 0.0
    clean_probability: float = 0.1
    timing_preset: TimingPreset = TimingPreset.HUMAN
    timing: Mapping[str, float | tuple[float, float]] = field(default_factory=dict)
    recording: RecordingRanges = field(default_factory=RecordingRanges)
    room: RoomRanges = field(default_factory=RoomRanges)
    drop_channel_probability: float = 0.08
    strength: tuple[float, float] = (1.0, 1.0)
    images: bool = False
    metronome: bool = True
    targets: bool = True

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"seed must not be negative, found {self.seed}")
        if not 8_000 <= self.sample_rate <= 192_000:
            raise InputError(f"sample_rate must be 8000 to 192000 Hz, found {self.sample_rate}")
        if not 1.0 <= self.seconds <= 600.0:
            raise InputError(f"seconds must be 1 to 600, found {self.seconds}")
        if self.bars < 1:
            raise InputError(f"bars must be at least 1, found {self.bars}")
        if not 1 <= self.channels[0] <= self.channels[1] <= MAX_MICROPHONES:
            raise InputError(f"channels must rise within 1 to {MAX_MICROPHONES}, found {self.channels}")
        for name in (setting.name for setting in fields(self) if setting.name.endswith("_probability")):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} must lie between 0 and 1, found {getattr(self, name)}")
        if not 0.0 <= self.strength[0] <= self.strength[1] <= 1.0:
            raise InputError(f"strength must rise within 0 to 1, found {self.strength}")
        self._check_splits()
        _ = self.human_timing

    @property
    def human_timing(self) -> HumanTiming:
        """The preset with its changes."""
        try:
            return replace(TIMING_PRESETS[self.timing_preset], **self.timing)  # type: ignore[arg-type]
        except TypeError as error:
            raise InputError(f"timing has an unknown entry, or one that is no range: {error}") from error

    def sources(self, split: Split) -> Sources:
        """What a split uses."""
        return {Split.TRAIN: self.train, Split.VALIDATION: self.validation, Split.TEST: self.test}[split]

    def _check_splits(self) -> None:
        owners: dict[str, Split] = {}
        for split in Split:
            for name in {part for kit in self.sources(split).kits for part in kit.split("+")}:
                if name in owners:
                    raise InputError(
                        f"the kit {name!r} is in {owners[name]} and in {split}; hold it out of one of them"
                    )
                owners[name] = split
        for one, other in combinations(Split, 2):
            if _share_grooves(self.sources(one), self.sources(other)):
                raise InputError(
                    f"{one} and {other} use the same grooves; give each its own groove_split or its own drummers"
                )


def _share_grooves(one: Sources, other: Sources) -> bool:
    if not (one.examples and other.examples and one.groove_probability and other.groove_probability):
        return False
    if None not in (one.groove_split, other.groove_split) and one.groove_split != other.groove_split:
        return False
    return one.drummers is None or other.drummers is None or bool(set(one.drummers) & set(other.drummers))


def read_config(path: Path) -> DatasetConfig:
    """Read a configuration.

    Raises:
        InputError: The file cannot be read, has an unknown entry, or a value out of range.
    """
    import yaml  # noqa: PLC0415 - only where a file is read
    from jsonargparse import ArgumentError, ArgumentParser  # noqa: PLC0415

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(DatasetConfig, "dataset")
    try:
        config = parser.instantiate(parser.parse_object({"dataset": data})).dataset
    except (ArgumentError, InputError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    assert isinstance(config, DatasetConfig)
    return config
