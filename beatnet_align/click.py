"""A tempo map from a recorded click track: one click a beat, the accented ones on the bar line.

Clicks are found where the level jumps, placed to the sample where their sound sets in, and followed as one series in
which single clicks may be missing or double.
"""

from dataclasses import dataclass

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.onset_timing import ENERGY_SMOOTHING_SECONDS, ONSET_BELOW_PEAK_DB
from beatnet_align.take import Take
from beatnet_align.tempo_map import FOUR_FOUR, MAX_BPM, TempoMap, TimeSignature
from beatnet_align.units import FloatArray, IntArray, db_to_power, power_to_db

_BLOCK_SECONDS = 10.0
_FRAME_SECONDS = 0.001
_HIGHPASS_HZ = 300.0  # under every usual click sound, above hum and most kick bleed
_BEFORE_FRAMES, _GAP_FRAMES = 12, 2  # a rise is measured against the 10 ms that end 2 ms earlier
_MIN_RISE_DB = 10.0  # noise in 1 ms frames varies by 1 or 2 dB
_STRONGEST_CLICKS = 16
_RANGE_DB = 20.0  # between accents and the softest click; bleed must lie below
_DOUBLE_SECONDS = 0.04  # two onsets this close are one click
_LOOK_SECONDS = 0.02
_MIN_CLICKS = 4
_STEADY = 0.15  # share of the interval by which a click may miss its expected time
_MAX_DROPPED = 0.2  # share of onsets that may fit no series
_OUTER_CLICKS, _OUTER_FIT_SECONDS = 16, 0.001
_ACCENT_DB, _ACCENT_OCTAVES = 3.0, 0.15


@dataclass(frozen=True)
class _Clicks:
    """Found clicks, one entry each: time, level of the peak, and pitch as log2 of the spectral centroid in hertz."""

    seconds: FloatArray
    levels_db: FloatArray
    pitches_octaves: FloatArray

    def __getitem__(self, index: IntArray) -> "_Clicks":
        return _Clicks(self.seconds[index], self.levels_db[index], self.pitches_octaves[index])


def tempo_map_from_click(click: Take, clicks_per_beat: float = 1.0) -> TempoMap:
    """Follow a recorded click.

    Beat 0 is the first accented click where accents are clear in level or pitch, else the first click. Missing
    clicks are interpolated, double ones dropped; outside the click its outer tempo goes on.

    Args:
        click: The loudest channel is used.
        clicks_per_beat: 1 for quarter notes, 2 for eighth notes, 0.5 for half notes.

    Raises:
        InputError: Too few clicks, too irregular ones, or a tempo out of range.
    """
    if not 0.25 <= clicks_per_beat <= 4:
        raise InputError(f"clicks per beat must be 0.25 to 4, found {clicks_per_beat:g}")
    channel = _loudest_channel(click)
    clicks = _find_clicks(click, channel)
    if len(clicks.seconds) < _MIN_CLICKS:
        raise InputError(
            f"{click.name!r} has {len(clicks.seconds)} clicks, but {_MIN_CLICKS} are needed: is it the click track?"
        )
    kept, counts = _follow(clicks, clicks_per_beat, click.name)
    beat_zero_count, signature = _read_accents(clicks[kept], counts, clicks_per_beat)
    every_count = np.arange(counts[-1] + 1)
    seconds = _extend(np.interp(every_count, counts, clicks.seconds[kept]))
    step_beats = 1.0 / clicks_per_beat
    return TempoMap.from_beat_times(seconds, -(beat_zero_count + 1) * step_beats, step_beats, (signature,))


def _loudest_channel(click: Take) -> int:
    """Index of the channel with the most energy."""
    if len(click.channels) == 1:
        return 0
    block = round(_BLOCK_SECONDS * click.sample_rate)
    energy = np.zeros(len(click.channels))
    for start in range(0, click.samples, block):
        energy += np.square(click.read(start, min(start + block, click.samples)), dtype=np.float64).sum(axis=1)
    return int(np.argmax(energy))


