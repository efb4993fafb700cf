"""Onset detectors that other people made, as they come: what a hit finder has to beat.

Each hears the mean of a take's channels and gives onset times in seconds, [onsets], ascending. Optional packages are
imported where they are used.
"""

import numpy as np
import numpy.typing as npt

from beatnet_align.errors import InputError
from beatnet_align.roles import Role
from beatnet_align.take import Take
from beatnet_align.units import FloatArray, samples_to_seconds

SUPERFLUX_HOP_SECONDS = 1.0 / 200.0
SUPERFLUX_WINDOW_SAMPLES, SUPERFLUX_LAG_FRAMES, SUPERFLUX_MAX_BANDS = 1024, 2, 3
SUPERFLUX_BANDS, SUPERFLUX_LOWEST_HZ, SUPERFLUX_HIGHEST_HZ = 138, 27.5, 16_000.0
"""Böck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013, in librosa's rendering."""

DEFAULT_DELTA, OPEN_DELTA = 0.07, 0.03
"""How far a peak must rise over its surroundings, of the loudest one: librosa's default, under which SuperFlux misses
soft hits, and the best of 0.02 to 0.07 for it on the MDB recordings, where the latter therefore flatters it."""

AUBIO_METHOD, AUBIO_WINDOW_SAMPLES, AUBIO_HOP_SAMPLES = "default", 1024, 256
"""aubio's default method is the high-frequency content."""


def superflux(take: Take, delta: float = DEFAULT_DELTA) -> FloatArray:
    """SuperFlux with its authors' parameters, peaks picked by librosa.

    Args:
        take: Any number of channels.
        delta: Threshold over the mean around a peak, of the loudest peak.

    Raises:
        InputError: librosa is not installed.
    """
    try:
        import librosa  # noqa: PLC0415
    except ImportError as error:
        raise InputError("superflux needs librosa: pip install librosa") from error
    rate = take.sample_rate
    hop_samples = int(librosa.time_to_samples(SUPERFLUX_HOP_SECONDS, sr=rate))
    spectrum = librosa.feature.melspectrogram(
        y=mono_mix(take),
        sr=rate,
        n_fft=SUPERFLUX_WINDOW_SAMPLES,
        hop_length=hop_samples,
        fmin=SUPERFLUX_LOWEST_HZ,
        fmax=min(SUPERFLUX_HIGHEST_HZ, rate / 2.0),
        n_mels=SUPERFLUX_BANDS,
    )
    strength = librosa.onset.onset_strength(
        S=librosa.power_to_db(spectrum, ref=np.max),
        sr=rate,
        hop_length=hop_samples,
        lag=SUPERFLUX_LAG_FRAMES,
        max_size=SUPERFLUX_MAX_BANDS,
    )
    onsets = librosa.onset.onset_detect(
        onset_envelope=strength, sr=rate, hop_length=hop_samples, units="time", delta=delta
    )
    return np.asarray(onsets, np.float64)


def librosa_onsets(take: Take) -> FloatArray:
    """Librosa's ``onset_detect`` with its defaults.

    Raises:
        InputError: librosa is not installed.
    """
    try:
        import librosa  # noqa: PLC0415
    except ImportError as error:
        raise InputError("this detector needs librosa: pip install librosa") from error
    return np.asarray(librosa.onset.onset_detect(y=mono_mix(take), sr=take.sample_rate, units="time"), np.float64)


def aubio_onsets(take: Take) -> FloatArray:
    """Aubio's default onset detector.

    Raises:
        InputError: aubio is not installed.
    """
    try:
        import aubio  # noqa: PLC0415
    except ImportError as error:
        raise InputError("this detector needs aubio: pip install aubio") from error
    mix = mono_mix(take)
    detector = aubio.onset(AUBIO_METHOD, AUBIO_WINDOW_SAMPLES, AUBIO_HOP_SAMPLES, take.sample_rate)
    whole_hops = np.pad(mix, (0, -len(mix) % AUBIO_HOP_SAMPLES)).astype(aubio.float_type)
    onsets = [detector.get_last() for hop in whole_hops.reshape(-1, AUBIO_HOP_SAMPLES) if detector(hop)[0]]
    return samples_to_seconds(np.sort(np.array(onsets, np.int64)), take.sample_rate)


def mono_mix(take: Take) -> npt.NDArray[np.float32]:
    """Mean of all channels but clicks, [samples]."""
    heard = [i for i, channel in enumerate(take.channels) if channel.role is not Role.CLICK]
    if not heard:
        return np.zeros(take.samples, np.float32)
    return np.asarray(take.read(0, take.samples)[heard].mean(axis=0), np.float32)
