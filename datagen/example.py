"""Make one example: a performance, played on a kit, recorded twice from the same strikes, with all that is true of it.

One seed, split and index fix an example, whoever makes it and in whatever order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from beatnet_align.conditioning import metronome
from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.take import Channel
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import Float32Array, IntArray, seconds_to_samples
from datagen.config import SYNTHESISED, DatasetConfig, Sources, Split
from datagen.hearing import ArrayHearing, Channels, Hearing, KitHearing
from datagen.kits.colouring import draw_colouring
from datagen.kits.loading import Kit, load_kit, merge_kits
from datagen.kits.merging import as_mono
from datagen.kits.ringing import draw_ringing
from datagen.kits.softening import draw_softening
from datagen.kits.synth_pieces import synthesise_kit
from datagen.kits.tuning import AS_RECORDED, Tuning, draw_tuning
from datagen.own_energy import own_energies
from datagen.played.grooves import GrooveCollection, load_grooves
from datagen.played.patterns import Patterns
from datagen.played.performance import Performance, Stroke, perform
from datagen.played.score import Score
from datagen.recorded.channel_names import draw_channels
from datagen.recorded.microphones import ArrayRenderer, draw_array
from datagen.recorded.recording import CLEAN, Recording, draw_recording
from datagen.recorded.rooms import draw_room
from datagen.rendering import Placement, Rendered, render
from datagen.truth import hits_truth

END_SECONDS = 0.1
"""No hit begins in the last tenth of a second, in neither version."""

FIRST_BEAT_SECONDS = (0.25, 1.5)
PICK_TRIES = 8


@dataclass(frozen=True, eq=False)
class Example:
    """One pair and its truth.

    Attributes:
        take: [channels, samples], as played.
        target: [channels, samples], on the grid; no channels where targets are not asked for.
        metronome: [samples].
        sample_rate: In hertz.
        channels: Names and true roles.
        tempo_map: The metronome's.
        truth: Plain values for a manifest: grid, kit, licences, parameters, recording, hits.
        image_pieces: The pieces of the images, where they were asked for.
        take_images, target_images: [pieces, channels, samples], without noise and leakage.
    """

    take: Float32Array
    target: Float32Array
    metronome: Float32Array
    sample_rate: int
    channels: tuple[Channel, ...]
    tempo_map: TempoMap
    truth: dict[str, Any]
    image_pieces: tuple[Piece, ...]
    take_images: Float32Array
    target_images: Float32Array


@dataclass(frozen=True, eq=False)
class Played:
    """A performance on a kit among microphones, before anything is rendered.

    Attributes:
        kit: What was played.
        score: What was to be played.
        performance: How it was.
        channels: Names and true roles of the microphones.
        rows: Which of the kit's or the array's microphones they are.
        strength: How far the target goes towards the grid.
        placements: Every stroke, in order of performed time.
    """

    kit: Kit
    score: Score
    performance: Performance
    channels: tuple[Channel, ...]
    rows: tuple[int, ...]
    strength: float
    placements: tuple[Placement, ...]


class _Scores(Protocol):
    def pick(self, rng: np.random.Generator, bars: int) -> Score: ...


class ExampleMaker:
    """Makes the examples of a configuration.

    Args:
        config: What to make.
        data: Folder with kits/ and groove/; None where only synthesised kits and patterns are used.
    """

    def __init__(self, config: DatasetConfig, data: Path | None = None) -> None:
        self.config = config
        self.data = data
        self.samples = seconds_to_samples(config.seconds, config.sample_rate)

    def check(self) -> None:
        """Load everything that the configuration names.

        Raises:
            InputError: Something is missing or broken; the message names it.
        """
        for split in Split:
            sources = self.config.sources(split)
            if sources.examples:
                for name in sources.kits:
                    self.kit(name)
                self._scores(sources)

    def kit(self, name: str) -> Kit:
        """A kit by its name in the configuration, loaded once a process."""
        return _kit(name, self.data, self.config.sample_rate)

    def rng(self, split: Split, index: int) -> np.random.Generator:
        """What draws an example."""
        return np.random.default_rng([self.config.seed, list(Split).index(split), index])

    def play(self, rng: np.random.Generator, split: Split) -> Played:
        """Draw a kit, a performance and microphones, and place every stroke; nothing is recorded yet.

        Raises:
            InputError: The split has no kits, or what it names is missing or broken.
        """
        sources = self.config.sources(split)
        if not sources.kits:
            raise InputError(f"the configuration {self.config.name!r} has no kits for {split}")
        kit = self.kit(sources.kits[int(rng.integers(len(sources.kits)))])
        score, performance = self._performance(rng, sources, kit)
        hearing = self._hearing(rng, kit, performance)
        plan = draw_channels(rng, hearing.channels, self.config.drop_channel_probability)
        channels = Channels(hearing, plan.rows, self.config.sample_rate, self._tuning(rng))
        strength = float(rng.uniform(*self.config.strength))
        placements = self._placements(rng, performance.strokes, kit, channels, strength)
        return Played(kit, score, performance, plan.channels, tuple(plan.rows), strength, tuple(placements))

    def make(self, split: Split, index: int, *, scored: bool = False) -> Example:
        """Make an example.

        Args:
            split: Which one.
            index: Of the example in it.
            scored: Whether takes will be scored against the target, so that it must be known which of its hits can be
                heard; that takes as long again, several times as long where they are mixed down.

        Raises:
            InputError: The split has no kits, or what it names is missing or broken.
        """
        rng = self.rng(split, index)
        played = self.play(rng, split)
        score, performance, kit, placements = played.score, played.performance, played.kit, played.placements
        rendered = render(placements, len(played.rows), self.samples, images=self.config.images)
        recording = self._recording(rng, played.channels, rendered, performance.tempo_map)
        take, take_images = self._record(recording, rendered, placements, performed=True)
        if self.config.targets:
            target, target_images = self._record(recording, rendered, placements, performed=False)
        else:
            target, target_images = take[:0], take_images[:0]
        own = None
        if scored:
            own = own_energies(placements, recording, rendered.target, _kicks(placements, performed=False))
        truth = {
            "grid": performance.grid.to_json(),
            "kit": kit.name,
            "licences": sorted({f"{kit.name}: {kit.licence}", score.licence}),
            "attributions": [kit.attribution],
            "parameters": {**performance.parameters, "strength": played.strength},
            "recording": recording.description,
            "hits": hits_truth(performance, placements, recording, own, self.config.sample_rate),
        }
        return Example(
            take,
            target,
            metronome(performance.tempo_map, self.samples, self.config.sample_rate),
            self.config.sample_rate,
            recording.outputs,
            performance.tempo_map,
            truth,
            rendered.pieces,
            take_images,
            target_images,
        )

    def _scores(self, sources: Sources) -> tuple[_Scores, _Scores]:
        """Patterns and grooves."""
        patterns = Patterns(first_beat_seconds=FIRST_BEAT_SECONDS)
        if sources.groove_probability == 0.0:
            return patterns, patterns
        if self.data is None:
            raise InputError("the configuration uses grooves and kits of a data folder: give it with --data")
        return patterns, _grooves(self.data / "groove", sources.groove_split, sources.drummers)

    def _performance(self, rng: np.random.Generator, sources: Sources, kit: Kit) -> tuple[Score, Performance]:
        """A score and its performance, without strokes that the kit cannot play or that lie behind the end."""
        scores = self._scores(sources)
        for _ in range(PICK_TRIES):
            score = scores[int(rng.random() < sources.groove_probability)].pick(rng, self.config.bars)
            performance = perform(score, self.config.human_timing, rng)
            strokes = _playable(performance.strokes, kit, self.config.seconds - END_SECONDS)
            if any(not stroke.ornament for stroke in strokes):
                return score, replace(performance, strokes=strokes)
        raise InputError(f"the kit {kit.name!r} has no piece that the scores ask for")

    def _hearing(self, rng: np.random.Generator, kit: Kit, performance: Performance) -> Hearing:
        simulated = rng.random() < self.config.array_probability
        if kit.is_multimicrophone and not simulated:
            return KitHearing(kit)
        pieces = sorted({stroke.piece for stroke in performance.strokes})
        counts = range(self.config.channels[0], self.config.channels[1] + 1)
        array = draw_array(rng, pieces, counts, self.config.sample_rate)
        room = draw_room(rng, self.config.sample_rate, len(array.microphones), len(array.pieces), self.config.room)
        return ArrayHearing(kit, ArrayRenderer(array, room))

    def _tuning(self, rng: np.random.Generator) -> Tuning:
        """The kit's own, or another one; nothing is drawn for what never happens."""

        def happens(probability: float) -> bool:
            return probability > 0.0 and rng.random() < probability

        tuning = draw_tuning(rng) if happens(self.config.tuned_probability) else AS_RECORDED
        if happens(self.config.ringing_probability):
            tuning = replace(tuning, ringing=draw_ringing(rng))
        if happens(self.config.coloured_probability):
            tuning = replace(tuning, colouring=draw_colouring(rng))
        if happens(self.config.softened_probability):
            tuning = replace(tuning, softening=draw_softening(rng))
        return tuning

    def _placements(
        self, rng: np.random.Generator, strokes: Sequence[Stroke], kit: Kit, channels: Channels, strength: float
    ) -> list[Placement]:
        rate = self.config.sample_rate
        placements = []
        for stroke in strokes:
            strike = kit.pick(stroke.piece, stroke.velocity, rng)
            gain = 10.0 ** (kit.velocity_gain_db(stroke.piece, stroke.velocity, strike) / 20.0)
            performed = seconds_to_samples(stroke.performed_seconds, rate)
            move_seconds = strength * (stroke.target_seconds - stroke.performed_seconds)
            target = performed + seconds_to_samples(move_seconds, rate)
            placements.append(Placement(stroke, channels.hear(stroke.piece, strike), gain, performed, target))
        return placements

    def _recording(
        self, rng: np.random.Generator, channels: tuple[Channel, ...], rendered: Rendered, tempo_map: TempoMap
    ) -> Recording:
        peaks = np.maximum(np.abs(rendered.take).max(axis=1), np.abs(rendered.target).max(axis=1))
        ranges = CLEAN if rng.random() < self.config.clean_probability else self.config.recording
        beats = np.arange(np.ceil(tempo_map.to_beats(0.0)), tempo_map.to_beats(self.config.seconds))
        beat_samples = seconds_to_samples(tempo_map.to_seconds(beats), self.config.sample_rate)
        return draw_recording(
            rng,
            channels,
            self.config.sample_rate,
            self.samples,
            ranges,
            peaks=peaks.astype(np.float64),
            beat_samples=beat_samples,
        )

    def _record(
        self, recording: Recording, rendered: Rendered, placements: Sequence[Placement], *, performed: bool
    ) -> tuple[Float32Array, Float32Array]:
        audio = rendered.take if performed else rendered.target
        images = rendered.take_images if performed else rendered.target_images
        return recording.apply_to_parts(audio, images, kick_samples=_kicks(placements, performed=performed))


