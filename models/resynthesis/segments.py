"""From strokes that were found to joins, and from joins to audio: every stroke moves with all that follows it.

The joins are those of :mod:`beatnet_align.splice` without filling: a crossfade ends just before the attack, or just
before it would sound a second time at the shift before. A shift that no stroke has renewed for some time goes back to
none, so that what is written depends on nothing further away.
"""

from typing import NamedTuple

import torch
from torch.nn.functional import pad

from models.differentiable_splice import DifferentiableSplice, Joins
from models.resynthesis.line_finder import Sightings

GUARD_SECONDS, FADE_SECONDS = 0.001, 0.005
"""The fade ends so long before the attack; the onset of training labels is late by less than half of this."""

HOLD_SECONDS = 0.035
"""An attack keeps so much of its decay, or half of what there is."""

RETURN_SECONDS, RETURN_FADE_SECONDS = 1.5, 0.05
RETURN_ROOM = 4.0
"""Fades of room for a return; where there is less, the next stroke comes soon enough."""

CLOSEST_ONSETS_SECONDS = 0.010
LEAST_CHANCE = 0.35
"""A line that is left empty keeps the shift of the one before, which is worse than a stroke that is moved in vain."""
BEYOND_SAMPLES = float(2**30)
"""Where joins are that a row lacks: no take is as long, and a constant leaves an exported graph free of lengths."""


class Segments(NamedTuple):
    """Joins of a batch, [batch, joins] each, in order; those that a row lacks begin beyond its end.

    Attributes:
        shifts: In samples, after the join; positive is later. Before the first one it is 0.
        starts: Where each crossfade begins.
        lengths: Of the crossfades.
    """

    shifts: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor


def kept_lines(
    sightings: Sightings, onsets: torch.Tensor, sample_rate: int, least_chance: float = LEAST_CHANCE
) -> torch.Tensor:
    """The lines that move a stroke, [batch, lines]: no two the same, none an earlier one than the line before.

    Args:
        sightings: Of the lines.
        onsets: [batch, lines] in samples.
        sample_rate: In hertz.
        least_chance: That there is a stroke.
    """
    chances = sightings.chances()
    kept = chances > least_chance
    later = torch.arange(chances.shape[1], device=chances.device)
    later = later[None, :, None] < later[None, None, :]
    close = onsets[:, None, :] - onsets[:, :, None] < CLOSEST_ONSETS_SECONDS * sample_rate
    clash = later & close & kept[:, :, None] & kept[:, None, :]
    weaker = chances[:, :, None] < chances[:, None, :]
    return kept & ~(clash & weaker).any(dim=2) & ~(clash & ~weaker).any(dim=1)


def segments(
    onsets: torch.Tensor,
    shifts: torch.Tensor,
    kept: torch.Tensor,
    sample_rate: int,
    *,
    guards: torch.Tensor | float = GUARD_SECONDS,
    fades: torch.Tensor | float = FADE_SECONDS,
) -> Segments:
    """Lay joins out.

    Args:
        onsets: [batch, lines], where strokes begin in the take, in samples.
        shifts: [batch, lines], how far they move.
        kept: [batch, lines], which ones do.
        sample_rate: In hertz.
        guards: How long before the attack crossfades end, in seconds; [batch, lines] where lines differ.
        fades: How long they are, likewise.
    """
    order = torch.argsort((~kept).to(torch.int64), dim=1, stable=True)
    kept = kept.gather(1, order)
    guards, fades = (
        torch.as_tensor(one, dtype=onsets.dtype, device=onsets.device).expand_as(onsets).gather(1, order) * sample_rate
        for one in (guards, fades)
    )
    onsets = torch.where(kept, onsets.gather(1, order), BEYOND_SAMPLES)
    shifts = torch.where(kept, shifts.gather(1, order), 0.0)
    attacks = onsets + shifts
    shifts_before = pad(shifts[:, :-1], (1, 0))
    attacks_before = pad(attacks[:, :-1], (1, 0), value=-BEYOND_SAMPLES)
    stops = torch.cummax(onsets + torch.minimum(shifts_before, shifts) - guards, dim=1).values
    held = attacks_before + torch.minimum(
        0.5 * (stops - attacks_before), attacks.new_tensor(HOLD_SECONDS * sample_rate)
    )
    starts = torch.maximum(torch.maximum(stops - fades, held), pad(stops[:, :-1], (1, 0), value=-BEYOND_SAMPLES))
    lengths = (stops - starts).clamp(min=1.0)
    # A shift that nothing renews returns to none.
    returns = attacks + RETURN_SECONDS * sample_rate
    fade = RETURN_FADE_SECONDS * sample_rate
    due = kept & (pad(starts[:, 1:], (0, 1), value=BEYOND_SAMPLES) > returns + RETURN_ROOM * fade)
    returns = torch.where(due, returns, BEYOND_SAMPLES)
    starts = torch.cat([torch.where(kept, starts, BEYOND_SAMPLES), returns], dim=1)
    order = torch.argsort(starts, dim=1, stable=True)
    return Segments(
        torch.cat([shifts, torch.zeros_like(shifts)], dim=1).gather(1, order),
        starts.gather(1, order),
        torch.cat([lengths, torch.full_like(lengths, fade)], dim=1).gather(1, order),
    )


