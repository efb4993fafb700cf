"""Export a trained GridNet for the effect, with what makes its probabilities true and its confidences useful.

python -m models.export_gridnet RUN --data DATA -o beatnet_align/weights/gridnet.onnx
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch.nn.functional import cross_entropy

from beatnet_align.grid_tokens import CANDIDATE_FEATURES, CANDIDATES, PATTERN_FEATURES, TOKEN_FEATURES
from beatnet_align.gridnet import (
    BEATS_NAME,
    CANDIDATES_NAME,
    CONFIDENCE_NAME,
    FEATURES_NAME,
    LOGITS_NAME,
    PATTERN_NAME,
    TEMPERATURE_NAME,
    GridNetModel,
)
from beatnet_align.line_confidence import LineConfidence, line_signs
from beatnet_align.line_decoding import choose_lines
from beatnet_align.units import FloatArray
from datagen.commands import exit_status
from datagen.config import Split
from models.grid_data import IGNORED, GridBatch, GridData
from models.grid_examples import GridExample, GridExamples, GridMaterial
from models.grid_training import GridTraining
from models.gridnet import GridNet
from models.onnx_files import forget_sources, write_whole
from models.runs import load_network

OPSET = 18
HOTTEST, COLDEST = 4.0, 0.25
CONFIDENCE_EXAMPLES, CONFIDENCE_SEED = 500, 7
RIDGE = 1.0
"""Strength of the pull of the confidence's weights to 0, in hits: it settles them where examples are few."""


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


def fit_confidence(model: GridNetModel, examples: Sequence[GridExample]) -> LineConfidence:
    """Learn from decoded takes which lines are wrong: logistic regression on :func:`line_signs`.

    Args:
        model: With its temperature.
        examples: Held out of training. Hits that were meant for a line and sent to one are learnt from.
    """
    signs, wrong = [], []
    for example in examples:
        tokens = example.tokens
        chosen = choose_lines(model(tokens), tokens.lines_beats, tokens.groups.tolist(), beats=tokens.beats)
        told = (example.answers < CANDIDATES) & (chosen.answers < CANDIDATES)
        signs.append(line_signs(tokens, chosen)[told])
        wrong.append((chosen.answers != example.answers)[told])
    inputs, errors = np.concatenate(signs), np.concatenate(wrong).astype(np.float64)
    middle, size = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    whitened = np.column_stack([np.ones(len(inputs)), (inputs - middle) / size])

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        odds = whitened @ weights
        pull = RIDGE * np.array([0.0, *weights[1:]])
        nats = float(np.sum(np.logaddexp(0.0, odds) - errors * odds)) + 0.5 * float(pull @ weights)
        return nats, np.asarray(whitened.T @ (expit(odds) - errors) + pull)

    fitted = minimize(loss, np.zeros(whitened.shape[1]), jac=True, method="L-BFGS-B").x
    weights = fitted[1:] / size
    return LineConfidence(float(fitted[0] - weights @ middle), tuple(weights.tolist()))


def exported(net: GridNet, temperature: float, confidence: LineConfidence | None = None) -> bytes:
    """The network as an ONNX file, the number of hits dynamic.

    Args:
        net: Trained; left in evaluation mode.
        temperature: Goes into the file's metadata.
        confidence: As well; none where it is still to be fitted.
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
    told = {TEMPERATURE_NAME: repr(temperature)} | ({} if confidence is None else {CONFIDENCE_NAME: str(confidence)})
    onnx.helper.set_model_props(model, told)
    forget_sources(model)
    return bytes(model.SerializeToString())


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.export_gridnet", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run's log, with config.yaml and checkpoints/")
    parser.add_argument("--data", type=Path, help="folder with groove/; without it, patterns are all that is known")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .onnx file")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    net = load_network(chosen.run, GridNet)
    data = GridData(chosen.data, validation_batches=24, seed=2)
    temperature = fit_temperature(net, list(data.val_dataloader()))
    drawn = GridExamples(GridMaterial(data=chosen.data, split=Split.VALIDATION))
    rng = np.random.default_rng(CONFIDENCE_SEED)
    examples = [drawn.draw(rng) for _ in range(CONFIDENCE_EXAMPLES)]
    confidence = fit_confidence(GridNetModel(exported(net, temperature)), examples)
    write_whole(chosen.out, exported(net, temperature, confidence))
    print(f"{chosen.out}: temperature {temperature:g}, confidence {confidence}")


if __name__ == "__main__":
    sys.exit(main())
