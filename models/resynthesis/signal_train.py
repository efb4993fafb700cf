"""SignalTrain (Colburn and Hawley 2019) for today's PyTorch: a learned STFT, and an autoencoder over a fixed window.

Kept: the analysis that begins as a short-time Fourier transform and is learned, the autoencoder that mixes the frames
of a whole window, its skip connection, the learned synthesis. The published one mixes the frames of every clip by the
same weights, so it cannot delay one clip more than the next. Here the network also says by how much this clip is to be
delayed, as a distribution over delays: how well each of them brings what may be a stroke to what may be a line, and
what the autoencoder's narrowest place thinks of it. Frames are mixed by that.
"""

import torch
from torch import nn
from torch.nn.functional import conv1d, conv_transpose1d, pad
from typing_extensions import override

from models.resynthesis.conditioning import LINE_ROW, METRONOME_ROW, Told
from models.resynthesis.interface import Resynthesis

WINDOW_SECONDS = 0.340
KERNEL_SAMPLES, HOP_SAMPLES = 64, 8
BANDS = KERNEL_SAMPLES // 2 + 1
FRAMES_PER_STEP = 8
"""The autoencoder keeps the means of so many frames."""

LISTEN_WIDTH = 24
FIRST_LINE_LOGIT = 60.0

MOST_DELAY_SECONDS = 0.100
FLOOR, LEVEL_DECADES = 1e-9, 3.0
"""Of powers, and how many powers of ten of them are one unit of what is heard."""


