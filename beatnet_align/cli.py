"""The command line, thin over effect.py. Heavy imports wait until a command runs, so that --help is quick."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from beatnet_align import __version__
from beatnet_align.cli_options import (
    add_alignment,
    add_engine,
    add_listening,
    add_out,
    add_repair,
    add_splicing,
    add_take,
    add_tempo,
    read_detective,
    read_listener,
    read_model,
    read_roles,
    read_tempo,
)
from beatnet_align.engines import DEFAULT_ENGINE, find_hits
from beatnet_align.errors import BeatnetAlignError, told
from beatnet_align.onnx_networks import other_weights_remarks
from beatnet_align.progress_bar import ProgressBar

if TYPE_CHECKING:
    from beatnet_align.effect import Aligned

EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130
DESCRIPTION = """\
Align a recorded multitrack drum take to the grid: find every hit, decide which grid line it was meant for, move it
there, and join what was cut so that nobody hears it. All microphones move together, so their phase stays as it was;
but where hits of one line were struck apart, those that a cut would leave off their place are lifted out and moved."""
EPILOG = """\
examples:
  beatnet-align demo
  beatnet-align align take_3 -o take_3_aligned --bpm 120 --first-beat 1.0 --grid 1/16
  beatnet-align align take_3 -o tighter --bpm 96 --first-beat 0 --grid 1/8T --strength 80 --exclude-within 5
  beatnet-align align take_3 -o out --tempo-map song.mid --bars 9-16
  beatnet-align align take_3 -o classical --bpm 120 --first-beat 1.0 --engine onset-quantise
  beatnet-align detect take_3 --json
  beatnet-align render take_3 take_3_aligned/edits.json -o corrected
  beatnet-align stems take_3 -o take_3_stems --rest
"""
STEMS_DESCRIPTION = """\
Experimental. Take a take apart into the pieces of the kit, by masks that are learned from the take itself.

OUT/close holds every close microphone under its own name and in its own format with less bleed: a kick microphone keeps
the kick, a snare microphone snare and sidestick, and so on; a tom microphone the toms whose hits trigger on it, or all
toms where none does. A close microphone whose pieces were never struck is silent, as a gate would leave it, and a note
says so. OUT/pieces holds a float WAV for each piece that was struck: that piece alone in every microphone of the take,
in the take's order of channels."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Without the program's name; the process's own when None.

    Returns:
        0, or 2 where the input or the output was the problem, or 130 after an interrupt.
    """
    arguments = _parser().parse_args(argv)
    _keep_threads_for_the_work()
    _clean_up_on_termination()
    run: Callable[[argparse.Namespace], None] = arguments.run
    try:
        _remark(other_weights_remarks())
        run(arguments)
        sys.stdout.flush()
    except BeatnetAlignError as error:
        print(f"beatnet-align: error: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("beatnet-align: interrupted; nothing was left half-written", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # nobody reads on, and Python would complain of that at exit
        return 0
    except OSError as error:
        print(f"beatnet-align: error: {told(error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


def _keep_threads_for_the_work() -> None:
    """Keep NumPy's and SciPy's linear algebra, not loaded yet, to one thread: all cores are busy, and more would wait.

    A tenth of the time of a whole run on two cores. Who sets the variable decides.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _clean_up_on_termination() -> None:
    """Let a polite kill end the run like an interrupt, so that hidden partial files go."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="beatnet-align",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")

    command = commands.add_parser("align", help="move every hit of a take to the grid and write the stems")
    add_take(command)
    add_out(command)
    add_engine(command, resynthesis=True)
    add_tempo(command)
    add_alignment(command)
    add_listening(command)
    add_splicing(command)
    add_repair(command)
    command.add_argument(
        "--report-hits", action="store_true", help="print where each hit goes and how surely, and the feel of each bar"
    )
    command.set_defaults(run=_align, default_of=command.get_default)

    command = commands.add_parser("detect", help="list the hits of a take")
    add_take(command)
    add_engine(command)
    add_listening(command)
    command.add_argument("--json", action="store_true", help='print {"hits": [...]} instead of a table')
    command.set_defaults(run=_detect)

    command = commands.add_parser("render", help="render an edits.json again after it was corrected")
    add_take(command)
    command.add_argument("edits", metavar="EDITS", type=Path, help="the edits.json that align wrote")
    add_out(command)
    command.set_defaults(run=_render)

    command = commands.add_parser(
        "stems",
        help="experimental: close microphones without bleed, and a stem for each piece",
        description=STEMS_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_take(command)
    add_out(command, text="folder for close/ and pieces/")
    command.add_argument(
        "--rest",
        action="store_true",
        help="also write pieces/rest.wav, what no piece claims: pieces and rest add up to the take",
    )
    add_engine(command)
    add_listening(command)
    command.set_defaults(run=_stems)

    command = commands.add_parser("compare", help="untouched, onset-quantise and neural side by side, as figures")
    add_take(command)
    command.add_argument(
        "--target",
        metavar="DIR",
        type=Path,
        help="the same take with every hit in place (a truth.json beside it helps)",
    )
    add_out(command, required=False, text="keep the aligned stems, a folder an engine, and a picture here")
    add_engine(command, "all are compared; this one is drawn, and estimates the tempo where none is given")
    add_tempo(command)
    add_alignment(command)
    add_listening(command)
    add_splicing(command)
    add_repair(command)
    command.set_defaults(run=_compare)

    command = commands.add_parser("demo", help="align the take that comes with the program, with figures and a picture")
    add_out(command, required=False, text="folder for the result (default: beatnet-demo)")
    command.set_defaults(run=_demo)
    return parser


class _Parser(argparse.ArgumentParser):
    """Errors on one line, like all others."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"beatnet-align: error: {message}; see {self.prog} --help\n")


