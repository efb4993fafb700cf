"""How far a network really listens: the gradient of its output in its input, lag by lag, against its nominal context.

After Luo et al. 2016, "Understanding the effective receptive field in deep convolutional neural networks".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from beatnet_align.pictures import AFTER, BEFORE_MARK, GRID
from beatnet_align.units import FloatArray, seconds_to_ms, seconds_to_samples
from models.resynthesis.candidates import Candidate, network_inputs
from models.resynthesis.held_out import HeldOutTake
from models.resynthesis.version_pictures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACES, AROUND_SECONDS, MOST_CHANNELS = 24, 0.030, 4
SHARES = (0.5, 0.9, 0.99)
FLOOR_DB = -100.0
BINS_A_SIDE = 120


@dataclass(frozen=True)
class Reach:
    """What an output sample depends on.

    Attributes:
        lags_seconds: [lags], place in the input against that of the output; negative is earlier.
        gradient: [lags], mean |d out / d in| on the channel itself.
        energy: [lags], mean square of the same.
    """

    lags_seconds: FloatArray
    gradient: FloatArray
    energy: FloatArray

    def used_seconds(self, share: float) -> float:
        """Half the width of the stretch around lag 0 that holds a share of the gradient's energy."""
        order = np.argsort(np.abs(self.lags_seconds), kind="stable")
        held = np.cumsum(self.energy[order])
        return float(np.abs(self.lags_seconds[order])[np.searchsorted(held, share * held[-1])])


def measure_reach(candidate: Candidate, held: HeldOutTake, seed: int = 0) -> Reach:
    """The mean over places near the hits of a take, on their own channels."""
    net, rng = candidate.net, np.random.default_rng(seed)
    back, ahead = net.context_samples
    audio, rows = network_inputs(net, held)
    names = [channel.name for channel in held.take.channels]
    sums = np.zeros((2, back + ahead + 1))
    for _ in range(PLACES):
        hit = held.hits[int(rng.integers(len(held.hits)))]
        at_seconds = max(0.0, hit.target_seconds + rng.uniform(-AROUND_SECONDS, AROUND_SECONDS))
        at = min(seconds_to_samples(at_seconds, net.sample_rate), audio.shape[-1] - 1)
        own = names.index(hit.channel)
        kept = [own, *(row for row in range(len(names)) if row != own)][:MOST_CHANNELS]
        first, last = max(0, at - back), min(audio.shape[-1], at + ahead + 1)
        heard = audio[:, kept, first:last].clone().requires_grad_()
        written = net(heard, rows[..., first:last])[0, 0, at - first]
        (gradient,) = torch.autograd.grad(written, heard)
        found = gradient[0, 0].abs().double().numpy()
        sums[:, first - at + back : last - at + back] += np.stack([found, found**2])
    lags_seconds = np.arange(-back, ahead + 1) / net.sample_rate
    return Reach(lags_seconds, sums[0] / PLACES, sums[1] / PLACES)


def draw_reach(name: str, reach: Reach) -> "Figure":
    """Mean gradient by lag, in dB under its greatest, and the stretches that hold shares of its energy."""
    figure = new_figure(9.0, 3.6)
    axes = figure.subplots()
    edges = np.unique(np.linspace(0, len(reach.gradient), 2 * BINS_A_SIDE, endpoint=False).astype(np.int64))
    loudest = np.maximum.reduceat(reach.gradient, edges)
    level_db = 20.0 * np.log10(np.maximum(loudest / max(1e-30, loudest.max()), 10.0 ** (FLOOR_DB / 20.0)))
    lags_ms = seconds_to_ms(1.0) * reach.lags_seconds
    axes.fill_between(lags_ms[edges], level_db, FLOOR_DB, color=AFTER, alpha=0.5, step="post", linewidth=0)
    for share, dashes in zip(SHARES, ("-", "--", ":"), strict=True):
        used_ms = seconds_to_ms(reach.used_seconds(share))
        for side in (-used_ms, used_ms):
            axes.axvline(side, color=BEFORE_MARK, linestyle=dashes, linewidth=1.0)
        axes.plot(
            [], [], color=BEFORE_MARK, linestyle=dashes, label=f"{share:.0%} of its energy within {used_ms:.1f} ms"
        )
    axes.set_xlim(lags_ms[0], lags_ms[-1])
    axes.set_ylim(FLOOR_DB, 3.0)
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_xlabel("place in the input against the output (ms); the axis spans the nominal context")
    axes.set_ylabel("mean |d out / d in| (dB)")
    axes.set_title(name, loc="left", fontweight="bold")
    axes.legend(loc="upper right", fontsize="small", frameon=False)
    return figure
