"""Hear and see a session's hardest joins: excerpts, spectrograms, waveforms and a page, before and after.

    python -m datagen.inspect_joins SESSION -o OUT [--joins 10] [--engine truth|neural]

A session is a folder with take/ and truth.json, and target/ where it is known. The widest gaps and overlaps in what
rings are shown as played, with every fill that the splice offers, and as they should be.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from beatnet_align.audio_figures import SPECTRAL_WINDOWS_SAMPLES, spectral_distance_db
from beatnet_align.audio_files import load
from beatnet_align.cut_list import cut_list
from beatnet_align.edit_plan import EditPlan
from beatnet_align.engines import Fill, Render
from beatnet_align.splice import Span, Splicer, timeline
from beatnet_align.take import ArraySource, Audio, Take
from beatnet_align.units import seconds_to_samples
from datagen.commands import exit_status
from datagen.inspection.excerpts import write_excerpts
from datagen.inspection.hard_joins import HardJoin, hardest_joins
from datagen.inspection.join_pictures import Bounds, draw_join
from datagen.inspection.session import PAGE_NAME, TAKE_NAME, TARGET_NAME, Knows, decided, load_pair, make_folder
from datagen.inspection.versions_page import Shown, write_page

BEFORE_SECONDS, AFTER_SECONDS = 0.6, 0.5
"""Heard around an attack."""

FILLS = frozenset(fill.value for fill in Fill)
AROUND_SECONDS = 0.010
"""Measured on either side of a join."""

INTRODUCTION = (
    "Each join as it was played, with every way to fill a gap or to close an overlap, and as it should be where that "
    "is known; ways that sound alike there share a column. Dashes: where the attack sounds after the cut; blue: where "
    "the join lies. Waveforms are drawn as large as what rings, attacks go beyond. In decibels: mean distance of all "
    "microphones' log spectra from the target around the join."
)


def inspect_joins(session: Path, out_dir: Path, joins: int = 10, engine: Knows = Knows.TRUTH) -> list[Path]:
    """Show the hardest joins of a session.

    Args:
        session: Holds take/ and truth.json, and target/ where that is known.
        out_dir: Gets the files, replacing those of an earlier inspection.
        joins: How many at most.
        engine: Who decides.

    Returns:
        The files that were written: per join a picture and its excerpts, then the page.

    Raises:
        InputError: There is no session in ``session``, it has no hard joins, or ``joins`` is below 1.
        OutputError: A file cannot be written.
    """
    take, target = load_pair(session) if (session / TARGET_NAME).is_dir() else (load(session / TAKE_NAME), None)
    plan = decided(session, take, engine, Render.SPLICE)
    chosen = hardest_joins(plan, joins)
    make_folder(out_dir)
    versions = spliced(take, target, plan)
    spans = spans_of(plan)
    written: list[Path] = []
    shown: list[Shown] = []
    for number, join in enumerate(chosen, 1):
        bounds = {fill: (one.start, one.stop) for fill, of in spans.items() if (one := join.span(of)) is not None}
        captions = captions_of(join, versions, bounds)
        heard = {version: versions[version] for version in captions}
        picture = out_dir / f"{number:02d}.png"
        draw_join(join, heard, captions, bounds, picture)
        window_seconds = join.window_seconds(BEFORE_SECONDS, AFTER_SECONDS)
        excerpts = write_excerpts(window_seconds, [join.channel], heard, out_dir, f"{number:02d}")
        remarks = {} if target is None else _distances(join, heard, bounds)
        shown.append(Shown(join.title, picture, captions, excerpts, remarks))
        written += [picture, *(path for files in excerpts.values() for path in files.values())]
    page = out_dir / PAGE_NAME
    write_page(page, f"Joins of {session.resolve().name}, decided by {engine}", INTRODUCTION, shown, None)
    return [*written, page]


def spliced(take: Take, target: Take | None, plan: EditPlan) -> dict[str, Take]:
    """A take as played, cut with every fill, and as it should be where that is known; rendered where it is read."""
    versions = {TAKE_NAME: take}
    for fill in Fill:
        versions[fill.value] = replace(take, source=Splicer(take, filled(plan, fill)))
    return versions if target is None else versions | {TARGET_NAME: target}


def filled(plan: EditPlan, fill: Fill) -> EditPlan:
    """The plan with another fill."""
    return replace(plan, splice=replace(plan.splice, fill=fill))


def spans_of(plan: EditPlan) -> dict[str, list[Span]]:
    """What every fill lays out, all channels together."""
    facts = plan.take
    cuts = cut_list(plan, facts.channels)
    return {fill.value: timeline(cuts, facts.samples, facts.sample_rate, filled(plan, fill).splice) for fill in Fill}


def captions_of(join: HardJoin, versions: Mapping[str, Take], bounds: Mapping[str, Bounds]) -> dict[str, str]:
    """The versions that differ where the join is, each under the names of all fills that sound like it there."""
    start, stop = around(join, bounds)
    captions: dict[str, str] = {}
    heard: dict[str, Audio] = {}
    for version, take in versions.items():
        audio = take.read(start, stop)
        like = next((other for other in heard if np.array_equal(heard[other], audio)), None)
        if like is not None and {like, version} <= FILLS:
            captions[like] += f", {version}"
        else:
            captions[version] = "as played" if version == TAKE_NAME else version
            heard[version] = audio
    return captions


def around(join: HardJoin, bounds: Mapping[str, Bounds]) -> tuple[int, int]:
    """First sample of what is compared, and the one behind the last: from before the widest join into the attack."""
    margin = seconds_to_samples(AROUND_SECONDS, join.sample_rate)
    return min((first for first, _ in bounds.values()), default=join.attack) - margin, join.attack + margin


def _distances(join: HardJoin, versions: Mapping[str, Take], bounds: Mapping[str, Bounds]) -> dict[str, str]:
    """How far every version is from the target around the join, for people."""
    start, stop = around(join, bounds)
    start = min(start, stop - max(SPECTRAL_WINDOWS_SAMPLES))
    parts = {
        version: replace(take, samples=stop - start, source=ArraySource(take.read(start, stop)))
        for version, take in versions.items()
    }
    wanted = parts.pop(TARGET_NAME)
    return {version: f"{float(np.mean(spectral_distance_db(wanted, part))):.2f} dB" for version, part in parts.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 where the session cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m datagen.inspect_joins",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("session", type=Path, help="folder with take/ and truth.json, and target/ where that is known")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for pictures, audio and page")
    parser.add_argument("--joins", type=int, default=10, help="how many to show (%(default)d)")
    parser.add_argument("--engine", choices=list(Knows), default=Knows.TRUTH, help="who decides (%(default)s)")
    return exit_status(_run, parser.parse_args(argv))


def _run(chosen: argparse.Namespace) -> None:
    written = inspect_joins(chosen.session, chosen.out, chosen.joins, Knows(chosen.engine))
    print(f"{len(written)} files; open {written[-1]}")


if __name__ == "__main__":
    sys.exit(main())
