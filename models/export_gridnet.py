"""Export a trained GridNet for the effect, with the temperature that makes its probabilities true.

python -m models.export_gridnet RUN --data DATA -o beatnet_align/weights/gridnet.onnx
"""

import argparse
import sys
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from beatnet_align.grid_tokens import CANDIDATE_FEATURES, CANDIDATES, PATTERN_FEATURES, TOKEN_FEATURES
from beatnet_align.gridnet import (
    BEATS_NAME,
    CANDIDATES_NAME,
    FEATURES_NAME,
    LOGITS_NAME,
    PATTERN_NAME,
    TEMPERATURE_NAME,
)
from datagen.commands import exit_status
from models.grid_data import IGNORED, GridBatch, GridData
from models.grid_training import GridTraining
from models.gridnet import GridNet
from models.onnx_files import forget_sources, write_whole
from models.runs import load_network

OPSET = 18
HOTTEST, COLDEST = 4.0, 0.25


def fit_temperature(net: GridNet, batches: list[GridBatch]) -> float:
    """What to divide logits by, so that the answers' likelihood is greatest (Guo et al. 2017).

    Args:
        net: In evaluation mode.
        batches: Held out of training.
    """
    training = GridTraining(net)
    with torch.inference_mode():
        logits = torch.cat([training.answers(batch)[1].flatten(0, 1) for batch in batches])
        answers = torch.cat([batch.answers.flatten() for batch in batches])
        tried = torch.linspace(COLDEST, HOTTEST, 76).tolist()
        losses = [float(cross_entropy(logits / one, answers, ignore_index=IGNORED)) for one in tried]
    return float(tried[losses.index(min(losses))])


def export_gridnet(net: GridNet, temperature: float, path: Path) -> None:
    """Write the network as ONNX, the number of hits dynamic.

    Args:
        net: Trained; left in evaluation mode.
        temperature: Goes into the file's metadata.
        path: Replaced whole.
    """
    import onnx  # noqa: PLC0415 - the lab's slower imports wait until they are needed

    shapes = ((TOKEN_FEATURES,), (), (CANDIDATES, CANDIDATE_FEATURES), (CANDIDATES, PATTERN_FEATURES))
    hits = torch.export.Dim("hits", min=2, max=1 << 16)
    program = torch.onnx.export(
        net.eval(),
        tuple(torch.zeros(1, 40, *shape) for shape in shapes),
        dynamo=True,
        dynamic_shapes=({1: hits},) * len(shapes),
        input_names=[FEATURES_NAME, BEATS_NAME, CANDIDATES_NAME, PATTERN_NAME],
        output_names=[LOGITS_NAME],
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {TEMPERATURE_NAME: repr(temperature)})
    forget_sources(model)
    write_whole(path, model.SerializeToString())


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.export_gridnet", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run's log, with config.yaml and checkpoints/")
    parser.add_argument("--data", type=Path, help="folder with groove/; without it, patterns set the temperature")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .onnx file")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    net = load_network(chosen.run, GridNet)
    data = GridData(chosen.data, validation_batches=24, seed=2)
    temperature = fit_temperature(net, list(data.val_dataloader()))
    export_gridnet(net, temperature, chosen.out)
    print(f"{chosen.out}: temperature {temperature:g}")


if __name__ == "__main__":
    sys.exit(main())
