"""The networks that ship, back in torch with all their weights, and into ONNX again after more training.

HitNet comes back in part: the last layer's rows that place a hit inside its frame, and what these are told. Everything
else of it stays as it is in the file, so that it finds the same hits whatever its offsets become.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from beatnet_align import gridnet, hit_refiner, hitnet
from beatnet_align.errors import InputError
from beatnet_align.gridnet import GridNetModel
from beatnet_align.hit_features import Features
from beatnet_align.hit_outputs import GROUP_OFFSET, HIT_OFFSET, ROLES
from beatnet_align.hit_refiner import HitRefiner
from beatnet_align.hitnet import HitNetModel
from beatnet_align.onnx_networks import load_weights, quiet_onnxruntime
from beatnet_align.roles import Role
from models.export_gridnet import exported as exported_gridnet
from models.export_refiner import exported as exported_refiner
from models.gridnet import GridNet
from models.gridnet_parts import HitAttention
from models.onnx_files import weights_of
from models.refiner import Refiner

OFFSET_ROWS = (HIT_OFFSET, *range(GROUP_OFFSET.start, GROUP_OFFSET.stop))
"""Of HitNet's last layer: that of any hit, and those of the piece groups."""

Network = TypeVar("Network", bound=nn.Module)

_HEAD_WEIGHT, _HEAD_BIAS = "net.take_head.3.weight", "net.take_head.3.bias"


@dataclass(frozen=True)
class NetworkFiles:
    """The three networks of the neural engine as ONNX files' bytes."""

    hitnet: bytes
    refiner: bytes
    gridnet: bytes

    @classmethod
    def shipped(cls) -> "NetworkFiles":
        """Those that come with the package."""
        return cls(*(load_weights(module.WEIGHTS_NAME) for module in (hitnet, hit_refiner, gridnet)))

    def by_name(self) -> dict[str, bytes]:
        """Under the names that they ship by."""
        return {
            hitnet.WEIGHTS_NAME: self.hitnet,
            hit_refiner.WEIGHTS_NAME: self.refiner,
            gridnet.WEIGHTS_NAME: self.gridnet,
        }

    def opened(self) -> tuple[HitNetModel, HitRefiner, GridNetModel]:
        """As the effect runs them."""
        return HitNetModel(self.hitnet, 1), HitRefiner(self.refiner), GridNetModel(self.gridnet, 1)

    def trained(self, offsets: nn.Linear, refiner: Refiner, grid: GridNet) -> "NetworkFiles":
        """The same with other weights; thresholds, temperature and confidence stay.

        Raises:
            OutputError: What was written does not compute what the network does.
        """
        opened_refiner, opened_grid = HitRefiner(self.refiner), GridNetModel(self.gridnet, 1)
        return NetworkFiles(
            with_offsets(self.hitnet, offsets),
            exported_refiner(refiner, opened_refiner.threshold),
            exported_gridnet(grid, opened_grid.temperature, opened_grid.confidence),
        )


def refiner_of(content: bytes) -> Refiner:
    """The refiner of an ONNX file, in evaluation mode; its normalisations are part of its convolutions there.

    Raises:
        InputError: It is no refiner.
    """
    return _reopened("refiner", lambda: _refiner(weights_of(_model(content))))


def gridnet_of(content: bytes) -> GridNet:
    """The GridNet of an ONNX file, one that attends, in evaluation mode.

    Raises:
        InputError: It is none.
    """
    return _reopened("attending GridNet", lambda: _gridnet(_model(content)))


def offsets_of(content: bytes) -> nn.Linear:
    """The rows of a HitNet's last layer that place hits inside their frames, in order of :data:`OFFSET_ROWS`.

    Raises:
        InputError: It is no HitNet.
    """

    def rows() -> nn.Linear:
        weights = weights_of(_model(content))
        weight, bias = weights[_HEAD_WEIGHT][list(OFFSET_ROWS), :, 0], weights[_HEAD_BIAS][list(OFFSET_ROWS)]
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
        return layer

    return _reopened("HitNet", rows)


