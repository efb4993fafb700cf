"""Merge the candidates of all channels into hits, telling a microphone's own hits from bleed.

Every strike is heard by every microphone. The candidates that follow each other within the time that sound takes
to cross a kit are one strike, or a flam of several. The loudest close microphone, against what it is used to, is
the source; what the others hear is bleed if it comes no earlier and no louder than that source usually is there.
Whatever is left over is a hit of its own, so flams survive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Hit, Piece
from beatnet_align.onsets import Candidate, find_candidates
from beatnet_align.roles import Role
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, seconds_to_samples

MAX_MERGE_WINDOW_SECONDS = 0.012
ROLE_PRIORITY_DB = {
    Role.KICK: 12.0,
    Role.SNARE: 12.0,
    Role.TOM: 10.0,
    Role.CYMBAL: 6.0,
    Role.HIHAT: 3.0,
    Role.RIDE: 3.0,
    Role.OVERHEAD: 0.0,
    Role.OTHER: -3.0,
    Role.ROOM: -9.0,
}
"""What a hit's channel adds to its salience: editors let the kick and the snare lead a line."""

ROLE_PIECE = {
    Role.KICK: Piece.KICK,
    Role.SNARE: Piece.SNARE,
    Role.TOM: Piece.TOM_MID,
    Role.HIHAT: Piece.HIHAT_CLOSED,
    Role.RIDE: Piece.RIDE,
    Role.CYMBAL: Piece.CRASH,
}
ARRIVAL_TOLERANCE_SECONDS = 0.001
TIE_DB = 8.0
BLEED_MARGIN_DB = 6.0
UNKNOWN_BLEED_DB = -3.0
FEWEST_FOR_BLEED = 4
RANGE_DB = 45.0


@dataclass(frozen=True)
class OnsetSettings:
    """How the classical detector listens.

    Attributes:
        sensitivity: 0 to 1; higher finds softer hits and more false ones. 0.5 asks for a rise of 6 dB.
        merge_window_seconds: Candidates this close may be one strike heard by several microphones.
        triggers: Names of the channels that may trigger; all but clicks when None.
    """

    sensitivity: float = 0.5
    merge_window_seconds: float = 0.010
    triggers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.sensitivity <= 1.0:
            raise InputError(f"sensitivity must lie between 0 and 1, found {self.sensitivity}")
        if not 0.0 < self.merge_window_seconds <= MAX_MERGE_WINDOW_SECONDS:
            raise InputError(
                f"the merge window must be over 0 and at most {MAX_MERGE_WINDOW_SECONDS * 1000:.0f} ms, so that flams "
                f"survive; found {self.merge_window_seconds * 1000:g} ms"
            )

    @property
    def least_rise_db(self) -> float:
        """Rise that a candidate must reach."""
        return 9.0 - 6.0 * self.sensitivity


def find_hits(
    take: Take, settings: OnsetSettings | None = None, progress: Callable[[int], None] = lambda _: None
) -> list[Hit]:
    """Find the hits of a take with classical means.

    Args:
        take: Any number of channels; read once, in blocks.
        settings: Sensitivity, merge window and trigger channels.
        progress: Told how many further samples have been analysed.

    Returns:
        In order of time; empty where nothing was struck.

    Raises:
        InputError: A trigger channel does not exist.
    """
    settings = settings or OnsetSettings()
    triggers = trigger_channels(take, settings)
    candidates = [c for c in find_candidates(take, progress) if c.channel in triggers]
    return collect(candidates, [channel.role for channel in take.channels], take.sample_rate, settings)


def trigger_channels(take: Take, settings: OnsetSettings) -> frozenset[int]:
    """Indices of the channels that may trigger hits.

    Raises:
        InputError: A name that the take does not have.
    """
    names = [channel.name for channel in take.channels]
    if settings.triggers is None:
        return frozenset(i for i, channel in enumerate(take.channels) if channel.role is not Role.CLICK)
    unknown = sorted(set(settings.triggers) - set(names))
    if unknown:
        raise InputError(f"no channel is called {unknown[0]!r}; the channels are {', '.join(names)}")
    return frozenset(names.index(name) for name in settings.triggers)


def collect(
    candidates: Sequence[Candidate], roles: Sequence[Role], sample_rate: int, settings: OnsetSettings
) -> list[Hit]:
    """Merge candidates of all channels into hits.

    Args:
        candidates: In order of time.
        roles: One a channel.
        sample_rate: In hertz.
        settings: See :class:`OnsetSettings`.

    Returns:
        In order of time.
    """
    reference_db = _reference_levels_db(candidates, len(roles))
    loud = [
        c
        for c in candidates
        if c.rise_db >= settings.least_rise_db and c.level_db >= reference_db[c.channel] - RANGE_DB
    ]
    groups = _groups(loud, seconds_to_samples(settings.merge_window_seconds, sample_rate))
    kit = _Kit(tuple(roles), reference_db, sample_rate)
    bleed_db = kit.bleed_db(groups)
    hits = [hit for group in groups for hit in kit.own_hits(group, bleed_db)]
    return sorted(hits)


