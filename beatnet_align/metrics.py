"""Figures for an aligned take: timing, flams, phase between microphones, spectrum, attacks.

Conventions
-----------
Takes are :class:`~beatnet_align.take.Take`, read a window at a time: the *take* as recorded, the *output* of an
aligner, and the *target* in which every hit stands where it belongs. Times are seconds, 1-d arrays in ascending order
where they are events. Residuals and deviations are signed: positive is late. The audio is judged by itself: nothing
that the aligner says about its own hits is believed.

A hit is *scored* when its place can be heard: it is no ornament, half of the energy around it on its own channel is its
own, and no other hit of its piece is within 80 ms. A scored hit whose sound is not found within 80 ms of its place
(correlation below 0.5) is *lost*: its residual is NaN, and it counts as outside every tolerance. A figure for which
nothing could be measured is NaN.

Metrics
-------
* :func:`timing_residuals_seconds`: how far each scored hit landed from its place
* :func:`~beatnet_align.onset_metrics.flam_spreads_seconds`: how far hits of one grid line landed apart
* :func:`microphone_spreads_samples`: by how much the microphones moved differently; 0 where phase is locked
* :func:`extra_and_missing`: doubled, torn and swallowed attacks
* :func:`~beatnet_align.audio_figures.spectral_distance_db`: how far the sound is from the target's
* :func:`evaluate`: all of these, against a target
* :func:`~beatnet_align.onset_metrics.onset_scores`: detected against true onsets, through mir_eval
* :func:`~beatnet_align.onset_metrics.grid_deviation`: tightness of onsets against grid lines, where there is no target
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from beatnet_align.audio_figures import (
    ATTACK_FRAME_SECONDS,
    LAG_REACH_SECONDS,
    SPECTRAL_WINDOWS_SAMPLES,
    attack_frames,
    lag_window_samples,
    lags,
    spectral_distance_db,
    unmatched,
)
from beatnet_align.errors import InputError
from beatnet_align.onset_metrics import (
    TOLERANCES_SECONDS,
    flam_spreads_seconds,
    grid_deviation,
    onset_scores,
    percentile,
    share,
    shares_within,
    validate_events,
)
from beatnet_align.reference_hits import ReferenceHit, reference_hits_from_truth
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, seconds_to_samples

__all__ = [
    "ReferenceHit",
    "evaluate",
    "extra_and_missing",
    "flam_spreads_seconds",
    "grid_deviation",
    "hit_matches",
    "hits_to_find",
    "microphone_spreads_samples",
    "onset_scores",
    "reference_hits_from_truth",
    "scored_hits",
    "spectral_distance_db",
    "timing_residuals_seconds",
    "validate",
    "validate_events",
]

MIN_OWN_ENERGY = 0.5
LOST_BELOW_CORRELATION = 0.5
SURE_FROM_CORRELATION = 0.8
HEARD_FROM_RISE_DB = 6.0
"""A channel that finds the hit less surely, or hardly hears it, says nothing about phase."""

PHASE_LOCKED_SAMPLES = 1


def validate(take: Take, output: Take, target: Take, hits: Sequence[ReferenceHit]) -> None:
    """Check that three takes and the reference hits belong together.

    Raises:
        InputError: Rates or channels differ, a take is too short, or hits lie outside or name unknown channels.
    """
    names = [channel.name for channel in target.channels]
    for role, other in (("take", take), ("output", output)):
        if other.sample_rate != target.sample_rate:
            raise InputError(
                f"the {role} is at {other.sample_rate} Hz but the target at {target.sample_rate} Hz; resample one"
            )
        found = [channel.name for channel in other.channels]
        if found != names:
            raise InputError(f"the {role} has channels {found} but the target {names}; name and order must agree")
    if min(take.samples, output.samples, target.samples) < max(SPECTRAL_WINDOWS_SAMPLES):
        raise InputError(
            f"takes of at least {max(SPECTRAL_WINDOWS_SAMPLES)} samples are needed; did you supply one hit?"
        )
    for hit in hits:
        if hit.channel not in names:
            raise InputError(f"a reference hit is on channel {hit.channel!r}, which is not among {names}")
    for kind, seconds, limit in (
        ("performed", np.array([hit.performed_seconds for hit in hits]), take.seconds),
        ("target", np.array([hit.target_seconds for hit in hits]), target.seconds),
    ):
        if len(hits) and not (np.isfinite(seconds).all() and seconds.max() <= limit):
            raise InputError(
                f"a reference hit has its {kind} onset at {seconds.max():g} s, but the audio ends at {limit:g} s; "
                "did you supply samples or milliseconds instead of seconds, or the truth of another take?"
            )


def scored_hits(hits: Sequence[ReferenceHit]) -> list[ReferenceHit]:
    """The hits whose place can be heard; see the conventions above."""
    by_piece = defaultdict(list)
    for hit in hits:
        by_piece[hit.piece].append(hit)
    return [
        hit
        for hit in hits
        if not hit.ornament
        and hit.own_energy >= MIN_OWN_ENERGY
        and not any(
            other is not hit and abs(other.target_seconds - hit.target_seconds) < LAG_REACH_SECONDS
            for other in by_piece[hit.piece]
        )
    ]


def timing_residuals_seconds(target: Take, output: Take, hits: Sequence[ReferenceHit]) -> FloatArray:
    """How far each hit of the output landed from where it belongs, on its own channel.

    Args:
        target: Every hit in its place.
        output: Same channels and rate.
        hits: Those to score, see :func:`scored_hits`.

    Returns:
        [hits], positive is late; NaN where a hit is lost or too near the ends of the target to be looked for.
    """
    lags_seconds, correlations = hit_matches(target, output, hits)
    return np.asarray(np.where(correlations >= LOST_BELOW_CORRELATION, lags_seconds, np.nan))


def hit_matches(target: Take, output: Take, hits: Sequence[ReferenceHit]) -> tuple[FloatArray, FloatArray]:
    """Where each hit of the target is found again in the output on its own channel, and how well it fits there.

    Args:
        target: Every hit in its place.
        output: Same channels and rate.
        hits: To look for.

    Returns:
        [hits], lags in seconds, positive is late, and correlations, −1 to 1; NaN where a hit is too near the ends of
        the target to be looked for.
    """
    rows = {channel.name: row for row, channel in enumerate(target.channels)}
    lags_seconds, correlations = np.full(len(hits), np.nan), np.full(len(hits), np.nan)
    for number, hit in enumerate(hits):
        row = rows[hit.channel]
        found = lags(target, output, seconds_to_samples(hit.target_seconds, target.sample_rate))
        if found is not None:
            lags_seconds[number] = found.samples[row] / target.sample_rate
            correlations[number] = found.correlation[row]
    return lags_seconds, correlations


def microphone_spreads_samples(
    output: Take, references: Sequence[tuple[Take, FloatArray]], expected_seconds: FloatArray
) -> FloatArray:
    """By how many samples the channels moved differently around each hit.

    Phase is locked where every channel moved by the same number of samples against the take. An aligner that moves each
    hit by itself is right as well where all channels agree with the target, so the best of the references counts.

    Args:
        output: What to judge.
        references: Takes with the same sounds, each with the [hits] onsets in it.
        expected_seconds: [hits], where the hits belong in the output.

    Returns:
        [hits], greatest minus smallest lag of the channels in which the surroundings are surely found; NaN where there
        are fewer than two.
    """
    rate = output.sample_rate
    spreads = np.full((len(references), len(expected_seconds)), np.inf)
    for row, (reference, onsets_seconds) in enumerate(references):
        for number, (onset, expected) in enumerate(zip(onsets_seconds, expected_seconds, strict=True)):
            found = lags(reference, output, seconds_to_samples(onset, rate), seconds_to_samples(expected, rate))
            if found is not None:
                heard = (found.correlation > SURE_FROM_CORRELATION) & (found.rise_db > HEARD_FROM_RISE_DB)
                sure = found.agreed_samples[heard]
                spreads[row, number] = np.ptp(sure) if len(sure) > 1 else np.inf
    best = spreads.min(axis=0, initial=np.inf)
    # Apart from one reference tells something only if the other, too, could be asked.
    known = np.isfinite(spreads).all(axis=0) | (best <= PHASE_LOCKED_SAMPLES)
    return np.asarray(np.where(known, best, np.nan))


def extra_and_missing(target: Take, output: Take) -> tuple[float, float]:
    """Attacks of the output without a partner in the target within 80 ms, and the reverse, per attack of the target.

    Doubled and torn hits are extra, swallowed hits missing. Both are NaN where the target has no attacks.
    """
    reach = round(LAG_REACH_SECONDS / ATTACK_FRAME_SECONDS)
    pairs = list(zip(attack_frames(output), attack_frames(target), strict=True))
    total = sum(len(wanted) for _, wanted in pairs)
    if total == 0:
        return np.nan, np.nan
    extra = sum(unmatched(made, wanted, reach) for made, wanted in pairs)
    missing = sum(unmatched(wanted, made, reach) for made, wanted in pairs)
    return extra / total, missing / total


def evaluate(take: Take, output: Take, target: Take, hits: Sequence[ReferenceHit]) -> dict[str, float]:
    """All figures of an aligned take against its exact target, in the order in which to read them.

    Args:
        take: As recorded.
        output: As aligned.
        target: As it should be.
        hits: The truth, all of it.

    Returns:
        Figure by name; shares are 0 to 1, and names carry the unit of everything else.

    Raises:
        InputError: See :func:`validate`.
    """
    validate(take, output, target, hits)
    scored = hits_to_find(target, hits)
    residuals = timing_residuals_seconds(target, output, scored)
    main = np.array([hit.main for hit in scored], bool)
    flams = flam_spreads_seconds(residuals, np.array([hit.score_beats for hit in scored]))
    targets_seconds = np.array([hit.target_seconds for hit in scored])
    performed_seconds = np.array([hit.performed_seconds for hit in scored])
    spreads = microphone_spreads_samples(
        output, [(take, performed_seconds), (target, targets_seconds)], targets_seconds
    )
    spreads = spreads[np.isfinite(spreads)]
    extra, missing = extra_and_missing(target, output)
    found = np.abs(residuals[np.isfinite(residuals)])
    return {
        "hits": float(len(scored)),
        "timing_median_seconds": percentile(found, 50),
        "timing_p95_seconds": percentile(found, 95),
        **shares_within("timing", residuals),
        "main_timing_within_2_ms": share(np.abs(residuals[main]) <= TOLERANCES_SECONDS[0]),
        "lost": share(np.isnan(residuals)),
        "flam_spread_median_seconds": percentile(flams, 50),
        "flam_spread_p95_seconds": percentile(flams, 95),
        "microphone_spread_p95_samples": percentile(spreads, 95),
        "phase_locked": share(spreads <= PHASE_LOCKED_SAMPLES),
        "spectral_distance_db": float(np.mean(spectral_distance_db(target, output))),
        "extra": extra,
        "missing": missing,
    }


def hits_to_find(target: Take, hits: Sequence[ReferenceHit]) -> list[ReferenceHit]:
    """The scored hits that lie far enough from the target's ends for their sound to be cut out there."""
    before, after = lag_window_samples(target.sample_rate)
    return [
        hit
        for hit in scored_hits(hits)
        if before <= seconds_to_samples(hit.target_seconds, target.sample_rate) <= target.samples - after
    ]
