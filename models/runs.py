"""Read back what a training left in its folder: the configuration that it ran with, and its best weights."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from beatnet_align.errors import InputError
from models.onnx_files import read_back

CONFIG_NAME, CHECKPOINTS_NAME = "config.yaml", "checkpoints"
_PREFIX = "net."

EXPORTED_SUFFIX = ".onnx"

Network = TypeVar("Network", bound=nn.Module)


def load_network(run: Path, kind: type[Network], checkpoint_name: str = "best.ckpt") -> Network:
    """The network of a run, with averaged weights where there are any, in evaluation mode.

    Args:
        run: The folder of the run's log: it holds config.yaml and checkpoints/.
        kind: What the run trained.
        checkpoint_name: Which of them.

    Raises:
        InputError: The folder holds no run of such a network.
    """
    import yaml  # noqa: PLC0415 - only where a run is read
    from jsonargparse import ArgumentError, ArgumentParser  # noqa: PLC0415

    try:
        config = yaml.safe_load((run / CONFIG_NAME).read_text(encoding="utf-8"))
        path = run / CHECKPOINTS_NAME / checkpoint_name
        checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(kind, "net")
        net = parser.instantiate(parser.parse_object({"net": config["model"]["init_args"]["net"]})).net
        weights = {
            name.removeprefix(_PREFIX): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith(_PREFIX)
        }
        net.load_state_dict(weights)
    except (OSError, KeyError, TypeError, RuntimeError, ArgumentError, yaml.YAMLError) as error:
        raise InputError(f"{run} holds no trained {kind.__name__}: {' '.join(str(error).split())}") from error
    assert isinstance(net, kind)
    return net.eval()


def load_average(runs: Sequence[Path], kind: type[Network], like: Network | None = None) -> Network:
    """The network whose weights lie in the middle of those of several runs, in evaluation mode.

    Halfway between a network and its fine-tuned self is more robust than either (Wortsman et al. 2022, "Robust
    fine-tuning of zero-shot models").

    Args:
        runs: At least one, as for :func:`load_network`, or an ONNX file that was exported of such; each started from
            the one before, or from what it did.
        kind: What they trained, all in one shape.
        like: A network in that shape, where all are ONNX files.

    Raises:
        InputError: A folder holds no run of such a network, or a file none, or their shapes differ.
    """
    trained = {run: load_network(run, kind) for run in runs if run.suffix != EXPORTED_SUFFIX}
    shape = next(iter(trained.values()), like)
    if shape is None:
        raise InputError(
            f"{', '.join(map(str, runs))}: at least one must be the folder of a run, which tells the shape"
        )
    nets = [trained[run] if run in trained else _exported(run, shape) for run in runs]
    states = [net.state_dict() for net in nets]
    try:
        mean = {name: torch.stack([state[name].double() for state in states]).mean(dim=0) for name in states[0]}
        nets[0].load_state_dict({name: value.to(states[0][name].dtype) for name, value in mean.items()})
    except (KeyError, RuntimeError) as error:
        raise InputError(f"the networks of {', '.join(map(str, runs))} differ in shape") from error
    return nets[0]


def _exported(path: Path, shape: Network) -> Network:
    net = deepcopy(shape).eval()
    read_back(net, path)
    return net
