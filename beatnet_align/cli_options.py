"""The options of the command line: declared, and turned into settings. Heavy imports wait until they are read."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from beatnet_align.bar_selection import parse_bars
from beatnet_align.engines import DEFAULT_ENGINE, RESYNTHESIS, Engine, Fill, Positions, Render
from beatnet_align.errors import InputError

if TYPE_CHECKING:
    from beatnet_align.effect import BeatDetective, Progress
    from beatnet_align.groove import GrooveTemplate
    from beatnet_align.roles import Role
    from beatnet_align.tempo_source import TempoRequest

HEARD_BY_RESYNTHESIS = frozenset(
    {
        *("command", "take", "out", "force", "engine", "model", "role", "run", "default_of"),
        *("bpm", "about_bpm", "first_beat", "tempo_map", "click", "clicks_per_beat"),
        *("grid", "swing", "groove", "groove_bpm", "groove_first_beat", "strength"),
    }
)
"""What align is told that a network that writes the audio itself can follow."""

LEFT_FLAM_MS = 2.0
MERGE_WINDOW_MS = 10.0
"""Those of :class:`beatnet_align.effect.BeatDetective`, which --help need not import."""


def add_take(command: argparse.ArgumentParser) -> None:
    """TAKE."""
    command.add_argument(
        "take", metavar="TAKE", type=Path, help="a folder of stems (WAV, AIFF, FLAC), or one multichannel file"
    )


def add_out(
    command: argparse.ArgumentParser, *, required: bool = True, text: str = "folder for stems and edits.json"
) -> None:
    """-o and --force."""
    command.add_argument("-o", "--out", metavar="OUT", type=_folder, required=required, help=text)
    command.add_argument("--force", action="store_true", help="replace files that are there")


def _folder(text: str) -> Path:
    """A folder to write to, which has a name: nobody means the current one by saying nothing."""
    if not text:
        raise argparse.ArgumentTypeError("wants a folder; for this one say .")
    return Path(text)


def _percent(least: float, most: float) -> Callable[[str], float]:
    """Reads a number of per cent; who means a share of one is told so."""

    def read(text: str) -> float:
        try:
            percent = float(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"wants a number from {least:g} to {most:g}, found {text!r}") from error
        if not least <= percent <= most or 0.0 < percent < 1.0:
            raise argparse.ArgumentTypeError(f"wants per cent, {least:g} to {most:g} (80, not 0.8); found {text}")
        return percent

    return read


def add_tempo(command: argparse.ArgumentParser) -> None:
    """Where the tempo comes from."""
    group = command.add_argument_group("tempo (estimated from the hits where nothing is given)")
    group.add_argument("--bpm", type=float, help="constant tempo, quarter notes a minute")
    group.add_argument(
        "--about-bpm",
        metavar="BPM",
        type=float,
        help="estimate the tempo within 20 %% of this one: not its half or its double",
    )
    group.add_argument("--first-beat", metavar="SECONDS", type=float, help="when bar 1 begins")
    group.add_argument("--tempo-map", metavar="FILE.mid", type=Path, help="MIDI file with tempo and signature changes")
    group.add_argument("--click", metavar="FILE.wav", type=Path, help="recorded click that starts with the take")
    group.add_argument("--clicks-per-beat", metavar="N", type=float, default=1.0, help="2 for an eighth-note click")


def add_engine(
    command: argparse.ArgumentParser, text: str = "who finds the hits", *, resynthesis: bool = False
) -> None:
    """--engine, with ``resynthesis`` also the one that decides nothing, and its --model."""
    choices = [engine.value for engine in Engine]
    told = (
        f"{text}; neural: a network that hears all channels together; onset-quantise: jumps in level, the classical "
        "baseline"
    )
    if resynthesis:
        choices.append(RESYNTHESIS)
        told += (
            "; resynthesis, experimental: a network writes all audio by itself, at its own sample rate, without edits "
            "that could be corrected, and mostly worse than the others (docs/resynthesis.md)"
        )
        command.add_argument(
            "--model",
            metavar="NAME_OR_FILE",
            help="the network of --engine resynthesis: an .onnx file that models.export_resynthesis wrote, or one that "
            "comes with the program",
        )
    command.add_argument("--engine", choices=choices, default=DEFAULT_ENGINE.value, help=f"{told} (%(default)s)")


def add_alignment(command: argparse.ArgumentParser) -> None:
    """By which rules hits are sent to lines."""
    group = command.add_argument_group("alignment")
    group.add_argument(
        "--grid",
        default="1/16",
        help="1/4, 1/8, 1/16, 1/32, triplets 1/4T, 1/8T, 1/16T, or several: 1/16+1/8T (%(default)s)",
    )
    group.add_argument(
        "--swing", metavar="PERCENT", type=_percent(50, 75), default=50.0, help="50 straight to 75 (%(default)g)"
    )
    group.add_argument(
        "--groove", metavar="FILE", type=Path, help="follow the feel of a MIDI file, a saved template (.json) or a take"
    )
    group.add_argument("--groove-bpm", metavar="BPM", type=float, help="tempo of a --groove take")
    group.add_argument("--groove-first-beat", metavar="SECONDS", type=float, help="bar 1 of a --groove take")
    group.add_argument(
        "--positions",
        choices=[positions.value for positions in Positions],
        help="which line a hit was meant for; neural: a network that knows the phrase; nearest: the nearest one "
        "(default: neural with the neural engine, nearest with onset-quantise)",
    )
    group.add_argument(
        "--strength",
        metavar="PERCENT",
        type=_percent(0, 100),
        default=100.0,
        help="0 leaves hits, 100 snaps (%(default)g)",
    )
    group.add_argument(
        "--piece-strength",
        metavar="PIECE=PERCENT",
        action="append",
        default=[],
        help="a strength for a piece or kind (kick, snare, hihat, tom, ride, crash, other): hihat=60 (repeatable)",
    )
    group.add_argument(
        "--keep-feel",
        metavar="PERCENT",
        type=_percent(0, 100),
        nargs="?",
        const=100.0,
        default=0.0,
        help="keep what each kind of piece does all along (hats ahead, a late snare) and remove drift and mistakes; "
        "100 where no number follows, so name it after TAKE",
    )
    group.add_argument(
        "--exclude-within", metavar="MS", type=float, default=0.0, help="leave hits this close to their line"
    )
    group.add_argument("--max-move", metavar="MS", type=float, help="leave and flag hits that would move further")
    group.add_argument(
        "--bars", metavar="FIRST-LAST", help="edit only these bars, counted from 1; or one, by its number"
    )
    group.add_argument(
        "--leave-bars",
        metavar="FIRST-LAST",
        action="append",
        default=[],
        help="leave the hits of these bars, or of one, where they are (repeatable)",
    )
    group.add_argument(
        "--lock",
        metavar="SECONDS[=BAR:BEAT]",
        action="append",
        default=[],
        help="leave the hit at this time, within 20 ms, and what is struck with it where it is; or say which position "
        "it was meant for, from 1 and in quarter notes: 12.35=5:2.75 is the last 16th of beat 2 (repeatable)",
    )


def add_listening(command: argparse.ArgumentParser) -> None:
    """What triggers hits, and which roles channels have."""
    group = command.add_argument_group("hits")
    group.add_argument(
        "--role",
        metavar="CHANNEL=ROLE",
        action="append",
        default=[],
        help="say what a channel is where its name does not: kick, snare, tom, hihat, ride, cymbal, overhead, room, "
        "click, other (repeatable)",
    )
    group.add_argument(
        "--sensitivity",
        metavar="PERCENT",
        type=_percent(0, 100),
        default=50.0,
        help="more finds softer hits (%(default)g)",
    )
    group.add_argument(
        "--trigger",
        metavar="CHANNEL",
        action="append",
        help="find hits in this channel or stem alone, also those of other pieces that bleed into it (repeatable)",
    )
    group.add_argument(
        "--merge-window",
        metavar="MS",
        type=float,
        help="of onset-quantise alone: what is heard closer together may be one strike; at most 12, so that flams "
        f"survive ({MERGE_WINDOW_MS:g})",
    )


def add_splicing(command: argparse.ArgumentParser) -> None:
    """How to cut."""
    group = command.add_argument_group("cutting")
    group.add_argument(
        "--pad", metavar="MS", type=float, default=5.0, help="cut this long before an attack (%(default)g)"
    )
    group.add_argument(
        "--crossfade", metavar="MS", type=float, default=5.0, help="ends before the attack (%(default)g)"
    )
    group.add_argument(
        "--fill",
        choices=list(Fill),
        default=Fill.AUTO,
        help="in gaps run on into the tail, stretch it, or continue it by a model of its ringing; neural: a network "
        "mixes both sides, in gaps of up to 80 ms and where attacks move closer; auto: run on for up to 30 ms, "
        "continue where gaps are longer, by the network where the engine is neural (%(default)s)",
    )
    group.add_argument(
        "--group",
        metavar="A,B,...",
        action="append",
        default=[],
        help="cut these channels or stems together and apart from the rest (repeatable; default: all together)",
    )


def add_repair(command: argparse.ArgumentParser) -> None:
    """Where hits are moved each by itself."""
    group = command.add_argument_group("flams inside a line")
    group.add_argument(
        "--render",
        choices=[render.value for render in Render],
        help="splice: cut, all microphones and all hits of a line together; separate: lift every hit out of every "
        "microphone and move it by itself; auto: only those that a cut would leave off their place, splice bit for bit "
        "elsewhere (default: auto with the neural engine, splice with onset-quantise)",
    )
    group.add_argument("--flam", metavar="MS", type=float, help=f"auto leaves flams up to this long ({LEFT_FLAM_MS:g})")
    group.add_argument(
        "--repair-bars", metavar="FIRST-LAST", help="auto repairs flams in these bars, or this bar, only"
    )


def read_listener(arguments: argparse.Namespace) -> "BeatDetective":
    """The effect as far as it finds hits; InputError where a value cannot be used."""
    from beatnet_align.effect import BeatDetective  # noqa: PLC0415
    from beatnet_align.units import ms_to_seconds  # noqa: PLC0415

    return BeatDetective(
        engine=Engine(arguments.engine),
        sensitivity=arguments.sensitivity / 100.0,
        merge_window_seconds=ms_to_seconds(_merge_window_ms(arguments)),
        triggers=tuple(arguments.trigger) if arguments.trigger else None,
    )


def _merge_window_ms(arguments: argparse.Namespace) -> float:
    if arguments.merge_window is None:
        return MERGE_WINDOW_MS
    if Engine(arguments.engine) is not Engine.ONSET_QUANTISE and arguments.command != "compare":
        raise InputError(f"--merge-window would do nothing here: it is for --engine {Engine.ONSET_QUANTISE} alone")
    return float(arguments.merge_window)


def read_detective(arguments: argparse.Namespace, progress: "Progress") -> "tuple[BeatDetective, tuple[str, ...]]":
    """The effect that the options ask for, and what was assumed; InputError where a value cannot be used."""
    from beatnet_align.locks import Lock  # noqa: PLC0415
    from beatnet_align.units import ms_to_seconds  # noqa: PLC0415

    listener = read_listener(arguments)
    groove, assumed = _groove(arguments, listener, progress)
    detective = replace(
        listener,
        positions=None if arguments.positions is None else Positions(arguments.positions),
        grid=arguments.grid,
        swing=arguments.swing / 100.0,
        groove=groove,
        strength=arguments.strength / 100.0,
        piece_strengths=_piece_strengths(arguments.piece_strength),
        keep_feel=arguments.keep_feel / 100.0,
        exclude_within_seconds=ms_to_seconds(arguments.exclude_within),
        max_move_seconds=None if arguments.max_move is None else ms_to_seconds(arguments.max_move),
        bars=None if arguments.bars is None else parse_bars(arguments.bars, "--bars"),
        leave_bars=tuple(parse_bars(text, "--leave-bars") for text in arguments.leave_bars),
        locks=tuple(Lock.parse(text) for text in arguments.lock),
        pad_seconds=ms_to_seconds(arguments.pad),
        crossfade_seconds=ms_to_seconds(arguments.crossfade),
        fill=Fill(arguments.fill),
        render=_render(arguments),
        flam_seconds=ms_to_seconds(LEFT_FLAM_MS if arguments.flam is None else arguments.flam),
        repair_bars=None if arguments.repair_bars is None else parse_bars(arguments.repair_bars, "--repair-bars"),
        groups=tuple(tuple(name.strip() for name in group.split(",")) for group in arguments.group),
    )
    return detective, assumed


def _render(arguments: argparse.Namespace) -> Render | None:
    """How to render; InputError where options would choose among repairs that nobody makes."""
    chosen = None if arguments.render is None else Render(arguments.render)
    idle = [
        name
        for name, given in (("--flam", arguments.flam), ("--repair-bars", arguments.repair_bars))
        if given is not None
    ]
    if idle and (chosen or Engine(arguments.engine).render) is not Render.AUTO:
        raise InputError(f"{' and '.join(idle)} would do nothing here: repairs are chosen by --render auto alone")
    return chosen


def _groove(
    arguments: argparse.Namespace, listener: "BeatDetective", progress: "Progress"
) -> "tuple[GrooveTemplate | None, tuple[str, ...]]":
    if arguments.groove is None:
        if arguments.groove_bpm is not None or arguments.groove_first_beat is not None:
            raise InputError("--groove-bpm and --groove-first-beat would do nothing here: they are for --groove alone")
        return None, ()
    from beatnet_align.groove_source import read_groove  # noqa: PLC0415
    from beatnet_align.tempo_source import TempoRequest  # noqa: PLC0415

    tempo = TempoRequest(bpm=arguments.groove_bpm, first_beat_seconds=arguments.groove_first_beat)
    settings = replace(listener.listening, triggers=None)  # those of another take
    return read_groove(arguments.groove, arguments.grid, tempo, listener.engine, settings, progress)


def read_model(arguments: argparse.Namespace) -> str | None:
    """The network that writes the audio itself; None where another engine was asked for.

    Raises:
        InputError: It is not named, or options would do nothing with this engine.
    """
    if arguments.engine != RESYNTHESIS:
        if arguments.model is not None:
            raise InputError(f"--model would do nothing here: it is for --engine {RESYNTHESIS} alone")
        return None
    model: str | None = arguments.model
    if model is None:
        raise InputError(f"--engine {RESYNTHESIS} needs --model, an .onnx file that models.export_resynthesis wrote")
    idle = [
        f"--{name.replace('_', '-')}"
        for name, given in vars(arguments).items()
        if name not in HEARD_BY_RESYNTHESIS and given != arguments.default_of(name)
    ]
    if idle:
        raise InputError(f"{' and '.join(idle)} would do nothing here: with {RESYNTHESIS} the network alone decides")
    arguments.engine = DEFAULT_ENGINE.value  # finds the hits where the tempo has to be estimated
    return model


def read_tempo(arguments: argparse.Namespace) -> "TempoRequest":
    """What the options say of the tempo."""
    from beatnet_align.tempo_source import TempoRequest  # noqa: PLC0415

    return TempoRequest(
        bpm=arguments.bpm,
        about_bpm=arguments.about_bpm,
        first_beat_seconds=arguments.first_beat,
        midi=arguments.tempo_map,
        click=arguments.click,
        clicks_per_beat=arguments.clicks_per_beat,
    )


def read_roles(arguments: argparse.Namespace) -> "dict[str, Role]":
    """Roles by channel, from --role; InputError where one is malformed."""
    from beatnet_align.roles import Role  # noqa: PLC0415

    roles = {}
    for text in arguments.role:
        channel, _, name = text.rpartition("=")
        if not channel or name not in set(Role):
            raise InputError(f"--role wants CHANNEL=ROLE with one of {', '.join(Role)}; found {text!r}")
        roles[channel] = Role(name)
    return roles


def _piece_strengths(texts: list[str]) -> dict[str, float]:
    strengths = {}
    for text in texts:
        piece, _, percent = text.partition("=")
        try:
            strengths[piece] = _percent(0, 100)(percent) / 100.0
        except argparse.ArgumentTypeError as error:
            raise InputError(f"--piece-strength wants PIECE=PERCENT, such as hihat=60; found {text!r}") from error
    return strengths