def _frame_levels_db(click: Take, channel: int) -> FloatArray:
    """[frames] level of the highpassed click in frames of 1 ms."""
    from scipy.signal import butter, sosfilt  # noqa: PLC0415 - slow to import, and few runs have a click

    sos = butter(2, _HIGHPASS_HZ, "highpass", fs=click.sample_rate, output="sos")
    state = np.zeros((len(sos), 2))
    frame = round(_FRAME_SECONDS * click.sample_rate)
    block = frame * round(_BLOCK_SECONDS / _FRAME_SECONDS)
    powers = []
    for start in range(0, click.samples, block):
        filtered, state = sosfilt(sos, click.read(start, start + block)[channel].astype(np.float64), zi=state)
        powers.append(np.square(filtered).reshape(-1, frame).mean(axis=1))
    return power_to_db(np.concatenate(powers), floor=1e-10)


def _find_clicks(click: Take, channel: int) -> _Clicks:
    """Every sharp rise that is about as loud as the loudest ones."""
    levels_db = _frame_levels_db(click, channel)
    padded = np.concatenate([np.full(_BEFORE_FRAMES, -100.0), levels_db])
    windows = np.lib.stride_tricks.sliding_window_view(padded, _BEFORE_FRAMES)[: len(levels_db)]
    rises_db = levels_db - windows[:, : _BEFORE_FRAMES - _GAP_FRAMES].max(axis=1)
    rising = np.flatnonzero(rises_db > _MIN_RISE_DB)
    starts = rising[np.diff(rising, prepend=-_BEFORE_FRAMES) > _GAP_FRAMES]
    ends = np.minimum(starts + 2 * _BEFORE_FRAMES, np.append(starts[1:], len(levels_db)))
    peaks_db = np.array([levels_db[start:end].max() for start, end in zip(starts, ends, strict=True)])
    if not len(starts):
        return _Clicks(np.empty(0), np.empty(0), np.empty(0))
    strongest = np.sort(peaks_db)[-min(_STRONGEST_CLICKS, max(1, len(peaks_db) // 3)) :]
    loud = peaks_db > np.median(strongest) - _RANGE_DB
    starts, peaks_db = starts[loud], peaks_db[loud]
    double_frames = round(_DOUBLE_SECONDS / _FRAME_SECONDS)
    single = np.array([not np.any((starts < s) & (starts >= s - double_frames)) for s in starts])
    measured = [_measure(click, channel, int(s)) for s in starts[single]]
    seconds, pitches = (np.array(column, np.float64) for column in zip(*measured, strict=True))
    return _Clicks(seconds, peaks_db[single], pitches)


def _measure(click: Take, channel: int, frame: int) -> tuple[float, float]:
    """Where in seconds the click that rises in ``frame`` sets in, and its pitch."""
    rate = click.sample_rate
    smooth, look = max(1, round(ENERGY_SMOOTHING_SECONDS * rate)), round(_LOOK_SECONDS * rate)
    centre = frame * round(_FRAME_SECONDS * rate)
    audio = click.read(centre - look - smooth, centre + look)[channel].astype(np.float64)
    audio -= np.median(audio)
    energy = np.convolve(np.square(audio), np.full(smooth, 1 / smooth), "valid")  # entry i ends at sample i of `look`
    before = look - round(0.002 * rate)
    peak = before + int(np.argmax(energy[before:]))
    noise = float(energy[:before].max()) * 4.0  # 6 dB above whatever sounded before
    threshold = min(max(energy[peak] * db_to_power(-ONSET_BELOW_PEAK_DB), noise), energy[peak] / 2)
    quiet = np.flatnonzero(energy[:peak] < threshold)
    onset = int(quiet[-1]) + 1 if len(quiet) else peak
    sound = audio[onset + smooth - 1 :][: round(0.01 * rate)]
    spectrum = np.square(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * look)))
    centroid_hz = float(spectrum @ np.fft.rfftfreq(4 * look, 1 / rate) / max(spectrum.sum(), 1e-30))
    # The trailing mean first holds the onset in its newest sample, `smooth - 1` after the start of its window.
    return (centre - look - 1 + onset) / rate, float(np.log2(max(centroid_hz, 1.0)))


def _follow(clicks: _Clicks, clicks_per_beat: float, name: str) -> tuple[IntArray, IntArray]:
    """The clicks that form one series, and the number of each in it: 0, 1, 2 ... with holes where one is missing."""
    times = clicks.seconds
    gaps = np.diff(times)
    possible = gaps[gaps > 60.0 / (MAX_BPM * clicks_per_beat) * (1 - _STEADY)]
    usual = float(np.median(possible[:_OUTER_CLICKS])) if len(possible) else 0.0
    steady = np.flatnonzero(np.abs(gaps - usual) < _STEADY * usual)
    if not len(steady):
        raise InputError(f"the clicks of {name!r} are too irregular to follow: is it the click track?")
    kept, counts, interval = [int(steady[0])], [0], usual
    for i in range(kept[0] + 1, len(times)):
        gap = times[i] - times[kept[-1]]
        clicks_on = max(1, round(gap / interval))
        expected = abs(gap / interval - clicks_on) < _STEADY
        later = times[i + 1 : i + 64] - times[i]
        new_tempo = clicks_on == 1 and gap > interval / 2 and bool(np.any(np.abs(later / gap - 1) < _STEADY / 3))
        if expected or (new_tempo and not np.any(np.abs((later + gap) / interval - 1) < _STEADY)):
            kept.append(i)
            counts.append(counts[-1] + clicks_on)
            interval = gap / clicks_on
    if len(kept) < max(_MIN_CLICKS, (1 - _MAX_DROPPED) * len(times)) or counts[-1] > 2 * len(kept):
        raise InputError(
            f"the clicks of {name!r} are too irregular to follow: {len(kept)} of {len(times)} onsets lie in one series "
            "(clicks every eighth or half note: say how many a beat has)"
        )
    return np.array(kept), np.array(counts)


def _read_accents(clicks: _Clicks, counts: IntArray, clicks_per_beat: float) -> tuple[int, TimeSignature]:
    """Number of the click at beat 0, and the time signature; the first click and 4/4 where accents are unclear."""
    for values, min_gap in ((clicks.levels_db, _ACCENT_DB), (clicks.pitches_octaves, _ACCENT_OCTAVES)):
        order = np.sort(values)
        split = int(np.argmax(np.diff(order)))
        high, low = values > order[split], values <= order[split]
        if not high.any():
            continue
        spread = 2 * max(float(values[high].std()), float(values[low].std()))
        if order[split + 1] - order[split] < max(min_gap, spread):
            continue
        accented = counts[high if values is clicks.levels_db or high.sum() <= low.sum() else low]
        if len(accented) < 2:
            continue
        spacings = np.diff(accented)
        bar_clicks = int(np.bincount(spacings).argmax())
        bars = 1 + (counts[-1] - accented[0]) // bar_clicks
        if bar_clicks < 2 or np.mean(spacings % bar_clicks == 0) < 0.8 or len(accented) < 0.6 * bars:
            continue
        eighths = bar_clicks * 2 / clicks_per_beat
        if eighths == round(eighths) and eighths <= 64:
            whole_beats = eighths % 2 == 0
            numerator, denominator = (round(eighths / 2), 4) if whole_beats else (round(eighths), 8)
            return int(accented[0]), TimeSignature(0.0, numerator, denominator)
    return 0, FOUR_FOUR


def _extend(seconds: FloatArray) -> FloatArray:
    """One more click at either end, at the outer tempo measured over several clicks where they are steady."""
    return np.concatenate(
        [[seconds[0] - _outer_interval(seconds)], seconds, [seconds[-1] + _outer_interval(-seconds[::-1])]]
    )


def _outer_interval(seconds: FloatArray) -> float:
    """Interval at the beginning of rising times: least squares over the first clicks if these are steady."""
    first = seconds[:_OUTER_CLICKS]
    slope, start = np.polyfit(np.arange(len(first)), first, 1)
    steady = np.abs(first - start - slope * np.arange(len(first))).max() < _OUTER_FIT_SECONDS
    return float(slope) if steady else float(seconds[1] - seconds[0])
