"""Measure hit finders side by side against hits that are known exactly, and on labelled recordings.

    python -m models.evaluate_hits --sessions FOLDER --dataset FOLDER --recordings FOLDER

Sessions hold take/ and truth.json, a dataset a manifest.jsonl, recordings NAME.flac beside NAME.onsets.txt. Every
detector hears every take under every condition:

    all                   every stem
    mono                  the mean of all stems
    far                   overheads and rooms alone
    noisy                 every stem with noise at -50 dBFS and every other stem at -12 dB
    kick_snare_overheads  these alone

superflux, librosa and aubio hear the mean of whatever a condition leaves; superflux_open is superflux with a lower
threshold, which hears softer hits. True onsets are those at the piece's own microphone, whether or not a condition
keeps it; each detector's median error is taken off. The headline is the mean of takes. Recordings have coarse labels,
so there the bias stays in and events within 30 ms are one.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from beatnet_align import collection
from beatnet_align.collection import OnsetSettings
from beatnet_align.errors import InputError, OutputError
from beatnet_align.hits import Hit
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, samples_to_seconds
from datagen.commands import exit_status
from datagen.config import Split
from models import hit_evaluation_takes as takes
from models import reference_detectors
from models.hit_evaluation_report import (
    ALL_RECORDINGS,
    Rows,
    draw_reliability,
    figures_tables,
    plain,
    recordings_table,
)
from models.hit_evaluation_takes import Condition, LoadTake
from models.hit_figures import hit_figures
from models.onset_figures import EstimatedHit, HeardTake, OnsetFigures, onset_figures

RECORDING_WINDOWS_SECONDS = (0.025, 0.050)
RECORDING_MERGE_SECONDS = 0.030
"""As madmom merges, so that figures compare with published ones."""

NOISE_SEED = 1

Detector = Callable[[Take], tuple[EstimatedHit, ...]]


@dataclass(frozen=True)
class DetectorOptions:
    """What hit finders are told.

    Attributes:
        settings: As in the effect.
        weights: Another HitNet than the shipped one.
        refine: Whether the refiner times HitNet's hits.
    """

    settings: OnsetSettings
    weights: Path | None = None
    refine: bool = True


def hitnet(options: DetectorOptions) -> Detector:
    """The network, with the shipped weights or those of a file.

    Raises:
        InputError: There are no weights, or they are no HitNet's.
    """
    from beatnet_align.hitnet import HitNetModel, find_hits, shipped_hitnet  # noqa: PLC0415 - loads onnxruntime

    try:
        model = shipped_hitnet() if options.weights is None else HitNetModel(options.weights.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read HitNet's weights: {error}") from error
    return lambda take: _estimates(take, find_hits(take, options.settings, model=model, refine=options.refine))


def hitnet_unrefined(options: DetectorOptions) -> Detector:
    """The network with its own timing."""
    return hitnet(replace(options, refine=False))


def classical(options: DetectorOptions) -> Detector:
    """The level rule and bleed model of the effect."""
    return lambda take: _estimates(take, collection.find_hits(take, options.settings))


def _onsets_alone(find: Callable[[Take], FloatArray], _options: DetectorOptions) -> Detector:
    return lambda take: tuple(EstimatedHit(float(onset)) for onset in find(take))


DETECTORS: Mapping[str, Callable[[DetectorOptions], Detector]] = {
    "hitnet": hitnet,
    "hitnet_unrefined": hitnet_unrefined,
    "classical": classical,
    "superflux": partial(_onsets_alone, reference_detectors.superflux),
    "superflux_open": partial(
        _onsets_alone, partial(reference_detectors.superflux, delta=reference_detectors.OPEN_DELTA)
    ),
    "librosa": partial(_onsets_alone, reference_detectors.librosa_onsets),
    "aubio": partial(_onsets_alone, reference_detectors.aubio_onsets),
}
DEFAULT_DETECTORS = ("hitnet", "classical", "superflux", "librosa")


def measure(
    loaders: Sequence[LoadTake],
    detectors: Mapping[str, Detector],
    conditions: Sequence[Condition],
    progress: Callable[[], None] = lambda: None,
) -> Rows:
    """Figures of every detector under every condition that at least one take allows.

    Args:
        loaders: The takes, read one at a time.
        detectors: By name.
        conditions: In the order of the rows.
        progress: Told when a take is done.

    Raises:
        InputError: A take cannot be read, or a detector cannot run.
    """
    heard: dict[tuple[Condition, str], list[HeardTake]] = {}
    for index, load_take in enumerate(loaders):
        whole = load_take()
        for condition in conditions:
            known = takes.under(condition, whole, np.random.default_rng([NOISE_SEED, index]))
            if known is not None:
                for name, detect in detectors.items():
                    of_take = HeardTake(known.take.name, known.true_hits, detect(known.take))
                    heard.setdefault((condition, name), []).append(of_take)
        progress()
    return {
        condition.value: {name: hit_figures(heard[condition, name]) for name in detectors}
        for condition in conditions
        if any((condition, name) in heard for name in detectors)
    }


def measure_recordings(
    loaders: Sequence[LoadTake], detectors: Mapping[str, Detector], progress: Callable[[], None] = lambda: None
) -> dict[str, dict[str, dict[str, OnsetFigures]]]:
    """Onset figures of every detector on every recording, and their mean; arguments and errors as for ``measure``."""
    heard: dict[str, list[HeardTake]] = {name: [] for name in detectors}
    for load_take in loaders:
        known = load_take()
        for name, detect in detectors.items():
            heard[name].append(HeardTake(known.take.name, known.true_hits, detect(known.take)))
        progress()
    figures = partial(onset_figures, windows_seconds=RECORDING_WINDOWS_SECONDS, merge_seconds=RECORDING_MERGE_SECONDS)
    return {
        name: {**{one.name: figures([one]) for one in of_detector}, ALL_RECORDINGS: figures(of_detector)}
        for name, of_detector in heard.items()
    }


def _estimates(take: Take, hits: Sequence[Hit]) -> tuple[EstimatedHit, ...]:
    return tuple(
        EstimatedHit(samples_to_seconds(hit.onset_samples, take.sample_rate), hit.piece, hit.confidence) for hit in hits
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--sessions", type=Path, metavar="FOLDER", help="holds session folders, or is one")
    add("--dataset", type=Path, metavar="FOLDER", help="a dataset that datagen rendered")
    add("--split", type=Split, choices=list(Split), default=Split.VALIDATION, help="of the dataset (%(default)s)")
    add("--recordings", type=Path, metavar="FOLDER", help="labelled recordings")
    add("--limit", type=int, metavar="N", help="take the first N of each")
    add(
        "--detectors",
        nargs="+",
        choices=list(DETECTORS),
        default=list(DEFAULT_DETECTORS),
        metavar="NAME",
        help=f"any of {', '.join(DETECTORS)} ({' '.join(DEFAULT_DETECTORS)})",
    )
    add(
        "--conditions",
        nargs="+",
        type=Condition,
        choices=list(Condition),
        default=list(Condition),
        metavar="NAME",
        help=f"any of {', '.join(Condition)} (all of them)",
    )
    add("--sensitivity", type=float, default=50.0, metavar="%", help="of hitnet and classical, 0 to 100 (%(default)g)")
    add(
        "--weights",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="further HitNets as ONNX, each a detector of its own that is called after its file (and folder)",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add("--picture", type=Path, metavar="FILE.png", help="draw confidence against truth, first condition")
    return parser


def _materials(chosen: argparse.Namespace) -> dict[str, list[LoadTake]]:
    """Loaders of the takes with exact hits, by material.

    Raises:
        InputError: There are no such takes.
    """
    materials = {}
    if chosen.sessions is not None:
        materials["sessions"] = takes.sessions(chosen.sessions, chosen.limit)
    if chosen.dataset is not None:
        materials[f"dataset {chosen.split}"] = takes.dataset_takes(chosen.dataset, chosen.split, chosen.limit)
    return materials


def _run(chosen: argparse.Namespace) -> None:
    from tqdm import tqdm  # noqa: PLC0415

    if chosen.sessions is None and chosen.dataset is None and chosen.recordings is None:
        raise InputError("nothing to measure on: give --sessions, --dataset or --recordings")
    if chosen.limit is not None and chosen.limit < 1:
        raise InputError(f"--limit must be at least 1, found {chosen.limit}")
    if chosen.picture is not None and chosen.sessions is None and chosen.dataset is None:
        raise InputError("--picture needs hits that are known exactly: give --sessions or --dataset")
    materials = _materials(chosen)
    recordings = [] if chosen.recordings is None else takes.recordings(chosen.recordings, chosen.limit)
    options = DetectorOptions(OnsetSettings(sensitivity=chosen.sensitivity / 100.0))
    detectors = {name: DETECTORS[name](options) for name in chosen.detectors}
    for path in chosen.weights:
        name = path.stem if path.stem not in detectors else f"{path.resolve().parent.name}/{path.stem}"
        if name in detectors:
            raise InputError(f"two detectors are called {name}: rename a file, so that tables can tell them apart")
        detectors[name] = hitnet(replace(options, weights=path))
    figures: dict[str, Rows] = {}
    for material, loaders in materials.items():
        with tqdm(total=len(loaders), desc=material, unit=" takes", disable=None) as bar:
            figures[material] = measure(loaders, detectors, chosen.conditions, bar.update)
        print(f"{material}: {len(loaders)} takes\n\n{figures_tables(figures[material])}\n")
    written: dict[str, object] = dict(figures)
    if recordings:
        with tqdm(total=len(recordings), desc="recordings", unit=" takes", disable=None) as bar:
            of_recordings = measure_recordings(recordings, detectors, bar.update)
        print(f"recordings: {len(recordings)}\n\n{recordings_table(of_recordings)}\n")
        written["recordings"] = of_recordings
    if chosen.json is not None:
        try:
            chosen.json.write_text(json.dumps(plain(written), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {chosen.json}: {error.strerror}") from error
    if chosen.picture is not None:
        draw_reliability(figures, chosen.picture)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0, or 2 where something given cannot be used."""
    return exit_status(_run, _parser().parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
