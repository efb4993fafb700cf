"""The plan of an engine that knows every hit and its place: for a dataset's takes and for sessions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from beatnet_align.crowding import in_own_places, uncrowded
from beatnet_align.cut_list import segments
from beatnet_align.edit_plan import EditPlan, Move, RepairSettings, SpliceSettings, TakeFacts
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.reference_hits import ReferenceHit, reference_hits_from_truth
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import seconds_to_samples

ENGINE = "oracle"
TRUTH_NAME = "truth.json"


def perfect_plan(take: Take, entry: Mapping[str, Any], repair: RepairSettings | None = None) -> EditPlan:
    """The plan for a dataset's take.

    Hits that are too close to be cut apart are cut together, but each keeps its own destination, which a repair
    takes it to.

    Args:
        take: The example's take.
        entry: Its line in the manifest.
        repair: Where to lift hits out instead of cutting; nowhere when None.
    """
    hits = [reference_hit(hit) for hit in entry["hits"]]
    moves = [_move(take, hit, hit.score_beats) for hit in hits]
    return arranged(take, moves, TempoMap.from_json(entry["tempo_map"]), Grid.from_json(entry["grid"]), repair)


def perfect_plan_of_session(session: Path, take: Take, repair: RepairSettings | None = None) -> EditPlan:
    """The plan for a session's take, see :func:`perfect_plan`.

    Args:
        session: Folder with a ``truth.json``.
        take: The session's take.
        repair: Where to lift hits out instead of cutting; nowhere when None.

    Raises:
        InputError: The truth is not there, cannot be understood, or names a hit that the take does not hold.
    """
    hits, tempo_map = reference_hits_from_truth(session), session_tempo_map(session)
    channels = TakeFacts.of(take).channels
    for hit in hits:
        if hit.channel not in channels or not 0.0 <= hit.performed_seconds < take.seconds:
            raise InputError(
                f"{session / TRUTH_NAME} has a hit on {hit.channel!r} at {hit.performed_seconds:.3f} s, but the take "
                f"has {take.seconds:.3f} s of {', '.join(channels)}; give the take that belongs to it"
            )
    moves = [_move(take, hit, hit.score_beats) for hit in hits]
    return arranged(take, moves, tempo_map, session_grid(session), repair)


def arranged(
    take: Take, moves: Sequence[Move], tempo_map: TempoMap, grid: Grid, repair: RepairSettings | None = None
) -> EditPlan:
    """A valid plan of moves whose hits keep their own destinations, see :func:`perfect_plan`."""
    facts, splice, wanted = TakeFacts.of(take), SpliceSettings(), led(moves)
    placed = in_own_places(uncrowded(wanted, [facts.channels], take, splice), wanted)
    return EditPlan(facts, tuple(placed), tempo_map, grid, ENGINE, splice, repair or RepairSettings())


def session_tempo_map(session: Path) -> TempoMap:
    """The tempo map of a session, from its truth: a whole one, as an imported pair has it, or a constant tempo.

    Raises:
        InputError: The truth names no tempo that can be used.
    """
    truth = _truth(session)
    if "tempo_map" in truth:
        return TempoMap.from_json(truth["tempo_map"])
    try:
        return TempoMap.constant(float(truth["bpm"]), float(truth["first_beat_seconds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{session / TRUTH_NAME} names no tempo: expected bpm and first_beat_seconds ({error})"
        ) from error


def session_grid(session: Path) -> Grid:
    """The grid of a session, from its truth; 16ths where that names none.

    Raises:
        InputError: The truth cannot be read, or its grid cannot be used.
    """
    truth = _truth(session)
    return Grid.from_json(truth["grid"]) if "grid" in truth else Grid()


def _truth(session: Path) -> Mapping[str, Any]:
    file = session / TRUTH_NAME
    try:
        truth = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}; give a folder that holds one") from error
    except ValueError as error:
        raise InputError(f"{file} is no truth: {error}") from error
    if not isinstance(truth, Mapping):
        raise InputError(f"{file} is no truth: expected an object")
    return truth


def reference_hit(hit: Mapping[str, Any]) -> ReferenceHit:
    """A hit of a manifest entry."""
    return ReferenceHit(
        piece=Piece(hit["piece"]),
        channel=hit["close"],
        performed_seconds=hit["performed_seconds"],
        target_seconds=hit["target_seconds"],
        score_beats=hit["score_beats"],
        velocity=hit["velocity"],
        ornament=hit["ornament"],
        main=hit["main"],
        own_energy=hit.get("own_energy", 1.0),
    )


def _move(take: Take, hit: ReferenceHit, line_beats: float) -> Move:
    return Move(
        onset_samples=seconds_to_samples(hit.performed_seconds, take.sample_rate),
        destination_samples=min(seconds_to_samples(hit.target_seconds, take.sample_rate), take.samples - 1),
        channel=hit.channel,
        piece=hit.piece,
        velocity=hit.velocity,
        confidence=1.0,
        leads=hit.main,
        line_beats=line_beats,
    )


def led(moves: Sequence[Move]) -> list[Move]:
    """Moves in order of onset, with a leading hit in every segment.

    Where lines cross, a run of one line's hits may lack its leading one: the first leads then.
    """
    return [
        move if any(other.leads for other in segment) else replace(move, leads=i == 0)
        for segment in segments(sorted(moves, key=lambda move: move.onset_samples))
        for i, move in enumerate(segment)
    ]
