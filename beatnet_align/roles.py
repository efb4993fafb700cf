"""What each microphone was put up for, guessed from the names that engineers give their channels."""

import re
from enum import StrEnum
from itertools import pairwise


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

_NAMES = {
    Role.KICK: "kick kicks kik kck kd bd bassdrum subkick",
    Role.SNARE: "snare snares snr sn sd",
    Role.TOM: "tom toms rack floor ft rt",
    Role.HIHAT: "hat hats hh hhat hihat hihats highhat highhats",
    Role.RIDE: "ride rides rd",
    Role.CYMBAL: "crash crashes splash china cymbal cymbals cym cyms",
    Role.OVERHEAD: "overhead overheads oh ohs ovh ovhd ovhds overs",
    Role.ROOM: "room rooms rm rms amb ambs ambience ambiance ambient crush verb reverb",
    Role.CLICK: "click clicks clk metronome metro",
}
_ROLE_OF_WORD = {word: role for role, words in _NAMES.items() for word in words.split()}

# Words that stand beside those above and may be written together with them: "KickIn", "sntop", "OHL".
_MODIFIERS = (
    "in out inside outside sub top tops bottom bot btm up down under l r left right mono stereo st mic mics front back "
    "side far near mid close high hi low lo trig trigger drum drums track"
)
_WORDS = sorted({*_ROLE_OF_WORD, *_MODIFIERS.split()}, key=len, reverse=True)
_ONE_WORD = re.compile("|".join(_WORDS))
_ONLY_WORDS = re.compile(f"(?:{_ONE_WORD.pattern})+")
_CAMEL_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NUMBERED_TOM = re.compile(r"(?<![A-Za-z])t[ _.-]?\d", re.IGNORECASE)

# Where a microphone stands says more than what it stands near ("Kick Room", "OH snare side"); among close
# microphones the first word decides; "Kick Click" is the beater, so a click has to say nothing else.
_DISTANT_FIRST = (Role.ROOM, Role.OVERHEAD)


def guess_role(channel_name: str) -> Role:
    """Guess a channel's role from its name; OTHER where the name says nothing.

    Words are found whole, in any case, with or without separators, digits and the usual additions ("01_KikOut",
    "SN btm", "OHL"), never inside other words ("booth", "chat"). A name with several roles is that of the distant
    microphone: room, then overhead, then the piece named first.

    Example:
        >>> guess_role("03 SnrTop_dup1")
        <Role.SNARE: 'snare'>
    """
    words = _words(channel_name)
    joined = [first + second for first, second in pairwise(words)]  # "bass drum", "over head", "O.H."
    found = [_ROLE_OF_WORD[word] for word in (*words, *joined) if word in _ROLE_OF_WORD]
    if _NUMBERED_TOM.search(channel_name):
        found.append(Role.TOM)
    for role in _DISTANT_FIRST:
        if role in found:
            return role
    return next((role for role in found if role.is_close), found[0] if found else Role.OTHER)


def _words(name: str) -> list[str]:
    """Lower-case words of a name, with compounds of known words taken apart."""
    words: list[str] = []
    for run in re.findall(r"[^\W\d_]+", name):
        pieces = [run] if _ONLY_WORDS.fullmatch(run.lower()) else _CAMEL_PIECE.findall(run)
        for piece in pieces:
            lower = piece.lower()
            compound = lower not in _ROLE_OF_WORD and _ONLY_WORDS.fullmatch(lower)
            words += _ONE_WORD.findall(lower) if compound else [lower]
    return words
