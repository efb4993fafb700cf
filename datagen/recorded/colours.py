"""The colour in which a microphone hears a piece: short minimum-phase filters, darker the further off its axis."""

import numpy as np
import numpy.typing as npt
from scipy.fft import rfftfreq

from beatnet_align.roles import Role
from beatnet_align.units import Float32Array
from datagen.minimum_phase import curve_log_magnitude, minimum_phase
from datagen.recorded.layouts import Microphone

COLOUR_TAPS = 256
_COLOUR_FFT = 2_048
_COLOUR_POINTS_HZ = np.geomspace(60.0, 16_000.0, 7)
_LOW_CUTS_HZ = {Role.KICK: 28.0, Role.SNARE: 55.0, Role.HIHAT: 180.0, Role.RIDE: 160.0, Role.OVERHEAD: 70.0}

BoolArray = npt.NDArray[np.bool_]


def draw_colours(
    rng: np.random.Generator, microphones: tuple[Microphone, ...], own: BoolArray, sample_rate: int
) -> Float32Array:
    """Minimum-phase filters: low cut of the microphone, treble lost off its axis, and an uneven curve."""
    shape = own.shape
    close = np.array([bool(microphone.close_to) for microphone in microphones])
    typical_hz = np.where(own, 19_000.0, np.where(close, 3_000.0, 9_000.0))
    room = np.array([microphone.role is Role.ROOM for microphone in microphones])
    high_cuts_hz = np.where(room, 5_500.0, typical_hz) * rng.lognormal(0.0, 0.4, shape)
    low_cuts_hz = np.array([_LOW_CUTS_HZ.get(microphone.role, 40.0) for microphone in microphones])
    curve_db = rng.normal(0.0, 1.0, (*shape, len(_COLOUR_POINTS_HZ))) * np.where(own, 1.2, 2.5)[..., None]
    frequencies_hz = np.maximum(rfftfreq(_COLOUR_FFT, 1.0 / sample_rate), 1.0)
    log_magnitude = curve_log_magnitude(curve_db, _COLOUR_POINTS_HZ, frequencies_hz)
    log_magnitude -= 0.5 * np.log1p((frequencies_hz / high_cuts_hz[..., None]) ** 2)
    log_magnitude -= 0.5 * np.log1p((low_cuts_hz[:, None] / frequencies_hz) ** 2)
    return minimum_phase(log_magnitude, COLOUR_TAPS)
