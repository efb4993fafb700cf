"""Where a groove template comes from: a saved one, a MIDI file, or another take."""

from pathlib import Path

import numpy as np

from beatnet_align.audio_files import open_take
from beatnet_align.engines import DEFAULT_ENGINE, Engine, find_hits
from beatnet_align.errors import InputError
from beatnet_align.grid import parse_grid
from beatnet_align.groove import GrooveTemplate
from beatnet_align.tempo_source import TempoRequest, resolve_tempo
from beatnet_align.units import samples_to_seconds


def read_groove(
    path: Path, division: str, tempo: TempoRequest | None = None, engine: Engine = DEFAULT_ENGINE
) -> GrooveTemplate:
    """Read a saved template, or extract one.

    Args:
        path: A template (.json), a Standard MIDI File (.mid, .midi), or a take.
        division: Lines to extract it on, such as "1/16"; only one kind.
        tempo: Of a take; estimated where it says nothing.
        engine: Finds the hits of a take.

    Raises:
        InputError: The file cannot be read, nothing is played in it, or the division is unknown or several.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        return GrooveTemplate.load(path)
    divisions = parse_grid(division).divisions
    if len(divisions) > 1:
        raise InputError(f"a groove is measured on one kind of lines, such as {divisions[0]}; found {division}")
    if suffix in (".mid", ".midi"):
        return GrooveTemplate.from_midi(path, divisions[0])
    with open_take(path) as opened:
        hits = find_hits(opened.take, engine)
        if not hits:
            raise InputError(f"no hits were found in {path}, so it has no groove to follow")
        tempo_map, _ = resolve_tempo(tempo or TempoRequest(), opened.take, hits)
        onsets = samples_to_seconds(np.array([hit.onset_samples for hit in hits], np.int64), opened.take.sample_rate)
    bar_beats = tempo_map.time_signatures[0].bar_beats
    weights = np.array([hit.velocity for hit in hits])
    return GrooveTemplate.extract(tempo_map.to_beats(onsets), divisions[0], bar_beats, weights, name=path.stem)
