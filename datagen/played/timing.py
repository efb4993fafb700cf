"""How a drummer's time strays from the metronome: the ranges that one performance is drawn from, and presets.

The parts that long recordings of drummers show are a share that fluctuates slowly, with a 1/f spectrum (Hennig et al.
2011, "The nature and perception of fluctuations in human musical rhythms", PLoS ONE 6), a fast independent share, and
habits that repeat: limbs that are early or late, and places in the bar that are. The sizes in :data:`HUMAN` are tuned
to the Groove MIDI Dataset, see ``python -m datagen.played.groove_statistics``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.grid import MAX_SWING, MIN_SWING

Range = Sequence[float]
"""Lowest and highest value; one performance draws its own in between, each as likely."""

ZERO = (0.0, 0.0)
_SHARES = ("real_probability", "swing_probability", "drift_probability", "tempo_change_probability")
_SIGNED = ("_bias_seconds", "flam_seconds", "offset_seconds", "tempo_error", "tempo_ramp", "swing_error", "run_steps")


@dataclass(frozen=True)
class HumanTiming:
    """Ranges for one performance's timing; every field that names no probability is a lowest and a highest value.

    Attributes:
        real_probability: Share of performances that keep what the real drummer of a groove did.
        real_scale: How much of those real deviations: 1 is as played.
        beside_real: Factor on all jitter, habits and wander where the real deviations are kept.
        offset_seconds: Of the whole take.
        line_jitter_seconds: Standard deviation shared by everything struck on a line, independent from line to line.
        limb_jitter_seconds: Standard deviation of each stroke for itself, so also the spread within a line.
        uniform_jitter_seconds: Half width of a uniform jitter of each stroke for itself.
        tail: Degrees of freedom of both Gaussian jitters' Student-t: about 4 has real drummers' stray hits.
        kick_bias_seconds: How late the foot is.
        snare_bias_seconds: How late snare and side stick are.
        hihat_bias_seconds: How late hi-hats are.
        tom_bias_seconds: How late toms are.
        cymbal_bias_seconds: How late ride, crashes, splash and china are.
        habit_seconds: Standard deviation of offsets that every piece has on every place in the bar, bar after bar.
        wander_seconds: Standard deviation of a 1/f fluctuation.
        wander_beats: Slowest period of that.
        drift_probability: Share of performances that drift.
        drift_seconds: Largest excursion of a smooth drift over 64 beats.
        drift_beats: Slowest period of that.
        tempo_change_probability: Share of performances that leave the metronome's tempo.
        tempo_error: Ratio by which the player is too fast.
        tempo_ramp: Ratio by which the player has become faster by the end.
        ritardando: Ratio by which the player slows down by the end, over the last ``ritardando_beats``.
        ritardando_beats: Length of that.
        tempo_limit_seconds: Where the player notices: largest deviation by all changes of tempo.
        runs_per_bar: How many laid-back or pushed runs there are.
        run_beats: How long they last.
        run_steps: Their peak in distances of grid lines, positive is late; beyond 0.5 they cross the midpoint.
        swing_probability: Share of straight scores on a single division of eighths or sixteenths that are swung.
        swing: Of those.
        swing_error: How much more the player swings a swung grid, in shares of the pair.
        flam_share: Of lines with several pieces on which one piece is struck apart from the others.
        flam_seconds: How far, positive is late.
        dropped_share: Of notes that are not played.
        doubled_share: Of notes that sound twice; the second is an ornament of the first.
        doubled_seconds: How much later.
        velocity_jitter: Standard deviation of the velocity.

    Raises:
        InputError: A range that does not rise, a share outside 0 to 1, or a size below 0.
    """

    real_probability: float = 0.0
    real_scale: Range = (1.0, 1.0)
    beside_real: Range = ZERO
    offset_seconds: Range = ZERO
    line_jitter_seconds: Range = ZERO
    limb_jitter_seconds: Range = ZERO
    uniform_jitter_seconds: Range = ZERO
    tail: Range = (6.0, 6.0)
    kick_bias_seconds: Range = ZERO
    snare_bias_seconds: Range = ZERO
    hihat_bias_seconds: Range = ZERO
    tom_bias_seconds: Range = ZERO
    cymbal_bias_seconds: Range = ZERO
    habit_seconds: Range = ZERO
    wander_seconds: Range = ZERO
    wander_beats: Range = (32.0, 32.0)
    drift_probability: float = 0.0
    drift_seconds: Range = ZERO
    drift_beats: Range = (16.0, 64.0)
    tempo_change_probability: float = 0.0
    tempo_error: Range = ZERO
    tempo_ramp: Range = ZERO
    ritardando: Range = ZERO
    ritardando_beats: Range = (4.0, 8.0)
    tempo_limit_seconds: Range = (0.1, 0.1)
    runs_per_bar: Range = ZERO
    run_beats: Range = (2.0, 6.0)
    run_steps: Range = (-0.6, 0.6)
    swing_probability: float = 0.0
    swing: Range = (0.54, 0.7)
    swing_error: Range = ZERO
    flam_share: Range = ZERO
    flam_seconds: Range = (-0.05, 0.05)
    dropped_share: Range = ZERO
    doubled_share: Range = ZERO
    doubled_seconds: Range = (0.03, 0.09)
    velocity_jitter: Range = ZERO

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _SHARES:
                if not 0.0 <= value <= 1.0:
                    raise InputError(f"{one.name} must be a probability from 0 to 1, found {value}")
                continue
            if len(value) != 2 or not np.isfinite(value).all() or value[0] > value[1]:
                raise InputError(f"{one.name} must be a lowest and a highest value, found {value}")
            if value[0] < 0.0 and not one.name.endswith(_SIGNED):
                raise InputError(f"{one.name} must not be below 0, found {value}")
            if one.name.endswith("_share") and value[1] > 1.0:
                raise InputError(f"{one.name} must lie within 0 to 1, found {value}")
        if not MIN_SWING <= self.swing[0] <= self.swing[1] <= MAX_SWING:
            raise InputError(f"swing must lie within {MIN_SWING} to {MAX_SWING}, found {self.swing}")
        if self.tail[0] <= 2.0 or min(self.wander_beats[0], self.drift_beats[0]) < 2.0 or self.run_beats[0] <= 0.0:
            raise InputError("tail must be above 2, wander_beats and drift_beats at least 2, run_beats above 0")

    def draw(self, rng: np.random.Generator) -> dict[str, float]:
        """One value a range, and 0 or 1 for each probability under the name ``..._on``, in the order of the fields."""
        drawn = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _SHARES:
                drawn[one.name.removesuffix("_probability") + "_on"] = float(rng.uniform() < value)
            else:
                drawn[one.name] = float(rng.uniform(value[0], value[1]))
        return drawn


EXACT = HumanTiming()
"""Every note on its line."""

AS_PLAYED = HumanTiming(real_probability=1.0)
"""What the real drummer did, and nothing else."""

UNIFORM_JITTER = HumanTiming(uniform_jitter_seconds=(0.005, 0.05))
"""The proposal's: every stroke for itself, anywhere within ±5 to ±50 ms."""

