"""Where the tempo comes from: told, a MIDI file, a recorded click, or the hits themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beatnet_align.errors import InputError
from beatnet_align.hits import Hit
from beatnet_align.roles import Role
from beatnet_align.take import Audio, AudioSource, Take
from beatnet_align.tempo_map import TempoChange, TempoMap

Tempo = tuple[TempoMap, tuple[str, ...]]
"""A map, and sentences that say what was assumed or should not be trusted."""


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
        about_bpm: Where the tempo is estimated, about what it is: decides between half and double.
    """

    bpm: float | None = None
    first_beat_seconds: float | None = None
    midi: Path | None = None
    click: Path | None = None
    clicks_per_beat: float = 1.0
    tempo_map: TempoMap | None = None
    about_bpm: float | None = None

    def __post_init__(self) -> None:
        given = [
            name
            for name, value in (
                ("a tempo in BPM", self.bpm),
                ("a MIDI tempo map", self.midi),
                ("a click track", self.click),
                ("a finished tempo map", self.tempo_map),
                ("an estimate near a tempo", self.about_bpm),
            )
            if value is not None
        ]
        for bpm in (self.bpm, self.about_bpm):
            if bpm is not None:
                TempoChange(0.0, bpm)  # checks the range
        if len(given) > 1:
            raise InputError(f"the tempo has to come from one place, found {' and '.join(given)}")
        if any(value is not None for value in (self.bpm, self.midi, self.tempo_map)):
            _check_no_clicks_counted(self)
        if self.first_beat_seconds is not None and (self.click or self.tempo_map):
            raise InputError("a click track or a finished tempo map says itself where the first beat is")


def resolve_tempo(request: TempoRequest, take: Take, hits: Sequence[Hit]) -> Tempo:
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
    return told_tempo(request, take) or estimated_tempo(request, take, hits)


def told_tempo(request: TempoRequest, take: Take) -> Tempo | None:
    """The tempo as far as it needs no hits: told, or read from a file or a click channel.

    Args:
        request: What is known.
        take: Gives the length, and a click channel if it has one.

    Returns:
        As :func:`resolve_tempo`; None where hits are needed.

    Raises:
        InputError: A file cannot be used, or the first beat lies behind the end of the take.
    """
    if request.first_beat_seconds is not None:
        _check_first_beat(request.first_beat_seconds, take)
    if request.tempo_map is not None:
        tempo: Tempo = (request.tempo_map, ())
    elif request.midi is not None:
        from beatnet_align.midi import read_tempo_map  # noqa: PLC0415 - mido is slow to import

        tempo_map = read_tempo_map(request.midi, request.first_beat_seconds or 0.0)
        tempo = (tempo_map, () if request.first_beat_seconds is not None else (_starts_with_take(request.midi),))
    elif request.bpm is not None:
        if request.first_beat_seconds is None:
            return None
        tempo = (TempoMap.constant(request.bpm, request.first_beat_seconds), ())
    elif request.click is not None or _click_channel(take) is not None:
        tempo = _from_click(request, take)
    else:
        _check_no_clicks_counted(request)
        return None
    _check_first_beat(tempo[0].first_beat_seconds, take)
    return tempo


def estimated_tempo(request: TempoRequest, take: Take, hits: Sequence[Hit]) -> Tempo:
    """Estimate from the hits what is not told: a constant tempo, or one that follows the drummer where none fits.

    Args:
        request: Its tempo or its first beat are kept where given.
        take: Gives rate and length.
        hits: What to estimate from.

    Returns:
        As :func:`resolve_tempo`.

    Raises:
        InputError: There are too few hits to estimate from.
    """
    from beatnet_align.beat_following import estimate_beats  # noqa: PLC0415
    from beatnet_align.tempo_estimate import estimate_first_beat, estimate_tempo  # noqa: PLC0415

    if request.bpm is not None:
        estimate = estimate_first_beat(hits, take.sample_rate, request.bpm)
    elif request.first_beat_seconds is not None:
        estimate = estimate_tempo(hits, take.sample_rate, bpm_hint=request.about_bpm)
        bpm = float(estimate.tempo_map.tempi[0].bpm)
        told = TempoMap.constant(bpm, request.first_beat_seconds)
        return told, (f"assumed constant tempo {bpm:g} BPM", estimate.assumptions[-1], *estimate.warnings)
    else:
        estimate = estimate_beats(hits, take.sample_rate, about_bpm=request.about_bpm)
    _check_first_beat(estimate.tempo_map.first_beat_seconds, take)
    return estimate.tempo_map, (*estimate.assumptions, *estimate.warnings)


def _check_first_beat(first_beat_seconds: float, take: Take) -> None:
    if first_beat_seconds >= take.seconds:
        raise InputError(
            f"the first beat is at {first_beat_seconds:.3f} s, but the take ends at {take.seconds:.3f} s; "
            "give the time of bar 1 in seconds"
        )


def _check_no_clicks_counted(request: TempoRequest) -> None:
    if request.clicks_per_beat != 1.0:
        raise InputError("clicks per beat would do nothing here: no click says the tempo")


def _starts_with_take(midi: Path) -> str:
    return f"assumed that {midi.name} starts with the take: bar 1 begins at 0 s, unless a first beat is given"


def _from_click(request: TempoRequest, take: Take) -> Tempo:
    from beatnet_align.click import tempo_map_from_click  # noqa: PLC0415 - few runs have a click

    channel = _click_channel(take)
    if request.click is not None:
        from beatnet_align.audio_files import open_take  # noqa: PLC0415

        with open_take(request.click) as opened:
            tempo_map = tempo_map_from_click(opened.take, request.clicks_per_beat)
        note = f"followed the click in {request.click.name}"
    else:
        assert channel is not None  # the caller has seen one
        if request.first_beat_seconds is not None:
            raise InputError(
                f"the click on channel {take.channels[channel].name!r} says itself where bar 1 begins; leave the first "
                "beat out, or give a tempo in BPM to go by instead of the click"
            )
        if request.about_bpm is not None:
            raise InputError(
                f"about how fast it is would do nothing here: the click on channel {take.channels[channel].name!r} "
                "says the tempo; give it another role to have the tempo estimated"
            )
        row = _Row(take, channel)
        click = Take(take.channels[channel].name, take.sample_rate, take.samples, (take.channels[channel],), row)
        tempo_map = tempo_map_from_click(click, request.clicks_per_beat)
        note = f"followed the click on channel {click.channels[0].name!r}"
    return tempo_map, (f"{note}: bar 1 begins at {tempo_map.first_beat_seconds:.3f} s",)


def _click_channel(take: Take) -> int | None:
    return next((i for i, channel in enumerate(take.channels) if channel.role is Role.CLICK), None)


@dataclass(frozen=True)
class _Row(AudioSource):
    """One channel of a take as a source of its own."""

    take: Take
    channel: int

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        return self.take.read(start_samples, stop_samples)[self.channel : self.channel + 1]
