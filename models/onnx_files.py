"""What every network needs before it ships: no paths of the machine that exported it, and a file written whole."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from beatnet_align.whole_files import written_whole


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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, or leave what was there; folders are made.

    Raises:
        OutputError: The system refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_bytes(content)
