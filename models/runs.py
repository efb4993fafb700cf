"""Read back what a training left in its folder: the configuration that it ran with, and its best weights."""

from pathlib import Path

import torch

from beatnet_align.errors import InputError
from models.hitnet import HitNet

CONFIG_NAME, CHECKPOINTS_NAME = "config.yaml", "checkpoints"
_PREFIX = "net."


def load_hitnet(run: Path, checkpoint_name: str = "best.ckpt") -> HitNet:
    """The network of a run, with averaged weights where there are any, in evaluation mode.

    Args:
        run: The folder of the run's log: it holds config.yaml and checkpoints/.
        checkpoint_name: Which of them.

    Raises:
        InputError: The folder holds no run of a HitNet.
    """
    import yaml  # noqa: PLC0415 - only where a run is read
    from jsonargparse import ArgumentError, ArgumentParser  # noqa: PLC0415

    try:
        config = yaml.safe_load((run / CONFIG_NAME).read_text(encoding="utf-8"))
        path = run / CHECKPOINTS_NAME / checkpoint_name
        checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(HitNet, "net")
        net = parser.instantiate(parser.parse_object({"net": config["model"]["init_args"]["net"]})).net
        weights = {
            name.removeprefix(_PREFIX): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith(_PREFIX)
        }
        net.load_state_dict(weights)
    except (OSError, KeyError, RuntimeError, ArgumentError) as error:
        raise InputError(f"{run} holds no trained HitNet: {' '.join(str(error).split())}") from error
    assert isinstance(net, HitNet)
    return net.eval()
