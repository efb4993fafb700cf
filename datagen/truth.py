"""The truth of an example as plain values: the form of ``manifest.jsonl`` and of a session's ``truth.json``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from beatnet_align.units import seconds_to_samples
from datagen.played.performance import Performance
from datagen.recorded.recording import Recording
from datagen.rendering import Placement, Rendered

OWN_BEFORE_SECONDS, OWN_AFTER_SECONDS = 0.005, 0.030
"""The window around a hit in which its share of the energy is counted, as the metrics listen to it."""

_DECIMALS = 7


def hits_truth(
    performance: Performance,
    placements: Sequence[Placement],
    rendered: Rendered,
    recording: Recording,
    sample_rate: int,
) -> list[dict[str, Any]]:
    """Everything that is true of every hit, in order of performed time.

    Times are exact to the sample. ``close`` is the output channel that hears the label's channel loudest;
    ``own_energy`` the hit's share of the energy around it there, in the target before recording; ``arrivals_seconds``
    counts from the label's onset, for every output channel that hears the hit.
    """
    outputs = [channel.name for channel in recording.outputs]
    loudest_input = np.argmax(np.abs(recording.contributions), axis=1)
    main_shift = {
        placement.stroke.line: placement.target_samples - placement.performed_samples
        for placement in placements
        if placement.stroke.leads
    }
    energy = np.cumsum(np.pad(rendered.target.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    hits = []
    for placement in placements:
        stroke, heard = placement.stroke, placement.heard
        shift = placement.target_samples - placement.performed_samples
        arrivals = {
            outputs[output]: _seconds(arrival, sample_rate)
            for output, row in enumerate(loudest_input)
            if (arrival := heard.arrivals_samples[row]) is not None
        }
        hits.append(
            {
                "piece": stroke.piece.value,
                "close": outputs[int(np.argmax(np.abs(recording.contributions[:, heard.reference])))],
                "own_microphone": heard.is_own,
                "velocity": round(stroke.velocity, 4),
                "score_beats": round(stroke.score_beats, 6),
                "line": stroke.line,
                "ornament": stroke.ornament,
                "main": stroke.leads,
                "main_stroke": stroke.main_stroke,
                "performed_seconds": _seconds(placement.performed_samples, sample_rate),
                "target_seconds": _seconds(placement.target_samples, sample_rate),
                "line_shift_seconds": _seconds(main_shift.get(stroke.line, shift), sample_rate),
                "own_energy": round(_own_share(placement, energy, sample_rate), 3),
                "arrivals_seconds": arrivals,
            }
        )
    assert len(hits) == len(performance.strokes)
    return hits


def arrivals_at(hits: Sequence[Mapping[str, Any]], channel_names: Sequence[str]) -> npt.NDArray[np.float64]:
    """When each channel hears each hit of a manifest entry, [hits, channels] in seconds; NaN where it does not.

    Args:
        hits: As :func:`hits_truth` wrote them.
        channel_names: Of the take, in order.
    """
    rows = [
        [hit["performed_seconds"] + hit["arrivals_seconds"].get(name, np.nan) for name in channel_names] for hit in hits
    ]
    return np.array(rows, np.float64).reshape(len(hits), len(channel_names))


def _own_share(placement: Placement, energy: npt.NDArray[np.float64], sample_rate: int) -> float:
    """Energy of a hit's own image over that of everything, around its onset in the target on its reference channel."""
    row, onset = placement.heard.reference, placement.target_samples
    before, after = (seconds_to_samples(s, sample_rate) for s in (OWN_BEFORE_SECONDS, OWN_AFTER_SECONDS))
    first, last = max(0, onset - before), min(energy.shape[1] - 1, onset + after)
    start = onset - placement.heard.onset_samples
    own = placement.heard.audio[row, max(0, first - start) : max(0, last - start)].astype(np.float64) * placement.gain
    everything = energy[row, last] - energy[row, first]
    return float(min(1.0, np.sum(own**2) / everything)) if everything > 0.0 else 0.0


def _seconds(samples: int, sample_rate: int) -> float:
    return round(samples / sample_rate, _DECIMALS)
