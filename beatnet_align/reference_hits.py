"""Reference hits: the truth of a take whose every hit is known, read from the ``truth.json`` beside its audio."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece


@dataclass(frozen=True)
class ReferenceHit:
    """One strike as it was played and as it was meant.

    Attributes:
        piece: What was struck.
        channel: Name of its own channel in the take.
        performed_seconds: Onset in the take.
        target_seconds: Onset in the target.
        score_beats: Grid line it belongs to, in beats from the first; that of its main stroke for an ornament.
        velocity: 0 to 1.
        ornament: Whether it keeps its spacing to a main stroke instead of standing on a line.
        main: Whether it leads its line, as the hit that a phase-locked cut follows.
        own_energy: Share of the energy around it, on its own channel in the target, that is its own.
    """

    piece: Piece
    channel: str
    performed_seconds: float
    target_seconds: float
    score_beats: float
    velocity: float = 1.0
    ornament: bool = False
    main: bool = True
    own_energy: float = 1.0


def reference_hits_from_truth(path: Path) -> tuple[ReferenceHit, ...]:
    """Read the hits of a ``truth.json``.

    Args:
        path: The file, or the folder that holds it.

    Raises:
        InputError: The file is not there, is not JSON, or lacks something about a hit.
    """
    file = path / "truth.json" if path.is_dir() else path
    try:
        hits = json.loads(file.read_text(encoding="utf-8"))["hits"]
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}; give a truth.json or the folder that holds one"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f'{file} is not a truth file: expected JSON with a list "hits" ({error})') from error
    if not isinstance(hits, list):
        raise InputError(f'{file} is not a truth file: "hits" is {type(hits).__name__}, expected a list')
    return tuple(_hit(file, number, entry) for number, entry in enumerate(hits))


def _hit(file: Path, number: int, entry: Any) -> ReferenceHit:
    try:
        return ReferenceHit(
            piece=Piece(entry["piece"]),
            channel=str(entry["close"]),
            performed_seconds=float(entry["performed_seconds"]),
            target_seconds=float(entry["target_seconds"]),
            score_beats=float(entry["score_beats"]),
            velocity=float(entry["velocity"]),
            ornament=bool(entry["ornament"]),
            main=bool(entry["main"]),
            own_energy=float(entry["own_energy"]),
        )
    except KeyError as error:
        raise InputError(f"hit {number} in {file} lacks {error}; found {', '.join(entry)}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"hit {number} in {file} cannot be understood: {error}") from error


def truth_tempo(file: Path) -> tuple[float, float]:
    """Tempo in BPM and time of the first beat in seconds, from a ``truth.json`` as whole as the demo's."""
    truth = json.loads(file.read_text(encoding="utf-8"))
    return float(truth["bpm"]), float(truth["first_beat_seconds"])
