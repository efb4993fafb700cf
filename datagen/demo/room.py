"""The microphones of the demo take: how loud, how late and in what colour each hears a piece, and the room behind."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter

from beatnet_align.hits import Piece
from beatnet_align.units import FloatArray, seconds_to_samples

CHANNELS = ("kick", "snare_top", "hihat", "overheads.L", "overheads.R", "room")
STEMS = {
    "kick": ("kick",),
    "snare_top": ("snare_top",),
    "hihat": ("hihat",),
    "overheads": ("overheads.L", "overheads.R"),
    "room": ("room",),
}

# One value a channel, in the order of CHANNELS.
GAINS_DB = {
    Piece.KICK: (0.0, -23.0, -36.0, -17.0, -17.5, -11.0),
    Piece.SNARE: (-27.0, 0.0, -17.0, -9.0, -10.0, -10.0),
    Piece.HIHAT_CLOSED: (-46.0, -27.0, -6.0, -18.0, -24.0, -27.0),
}
FLIGHTS_SECONDS = {
    Piece.KICK: (0.0002, 0.0016, 0.0026, 0.0047, 0.0049, 0.0080),
    Piece.SNARE: (0.0017, 0.0001, 0.0013, 0.0033, 0.0036, 0.0076),
    Piece.HIHAT_CLOSED: (0.0024, 0.0012, 0.0003, 0.0027, 0.0041, 0.0079),
}
"""0.1 to 8 ms: 3 cm to 2.7 m of air."""

LOW_CUTS_HZ = (25.0, 60.0, 220.0, 90.0, 90.0, 45.0)
HIGH_CUTS_HZ = (9_000.0, 15_000.0, 17_000.0, 17_000.0, 17_000.0, 8_500.0)
TAILS_DB = (-34.0, -32.0, -30.0, -17.0, -17.0, -4.0)
"""Energy of the tail against that of the direct sound."""
BUILD_UPS_SECONDS = (0.004, 0.004, 0.004, 0.007, 0.007, 0.013)
"""How slowly the tail swells. In a room microphone the direct sound gives way to a field that peaks near 20 ms."""
TAIL_DECAY_SECONDS, TAIL_SECONDS = 0.055, 0.38
"""Amplitude falls by 1/e in the first: 60 dB in 0.38 s, a small live room."""
NOISES_DB = (-82.0, -80.0, -79.0, -79.0, -79.0, -78.0)
PEAKS_DB = (-3.0, -2.0, -5.0, -4.0, -4.0, -5.0)
"""What the recordist left below full scale."""


def _amplitude(level_db: float | tuple[float, ...]) -> FloatArray:
    return np.asarray(10.0 ** (np.asarray(level_db) / 20.0))


@dataclass(frozen=True)
class Room:
    """A drawn room.

    Attributes:
        sample_rate: In hertz.
        tails: [channels, samples] of unit energy for every piece: the diffuse field behind the direct sound.
    """

    sample_rate: int
    tails: dict[Piece, FloatArray]

    @classmethod
    def draw(cls, rng: np.random.Generator, sample_rate: int) -> "Room":
        """Draw a diffuse field for every piece and microphone."""
        time = np.arange(seconds_to_samples(TAIL_SECONDS, sample_rate)) / sample_rate
        swell = 1.0 - np.exp(-time / np.array(BUILD_UPS_SECONDS)[:, None])
        envelope = swell**2 * np.exp(-time / TAIL_DECAY_SECONDS) * np.minimum(1.0, (time[-1] - time) / 0.05)
        tails = {}
        for piece in GAINS_DB:
            bright = rng.standard_normal(envelope.shape)
            dark = lfilter(*butter(1, 2_500.0, fs=sample_rate), bright)
            ages = np.clip(time / (2.0 * TAIL_DECAY_SECONDS), 0.0, 1.0)  # walls and air swallow treble first
            field = envelope * (bright * (1.0 - ages) * 0.5 + dark)
            tails[piece] = field / np.sqrt(np.sum(field * field, axis=1, keepdims=True))
        return cls(sample_rate, tails)

    def direct(self, piece: Piece, strike: FloatArray) -> FloatArray:
        """The strike as each microphone hears it before any wall answers.

        Args:
            piece: What was struck.
            strike: [samples], dry.

        Returns:
            [channels, samples plus the longest flight and the tail].
        """
        like = _sounds_like(piece)
        longest = seconds_to_samples(max(FLIGHTS_SECONDS[like]) + TAIL_SECONDS, self.sample_rate)
        heard = np.zeros((len(CHANNELS), len(strike) + longest))
        for channel, (gain_db, flight_seconds) in enumerate(zip(GAINS_DB[like], FLIGHTS_SECONDS[like], strict=True)):
            start = seconds_to_samples(flight_seconds, self.sample_rate)
            heard[channel, start : start + len(strike)] = _amplitude(gain_db) * strike
            band = [LOW_CUTS_HZ[channel], min(HIGH_CUTS_HZ[channel], 0.47 * self.sample_rate)]
            heard[channel] = lfilter(*butter(1, band, "bandpass", fs=self.sample_rate), heard[channel])
        return heard

    def with_tail(self, piece: Piece, direct: FloatArray) -> FloatArray:
        """Add the room's answer to ``direct`` [channels, samples], from the same method; same shape."""
        tails = fftconvolve(direct, self.tails[_sounds_like(piece)], axes=1)[:, : direct.shape[1]]
        return np.asarray(direct + _amplitude(TAILS_DB)[:, None] * tails)

    def noise(self, samples: int, rng: np.random.Generator) -> FloatArray:
        """Hiss of the preamplifiers and the air of the room, [channels, samples], before the recording gain."""
        white = rng.standard_normal((len(CHANNELS), samples))
        rumble = 3.0 * lfilter(*butter(1, 180.0, fs=self.sample_rate), rng.standard_normal((len(CHANNELS), samples)))
        return np.asarray(_amplitude(NOISES_DB)[:, None] * (white + rumble) / np.sqrt(1.1))


def recording_gain(peaks: FloatArray) -> FloatArray:
    """Gain of each channel, [channels, 1], that brings its ``peaks`` [channels] where the recordist wanted them."""
    gains = _amplitude(PEAKS_DB) / peaks
    for channels in STEMS.values():
        rows = [CHANNELS.index(channel) for channel in channels]
        gains[rows] = gains[rows].min()  # one gain a stem keeps the stereo image
    return np.asarray(gains[:, None])


def _sounds_like(piece: Piece) -> Piece:
    """The piece that stands in the same place."""
    return Piece.HIHAT_CLOSED if piece is Piece.HIHAT_OPEN else piece
