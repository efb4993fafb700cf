"""What happened between two places of known shift: nothing, a hard cut, a crossfade, or something no shift explains.

The edited take is predicted from the recorded one at either shift. Where the prediction at the earlier place's shift
fails first, and that at the later place's shift fails last, lie the ends of the join; the cut point is where changing
from one prediction to the other leaves the least error. All is done in one pass over blocks, so gaps may be long.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from beatnet_align.onsets import HOP_SECONDS, band_levels_db
from beatnet_align.take import Audio, Take
from beatnet_align.units import FloatArray, seconds_to_samples
from datagen.edited.likeness import LEAST_STEP_POWER, SMOOTHING_SECONDS, Bools, Likeness

BLOCK_SECONDS = 4.0
LONGEST_CROSSFADE_SECONDS = 0.2
CROSSFADE_KNOTS, CROSSFADE_ERROR, CROSSFADE_HOLD = 7, 0.03, 0.1
STRETCH_LEVEL_DB, AUDIBLE_RANGE_DB = 5.0, 30.0


class StretchKind(StrEnum):
    """Why no constant shift explains a stretch of an edited take."""

    CROSSFADE = "crossfade"
    STRETCHED = "stretched"
    REPLACED = "replaced"


@dataclass(frozen=True)
class Stretch:
    """A stretch of the edited take that no constant shift explains.

    Attributes:
        start_samples: In the edited take.
        stop_samples: Behind its last sample.
        kind: A mixture of both shifts, the recorded sound at a changing shift, or other sound.
    """

    start_samples: int
    stop_samples: int
    kind: StretchKind


@dataclass(frozen=True)
class Join:
    """What lies between two places of known shift.

    Attributes:
        cut_samples: Where the second shift begins in the edited take; None where both shifts are the same.
        stretch: What neither shift explains, if anything.
    """

    cut_samples: int | None
    stretch: Stretch | None


@dataclass(frozen=True)
class Joiner:
    """Looks into the gaps between places of known shift.

    Attributes:
        before: The take as recorded.
        after: The take as edited.
        likeness: How the two differ where they hold the same hit.
    """

    before: Take
    after: Take
    likeness: Likeness

    def join(self, start: int, stop: int, shift_out: int, shift_in: int) -> Join:
        """What happened between ``start`` and ``stop`` of the edited take.

        Args:
            start: A place where ``shift_out`` holds.
            stop: A place where ``shift_in`` holds; after ``start``.
            shift_out: Samples.
            shift_in: Samples.
        """
        block = seconds_to_samples(BLOCK_SECONDS, self.before.sample_rate)
        first_failed, last_failed = stop, start - 1
        passed, least, cut = 0.0, 0.0, start
        for at in range(start, stop, block):
            end = min(at + block, stop)
            error_out, failed_out = self.errors(at, end, shift_out)
            error_in, failed_in = (error_out, failed_out) if shift_in == shift_out else self.errors(at, end, shift_in)
            if first_failed == stop and failed_out.any():
                first_failed = at + int(np.argmax(failed_out))
            if failed_in.any():
                last_failed = end - 1 - int(np.argmax(failed_in[::-1]))
            course = passed + np.cumsum(error_out - error_in)
            if float(course.min()) < least:
                least, cut = float(course.min()), at + int(np.argmin(course)) + 1
            passed = float(course[-1])
        stretch = None
        if first_failed <= last_failed:
            kind = self._kind(first_failed, last_failed + 1, shift_out, shift_in)
            stretch = Stretch(first_failed, last_failed + 1, kind)
        return Join(cut if shift_in != shift_out else None, stretch)

    def errors(self, start: int, stop: int, shift: int) -> tuple[FloatArray, Bools]:
        """Error and failure of the prediction at a shift, [stop − start] each, for a range of the edited take."""
        smoothing = max(8, seconds_to_samples(SMOOTHING_SECONDS, self.before.sample_rate))
        margin = smoothing // 2 + 1
        edited = self.after.read(start - margin, stop + margin).astype(np.float64)
        recorded = self.before.read(start - margin - shift, stop + margin - shift).astype(np.float64)
        error, failed = self.likeness.errors(recorded, edited, smoothing)
        return error[margin:-margin], failed[margin:-margin]

    def _kind(self, start: int, stop: int, shift_out: int, shift_in: int) -> StretchKind:
        rate = self.before.sample_rate
        if stop - start <= seconds_to_samples(LONGEST_CROSSFADE_SECONDS, rate) and shift_out != shift_in:
            edited = self.after.read(start, stop)
            outgoing, incoming = (self.before.read(start - s, stop - s) for s in (shift_out, shift_in))
            if _is_crossfade(edited, outgoing, incoming, self.likeness):
                return StretchKind.CROSSFADE
        return StretchKind.STRETCHED if self._is_stretched(start, stop, shift_out, shift_in) else StretchKind.REPLACED

    def _is_stretched(self, start: int, stop: int, shift_out: int, shift_in: int) -> bool:
        """Whether a stretch has the levels, band by band, of the recorded sound between the two shifts.

        Its waves need not agree: time-stretching keeps levels and gives up phases.
        """
        source_start, source_stop = start - shift_out, stop - shift_in
        if source_stop - source_start < seconds_to_samples(HOP_SECONDS, self.before.sample_rate):
            return False
        edited = self._levels_db(self.after, start, stop, np.ones(len(self.likeness.gains)))
        recorded = self._levels_db(self.before, source_start, source_stop, self.likeness.gains)
        places = np.linspace(0.0, recorded.shape[1] - 1.0, edited.shape[1])
        below, share = np.floor(places).astype(np.int64), places % 1.0
        above = np.minimum(below + 1, recorded.shape[1] - 1)
        warped = recorded[:, below] * (1.0 - share)[:, None] + recorded[:, above] * share[:, None]
        loudest = np.maximum(warped, edited).max(axis=(1, 2), keepdims=True)
        audible = np.maximum(warped, edited) > loudest - AUDIBLE_RANGE_DB
        return float(np.mean(np.abs(edited - warped)[audible])) < STRETCH_LEVEL_DB

    def _levels_db(self, take: Take, start: int, stop: int, gains: FloatArray) -> FloatArray:
        audio = take.read(start, stop).astype(np.float64) * gains[:, None]
        return np.array([band_levels_db(row, take.sample_rate) for row in audio], np.float64)


def _is_crossfade(edited: Audio, outgoing: Audio, incoming: Audio, likeness: Likeness) -> bool:
    """Whether a stretch is a mixture whose two levels change slowly, whatever the shape of the fade."""
    samples = edited.shape[1]
    if samples < 2 * CROSSFADE_KNOTS:
        return True
    places = np.linspace(0.0, samples - 1.0, CROSSFADE_KNOTS)
    ramps = np.array([np.interp(np.arange(samples), places, row) for row in np.eye(CROSSFADE_KNOTS)])
    scale = np.sqrt(likeness.weights)[:, None]
    wanted = (edited * scale).ravel()
    parts = [
        (sound * likeness.gains[:, None] * scale * ramp).ravel() for sound in (outgoing, incoming) for ramp in ramps
    ]
    mixture = np.array(parts).T
    # Held near a straight fade, or enough knots would draw a stretched low tail as well.
    straight = np.concatenate([np.linspace(1.0, 0.0, CROSSFADE_KNOTS), np.linspace(0.0, 1.0, CROSSFADE_KNOTS)])
    powers = mixture.T @ mixture
    hold = CROSSFADE_HOLD * np.trace(powers) / len(powers) * np.eye(len(powers))
    departure = np.linalg.lstsq(powers + hold, mixture.T @ (wanted - mixture @ straight), rcond=None)[0]
    levels = straight + departure
    error = float(np.sum((wanted - mixture @ levels) ** 2))
    added = float(np.sum(np.where(likeness.exact, LEAST_STEP_POWER, likeness.steady) * likeness.weights)) * samples
    explained = float(np.sum(wanted**2)) * (CROSSFADE_ERROR + float(np.mean(likeness.relative)))
    return bool(error <= explained + 2.0 * added)
