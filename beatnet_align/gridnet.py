"""Ask GridNet which line every hit was meant for: blocks of hits, twice, so that the take's own pattern is heard.

The network knows the hits of a block and of its surroundings. A first pass guesses every hit's line; how often the
other bars strike each line is then told to the second, which settles what one bar alone leaves open.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.special import log_softmax, softmax

from beatnet_align.claims import Claim, Held
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import ANSWERS, CANDIDATES, PATTERN_FEATURES, GridTokens, Struck, grid_tokens
from beatnet_align.hits import Hit
from beatnet_align.line_claims import line_claims
from beatnet_align.line_confidence import LineConfidence
from beatnet_align.line_decoding import choose_lines
from beatnet_align.onnx_networks import load_network, open_network, other_weights
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import Float32Array, FloatArray

WEIGHTS_NAME = "gridnet.onnx"
FEATURES_NAME, BEATS_NAME, CANDIDATES_NAME, PATTERN_NAME = "features", "beats", "candidates", "pattern"
LOGITS_NAME = "logits"
TEMPERATURE_NAME, CONFIDENCE_NAME = "temperature", "confidence"

BLOCK_HITS, CONTEXT_HITS = 256, 64
"""Hits that are answered at once, and how many more are heard to either side."""


class GridNetModel:
    """The exported network, ready to run on a CPU.

    Args:
        model: An ONNX file's bytes; its metadata may hold the temperature that logits are divided by (Guo et al. 2017)
            and a :class:`~beatnet_align.line_confidence.LineConfidence`.
        threads: How many it may use; the machine's cores, up to four, when None.

    Raises:
        InputError: The file is no GridNet.
    """

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        self._session, self.temperature = open_network(model, "GridNet", threads, TEMPERATURE_NAME, float, "1.0")
        wanted = {FEATURES_NAME, BEATS_NAME, CANDIDATES_NAME, PATTERN_NAME}
        found = {told.name for told in self._session.get_inputs()}
        if found != wanted:
            raise InputError(f"these weights are no GridNet's: they hear {sorted(found)} instead of {sorted(wanted)}")
        if not self.temperature > 0.0:
            raise InputError(f"these weights are no GridNet's: their temperature is {self.temperature:g}, not above 0")
        told = self._session.get_modelmeta().custom_metadata_map.get(CONFIDENCE_NAME)
        self.confidence = LineConfidence() if told is None else LineConfidence.parse(told)

    def __call__(self, tokens: GridTokens) -> FloatArray:
        """Answer for all hits of a take.

        Args:
            tokens: Any number of hits, in order of time.

        Returns:
            [hits, ANSWERS], logarithms of probabilities.
        """
        nothing = np.zeros((len(tokens.beats), CANDIDATES, PATTERN_FEATURES), np.float32)
        first = softmax(self._logits(tokens, nothing), axis=1)
        second = self._logits(tokens, tokens.pattern(first))
        return np.asarray(log_softmax(second / self.temperature, axis=1))

    def _logits(self, tokens: GridTokens, pattern: Float32Array) -> FloatArray:
        """One pass, block by block."""
        hits = len(tokens.beats)
        found = np.zeros((hits, ANSWERS))
        for start in range(0, hits, BLOCK_HITS):
            stop = min(hits, start + BLOCK_HITS)
            first = max(0, start - CONTEXT_HITS)
            heard = slice(first, stop + CONTEXT_HITS)
            inputs = {
                FEATURES_NAME: tokens.features[heard],
                BEATS_NAME: (tokens.beats[heard] - tokens.beats[first]).astype(np.float32),
                CANDIDATES_NAME: tokens.candidates[heard],
                PATTERN_NAME: pattern[heard],
            }
            (logits,) = self._session.run([LOGITS_NAME], {name: array[None] for name, array in inputs.items()})
            found[start:stop] = np.asarray(logits, np.float64)[0, start - first : stop - first]
        return found


def shipped_gridnet() -> GridNetModel:
    """The network that comes with the package, or the one that is put before it, loaded once."""
    return _loaded(other_weights())


@lru_cache(maxsize=1)
def _loaded(folder: Path | None) -> GridNetModel:
    return load_network(GridNetModel, WEIGHTS_NAME, folder)


def gridnet_claims(
    hits: Sequence[Hit],
    sample_rate: int,
    tempo_map: TempoMap,
    grid: Grid,
    held: Sequence[Held] = (),
    *,
    model: GridNetModel | None = None,
) -> list[Claim]:
    """Send each hit to the line that the network thinks it was meant for.

    Args:
        hits: In order of onset.
        sample_rate: Of their onsets, in hertz.
        tempo_map: Gives the beats.
        grid: Gives the lines.
        held: Hits whose place is given, in order; the others keep order with them.
        model: The shipped one when None.
    """
    if not hits:
        return []
    tokens = grid_tokens(Struck.of(hits, sample_rate), tempo_map, grid)
    network = model or shipped_gridnet()
    strokes = [(hit.channel, hit.piece) for hit in hits]
    given_beats = {i: one.line_beats for one in held for i in one.members}
    chosen = choose_lines(network(tokens), tokens.lines_beats, strokes, given_beats, beats=tokens.beats)
    return line_claims(hits, replace(chosen, confidences=network.confidence(tokens, chosen)), sample_rate, held)
