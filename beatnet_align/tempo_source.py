"""Where the tempo comes from: told, a MIDI file, a recorded click, or the hits themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beatnet_align.errors import InputError
from beatnet_align.hits import Hit
from beatnet_align.roles import Role
from beatnet_align.take import Audio, AudioSource, Take
from beatnet_align.tempo_map import TempoMap


@dataclass(frozen=True)
class TempoRequest:
    """What the user said of the tempo; what is not said is estimated.

    Attributes:
        bpm: Constant tempo in quarter notes a minute.
        first_beat_seconds: When bar 1 begins; may be negative, where the take begins later.
        midi: A Standard MIDI File with tempo and time-signature changes; starts with the take unless
            ``first_beat_seconds`` says otherwise.
        click: A recorded click that starts with the take.
        clicks_per_beat: 1 for quarter notes, 2 for eighth notes.
        tempo_map: A finished map, for callers from Python.
    """

    bpm: float | None = None
    first_beat_seconds: float | None = None
    midi: Path | None = None
    click: Path | None = None
    clicks_per_beat: float = 1.0
    tempo_map: TempoMap | None = None

    def __post_init__(self) -> None:
        given = [
            name
            for name, value in (
                ("a tempo in BPM", self.bpm),
                ("a MIDI tempo map", self.midi),
                ("a click track", self.click),
                ("a finished tempo map", self.tempo_map),
            )
            if value is not None
        ]
        if len(given) > 1:
            raise InputError(f"the tempo has to come from one place, found {' and '.join(given)}")
        if self.first_beat_seconds is not None and (self.click or self.tempo_map):
            raise InputError("a click track or a finished tempo map says itself where the first beat is")


def resolve_tempo(request: TempoRequest, take: Take, hits: Sequence[Hit]) -> tuple[TempoMap, tuple[str, ...]]:
    """Find out the tempo of a take.

    Args:
        request: What is known.
        take: Gives the length, and a click channel if it has one.
        hits: What to estimate from.

    Returns:
        The map, and sentences that say what was assumed or should not be trusted.

    Raises:
        InputError: A file cannot be used, the first beat lies behind the end of the take, or nothing is known and there
            are too few hits to estimate from.
    """
    tempo_map, notes = _found(request, take, hits)
    if tempo_map.first_beat_seconds >= take.seconds:
        raise InputError(
            f"the first beat is at {tempo_map.first_beat_seconds:.3f} s, but the take ends at {take.seconds:.3f} s; "
            "give the time of bar 1 in seconds"
        )
    return tempo_map, notes


def _found(request: TempoRequest, take: Take, hits: Sequence[Hit]) -> tuple[TempoMap, tuple[str, ...]]:
    if request.tempo_map is not None:
        return request.tempo_map, ()
    if request.midi is not None:
        from beatnet_align.midi import read_tempo_map  # noqa: PLC0415 - mido is slow to import

        return read_tempo_map(request.midi, request.first_beat_seconds or 0.0), ()
    if request.bpm is not None and request.first_beat_seconds is not None:
        return TempoMap.constant(request.bpm, request.first_beat_seconds), ()
    if request.bpm is None and (request.click is not None or _click_channel(take) is not None):
        return _from_click(request, take)
    return _estimated(request, take, hits)


def _from_click(request: TempoRequest, take: Take) -> tuple[TempoMap, tuple[str, ...]]:
    from beatnet_align.click import tempo_map_from_click  # noqa: PLC0415 - few runs have a click

    channel = _click_channel(take)
    if request.click is not None:
        from beatnet_align.audio_files import open_take  # noqa: PLC0415

        with open_take(request.click) as opened:
            tempo_map = tempo_map_from_click(opened.take, request.clicks_per_beat)
        note = f"followed the click in {request.click.name}"
    else:
        assert channel is not None  # the caller has seen one
        row = _Row(take, channel)
        click = Take("click", take.sample_rate, take.samples, (take.channels[channel],), row)
        tempo_map = tempo_map_from_click(click, request.clicks_per_beat)
        note = f"followed the click on channel {click.channels[0].name!r}"
    return tempo_map, (f"{note}: bar 1 begins at {tempo_map.first_beat_seconds:.3f} s",)


def _estimated(request: TempoRequest, take: Take, hits: Sequence[Hit]) -> tuple[TempoMap, tuple[str, ...]]:
    from beatnet_align.tempo_estimate import estimate_first_beat, estimate_tempo  # noqa: PLC0415

    if request.bpm is not None:
        estimate = estimate_first_beat(hits, take.sample_rate, request.bpm)
    else:
        estimate = estimate_tempo(hits, take.sample_rate)
        if request.first_beat_seconds is not None:
            bpm = float(estimate.tempo_map.tempi[0].bpm)
            told = TempoMap.constant(bpm, request.first_beat_seconds)
            return told, (f"assumed constant tempo {bpm:g} BPM", *estimate.warnings)
    return estimate.tempo_map, (*estimate.assumptions, *estimate.warnings)


def _click_channel(take: Take) -> int | None:
    return next((i for i, channel in enumerate(take.channels) if channel.role is Role.CLICK), None)


@dataclass(frozen=True)
class _Row(AudioSource):
    """One channel of a take as a source of its own."""

    take: Take
    channel: int

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        return self.take.read(start_samples, stop_samples)[self.channel : self.channel + 1]
