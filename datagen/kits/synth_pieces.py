"""Synthesise a whole kit from a seed, so that everything works without a download; each seed is another kit."""

from dataclasses import dataclass

import numpy as np

from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray, seconds_to_samples
from datagen.kits import synth_cymbals as cymbals
from datagen.kits.kit import Kit
from datagen.kits.strikes import Strike, make_strike
from datagen.kits.synth_cymbals import Cymbal
from datagen.kits.synth_kit import Kick, OtherHead, Snare, Tom, Voice, band_noise, contact, finish, modes

LAYERS, ROUND_ROBINS = 5, 3
SOFTEST_VELOCITY, HARDEST_VELOCITY = 0.12, 1.0
VELOCITY_SPREAD = 0.015
SLOW_HATS_SHARE = 0.4
"""Share of kits whose hats speak slowly, 5 to 12 ms, as heard on real recordings (docs/evidence.md)."""
TOM_HEADS_APART_HZ = (6.0, 45.0)
LICENCE = "CC0-1.0"

PIECES_LEVEL_DB = {
    Piece.KICK: 0.0,
    Piece.SNARE: 0.0,
    Piece.SIDESTICK: -8.0,
    Piece.HIHAT_CLOSED: -14.0,
    Piece.HIHAT_OPEN: -10.0,
    Piece.HIHAT_PEDAL: -18.0,
    Piece.TOM_HIGH: -2.0,
    Piece.TOM_MID: -2.0,
    Piece.TOM_FLOOR: -1.0,
    Piece.RIDE: -14.0,
    Piece.RIDE_BELL: -11.0,
    Piece.CRASH: -5.0,
    Piece.SPLASH: -9.0,
    Piece.CHINA: -5.0,
}
"""How loud each piece is at its hardest, heard from the same distance."""


@dataclass(frozen=True)
class Sidestick:
    """The stick laid across the snare and knocked on the rim: wood and rim, a short answer of the head."""

    wood_hz: float = 1_700.0
    head_hz: float = 330.0
    decay_seconds: float = 0.014

    def strike(self, velocity: float, sample_rate: int, rng: np.random.Generator) -> FloatArray:
        """See :class:`datagen.kits.synth_kit.Voice`."""
        ratios = np.array([0.31, 0.52, 1.0, 1.37, 1.94, 2.62, 3.6])
        place = rng.lognormal(0.0, 0.25, len(ratios))
        time = np.arange(seconds_to_samples(0.28, sample_rate)) / sample_rate
        frequencies = self.wood_hz * ratios * rng.normal(1.0, 0.004)
        amplitudes = place * np.array([0.4, 0.6, 1.0, 0.7, 0.6, 0.5, 0.4]) * ratios ** (0.5 * (velocity - 0.7))
        wood = modes(frequencies, self.decay_seconds * ratios**-0.4, amplitudes, np.zeros(len(ratios)), time)
        head = np.sin(2.0 * np.pi * self.head_hz * time) * np.exp(-time / 0.02)
        wires = band_noise(2_500.0, 9_000.0, len(time), sample_rate, rng) * np.exp(-time / 0.02)
        click = contact(time, 0.0006)
        mixture = wood + 0.5 * head + (0.15 + 0.2 * velocity) * wires + (0.3 + 0.5 * velocity) * click
        return finish(mixture, velocity, time, 0.0003)


