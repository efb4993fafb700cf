"""How every network of the lab is optimised: AdamW, its rate in one cycle over the whole training."""

from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR


def one_cycle(
    module: LightningModule, learning_rate: float, weight_decay: float, warm_up: float
) -> OptimizerLRScheduler:
    """Optimiser and schedule (Smith and Topin 2018) for a module that a trainer holds.

    Args:
        module: Whose parameters.
        learning_rate: At the top of the cycle.
        weight_decay: Of AdamW.
        warm_up: Share of the steps in which the rate rises.
    """
    optimiser = AdamW(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
    steps = int(module.trainer.estimated_stepping_batches)
    schedule = OneCycleLR(optimiser, learning_rate, total_steps=steps, pct_start=warm_up)
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
