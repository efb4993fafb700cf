"""Measure what training through the splice gains: the engine before and after on the same held-out takes.

python -m models.end_to_end_figures DATASET [NAME=CHECKPOINT[@NETWORK,...] ...] [--sure-from P ...]

Each take is heard, planned and spliced by the networks that ship, by those of every checkpoint (behind an @ those to
take from it: hitnet, refiner, gridnet; the others as they ship), and with perfect knowledge; the heard hits are timed
against the true ones of their own channels, the audio against the target. --sure-from trusts the shipped refiner
sooner: what training gains beyond that is what it has learnt.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from beatnet_align.edit_plan import EditPlan
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.metrics import evaluate, scored_hits, timing_residuals_seconds
from beatnet_align.rendering import render_whole
from beatnet_align.take import ArraySource, Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray
from datagen.commands import exit_status
from datagen.config import Split
from datagen.dataset import read_pairs
from datagen.oracle import read_example
from datagen.perfect_plan import ENGINE, perfect_plan, reference_hit
from models.audio_losses import AudioLosses
from models.end_to_end import EndToEnd
from models.heard_splices import Listener, true_hits
from models.onnx_files import write_whole
from models.shipped_networks import NetworkFiles, with_threshold

TOLERANCES_MS = (0.1, 0.5, 2.0)
SAME_LINE_SECONDS = 0.001
SHIPPED, PERFECT = "as shipped", "perfect knowledge"


def trained_files(checkpoint: Path) -> NetworkFiles:
    """The networks that a training kept.

    Raises:
        InputError: The file is no checkpoint of an end-to-end training.
    """
    networks = EndToEnd(NetworkFiles.shipped())
    prefix = "networks."
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
        networks.load_state_dict(
            {name.removeprefix(prefix): part for name, part in state.items() if name.startswith(prefix)}
        )
    except Exception as error:  # whatever unpickling of some other file comes to
        raise InputError(f"{checkpoint} is no checkpoint of an end-to-end training: {error}") from error
    return networks.trained_files()


def asked_files(told: str) -> tuple[str, NetworkFiles]:
    """A name and its networks, from NAME=CHECKPOINT or NAME=CHECKPOINT@NETWORK,...

    Raises:
        InputError: It is something else, or there is no such network or checkpoint.
    """
    name, _, where = told.partition("=")
    checkpoint, _, wanted = where.partition("@")
    known = {one.name for one in fields(NetworkFiles)}
    chosen = set(wanted.split(",")) if wanted else known
    if not checkpoint or not chosen <= known:
        raise InputError(
            f"{told!r} names no checkpoint, or networks that there are not: write NAME=CHECKPOINT or "
            f"NAME=CHECKPOINT@{','.join(sorted(known))}"
        )
    trained = trained_files(Path(checkpoint))
    return name, replace(NetworkFiles.shipped(), **{one: getattr(trained, one) for one in chosen})


class Figures:
    """What one way to decide reached, over all takes."""

    def __init__(self) -> None:
        self._cuts_ms: list[float] = []
        self._landed_ms: list[float] = []
        self._lines: list[bool] = []
        self._takes: dict[str, list[float]] = defaultdict(list)

    def add(self, take: Take, target: Take, entry: Mapping[str, Any], plan: EditPlan) -> None:
        """Measure a take that is cut by a plan."""
        rate, hits = take.sample_rate, tuple(reference_hit(hit) for hit in entry["hits"])
        for move, true in zip(plan.moves, true_hits(plan.moves, entry["hits"], rate), strict=True):
            if true is not None and true["close"] == move.channel:
                self._cuts_ms.append(1e3 * (move.onset_samples / rate - true["performed_seconds"]))
            if true is not None and not true["ornament"] and plan.engine != ENGINE:
                self._lines.append(
                    move.line_beats is not None
                    and abs(plan.tempo_map.to_seconds(move.line_beats) - true["target_seconds"]) < SAME_LINE_SECONDS
                )
        output = replace(take, source=ArraySource(render_whole(take, plan)))
        scored = scored_hits(hits)
        # What the target itself cannot be searched for lies too near to its ends.
        sought = np.isfinite(timing_residuals_seconds(target, target, scored))
        self._landed_ms += (1e3 * timing_residuals_seconds(target, output, scored)[sought]).tolist()
        wanted, heard = (torch.from_numpy(one.read(0, one.samples).astype(np.float32)) for one in (target, output))
        distances = AudioLosses(rate)(heard, wanted)
        measured = evaluate(take, output, target, hits)
        if distances is not None:
            self._takes["MR-STFT"].append(float(distances.spectral))
            self._takes["envelope"].append(float(distances.envelope))
        for name in ("extra", "missing"):
            self._takes[name].append(measured[name])

    def row(self) -> dict[str, float]:
        """Every figure by name."""
        told = {f"cuts {name}": value for name, value in _timing(np.array(self._cuts_ms)).items()}
        told |= {f"landed {name}": value for name, value in _timing(np.array(self._landed_ms)).items()}
        told["lines right"] = float(np.mean(self._lines)) if self._lines else np.nan
        return told | {name: float(np.nanmean(values)) for name, values in self._takes.items()}


def _timing(errors_ms: FloatArray) -> dict[str, float]:
    """Median of what was found, and shares of all within the tolerances."""
    found = np.abs(errors_ms[np.isfinite(errors_ms)])
    shares = {f"<= {limit:g}": float(np.mean(np.abs(errors_ms) <= limit)) for limit in TOLERANCES_MS}
    return {"median ms": float(np.median(found)) if len(found) else np.nan, **shares}


def measured(
    dataset: Path, entries: Sequence[Mapping[str, Any]], networks: Mapping[str, NetworkFiles]
) -> dict[str, dict[str, float]]:
    """Figures of every set of networks, and of perfect knowledge, over the same takes."""
    listeners = {name: Listener(files) for name, files in networks.items()}
    figures = {name: Figures() for name in (*networks, PERFECT)}
    for entry in tqdm(entries, desc="takes", leave=False, disable=None):
        take, target, _ = read_example(dataset, entry)
        tempo_map, grid = TempoMap.from_json(entry["tempo_map"]), Grid.from_json(entry["grid"])
        plans = {name: listener.plan(take, tempo_map, grid) for name, listener in listeners.items()}
        plans[PERFECT] = perfect_plan(take, entry)
        for name, plan in plans.items():
            figures[name].add(take, target, entry, plan)
    return {name: one.row() for name, one in figures.items()}


def print_table(rows: Mapping[str, Mapping[str, float]]) -> None:
    """A line a figure, a column a way to decide."""
    print(f"{'':20}" + "".join(f"{name:>20}" for name in rows))
    for figure in next(iter(rows.values())):
        print(f"{figure:20}" + "".join(f"{row[figure]:20.4f}" for row in rows.values()))


def _run(chosen: argparse.Namespace) -> None:
    shipped = NetworkFiles.shipped()
    networks = {SHIPPED: shipped} | {
        f"sure from {one:g}": replace(shipped, refiner=with_threshold(shipped.refiner, one)) for one in chosen.sure_from
    }
    for told in chosen.trained:
        name, networks[name] = asked_files(told)
        if chosen.weights is not None:
            for network, content in networks[name].by_name().items():
                write_whole(chosen.weights / name / network, content)
    entries = [entry for entry in read_pairs(chosen.dataset) if entry["split"] == chosen.split][: chosen.takes]
    if not entries:
        raise InputError(f"{chosen.dataset} holds no takes for {chosen.split}")
    print(f"{len(entries)} takes of {chosen.split}")
    print_table(measured(chosen.dataset, entries, networks))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python -m models.end_to_end_figures",
    )
    parser.add_argument("dataset", type=Path, help="of configs/datagen/end_to_end.yaml")
    parser.add_argument("trained", nargs="*", metavar="NAME=CHECKPOINT", help="what trainings kept, see above")
    parser.add_argument(
        "--sure-from", nargs="+", type=float, default=[], metavar="P", help="thresholds of the shipped refiner to try"
    )
    parser.add_argument("--split", choices=[one.value for one in Split], default=Split.TEST.value, help="(test)")
    parser.add_argument("--takes", type=int, default=32, metavar="N", help="at most so many (32)")
    parser.add_argument("--weights", type=Path, help="folder for the trained networks as ONNX files")
    return exit_status(_run, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
