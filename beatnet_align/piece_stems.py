"""Take a take apart into its pieces, by the masks that lift hits: close microphones without bleed, and a stem a piece.

Experimental. A hit claims its whole decay here. What no piece claims (noise, other instruments, the rest of a room's
tail) is the rest, so that pieces and rest add up to the take.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from beatnet_align.ahead import ahead
from beatnet_align.audio_files import OpenTake, open_take
from beatnet_align.bin_shares import WHOLE_DECAY, HitToLift
from beatnet_align.edit_plan import Move
from beatnet_align.effect import BeatDetective, Progress, no_progress
from beatnet_align.engines import find_hits
from beatnet_align.errors import InputError
from beatnet_align.hit_outputs import PIECE_GROUPS
from beatnet_align.hits import Hit, Piece
from beatnet_align.lifting import EARLIEST_SECONDS, Float32Audio, Lifter, add_sound
from beatnet_align.piece_spectra import Strike
from beatnet_align.remarks import padding_remarks, why_no_hits
from beatnet_align.roles import Role
from beatnet_align.stem_writer import check_files, write_audio
from beatnet_align.stems import Stem
from beatnet_align.take import Audio, Channel, Take
from beatnet_align.units import seconds_to_samples

CLOSE_FOLDER, PIECES_FOLDER, REST = "close", "pieces", "rest"
CHUNK_SECONDS = 1.0
WAV_BYTES = 4_000_000_000
"""Longer files than this are RF64, still called .wav: sizes in a plain WAV end at 4 GiB."""

STEM_FAVOUR = 4.0
"""A close microphone's own pieces count by this factor more there. Hi-hats are struck with nearly every kick, so that
the model cannot tell who sounds, and bleed that stays is less of a loss than a kick that goes."""

PIECES_OF_ROLE: Mapping[Role, tuple[Piece, ...]] = {
    Role.KICK: PIECE_GROUPS["kick"],
    Role.SNARE: PIECE_GROUPS["snare"],
    Role.TOM: PIECE_GROUPS["tom"],
    Role.HIHAT: PIECE_GROUPS["hihat"],
    Role.RIDE: PIECE_GROUPS["ride"],
    Role.CYMBAL: PIECE_GROUPS["crash"],
}
"""What stands at each kind of close microphone."""


@dataclass(frozen=True)
class Layer:
    """What is lifted as one: a piece, or unknown pieces that trigger on one channel.

    Attributes:
        kind: As the model of the take's sounds calls it.
        piece: What was struck.
        triggers: Names of the channels on which its hits trigger.
    """

    kind: str
    piece: Piece
    triggers: frozenset[str]


@dataclass(frozen=True)
class PieceStems:
    """What a run wrote.

    Attributes:
        pieces: That were struck, in the order of :class:`~beatnet_align.hits.Piece`.
        files: Names in the folder that was written to.
        remarks: What the user should know, one sentence each.
    """

    pieces: tuple[Piece, ...]
    files: tuple[str, ...]
    remarks: tuple[str, ...]


def still_moves(take: Take, hits: Sequence[Hit]) -> list[Move]:
    """Hits as moves that leave them where they are."""
    return [
        Move(
            hit.onset_samples,
            hit.onset_samples,
            take.channels[hit.channel].name,
            hit.piece,
            hit.velocity,
            hit.confidence,
        )
        for hit in hits
    ]


def layers_of(moves: Sequence[Move]) -> tuple[Layer, ...]:
    """The layers that hits make, in the order of :class:`~beatnet_align.hits.Piece`."""
    triggers: dict[tuple[int, str], set[str]] = {}
    order = list(Piece)
    for move in moves:
        triggers.setdefault((order.index(move.piece), Strike.of(move).kind), set()).add(move.channel)
    return tuple(Layer(kind, order[number], frozenset(on)) for (number, kind), on in sorted(triggers.items()))


def own_layers(channel: Channel, layers: Sequence[Layer]) -> list[int]:
    """Which layers belong to a close microphone.

    Those of its role's pieces, and what is unknown but triggers on it. A tom microphone has the toms that trigger on
    it, or all toms where none does: the second microphone of a tom.
    """
    unknown = [i for i, layer in enumerate(layers) if layer.piece is Piece.UNKNOWN and channel.name in layer.triggers]
    known = [i for i, layer in enumerate(layers) if layer.piece in PIECES_OF_ROLE.get(channel.role, ())]
    if channel.role is Role.TOM:
        here = [i for i in known if channel.name in layers[i].triggers]
        known = here or ([] if unknown else known)
    return known + unknown


def lift_layers(take: Take, moves: Sequence[Move]) -> Iterator[Float32Audio]:
    """Lift every layer out of every microphone, a second at a time.

    Args:
        take: Read in blocks.
        moves: Its hits, in any order; where they go does not matter.

    Yields:
        [layers, channels, samples], the layers as :func:`layers_of` orders them; one after the other as long as the
        take.
    """
    ordered = sorted(moves, key=lambda move: move.onset_samples)
    layers = layers_of(ordered)
    rows = {layer.kind: row for row, layer in enumerate(layers)}
    favours = _favours(take, layers)
    strikes = [Strike.of(move) for move in ordered]
    lifter = Lifter(take, [HitToLift(one, favours=favours[rows[one.kind]]) for one in strikes], WHOLE_DECAY)
    early = seconds_to_samples(EARLIEST_SECONDS, take.sample_rate) + 1  # so long before a block its hits may sound
    chunk = seconds_to_samples(CHUNK_SECONDS, take.sample_rate)
    struck = set(lifter.blocks_near(0, take.samples))
    pending = np.zeros((len(rows), len(take.channels), lifter.block_samples + early + lifter.reach_samples), np.float32)
    done, block = 0, 0
    while done < take.samples:
        if block in struck:
            _lift_block(lifter, block, rows, pending, done)
        block += 1
        stop = block * lifter.block_samples - early
        if stop + early >= take.samples:
            stop = take.samples
        for start in range(done, stop, chunk):
            yield pending[:, :, start - done : min(start + chunk, stop) - done].copy()
        left = pending.shape[2] - (stop - done)
        pending[:, :, :left] = pending[:, :, stop - done :]
        pending[:, :, left:] = 0.0
        done = stop


def _favours(take: Take, layers: Sequence[Layer]) -> list[tuple[float, ...]]:
    """How much each layer counts in each channel: more where it stands at the microphone."""
    own = [own_layers(channel, layers) if channel.role.is_close else [] for channel in take.channels]
    return [tuple(STEM_FAVOUR if number in mine else 1.0 for mine in own) for number in range(len(layers))]


def _lift_block(lifter: Lifter, block: int, rows: Mapping[str, int], into: Float32Audio, start: int) -> None:
    """Add the sounds of a block's hits to the rows of their kinds, [rows, channels, samples] from ``start`` on."""
    heard = lifter.hear(block)
    for number, hit in enumerate(heard.hits):
        for sound in heard.sounds(number) if hit.lifted else ():
            add_sound(into[rows[hit.strike.kind]], start, sound)


