"""Import what engineers did: a take's stems before and after editing become a session with the truth of every hit.

A session is what :mod:`datagen.sessions` measures: take/, target/ and ``truth.json``. The truth holds, beside the hits,
the recovered segments and the stretches that no constant shift explains.
"""

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from beatnet_align.audio_figures import lag_window_samples
from beatnet_align.audio_files import OpenTake, open_take
from beatnet_align.collection import OnsetSettings
from beatnet_align.errors import InputError, OutputError
from beatnet_align.grid import Grid
from beatnet_align.roles import guess_role
from beatnet_align.take import Take
from beatnet_align.tempo_source import TempoRequest
from beatnet_align.units import IntArray, samples_to_seconds
from datagen.edited.recovery import EditedHit, EditedPair, recover_edits

_DECIMALS = 7
_GRID = Grid()


def import_edited_pair(
    before: Path,
    after: Path,
    tempo: TempoRequest | None = None,
    settings: OnsetSettings | None = None,
) -> EditedPair:
    """Compare a take with its edited version, see :func:`~datagen.edited.recovery.recover_edits`.

    Args:
        before: A folder of stems or one multichannel file, as recorded.
        after: The same, as edited.
        tempo: What it was edited to; estimated from the edited hits as far as it is unknown.
        settings: How hits are found.

    Raises:
        InputError: Either cannot be read, or they are not the same take.
    """
    with open_take(before) as recorded, open_take(after) as edited:
        return recover_edits(recorded.take, same_channels(recorded, edited), tempo, settings)


def same_channels(before: OpenTake, after: OpenTake) -> Take:
    """The edited take with its channels in the order of the recorded one.

    Two single files go together whatever they are called, as long as they have as many channels.

    Raises:
        InputError: Channels or sample rates differ.
    """
    first, second = before.take, after.take
    if first.sample_rate != second.sample_rate:
        raise InputError(
            f"{first.name} has {first.sample_rate} Hz, {second.name} has {second.sample_rate} Hz; "
            "export both at one rate"
        )
    names, others = ([channel.name for channel in take.channels] for take in (first, second))
    single_files = len(before.stems) == len(after.stems) == 1 and len(names) == len(others)
    if names != others and not single_files:
        missing = sorted(set(names) ^ set(others))
        where = first.name if missing[0] in names else second.name
        raise InputError(
            f"{first.name} and {second.name} have to hold the same channels, but {missing[0]!r} is only in {where}; "
            "give the stems the same names"
        )
    return replace(second, channels=first.channels)


def import_session(
    before: Path,
    after: Path,
    out_dir: Path,
    *,
    bpm: float | None = None,
    first_beat_seconds: float | None = None,
    grid: Grid = _GRID,
) -> EditedPair:
    """Compare a take with its edited version and write both as a session.

    Args:
        before: A folder of stems or one multichannel file, as recorded.
        after: The same, as edited.
        out_dir: New, or an empty folder; gets copies of the stems and ``truth.json``, all or nothing.
        bpm: Tempo that it was edited to; estimated from the edited hits when None.
        first_beat_seconds: When bar 1 begins; estimated when None.
        grid: Lines that hits are counted to.

    Returns:
        What was recovered; its text sums it up.

    Raises:
        InputError: Either take cannot be read, they are not the same take, or ``out_dir`` holds something.
        OutputError: The session could not be written; nothing half-written is left.
    """
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise InputError(f"{out_dir} exists and is not an empty folder; choose another one with -o")
    with open_take(before) as recorded, open_take(after) as edited:
        target = same_channels(recorded, edited)
        pair = recover_edits(recorded.take, target, TempoRequest(bpm=bpm, first_beat_seconds=first_beat_seconds))
        truth = truth_of(pair, target, grid)
        copies = {Path("take") / stem.name: stem.path for stem in recorded.stems}
        for stem in edited.stems:
            name = recorded.stems[0].path.stem + stem.path.suffix if len(edited.stems) == 1 else stem.name
            copies[Path("target") / name] = stem.path
    _write(out_dir, copies, json.dumps(truth, indent=1) + "\n")
    return pair


