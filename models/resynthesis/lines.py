"""Where the grid's lines are, read back out of the conditioning, and which stroke each of them awaits."""

import torch

from models.resynthesis.conditioning import BEAT_ROW, LINE_ROW, METRONOME_ROW, Told

CLOSEST_LINES_SECONDS = 0.006
"""There is room for lines as close as this, which a graph has to lay out before any line is known."""

BLIND_LINES_SECONDS = 0.125
"""Sixteenths at 120 BPM: the lines of a network that is told nothing."""

LINES_PER_CLICK = 4
LEAST_CLICK = 0.1
SAME_LINE_SECONDS = 0.003


def line_places(conditioning: torch.Tensor, sample_rate: int, told: Told = Told.BOTH) -> torch.Tensor:
    """When each line sounds.

    A network that is told positions reads them there; one that only hears the metronome takes the sixteenths between
    its clicks; one that is told nothing takes lines of its own.

    Args:
        conditioning: [batch, rows, samples].
        sample_rate: In hertz.
        told: What the network knows.

    Returns:
        [batch, lines] in samples, parts of a sample included; rising, then NaN where a row has fewer lines.
    """
    samples = conditioning.shape[-1]
    if told is Told.NONE:
        blind = torch.arange(0, samples, BLIND_LINES_SECONDS * sample_rate, device=conditioning.device)
        return blind.expand(len(conditioning), -1)
    if told is Told.METRONOME:
        return _between_clicks(conditioning[:, METRONOME_ROW], sample_rate)
    turns = torch.atan2(conditioning[:, LINE_ROW], conditioning[:, LINE_ROW + 1]) / (2.0 * torch.pi)
    before, after = turns[:, :-1], turns[:, 1:]
    crossed = (before < 0.0) & (after >= 0.0) & (after - before < 0.5)
    at = torch.arange(samples - 1, device=turns.device) + before / (before - after).clamp(max=-1e-9)
    return _listed(crossed, at, sample_rate)


def beat_seconds(conditioning: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """[batch], the mean length of a beat."""
    turns = torch.atan2(conditioning[:, BEAT_ROW], conditioning[:, BEAT_ROW + 1]) / (2.0 * torch.pi)
    steps = torch.remainder(turns[:, 1:] - turns[:, :-1], 1.0)
    return 1.0 / (steps.mean(dim=-1) * sample_rate)


def awaited(places: torch.Tensor, strokes: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """When the stroke that leads each line was played, [batch, lines] in samples; NaN where none was.

    Args:
        places: [batch, lines] of :func:`line_places`.
        strokes: [batch, strokes, 3]: performed and target in samples, and 1 where the stroke leads its line; NaN where
            a row has fewer.
        sample_rate: In hertz.
    """
    performed, target, leads = strokes.unbind(dim=-1)
    apart = (places[:, :, None] - target[:, None, :]).abs()
    apart = torch.where((leads[:, None, :] > 0.5) & apart.isfinite(), apart, torch.inf)
    nearest, which = apart.min(dim=-1)
    return performed.gather(1, which).masked_fill(nearest > SAME_LINE_SECONDS * sample_rate, torch.nan)


def _between_clicks(clicks: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Every click and the lines between it and the next one, up to which all are evenly spaced."""
    quiet = round(0.05 * sample_rate)
    loud = (clicks.abs() > LEAST_CLICK).to(clicks.dtype)
    heard = torch.nn.functional.max_pool1d(torch.nn.functional.pad(loud, (quiet, 0)), quiet, 1)[:, : clicks.shape[1]]
    at = torch.arange(clicks.shape[1], device=clicks.device).expand_as(clicks)
    starts = _listed((loud > 0.0) & (heard == 0.0), at, sample_rate)
    lengths = starts[:, 1:] - starts[:, :-1]
    shares = torch.arange(LINES_PER_CLICK, device=clicks.device) / LINES_PER_CLICK
    lines = (starts[:, :-1, None] + lengths[:, :, None] * shares).flatten(1)
    return lines if lines.shape[1] else starts


def _listed(marked: torch.Tensor, values: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """The values where marked, row by row to the front, [batch, most]; NaN behind."""
    number = marked.cumsum(dim=1) - 1
    most = marked.shape[1] // round(CLOSEST_LINES_SECONDS * sample_rate) + 1
    if not torch.compiler.is_exporting():
        most = max(1, min(most, int(number[:, -1].max()) + 1))
    out = values.new_full((len(marked), most + 1), torch.nan, dtype=torch.float32)
    at = torch.where(marked, number, most).clamp(max=most)
    return out.scatter(1, at, values.to(torch.float32).expand_as(at))[:, :most]
