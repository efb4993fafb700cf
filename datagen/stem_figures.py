"""How cleanly pieces are lifted: against their true images, which the generator knows.

    python -m datagen.stem_figures CONFIG [--data DATA] [--split test] [--examples N]

Examples are made in memory, those that a dataset of the configuration begins with. A piece counts where it has a close
microphone of its own; a close microphone counts with all pieces that belong to it. Figures are scale-invariant ratios
of signal to distortion (Le Roux et al., "SDR - half-baked or well done?", 2019), medians over examples; a piece that
no detected hit names is silent, and counts as minus infinity.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from beatnet_align.edit_plan import Move
from beatnet_align.engines import find_hits
from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.piece_stems import layers_of, lift_layers, own_layers, still_moves
from beatnet_align.roles import Role
from beatnet_align.take import Take, take_from_array
from beatnet_align.units import Float32Array, power_to_db, seconds_to_samples
from datagen.commands import exit_status
from datagen.config import Split, read_config
from datagen.example import Example, ExampleMaker

AUDIBLE = 1e-4
"""A piece that never gets louder than -80 dB on its microphone, in the whole example, is left out."""

UNTOUCHED, TRUE_HITS, DETECTED_HITS = "untouched", "true hits", "detected hits"
WAYS = (UNTOUCHED, TRUE_HITS, DETECTED_HITS)


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Attributes:
        name: Of the piece, or of the kind of microphone.
        whole_microphone: Whether it is of a close microphone with all of its pieces.
        si_sdr_db: By way: :data:`WAYS`.
    """

    name: str
    whole_microphone: bool
    si_sdr_db: dict[str, float]


def si_sdr_db(estimated: Float32Array, reference: Float32Array) -> float:
    """Scale-invariant ratio of signal to distortion, in decibels; minus infinity where nothing is estimated.

    Args:
        estimated: [samples].
        reference: [samples], not silent.
    """
    wanted, found = reference.astype(np.float64), estimated.astype(np.float64)
    projected = wanted * (np.dot(wanted, found) / np.dot(wanted, wanted))
    signal, distortion = np.sum(projected**2), np.sum((found - projected) ** 2)
    if signal == 0.0:
        return -np.inf
    return float(power_to_db(signal / distortion)) if distortion > 0.0 else np.inf


def true_moves(example: Example) -> list[Move]:
    """The hits of an example, in order, as moves that leave them where they are."""
    moves = []
    for hit in example.truth["hits"]:
        onset = seconds_to_samples(hit["performed_seconds"], example.sample_rate)
        moves.append(Move(onset, onset, hit["close"], Piece(hit["piece"]), hit["velocity"], 1.0))
    return sorted(moves, key=lambda move: move.onset_samples)


def measure(example: Example) -> list[Figure]:
    """Figures of an example that has images."""
    names, roles = [one.name for one in example.channels], [one.role for one in example.channels]
    take = take_from_array(example.take, example.sample_rate, names, roles)
    true = true_moves(example)
    hits = {TRUE_HITS: true, DETECTED_HITS: still_moves(take, find_hits(take))}
    lifted = {way: _Lifted(take, moves) for way, moves in hits.items()}
    return [*_of_pieces(example, lifted), *_of_microphones(example, true, lifted)]


class _Lifted:
    """The layers of a take, in memory."""

    def __init__(self, take: Take, moves: Sequence[Move]) -> None:
        self._take = take
        self._layers = layers_of(moves)
        parts = list(lift_layers(take, moves)) if moves else []
        self._audio = np.concatenate(parts, axis=2) if parts else np.zeros((0, *take.read(0, take.samples).shape))

    def piece(self, piece: Piece, row: int) -> Float32Array:
        """A piece on a channel."""
        return self._sum([i for i, layer in enumerate(self._layers) if layer.piece is piece], row)

    def close(self, row: int) -> Float32Array:
        """What belongs to a close microphone, there."""
        return self._sum(own_layers(self._take.channels[row], self._layers), row)

    def _sum(self, layers: Sequence[int], row: int) -> Float32Array:
        return np.asarray(self._audio[list(layers), row].sum(axis=0), np.float32)


