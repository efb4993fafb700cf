"""Merge the candidates of all channels into hits, telling a microphone's own hits from bleed.

Every strike is heard by every microphone. Candidates are taken in order of how clearly they stand out: loud for their
channel, clear over what sounded before, close rather than far, early rather than late. Each one taken is a hit, and
what it explains is struck off: the same channel ringing on, and other channels that hear it about as loud as they
usually do, about when sound would reach them. Whatever nothing explains is a hit of its own, so flams survive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from beatnet_align.bleed import ECHO_SECONDS, Microphones
from beatnet_align.errors import InputError
from beatnet_align.hits import Hit
from beatnet_align.onsets import Candidate, find_candidates
from beatnet_align.roles import Role
from beatnet_align.take import Take, channels_called
from beatnet_align.units import seconds_to_ms, seconds_to_samples

MAX_MERGE_WINDOW_SECONDS = 0.012
RANGE_DB = 45.0
"""Candidates further than this under their channel's loudest are noise."""

LEAST_CLEARANCE_DB = 2.0
SENSITIVITIES, LEAST_RISES_DB = (0.0, 0.5, 1.0), (9.0, 4.0, 3.0)


@dataclass(frozen=True)
class OnsetSettings:
    """How a detector listens: this one, or HitNet in ``hitnet.py``.

    Attributes:
        sensitivity: 0 to 1; higher finds softer hits and more false ones. Here 0 asks for a rise of 9 dB, 0.5 for 4,
            1 for 3.
        merge_window_seconds: Candidates this close may be one strike heard by several microphones; here alone.
        triggers: Names of the channels or stems that may trigger; all but clicks when None.
    """

    sensitivity: float = 0.5
    merge_window_seconds: float = 0.010
    triggers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.sensitivity <= 1.0:
            raise InputError(f"sensitivity must lie between 0 and 1 (0 to 100 %), found {self.sensitivity}")
        if not 0.0 < self.merge_window_seconds <= MAX_MERGE_WINDOW_SECONDS:
            raise InputError(
                f"the merge window must be over 0 and at most {seconds_to_ms(MAX_MERGE_WINDOW_SECONDS):g} ms, so that "
                f"flams survive; found {seconds_to_ms(self.merge_window_seconds):g} ms"
            )

    @property
    def least_rise_db(self) -> float:
        """Rise that a candidate must reach."""
        return float(np.interp(self.sensitivity, SENSITIVITIES, LEAST_RISES_DB))


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
    # What rises in the last samples may be timed past the end, where a take has no hits.
    inside = (c for c in find_candidates(take, progress) if 0 <= c.onset_samples < take.samples)
    candidates = [c for c in inside if c.channel in triggers]
    return collect(candidates, [channel.role for channel in take.channels], take.sample_rate, settings)


def trigger_channels(take: Take, settings: OnsetSettings) -> frozenset[int]:
    """Indices of the channels that may trigger hits.

    Raises:
        InputError: A name that the take does not have.
    """
    names = [channel.name for channel in take.channels]
    if settings.triggers is None:
        return frozenset(i for i, channel in enumerate(take.channels) if channel.role is not Role.CLICK)
    return frozenset(names.index(channel) for name in settings.triggers for channel in channels_called(name, names))


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
    window_samples = seconds_to_samples(settings.merge_window_seconds, sample_rate)
    kit = Microphones.heard_in(candidates, roles, sample_rate)
    clear = [
        candidate
        for candidate in candidates
        if candidate.rise_db >= settings.least_rise_db
        and candidate.above_background_db >= LEAST_CLEARANCE_DB
        and kit.relative_db(candidate) >= -RANGE_DB
    ]
    groups = _groups(clear, window_samples)
    kit = kit.with_followers(groups)
    prominence_db = [kit.prominence_db(candidate, group[0]) for group in groups for candidate in group]
    kit = kit.with_bleed(groups)
    onsets = np.array([candidate.onset_samples for candidate in clear], np.int64)
    earliest = np.searchsorted(onsets, onsets - window_samples)
    latest = np.searchsorted(onsets, onsets + seconds_to_samples(ECHO_SECONDS, sample_rate), "right")
    explained = np.zeros(len(clear), bool)
    hits = []
    for i in np.argsort(-np.array(prominence_db), kind="stable"):
        if explained[i]:
            continue
        hits.append(kit.hit(clear[i]))
        for j in range(earliest[i], latest[i]):
            explained[j] = explained[j] or kit.explains(clear[i], clear[j], settings.merge_window_seconds)
    return sorted(hits)


def _groups(candidates: Sequence[Candidate], window_samples: int) -> list[list[Candidate]]:
    """Cut the sequence of candidates wherever one comes later than the window after its group's first."""
    groups: list[list[Candidate]] = []
    for candidate in candidates:
        if groups and candidate.onset_samples - groups[-1][0].onset_samples <= window_samples:
            groups[-1].append(candidate)
        else:
            groups.append([candidate])
    return groups
