"""What the networks hear of a generated take and the joins that follow: all that stands still while times are trained.

Decoding has no gradients, so what is a hit, which channel times it and which line it goes to stay as the networks that
heard the take said. What they were told when they said it is kept beside, with the truth.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from beatnet_align.collection import OnsetSettings, trigger_channels
from beatnet_align.edit_plan import EditPlan, Move, SpliceSettings, TakeFacts
from beatnet_align.engines import Fill
from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import LEAVE, ORNAMENT, GridTokens, Struck, grid_tokens
from beatnet_align.gridnet import gridnet_claims
from beatnet_align.hit_features import HOP_SAMPLES, hit_features, normalised, reference_db
from beatnet_align.hit_outputs import GROUP_OF_PIECE, UNKNOWN_GROUP, groups_of
from beatnet_align.hit_refiner import (
    AFTER_SAMPLES,
    BEFORE_SAMPLES,
    HitRefiner,
    cut_windows,
    window_rows,
    without_offset,
)
from beatnet_align.hitnet import find_hits
from beatnet_align.hits import Hit, Piece
from beatnet_align.quantise import quantise
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import Float32Array, FloatArray, IntArray
from beatnet_align.whole_files import written_whole
from models.grid_data import IGNORED
from models.grid_examples import SAME_LINE_BEATS
from models.planned_joins import PlannedJoins, planned_joins
from models.refiner_pool import audible_rise
from models.shipped_networks import OFFSET_ROWS, NetworkFiles, OffsetStates

MATCH_SECONDS = 0.015
"""A heard hit is a true one of its group of pieces that lies no further away."""

_PARTS: dict[str, Any] = {"tokens": GridTokens, "joins": PlannedJoins}


@dataclass(frozen=True, eq=False)
class HeardSplice:
    """A take as it was heard and cut. Times are samples of the take.

    Attributes:
        states: [hits, width], what HitNet's offsets are told at the frame that each hit was found in.
        rows: [hits], which of its offsets placed it, by place in ``OFFSET_ROWS``.
        frames: [hits], that frame.
        places: [hits], middle of the refiner's window.
        windows: [hits, ROWS, WINDOW_SAMPLES].
        onsets: [hits], as heard.
        true_onsets: [hits], on the channel that the hit was heard in; NaN where that is no hit's own.
        audible: [hits], whether the channel lets the true onset be heard.
        tokens: What GridNet is told.
        answers: [hits], what it should say, ``IGNORED`` where that is not known.
        line_samples: [hits, CANDIDATES], where the lines on offer are.
        joins: What the plan cuts.
    """

    states: Float32Array
    rows: IntArray
    frames: IntArray
    places: IntArray
    windows: Float32Array
    onsets: IntArray
    true_onsets: FloatArray
    audible: npt.NDArray[np.bool_]
    tokens: GridTokens
    answers: IntArray
    line_samples: FloatArray
    joins: PlannedJoins

    def save(self, path: Path) -> None:
        """Write it whole, without pickle."""
        arrays = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _PARTS}
        for part, kind in _PARTS.items():
            arrays |= {f"{part}.{one.name}": getattr(getattr(self, part), one.name) for one in fields(kind)}
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def read(cls, path: Path) -> "HeardSplice":
        """What :meth:`save` wrote."""
        with np.load(path) as arrays:
            parts = {
                part: kind(**{one.name: arrays[f"{part}.{one.name}"] for one in fields(kind)})
                for part, kind in _PARTS.items()
            }
            return cls(**{one.name: arrays[one.name] for one in fields(cls) if one.name not in _PARTS}, **parts)


class Listener:
    """Hears takes with networks.

    Args:
        files: Those networks.
    """

    def __init__(self, files: NetworkFiles) -> None:
        self._hitnet, self._refiner, self._gridnet = files.opened()
        self._states = OffsetStates(files.hitnet)

    def plan(
        self,
        take: Take,
        tempo_map: TempoMap,
        grid: Grid,
        splice: SpliceSettings | None = None,
        *,
        as_heard: bool = False,
    ) -> EditPlan:
        """What the neural engine decides with these networks; ``as_heard`` as for its hit finder."""
        hits = find_hits(take, model=self._hitnet, refiner=self._refiner, as_heard=as_heard)
        return self._planned(hits, take, tempo_map, grid, splice or SpliceSettings())

    def __call__(self, take: Take, entry: Mapping[str, Any]) -> HeardSplice | None:
        """Hear a dataset's take; None where there is nothing to join.

        Args:
            take: At the networks' rate, and no longer than HitNet hears at once.
            entry: Its line in the manifest.
        """
        tempo_map, grid = TempoMap.from_json(entry["tempo_map"]), Grid.from_json(entry["grid"])
        audio = take.read(0, take.samples).astype(np.float32)
        found = [(_refined(hit, audio[hit.channel], self._refiner), hit) for hit in self._unrefined(take)]
        found.sort(key=lambda pair: pair[0])
        hits, unrefined = [pair[0] for pair in found], [pair[1] for pair in found]
        plan = self._planned(hits, take, tempo_map, grid, SpliceSettings(fill=Fill.EXTEND))
        joins = planned_joins(plan, take)
        if not joins.starts.size:
            return None
        truth = true_hits(hits, entry["hits"], take.sample_rate)
        tokens = grid_tokens(Struck.of(hits, take.sample_rate), tempo_map, grid)
        own = [
            true is not None and true["close"] == take.channels[hit.channel].name
            for hit, true in zip(hits, truth, strict=True)
        ]
        true_onsets = np.array(
            [
                true["performed_seconds"] * take.sample_rate if true is not None and is_own else np.nan
                for true, is_own in zip(truth, own, strict=True)
            ]
        )
        return HeardSplice(
            **self._offsets(take, audio, unrefined),
            places=np.array([hit.onset_samples for hit in unrefined], np.int64),
            windows=window_rows(
                _around(audio, unrefined, [hit.onset_samples for hit in unrefined]),
                groups_of(hit.piece for hit in unrefined),
            ),
            onsets=np.array([hit.onset_samples for hit in hits], np.int64),
            true_onsets=true_onsets,
            audible=audible_rise(_around(audio, hits, np.nan_to_num(true_onsets)), BEFORE_SAMPLES) & np.array(own),
            tokens=tokens,
            answers=_answers(tokens, hits, truth, entry["hits"], take.sample_rate),
            line_samples=np.asarray(tempo_map.to_seconds(tokens.lines_beats)) * take.sample_rate,
            joins=joins,
        )

    def _unrefined(self, take: Take) -> list[Hit]:
        return find_hits(take, model=self._hitnet, refine=False, as_heard=True)

    def _planned(
        self, hits: Sequence[Hit], take: Take, tempo_map: TempoMap, grid: Grid, splice: SpliceSettings
    ) -> EditPlan:
        def claims(*asked: Any) -> Any:
            return gridnet_claims(*asked, model=self._gridnet)

        moves = quantise(hits, take, tempo_map, grid, splice=splice, claim_maker=claims) if hits else ()
        return EditPlan(TakeFacts.of(take), moves, tempo_map, grid, splice=splice)

    def _offsets(self, take: Take, audio: Float32Array, hits: Sequence[Hit]) -> dict[str, Any]:
        """What HitNet's offsets were told of each hit, and which one placed it."""
        triggers = sorted(trigger_channels(take, OnsetSettings()))
        features_db = np.concatenate([hit_features(audio[[row]]) for row in triggers])
        features = normalised(features_db, reference_db(features_db))
        roles = [take.channels[row].role for row in triggers]
        outputs, _ = self._hitnet(features, roles)
        states = self._states(features, roles)
        placed = [_placed_by(hit, outputs[list(OFFSET_ROWS)]) for hit in hits]
        rows, frames = (np.array(column, np.int64) for column in zip(*placed, strict=True))
        return {"states": states[frames], "rows": rows, "frames": frames}


