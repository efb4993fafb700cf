"""The command line, thin over effect.py. Heavy imports wait until a command runs, so that --help is quick."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from beatnet_align import __version__
from beatnet_align.errors import BeatnetAlignError, InputError

if TYPE_CHECKING:
    from tqdm import tqdm

    from beatnet_align.effect import Aligned, BeatDetective
    from beatnet_align.groove import GrooveTemplate
    from beatnet_align.roles import Role
    from beatnet_align.tempo_source import TempoRequest

EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130
DESCRIPTION = """\
Align a recorded multitrack drum take to the grid: find every hit, decide which grid line it was meant for, move it
there, and join what was cut so that nobody hears it. All microphones move together, so their phase stays as it was."""
EPILOG = """\
examples:
  beatnet-align demo
  beatnet-align align take_3 -o take_3_aligned --bpm 120 --first-beat 1.0 --grid 1/16
  beatnet-align align take_3 -o tighter --bpm 96 --first-beat 0 --grid 1/8T --strength 80 --exclude-within 5
  beatnet-align align take_3 -o out --tempo-map song.mid --bars 9-16
  beatnet-align detect take_3 --json
  beatnet-align render take_3 take_3_aligned/edits.json -o corrected
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Without the program's name; the process's own when None.

    Returns:
        0, or 2 where the input or the output was the problem, or 130 after an interrupt.
    """
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], None] = arguments.run
    try:
        run(arguments)
    except BeatnetAlignError as error:
        print(f"beatnet-align: error: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("beatnet-align: interrupted; nothing was left half-written", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # nobody reads on, and Python would complain of that at exit
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="beatnet-align",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = commands.add_parser("align", help="move every hit of a take to the grid and write the stems")
    _add_take(command)
    _add_out(command)
    _add_tempo(command)
    _add_alignment(command)
    _add_listening(command)
    _add_splicing(command)
    command.set_defaults(run=_align)

    command = commands.add_parser("detect", help="list the hits of a take")
    _add_take(command)
    _add_listening(command)
    command.add_argument("--json", action="store_true", help='print {"hits": [...]} instead of a table')
    command.set_defaults(run=_detect)

    command = commands.add_parser("render", help="render an edits.json again after it was corrected")
    _add_take(command)
    command.add_argument("edits", metavar="EDITS", type=Path, help="the edits.json that align wrote")
    _add_out(command)
    command.set_defaults(run=_render)

    command = commands.add_parser("compare", help="untouched and onset-quantise side by side, as figures")
    _add_take(command)
    command.add_argument(
        "--target",
        metavar="DIR",
        type=Path,
        help="the same take with every hit in place (a truth.json beside it helps)",
    )
    _add_out(command, required=False, text="keep the aligned stems and a picture here")
    _add_tempo(command)
    _add_alignment(command)
    _add_listening(command)
    _add_splicing(command)
    command.set_defaults(run=_compare)

    command = commands.add_parser("demo", help="align the take that comes with the program, with figures and a picture")
    _add_out(command, required=False, text="folder for the result (default: beatnet-demo)")
    command.set_defaults(run=_demo)
    return parser


class _Parser(argparse.ArgumentParser):
    """Errors on one line, like all others."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"beatnet-align: error: {message}; see {self.prog} --help\n")


def _add_take(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "take", metavar="TAKE", type=Path, help="a folder of stems (WAV, AIFF, FLAC), or one multichannel file"
    )


def _add_out(
    command: argparse.ArgumentParser, *, required: bool = True, text: str = "folder for stems and edits.json"
) -> None:
    command.add_argument("-o", "--out", metavar="OUT", type=Path, required=required, help=text)
    command.add_argument("--force", action="store_true", help="replace files that are there")