def draw_voices(rng: np.random.Generator) -> dict[Piece, Voice]:
    """Draw the tuning of every piece of a kit."""
    tom_hz = float(rng.uniform(120.0, 190.0))
    tom_ratio = float(rng.uniform(0.70, 0.82))
    floor_hz = tom_hz * tom_ratio * float(rng.uniform(0.62, 0.78))
    tom_decay = float(rng.uniform(0.14, 0.32))
    stick, air = float(rng.uniform(0.12, 0.6)), float(rng.lognormal(np.log(0.05), 0.5))
    hats_slow = rng.random() < SLOW_HATS_SHARE
    hat_attack = float(rng.uniform(0.005, 0.012) if hats_slow else rng.uniform(0.0003, 0.0015))
    ride_attack = float(rng.uniform(0.0004, 0.006))
    closes = float(rng.uniform(0.25, 1.6)) if rng.random() < 0.5 else np.inf
    return {
        Piece.KICK: Kick(
            float(rng.uniform(40.0, 75.0)),
            float(rng.uniform(0.06, 0.28)),
            float(rng.uniform(0.10, 0.50)),
            OtherHead.draw(rng, (10.0, 40.0)),
        ),
        Piece.SNARE: Snare(
            float(rng.uniform(150.0, 260.0)),
            float(rng.uniform(0.045, 0.14)),
            float(rng.uniform(0.25, 0.90)),
            float(np.exp(rng.uniform(np.log(0.0006), np.log(0.02)))),
            float(rng.uniform(0.2, 1.0)),
        ),
        Piece.SIDESTICK: Sidestick(rng.uniform(1_200.0, 2_300.0), rng.uniform(240.0, 420.0), rng.uniform(0.009, 0.02)),
        Piece.TOM_HIGH: Tom(tom_hz, tom_decay, stick, air, OtherHead.draw(rng, TOM_HEADS_APART_HZ)),
        Piece.TOM_MID: Tom(tom_hz * tom_ratio, tom_decay * 1.15, stick, air, OtherHead.draw(rng, TOM_HEADS_APART_HZ)),
        Piece.TOM_FLOOR: Tom(floor_hz, tom_decay * 1.35, stick, air, OtherHead.draw(rng, TOM_HEADS_APART_HZ)),
        Piece.HIHAT_CLOSED: Cymbal.draw(cymbals.HIHAT_CLOSED, hat_attack, rng),
        Piece.HIHAT_OPEN: Cymbal.draw(cymbals.HIHAT_OPEN, hat_attack, rng, closes, float(rng.uniform(0.0, 0.9))),
        Piece.HIHAT_PEDAL: Cymbal.draw(cymbals.HIHAT_PEDAL, max(hat_attack, 0.003), rng),
        Piece.RIDE: Cymbal.draw(cymbals.RIDE, ride_attack, rng),
        Piece.RIDE_BELL: Cymbal.draw(cymbals.RIDE_BELL, 0.0004, rng),
        Piece.CRASH: Cymbal.draw(cymbals.CRASH, float(rng.uniform(0.001, 0.005)), rng),
        Piece.SPLASH: Cymbal.draw(cymbals.SPLASH, 0.001, rng),
        Piece.CHINA: Cymbal.draw(cymbals.CHINA, 0.001, rng),
    }


def synthesise_kit(
    seed: int | np.random.Generator,
    sample_rate: int = 44_100,
    layers: int = LAYERS,
    round_robins: int = ROUND_ROBINS,
) -> Kit:
    """Make a kit of mono strikes from nothing.

    Args:
        seed: Fixes the kit, down to the last sample on one machine; or the generator to draw it from.
        sample_rate: In hertz.
        layers: Velocity layers of each piece.
        round_robins: Different blows in each layer.

    Returns:
        A kit of one microphone, "mono", with all fourteen pieces; it needs a simulated array.
    """
    rng = np.random.default_rng(seed)
    name = f"synth_{seed}" if isinstance(seed, int) else "synth"
    velocities = np.linspace(SOFTEST_VELOCITY, HARDEST_VELOCITY, layers) if layers > 1 else np.array([HARDEST_VELOCITY])
    strikes = {
        piece: _layers(voice, PIECES_LEVEL_DB[piece], velocities, round_robins, sample_rate, rng)
        for piece, voice in draw_voices(rng).items()
    }
    source = "datagen.kits.synth_pieces"
    return Kit(name, LICENCE, source, f"synthesised by {source}", sample_rate, ("mono",), False, strikes)


def _layers(
    voice: Voice, level_db: float, velocities: FloatArray, round_robins: int, sample_rate: int, rng: np.random.Generator
) -> tuple[tuple[Strike, ...], ...]:
    gain = 10.0 ** (level_db / 20.0)
    layers = []
    for velocity in velocities:
        robins = []
        for spread in rng.normal(0.0, VELOCITY_SPREAD, round_robins):
            blow = voice.strike(float(np.clip(velocity + spread, 0.02, 1.0)), sample_rate, rng)
            robins.append(make_strike(gain * blow[None], 0, sample_rate))
        layers.append(tuple(sorted(robins, key=lambda robin: robin.loudness_db)))
    return tuple(layers)
