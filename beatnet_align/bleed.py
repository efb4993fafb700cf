"""Tell what a microphone heard of its own piece from what bled into it.

How loud each microphone usually hears each other one's hits is learned from the candidates of the take itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from beatnet_align.hits import Hit, Piece
from beatnet_align.onsets import Candidate
from beatnet_align.roles import Role
from beatnet_align.units import FloatArray, samples_to_seconds, seconds_to_ms

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
MOST_CLEARANCE_DB = 25.0
CLOSE_BONUS_DB, ROOM_MALUS_DB, COLOUR_DB, LATE_DB_PER_MS = 8.0, 12.0, 6.0, 1.0
"""What a candidate's channel, its colour and its delay against the first of its group weigh against decibels."""

FEWEST_FOR_BLEED = 4
UNHEARD_BLEED_DB = -3.0
BLEED_MARGIN_DB = 6.0
OWN_RANGE_DB = 15.0
"""What a close microphone hears this far under its own hits, beside a hit of another channel, is bleed."""

FOLLOWER_SHARE, FOLLOWER_MALUS_DB = 0.95, 6.0
"""A close microphone that nearly always hears a strike after another close one stands at a piece that is not played."""

EARLY_SECONDS = 0.001
EARLIEST_BLEED_SECONDS = 0.003
"""A microphone in front of a kick can hear it 1.6 ms after the snare's does."""

FAR_LATENESS_SECONDS = 0.008
ECHO_SECONDS, ECHO_MARGIN_DB, ECHO_CLEARANCE_DB = 0.030, 3.0, 15.0
"""Rooms build up for 18 to 30 ms after a hit (docs/evidence.md); what is no louder than usual there is no hit."""

RINGING_SECONDS, RINGING_CLEARANCE_DB = 0.009, 10.0


