"""Export a trained SeamNet for the effect.

python -m models.export_seamnet RUN -o beatnet_align/weights/seamnet.onnx
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from beatnet_align.errors import OutputError
from beatnet_align.seams import (
    BANDS_NAME,
    CONTEXT_KNOTS,
    EDGES_HZ,
    FEATURES_NAME,
    GAINS_NAME,
    NEIGHBOURS_NAME,
    ROWS,
    SeamNetwork,
    neighbours_of,
)
from datagen.commands import exit_status
from models.onnx_files import forget_sources, write_whole
from models.runs import load_network
from models.seamnet import SeamNet

PARITY = 1e-4
"""Gains may differ by so much between torch and onnxruntime."""

LONGEST_KNOTS = 4_096


def exported(net: SeamNet) -> bytes:
    """The network as an ONNX file, channels and knots dynamic.

    Args:
        net: Trained; left in evaluation mode.

    Raises:
        OutputError: What was written does not compute what the network does.
    """
    import onnx  # noqa: PLC0415 - the lab's slower imports wait until they are needed

    rng = np.random.default_rng(0)
    features = rng.normal(size=(3, ROWS, CONTEXT_KNOTS + 20)).astype(np.float32)
    neighbours = neighbours_of(features)
    inputs = torch.from_numpy(features), torch.from_numpy(neighbours)
    channels = torch.export.Dim("channels", min=1, max=1 << 10)
    knots = torch.export.Dim("knots", min=CONTEXT_KNOTS + 1, max=LONGEST_KNOTS)
    program = torch.onnx.export(
        net.eval(),
        inputs,
        dynamo=True,
        dynamic_shapes=({0: channels, 2: knots}, {0: channels, 1: channels}),
        input_names=[FEATURES_NAME, NEIGHBOURS_NAME],
        output_names=[GAINS_NAME],
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {BANDS_NAME: " ".join(f"{edge:g}" for edge in EDGES_HZ)})
    forget_sources(model)
    content = bytes(model.SerializeToString())
    with torch.no_grad():
        expected = net(*inputs).numpy()
    worst = float(np.abs(SeamNetwork(content).gains(features, neighbours) - expected).max())
    if not worst <= PARITY:
        raise OutputError(f"the exported network is off by {worst:.2g}; nothing was written")
    return content


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.export_seamnet", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run's log, with config.yaml and checkpoints/")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .onnx file")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    write_whole(chosen.out, exported(load_network(chosen.run, SeamNet)))


if __name__ == "__main__":
    sys.exit(main())