def write_piece_stems(
    take_path: Path,
    out_dir: Path,
    listener: BeatDetective | None = None,
    *,
    roles: Mapping[str, Role] | None = None,
    rest: bool = False,
    force: bool = False,
    progress: Progress = no_progress,
) -> PieceStems:
    """Take a take on disk apart and write the parts.

    Args:
        take_path: A folder of stems or one multichannel file.
        out_dir: Gets ``close/`` with the close microphones under their own names and formats, and ``pieces/`` with a
            float32 WAV a piece, all channels of the take in their order.
        listener: Finds the hits; only how it listens matters.
        roles: Channel or stem names to roles, where the guess from the name is wrong.
        rest: Whether to write ``pieces/rest.wav``, too.
        force: Replace files that are there.
        progress: Told of the stages "finding hits" and "writing stems".

    Raises:
        InputError: Something given cannot be used, or there are no hits; nothing was written.
        OutputError: The result could not be written; nothing half-written is left.
    """
    listener = listener or BeatDetective()
    with open_take(take_path, roles) as opened:
        take = opened.take
        close = _close_stems(opened)
        possible = [*close, *(f"{PIECES_FOLDER}/{name}.wav" for name in (*Piece, REST))]
        check_files(opened, out_dir, possible, sum(stem.size_bytes for stem in opened.stems), force)
        hits = find_hits(
            take,
            listener.engine,
            listener.listening,
            lambda samples: progress("finding hits", samples, take.samples),
        )
        if not hits:
            raise InputError(why_no_hits(take, take_path))
        parts = _Parts(opened, close, still_moves(take, hits), rest=rest)
        blocks = parts.blocks(lambda samples: progress("writing stems", samples, take.samples))
        with closing(ahead(blocks)) as coming:  # before the take's files are closed
            write_audio(opened, parts.files, coming, out_dir, force=force)
        left = [name for name in possible if name not in parts.files and (out_dir / name).exists()]
        older = tuple(f"{out_dir / name} is left from an earlier run" for name in left)
        return PieceStems(parts.pieces, tuple(parts.files), (*padding_remarks(opened), *parts.remarks(), *older))


