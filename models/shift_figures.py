"""Measure the delay kernels side by side, and how many shifts are recovered from audio alone by gradient descent.

python -m models.shift_figures CONFIG [--data DATA] [--split test] [--examples 16] [--hits 200]

Kernels: error of half a sample's delay against the exact one; from how far a gradient finds home, under envelopes and
waveforms; time and memory kept for gradients of a quarter of a second. Recovery: strokes of the generator's pairs that
no other stroke of their piece comes near, as images of the piece alone and in the middle of everything else.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.units import seconds_to_samples
from datagen.commands import exit_status
from datagen.config import Split, read_config
from datagen.example import Example, ExampleMaker
from datagen.kits.synth_pieces import synthesise_kit
from models.fractional_delay import FractionalDelay, Lagrange, PhaseRamp, Thiran, WetDryMix, WindowedSinc
from models.shift_recovery import SCHEDULE, Stage, compared_at, mistaken, recover_shifts

RATE = 44_100
KERNELS: dict[str, FractionalDelay] = {
    "FFT phase ramp": PhaseRamp(),
    "windowed sinc, 33 taps": WindowedSinc(),
    "windowed sinc, 17 taps": WindowedSinc(17, 6.0),
    "Lagrange, order 3": Lagrange(3),
    "linear": Lagrange(1),
    "Thiran, order 3": Thiran(3),
    "wet/dry sigmoid over 1.5 ms": WetDryMix(),
}
SCHEDULES: dict[str, Sequence[Stage]] = {
    "waveform alone": (Stage(0.0, 210, 0.0025),),
    "envelope of 10 ms alone": (Stage(0.010, 210, 0.0025),),
    "the schedule": SCHEDULE,
}
PIECES = (Piece.KICK, Piece.SNARE, Piece.HIHAT_CLOSED)
SPLIT_NAMES = tuple(split.value for split in Split)

BEFORE_SECONDS, WINDOW_SECONDS = 0.060, 0.200
FURTHEST_SECONDS, LEAST_SECONDS = 0.030, 0.0005
ALONE_SECONDS = 0.4
TOLERANCES_MS = (0.023, 0.1, 1.0)
"""The first is one sample at 44.1 kHz."""

PROBED_SECONDS = np.geomspace(0.00001, 0.060, 60)
SMOOTHINGS_SECONDS = (0.040, 0.0)


@dataclass(frozen=True, eq=False)
class Stroke:
    """One stroke in a window of its own.

    Attributes:
        shift_seconds: True.
        alone: [2, channels, samples], image of its piece in take and target.
        amid: [2, channels, samples], the same of everything.
    """

    shift_seconds: float
    alone: torch.Tensor
    amid: torch.Tensor


def strokes_of(example: Example) -> Iterator[Stroke]:
    """Strokes that move by up to 30 ms, with no other one of their piece within 400 ms."""
    rate = example.sample_rate
    for number, piece in enumerate(example.image_pieces):
        hits = [hit for hit in example.truth["hits"] if hit["piece"] == piece.value]
        times = np.array([[hit["performed_seconds"], hit["target_seconds"]] for hit in hits])
        images = np.stack([example.take_images[number], example.target_images[number]])
        for index, (performed, target) in enumerate(times):
            others = np.delete(times, index, axis=0)
            start = seconds_to_samples(float(performed) - BEFORE_SECONDS, rate)
            stop = start + seconds_to_samples(WINDOW_SECONDS, rate)
            near = len(others) and np.abs(others - times[index]).min() < ALONE_SECONDS
            if near or start < 0 or stop > images.shape[-1]:
                continue
            if LEAST_SECONDS <= abs(target - performed) <= FURTHEST_SECONDS:
                both = np.stack([example.take, example.target])
                heard = [torch.from_numpy(audio[..., start:stop].copy()) for audio in (images, both)]
                yield Stroke(float(target - performed), *heard)


def print_kernels() -> None:
    """Print the table of the kernels, on strikes of a synthesised kit."""
    kit, rng = synthesise_kit(1, RATE), np.random.default_rng(0)
    strikes = [
        torch.from_numpy(np.pad(kit.pick(piece, 0.8, rng).audio[0].astype(np.float64), (4_000, 12_000))[:22_050])
        for piece in PIECES
    ]
    names = " / ".join(piece.value for piece in PIECES)
    print(f"\nkernels ({names}): error of half a sample, dB; reach of envelopes of 40 ms and of waveforms, ms\n")
    print(f"{'':28} {'error':>20} {'envelopes':>20} {'waveforms':>20} {'ms':>7} {'MB':>6}")
    half = torch.tensor(0.5, dtype=torch.float64)
    for name, kernel in KERNELS.items():
        errors = [_error_db(kernel(strike, half), PhaseRamp()(strike, half)) for strike in strikes]
        reaches = [[_reach_ms(kernel, strike, width) for strike in strikes] for width in SMOOTHINGS_SECONDS]
        cells = " ".join(f"{' / '.join(f'{one:.3g}' for one in row):>20}" for row in ([*errors], *reaches))
        taken_ms, kept_mb = _cost(kernel, strikes[1].float()[:11_025])
        print(f"{name:28} {cells} {taken_ms:7.2f} {kept_mb:6.2f}")


def _error_db(delayed: torch.Tensor, exact: torch.Tensor) -> float:
    return float(10.0 * torch.log10(((delayed - exact) ** 2).sum() / (exact**2).sum() + 1e-16))


def _reach_ms(kernel: FractionalDelay, strike: torch.Tensor, smoothing_seconds: float) -> float:
    """How far off a gradient still points home, whichever side it is on."""
    reach = 0.0
    wanted = compared_at(strike.reshape(1, 1, -1), smoothing_seconds, RATE)
    for off_seconds in PROBED_SECONDS:
        for side in (-1.0, 1.0):
            start = PhaseRamp()(strike, torch.tensor(-side * off_seconds * RATE, dtype=torch.float64))
            shift = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
            moved = kernel(start.reshape(1, 1, -1), shift)
            loss = mistaken(compared_at(moved, smoothing_seconds, RATE), wanted).sum()
            (slope,) = torch.autograd.grad(loss, (shift,))
            if float(slope) * side >= 0.0:
                return 1e3 * reach
        reach = float(off_seconds)
    return 1e3 * reach


def _cost(kernel: FractionalDelay, audio: torch.Tensor, repeats: int = 20) -> tuple[float, float]:
    """Milliseconds forward and back, and megabytes that are kept for gradients."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    seconds = []
    for _ in range(repeats):
        kept.clear()
        shift = torch.tensor(3.3, requires_grad=True)
        began = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = (kernel(audio, shift) ** 2).sum()
        torch.autograd.grad(loss, (shift,))
        seconds.append(time.perf_counter() - began)
    return 1e3 * float(np.median(seconds)), sum(kept.values()) / 1e6


