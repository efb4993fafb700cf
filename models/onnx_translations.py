"""Operations that torch exports and its ONNX registry lacks, put together from what ONNX has."""

from collections.abc import Callable
from typing import Any

import torch


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For ``custom_translation_table`` of :func:`torch.onnx.export`."""
    from onnxscript import opset18  # noqa: PLC0415 - only where a network is exported

    op: Any = opset18  # its types know no dynamic graph

    def stable_sort(self: Any, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
        """TopK of everything: of equals, ONNX puts the one with the lower index first."""
        del stable
        size = op.Gather(op.Shape(self), op.Constant(value_ints=[dim]))
        return op.TopK(self, size, axis=dim, largest=int(descending), sorted=1)

    def running_maximum(self: Any, dim: int) -> Any:
        """Of [rows, n] along n: the greatest of each row in which what comes later is masked."""
        assert dim in (1, -1)
        rows, columns = op.Constant(value_ints=[0]), op.Constant(value_ints=[1])
        count = op.Squeeze(op.Gather(op.Shape(self), columns))
        places = op.Range(op.Constant(value_int=0), count, op.Constant(value_int=1))
        later = op.Less(op.Unsqueeze(places, columns), op.Unsqueeze(places, rows))
        lowest = op.Constant(value_float=float(torch.finfo(torch.float32).min))
        masked = op.Where(later, lowest, op.Unsqueeze(self, columns))
        return op.ReduceMax(masked, op.Constant(value_ints=[2]), keepdims=0), op.ArgMax(masked, axis=2, keepdims=0)

    return {torch.ops.aten.sort.stable: stable_sort, torch.ops.aten.cummax.default: running_maximum}