def _reference_levels_db(candidates: Sequence[Candidate], channels: int) -> FloatArray:
    """What each channel's own hits reach: the 95th percentile of its candidates' levels."""
    levels: list[list[float]] = [[] for _ in range(channels)]
    for candidate in candidates:
        levels[candidate.channel].append(candidate.level_db)
    return np.array([np.percentile(own, 95) if own else 0.0 for own in levels])


def _groups(candidates: Sequence[Candidate], window_samples: int) -> list[list[Candidate]]:
    """Cut the sequence of candidates wherever one comes later than the window after its group's first."""
    groups: list[list[Candidate]] = []
    for candidate in candidates:
        if groups and candidate.onset_samples - groups[-1][0].onset_samples <= window_samples:
            groups[-1].append(candidate)
        else:
            groups.append([candidate])
    return groups


@dataclass(frozen=True)
class _Kit:
    """What is known of the microphones while candidates are sorted into own hits and bleed."""

    roles: tuple[Role, ...]
    reference_db: FloatArray
    sample_rate: int

    def relative_db(self, candidate: Candidate) -> float:
        """Level against what the channel's own hits reach."""
        return candidate.level_db - float(self.reference_db[candidate.channel])

    def source(self, group: Sequence[Candidate]) -> Candidate:
        """The candidate that most likely heard the strike at its piece: close, loud for its channel, and early."""
        close = [c for c in group if self.roles[c.channel].is_close]
        contenders = close or [c for c in group if self.roles[c.channel] is not Role.ROOM] or list(group)
        loudest = max(self.relative_db(c) for c in contenders)
        tied = [c for c in contenders if self.relative_db(c) >= loudest - TIE_DB]
        return min(tied, key=lambda c: (c.onset_samples, -self.relative_db(c)))

    def bleed_db(self, groups: Sequence[Sequence[Candidate]]) -> FloatArray:
        """Level at which each channel is heard by each other, [from, to] in decibels; NaN where never heard."""
        heard: dict[tuple[int, int], list[float]] = {}
        for group in groups:
            source = self.source(group)
            for other in group:
                if other.channel != source.channel:
                    difference = other.level_db - source.level_db
                    heard.setdefault((source.channel, other.channel), []).append(difference)
        bleed = np.full((len(self.roles), len(self.roles)), np.nan)
        for pair, differences in heard.items():
            if len(differences) >= FEWEST_FOR_BLEED:
                bleed[pair] = np.median(differences)
        return bleed

    def own_hits(self, group: Sequence[Candidate], bleed_db: FloatArray) -> list[Hit]:
        """Take sources from the group, with all that they explain, until nothing is left."""
        left, hits = list(group), []
        while left:
            source = self.source(left)
            hits.append(self.hit(source))
            left = [c for c in left if c.channel != source.channel and not self.is_bleed(c, source, bleed_db)]
        return hits

    def is_bleed(self, candidate: Candidate, source: Candidate, bleed_db: FloatArray) -> bool:
        """Whether a candidate is no earlier and no louder than the source usually is in that channel."""
        tolerance = seconds_to_samples(ARRIVAL_TOLERANCE_SECONDS, self.sample_rate)
        if candidate.onset_samples < source.onset_samples - tolerance:
            return False
        expected_db = source.level_db + float(bleed_db[source.channel, candidate.channel])
        if np.isnan(expected_db):
            expected_db = float(self.reference_db[candidate.channel]) + self.relative_db(source) + UNKNOWN_BLEED_DB
        return candidate.level_db <= expected_db + BLEED_MARGIN_DB

    def hit(self, source: Candidate) -> Hit:
        """Name and weigh a strike by the channel that heard it first."""
        role = self.roles[source.channel]
        relative_db = self.relative_db(source)
        return Hit(
            onset_samples=source.onset_samples,
            channel=source.channel,
            piece=ROLE_PIECE.get(role, _piece_by_sound(source)),
            velocity=round(float(np.clip(10 ** (relative_db / 40), 0.01, 1.0)), 3),
            confidence=round(_confidence(source, role), 3),
            salience=round(relative_db + ROLE_PRIORITY_DB.get(role, 0.0), 2),
        )


def _piece_by_sound(source: Candidate) -> Piece:
    """Name a strike that no close microphone claims, as far as its spectrum tells."""
    if source.low > 0.6:
        return Piece.KICK
    if source.high > 0.5:
        return Piece.HIHAT_CLOSED
    return Piece.UNKNOWN


def _confidence(source: Candidate, role: Role) -> float:
    """Rise and clearance over the background, each turned into odds; far microphones are trusted less."""
    odds = (source.rise_db - 6.0) / 4.0 + (source.above_background_db - 9.0) / 6.0
    trust = 1.0 if role.is_close else 0.9
    return trust / (1.0 + float(np.exp(-odds)))
