"""How many single strokes land within a millisecond, kits held out: as they were played, and by trained networks.

    python -m models.resynthesis.single_event_figures runs/resynthesis/single_event ... --data DATA

Networks that were trained on sequences are asked as well where their runs are named: nothing is trained here.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from datagen.commands import exit_status
from datagen.config import Split, read_config
from models.resynthesis.data import CropBatch
from models.resynthesis.interface import Resynthesis
from models.resynthesis.single_event import LANDED_SECONDS, FixedEvents, SingleEvents, lags_seconds
from models.runs import load_network

BATCH_SIZE = 16


def landing(write: Callable[[CropBatch], torch.Tensor], events: FixedEvents, sample_rate: int) -> dict[str, float]:
    """Shares of strokes within 1 ms and not found at all, the median distance, and the output's share of energy.

    Args:
        write: From a batch to [batch, channels, samples].
        events: Windows.
        sample_rate: In hertz.
    """
    off, written, wanted = [], 0.0, 0.0
    for batch in events.batches:
        with torch.inference_mode():
            output = write(batch)
        off.append(lags_seconds(batch.target, output, [int(row[0, 1]) for row in batch.strokes], sample_rate))
        written += float(output.square().sum())
        wanted += float(batch.target.square().sum())
    apart = np.abs(np.concatenate(off))
    found = apart[np.isfinite(apart)]
    return {
        "within_1_ms": float(np.mean(np.nan_to_num(apart, nan=np.inf) <= LANDED_SECONDS)),
        "lost": float(np.mean(np.isnan(apart))),
        "median_ms": float(np.median(found) * 1000.0) if len(found) else float("nan"),
        "energy": written / wanted,
    }


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs")
    parser.add_argument("--dataset", type=Path, default=Path("configs/datagen/resynthesis.yaml"), help="(%(default)s)")
    parser.add_argument("--data", type=Path, help="folder that holds kits/")
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.TEST, help="(%(default)s)")
    parser.add_argument("--events", type=int, default=512, help="how many (%(default)d)")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    nets = {
        run.name: load_network(run, Resynthesis)  # type: ignore[type-abstract] # any candidate will do
        for run in chosen.runs
    }
    made = SingleEvents(read_config(chosen.dataset), chosen.split, chosen.data)
    events = FixedEvents(made, BATCH_SIZE, -(-chosen.events // BATCH_SIZE))
    writers: dict[str, Callable[[CropBatch], torch.Tensor]] = {"untouched": lambda batch: batch.take}
    for name, net in nets.items():
        writers[name] = lambda batch, net=net: net(batch.take, batch.conditioning)  # type: ignore[misc]
    for name, write in writers.items():
        figures = landing(write, events, made.sample_rate)
        print(name, " ".join(f"{key} {value:.3f}" for key, value in figures.items()))


if __name__ == "__main__":
    sys.exit(main())
