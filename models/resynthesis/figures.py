"""What is measured of an output: the effect's own metrics, and what networks that write audio can get wrong besides."""

from collections.abc import Sequence

import numpy as np
import torch

from beatnet_align.audio_figures import lag_window_samples
from beatnet_align.metrics import LOST_BELOW_CORRELATION, evaluate, hit_matches, scored_hits
from beatnet_align.onset_metrics import percentile, shares_within
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, seconds_to_samples
from models.join_judge import mean_cosine
from models.resynthesis.held_out import HeldOutTake
from models.resynthesis.losses import ResynthesisLoss

KEPT = (
    "hits",
    "timing_median_seconds",
    "timing_within_2_ms",
    "timing_within_5_ms",
    "timing_within_10_ms",
    "lost",
    "spectral_distance_db",
    "extra",
    "missing",
    "phase_locked",
)
"""Of :func:`beatnet_align.metrics.evaluate`."""

LOSS_SECONDS = 4.0

_LEAST_NOISE = 1e-9


def figures_of(held: HeldOutTake, output: Take) -> dict[str, float]:
    """Everything that is measured of what somebody made of a take.

    Besides ``KEPT`` of the effect's metrics: leading hits within 2, 5 and 10 ms (``main_timing_...``); ``mr_stft``, see
    :func:`spectral_loss`; ``aligned_si_sdr_db``, see :func:`aligned_si_sdr_db`, median of the hits;
    ``phase_agreement``, see :func:`phase_agreement`; and ``energy``, of the output against the target's.

    Raises:
        InputError: The output does not belong to the take.
    """
    measured = evaluate(held.take, output, held.target, held.hits)
    scored = scored_hits(held.hits)
    lags_seconds, correlations = hit_matches(held.target, output, scored)
    found = correlations >= LOST_BELOW_CORRELATION
    main = np.array([hit.main for hit in scored], bool) & np.isfinite(correlations)
    places = [
        (hit.target_seconds, hit.target_seconds + lag)
        for hit, lag, there in zip(scored, lags_seconds, found, strict=True)
        if there
    ]
    energies = [float(np.sum(take.read(0, take.samples).astype(np.float64) ** 2)) for take in (output, held.target)]
    return {
        **{name: measured[name] for name in KEPT},
        **shares_within("main_timing", np.where(found, lags_seconds, np.nan)[main]),
        "mr_stft": spectral_loss(held.target, output),
        "aligned_si_sdr_db": percentile(aligned_si_sdr_db(correlations[np.isfinite(correlations)]), 50),
        "phase_agreement": phase_agreement(held.target, output, places),
        "energy": energies[0] / max(energies[1], _LEAST_NOISE),
    }


def spectral_loss(target: Take, output: Take) -> float:
    """The spectral part of the loss that networks are trained on, over the middle of a take, as in validation."""
    samples = min(target.samples, seconds_to_samples(LOSS_SECONDS, target.sample_rate))
    start = (target.samples - samples) // 2
    heard, wanted = (torch.from_numpy(take.read(start, start + samples))[None].float() for take in (output, target))
    with torch.inference_mode():
        return float(ResynthesisLoss(target.sample_rate).parts(heard, wanted)["spectral"])


def aligned_si_sdr_db(correlations: FloatArray) -> FloatArray:
    """SI-SDR of each hit on its own channel, at the lag at which it fits best.

    Scaled to fit best, an estimate of correlation r keeps r² of the energy and errs by 1 − r² (Le Roux et al. 2019,
    "SDR – half-baked or well done?"), so the correlations of :func:`beatnet_align.metrics.hit_matches` tell it.

    Args:
        correlations: [hits].

    Returns:
        [hits], at most 90 dB.
    """
    kept = np.clip(correlations, 0.0, 1.0) ** 2
    return np.asarray(10.0 * np.log10(np.maximum(kept, _LEAST_NOISE) / np.maximum(1.0 - kept, _LEAST_NOISE)))


def phase_agreement(target: Take, output: Take, places_seconds: Sequence[tuple[float, float]]) -> float:
    """Whether microphones have the phases to each other that they have in the target: 1 where all do, NaN of nothing.

    Unlike ``phase_locked``, which follows whole samples, it hears phases that a network has smeared.

    Args:
        target: Every hit in its place.
        output: Same channels and rate.
        places_seconds: Where hits sound in the target and in the output.
    """
    before, after = lag_window_samples(target.sample_rate)
    agreed = []
    for pair in places_seconds:
        wanted_at, heard_at = (seconds_to_samples(seconds, target.sample_rate) for seconds in pair)
        heard, wanted = (
            take.read(at - before, at + after).astype(np.float32)
            for take, at in ((output, heard_at), (target, wanted_at))
        )
        agreed.append(mean_cosine(heard, wanted))
    known = np.array(agreed)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else np.nan