def _align(arguments: argparse.Namespace) -> None:
    from beatnet_align.effect import align  # noqa: PLC0415

    model = read_model(arguments)
    if model is not None:
        _resynthesise(arguments, model)
        return
    with ProgressBar() as bar:
        detective, assumed = read_detective(arguments, bar.advance)
        aligned = align(
            arguments.take,
            arguments.out,
            detective,
            read_tempo(arguments),
            roles=read_roles(arguments),
            force=arguments.force,
            progress=bar.advance,
        )
    if arguments.report_hits:
        from beatnet_align.hit_report import bar_table, move_table  # noqa: PLC0415

        print(f"{move_table(aligned.plan)}\n\n{bar_table(aligned.plan)}\n")
    _remark(assumed)
    _report(aligned, arguments.out)


def _resynthesise(arguments: argparse.Namespace, model: str) -> None:
    from beatnet_align.resynthesis import resynthesise  # noqa: PLC0415

    with ProgressBar() as bar:
        detective, assumed = read_detective(arguments, bar.advance)
        written = resynthesise(
            arguments.take,
            arguments.out,
            model,
            detective,
            read_tempo(arguments),
            roles=read_roles(arguments),
            force=arguments.force,
            progress=bar.advance,
        )
    _remark((*assumed, *written.remarks))
    print(f"a network wrote the stems; they and edits.json, which lists no edits, are in {arguments.out}")


def _render(arguments: argparse.Namespace) -> None:
    from beatnet_align.effect import render_edits  # noqa: PLC0415

    with ProgressBar() as bar:
        aligned = render_edits(
            arguments.take, arguments.edits, arguments.out, force=arguments.force, progress=bar.advance
        )
    _report(aligned, arguments.out)


def _report(aligned: "Aligned", out: Path) -> None:
    from beatnet_align.repair import landed_samples  # noqa: PLC0415
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
    _remark(aligned.remarks)
    print(f"{len(shifts_samples)} of {len(plan.moves)} hits moved{how_far}; stems and edits.json are in {out}")


def _remark(remarks: Iterable[str]) -> None:
    for remark in remarks:
        print(f"note: {remark}", file=sys.stderr)


def _detect(arguments: argparse.Namespace) -> None:
    import json  # noqa: PLC0415

    from beatnet_align.audio_files import open_take  # noqa: PLC0415
    from beatnet_align.hit_report import hit_rows, hit_table  # noqa: PLC0415
    from beatnet_align.remarks import role_remarks  # noqa: PLC0415 - --help needs no NumPy

    listener = read_listener(arguments)
    with open_take(arguments.take, read_roles(arguments)) as opened, ProgressBar() as bar:
        take = opened.take
        hits = find_hits(
            take,
            listener.engine,
            listener.listening,
            lambda samples: bar.advance("finding hits", samples, take.samples),
        )
    _remark(role_remarks(take) if hits else (f"no hits were found in {arguments.take}",))
    rows = hit_rows(hits, take)
    print(json.dumps({"hits": rows}, indent=1) if arguments.json else hit_table(rows))


def _stems(arguments: argparse.Namespace) -> None:
    from beatnet_align.piece_stems import write_piece_stems  # noqa: PLC0415

    with ProgressBar() as bar:
        written = write_piece_stems(
            arguments.take,
            arguments.out,
            read_listener(arguments),
            roles=read_roles(arguments),
            rest=arguments.rest,
            force=arguments.force,
            progress=bar.advance,
        )
    _remark(written.remarks)
    print(f"struck: {', '.join(written.pieces)}; files in {arguments.out}: {len(written.files)}")


def _compare(arguments: argparse.Namespace) -> None:
    from beatnet_align.compare import compare, figures_table  # noqa: PLC0415

    with ProgressBar() as bar:
        detective, assumed = read_detective(arguments, bar.advance)
        comparison = compare(
            arguments.take,
            detective,
            read_tempo(arguments),
            target_path=arguments.target,
            out_dir=arguments.out,
            roles=read_roles(arguments),
            force=arguments.force,
            progress=bar.advance,
        )
    _remark((*assumed, *comparison.remarks))
    print(figures_table(comparison.rows))


def _demo(arguments: argparse.Namespace) -> None:
    from beatnet_align.compare import figures_table  # noqa: PLC0415
    from beatnet_align.demo import run_demo  # noqa: PLC0415

    out = arguments.out or Path("beatnet-demo")
    with ProgressBar() as bar:
        comparison = run_demo(out, force=arguments.force, progress=bar.advance)
    print(figures_table(comparison.rows))
    print(f"\nlisten to the stems in {out / DEFAULT_ENGINE}, look at {out / 'before_after.png'}")
