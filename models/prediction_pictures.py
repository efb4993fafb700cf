"""Pictures of what HitNet says of validation takes, beside what is true: drawn whenever training validates."""

from pathlib import Path

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from beatnet_align.hit_decoding import sigmoid
from beatnet_align.hit_features import CENTRE_DB, FRAME_SECONDS, LEVEL_FEATURES, SCALE_DB
from beatnet_align.hit_outputs import GROUP, HIT, PIECE_GROUPS
from models.hitnet_data import Batch
from models.hitnet_training import HitNetTraining, take_onsets, target_onsets


class PredictionPictures(Callback):
    """Draws some validation takes into the folder of the run's log.

    Args:
        takes: Indices of the takes in the validation data.
        seconds: How much of each is drawn, from its start.
    """

    def __init__(self, takes: tuple[int, ...] = (0, 20, 40), seconds: float = 6.0) -> None:
        self.takes, self.frames = takes, round(seconds / FRAME_SECONDS)
        self._batches: dict[int, Batch] = {}

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if dataloader_idx == 0 and batch_idx in self.takes and trainer.is_global_zero:
            self._batches[batch_idx] = batch

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, HitNetTraining)
        if trainer.log_dir is None or trainer.sanity_checking:
            return
        for index, batch in self._batches.items():
            with torch.inference_mode():
                take, _ = pl_module.net(batch.features, batch.roles, batch.present)
            folder = Path(trainer.log_dir) / "pictures"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"step-{trainer.global_step:06d}-take-{index}.png"
            draw_predictions(batch, take[0].float().cpu().numpy(), self.frames, path)
        self._batches.clear()


def draw_predictions(
    batch: Batch, take: np.ndarray[tuple[int, int], np.dtype[np.float32]], frames: int, path: Path
) -> None:
    """Levels of all channels, probabilities of hits and of pieces; true onsets as lines, found ones as triangles.

    Args:
        batch: Of one take.
        take: [TAKE_ROWS, frames].
        frames: How many are drawn.
        path: A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only where pictures are drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    levels_db = batch.features[0, :, :frames, :LEVEL_FEATURES].amax(dim=-1).cpu().numpy() * SCALE_DB + CENTRE_DB
    seconds = np.arange(levels_db.shape[1]) * FRAME_SECONDS
    extent = (0.0, float(seconds[-1]))
    true = target_onsets(batch.targets["hit_offset"][0].cpu().numpy())
    found = take_onsets(take)
    figure = Figure(figsize=(14, 7), layout="constrained")
    FigureCanvasAgg(figure)
    above, middle, below = figure.subplots(3, 1, sharex=True)
    above.imshow(levels_db, aspect="auto", extent=(*extent, len(levels_db), 0), vmin=-60, vmax=0, cmap="magma")
    above.set_ylabel("channel")
    above.set_title("level of each channel, dB under its loudest")
    middle.vlines(true[true < extent[1]], 0.0, 1.0, color="tab:green", linewidth=1, label="true")
    middle.plot(seconds, sigmoid(take[HIT, :frames]), color="tab:blue", linewidth=1, label="probability of a hit")
    inside = found[found < extent[1]]
    middle.plot(inside, np.full(len(inside), 1.04), "v", color="tab:red", markersize=4, label="found")
    middle.legend(loc="upper right", ncols=3, fontsize=8)
    below.imshow(sigmoid(take[GROUP, :frames]), aspect="auto", extent=(*extent, len(PIECE_GROUPS), 0), vmin=0, vmax=1)
    below.set_yticks(np.arange(len(PIECE_GROUPS)) + 0.5, list(PIECE_GROUPS))
    below.set_xlabel("seconds")
    figure.savefig(path, dpi=90)
