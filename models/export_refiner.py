"""Write a trained refiner as the ONNX file that the effect loads, its threshold inside.

Run as ``python -m models.export_refiner CHECKPOINT -o beatnet_align/weights/refiner.onnx``.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from beatnet_align.errors import InputError, OutputError
from beatnet_align.hit_refiner import INPUT_NAME, OUTPUT_NAME, ROWS, THRESHOLD_NAME, WINDOW_SAMPLES, HitRefiner
from datagen.commands import exit_status
from models.onnx_files import forget_sources, write_whole
from models.refiner import Refiner

PARITY = 1e-3
"""Logits may differ by so much between torch and onnxruntime."""


def export_refiner(checkpoint: Path, path: Path, threshold: float | None = None) -> None:
    """Export what ``models.refiner_training`` trained.

    Args:
        checkpoint: Lightning's, with the threshold that the last validation chose.
        path: The ONNX file.
        threshold: Another one; that of the checkpoint when None.

    Raises:
        InputError: The checkpoint is none of the refiner's.
        OutputError: What was written does not compute what the network does.
    """
    try:
        read = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state, channels = read["state_dict"], int(read["hyper_parameters"]["channels"])
        network = Refiner(channels)
        weights = {name.removeprefix("network."): tensor for name, tensor in state.items() if "network." in name}
        network.load_state_dict(weights)
        chosen = float(state["threshold"]) if threshold is None else threshold
    except Exception as error:  # whatever unpickling of some other file comes to
        raise InputError(f"{checkpoint} is no checkpoint of the refiner: {error}") from error
    export_network(network, chosen, path)


def export_network(network: Refiner, threshold: float, path: Path) -> None:
    """Export a network.

    Args:
        network: Any refiner; left in evaluation mode.
        threshold: Probability from which on an estimate is replaced.
        path: The ONNX file.

    Raises:
        OutputError: What was written does not compute what the network does.
    """
    write_whole(path, exported(network, threshold))


def exported(network: Refiner, threshold: float) -> bytes:
    """The network as an ONNX file; see :func:`export_network`."""
    import onnx  # noqa: PLC0415

    network = network.eval().cpu()
    windows = torch.from_numpy(np.random.default_rng(0).normal(size=(3, ROWS, WINDOW_SAMPLES)).astype(np.float32))
    program = torch.onnx.export(
        network,
        (windows,),
        dynamo=True,
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_shapes=({0: torch.export.Dim("hits")},),
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {THRESHOLD_NAME: repr(threshold)})
    forget_sources(model)
    content = bytes(model.SerializeToString())
    with torch.no_grad():
        expected = network(windows).numpy()
    worst = float(np.abs(HitRefiner(content).logits(windows.numpy()) - expected).max())
    if not worst <= PARITY:
        raise OutputError(f"the exported network is off by {worst:.2g}; nothing was written")
    return content


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.export_refiner", description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="what training kept")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the ONNX file")
    parser.add_argument("--threshold", type=float, help="how sure it must be, 0 to 1 (what the last validation chose)")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    export_refiner(chosen.checkpoint, chosen.out, chosen.threshold)


if __name__ == "__main__":
    sys.exit(main())