def _refined(hit: Hit, signal: Float32Array, refiner: HitRefiner) -> Hit:
    onset, _ = refiner.refine(signal, np.array([float(hit.onset_samples)]), groups_of([hit.piece]))
    return replace(hit, onset_samples=int(np.clip(np.rint(onset[0]), 0, len(signal) - 1)))


def _around(audio: Float32Array, hits: Sequence[Hit], places: Sequence[int] | FloatArray) -> Float32Array:
    """Windows of hits' channels, [hits, WINDOW_SAMPLES]."""
    return np.concatenate(
        [
            cut_windows(without_offset(audio[hit.channel]), np.array([round(place)]), BEFORE_SAMPLES, AFTER_SAMPLES)
            for hit, place in zip(hits, places, strict=True)
        ]
    )


def _placed_by(hit: Hit, offsets: Float32Array) -> tuple[int, int]:
    """Row and frame of the offset, [rows, frames], that placed a hit."""
    middle = hit.onset_samples // HOP_SAMPLES
    group = GROUP_OF_PIECE.get(hit.piece)
    rows = [0] + ([] if group is None else [1 + group])
    frames = np.arange(max(0, middle - 3), min(offsets.shape[1], middle + 4))
    onsets = (frames + 0.5 + np.clip(offsets[rows][:, frames], -1.0, 1.0)) * HOP_SAMPLES
    off = np.abs(onsets - hit.onset_samples)
    # A frame's neighbours often point to the same onset: of equally good ones, the frame that the onset lies in.
    row, column = np.unravel_index(int(np.argmin(np.maximum(off, 0.5) + 1e-3 * np.abs(frames - middle))), off.shape)
    return rows[int(row)], int(frames[column])


