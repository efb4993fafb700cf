"""Repair a join by a network that mixes, band by band, what may sound there.

Three voices are on offer: what rings on from the tail, what hisses on (both by a model of it, see
``autoregression.py``), and what is heard of the later side just before its attack. The network listens to how each band
fell and says how loud each voice is, every millisecond, all microphones at once. Where it says nothing new, that is the
continued tail; where an attack moves closer, a crossfade. Training and the effect share everything here.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from beatnet_align.autoregression import CONTEXT_SECONDS, tail_model
from beatnet_align.onnx_networks import load_network, open_network, other_weights
from beatnet_align.take import Audio
from beatnet_align.units import Float32Array, FloatArray, power_to_db, seconds_to_samples

KNOT_SECONDS = 0.001
"""Gains are told so far apart, and drawn straight between."""

CONTEXT_KNOTS = 64
"""Of levels in front of a transition, for the network to listen to."""

OVERLAP_SECONDS = 0.012
"""Where an attack moves closer, so much in front of it is mixed."""

LONGEST_GAP_SECONDS = 0.080
"""The network was trained on gaps up to this."""

FINAL_FADE_SECONDS = 0.001
"""Every transition ends in the later side alone, faded in over so much."""

EDGES_HZ = (150.0, 400.0, 1_000.0, 2_500.0, 6_000.0)
"""Where bands meet: kicks, toms and snares, their attacks, wires, hats and cymbals, air."""

BANDS = len(EDGES_HZ) + 1
VOICES = 3
"""Ringing, hissing, incoming."""

LEVEL_ROW = 4 * BANDS
ROWS = LEVEL_ROW + 6
"""What the network is told of each channel at each knot: levels of the tail and of the three voices in every band; how
loud the channel is; whether the knot lies inside; how long since the start and until the end; the gap, both ways."""

MARGIN_SECONDS = 0.010
"""Reflected at either end before bands are split: longer than the lowest crossover rings."""

RANGE_DB, MOST_ABOVE_DB, SCALE_DB = 60.0, 20.0, 20.0
"""Levels are told against the loudest of the channel's tail, from so far under it to so far above, and scaled."""

TIME_SCALE_SECONDS, GAP_SCALE_SECONDS = 0.040, 0.010
LEAST_GAP_SECONDS = 0.002
"""Nor was it trained on shorter gaps than this, and is told this for them."""

TINY = 1e-20

WEIGHTS_NAME = "seamnet.onnx"
FEATURES_NAME, NEIGHBOURS_NAME, GAINS_NAME, BANDS_NAME = "features", "neighbours", "gains", "edges_hz"


@dataclass(frozen=True, eq=False)
class Seam:
    """A transition with its voices, ready to be mixed.

    Attributes:
        voices: [VOICES, channels, BANDS, samples], in the order of ``VOICES``; bands add up to the voice.
        features: [channels, ROWS, CONTEXT_KNOTS + knots].
        knots_to_samples: [knots, samples], draws gains between knots.
        ending: [samples], share of the mix; the rest is the later side.
    """

    voices: Float32Array
    features: Float32Array
    knots_to_samples: Float32Array
    ending: Float32Array

    def mixed(self, gains: Float32Array) -> Float32Array:
        """The transition, [channels, samples].

        Args:
            gains: [channels, VOICES, BANDS, knots].
        """
        drawn = gains @ self.knots_to_samples
        mix = np.einsum("cvbn,vcbn->cn", drawn, self.voices)
        return np.asarray(mix * self.ending + self.voices[2].sum(axis=1) * (1.0 - self.ending), np.float32)


def seam(outgoing: Audio, incoming: Audio, tail_samples: int, sample_rate: int) -> Seam:
    """Prepare a transition.

    Args:
        outgoing: [channels, context + known], the earlier shift: what comes before the transition, see
            :func:`context_samples`, and what of the transition it has to itself: nothing where a gap opens, all of it
            where an attack moves closer.
        incoming: [channels, context + samples], the later shift over the same time, up to just before its attack.
        tail_samples: So much in front of the transition lies behind the attack before; at least 1 where a gap opens.
        sample_rate: In hertz.
    """
    context = context_samples(sample_rate)
    samples = incoming.shape[1] - context
    opens = outgoing.shape[1] == context
    voices = np.zeros((VOICES, *incoming.shape), np.float32)
    voices[0, :, :context] = _without_attack(outgoing[:, :context], tail_samples, sample_rate)
    if opens:
        assert tail_samples > 0
        model = tail_model(outgoing[:, -tail_samples:], sample_rate)
        voices[0, :, context:], voices[1, :, context:] = model.voices(samples)
    else:
        voices[0, :, context:] = outgoing[:, context:]
    voices[2] = _without_attack(incoming, tail_samples + (0 if opens else samples), sample_rate)
    heard = seconds_to_samples(CONTEXT_KNOTS * KNOT_SECONDS, sample_rate)
    voices = voices[..., context - heard :]
    banded = in_bands(voices, sample_rate)
    knots = knot_places(samples, sample_rate)
    levels_db = _levels_db(banded, heard + knots, sample_rate)
    return Seam(
        banded[..., heard:],
        _features(levels_db, samples, sample_rate, opens=opens),
        _drawn_between(knots, samples),
        _ending(samples, sample_rate),
    )


