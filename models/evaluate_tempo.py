"""Measure how well tempo and beats are found where none are given: held-out performances, and recordings with beats.

python -m models.evaluate_tempo --data DATA [--performances 150] [--recordings FOLDER]

Performances are the Groove MIDI Dataset's own timing, played to a metronome that is the truth; a drummer plays early or
late as a whole, which hits alone cannot tell, so the phase is given beside the metronome and beside that drummer's own
median deviation. Every performance is measured again with a tempo that ramps and wanders.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from beatnet_align.beat_following import estimate_beats
from beatnet_align.errors import InputError
from beatnet_align.hits import Hit
from beatnet_align.units import FloatArray, seconds_to_samples
from datagen.commands import exit_status
from datagen.config import Split
from datagen.played.grooves import GrooveCollection, load_grooves
from datagen.played.performance import AS_PLAYED, Performance, perform
from models.grid_examples import DRUMMERS
from models.hit_figures import Share

RATE = 44_100
LEAST_BARS, BARS = 8, 16
TEMPO_TOLERANCE, PHASE_SECONDS, BEAT_SECONDS = 0.01, 0.020, 0.070
RAMP, WOBBLE_SECONDS, WOBBLE_PERIOD_SECONDS = 0.05, 0.10, 17.0
BEATS_SUFFIX = ".beats.txt"


@dataclass(frozen=True)
class TempoFigures:
    """One take without a given tempo.

    Attributes:
        ratio: Estimated tempo over the true one, in the middle of the take.
        from_metronome_seconds: Median distance of the true beats to the estimated ones.
        from_drummer_seconds: The same, after the drummer's own median deviation is taken off.
        beats_f: F-measure of the beats at ±70 ms, as mir_eval has it.
    """

    ratio: float
    from_metronome_seconds: float
    from_drummer_seconds: float
    beats_f: float

    @property
    def tempo_right(self) -> bool:
        """Within 1 %."""
        return abs(self.ratio - 1.0) <= TEMPO_TOLERANCE

    @property
    def octave_wrong(self) -> bool:
        """Half, double, a third or two thirds and the like, within 1 %."""
        others = (1 / 3, 1 / 2, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 2.0, 3.0)
        return any(abs(self.ratio / one - 1.0) <= TEMPO_TOLERANCE for one in others)


def measured(performance: Performance, warp: FloatArray | None = None) -> TempoFigures:
    """Estimate the tempo of a performance, and compare with its metronome.

    Args:
        performance: As played.
        warp: [2, knots], seconds before and after time itself is bent; None leaves it.
    """

    def bent(seconds: FloatArray) -> FloatArray:
        return seconds if warp is None else np.interp(seconds, warp[0], warp[1])

    strokes = performance.strokes
    played = np.array([stroke.performed_seconds for stroke in strokes])
    meant = np.array([stroke.target_seconds for stroke in strokes])
    onsets = seconds_to_samples(bent(played), RATE).tolist()
    hits = sorted(Hit(at, 0, one.piece, one.velocity, 1.0) for at, one in zip(onsets, strokes, strict=True))
    found = estimate_beats(hits, RATE).tempo_map
    beats = np.arange(np.ceil(performance.tempo_map.to_beats(meant.min())), performance.tempo_map.to_beats(meant.max()))
    true = bent(performance.tempo_map.to_seconds(beats))
    places = found.to_beats(true)
    late = found.to_seconds(np.rint(places)) - true
    middle = len(true) // 2
    ratio = float((places[middle + 2] - places[middle - 2]) / 4.0)
    deviation = float(np.median(played - meant))
    estimated = found.to_seconds(np.arange(np.ceil(found.to_beats(float(true[0])) - 0.5), np.ceil(places[-1]) + 1.0))
    return TempoFigures(
        ratio, float(np.median(np.abs(late))), float(np.median(np.abs(late - deviation))), beats_f(true, estimated)
    )


def beats_f(reference: FloatArray, estimated: FloatArray) -> float:
    """F-measure of beats in seconds, each [beats], at ±70 ms."""
    import mir_eval  # noqa: PLC0415 - the lab's slower imports wait until they are needed

    return float(mir_eval.beat.f_measure(reference, estimated, f_measure_threshold=BEAT_SECONDS))


def wandering(seconds: float, rng: np.random.Generator) -> FloatArray:
    """Time bent by a ramp of tempo of up to :data:`RAMP` over a take and a slow wobble: [2, knots]."""
    before = np.linspace(0.0, seconds, 512)
    ramp, wobble = rng.uniform(-RAMP, RAMP), rng.uniform(0.0, WOBBLE_SECONDS)
    after = before + ramp * before**2 / (2.0 * seconds) + wobble * np.sin(2.0 * np.pi * before / WOBBLE_PERIOD_SECONDS)
    return np.stack([before, after])


def performances(grooves: GrooveCollection, count: int, seed: int) -> list[Performance]:
    """Stretches of at least 8 bars, as they were played.

    Raises:
        InputError: The collection has none.
    """
    rng = np.random.default_rng(seed)
    found: list[Performance] = []
    for _ in range(50 * count):
        performance = perform(grooves.pick(rng, BARS), AS_PLAYED, rng)
        last_beats = np.array([stroke.score_beats for stroke in performance.strokes][-1:])
        if performance.tempo_map.bar_of(last_beats).max(initial=0) >= LEAST_BARS:
            found.append(performance)
        if len(found) == count:
            return found
    raise InputError(f"too few performances of {LEAST_BARS} bars and more")


def summary(figures: Sequence[TempoFigures]) -> list[str]:
    """Cells of a row: shares with tempo right, phase right by both measures, both, octave errors; mean F of beats."""
    right = [one.tempo_right for one in figures]
    of_drummer = [one.from_drummer_seconds <= PHASE_SECONDS for one in figures]
    columns = (
        right,
        [one.octave_wrong for one in figures],
        [one.from_metronome_seconds <= PHASE_SECONDS for one in figures],
        of_drummer,
        [tempo and phase for tempo, phase in zip(right, of_drummer, strict=True)],
    )
    return [*(f"{Share.of(column).value:.3f}" for column in columns), f"{np.mean([o.beats_f for o in figures]):.3f}"]


def recordings_table(folder: Path) -> str:
    """Beats of recordings by HitNet and the estimate, beside librosa's beat tracker, in Markdown.

    Raises:
        InputError: The folder holds no recordings with beats.
    """
    import librosa  # noqa: PLC0415
    import mir_eval  # noqa: PLC0415

    from beatnet_align.audio_files import open_take  # noqa: PLC0415
    from beatnet_align.engines import find_hits  # noqa: PLC0415

    lines = ["| recording | effect | librosa |", "| --- | ---: | ---: |"]
    columns: tuple[list[float], list[float]] = ([], [])
    for labels in sorted(folder.glob(f"*{BEATS_SUFFIX}")):
        reference = np.array([float(line.split()[0]) for line in labels.read_text("utf-8").splitlines() if line])
        with open_take(labels.with_name(labels.name.replace(BEATS_SUFFIX, ".flac"))) as opened:
            take = opened.take
            found = estimate_beats(find_hits(take), take.sample_rate).tempo_map
            beats = found.to_seconds(np.arange(-64.0, found.to_beats(take.seconds)))
            audio = take.read(0, take.samples).mean(axis=0)
        _, others = librosa.beat.beat_track(y=audio, sr=take.sample_rate, units="time")
        for column, estimated in zip(columns, (beats[beats >= 0.0], others), strict=True):
            trimmed = [mir_eval.beat.trim_beats(one) for one in (reference, estimated)]
            column.append(beats_f(trimmed[0], trimmed[1]))
        lines.append(f"| {labels.name.removesuffix(BEATS_SUFFIX)} | {columns[0][-1]:.3f} | {columns[1][-1]:.3f} |")
    if not columns[0]:
        raise InputError(f"there are no recordings in {folder}: expected NAME.flac beside NAME{BEATS_SUFFIX}")
    return "\n".join([*lines, f"| mean | {np.mean(columns[0]):.3f} | {np.mean(columns[1]):.3f} |"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="with groove/")
    parser.add_argument("--performances", type=int, default=150, metavar="N", help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the performances (%(default)s)")
    parser.add_argument("--recordings", type=Path, metavar="FOLDER", help=f"NAME.flac beside NAME{BEATS_SUFFIX}")
    return parser


def _run(chosen: argparse.Namespace) -> None:
    from tqdm import tqdm  # noqa: PLC0415

    if chosen.performances < 1 or chosen.seed < 0:
        raise InputError("--performances must be at least 1, and --seed at least 0")
    grooves = load_grooves(chosen.data / "groove", "validation", DRUMMERS[Split.TEST])
    rng = np.random.default_rng([1, chosen.seed])
    steady, bent = [], []
    for performance in tqdm(performances(grooves, chosen.performances, chosen.seed), unit=" takes", disable=None):
        steady.append(measured(performance))
        bent.append(measured(performance, wandering(performance.strokes[-1].performed_seconds + 1.0, rng)))
    print("| | tempo | octave errors | phase, metronome | phase, drummer | tempo and phase, drummer | beats F |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, figures in (("as played", steady), ("with a tempo that wanders", bent)):
        print("| " + " | ".join([name, *summary(figures)]) + " |")
    if chosen.recordings is not None:
        print("\n" + recordings_table(chosen.recordings))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0, or 2 where something given cannot be used."""
    return exit_status(_run, _parser().parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
