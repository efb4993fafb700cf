"""What every network needs that ships: no paths of the machine, a file written whole, and a way back to training."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from beatnet_align.errors import InputError
from beatnet_align.whole_files import written_whole

_EXPORTED = "net."
"""Names of weights begin with this where a network was exported inside of another module."""


def forget_sources(model: Any) -> None:
    """Drop from an ONNX model where in the sources of this machine each node came from."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def halve_weights(model: Any, names: Collection[str]) -> None:
    """Store weights of an ONNX model in half precision, which a node makes full again when the file is opened.

    Args:
        model: Changed in place; weights that half precision holds exactly compute the same as before.
        names: Of the initializers.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - the lab's slower imports wait

    graph = model.graph
    widened = []
    for weights in graph.initializer:
        if weights.name in names:
            half = numpy_helper.from_array(numpy_helper.to_array(weights).astype(np.float16), f"{weights.name}_half")
            widened.append(helper.make_node("Cast", [half.name], [weights.name], to=TensorProto.FLOAT))
            weights.CopyFrom(half)
    for node in reversed(widened):
        graph.node.insert(0, node)


def weights_of(model: Any) -> dict[str, npt.NDArray[np.float32]]:
    """The weights of an ONNX model by their names, copied."""
    from onnx import numpy_helper  # noqa: PLC0415 - the lab's slower imports wait until they are needed

    return {one.name: numpy_helper.to_array(one).copy() for one in model.graph.initializer}


def read_back(net: nn.Module, path: Path) -> None:
    """Give a network the weights that it was exported with, by their names.

    What :func:`~models.leaner.leaner` made part of other weights there, gains, is one here.

    Args:
        net: Changed in place.
        path: What was exported of a network in the same shape.

    Raises:
        InputError: The file cannot be read, or holds another network.
    """
    import onnx  # noqa: PLC0415 - the lab's slower imports wait

    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's errors share no other base
        raise InputError(f"cannot read {path}: {error}") from error
    arrays = {name.removeprefix(_EXPORTED): array for name, array in weights_of(model).items()}
    state = net.state_dict()
    for name, value in state.items():
        if name in arrays:
            array = arrays[name]
            if array.size != value.numel():
                raise InputError(f"{path} holds another network: {name} has {array.size} numbers, not {value.numel()}")
            state[name] = torch.from_numpy(array).reshape(value.shape).to(value.dtype)
        elif name.endswith(".gain"):
            state[name] = torch.ones_like(value)
        else:
            raise InputError(f"{path} holds another network: it has no {name}")
    net.load_state_dict(state)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, or leave what was there; folders are made.

    Raises:
        OutputError: The system refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_bytes(content)