def transition_samples(gap_samples: int, room_samples: int, sample_rate: int) -> int:
    """Length of a transition: the gap, or a little in front of an attack that moves closer.

    Args:
        gap_samples: Positive where a gap opens.
        room_samples: From where the attack before is over to where the transition has to end.
        sample_rate: In hertz.
    """
    if gap_samples > 0:
        return gap_samples
    return min(seconds_to_samples(OVERLAP_SECONDS, sample_rate), room_samples)


class SeamNetwork:
    """The trained network, ready to run on a CPU.

    Args:
        model: An ONNX file's bytes.
        threads: How many the network may use.

    Raises:
        InputError: The file is no SeamNet, or hears other bands.
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        self._session, _ = open_network(model, "SeamNet", threads, BANDS_NAME, _same_bands)

    def gains(self, features: Float32Array, neighbours: Float32Array) -> Float32Array:
        """How loud each voice is, [channels, VOICES, BANDS, knots].

        Args:
            features: [channels, ROWS, CONTEXT_KNOTS + knots]; channels of several joins of one length.
            neighbours: [channels, channels], rows add up to 1: who shares a join.
        """
        inputs = {FEATURES_NAME: features, NEIGHBOURS_NAME: neighbours}
        return np.asarray(self._session.run([GAINS_NAME], inputs)[0], np.float32)

    def transition(self, outgoing: Audio, incoming: Audio, tail_samples: int, sample_rate: int) -> Audio:
        """Mix one join's transition, [channels, samples]; see :func:`seam` for the arguments."""
        one = seam(outgoing, incoming, tail_samples, sample_rate)
        out = np.empty((len(outgoing), len(one.ending)), outgoing.dtype)
        out[:] = self.mixed(one)
        return out

    def mixed(self, one: Seam) -> Float32Array:
        """Mix a transition that was prepared, [channels, samples]."""
        return one.mixed(self.gains(one.features, neighbours_of(one.features)))


def shipped_seamnet() -> SeamNetwork:
    """The network that comes with the package, or the one that is put before it, loaded once."""
    return _loaded(other_weights())


@lru_cache(maxsize=1)
def _loaded(folder: Path | None) -> SeamNetwork:
    return load_network(SeamNetwork, WEIGHTS_NAME, folder)


def neighbours_of(features: Float32Array) -> Float32Array:
    """Whom each channel of a join hears beside itself: [channels, channels], rows add up to 1.

    What is silent against the loudest, an unarmed or gated channel, tells the others nothing.
    """
    heard = features[:, LEVEL_ROW, 0] > -RANGE_DB / SCALE_DB
    return np.tile(heard / heard.sum(), (len(features), 1)).astype(np.float32)


def _same_bands(told: str) -> tuple[float, ...]:
    edges_hz = tuple(float(edge) for edge in told.split())
    if edges_hz != EDGES_HZ:
        raise ValueError(f"its bands meet at {told} Hz")
    return edges_hz


def _without_attack(side: Audio, tail_samples: int, sample_rate: int) -> Audio:
    """Of a side only the end, faded in: the attack before must not sound a second time, nor ring in single bands."""
    before = side.shape[1] - tail_samples
    if before <= 0:
        return side
    fade = min(seconds_to_samples(FINAL_FADE_SECONDS, sample_rate), tail_samples)
    share = np.clip((np.arange(side.shape[1]) - before + 1.0) / (fade + 1.0), 0.0, 1.0)
    tail: Audio = side * share.astype(side.dtype)
    return tail


def context_samples(sample_rate: int) -> int:
    """How much of both sides is heard in front of a transition."""
    return seconds_to_samples(max(CONTEXT_KNOTS * KNOT_SECONDS, CONTEXT_SECONDS), sample_rate)


