"""The trained networks that are compared: found by their configurations, trained where they are not yet, loaded."""

from dataclasses import dataclass
from math import ceil, gcd
from pathlib import Path

import numpy as np
import torch
from pytorch_lightning.callbacks import Timer

from beatnet_align.conditioning import conditioning_rows
from beatnet_align.errors import InputError
from beatnet_align.resampling import resampled
from beatnet_align.resynthesis import resynthesised
from beatnet_align.take import Audio
from models.export_resynthesis import in_torch
from models.resynthesis.held_out import HeldOutTake
from models.resynthesis.interface import Resynthesis
from models.runs import CHECKPOINTS_NAME, load_network

BEST_NAME, LAST_NAME = "best.ckpt", "last.ckpt"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trained network.

    Attributes:
        name: Of its run.
        net: In evaluation mode.
        training_minutes: NaN where the run kept no time.
    """

    name: str
    net: Resynthesis
    training_minutes: float

    @property
    def facts(self) -> dict[str, float]:
        """What can be told of it before it has heard anything."""
        return {
            "parameters": float(sum(one.numel() for one in self.net.parameters())),
            "context_seconds": sum(self.net.context_samples) / self.net.sample_rate,
            "training_minutes": self.training_minutes,
        }

    def write(self, held: HeldOutTake) -> Audio:
        """What it makes of a take, [channels, samples], by the effect's own road."""
        network = in_torch(self.net, self.name)
        return np.concatenate(list(resynthesised(held.take, network, held.tempo_map, held.grid)), axis=1)


def network_inputs(net: Resynthesis, held: HeldOutTake) -> tuple[torch.Tensor, torch.Tensor]:
    """A take at a network's rate and what it is told, [1, channels, samples] and [1, rows, samples]."""
    common = gcd(net.sample_rate, held.take.sample_rate)
    up, down = net.sample_rate // common, held.take.sample_rate // common
    samples = ceil(held.take.samples * up / down)
    audio = resampled(held.take.read, up, down, 0, samples).astype(np.float32)
    rows = conditioning_rows(held.tempo_map, held.grid, 1.0, net.sample_rate, 0, samples)
    return torch.from_numpy(audio)[None], torch.from_numpy(rows)[None]


def run_folder(config: Path) -> Path:
    """Where a configuration's training leaves its log and checkpoints; a folder is its own.

    Raises:
        InputError: It cannot be read or does not say.
    """
    if config.is_dir():
        return config
    import yaml  # noqa: PLC0415 - only where a file is read

    try:
        return Path(yaml.safe_load(config.read_text(encoding="utf-8"))["trainer"]["logger"]["init_args"]["save_dir"])
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise InputError(f"{config} does not say where its training goes: {' '.join(str(error).split())}") from error


def is_trained(run: Path) -> bool:
    """Whether a run has left weights."""
    return (run / CHECKPOINTS_NAME / BEST_NAME).is_file()


def train(config: Path) -> None:
    """Train a configuration as ``python -m models.train fit`` does."""
    import subprocess  # noqa: PLC0415 - seldom needed
    import sys  # noqa: PLC0415

    done = subprocess.run([sys.executable, "-m", "models.train", "fit", "--config", str(config)], check=False)
    if done.returncode:
        raise InputError(f"the training of {config} failed with status {done.returncode}; its own messages say why")


def load_candidate(run: Path) -> Candidate:
    """The network of a run.

    Raises:
        InputError: The folder holds no trained network of this kind.
    """
    net = load_network(run, Resynthesis)  # type: ignore[type-abstract] # any candidate will do
    return Candidate(run.resolve().name, net, training_minutes(run))


def training_minutes(run: Path) -> float:
    """How long a run has trained, as Lightning's timer kept it in the last checkpoint; NaN where it did not."""
    path = run / CHECKPOINTS_NAME / LAST_NAME
    if not path.is_file():
        return np.nan
    kept = torch.load(path, map_location="cpu", weights_only=False)["callbacks"].get(Timer.__qualname__)
    return np.nan if kept is None else float(kept["time_elapsed"]["train"]) / 60.0
