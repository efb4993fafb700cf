"""Classical ways to join two shifts: crossfades, held, stretched and modelled tails, and the place of best phase match.

Each takes a join and gives its output [channels, samples]: ``outgoing`` before the join's first sample, ``incoming``
from its stop on.
"""

from collections.abc import Callable

import numpy as np

from beatnet_align.autoregression import continued
from beatnet_align.splice import LONGEST_TAIL_SECONDS, crossfade, samples_to_stretch, stretched_over
from beatnet_align.take import Audio
from beatnet_align.units import Float32Array, seconds_to_samples
from datagen.joins import Join
from models.janssen import completed

Repair = Callable[[Join], Float32Array]

FADE_SECONDS, SHORT_FADE_SECONDS = 0.005, 0.001
SEARCH_SECONDS = 0.015
"""How much earlier than need be a crossfade may come for the sake of a better match."""

HELD_SECONDS = 0.020
"""Of a tail that is held: about two periods of the lowest drum that keeps its pitch."""


def linear(join: Join) -> Float32Array:
    """Crossfade with equal gain as late as the tail lasts."""
    fade = _fade_samples(join)
    return _faded(join, join.tail_stop - fade, fade)


def short_linear(join: Join) -> Float32Array:
    """The same within a millisecond."""
    fade = max(1, min(seconds_to_samples(SHORT_FADE_SECONDS, join.sample_rate), (join.tail_stop - join.first) // 2))
    return _faded(join, join.tail_stop - fade, fade)


def equal_power(join: Join) -> Float32Array:
    """Crossfade with equal power, as for sounds that have nothing to do with each other."""
    fade = _fade_samples(join)
    start = join.tail_stop - fade
    out = _faded(join, start, fade)
    place = (np.arange(fade, dtype=np.float32) + 1.0) / np.float32(fade + 1.0)
    sides = join.outgoing[:, start : join.tail_stop], join.incoming[:, start : join.tail_stop]
    out[:, start : join.tail_stop] = np.sqrt(1.0 - place) * sides[0] + np.sqrt(place) * sides[1]
    return out


def best_match(join: Join) -> Float32Array:
    """Crossfade with equal gain where both sides are most alike, all channels together."""
    fade = _fade_samples(join)
    latest = join.tail_stop - fade
    places = np.arange(max(join.first, latest - seconds_to_samples(SEARCH_SECONDS, join.sample_rate)), latest + 1)
    products = [_sums_over(one, fade)[places] for one in _products(join)]
    likeness = products[0] / np.sqrt(products[1] * products[2] + 1e-20)
    return _faded(join, int(places[np.argmax(likeness)]), fade)


def held(join: Join) -> Float32Array:
    """Repeat the end of the tail, faded into itself, until the attack."""
    loop = min(seconds_to_samples(HELD_SECONDS, join.sample_rate), (join.tail_stop - join.first) // 2)
    fade = min(_fade_samples(join), loop // 2)

    def more(gap: int) -> Audio:
        tail: Audio = join.outgoing[:, : join.tail_stop]
        while tail.shape[1] < join.tail_stop + gap:
            again = tail[:, -loop - fade :]
            tail = np.concatenate([tail[:, :-fade], crossfade(tail[:, -fade:], again[:, :fade]), again[:, fade:]], 1)
        return tail[:, join.tail_stop : join.tail_stop + gap]

    return _extended(join, more)


def stretched(join: Join) -> Float32Array:
    """Stretch the tail over the gap, as the effect does where it is told to."""
    gap = join.gap_samples
    if gap <= 0:
        return linear(join)
    longest_fade, longest_tail = (
        seconds_to_samples(seconds, join.sample_rate) for seconds in (FADE_SECONDS, LONGEST_TAIL_SECONDS)
    )
    length = samples_to_stretch(join.tail_stop - join.first, gap, longest_fade, longest_tail)
    start, fade = join.tail_stop - length, min(_fade_samples(join), length // 2)
    ends = join.incoming[:, join.stop - fade : join.stop]
    out = join.incoming.copy()
    out[:, :start] = join.outgoing[:, :start]
    out[:, start : join.stop] = stretched_over(
        join.outgoing[:, start : join.tail_stop], length + gap, ends, join.sample_rate
    )
    return out


def autoregressive(join: Join) -> Float32Array:
    """Let a model of the tail ring on until the attack."""
    tail = join.outgoing[:, join.first : join.tail_stop]
    return _extended(join, lambda gap: continued(tail, gap, join.sample_rate))


def janssen(join: Join) -> Float32Array:
    """Fill the gap between the tail and what is heard of it just before the attack, by a model of both."""
    if join.gap_samples <= 0:
        return linear(join)
    heard = min(_fade_samples(join), join.gap_samples // 2)
    end = join.stop - heard
    tail = join.outgoing[:, join.first : join.tail_stop]
    out = join.incoming.copy()
    out[:, : join.tail_stop] = join.outgoing[:, : join.tail_stop]
    out[:, join.tail_stop : end] = completed(
        tail, end - join.tail_stop, join.incoming[:, end : join.stop], join.sample_rate
    )
    return out


def with_perfect_knowledge(join: Join) -> Float32Array:
    """What would have sounded, faded into what comes just before the attack: no join can do better."""
    fade = min(seconds_to_samples(SHORT_FADE_SECONDS, join.sample_rate), join.stop - join.first)
    out = join.incoming.copy()
    out[:, : join.stop] = join.target[:, : join.stop]
    ends = slice(join.stop - fade, join.stop)
    out[:, ends] = crossfade(out[:, ends], join.incoming[:, ends])
    return out


OPPONENTS: dict[str, Repair] = {
    "linear crossfade": linear,
    "linear crossfade, 1 ms": short_linear,
    "equal-power crossfade": equal_power,
    "best phase match": best_match,
    "tail held": held,
    "tail stretched": stretched,
    "autoregressive, ringing on": autoregressive,
    "autoregressive, Janssen": janssen,
}


def _fade_samples(join: Join) -> int:
    return max(1, min(seconds_to_samples(FADE_SECONDS, join.sample_rate), (join.tail_stop - join.first) // 2))


def _faded(join: Join, start: int, fade: int) -> Float32Array:
    """Outgoing, a crossfade of equal gain, incoming."""
    out = join.incoming.copy()
    out[:, :start] = join.outgoing[:, :start]
    sides = join.outgoing[:, start : start + fade], join.incoming[:, start : start + fade]
    out[:, start : start + fade] = crossfade(*sides)
    return out


def _extended(join: Join, more: Callable[[int], Audio]) -> Float32Array:
    """The tail, more of it, and a crossfade into what comes just before the attack."""
    if join.gap_samples <= 0:
        return linear(join)
    fade = min(_fade_samples(join), join.gap_samples)
    out = join.incoming.copy()
    out[:, : join.tail_stop] = join.outgoing[:, : join.tail_stop]
    out[:, join.tail_stop : join.stop] = more(join.gap_samples)
    ends = slice(join.stop - fade, join.stop)
    out[:, ends] = crossfade(out[:, ends], join.incoming[:, ends])
    return out


def _products(join: Join) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Products of both sides with each other and with themselves, over all channels: [samples] each."""
    pairs = (join.outgoing, join.incoming), (join.outgoing, join.outgoing), (join.incoming, join.incoming)
    cross, out, into = (np.einsum("cn,cn->n", one, other) for one, other in pairs)
    return cross, out, into


def _sums_over(values: Float32Array, width: int) -> Float32Array:
    """Sums of ``width`` values from each place on."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray(total[width:] - total[:-width], np.float32)
