"""What the finders of strokes hear, as tensors: fine levels of signal and differences, and mel bands, frame by frame.

The shapes are those of :mod:`beatnet_align.hit_features`. Levels count against the channel's own level around them,
not against that of the whole take, so that no frame depends on what is far away.
"""

import torch
from torch.nn.functional import avg_pool1d, pad

BLOCK_SAMPLES, BLOCKS_PER_FRAME = 16, 8
FRAME_SAMPLES = BLOCK_SAMPLES * BLOCKS_PER_FRAME
"""5.8 ms at 22.05 kHz."""

WINDOW_SAMPLES, BANDS = 512, 32
FEATURES = 3 * BLOCKS_PER_FRAME + BANDS
LOWEST_HZ = 40.0
LEVEL_REACH_FRAMES = 172
"""The level around a frame is the mean over a second to either side."""

CLICK_GAIN = 4.0
FLOOR = 1e-10
SCALE_DB = 20.0


def line_features(audio: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Features of every channel, [rows, FEATURES, frames] of [rows, samples]; the last frame is filled up."""
    frames = _frames(audio)
    signal = pad(audio, (0, frames * FRAME_SAMPLES - audio.shape[-1]))
    rows = []
    difference = signal
    for _ in range(3):
        power = difference.square().reshape(-1, frames, BLOCKS_PER_FRAME, BLOCK_SAMPLES).mean(dim=-1)
        rows.append(power.transpose(1, 2))
        difference = difference - pad(difference[:, :-1], (1, 0))
    beyond = (WINDOW_SAMPLES - FRAME_SAMPLES) // 2
    windows = pad(signal, (beyond, beyond)).unfold(-1, WINDOW_SAMPLES, FRAME_SAMPLES)
    window = torch.hann_window(WINDOW_SAMPLES, dtype=audio.dtype, device=audio.device)
    spectrum = torch.view_as_real(torch.fft.rfft(windows * window * (2.0 / window.sum())))
    rows.append((spectrum.square().sum(dim=-1) @ mel_filters(sample_rate).to(audio)).transpose(1, 2))
    levels_db = 10.0 * torch.log10(torch.cat(rows, dim=1).clamp(min=FLOOR))
    fine_db = levels_db[:, :BLOCKS_PER_FRAME].mean(dim=1, keepdim=True)
    around = avg_pool1d(fine_db, 2 * LEVEL_REACH_FRAMES + 1, 1, padding=LEVEL_REACH_FRAMES, count_include_pad=False)
    return (levels_db - around) / SCALE_DB


def grid_frames(conditioning: torch.Tensor) -> torch.Tensor:
    """What a frame is told of the grid, [batch, rows, frames] of [batch, rows, samples]; of the metronome its level."""
    rows = torch.cat([CLICK_GAIN * conditioning[:, :1].abs(), conditioning[:, 1:]], dim=1)
    more = _frames(rows) * FRAME_SAMPLES - rows.shape[-1]
    return avg_pool1d(pad(rows, (0, more), mode="replicate"), FRAME_SAMPLES)


def _frames(signal: torch.Tensor) -> int:
    """How many it fills, the last one in part; one way of counting for all, or an exported graph would see two."""
    return (signal.shape[-1] + FRAME_SAMPLES - 1) // FRAME_SAMPLES


def mel_filters(sample_rate: int) -> torch.Tensor:
    """[bins, BANDS], triangles evenly spaced in mel (O'Shaughnessy: 2595 log10(1 + f / 700)), a bin wide or more."""
    highest = 2595.0 * torch.log10(torch.tensor(1.0 + 0.95 * sample_rate / 2.0 / 700.0))
    lowest = 2595.0 * torch.log10(torch.tensor(1.0 + LOWEST_HZ / 700.0))
    edges_hz = 700.0 * (10.0 ** (torch.linspace(float(lowest), float(highest), BANDS + 2) / 2595.0) - 1.0)
    bin_hz = sample_rate / WINDOW_SAMPLES
    bins_hz = torch.arange(WINDOW_SAMPLES // 2 + 1)[:, None] * bin_hz
    low, middle, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz - low) / (middle - low).clamp(min=bin_hz)
    falling = (high - bins_hz) / (high - middle).clamp(min=bin_hz)
    rising = torch.where(middle - low < bin_hz, 1.0 - (middle - bins_hz) / bin_hz, rising)
    falling = torch.where(high - middle < bin_hz, 1.0 - (bins_hz - middle) / bin_hz, falling)
    return torch.minimum(rising, falling).clamp(min=0.0)