class SignalTrain(Resynthesis):
    """The network. Takes longer than a window are written in windows that overlap by half.

    Args:
        sample_rate: In hertz.
        told: Which rows it is given.
        hidden: Width of the autoencoder's layers.
        bottleneck: Its narrowest width.
        delays: Whether the bottleneck delays the window; without, frames are mixed by the same weights in every clip.
    """

    coverage: torch.Tensor

    def __init__(
        self,
        sample_rate: int = 22_050,
        told: Told = Told.BOTH,
        hidden: int = 256,
        bottleneck: int = 64,
        *,
        delays: bool = True,
    ) -> None:
        super().__init__(sample_rate)
        self.told = told
        self.steps = -(-round(WINDOW_SECONDS * sample_rate) // (HOP_SAMPLES * FRAMES_PER_STEP))
        self.frames = self.steps * FRAMES_PER_STEP
        self.window = self.frames * HOP_SAMPLES
        basis = windowed_fourier_basis()
        self.analysis, self.synthesis = nn.Parameter(basis[:, None].clone()), nn.Parameter(basis[:, None].clone())
        ones = torch.ones(1, 1, self.frames)
        self.register_buffer("coverage", self._laid(ones, torch.hann_window(KERNEL_SAMPLES).square()[None, None]))
        self.listen = nn.Sequential(
            nn.Conv1d(BANDS + len(told.rows), 32, 5, padding=2),
            nn.PReLU(32),
            nn.Conv1d(32, LISTEN_WIDTH, 5, padding=4, dilation=2),
            nn.PReLU(LISTEN_WIDTH),
        )
        self.encode = nn.Sequential(
            nn.Linear(LISTEN_WIDTH * self.steps, hidden), nn.PReLU(), nn.Linear(hidden, bottleneck), nn.PReLU()
        )
        self.stroke = nn.Conv1d(LISTEN_WIDTH, 1, 5, padding=2)
        self.line = nn.Conv1d(len(told.rows), 1, 5, padding=2)
        # Lines begin as the click or the phase says, or neither strokes nor lines would have anything to learn from.
        sharp = METRONOME_ROW if METRONOME_ROW in told.rows else LINE_ROW + 1
        if sharp in told.rows:
            nn.init.constant_(self.line.weight[0, told.rows.index(sharp), 2], FIRST_LINE_LOGIT)
        self.reach = round(MOST_DELAY_SECONDS * sample_rate / HOP_SAMPLES)
        self.delay = (
            nn.Sequential(nn.Linear(bottleneck, hidden), nn.PReLU(), nn.Linear(hidden, 2 * self.reach + 1))
            if delays
            else None
        )
        self.enter, self.told_mix = nn.Linear(self.frames, hidden), nn.Linear(bottleneck, hidden)
        self.mix = nn.Sequential(nn.PReLU(), nn.Linear(hidden, self.frames))
        for parameter in self.mix[-1].parameters():
            nn.init.zeros_(parameter)

    @property
    @override
    def context_samples(self) -> tuple[int, int]:
        return self.window, self.window

    @property
    @override
    def step_samples(self) -> int:
        return self.window // 2

    @override
    def forward(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        samples, told = audio.shape[-1], self.told.choose(conditioning)
        if samples <= self.window:
            more = self.window - samples
            return self._write(pad(audio, (0, more)), pad(told, (0, more), mode="replicate"))[..., :samples]
        half = self.window // 2
        count = -(-samples // half) + 1
        around = (half, count * half - samples)
        windows = pad(audio, around).unfold(-1, self.window, half)
        rows = pad(told, around, mode="replicate").unfold(-1, self.window, half)
        written = self._write(windows.transpose(1, 2).flatten(0, 1), rows.transpose(1, 2).flatten(0, 1))
        faded = written * torch.hann_window(self.window, dtype=audio.dtype, device=audio.device)
        halves = faded.reshape(len(audio), count, audio.shape[1], 2, half)
        summed: torch.Tensor = halves[:, 1:, :, 0] + halves[:, :-1, :, 1]
        return summed.transpose(1, 2).flatten(2)[..., :samples]

    def delay_logits(self, audio: torch.Tensor, conditioning: torch.Tensor) -> torch.Tensor:
        """How likely each delay is, [batch, delays] for takes of a window at most; the middle one is none.

        Raises:
            ValueError: The network has no delays.
        """
        more = self.window - audio.shape[-1]
        told = pad(self.told.choose(conditioning), (0, more), mode="replicate")
        heard = self._analysed(pad(audio, (0, more)))
        return self._delays(*self._encoded(heard, told), told)

    def _analysed(self, audio: torch.Tensor) -> torch.Tensor:
        """[batch, channels, coefficients, frames] of [batch, channels, window]."""
        margin = (KERNEL_SAMPLES - HOP_SAMPLES) // 2
        rows = pad(audio.flatten(0, 1)[:, None], (margin, margin))
        return conv1d(rows, self.analysis, stride=HOP_SAMPLES).reshape(*audio.shape[:2], -1, self.frames)

    def _delays(self, listened: torch.Tensor, code: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        if self.delay is None:
            raise ValueError("this network mixes frames by fixed weights and knows no delays")
        lines = self.line(frame_means(told))[:, 0].softmax(dim=-1)
        logits: torch.Tensor = self.delay(code) + matches(lines, self.stroke(listened)[:, 0], self.reach)
        return logits

    def _write(self, audio: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """One window, [batch, channels, window] and [batch, rows, window]."""
        heard = self._analysed(audio)
        listened, code = self._encoded(heard, told)
        heard = heard.flatten(0, 1)
        mixed = self.mix(self.enter(heard) + self.told_mix(code).repeat_interleave(audio.shape[1], 0)[:, None])
        if self.delay is not None:
            chances = self._delays(listened, code, told).softmax(dim=-1)
            heard = delayed(heard, chances.repeat_interleave(audio.shape[1], 0))
        return (self._laid(heard + mixed, self.synthesis) / self.coverage).view_as(audio)

    def _encoded(self, heard: torch.Tensor, told: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What is heard of a take, [batch, width, frames], and what its bottleneck keeps of it, [batch, bottleneck].

        Args:
            heard: [batch, channels, coefficients, frames].
            told: [batch, rows, window].
        """
        power = heard.square().mean(dim=1)
        power = power[:, :BANDS] + pad(power[:, BANDS:], (0, 0, 1, 1))
        levels = torch.log10(power + FLOOR)
        levels = (levels - levels.amax(dim=(1, 2), keepdim=True)) / LEVEL_DECADES + 1.0
        listened: torch.Tensor = self.listen(torch.cat([levels, frame_means(told)], dim=1))
        steps = listened.reshape(*listened.shape[:2], self.steps, FRAMES_PER_STEP).mean(dim=-1)
        return listened, self.encode(steps.flatten(1))

    @staticmethod
    def _laid(frames: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """Frames over each other: [rows, 1, window] of [rows, coefficients, frames]."""
        margin = (KERNEL_SAMPLES - HOP_SAMPLES) // 2
        return conv_transpose1d(frames, kernel, stride=HOP_SAMPLES, padding=margin)


def windowed_fourier_basis() -> torch.Tensor:
    """Square, of KERNEL_SAMPLES: the cosines of an orthonormal Fourier basis, then its sines, under a Hann window."""
    n = torch.arange(KERNEL_SAMPLES)
    turns = 2.0 * torch.pi * torch.arange(BANDS)[:, None] * n / KERNEL_SAMPLES
    rows = torch.cat([turns.cos(), turns[1:-1].sin()])
    out: torch.Tensor = torch.hann_window(KERNEL_SAMPLES) * rows / rows.norm(dim=1, keepdim=True)
    return out


def frame_means(told: torch.Tensor) -> torch.Tensor:
    """[batch, rows, frames] of [batch, rows, window]."""
    return told.reshape(*told.shape[:2], -1, HOP_SAMPLES).mean(dim=-1)


def matches(lines: torch.Tensor, strokes: torch.Tensor, reach: int) -> torch.Tensor:
    """How well each delay of up to ``reach`` either way brings strokes to lines, [batch, delays] of [batch, frames]."""
    length = transform_length(lines.shape[-1] + reach)
    spectrum = torch.fft.rfft(lines, n=length) * torch.fft.rfft(strokes, n=length).conj()
    fits: torch.Tensor = torch.fft.irfft(spectrum, n=length).roll(reach, dims=-1)
    return fits[..., : 2 * reach + 1]


def transform_length(least: int) -> int:
    """A power of two, which transforms are quick at."""
    return 1 << (least - 1).bit_length()


def delayed(heard: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
    """The mean of all delays of [rows, coefficients, frames], weighed by [rows, delays]; the middle one is none."""
    frames, delays = heard.shape[-1], chances.shape[-1]
    length = transform_length(frames + delays)
    spectrum = torch.fft.rfft(heard, n=length) * torch.fft.rfft(chances, n=length)[:, None]
    moved: torch.Tensor = torch.fft.irfft(spectrum, n=length)
    return moved[..., delays // 2 : delays // 2 + frames]