def _of_pieces(example: Example, lifted: dict[str, _Lifted]) -> Iterator[Figure]:
    rows = {channel.name: row for row, channel in enumerate(example.channels)}
    own: dict[Piece, int] = {}
    for hit in example.truth["hits"]:
        if hit["own_microphone"] and example.channels[rows[hit["close"]]].role.is_close:
            own[Piece(hit["piece"])] = rows[hit["close"]]
    for piece, row in own.items():
        image = example.take_images[example.image_pieces.index(piece), row]
        if np.max(np.abs(image)) >= AUDIBLE:
            found = {UNTOUCHED: example.take[row], **{way: one.piece(piece, row) for way, one in lifted.items()}}
            yield Figure(piece.value, False, {way: si_sdr_db(audio, image) for way, audio in found.items()})


def _of_microphones(example: Example, true: Sequence[Move], lifted: dict[str, _Lifted]) -> Iterator[Figure]:
    layers = layers_of(true)
    for row, channel in enumerate(example.channels):
        pieces = {layers[i].piece for i in own_layers(channel, layers)} if channel.role.is_close else set()
        heard = [number for number, piece in enumerate(example.image_pieces) if piece in pieces]
        image = np.asarray(example.take_images[heard, row].sum(axis=0), np.float32)
        if np.max(np.abs(image)) >= AUDIBLE:
            found = {UNTOUCHED: example.take[row], **{way: one.close(row) for way, one in lifted.items()}}
            yield Figure(
                f"{channel.role} microphone", True, {way: si_sdr_db(audio, image) for way, audio in found.items()}
            )


def figures_table(figures: Sequence[Figure]) -> str:
    """Medians by piece and by kind of microphone, in decibels, with the improvement over the untouched microphone."""
    groups: dict[tuple[bool, int, str], list[Figure]] = defaultdict(list)
    order = [piece.value for piece in Piece] + [f"{role} microphone" for role in Role]
    for figure in figures:
        groups[(figure.whole_microphone, order.index(figure.name), figure.name)].append(figure)
        groups[(figure.whole_microphone, -1, "all microphones" if figure.whole_microphone else "all pieces")].append(
            figure
        )
    titles = f"{UNTOUCHED:>15}" + "".join(f"{way:>15}{'better by':>11}" for way in WAYS[1:])
    lines = [f"{'SI-SDR, dB':<20}{'cases':>6}{titles}"]
    for (_, _, name), members in sorted(groups.items(), key=lambda item: item[0]):
        cells = ""
        for way in WAYS:
            cells += f"{_median([one.si_sdr_db[way] for one in members]):>15.1f}"
            if way != UNTOUCHED:
                cells += f"{_median([one.si_sdr_db[way] - one.si_sdr_db[UNTOUCHED] for one in members]):>+11.1f}"
        lines.append(f"{name:<20}{len(members):>6}{cells}")
    return "\n".join(lines)


def _median(values: Sequence[float]) -> float:
    return float(np.quantile(values, 0.5, method="lower"))  # one of the values, since some may be infinite


def main() -> int:
    """Measure and print; 0, or 2 where the input cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="YAML, see configs/datagen/")
    parser.add_argument("--data", type=Path, help="folder that holds kits/ and groove/")
    parser.add_argument("--split", choices=[split.value for split in Split], default="test", help="(%(default)s)")
    parser.add_argument("--examples", type=int, default=10, help="so many (%(default)d)")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    from tqdm import tqdm  # noqa: PLC0415

    if chosen.examples < 1:
        raise InputError(f"give at least 1 example, not {chosen.examples}")
    maker = ExampleMaker(replace(read_config(chosen.config), images=True, targets=False), chosen.data)
    examples = (maker.make(Split(chosen.split), index) for index in range(chosen.examples))
    figures = [
        figure
        for example in tqdm(examples, total=chosen.examples, unit=" examples", disable=None)
        for figure in measure(example)
    ]
    if not figures:
        raise InputError("no piece of these examples has a microphone of its own; make more of them with --examples")
    print(f"{chosen.examples} examples\n{figures_table(figures)}")


if __name__ == "__main__":
    sys.exit(main())
