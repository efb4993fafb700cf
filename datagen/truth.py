"""The truth of an example as plain values: the form of ``manifest.jsonl`` and of a session's ``truth.json``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from beatnet_align.units import FloatArray
from datagen.played.performance import Performance
from datagen.recorded.recording import Recording
from datagen.rendering import Placement

_DECIMALS = 7


def hits_truth(
    performance: Performance,
    placements: Sequence[Placement],
    recording: Recording,
    own_energies: FloatArray | None,
    sample_rate: int,
) -> list[dict[str, Any]]:
    """Everything that is true of every hit, in order of performed time.

    Times are exact to the sample. ``close`` is the output channel that hears the label's channel loudest;
    ``arrivals_seconds`` counts from the label's onset, for every output channel that hears the hit. ``own_energy`` is
    the hit's share of the energy around it in ``close``, [hits], where that is known; see :mod:`datagen.own_energy`.
    """
    outputs = [channel.name for channel in recording.outputs]
    loudest_input = np.argmax(np.abs(recording.contributions), axis=1)
    main_shift = {
        placement.stroke.line: placement.target_samples - placement.performed_samples
        for placement in placements
        if placement.stroke.leads
    }
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
                "close": outputs[recording.output_of(heard.reference)],
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
                "arrivals_seconds": arrivals,
            }
        )
    if own_energies is not None:
        for hit, own_energy in zip(hits, own_energies.tolist(), strict=True):
            hit["own_energy"] = round(own_energy, 3)
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


def _seconds(samples: int, sample_rate: int) -> float:
    return round(samples / sample_rate, _DECIMALS)
