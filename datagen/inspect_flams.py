"""Hear and see what becomes of a session's flams: excerpts, spectrograms and a page, before and after.

    python -m datagen.inspect_flams SESSION -o OUT [--flams 10] [--engine truth|neural]

A session is a folder with take/, target/ and truth.json. The widest flams are shown as played, spliced, separated, and
as they should be.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from beatnet_align.edit_plan import EditPlan, RepairSettings
from beatnet_align.engines import Render
from beatnet_align.reference_hits import reference_hits_from_truth
from beatnet_align.rendering import render_whole
from beatnet_align.take import ArraySource, Take
from datagen.commands import exit_status
from datagen.inspection.excerpts import write_excerpts
from datagen.inspection.flam_pictures import draw_flam, draw_overview
from datagen.inspection.flam_versions import AFTER_SECONDS, BEFORE_SECONDS, Version, Versions
from datagen.inspection.flams import Flam, widest_flams
from datagen.inspection.session import PAGE_NAME, Knows, decided, load_pair, make_folder
from datagen.inspection.versions_page import Shown, write_page

OVERVIEW_NAME = "overview.png"
OVERVIEW_FLAMS = 3
INTRODUCTION = (
    "Each microphone as it was played, as a cut leaves it, with every hit moved by itself, and as it should be. "
    "Filled marks: where the hits belong; hollow marks and dotted lines: where they were played."
)


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
    take, target = load_pair(session)
    chosen = widest_flams(hits, flams, take.seconds)
    make_folder(out_dir)
    versions = rendered(take, target, decided(session, take, engine, Render.SEPARATE))
    captions = {version: version.caption for version in Version}
    written: list[Path] = []
    shown: list[Shown] = []
    for number, flam in enumerate(chosen, 1):
        window_seconds = flam.window_seconds(BEFORE_SECONDS, AFTER_SECONDS)
        excerpts = write_excerpts(window_seconds, flam.channels, versions, out_dir, f"{number:02d}")
        one = Shown(flam.title, out_dir / f"{number:02d}.png", captions, excerpts)
        draw_flam(flam, hits, versions, one.picture)
        shown.append(one)
        written += [one.picture, *(path for files in one.excerpts.values() for path in files.values())]
    overview, page = out_dir / OVERVIEW_NAME, out_dir / PAGE_NAME
    draw_overview(_widest(chosen), hits, versions, overview)
    write_page(page, f"Flams of {session.resolve().name}, decided by {engine}", INTRODUCTION, shown, overview)
    return [*written, overview, page]


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
