"""Drop, shuffle and rename the channels of a take, as sessions from other people arrive."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.roles import Role, guess_role
from beatnet_align.take import Channel

# Each convention names the microphones of datagen.recorded.layouts; what it leaves out keeps its own name.
_CONVENTIONS: tuple[dict[str, str], ...] = (
    {},
    {
        "kick_in": "Kick In", "kick_out": "Kick Out", "kick_sub": "Sub Kick", "snare_top": "Snare Top",
        "snare_bottom": "Snare Bottom", "hihat": "Hi-Hat", "tom_high": "Rack Tom 1", "tom_mid": "Rack Tom 2",
        "tom_floor": "Floor Tom", "ride": "Ride", "OH.L": "Overhead L", "OH.R": "Overhead R", "OH mono": "Overhead",
        "room.L": "Room L", "room.R": "Room R", "room": "Room Mono",
    },
    {
        "kick_in": "KikIn", "kick_out": "KikOut", "kick_sub": "SubKik", "snare_top": "SnrTop", "snare_bottom": "SnrBtm",
        "hihat": "HH", "tom_high": "T1", "tom_mid": "T2", "tom_floor": "FT", "ride": "Rd", "OH.L": "OHL", "OH.R": "OHR",
        "OH mono": "OH", "room.L": "RmL", "room.R": "RmR", "room": "Rm",
    },
    {
        "kick_in": "BD in", "kick_out": "BD out", "kick_sub": "BD sub", "snare_top": "SD top", "snare_bottom": "SD bot",
        "hihat": "Hat", "tom_high": "Tom hi", "tom_mid": "Tom mid", "tom_floor": "Tom low", "ride": "Ride cym",
        "OH.L": "OVH left", "OH.R": "OVH right", "OH mono": "OVH", "room.L": "AMB left", "room.R": "AMB right",
        "room": "AMB",
    },
)  # fmt: skip
_DECORATIONS = ("{name}", "{name}", "{number:02d} {name}", "{number:02d}_{name}", "{name}_dup1", "{name}-{take}")


@dataclass(frozen=True)
class ChannelPlan:
    """Which channels of a recording remain, in which order, under which names.

    Attributes:
        rows: Index in the recording of each remaining channel.
        channels: Name and true role of each; the name may say nothing.
    """

    rows: tuple[int, ...]
    channels: tuple[Channel, ...]


def draw_channels(
    rng: np.random.Generator,
    channels: Sequence[Channel],
    drop_probability: float = 0.08,
    shuffle_probability: float = 0.4,
    anonymous_probability: float = 0.15,
) -> ChannelPlan:
    """Draw which channels get lost, their order and what someone called them.

    Informative names are such that :func:`~beatnet_align.roles.guess_role` finds the true role.

    Args:
        rng: Draws.
        channels: Of the recording, with true roles.
        drop_probability: That a channel is missing; one always remains.
        shuffle_probability: That the order is arbitrary.
        anonymous_probability: That the names say nothing ("Audio 3").

    Raises:
        InputError: No channels, or something that is no probability.
    """
    if not channels:
        raise InputError("there must be at least one channel to name")
    for probability in (drop_probability, shuffle_probability, anonymous_probability):
        if not 0.0 <= probability <= 1.0:
            raise InputError(f"probabilities of channels lie between 0 and 1, found {probability}")
    rows = [row for row in range(len(channels)) if rng.uniform() >= drop_probability]
    rows = rows or [int(rng.integers(len(channels)))]
    if rng.uniform() < shuffle_probability:
        rows = [int(row) for row in rng.permutation(rows)]
    anonymous = rng.uniform() < anonymous_probability
    prefix = str(rng.choice(["Audio", "Track", "Input", "ch"]))
    convention = _CONVENTIONS[rng.integers(len(_CONVENTIONS))]
    decoration, upper, take = str(rng.choice(_DECORATIONS)), rng.uniform() < 0.15, int(rng.integers(1, 20))
    kept: list[Channel] = []
    for number, row in enumerate(rows, start=1):
        channel = channels[row]
        plain = convention.get(channel.name, channel.name)
        name = decoration.format(name=plain, number=number, take=take)
        name = name.upper() if upper and guess_role(name.upper()) is channel.role else name
        if channel.role is not Role.OTHER and guess_role(name) is not channel.role:
            name = channel.name
        kept.append(Channel(f"{prefix} {number}" if anonymous else name, channel.role))
    if len({channel.name for channel in kept}) < len(kept):
        kept = [Channel(f"{channel.name} {n}", channel.role) for n, channel in enumerate(kept, start=1)]
    return ChannelPlan(tuple(rows), tuple(kept))
