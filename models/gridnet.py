"""GridNet: which line each hit was meant for, from the hits of several bars."""

import torch
from torch import nn
from typing_extensions import override

from beatnet_align.grid_tokens import CANDIDATE_FEATURES, CANDIDATES, PATTERN_FEATURES, TOKEN_FEATURES
from models.gridnet_parts import HitAttention, RasterConvolutions


class GridNet(nn.Module):
    """Scores the lines on offer to every hit, and the answers that it has no line of its own.

    Every line on offer is scored by the hit's state and its own description, so that any grid will do.

    Args:
        body: Tells every hit of the others.
    """

    def __init__(self, body: HitAttention | RasterConvolutions) -> None:
        super().__init__()
        width = body.width
        self.enter = nn.Linear(TOKEN_FEATURES + CANDIDATES * CANDIDATE_FEATURES, width)
        self.body = body
        self.norm = nn.LayerNorm(width)
        self.line = nn.Linear(CANDIDATE_FEATURES + PATTERN_FEATURES, width)
        self.hit = nn.Linear(width, width)
        self.score = nn.Sequential(nn.GELU(), nn.Linear(width, width // 2), nn.GELU(), nn.Linear(width // 2, 1))
        self.no_line = nn.Linear(width, 2)

    @override
    def forward(
        self,
        features: torch.Tensor,
        beats: torch.Tensor,
        candidates: torch.Tensor,
        pattern: torch.Tensor,
        present: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Answer for hits.

        Args:
            features: [batch, hits, TOKEN_FEATURES].
            beats: [batch, hits]; only distances matter.
            candidates: [batch, hits, CANDIDATES, CANDIDATE_FEATURES].
            pattern: [batch, hits, CANDIDATES, PATTERN_FEATURES]; zeros where nothing is known yet.
            present: [batch, hits], False for padding; None where there is none.

        Returns:
            Logits, [batch, hits, ANSWERS].
        """
        return self.answer(self.encode(features, beats, candidates, present), candidates, pattern)

    def encode(
        self,
        features: torch.Tensor,
        beats: torch.Tensor,
        candidates: torch.Tensor,
        present: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The hits' states, [batch, hits, width]; see :meth:`forward`."""
        entered = self.enter(torch.cat([features, candidates.flatten(2)], dim=-1))
        out: torch.Tensor = self.norm(self.body(entered, beats, present))
        return out

    def answer(self, states: torch.Tensor, candidates: torch.Tensor, pattern: torch.Tensor) -> torch.Tensor:
        """Logits of the answers for states; see :meth:`forward`."""
        lines = self.line(torch.cat([candidates, pattern], dim=-1))
        scores = self.score(lines + self.hit(states)[:, :, None, :])[..., 0]
        return torch.cat([scores, self.no_line(states)], dim=-1)