def _kicks(placements: Sequence[Placement], *, performed: bool) -> IntArray:
    onsets = [one.onset_samples(performed) for one in placements if one.stroke.piece is Piece.KICK]
    return np.array(onsets, np.int64)


def _playable(strokes: Sequence[Stroke], kit: Kit, end_seconds: float) -> tuple[Stroke, ...]:
    """Strokes that the kit has a sound for and that begin before the end in both versions, renumbered."""
    kept = [
        i
        for i, stroke in enumerate(strokes)
        if kit.has_piece(stroke.piece) and 0.0 <= stroke.target_seconds < end_seconds > stroke.performed_seconds
    ]
    new = {old: i for i, old in enumerate(kept)}
    kept = [i for i in kept if strokes[i].main_stroke is None or strokes[i].main_stroke in new]
    new = {old: i for i, old in enumerate(kept)}
    leads = {strokes[i].line for i in kept if strokes[i].leads}
    played = []
    for i in kept:
        stroke = strokes[i]
        main = None if stroke.main_stroke is None else new[stroke.main_stroke]
        promoted = stroke.line not in leads and not stroke.ornament
        leads |= {stroke.line} if promoted else set()
        played.append(replace(stroke, main_stroke=main, leads=stroke.leads or promoted))
    return tuple(played)


@lru_cache(maxsize=32)
def _kit(name: str, data: Path | None, sample_rate: int) -> Kit:
    parts = [_single_kit(part, data, sample_rate) for part in name.split("+")]
    if len(parts) == 1:
        return parts[0]
    if len({part.is_multimicrophone for part in parts}) > 1:
        parts = [as_mono(part) for part in parts]
    return merge_kits(name, parts)


@lru_cache(maxsize=32)
def _single_kit(name: str, data: Path | None, sample_rate: int) -> Kit:
    seed = name.removeprefix(SYNTHESISED)
    if name.startswith(SYNTHESISED) and seed.isdigit():
        return synthesise_kit(int(seed), sample_rate)
    if data is None:
        raise InputError(f"the kit {name!r} lies in a data folder: give it with --data")
    return load_kit(data / "kits" / name, sample_rate)


@lru_cache(maxsize=8)
def _grooves(folder: Path, split: str | None, drummers: tuple[str, ...] | None) -> GrooveCollection:
    return load_grooves(folder, split, drummers, first_beat_seconds=FIRST_BEAT_SECONDS)