@dataclass(frozen=True)
class Microphones:
    """What the microphones are like, learned from the candidates themselves.

    Attributes:
        roles: One a channel.
        sample_rate: In hertz.
        loudest_db: [channels], the level that each one's loudest hits reach.
        bleed_db: [from, to], how much louder the second channel usually is than the first, when the first one heard
            a strike best; NaN where that is not known.
        follows: [channels], whether a channel hears hardly anything first.
    """

    roles: tuple[Role, ...]
    sample_rate: int
    loudest_db: FloatArray
    bleed_db: FloatArray
    follows: npt.NDArray[np.bool_]

    @classmethod
    def heard_in(cls, candidates: Sequence[Candidate], roles: Sequence[Role], sample_rate: int) -> Self:
        """Take each channel's 95th percentile as its loudest; bleed is not known yet."""
        levels: list[list[float]] = [[] for _ in roles]
        for candidate in candidates:
            levels[candidate.channel].append(candidate.level_db)
        loudest_db = np.array([np.percentile(own, 95) if own else 0.0 for own in levels])
        unknown_db = np.full((len(roles), len(roles)), np.nan)
        return cls(tuple(roles), sample_rate, loudest_db, unknown_db, np.zeros(len(roles), bool))

    def with_followers(self, groups: Sequence[Sequence[Candidate]]) -> Self:
        """Learn which close microphones hear a strike only after another one has."""
        heard, late = np.zeros(len(self.roles), np.int64), np.zeros(len(self.roles), np.int64)
        for group in groups:
            close = [candidate for candidate in group if self.roles[candidate.channel].is_close]
            for candidate in close:
                heard[candidate.channel] += 1
                late[candidate.channel] += candidate.channel != close[0].channel
        return replace(self, follows=(heard >= FEWEST_FOR_BLEED) & (late > FOLLOWER_SHARE * heard))

    def with_bleed(self, groups: Sequence[Sequence[Candidate]]) -> Self:
        """Learn the bleed from groups of candidates, each credited to its most prominent one."""
        heard: dict[tuple[int, int], list[float]] = {}
        for group in groups:
            source = max(group, key=lambda candidate: self.prominence_db(candidate, group[0]))
            for other in group:
                if other.channel != source.channel:
                    pair = (source.channel, other.channel)
                    heard.setdefault(pair, []).append(other.level_db - source.level_db)
        bleed_db = self.bleed_db.copy()
        for pair, differences_db in heard.items():
            if len(differences_db) >= FEWEST_FOR_BLEED:
                bleed_db[pair] = np.median(differences_db)
        return replace(self, bleed_db=bleed_db)

    def relative_db(self, candidate: Candidate) -> float:
        """Level against the loudest hits of the same channel."""
        return candidate.level_db - float(self.loudest_db[candidate.channel])

    def prominence_db(self, candidate: Candidate, first: Candidate) -> float:
        """How clearly a candidate stands out, in a group that ``first`` begins."""
        role = self.roles[candidate.channel]
        late_ms = seconds_to_ms(samples_to_seconds(candidate.onset_samples - first.onset_samples, self.sample_rate))
        return float(
            self.relative_db(candidate)
            + min(candidate.above_background_db, MOST_CLEARANCE_DB)
            + CLOSE_BONUS_DB * role.is_close
            - ROOM_MALUS_DB * (role is Role.ROOM)
            + COLOUR_DB * _colour(candidate, role)
            - LATE_DB_PER_MS * late_ms
            - FOLLOWER_MALUS_DB * self.follows[candidate.channel]
        )

    def explains(self, source: Candidate, other: Candidate, merge_window_seconds: float) -> bool:
        """Whether a hit heard best as ``source`` is all that ``other`` heard."""
        delay_seconds = samples_to_seconds(other.onset_samples - source.onset_samples, self.sample_rate)
        if other.channel == source.channel:
            rings_on = delay_seconds > 0 and other.above_background_db < RINGING_CLEARANCE_DB
            return abs(delay_seconds) < RINGING_SECONDS or rings_on
        source_is_close, other_is_close = self.roles[source.channel].is_close, self.roles[other.channel].is_close
        expected_db = self._expected_db(source, other.channel)
        small = self.relative_db(other) < -OWN_RANGE_DB
        as_loud_as_usual = other.level_db <= expected_db + BLEED_MARGIN_DB or small
        if delay_seconds > merge_window_seconds:
            faint = not other_is_close and other.above_background_db < ECHO_CLEARANCE_DB
            return other.level_db <= expected_db + ECHO_MARGIN_DB or small or faint
        if delay_seconds >= -EARLY_SECONDS:
            return as_loud_as_usual or not other_is_close
        if source_is_close:
            return as_loud_as_usual and other_is_close and delay_seconds >= -EARLIEST_BLEED_SECONDS
        return as_loud_as_usual and delay_seconds >= -FAR_LATENESS_SECONDS

    def _expected_db(self, source: Candidate, channel: int) -> float:
        bleed_db = float(self.bleed_db[source.channel, channel])
        if not np.isnan(bleed_db):
            return source.level_db + bleed_db
        return float(self.loudest_db[channel]) + self.relative_db(source) + UNHEARD_BLEED_DB

    def hit(self, source: Candidate) -> Hit:
        """Name and weigh a strike by the channel that heard it best."""
        role = self.roles[source.channel]
        relative_db = self.relative_db(source)
        clearance_db = min(source.above_background_db, MOST_CLEARANCE_DB) - MOST_CLEARANCE_DB
        return Hit(
            onset_samples=source.onset_samples,
            channel=source.channel,
            piece=ROLE_PIECE.get(role, _piece_by_sound(source)),
            velocity=round(float(np.clip(10 ** (relative_db / 40), 0.01, 1.0)), 3),
            confidence=round(_confidence(source, role), 3),
            salience=round(relative_db + ROLE_PRIORITY_DB.get(role, 0.0) + clearance_db, 2),
        )


def _colour(candidate: Candidate, role: Role) -> float:
    """How well a spectrum fits a microphone: a kick is low, and what is only low is no snare and no cymbal."""
    if role is Role.KICK:
        return min(1.0, 2.0 * candidate.low) - 0.5
    if role in (Role.SNARE, Role.HIHAT, Role.RIDE, Role.CYMBAL):
        return -max(0.0, candidate.low - 0.7) / 0.3
    return 0.0


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
