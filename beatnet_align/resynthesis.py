"""Let a network write the aligned audio itself, block by block, so that takes of any length fit in memory.

Experimental: there is no plan that anybody could check or correct, and nothing vouches for attacks and for the phase
between microphones. docs/resynthesis.md has figures.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from math import ceil, gcd
from pathlib import Path

import numpy as np

from beatnet_align.audio_files import open_take
from beatnet_align.conditioning import conditioning_rows
from beatnet_align.edit_plan import EditPlan, TakeFacts
from beatnet_align.effect import EDITS_NAME, Aligned, BeatDetective, Progress, no_progress, write_blocks
from beatnet_align.engines import RESYNTHESIS
from beatnet_align.grid import Grid
from beatnet_align.plan_json import plan_to_json
from beatnet_align.remarks import padding_remarks
from beatnet_align.resampling import resampled
from beatnet_align.resynthesis_network import NetworkFacts, Resynthesiser, open_resynthesiser
from beatnet_align.roles import Role
from beatnet_align.stem_writer import check_out_dir
from beatnet_align.take import Audio, Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.tempo_source import TempoRequest, estimated_tempo, told_tempo
from beatnet_align.units import seconds_to_samples

BLOCK_SECONDS = 4.0


def resynthesise(  # noqa: PLR0913 - the arguments of align and a network
    take_path: Path,
    out_dir: Path,
    model: str,
    detective: BeatDetective | None = None,
    tempo: TempoRequest | None = None,
    *,
    roles: Mapping[str, Role] | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> Aligned:
    """Let a network write a take on disk anew: experimental, see :mod:`beatnet_align.resynthesis`.

    Args:
        take_path: As for :func:`align`.
        out_dir: As for :func:`align`; ``edits.json`` tells that there are none.
        model: A file, or the name of a network that comes with the package.
        detective: Gives grid and strength, and finds the hits where the tempo has to be estimated.
        tempo: As for :func:`align`.
        roles: As for :func:`align`.
        force: As for :func:`align`.
        progress: As for :func:`align`.

    Raises:
        InputError, OutputError: As for :func:`align`; or there is no such network.
    """
    detective, request = detective or BeatDetective(), tempo or TempoRequest()
    network = open_resynthesiser(model)
    with open_take(take_path, roles) as opened:
        take = opened.take
        check_out_dir(opened, out_dir, force, [EDITS_NAME])
        told = told_tempo(request, take)
        tempo_map, notes = told or estimated_tempo(request, take, detective.hits(take, progress))
        notes = (*_notes(network.facts, take, detective.strength), *notes)
        plan = EditPlan(TakeFacts.of(take), (), tempo_map, detective.lines, RESYNTHESIS, notes=notes)
        blocks = resynthesised(
            take,
            network,
            tempo_map,
            detective.lines,
            detective.strength,
            lambda samples: progress("writing stems", samples, take.samples),
        )
        written = write_blocks(opened, blocks, plan_to_json(plan), out_dir, force)
        return Aligned(plan, (*padding_remarks(opened), *notes, *written))


def _notes(facts: NetworkFacts, take: Take, strength: float) -> tuple[str, ...]:
    """What became of a take."""
    if strength == 0.0:
        return ("at strength 0 the take stays as it is",)
    notes = [
        f"the network {facts.name} wrote all drum audio by itself (experimental): there are no edits to list or to "
        "correct, and nothing vouches for attacks and for the phase between microphones"
    ]
    if facts.sample_rate < take.sample_rate:
        notes.append(f"it works at {facts.sample_rate} Hz: nothing above {facts.sample_rate // 2} Hz is left")
    return tuple(notes)


def resynthesised(
    take: Take,
    model: Resynthesiser,
    tempo_map: TempoMap,
    grid: Grid,
    strength: float = 1.0,
    progress: Callable[[int], None] = lambda _: None,
) -> Generator[Audio, None, None]:
    """Let a network write a take anew.

    Click channels stay as they are, and so does everything where the strength is 0. A take at another rate than the
    network's is resampled to it and back, and what lies above half of the lower rate is lost.

    Args:
        take: Any number of channels.
        model: Who writes.
        tempo_map: Of the take.
        grid: Its lines.
        strength: 0 to 1, how far hits should go.
        progress: Told how many further samples are done.

    Yields:
        Blocks of [channels, samples], together as long as the take: the same as if the network had been given all of it
        at once.
    """
    drums = [row for row, channel in enumerate(take.channels) if channel.role is not Role.CLICK]
    writer = _Writer(take, model, tempo_map, grid, strength, drums)
    block = seconds_to_samples(BLOCK_SECONDS, take.sample_rate)
    for start in range(0, take.samples, block):
        stop = min(start + block, take.samples)
        out = take.read(start, stop)
        if strength > 0.0 and drums:
            out = out.copy()
            out[drums] = writer.read(start, stop)
        yield out
        progress(stop - start)


@dataclass(frozen=True)
class _Writer:
    """Some rows of a take as the network writes them, at the take's rate and at the network's."""

    take: Take
    model: Resynthesiser
    tempo_map: TempoMap
    grid: Grid
    strength: float
    rows: list[int]

    @property
    def rates(self) -> tuple[int, int]:
        """The network's rate to the take's, in lowest terms."""
        own, other = self.model.facts.sample_rate, self.take.sample_rate
        return own // gcd(own, other), other // gcd(own, other)

    @property
    def samples(self) -> int:
        """Length of the take at the network's rate."""
        own, other = self.rates
        return ceil(self.take.samples * own / other)

    def read(self, start: int, stop: int) -> Audio:
        """The output, [rows, samples] at the take's rate."""
        own, other = self.rates
        return resampled(self._written, other, own, start, stop)

    def _written(self, start: int, stop: int) -> Audio:
        """The output at the network's rate; silence beyond the take's ends."""
        first, last = max(0, start), min(stop, self.samples)
        (back, ahead), step = self.model.facts.context_samples, self.model.facts.step_samples
        since = max(0, first - back) // step * step
        until = min(last + ahead, self.samples)
        own, other = self.rates
        audio = resampled(self._taken, own, other, since, until).astype(np.float32)
        rate = self.model.facts.sample_rate
        told = conditioning_rows(self.tempo_map, self.grid, self.strength, rate, since, until)
        out = self.model.network(audio, told)[:, first - since : last - since]
        return np.pad(out, ((0, 0), (first - start, stop - last)))

    def _taken(self, start: int, stop: int) -> Audio:
        """The input at the take's rate; silence beyond its ends."""
        return self.take.read(start, stop)[self.rows]
