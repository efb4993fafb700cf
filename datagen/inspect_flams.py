"""Hear and see what becomes of a session's flams: excerpts, spectrograms and a page, before and after.

    python -m datagen.inspect_flams SESSION -o OUT [--flams 10] [--engine truth|neural]

A session is a folder with take/, target/ and truth.json. The widest flams are shown as played, spliced, separated, and
as they should be.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from beatnet_align.audio_files import load
from beatnet_align.edit_plan import EditPlan, RepairSettings
from beatnet_align.effect import BeatDetective
from beatnet_align.engines import Engine, Render
from beatnet_align.errors import InputError, OutputError
from beatnet_align.reference_hits import reference_hits_from_truth
from beatnet_align.rendering import render_whole
from beatnet_align.take import ArraySource, Take
from beatnet_align.tempo_source import TempoRequest
from datagen.commands import exit_status
from datagen.inspection.flam_page import ShownFlam, write_page
from datagen.inspection.flam_pictures import draw_flam, draw_overview
from datagen.inspection.flam_versions import Version, Versions, write_excerpts
from datagen.inspection.flams import Flam, widest_flams
from datagen.perfect_plan import perfect_plan_of_session, session_tempo_map

PAGE_NAME, OVERVIEW_NAME = "index.html", "overview.png"
OVERVIEW_FLAMS = 3


class Knows(StrEnum):
    """Who decides where the hits are and where they go."""

    TRUTH = "truth"
    NEURAL = "neural"


def inspect_flams(session: Path, out_dir: Path, flams: int = 10, engine: Knows = Knows.TRUTH) -> list[Path]:
    """Show what becomes of a session's flams.

    Args:
        session: Holds take/, target/ and truth.json.
        out_dir: Gets the files, replacing those of an earlier inspection.
        flams: How many at most.
        engine: Who decides.

    Returns:
        The files that were written: per flam a picture and its excerpts, then the overview and the page.

    Raises:
        InputError: There is no session in ``session``, it has no flams, or ``flams`` is below 1.
        OutputError: A file cannot be written.
    """
    hits = reference_hits_from_truth(session)
    take, target = load(session / Version.TAKE), load(session / Version.TARGET)
    if (take.sample_rate, take.samples, take.channels) != (target.sample_rate, target.samples, target.channels):
        raise InputError(f"the take and the target in {session} differ in rate, length or channels; make them again")
    chosen = widest_flams(hits, flams, take.seconds)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {out_dir}: {error.strerror}; choose another folder with -o") from error
    versions = rendered(take, target, decided(session, take, engine))
    written: list[Path] = []
    shown: list[ShownFlam] = []
    for number, flam in enumerate(chosen, 1):
        one = ShownFlam(flam, out_dir / f"{number:02d}.png", write_excerpts(flam, versions, out_dir, f"{number:02d}"))
        draw_flam(flam, hits, versions, one.picture)
        shown.append(one)
        written += [one.picture, *(path for files in one.excerpts.values() for path in files.values())]
    overview, page = out_dir / OVERVIEW_NAME, out_dir / PAGE_NAME
    draw_overview(_widest(chosen), hits, versions, overview)
    write_page(page, f"Flams of {session.resolve().name}, decided by {engine}", shown, overview)
    return [*written, overview, page]


def decided(session: Path, take: Take, engine: Knows) -> EditPlan:
    """The plan for a session's take that lifts every hit.

    Raises:
        InputError: The truth cannot be used.
    """
    match engine:
        case Knows.TRUTH:
            return perfect_plan_of_session(session, take, RepairSettings(Render.SEPARATE))
        case Knows.NEURAL:
            detective = BeatDetective(engine=Engine.NEURAL, render=Render.SEPARATE)
            return detective.plan(take, TempoRequest(tempo_map=session_tempo_map(session)))
        case _:
            assert_never(engine)


def rendered(take: Take, target: Take, plan: EditPlan) -> Versions:
    """All versions of a take, rendered by a plan.

    Raises:
        InputError: The plan belongs to another take.
    """

    def by(render: Render) -> Take:
        audio = render_whole(take, replace(plan, repair=RepairSettings(render)))
        return replace(take, source=ArraySource(audio))

    return {
        Version.TAKE: take,
        Version.SPLICED: by(Render.SPLICE),
        Version.SEPARATED: by(Render.SEPARATE),
        Version.TARGET: target,
    }


def _widest(flams: Sequence[Flam]) -> list[Flam]:
    widest = sorted(flams, key=lambda flam: -flam.apart_seconds)[:OVERVIEW_FLAMS]
    return [flam for flam in flams if flam in widest]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 where the session cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m datagen.inspect_flams",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("session", type=Path, help="folder with take/, target/ and truth.json")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for pictures, audio and page")
    parser.add_argument("--flams", type=int, default=10, help="how many to show (%(default)d)")
    parser.add_argument("--engine", choices=list(Knows), default=Knows.TRUTH, help="who decides (%(default)s)")
    return exit_status(_run, parser.parse_args(argv))


def _run(chosen: argparse.Namespace) -> None:
    written = inspect_flams(chosen.session, chosen.out, chosen.flams, Knows(chosen.engine))
    print(f"{len(written)} files; open {written[-1]}")


if __name__ == "__main__":
    sys.exit(main())