def _close_stems(opened: OpenTake) -> dict[str, Stem]:
    """The files that hold a close microphone, by the name that they get."""
    channels = opened.take.channels
    return {
        f"{CLOSE_FOLDER}/{stem.name}": stem
        for stem in opened.stems
        if any(channel.role.is_close for channel in channels[stem.rows])
    }


class _Parts:
    """The files that a take is taken apart into.

    Attributes:
        files: By name: format, length and rows of the blocks.
        pieces: That were struck.
    """

    def __init__(self, opened: OpenTake, close: Mapping[str, Stem], moves: Sequence[Move], *, rest: bool) -> None:
        self._take, self._moves, self._rest = opened.take, moves, rest
        self._layers = layers_of(moves)
        self._close_rows = [row for stem in close.values() for row in range(stem.rows.start, stem.rows.stop)]
        self._own = {
            row: own_layers(channel, self._layers)
            for row, channel in enumerate(self._take.channels)
            if channel.role.is_close
        }
        self.pieces = tuple(dict.fromkeys(layer.piece for layer in self._layers))
        self.files: dict[str, Stem] = {}
        first = 0
        for name, stem in close.items():
            self.files[name] = replace(stem, first_channel=first)
            first += stem.channels
        for part in (*self.pieces, *([REST] if rest else [])):
            name = f"{PIECES_FOLDER}/{part}.wav"
            self.files[name] = _float_wav(Path(name), first, self._take)
            first += len(self._take.channels)

    def blocks(self, progress: Callable[[int], None]) -> Iterator[Audio]:
        """All files' rows below each other, a second at a time."""
        start = 0
        of_pieces = [[i for i, layer in enumerate(self._layers) if layer.piece is piece] for piece in self.pieces]
        for lifted in lift_layers(self._take, self._moves):
            stop = start + lifted.shape[2]
            source = self._take.read(start, stop)
            close = [
                (lifted[self._own[row], row].sum(axis=0) if row in self._own else source[row])[None]
                for row in self._close_rows
            ]
            rest = [source - lifted.sum(axis=0)] if self._rest else []
            yield np.concatenate([*close, *(lifted[mine].sum(axis=0) for mine in of_pieces), *rest])
            progress(stop - start)
            start = stop

    def remarks(self) -> tuple[str, ...]:
        """Of close microphones that are not what one might expect."""
        if not self._own:
            return (f"no channel is a close microphone, so there is no {CLOSE_FOLDER}/; name them with --role",)
        names = {row: self._take.channels[row].name for row in self._own}
        silent = [names[row] for row, own in self._own.items() if not own]
        toms = [
            names[row]
            for row, own in self._own.items()
            if self._take.channels[row].role is Role.TOM
            and own
            and not any(names[row] in self._layers[i].triggers for i in own)
        ]
        passed = [self._take.channels[row].name for row in self._close_rows if row not in self._own]
        told = []
        if silent:
            told.append(f"silent in {CLOSE_FOLDER}, since no hit of theirs was found: {', '.join(silent)}")
        if toms:
            told.append(f"with all toms in {CLOSE_FOLDER}, since no hit triggers there: {', '.join(toms)}")
        if passed:
            told.append(f"untouched in {CLOSE_FOLDER}, in a file with a close microphone: {', '.join(passed)}")
        return tuple(told)


def _float_wav(path: Path, first_channel: int, take: Take) -> Stem:
    """A float32 file with all channels of a take."""
    size_bytes = 4 * len(take.channels) * take.samples
    return Stem(
        path=path,
        first_channel=first_channel,
        channels=len(take.channels),
        sample_rate=take.sample_rate,
        samples=take.samples,
        container="WAV" if size_bytes < WAV_BYTES else "RF64",
        subtype="FLOAT",
        endian="FILE",
        tags={},
        size_bytes=size_bytes,
    )