def true_hits(
    heard: Sequence[Hit | Move], truth: Sequence[Mapping[str, Any]], sample_rate: int
) -> list[Mapping[str, Any] | None]:
    """The nearest true hit of the same group of pieces for everything that was heard; None where none is near.

    Args:
        heard: Hits, or their moves.
        truth: Hits of a manifest entry.
        sample_rate: In hertz.
    """
    groups: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for true in truth:
        groups[GROUP_OF_PIECE[Piece(true["piece"])]].append(true)
    found: list[Mapping[str, Any] | None] = []
    for hit in heard:
        same = groups.get(GROUP_OF_PIECE.get(hit.piece, UNKNOWN_GROUP), [])
        off_seconds = [abs(true["performed_seconds"] - hit.onset_samples / sample_rate) for true in same]
        nearest = int(np.argmin(off_seconds)) if same else 0
        found.append(same[nearest] if same and off_seconds[nearest] <= MATCH_SECONDS else None)
    return found


def _answers(
    tokens: GridTokens,
    hits: Sequence[Hit],
    truth: Sequence[Mapping[str, Any] | None],
    true_hits: Sequence[Mapping[str, Any]],
    sample_rate: int,
) -> IntArray:
    """What GridNet should say: a line, an ornament, or that nothing was struck; nothing where the piece is wrong."""
    struck = np.array([true["performed_seconds"] for true in true_hits])
    answers = np.full(len(hits), IGNORED, np.int64)
    for i, (hit, true) in enumerate(zip(hits, truth, strict=True)):
        if true is None:
            near = np.abs(struck - hit.onset_samples / sample_rate).min(initial=np.inf) <= MATCH_SECONDS
            answers[i] = IGNORED if near else LEAVE
        elif true["ornament"]:
            answers[i] = ORNAMENT
        else:
            on = np.flatnonzero(np.abs(tokens.nominals_beats[i] - true["score_beats"]) < SAME_LINE_BEATS)
            answers[i] = on[0] if len(on) else IGNORED
    return answers
