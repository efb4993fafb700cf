"""HitNet: hears all channels of a take together and says where each hit begins, on which piece and in which channel.

Each channel's stem has the same weights; channels then hear what the others hear, are pooled into one sequence for the
take, and a body follows that over time. Heads speak for the take and, from both views, for each channel.
"""

from collections.abc import Sequence

import torch
from torch import nn

from beatnet_align.hit_features import FEATURES
from beatnet_align.hit_outputs import CHANNEL_ROWS, GROUP, HEARD, HIT, OWN, TAKE_ROWS
from beatnet_align.roles import Role
from models.hitnet_parts import AttentionPool, ChannelMixing, ChannelStem, DilatedConvolutions, FrameNorm

RARE_LOGIT = -4.0
"""Where outputs begin that are seldom true, so that training need not first learn how seldom."""


class HitNet(nn.Module):
    """The network.

    Args:
        body: Follows the take over time: [batch, width, frames] to the same; has an attribute ``width``.
        stem_width: Width of a channel.
        stem_dilations: One a block of the stem.
        mixing_rounds: How often channels hear each other before they are pooled; 0 for not at all.
    """

    def __init__(
        self,
        body: nn.Module | None = None,
        stem_width: int = 64,
        stem_dilations: Sequence[int] = (1, 2, 4),
        mixing_rounds: int = 2,
    ) -> None:
        super().__init__()
        self.body = DilatedConvolutions() if body is None else body
        width = int(self.body.width)  # type: ignore[arg-type]
        self.stem = ChannelStem(FEATURES, stem_width, stem_dilations, len(Role))
        self.mixing = nn.ModuleList(ChannelMixing(stem_width) for _ in range(mixing_rounds))
        self.pool = AttentionPool(stem_width, width)
        self.take_head = nn.Sequential(
            FrameNorm(width), nn.Conv1d(width, width, 3, padding=1), nn.PReLU(width), nn.Conv1d(width, TAKE_ROWS, 1)
        )
        self.take_to_channel = nn.Conv1d(width, stem_width, 1)
        self.channel_head = nn.Sequential(
            FrameNorm(stem_width),
            nn.Conv1d(stem_width, stem_width, 3, padding=1),
            nn.PReLU(stem_width),
            nn.Conv1d(stem_width, CHANNEL_ROWS, 1),
        )
        for head, rows in ((self.take_head, (HIT, GROUP)), (self.channel_head, (HEARD, OWN))):
            for row in rows:
                nn.init.constant_(head[-1].bias[row], RARE_LOGIT)  # type: ignore[index]

    def forward(
        self, features: torch.Tensor, roles: torch.Tensor, present: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Listen.

        Args:
            features: [batch, channels, frames, FEATURES], normalised.
            roles: [batch, channels], index of each channel's role.
            present: [batch, channels], False where a channel only fills up the batch; None where none does.

        Returns:
            [batch, TAKE_ROWS, frames] and [batch, channels, CHANNEL_ROWS, frames]; see
            :mod:`beatnet_align.hit_outputs`.
        """
        batch, channels, frames, _ = features.shape
        rows = features.reshape(batch * channels, frames, FEATURES).transpose(1, 2)
        heard = self.stem(rows, roles.reshape(-1)).reshape(batch, channels, -1, frames)
        for mixing in self.mixing:
            heard = mixing(heard, present)
        take = self.body(self.pool(heard, present))
        told = heard + self.take_to_channel(take)[:, None]
        channel = self.channel_head(told.reshape(batch * channels, -1, frames))
        return self.take_head(take), channel.reshape(batch, channels, CHANNEL_ROWS, frames)