def _add_tempo(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("tempo (estimated from the hits where nothing is given)")
    group.add_argument("--bpm", type=float, help="constant tempo, quarter notes a minute")
    group.add_argument("--first-beat", metavar="SECONDS", type=float, help="when bar 1 begins")
    group.add_argument("--tempo-map", metavar="FILE.mid", type=Path, help="MIDI file with tempo and signature changes")
    group.add_argument("--click", metavar="FILE.wav", type=Path, help="recorded click that starts with the take")
    group.add_argument("--clicks-per-beat", metavar="N", type=float, default=1.0, help="2 for an eighth-note click")


def _add_alignment(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("alignment")
    group.add_argument(
        "--engine", choices=["onset-quantise"], default="onset-quantise", help="who decides (%(default)s)"
    )
    group.add_argument(
        "--grid",
        default="1/16",
        help="1/4, 1/8, 1/16, 1/32, triplets 1/4T, 1/8T, 1/16T, or several: 1/16+1/8T (%(default)s)",
    )
    group.add_argument("--swing", metavar="PERCENT", type=float, default=50.0, help="50 straight to 75 (%(default)g)")
    group.add_argument(
        "--groove", metavar="FILE", type=Path, help="follow the feel of a MIDI file, a saved template (.json) or a take"
    )
    group.add_argument("--groove-bpm", metavar="BPM", type=float, help="tempo of a --groove take")
    group.add_argument("--groove-first-beat", metavar="SECONDS", type=float, help="bar 1 of a --groove take")
    group.add_argument(
        "--strength", metavar="PERCENT", type=float, default=100.0, help="0 leaves hits, 100 snaps (%(default)g)"
    )
    group.add_argument(
        "--exclude-within", metavar="MS", type=float, default=0.0, help="leave hits this close to their line"
    )
    group.add_argument("--max-move", metavar="MS", type=float, help="leave and flag hits that would move further")
    group.add_argument("--bars", metavar="FIRST-LAST", help="edit only these bars, counted from 1")


def _add_listening(command: argparse.ArgumentParser) -> None:
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
        "--sensitivity", metavar="PERCENT", type=float, default=50.0, help="more finds softer hits (%(default)g)"
    )
    group.add_argument(
        "--trigger", metavar="CHANNEL", action="append", help="let only this channel or stem trigger hits (repeatable)"
    )
    group.add_argument(
        "--merge-window", metavar="MS", type=float, default=10.0, help="at most 12, so that flams survive (%(default)g)"
    )


def _add_splicing(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("cutting")
    group.add_argument(
        "--pad", metavar="MS", type=float, default=5.0, help="cut this long before an attack (%(default)g)"
    )
    group.add_argument(
        "--crossfade", metavar="MS", type=float, default=5.0, help="ends before the attack (%(default)g)"
    )
    group.add_argument(
        "--fill",
        choices=["auto", "extend", "stretch"],
        default="auto",
        help="in gaps run on into the tail, stretch it, or choose by length (%(default)s)",
    )
    group.add_argument(
        "--group",
        metavar="A,B,...",
        action="append",
        default=[],
        help="cut these channels or stems together and apart from the rest (repeatable; default: all together)",
    )


def _align(arguments: argparse.Namespace) -> None:
    from beatnet_align.effect import align  # noqa: PLC0415

    with _ProgressBar() as bar:
        aligned = align(
            arguments.take,
            arguments.out,
            _detective(arguments),
            _tempo(arguments),
            roles=_roles(arguments),
            force=arguments.force,
            progress=bar.advance,
        )
    _report(aligned, arguments.out)


def _render(arguments: argparse.Namespace) -> None:
    from beatnet_align.effect import render_edits  # noqa: PLC0415

    with _ProgressBar() as bar:
        aligned = render_edits(
            arguments.take, arguments.edits, arguments.out, force=arguments.force, progress=bar.advance
        )
    _report(aligned, arguments.out)


def _report(aligned: "Aligned", out: Path) -> None:
    from beatnet_align.edit_plan import landed_samples  # noqa: PLC0415
    from beatnet_align.units import samples_to_seconds, seconds_to_ms  # noqa: PLC0415

    plan = aligned.plan
    pairs = zip(plan.moves, landed_samples(plan), strict=True)
    shifts_samples = sorted(abs(landed - move.onset_samples) for move, landed in pairs if landed != move.onset_samples)
    how_far = ""
    if shifts_samples:
        middle_ms, most_ms = (
            seconds_to_ms(samples_to_seconds(shift, plan.take.sample_rate))
            for shift in (shifts_samples[len(shifts_samples) // 2], shifts_samples[-1])
        )
        how_far = f", by {middle_ms:.1f} ms (median) and {most_ms:.1f} ms at most"
    for remark in aligned.remarks:
        print(f"note: {remark}", file=sys.stderr)
    print(f"{len(shifts_samples)} of {len(plan.moves)} hits moved{how_far}; stems and edits.json are in {out}")


def _detect(arguments: argparse.Namespace) -> None:
    import json  # noqa: PLC0415

    from beatnet_align.audio_files import open_take  # noqa: PLC0415
    from beatnet_align.collection import OnsetSettings, find_hits  # noqa: PLC0415
    from beatnet_align.units import ms_to_seconds, samples_to_seconds  # noqa: PLC0415

    settings = OnsetSettings(
        arguments.sensitivity / 100.0,
        ms_to_seconds(arguments.merge_window),
        tuple(arguments.trigger) if arguments.trigger else None,
    )
    with open_take(arguments.take, _roles(arguments)) as opened, _ProgressBar() as bar:
        take = opened.take
        hits = find_hits(take, settings, lambda samples: bar.advance("finding hits", samples, take.samples))
    rows = [
        {
            "seconds": round(samples_to_seconds(hit.onset_samples, take.sample_rate), 6),
            "channel": take.channels[hit.channel].name,
            "piece": hit.piece.value,
            "velocity": hit.velocity,
            "confidence": hit.confidence,
        }
        for hit in hits
    ]
    if not hits:
        print(f"note: no hits were found in {arguments.take}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"hits": rows}, indent=1))
        return
    width = max([7, *(len(channel.name) for channel in take.channels)])
    print(f"{'seconds':>11}  {'channel':<{width}}  {'piece':<13}  velocity  confidence")
    for row in rows:
        print(
            f"{row['seconds']:11.4f}  {row['channel']:<{width}}  {row['piece']:<13}  "
            f"{row['velocity']:8.2f}  {row['confidence']:10.2f}"
        )


def _compare(arguments: argparse.Namespace) -> None:
    from beatnet_align.compare import compare, figures_table  # noqa: PLC0415

    with _ProgressBar() as bar:
        comparison = compare(
            arguments.take,
            _detective(arguments),
            _tempo(arguments),
            target_path=arguments.target,
            out_dir=arguments.out,
            roles=_roles(arguments),
            force=arguments.force,
            progress=bar.advance,
        )
    for remark in comparison.remarks:
        print(f"note: {remark}", file=sys.stderr)
    print(figures_table(comparison.rows))


def _demo(arguments: argparse.Namespace) -> None:
    from beatnet_align.compare import figures_table  # noqa: PLC0415
    from beatnet_align.demo import run_demo  # noqa: PLC0415

    out = arguments.out or Path("beatnet-demo")
    with _ProgressBar() as bar:
        comparison = run_demo(out, force=arguments.force or arguments.out is None, progress=bar.advance)
    print(figures_table(comparison.rows))
    print(f"\nlisten to the stems in {out / 'onset-quantise'}, look at {out / 'before_after.png'}")


def _detective(arguments: argparse.Namespace) -> "BeatDetective":
    from beatnet_align.edit_plan import Fill  # noqa: PLC0415
    from beatnet_align.effect import BeatDetective  # noqa: PLC0415
    from beatnet_align.units import ms_to_seconds  # noqa: PLC0415

    return BeatDetective(
        grid=arguments.grid,
        swing=arguments.swing / 100.0,
        groove=_groove(arguments),
        strength=arguments.strength / 100.0,
        exclude_within_seconds=ms_to_seconds(arguments.exclude_within),
        max_move_seconds=None if arguments.max_move is None else ms_to_seconds(arguments.max_move),
        bars=_bars(arguments.bars),
        sensitivity=arguments.sensitivity / 100.0,
        merge_window_seconds=ms_to_seconds(arguments.merge_window),
        triggers=tuple(arguments.trigger) if arguments.trigger else None,
        pad_seconds=ms_to_seconds(arguments.pad),
        crossfade_seconds=ms_to_seconds(arguments.crossfade),
        fill=Fill(arguments.fill),
        groups=tuple(tuple(name.strip() for name in group.split(",")) for group in arguments.group),
    )


def _groove(arguments: argparse.Namespace) -> "GrooveTemplate | None":
    if arguments.groove is None:
        return None
    from beatnet_align.groove_source import read_groove  # noqa: PLC0415
    from beatnet_align.tempo_source import TempoRequest  # noqa: PLC0415

    tempo = TempoRequest(bpm=arguments.groove_bpm, first_beat_seconds=arguments.groove_first_beat)
    return read_groove(arguments.groove, arguments.grid, tempo)


def _tempo(arguments: argparse.Namespace) -> "TempoRequest":
    from beatnet_align.tempo_source import TempoRequest  # noqa: PLC0415

    return TempoRequest(
        bpm=arguments.bpm,
        first_beat_seconds=arguments.first_beat,
        midi=arguments.tempo_map,
        click=arguments.click,
        clicks_per_beat=arguments.clicks_per_beat,
    )


def _roles(arguments: argparse.Namespace) -> "dict[str, Role]":
    from beatnet_align.roles import Role  # noqa: PLC0415

    roles = {}
    for text in arguments.role:
        channel, _, name = text.rpartition("=")
        if not channel or name not in set(Role):
            raise InputError(f"--role wants CHANNEL=ROLE with one of {', '.join(Role)}; found {text!r}")
        roles[channel] = Role(name)
    return roles


def _bars(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, dash, last = text.partition("-")
    try:
        return int(first), int(last if dash else first)
    except ValueError as error:
        raise InputError(f"--bars wants FIRST-LAST, such as 5-12; found {text!r}") from error


class _ProgressBar:
    """A tqdm bar a stage, on stderr; tqdm keeps silent where stderr is no terminal."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, stage: str, samples: int, total_samples: int) -> None:
        """Show that a stage has done further samples."""
        from tqdm import tqdm  # noqa: PLC0415

        if stage != self._stage:
            if self._bar is not None:
                self._bar.close()
            self._stage = stage
            self._bar = tqdm(total=total_samples, desc=stage, unit=" samples", unit_scale=True, disable=None)
        if self._bar is not None:
            self._bar.update(samples)