def in_bands(audio: Float32Array, sample_rate: int) -> Float32Array:
    """Split into ``BANDS`` that add up to the whole, without delay: [..., samples] to [..., BANDS, samples].

    Neighbours cross over one octave about each edge, as raised cosines of the logarithm of frequency.
    """
    samples = audio.shape[-1]
    margin = min(seconds_to_samples(MARGIN_SECONDS, sample_rate), samples)
    # Reflected at either end, so that no step there sounds in every band.
    padded = np.concatenate([audio[..., margin - 1 :: -1], audio, audio[..., : -margin - 1 : -1]], axis=-1)
    size = next_fast_len(padded.shape[-1], real=True)
    spectra = rfft(padded, size)
    bands = np.empty((*audio.shape[:-1], BANDS, samples), np.float32)
    highest = bands[..., -1, :]
    highest[:] = audio
    for band, share in enumerate(_shares_of_lower_bands(size, sample_rate)):
        bands[..., band, :] = irfft(spectra * share, size)[..., margin : margin + samples]
        highest -= bands[..., band, :]
    return bands


@lru_cache(maxsize=16)
def _shares_of_lower_bands(size: int, sample_rate: int) -> Float32Array:
    """How much of every bin of a transform belongs to all bands but the highest, [BANDS − 1, bins]."""
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1.0 / sample_rate), 1.0)[None] / np.array(EDGES_HZ)[:, None])
    below = 0.5 + 0.5 * np.cos(np.pi * np.clip(octaves + 0.5, 0.0, 1.0))
    return np.asarray(np.diff(below, axis=0, prepend=0.0), np.float32)


def knot_places(samples: int, sample_rate: int) -> FloatArray:
    """Where a transition's knots lie, in samples from its start: from 0 to its end or a little behind it."""
    apart = KNOT_SECONDS * sample_rate
    return np.asarray(np.arange(int(np.ceil((samples - 1) / apart)) + 1) * apart, np.float64)


def _levels_db(banded: Float32Array, places: FloatArray, sample_rate: int) -> FloatArray:
    """Levels of the tail, which rings and hisses, and of each voice, about each knot.

    Args:
        banded: [VOICES, channels, BANDS, samples].
        places: Of the transition's knots, in samples.
        sample_rate: In hertz.

    Returns:
        [1 + VOICES, channels, BANDS, CONTEXT_KNOTS + knots].
    """
    apart = KNOT_SECONDS * sample_rate
    centres = np.concatenate([places[0] + apart * np.arange(-CONTEXT_KNOTS, 0), places])
    samples = banded.shape[-1]
    starts = np.minimum(np.rint(centres).astype(np.int64), samples - 1)
    power = np.empty((1 + VOICES, *banded.shape[1:]), np.float32)
    np.add(banded[0], banded[1], out=power[0])
    np.square(power[0], out=power[0])
    np.square(banded, out=power[1:])
    between = np.add.reduceat(power, starts, axis=-1)
    between[..., 1:] += between[..., :-1].copy()
    stops = np.append(starts[1:], samples)
    width = stops - np.append(starts[:1], starts[:-1])
    energy: FloatArray = (between / np.maximum(width, 1)).astype(np.float64)
    return power_to_db(energy, TINY)


def _features(levels_db: FloatArray, samples: int, sample_rate: int, *, opens: bool) -> Float32Array:
    """[channels, ROWS, CONTEXT_KNOTS + knots]; the same whatever the gain of the take."""
    channels, times = levels_db.shape[1], levels_db.shape[-1]
    loudest = levels_db[0].max(axis=(1, 2))
    relative = np.clip(levels_db - loudest[:, None, None], -RANGE_DB, MOST_ABOVE_DB) / SCALE_DB
    rows = [relative.transpose(1, 0, 2, 3).reshape(channels, 4 * BANDS, times)]
    seconds = (np.arange(times) - CONTEXT_KNOTS) * KNOT_SECONDS
    told = np.zeros((channels, 6, times))
    told[:, 0] = (np.maximum(loudest - loudest.max(), -RANGE_DB) / SCALE_DB)[:, None]
    told[:, 1] = seconds >= 0
    told[:, 2] = seconds / TIME_SCALE_SECONDS
    told[:, 3] = (samples / sample_rate - seconds) / TIME_SCALE_SECONDS
    told[:, 4] = np.log(max(samples / sample_rate, LEAST_GAP_SECONDS) / GAP_SCALE_SECONDS) if opens else 0.0
    told[:, 5] = float(not opens)
    return np.concatenate([*rows, told], axis=1).astype(np.float32)


def _drawn_between(knots: FloatArray, samples: int) -> Float32Array:
    apart = knots[1] - knots[0] if len(knots) > 1 else 1.0
    distance = np.abs(np.arange(samples)[None] - knots[:, None]) / apart
    return np.maximum(0.0, 1.0 - distance).astype(np.float32)


def _ending(samples: int, sample_rate: int) -> Float32Array:
    fade = max(1, min(seconds_to_samples(FINAL_FADE_SECONDS, sample_rate), samples // 2))
    ending = np.ones(samples, np.float32)
    ending[-fade:] = 1.0 - (np.arange(fade) + 1.0) / (fade + 1.0)
    return ending
