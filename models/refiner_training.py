"""Train the refiner, and choose how sure it must be."""

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import nn

from beatnet_align.hit_refiner import REFINER_RATE_HZ, decode
from beatnet_align.units import FloatArray
from models.optimisation import one_cycle
from models.refiner import Refiner
from models.refiner_data import Windowed

FAR_MS = 1.0
"""The threshold is chosen so that most hits end up no further off than this."""

WARM_UP = 0.15
"""Share of the steps in which the rate rises."""

UNREACHABLE = 2.0
"""A threshold that no probability reaches: nothing is refined."""


def choose_threshold(confidence: FloatArray, coarse_ms: FloatArray, refined_ms: FloatArray) -> float:
    """The threshold with which most hits end up within ``FAR_MS``; of equally good ones the highest.

    Args:
        confidence: [hits].
        coarse_ms: [hits], errors of the estimates.
        refined_ms: [hits], what would be left after refining.
    """
    if not len(confidence):
        return UNREACHABLE
    order = np.argsort(-confidence, kind="stable")
    gains = (np.abs(refined_ms) <= FAR_MS).astype(np.int64) - (np.abs(coarse_ms) <= FAR_MS)
    gained = np.cumsum(gains[order])
    ends = np.append(np.diff(confidence[order]) < 0.0, True)  # those as sure as each other are refined together
    best = int(np.argmax(np.where(ends, gained, np.iinfo(np.int64).min)))
    return float(confidence[order[best]]) if gained[best] > 0 else UNREACHABLE


def timing_figures(coarse_ms: FloatArray, refined_ms: FloatArray, replaced: npt.NDArray[np.bool_]) -> dict[str, float]:
    """How well hits are timed before and after.

    Args:
        coarse_ms: [hits], errors of the estimates.
        refined_ms: [hits], errors after refining every one.
        replaced: [hits], which to refine.

    Returns:
        Median and 95th percentile, and the shares within 0.5 and 1 ms, of the estimates (``coarse_``), of all refined
        (``always_``) and of refining where that is sure (no prefix); the share refined and what of that is far off.
    """
    figures = {}
    for name, errors_ms in (
        ("coarse_", coarse_ms),
        ("always_", refined_ms),
        ("", np.where(replaced, refined_ms, coarse_ms)),
    ):
        size_ms = np.abs(errors_ms)
        figures[f"{name}median_ms"] = float(np.median(size_ms))
        figures[f"{name}p95_ms"] = float(np.quantile(size_ms, 0.95))
        figures[f"{name}within_half_ms"] = float((size_ms <= 0.5).mean())
        figures[f"{name}within_1_ms"] = float((size_ms <= 1.0).mean())
    of_refined_ms = np.abs(refined_ms[replaced])
    figures["refined_share"] = float(replaced.mean())
    figures["refined_far_share"] = float((of_refined_ms > FAR_MS).mean()) if replaced.any() else 0.0
    figures["refined_median_ms"] = float(np.median(of_refined_ms)) if replaced.any() else 0.0
    return figures


class RefinerTraining(pl.LightningModule):
    """Cross-entropy against where the hit begins; the threshold is chosen after every validation and kept.

    Args:
        channels: Of :class:`~models.refiner.Refiner`.
        learning_rate: Its peak, in a single cycle.
        weight_decay: Of AdamW.
    """

    threshold: torch.Tensor

    def __init__(self, channels: int = 32, learning_rate: float = 4e-3, weight_decay: float = 1e-2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.network = Refiner(channels)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.register_buffer("threshold", torch.tensor(UNREACHABLE, dtype=torch.float64))
        self._heard: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """See :class:`~models.refiner.Refiner`."""
        logits: torch.Tensor = self.network(windows)
        return logits

    def training_step(self, batch: Windowed, _index: int) -> torch.Tensor:
        """One batch."""
        loss = self._loss(self(batch.windows), batch)
        self.log("train_loss", loss, batch_size=len(batch.windows))
        return loss

    def validation_step(self, batch: Windowed, _index: int) -> None:
        """Keep what the figures need."""
        self._listen("validation_loss", batch)

    def test_step(self, batch: Windowed, _index: int) -> None:
        """Keep what the figures need."""
        self._listen("test_loss", batch)

    def on_validation_epoch_end(self) -> None:
        """Choose the threshold and log the figures."""
        onsets_ms, offsets_ms, confidence = self._figures_of_hits()
        self.threshold.fill_(choose_threshold(confidence, -onsets_ms, offsets_ms - onsets_ms))
        self._log_figures(onsets_ms, offsets_ms, confidence)
        self.log("threshold", float(self.threshold))

    def on_test_epoch_end(self) -> None:
        """Log the figures at the threshold that validation chose."""
        self._log_figures(*self._figures_of_hits())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; one cycle over the whole training."""
        return one_cycle(self, self.learning_rate, self.weight_decay, WARM_UP)

    def _loss(self, logits: torch.Tensor, batch: Windowed) -> torch.Tensor:
        return nn.functional.cross_entropy(logits.float(), batch.target)

    def _listen(self, name: str, batch: Windowed) -> None:
        logits = self(batch.windows)
        self.log(name, self._loss(logits, batch), batch_size=len(batch.windows))
        labelled = batch.is_reference.cpu().numpy()
        self._heard.append((logits.float().cpu().numpy()[labelled], batch.onset_samples.cpu().numpy()[labelled]))

    def _figures_of_hits(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """True and found onset from the estimate, in milliseconds, and confidence, [hits] each."""
        logits, onsets = (np.concatenate(part) for part in zip(*self._heard, strict=True))
        self._heard.clear()
        offsets, confidence = decode(logits)
        per_ms = REFINER_RATE_HZ / 1000.0
        return onsets / per_ms, offsets / per_ms, confidence

    def _log_figures(self, onsets_ms: FloatArray, offsets_ms: FloatArray, confidence: FloatArray) -> None:
        figures = timing_figures(-onsets_ms, offsets_ms - onsets_ms, confidence >= float(self.threshold))
        self.log_dict(figures)