def print_recovery(strokes: Sequence[Stroke], sample_rate: int) -> None:
    """Print the share of shifts that are recovered, for every schedule."""
    tolerances = " / ".join(f"{tolerance:g}" for tolerance in TOLERANCES_MS)
    print(f"\nshifts recovered within {tolerances} ms, {len(strokes)} strokes\n")
    print(f"{'':28} {'alone':>22} {'amid everything else':>22}")
    for name, schedule in SCHEDULES.items():
        cells = []
        for heard in ("alone", "amid"):
            errors_ms = [
                1e3 * abs(float(_recovered(getattr(stroke, heard), sample_rate, schedule)) - stroke.shift_seconds)
                for stroke in tqdm(strokes, desc=f"{name}, {heard}", leave=False, disable=None)
            ]
            shares = [np.mean(np.array(errors_ms) <= tolerance) for tolerance in TOLERANCES_MS]
            cells.append(" / ".join(f"{share:.3f}" for share in shares))
        print(f"{name:28} {cells[0]:>22} {cells[1]:>22}")


def _recovered(versions: torch.Tensor, sample_rate: int, schedule: Sequence[Stage]) -> torch.Tensor:
    return recover_shifts(versions[:1], versions[1:], sample_rate, schedule)[0]


def _run(chosen: argparse.Namespace) -> None:
    config = replace(read_config(chosen.config), images=True, targets=True)
    maker, split = ExampleMaker(config, chosen.data), Split(chosen.split)
    print_kernels()
    examples = (maker.make(split, index) for index in range(chosen.examples))
    strokes = [stroke for example in examples for stroke in strokes_of(example)]
    if not strokes:
        raise InputError(
            f"{chosen.config} gives no stroke that stands alone in {chosen.examples} examples; ask for more"
        )
    rng = np.random.default_rng(0)
    print_recovery([strokes[i] for i in rng.permutation(len(strokes))[: chosen.hits]], config.sample_rate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m models.shift_figures"
    )
    parser.add_argument("config", type=Path, help="YAML, see configs/datagen/")
    parser.add_argument("--data", type=Path, help="folder that holds kits/ and groove/")
    parser.add_argument("--split", choices=SPLIT_NAMES, default=Split.TEST.value, help="whose kits (test)")
    parser.add_argument("--examples", type=int, default=16, metavar="N", help="takes to look for strokes in (16)")
    parser.add_argument("--hits", type=int, default=200, metavar="N", help="most strokes (200)")
    return exit_status(_run, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