def truth_of(pair: EditedPair, target: Take, grid: Grid = _GRID) -> dict[str, Any]:
    """The truth of a session, as ``truth.json`` holds it.

    Hits have the form of a dataset's. What nobody can tell from the audio is left at its plainest: no hit is an
    ornament, arrivals are unknown, and of the hits that a segment brings to one line the most salient is the main one.

    Args:
        pair: What was recovered.
        target: The edited take.
        grid: Lines that hits are counted to.
    """
    rate = pair.take.sample_rate
    targets_seconds = np.array([hit.target_samples for hit in pair.hits]) / rate
    lines_beats = grid.nominal_of_nearest(pair.tempo_map.to_beats(targets_seconds))
    lines = np.unique(lines_beats, return_inverse=True)[1]
    mains = _mains(pair, lines)

    def seconds(samples: int) -> float:
        return round(samples_to_seconds(samples, rate), _DECIMALS)

    hits: list[dict[str, Any]] = []
    for number, edited in enumerate(pair.hits):
        channel = pair.take.channels[edited.hit.channel]
        hits.append(
            {
                "piece": edited.hit.piece.value,
                "close": channel,
                "own_microphone": guess_role(channel).is_close,
                "velocity": edited.hit.velocity,
                "score_beats": round(float(lines_beats[number]), 6),
                "line": int(lines[number]),
                "ornament": False,
                "main": mains[number] == number,
                "main_stroke": None,
                "performed_seconds": seconds(edited.hit.onset_samples),
                "target_seconds": seconds(edited.target_samples),
                "line_shift_seconds": seconds(edited.target_samples - edited.hit.onset_samples),
                "own_energy": round(_own_energy(edited, target), 3),
                "arrivals_seconds": {},
                "segment": edited.segment,
                "confidence": edited.score,
            }
        )
    cuts = [(segment.cut, segment.confidence) for segment in pair.segments]
    tempo = pair.tempo_map
    return {
        "source": "datagen.edited_pairs",
        "bpm": tempo.bpm_at(0.0),
        "first_beat_seconds": tempo.first_beat_seconds,
        "tempo_map": tempo.to_json(),
        "grid": grid.to_json(),
        "sample_rate": rate,
        "seconds": seconds(pair.take.samples),
        "microphones": list(pair.take.channels),
        "bit_exact": pair.exact,
        "notes": list(pair.notes),
        "segments": [
            {
                "source_seconds": seconds(cut.source_samples),
                "destination_seconds": seconds(cut.destination_samples),
                "shift_samples": cut.shift_samples,
                "confidence": confidence,
            }
            for cut, confidence in cuts
        ],
        "stretches": [
            {
                "start_seconds": seconds(stretch.start_samples),
                "stop_seconds": seconds(stretch.stop_samples),
                "kind": stretch.kind.value,
            }
            for stretch in pair.stretches
        ],
        "lost_seconds": [seconds(onset) for onset in pair.lost],
        "hits": hits,
    }


def _mains(pair: EditedPair, lines: IntArray) -> list[int]:
    """For every hit, the index of the hit that leads its line in its segment."""
    leaders: dict[tuple[int, int], int] = {}
    keys = [(hit.segment, int(line)) for hit, line in zip(pair.hits, lines, strict=True)]
    for number, key in enumerate(keys):
        best = leaders.setdefault(key, number)
        if pair.hits[number].hit.salience > pair.hits[best].hit.salience:
            leaders[key] = number
    return [leaders[key] for key in keys]


def _own_energy(edited: EditedHit, target: Take) -> float:
    """Share of the energy around a hit on its own channel that was not there before it."""
    rate = target.sample_rate
    before, after = lag_window_samples(rate)
    onset = edited.target_samples
    audio = target.read(onset - 2 * before, onset + after)[edited.hit.channel].astype(np.float64)
    everything = float(np.sum(audio[before:] ** 2))
    background = float(np.mean(audio[: 2 * before] ** 2)) * (before + after)
    return float(np.clip(1.0 - background / everything, 0.0, 1.0)) if everything > 0.0 else 0.0


def _write(out_dir: Path, copies: dict[Path, Path], truth: str) -> None:
    """Fill a hidden folder beside the place, then give it its name."""
    partial = out_dir.parent / f".{out_dir.name}.partial"
    try:
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        for relative, source in copies.items():
            (partial / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, partial / relative)
        (partial / "truth.json").write_text(truth, encoding="utf-8")
        with suppress(FileNotFoundError):
            out_dir.rmdir()
        partial.replace(out_dir)
    except OSError as error:
        raise OutputError(f"cannot write the session {out_dir}: {error.strerror or error}; nothing was left") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
