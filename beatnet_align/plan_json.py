"""Edit plans as JSON that a person can read and correct: times in seconds, one move a line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from beatnet_align.edit_plan import EditPlan, Flag, Move, RepairSettings, SpliceSettings, TakeFacts
from beatnet_align.engines import Fill, Render
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.repair import Placement
from beatnet_align.roles import Role, guess_role
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import samples_to_seconds, seconds_to_samples

FORMAT = "beatnet-align edit plan"
VERSION = 1
PLACES = "places"
"""How each place was rendered, for reading; made anew when a corrected plan is rendered."""

SECONDS_DECIMALS = 7
"""A tenth of a microsecond: fifty times finer than a sample at 192 kHz, so rounding gives the sample back."""

_MOVE_KEYS = (
    "onset_seconds",
    "destination_seconds",
    "line_beats",
    "channel",
    "piece",
    "velocity",
    "confidence",
    "leads",
    "flags",
)
_LATER_MOVE_KEYS = ("line_confidence", "runner_up_beats")
"""Plans of earlier versions of the program lack these."""


def plan_to_json(plan: EditPlan, placed: Sequence[Placement] = ()) -> str:
    """Write a plan down.

    Args:
        plan: To be read again by :func:`plan_from_json`.
        placed: How each place was rendered, and why, for people to read; it follows from the plan.

    Returns:
        A JSON object; :func:`plan_from_json` gives back an equal plan.
    """
    head = {
        "format": FORMAT,
        "version": VERSION,
        "engine": plan.engine,
        "take": {
            "name": plan.take.name,
            "sample_rate": plan.take.sample_rate,
            "samples": plan.take.samples,
            "channels": list(plan.take.channels),
            "roles": [role.value for role in plan.take.roles],
        },
        "tempo_map": plan.tempo_map.to_json(),
        "grid": plan.grid.to_json(),
        "splice": {
            "pad_seconds": plan.splice.pad_seconds,
            "crossfade_seconds": plan.splice.crossfade_seconds,
            "fill": plan.splice.fill.value,
            "long_gaps": plan.splice.long_gaps.value,
            "groups": [list(group) for group in plan.splice.groups],
        },
        "repair": {
            "render": plan.repair.render.value,
            "flam_seconds": plan.repair.flam_seconds,
            "bars": plan.repair.bars,
        },
        "notes": list(plan.notes),
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    moves = ",\n".join(f"    {json.dumps(_move_to_json(move, plan.take.sample_rate))}" for move in plan.moves)
    lines.append(f'  "moves": [\n{moves}\n  ]' if plan.moves else '  "moves": []')
    places = ",\n".join(f"    {json.dumps(_place_to_json(one, plan.take.sample_rate))}" for one in placed)
    lines.append(f'  "{PLACES}": [\n{places}\n  ]' if placed else f'  "{PLACES}": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def plan_from_json(text: str) -> EditPlan:
    """Read a plan.

    Raises:
        InputError: It is no JSON, no plan, of another version, or a value is missing or of the wrong kind; the
            message names the place.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InputError(f"the edit plan is not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f'this is no edit plan: "format" should be {FORMAT!r}; give the edits.json that align wrote')
    if data.get("version") != VERSION:
        raise InputError(f"the edit plan has version {data.get('version')!r}, this program reads version {VERSION}")
    try:
        facts = _facts_from_json(data["take"])
        splice = SpliceSettings(
            pad_seconds=float(data["splice"]["pad_seconds"]),
            crossfade_seconds=float(data["splice"]["crossfade_seconds"]),
            fill=Fill(data["splice"]["fill"]),
            groups=tuple(tuple(str(name) for name in group) for group in data["splice"]["groups"]),
            # Plans of earlier versions of the program lack it.
            long_gaps=Fill(data["splice"].get("long_gaps", Fill.AUTOREGRESSIVE)),
        )
        repair = _repair_from_json(data.get("repair"))
        entries = list(data["moves"])
        engine, notes = str(data["engine"]), tuple(str(note) for note in data["notes"])
        tempo_map, grid = data["tempo_map"], data["grid"]
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the edit plan is malformed ({type(error).__name__}: {error})") from error
    return EditPlan(
        take=facts,
        moves=tuple(_move_from_json(entry, number, facts.sample_rate) for number, entry in enumerate(entries, 1)),
        tempo_map=TempoMap.from_json(tempo_map),
        grid=Grid.from_json(grid),
        engine=engine,
        splice=splice,
        repair=repair,
        notes=notes,
    )


def load_plan(path: Path) -> EditPlan:
    """Read a plan from a file.

    Raises:
        InputError: The file cannot be read, or as for :func:`plan_from_json`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the edit plan {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the edit plan {path} is not text in UTF-8") from error
    try:
        return plan_from_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _facts_from_json(entry: Any) -> TakeFacts:
    """Plans of earlier versions of the program lack roles."""
    names = tuple(str(name) for name in entry["channels"])
    roles = tuple(map(Role, entry.get("roles", map(guess_role, names))))
    if len(roles) != len(names):
        raise InputError(f"the edit plan has {len(names)} channels but {len(roles)} roles")
    return TakeFacts(str(entry["name"]), int(entry["sample_rate"]), int(entry["samples"]), names, roles)


def _repair_from_json(entry: Any) -> RepairSettings:
    """Plans of earlier versions of the program lack it and were spliced."""
    if entry is None:
        return RepairSettings()
    bars = entry["bars"]
    if bars is not None:
        first, last = bars
        if type(first) is not int or type(last) is not int:
            raise TypeError(f"bars of repair should be two whole numbers or null, found {bars!r}")
        bars = (first, last)
    return RepairSettings(Render(entry["render"]), float(entry["flam_seconds"]), bars)


def _place_to_json(placement: Placement, sample_rate: int) -> dict[str, Any]:
    first, last = placement.moves[0], placement.moves[-1]
    return {
        "first_onset_seconds": round(samples_to_seconds(first.onset_samples, sample_rate), SECONDS_DECIMALS),
        "last_onset_seconds": round(samples_to_seconds(last.onset_samples, sample_rate), SECONDS_DECIMALS),
        "render": (Render.SEPARATE if placement.repaired else Render.SPLICE).value,
        "why": placement.reason,
    }


def _move_to_json(move: Move, sample_rate: int) -> dict[str, Any]:
    return {
        "onset_seconds": round(samples_to_seconds(move.onset_samples, sample_rate), SECONDS_DECIMALS),
        "destination_seconds": round(samples_to_seconds(move.destination_samples, sample_rate), SECONDS_DECIMALS),
        "line_beats": move.line_beats,
        "line_confidence": move.line_confidence,
        "runner_up_beats": move.runner_up_beats,
        "channel": move.channel,
        "piece": move.piece.value,
        "velocity": move.velocity,
        "confidence": move.confidence,
        "leads": move.leads,
        "flags": [flag.value for flag in move.flags],
    }


def _move_from_json(entry: Any, number: int, sample_rate: int) -> Move:
    if not isinstance(entry, Mapping):
        raise InputError(f"move {number} should be an object, found {entry!r}")
    wrong = sorted((set(entry) - set(_LATER_MOVE_KEYS)) ^ set(_MOVE_KEYS))
    if wrong:
        raise InputError(f"move {number} has wrong or missing entries: {', '.join(map(str, wrong))}")
    if not isinstance(entry["leads"], bool):
        raise InputError(f"leads of move {number} should be true or false, found {entry['leads']!r}")
    runner_up_beats = entry.get("runner_up_beats")
    try:
        return Move(
            onset_samples=seconds_to_samples(float(entry["onset_seconds"]), sample_rate),
            destination_samples=seconds_to_samples(float(entry["destination_seconds"]), sample_rate),
            channel=str(entry["channel"]),
            piece=Piece(entry["piece"]),
            velocity=float(entry["velocity"]),
            confidence=float(entry["confidence"]),
            leads=entry["leads"],
            line_beats=None if entry["line_beats"] is None else float(entry["line_beats"]),
            line_confidence=float(entry.get("line_confidence", 1.0)),
            runner_up_beats=None if runner_up_beats is None else float(runner_up_beats),
            flags=tuple(Flag(flag) for flag in entry["flags"]),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"move {number} is malformed: {error}") from error