HUMAN = HumanTiming(
    real_probability=0.6,
    real_scale=(0.5, 2.0),
    beside_real=(0.0, 0.3),
    offset_seconds=(-0.03, 0.007),
    line_jitter_seconds=(0.001, 0.006),
    limb_jitter_seconds=(0.004, 0.013),
    tail=(2.5, 4.0),
    kick_bias_seconds=(-0.012, 0.008),
    snare_bias_seconds=(-0.014, 0.010),
    hihat_bias_seconds=(-0.015, 0.008),
    tom_bias_seconds=(-0.015, 0.015),
    cymbal_bias_seconds=(-0.010, 0.014),
    habit_seconds=(0.001, 0.006),
    wander_seconds=(0.008, 0.022),
    wander_beats=(12.0, 32.0),
    runs_per_bar=(0.0, 0.2),
    run_beats=(3.0, 8.0),
    run_steps=(-0.4, 0.15),
    swing_probability=0.1,
    swing_error=(-0.02, 0.02),
    flam_share=(0.02, 0.25),
    flam_seconds=(-0.085, 0.04),
    dropped_share=(0.0, 0.01),
    doubled_share=(0.0, 0.005),
    velocity_jitter=(0.0, 0.05),
)
"""Drummers who can play."""

HARD = HumanTiming(
    real_probability=0.5,
    real_scale=(0.5, 2.0),
    beside_real=(0.2, 1.0),
    offset_seconds=(-0.03, 0.03),
    line_jitter_seconds=(0.004, 0.022),
    limb_jitter_seconds=(0.004, 0.022),
    tail=(3.0, 8.0),
    kick_bias_seconds=(-0.02, 0.02),
    snare_bias_seconds=(-0.015, 0.03),
    hihat_bias_seconds=(-0.03, 0.015),
    tom_bias_seconds=(-0.02, 0.02),
    cymbal_bias_seconds=(-0.03, 0.02),
    habit_seconds=(0.0, 0.012),
    wander_seconds=(0.004, 0.02),
    wander_beats=(16.0, 64.0),
    drift_probability=0.5,
    drift_seconds=(0.03, 0.13),
    tempo_change_probability=0.3,
    tempo_error=(-0.01, 0.01),
    tempo_ramp=(-0.02, 0.02),
    ritardando=(0.0, 0.05),
    tempo_limit_seconds=(0.03, 0.13),
    runs_per_bar=(0.0, 0.15),
    run_steps=(-0.8, 0.8),
    swing_probability=0.2,
    swing_error=(-0.04, 0.04),
    flam_share=(0.02, 0.3),
    flam_seconds=(-0.085, 0.06),
    dropped_share=(0.0, 0.03),
    doubled_share=(0.0, 0.02),
    velocity_jitter=(0.01, 0.1),
)
"""Sloppy players, drift of up to ±130 ms, tempo changes, and runs that cross the midpoint between lines."""
