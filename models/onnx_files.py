"""What every network needs before it ships: no paths of the machine that exported it, and a file written whole."""

from pathlib import Path
from typing import Any


def forget_sources(model: Any) -> None:
    """Drop from an ONNX model where in the sources of this machine each node came from."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, or leave what was there; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
