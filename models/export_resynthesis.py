"""Export a network that writes aligned audio itself for ``beatnet-align align --engine resynthesis --model FILE``.

python -m models.export_resynthesis RUN -o FILE.onnx
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from typing_extensions import override

from beatnet_align.conditioning import ROWS
from beatnet_align.errors import InputError
from beatnet_align.resynthesis_network import (
    ALIGNED_NAME,
    AUDIO_NAME,
    CONDITIONING_NAME,
    FACTS_NAME,
    NetworkFacts,
    Resynthesiser,
    resynthesiser,
)
from beatnet_align.units import Float32Array
from datagen.commands import exit_status
from models.onnx_files import forget_sources, halve_weights, write_whole
from models.onnx_translations import translations
from models.resynthesis.interface import Resynthesis
from models.runs import load_network

OPSET = 18
EXAMPLE_CHANNELS, EXAMPLE_SAMPLES = 3, 40_000
MAX_CHANNELS, LEAST_SAMPLES, MAX_SAMPLES = 64, 1 << 13, 1 << 28
PARITY = 1e-4
"""Greatest difference, at full scale 1, that rounding in another order explains."""

PARITY_SHAPES = ((1, 9_000), (5, 66_001))


class _OneTake(nn.Module):
    """The network for one take at a time: what the effect asks for."""

    def __init__(self, net: Resynthesis) -> None:
        super().__init__()
        self.net = net

    @override
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        written: torch.Tensor = self.net(audio[None], conditioning[None])
        return written[0]


def facts_of(net: Resynthesis, name: str) -> NetworkFacts:
    """What the effect has to know of a network."""
    return NetworkFacts(name, net.sample_rate, net.context_samples, net.step_samples)


def in_torch(net: Resynthesis, name: str) -> Resynthesiser:
    """A network for the effect's own road without an export: what is compared is what users would hear."""
    one_take = _OneTake(net).eval()

    def run(audio: Float32Array, rows: Float32Array) -> Float32Array:
        with torch.inference_mode():
            written: torch.Tensor = one_take(torch.from_numpy(audio.copy()), torch.from_numpy(rows))
        out: Float32Array = written.numpy()
        return out

    return Resynthesiser(facts_of(net, name), run)


def exported(net: Resynthesis, name: str, *, half: bool = False) -> bytes:
    """The network as an ONNX file, channels and samples dynamic.

    Args:
        net: Trained; left in evaluation mode, and with ``half`` its weights rounded.
        name: Goes into the file's metadata.
        half: Store weights in half precision: half the file.

    Raises:
        InputError: Its design has no dynamic graph, or the graph computes something else at other sizes.
    """
    import onnx  # noqa: PLC0415 - the lab's slower imports wait until they are needed

    if half:
        net.load_state_dict({key: value.half().to(value.dtype) for key, value in net.state_dict().items()})
    example = (torch.zeros(EXAMPLE_CHANNELS, EXAMPLE_SAMPLES), torch.zeros(ROWS, EXAMPLE_SAMPLES))
    channels = torch.export.Dim("channels", min=1, max=MAX_CHANNELS)
    samples = torch.export.Dim("samples", min=LEAST_SAMPLES, max=MAX_SAMPLES)
    try:
        program = torch.onnx.export(
            _OneTake(net).eval(),
            example,
            dynamo=True,
            dynamic_shapes=({0: channels, 1: samples}, {1: samples}),
            input_names=[AUDIO_NAME, CONDITIONING_NAME],
            output_names=[ALIGNED_NAME],
            opset_version=OPSET,
            custom_translation_table=translations(),
            verbose=False,
        )
    except (torch.onnx.errors.OnnxExporterError, torch._dynamo.exc.TorchDynamoException) as error:
        reason = str(_first_cause(error)).strip().splitlines()[0]
        raise InputError(f"{name} has no graph for takes of any size, so it stays in the lab: {reason}") from error
    assert program is not None
    model = program.model_proto
    if any(dimension.HasField("dim_value") for dimension in _free_dimensions(model)):
        raise InputError(f"the graph of {name} holds takes of one size alone, so it stays in the lab")
    onnx.helper.set_model_props(model, {FACTS_NAME: facts_of(net, name).to_json()})
    forget_sources(model)
    if half:
        halve_weights(model, {f"net.{key}" for key, _ in net.named_parameters()})
    content = bytes(model.SerializeToString())
    worst = parity(net, content)
    if not worst <= PARITY:
        raise InputError(f"the graph of {name} is off by {worst:g} at other sizes, so it stays in the lab")
    return content


def _free_dimensions(model: Any) -> list[Any]:
    """Channels and samples of the inputs."""
    audio, rows = (value.type.tensor_type.shape.dim for value in model.graph.input)
    return [*audio, rows[1]]


def _first_cause(error: BaseException) -> BaseException:
    return error if error.__cause__ is None else _first_cause(error.__cause__)


def parity(net: Resynthesis, content: bytes, shapes: Sequence[tuple[int, int]] = PARITY_SHAPES) -> float:
    """Greatest difference between a network and its file over noise of other sizes than it was exported at."""
    rng = np.random.default_rng(0)
    file, here = resynthesiser(content), in_torch(net, "")
    worst = 0.0
    for channels, samples in shapes:
        audio = (0.1 * rng.standard_normal((channels, samples))).astype(np.float32)
        rows = rng.uniform(-1.0, 1.0, (ROWS, samples)).astype(np.float32)
        worst = max(worst, float(np.abs(file.network(audio, rows) - here.network(audio, rows)).max()))
    return worst


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.export_resynthesis", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run's log, with config.yaml and checkpoints/")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .onnx file")
    parser.add_argument("--half", action="store_true", help="round weights to half precision: half the file")
    return exit_status(_run, parser.parse_args(arguments))


def _run(chosen: argparse.Namespace) -> None:
    net = load_network(chosen.run, Resynthesis)  # type: ignore[type-abstract] # any candidate will do
    content = exported(net, chosen.run.resolve().name, half=chosen.half)
    write_whole(chosen.out, content)
    print(f"{chosen.out}: {len(content) / 1e6:.2f} MB, within {parity(net, content):.1g} of the network")


if __name__ == "__main__":
    sys.exit(main())
