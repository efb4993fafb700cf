"""Mix a multichannel recording down to one or two channels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.roles import Role
from datagen.recorded.stage import Layers, Moment

_TYPICAL_DB = {Role.OVERHEAD: -2.0, Role.ROOM: -9.0, Role.HIHAT: -12.0, Role.RIDE: -12.0, Role.OTHER: -6.0}


@dataclass(frozen=True)
class Mixdown:
    """A balance of all channels.

    Attributes:
        gains: [outputs][inputs], amplitudes.
    """

    gains: tuple[tuple[float, ...], ...]

    def apply(self, layers: Layers, moment: Moment) -> Layers:
        """See :class:`~datagen.recorded.stage.Stage`; changes the number of channels, and is exact."""
        return np.ascontiguousarray(np.einsum("oc,lcs->los", np.array(self.gains, np.float32), layers, optimize=True))


def draw_mixdown(rng: np.random.Generator, roles: Sequence[Role], names: Sequence[str], outputs: int) -> Mixdown:
    """Draw a plausible balance: pairs panned by their names, the rest near the middle, a peak of 0 dB at most.

    Args:
        rng: Draws.
        roles: One a channel.
        names: One a channel; ``….L`` and ``….R`` go to their sides.
        outputs: 1 for mono, 2 for stereo.
    """
    levels_db = np.array([_TYPICAL_DB.get(role, -3.0) for role in roles]) + rng.normal(0.0, 4.0, len(roles))
    pans = np.clip(rng.normal(0.0, 0.25, len(roles)), -0.9, 0.9)  # −1 left, 1 right
    pans = np.array([{"L": -0.9, "R": 0.9}.get(name[-1], pan) for name, pan in zip(names, pans, strict=True)])
    angles = (pans + 1.0) * np.pi / 4.0
    sides = np.array([np.cos(angles), np.sin(angles)]) if outputs == 2 else np.ones((1, len(roles)))
    gains = sides * 10.0 ** (levels_db / 20.0)
    gains /= np.max(np.sqrt(np.sum(gains * gains, axis=1)))  # channels peak at different hits, so powers add
    return Mixdown(tuple(tuple(float(gain) for gain in row) for row in gains))
