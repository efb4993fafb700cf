"""What HitNet is told in training: how far each output is from its target, frames that nobody could know left out."""

from dataclasses import dataclass

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from beatnet_align.hit_outputs import GROUP, GROUP_OFFSET, HEARD, HEARD_OFFSET, HIT, HIT_OFFSET, OWN, PIECE, VELOCITY


@dataclass(frozen=True)
class LossWeights:
    """How much each part counts.

    Attributes:
        hit, group, heard, own: Whether and where something begins.
        offset: Where in the frame.
        velocity, piece: Of what was struck.
    """

    hit: float = 2.0
    group: float = 1.0
    heard: float = 0.3
    own: float = 0.5
    offset: float = 2.0
    velocity: float = 0.5
    piece: float = 0.2


def hitnet_losses(
    take: torch.Tensor, channels: torch.Tensor, present: torch.Tensor, targets: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Each part of the loss.

    Args:
        take: [batch, TAKE_ROWS, frames].
        channels: [batch, channels, CHANNEL_ROWS, frames].
        present: [batch, channels].
        targets: Fields of :class:`models.hit_targets.Targets`, stacked.

    Returns:
        A scalar under each name of :class:`LossWeights`.
    """
    there = present[:, :, None].float()
    return {
        "hit": _detection(take[:, HIT], targets["hit"], targets["hit_weight"]),
        "group": _detection(take[:, GROUP], targets["group"], targets["group_weight"]),
        "heard": _detection(channels[:, :, HEARD], targets["heard"], targets["heard_weight"] * there),
        "own": _detection(channels[:, :, OWN], targets["own"], targets["own_weight"] * there[..., None]),
        "offset": _offset(take[:, HIT_OFFSET], targets["hit_offset"], targets["hit"])
        + _offset(take[:, GROUP_OFFSET], targets["group_offset"], targets["group"])
        + 0.3 * _offset(channels[:, :, HEARD_OFFSET], targets["heard_offset"], targets["heard"] * there),
        "velocity": _known((take[:, VELOCITY].sigmoid() - targets["velocity"].nan_to_num()).abs(), targets["velocity"]),
        "piece": _known(
            binary_cross_entropy_with_logits(take[:, PIECE], targets["piece"].nan_to_num(), reduction="none"),
            targets["piece"],
        ),
    }


def weighted_sum(losses: dict[str, torch.Tensor], weights: LossWeights) -> torch.Tensor:
    """The whole loss."""
    return torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()


def _detection(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross-entropy an onset, less what even a perfect answer pays for the bump's slopes."""
    entropy = binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    least = -(torch.xlogy(target, target) + torch.xlogy(1.0 - target, 1.0 - target))
    return (entropy - (weight * least).sum()) / (weight * target).sum().clamp(min=1.0)


def _offset(offsets: torch.Tensor, target: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Mean distance in frames, weighed by the bump: far from an onset it matters less."""
    known = torch.isfinite(target)
    weight = value * known
    distance = smooth_l1_loss(offsets, target.nan_to_num(), beta=0.05, reduction="none")
    return (weight * distance).sum() / weight.sum().clamp(min=1.0)


def _known(distance: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    known = torch.isfinite(target)
    return (distance * known).sum() / known.sum().clamp(min=1)
