"""How much earlier a kick or snare was struck than an overhead says, where no microphone of its own tells.

Overheads are the hats' and cymbals' own microphones and time them when they hear them. Kick and snare lie further away:
struck together with a hat, they arrive after it. Their onset is taken back by the difference, so that what was struck
together is timed together. Against a piece that a close microphone times, all that overheads hear stays late by the way
to them, some 2.5 ms, hats included.
"""

from collections.abc import Collection

from beatnet_align.roles import Role

EXTRA_TRAVEL_SECONDS = {Role.KICK: 0.0017, Role.SNARE: 0.0008}
"""How much later than the piece's own microphone the overhead that is first hears it, less the same of the hi-hat, by
the role of that microphone. Medians of generated takes, their kits held out of training (``python -m
models.measure_travel``); quartiles 1.1 and 2.1 ms for kicks, 0.5 and 1.0 ms for snares. Toms would be 0.5 ms, but many
kits have no microphone for them at all; rooms stand about as far from everything."""


def extra_travel_seconds(own: Role, heard_by: Role, channels: Collection[Role]) -> float:
    """How much earlier than it is heard a hit was struck, in the time of hats and cymbals.

    Args:
        own: What a microphone at the piece would be put up for.
        heard_by: Role of the channel that the hit is timed in.
        channels: Roles of all channels that are listened to.

    Returns:
        Seconds; 0 where the piece has a microphone of its own, or no overhead times it.
    """
    if heard_by is not Role.OVERHEAD or own in channels:
        return 0.0
    return EXTRA_TRAVEL_SECONDS.get(own, 0.0)