def written(audio: torch.Tensor, parts: Segments) -> torch.Tensor:
    """Cut and move by whole samples, [batch, channels, samples]; what a row's only shift moves is bit-exact."""
    samples = audio.shape[-1]
    turn = turns(Segments(*(part.round() for part in parts)), samples)
    places = torch.arange(samples, device=audio.device)
    now, before = (read(audio, places - shifts.to(torch.int64)) for shifts in (turn.after, turn.before))
    share = turn.along[:, None].to(audio.dtype)
    # Not a weighted sum: what only one shift sounds at, and what both agree on, stays bit for bit.
    return torch.where(share >= 1.0, now, before + share * (now - before))


class Turns(NamedTuple):
    """Which join an output sample belongs to, [batch, samples] each.

    Attributes:
        join: Its number; the first one where none has begun.
        before: The shift before it, in samples.
        after: The shift after it.
        along: How far it has come, from 0 to 1.
    """

    join: torch.Tensor
    before: torch.Tensor
    after: torch.Tensor
    along: torch.Tensor


def turns(parts: Segments, samples: int, lead: float = 1.0) -> Turns:
    """Follow joins sample by sample.

    Args:
        parts: The joins.
        samples: Length of the take.
        lead: How far a join has come at its first sample, in samples: 1 as a crossfade that both sides sound in, 0 as
            something that begins there.
    """
    shifts, starts, lengths = parts
    first = starts.detach().ceil().clamp(0, samples).to(torch.int64)
    begun = torch.zeros(len(starts), samples + 1, dtype=torch.int64, device=starts.device)
    begun = begun.scatter_add(1, first, torch.ones_like(first))[:, :samples].cumsum(dim=1)
    latest = (begun - 1).clamp(min=0)
    with_none = pad(shifts, (1, 0))
    places = torch.arange(samples, device=starts.device)
    along = (places - starts.gather(1, latest) + lead) / (lengths.gather(1, latest).clamp(min=1.0) + lead)
    along = torch.where(begun > 0, along.clamp(0.0, 1.0), 1.0)
    return Turns(latest, with_none.gather(1, latest), with_none.gather(1, begun), along)


def read(audio: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Samples of every channel, [batch, channels, n] at [batch, n]; silence outside the take."""
    inside = (at >= 0) & (at < audio.shape[-1])
    index = at.clamp(0, audio.shape[-1] - 1)[:, None].expand(-1, audio.shape[1], -1)
    return audio.gather(2, index) * inside[:, None]


def spliced_softly(audio: torch.Tensor, parts: Segments) -> torch.Tensor:
    """What :func:`written` writes, by parts of a sample and with gradients in shifts, starts and lengths."""
    splice, samples = DifferentiableSplice(), audio.shape[-1]
    rows = []
    for take, shifts, starts, lengths in zip(audio, *parts, strict=True):
        inside = starts < samples
        kept = shifts[inside]
        joins = Joins(torch.cat([kept.new_zeros(1), kept]), starts[inside], lengths[inside], torch.ones_like(kept))
        rows.append(splice(take, joins))
    return torch.stack(rows)