def with_offsets(content: bytes, offsets: nn.Linear) -> bytes:
    """A HitNet's file with other offsets; see :func:`offsets_of`."""
    from onnx import numpy_helper  # noqa: PLC0415 - the lab's slower imports wait until they are needed

    model = _model(content)
    new = {
        _HEAD_WEIGHT: offsets.weight.detach().cpu().numpy()[:, :, None],
        _HEAD_BIAS: offsets.bias.detach().cpu().numpy(),
    }
    for initialiser in model.graph.initializer:
        if initialiser.name in new:
            array = numpy_helper.to_array(initialiser).copy()
            array[list(OFFSET_ROWS)] = new[initialiser.name]
            initialiser.CopyFrom(numpy_helper.from_array(array, initialiser.name))
    return bytes(model.SerializeToString())


def with_threshold(content: bytes, threshold: float) -> bytes:
    """A refiner's file that replaces estimates from another probability on."""
    import onnx  # noqa: PLC0415

    model = _model(content)
    onnx.helper.set_model_props(model, {hit_refiner.THRESHOLD_NAME: repr(threshold)})
    return bytes(model.SerializeToString())


class OffsetStates:
    """Runs a HitNet up to its last layer.

    Args:
        content: An ONNX file's bytes.
    """

    def __init__(self, content: bytes) -> None:
        import onnx  # noqa: PLC0415

        onnxruntime = quiet_onnxruntime()
        model = _model(content)
        self._name = next(node.input[0] for node in model.graph.node if _HEAD_WEIGHT in node.input)
        told = onnx.helper.make_tensor_value_info(self._name, onnx.TensorProto.FLOAT, None)
        model.graph.output.append(told)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])

    def __call__(self, features: Features, roles: list[Role]) -> npt.NDArray[np.float32]:
        """[frames, width], what the last layer is told; see :class:`~beatnet_align.hitnet.HitNetModel`."""
        known = np.array([ROLES.index(role) for role in roles], np.int64)
        inputs = {hitnet.FEATURES_NAME: features, hitnet.ROLES_NAME: known}
        (states,) = self._session.run([self._name], inputs)
        return np.ascontiguousarray(np.asarray(states, np.float32)[0].T)


def _reopened(what: str, build: Callable[[], Network]) -> Network:
    try:
        return build().eval()
    except Exception as error:  # protobuf's errors and torch's share no base
        raise InputError(f"these weights are no {what}'s: {' '.join(str(error).split())}") from error


def _model(content: bytes) -> Any:
    import onnx  # noqa: PLC0415

    return onnx.load_from_string(content)


def _refiner(weights: dict[str, npt.NDArray[np.float32]]) -> Refiner:
    network = Refiner(len(weights["stem.0.weight"]))
    modules = dict(network.named_modules())
    normalised = {"stem.0": "stem.1"}
    normalised |= {f"blocks.{i}.convolution": f"blocks.{i}.normalise" for i in range(len(network.blocks))}
    state = network.state_dict()
    for convolution, norm in normalised.items():
        # Folded into the convolution by the export: what is left of it scales by one.
        batch_norm = modules[norm]
        assert isinstance(batch_norm, nn.BatchNorm1d)
        state[f"{norm}.weight"] = torch.full_like(state[f"{norm}.weight"], (1.0 + batch_norm.eps) ** 0.5)
        state[f"{norm}.bias"] = torch.from_numpy(weights[f"{convolution}.weight_bias"])
    state |= {name: torch.from_numpy(weights[name]) for name in state if name in weights}
    network.load_state_dict(state)
    return network


def _gridnet(model: Any) -> GridNet:
    weights = weights_of(model)
    added = {name: node for node in model.graph.node if node.op_type == "Add" for name in node.input}
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            # A linear layer: its matrix has no name, the bias that is added behind it has.
            bias = next(name for name in added[node.output[0]].input if name in weights)
            matrix = np.ascontiguousarray(weights[node.input[1]].T)
            state[f"{bias.removesuffix('.bias')}.weight"] = torch.from_numpy(matrix)
    width = len(weights["enter.bias"])
    turns = [name for name in weights if name.endswith(".turns_beats")]
    layers = sum(name.endswith(".before.weight") for name in weights)
    heads = width // (2 * len(weights[turns[0]]))
    network = GridNet(HitAttention(width, layers, heads))
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    return network
