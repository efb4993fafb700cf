"""Make the take that ships with the package: ten seconds of groove by a human, synthesised from nothing.

    python -m datagen.demo.take [-o DIR]

Writes ``take/`` (as performed), ``target/`` (every hit on its line) and ``truth.json`` (exact to the sample). Both
renders are sums of the same strikes, heard by the same microphones over the same noise; only the times differ. One seed
fixes everything.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from beatnet_align.audio_figures import lag_window_samples
from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray, samples_to_seconds, seconds_to_samples
from datagen.demo.groove import DIVISION_PER_BEAT, TIME_SIGNATURE, Stroke, leading_strokes, perform
from datagen.demo.room import CHANNELS, STEMS, Room, recording_gain
from datagen.kits.synth_kit import HiHat, Kick, Snare, Voice, onset_in_strike, place_strike

FOLDER = Path(__file__).parents[2] / "beatnet_align" / "demo_take"
SAMPLE_RATE = 44_100
SEED = 20_240
BPM = 112.0
FIRST_BEAT_SECONDS = 0.5
SECONDS = 10.2

KIT: dict[Piece, Voice] = {
    Piece.KICK: Kick(),
    Piece.SNARE: Snare(),
    Piece.HIHAT_CLOSED: HiHat(),
    Piece.HIHAT_OPEN: HiHat(openness=0.85, closes_seconds=0.25),
}
CLOSE_MICROPHONES = {
    Piece.KICK: "kick",
    Piece.SNARE: "snare_top",
    Piece.HIHAT_CLOSED: "hihat",
    Piece.HIHAT_OPEN: "hihat",
}


@dataclass(frozen=True)
class SoundingStroke:
    """A stroke as every microphone hears it.

    Attributes:
        stroke: What was played, and when.
        image: [channels, samples], the strike in every microphone.
        onset_in_image_samples: Its onset on its close microphone, by the rule of ``onset_timing.py``.
    """

    stroke: Stroke
    image: FloatArray
    onset_in_image_samples: int

    @property
    def channel(self) -> int:
        """Row of the close microphone."""
        return CHANNELS.index(CLOSE_MICROPHONES[self.stroke.piece])


@dataclass(frozen=True)
class DemoTake:
    """The two renders, [channels, samples] int16 in the order of ``room.CHANNELS``, and their truth."""

    take: np.ndarray[Any, np.dtype[np.int16]]
    target: np.ndarray[Any, np.dtype[np.int16]]
    truth: dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """What both renders are made of: the strokes as the microphones hear them, and the noise, [channels, samples]."""

    sounding: list[SoundingStroke]
    noise: FloatArray


def record(seed: int = SEED) -> Recording:
    """Play the groove and hear it through the microphones, stroke by stroke."""
    rng = np.random.default_rng(seed)
    strokes = perform(rng, BPM, FIRST_BEAT_SECONDS, SAMPLE_RATE)
    room = Room.draw(rng, SAMPLE_RATE)
    sounding = [_sound(stroke, room, rng) for stroke in strokes]
    return Recording(sounding, room.noise(seconds_to_samples(SECONDS, SAMPLE_RATE), rng))


def make_demo_take(seed: int = SEED) -> DemoTake:
    """Record the strokes once and render them at their performed and at their target times."""
    recording = record(seed)
    sounding, noise = recording.sounding, recording.noise
    performed = _render(sounding, [sound.stroke.performed_samples for sound in sounding], noise)
    aligned = _render(sounding, [sound.stroke.target_samples for sound in sounding], noise)
    gain = recording_gain(np.maximum(np.abs(performed).max(axis=1), np.abs(aligned).max(axis=1)))
    truth = {
        "source": "datagen.demo.take",
        "kit": "datagen.kits.synth_kit",
        "seed": seed,
        "bpm": BPM,
        "time_signature": TIME_SIGNATURE,
        "sample_rate": SAMPLE_RATE,
        "first_beat_seconds": FIRST_BEAT_SECONDS,
        "division_per_beat": DIVISION_PER_BEAT,
        "microphones": list(CHANNELS),
        "seconds": samples_to_seconds(noise.shape[1], SAMPLE_RATE),
        "hits": _truth_of_hits(sounding, aligned),
    }
    return DemoTake(_to_int16(performed * gain), _to_int16(aligned * gain), truth)


def _sound(stroke: Stroke, room: Room, rng: np.random.Generator) -> SoundingStroke:
    strike = KIT[stroke.piece].strike(stroke.velocity, SAMPLE_RATE, rng)
    channel = CHANNELS.index(CLOSE_MICROPHONES[stroke.piece])
    direct = room.direct(stroke.piece, strike)
    image = room.with_tail(stroke.piece, direct)
    return SoundingStroke(stroke, image, onset_in_strike(direct[channel], SAMPLE_RATE))


def _render(sounding: list[SoundingStroke], onsets_samples: list[int], noise: FloatArray) -> FloatArray:
    audio = noise.copy()
    for sound, onset_samples in zip(sounding, onsets_samples, strict=True):
        place_strike(audio, sound.image, onset_samples - sound.onset_in_image_samples)
    return audio


def _own_energy(sound: SoundingStroke, aligned: FloatArray) -> float:
    """Share of the energy around the hit, on its close microphone in the target, that is its own."""
    before, after = lag_window_samples(SAMPLE_RATE)
    start = sound.stroke.target_samples - before
    own = np.zeros((1, before + after))
    close = sound.image[sound.channel : sound.channel + 1]
    place_strike(own, close, before - sound.onset_in_image_samples)
    others = aligned[sound.channel, start : start + before + after] - own[0]
    own_energy = float(np.sum(own * own))
    return own_energy / (own_energy + float(np.sum(others * others)))


def _truth_of_hits(sounding: list[SoundingStroke], aligned: FloatArray) -> list[dict[str, Any]]:
    leaders = leading_strokes([sound.stroke for sound in sounding])
    hits = []
    for sound in sounding:
        stroke = sound.stroke
        leader = leaders[stroke.score_beats]
        hits.append(
            {
                "piece": stroke.piece.value,
                "close": CHANNELS[sound.channel],
                "velocity": round(stroke.velocity, 3),
                "score_beats": stroke.score_beats,
                "ornament": stroke.ornament,
                "main": stroke is leader,
                "line_shift_seconds": _seconds(leader.target_samples - leader.performed_samples),
                "own_energy": round(_own_energy(sound, aligned), 3),
                "performed_seconds": _seconds(stroke.performed_samples),
                "target_seconds": _seconds(stroke.target_samples),
            }
        )
    return hits


def _seconds(samples: int) -> float:
    """Seconds, short enough to read and still exact to the sample."""
    return round(samples_to_seconds(samples, SAMPLE_RATE), 7)


def _to_int16(audio: FloatArray) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.rint(audio * 32_767.0).astype(np.int16)


def write_demo_take(demo: DemoTake, folder: Path) -> None:
    """Write ``take/``, ``target/`` and ``truth.json`` into ``folder``, 16-bit FLAC a stem."""
    for name, audio in (("take", demo.take), ("target", demo.target)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for stem, channels in STEMS.items():
            rows = [CHANNELS.index(channel) for channel in channels]
            sf.write(folder / name / f"{stem}.flac", audio[rows].T, SAMPLE_RATE, subtype="PCM_16")
    (folder / "truth.json").write_text(json.dumps(demo.truth, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Write the demo take where the package keeps it, or into another folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, metavar="DIR")
    folder = parser.parse_args().output
    write_demo_take(make_demo_take(), folder)
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
