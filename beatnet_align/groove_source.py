"""Where a groove template comes from: a saved one, a MIDI file, or another take."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from beatnet_align.audio_files import open_take
from beatnet_align.collection import OnsetSettings
from beatnet_align.engines import DEFAULT_ENGINE, Engine, find_hits
from beatnet_align.errors import InputError
from beatnet_align.grid import parse_grid
from beatnet_align.groove import GrooveTemplate
from beatnet_align.tempo_source import TempoRequest, resolve_tempo
from beatnet_align.units import samples_to_seconds

MIDI_SUFFIXES = (".mid", ".midi")


def read_groove(
    path: Path,
    division: str,
    tempo: TempoRequest | None = None,
    engine: Engine = DEFAULT_ENGINE,
    settings: OnsetSettings | None = None,
    progress: Callable[[str, int, int], None] = lambda _stage, _samples, _total: None,
) -> tuple[GrooveTemplate, tuple[str, ...]]:
    """Read a saved template, or extract one.

    Args:
        path: A template (.json), a Standard MIDI File (.mid, .midi), or a take.
        division: Lines to extract it on, such as "1/16"; only one kind.
        tempo: Of a take; estimated where it says nothing.
        engine: Finds the hits of a take.
        settings: How it listens.
        progress: Told of the stage "finding hits of the groove", of further samples and of all of a take.

    Returns:
        The template, and sentences that say what was assumed of a take's tempo.

    Raises:
        InputError: The file cannot be read, nothing is played in it, or the division is unknown or several; or a tempo
            is given to what is no take.
    """
    suffix = path.suffix.lower()
    if suffix in (".json", *MIDI_SUFFIXES) and tempo not in (None, TempoRequest()):
        raise InputError(f"a tempo of the groove would do nothing here: {path.name} says itself where its beats are")
    if suffix == ".json":
        return GrooveTemplate.load(path), ()
    divisions = parse_grid(division).divisions
    if len(divisions) > 1:
        raise InputError(f"a groove is measured on one kind of lines, such as {divisions[0]}; found {division}")
    if suffix in MIDI_SUFFIXES:
        return GrooveTemplate.from_midi(path, divisions[0]), ()
    with open_take(path) as opened:
        samples = opened.take.samples
        hits = find_hits(
            opened.take, engine, settings, lambda done: progress("finding hits of the groove", done, samples)
        )
        if not hits:
            raise InputError(f"no hits were found in {path}, so it has no groove to follow")
        tempo_map, assumed = resolve_tempo(tempo or TempoRequest(), opened.take, hits)
        onsets = samples_to_seconds(np.array([hit.onset_samples for hit in hits], np.int64), opened.take.sample_rate)
    bar_beats = tempo_map.time_signatures[0].bar_beats
    weights = np.array([hit.velocity for hit in hits])
    template = GrooveTemplate.extract(tempo_map.to_beats(onsets), divisions[0], bar_beats, weights, name=path.stem)
    return template, tuple(f"of the groove in {path.name}: {remark}" for remark in assumed)
