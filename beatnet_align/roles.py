"""What each microphone was put up for, guessed from the names that engineers give their channels."""

from enum import StrEnum


class Role(StrEnum):
    """What a microphone was put up for."""

    KICK = "kick"
    SNARE = "snare"
    TOM = "tom"
    HIHAT = "hihat"
    RIDE = "ride"
    CYMBAL = "cymbal"
    OVERHEAD = "overhead"
    ROOM = "room"
    CLICK = "click"
    OTHER = "other"

    @property
    def is_close(self) -> bool:
        """Whether the microphone stands at one piece of the kit."""
        return self in CLOSE_ROLES


CLOSE_ROLES = frozenset({Role.KICK, Role.SNARE, Role.TOM, Role.HIHAT, Role.RIDE, Role.CYMBAL})


def guess_role(channel_name: str) -> Role:
    """Guess a channel's role from its name; OTHER where the name says nothing."""
    return Role.OTHER
