"""Export a trained HitNet for the effect: the network as ONNX, its thresholds and calibration as metadata.

python -m models.export RUN [RUN ...] --pool POOL -o beatnet_align/weights/hitnet.onnx
"""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from typing_extensions import override

from beatnet_align.hit_decoding import Thresholds, decode
from beatnet_align.hit_features import FEATURES
from beatnet_align.hit_outputs import GROUP_OF_PIECE, PIECES
from beatnet_align.hitnet import CHANNELS_NAME, DECODING_NAME, FEATURES_NAME, ROLES_NAME, TAKE_NAME, Decoding
from beatnet_align.hits import Piece
from datagen.commands import exit_status
from datagen.config import Split
from models.hit_pool import HitPool
from models.hitnet import HitNet
from models.hitnet_data import WholeTakes
from models.hitnet_training import f_measure, take_onsets, target_onsets, without_ignored
from models.leaner import leaner
from models.onnx_files import forget_sources, write_whole
from models.onset_figures import merged
from models.runs import load_average

TRIED_THRESHOLDS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
TRIED_SOON_FRAMES = (8.0, 12.0, 20.0, 28.0)
"""46 to 163 ms."""
TOLERANCE_SECONDS, TOLERANCE_FRAMES = 0.005, 4.0
OPEN = Thresholds(0.05, 0.05, 0.05)
OPSET = 18


class _OneTake(nn.Module):
    """The network for one take at a time, all channels there: what the effect asks for."""

    def __init__(self, net: HitNet) -> None:
        super().__init__()
        self.net = net

    @override
    def forward(self, features: torch.Tensor, roles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        take, channels = self.net(features[None], roles[None])
        return take[0], channels[0]


@dataclass(frozen=True, eq=False)
class ValidationOutputs:
    """What the network said of a validation take and what was true.

    Attributes:
        take, channels: As HitNet gives them, without the batch.
        onsets_seconds: Of audible hits.
        weight: [frames], 0 around inaudible ones.
        onset_frames, pieces: Of all hits.
    """

    take: npt.NDArray[np.float32]
    channels: npt.NDArray[np.float32]
    onsets_seconds: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float32]
    onset_frames: npt.NDArray[np.float32]
    pieces: npt.NDArray[np.int64]

    def f_measure(self, thresholds: Thresholds) -> float:
        """At ±5 ms, inaudible hits left out."""
        found = without_ignored(take_onsets(self.take, thresholds), self.weight)
        return f_measure(merged(self.onsets_seconds), merged(found), TOLERANCE_SECONDS)

    @property
    def groups(self) -> npt.NDArray[np.int64]:
        """[hits], index of each one's piece group."""
        return np.array([GROUP_OF_PIECE[PIECES[piece]] for piece in self.pieces], np.int64)

    def group_counts(self, thresholds: Thresholds) -> npt.NDArray[np.int64]:
        """How many hits of the right group were found, how many were found, and how many there are."""
        found = [hit for hit in decode(self.take, self.channels, thresholds) if hit.piece is not Piece.UNKNOWN]
        onsets, groups = np.array([hit.onset_frames for hit in found]), np.array([hit.group for hit in found])
        near = np.abs(onsets[:, None] - self.onset_frames) < TOLERANCE_FRAMES
        right = near & (groups[:, None] == self.groups)
        return np.array([right.any(axis=1).sum(), len(found), len(self.pieces)])


def export_hitnet(net: HitNet, decoding: Decoding, path: Path) -> None:
    """Write the network as ONNX, channels and frames dynamic, with its decoding.

    Args:
        net: Trained; what is written computes the same, see :func:`~models.leaner.leaner`.
        decoding: Goes into the file's metadata.
        path: Replaced whole.
    """
    import onnx  # noqa: PLC0415 - the lab's slower imports wait until they are needed

    example = (torch.zeros(3, 200, FEATURES), torch.zeros(3, dtype=torch.int64))
    channels, frames = torch.export.Dim("channels", min=1, max=64), torch.export.Dim("frames", min=1, max=1 << 20)
    program = torch.onnx.export(
        _OneTake(leaner(net)).eval(),
        example,
        dynamo=True,
        dynamic_shapes=({0: channels, 1: frames}, {0: channels}),
        input_names=[FEATURES_NAME, ROLES_NAME],
        output_names=[TAKE_NAME, CHANNELS_NAME],
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {DECODING_NAME: decoding.to_json()})
    forget_sources(model)
    write_whole(path, model.SerializeToString())


def fit_decoding(outputs: list[ValidationOutputs]) -> Decoding:
    """Choose the thresholds with the best F-measure at ±5 ms, and for how long the stricter one holds; calibrate.

    Args:
        outputs: Of validation takes.
    """

    def mean_f(thresholds: Thresholds) -> float:
        return float(np.mean([one.f_measure(thresholds) for one in outputs]))

    best = max((Thresholds(hit=tried, hit_after=tried) for tried in TRIED_THRESHOLDS), key=mean_f)
    stricter = [
        replace(best, hit_after=tried, soon_frames=soon)
        for soon in TRIED_SOON_FRAMES
        for tried in TRIED_THRESHOLDS
        if tried >= best.hit
    ]
    best = max(stricter, key=mean_f)
    best = max((replace(best, group=tried) for tried in TRIED_THRESHOLDS), key=lambda tried: _group_f(outputs, tried))
    hit_pairs, group_pairs = [], []
    for one in outputs:
        for hit in decode(one.take, one.channels, OPEN):
            near = np.abs(one.onset_frames - hit.onset_frames) < TOLERANCE_FRAMES
            hit_pairs.append((hit.hit_logit, bool(near.any())))
            group_pairs.append((hit.group_logit, bool((near & (one.groups == hit.group)).any())))
    return Decoding(best, platt(hit_pairs), platt(group_pairs))


def _group_f(outputs: list[ValidationOutputs], thresholds: Thresholds) -> float:
    """F-measure of hits with their piece groups, all takes together; precision counts twice as much as recall.

    A piece too many is worse than one too few: it is a hit that nobody played, where another one is already found.
    """
    right, found, true = np.sum([one.group_counts(thresholds) for one in outputs], axis=0)
    return float(1.25 * right / max(found + 0.25 * true, 1))


def platt(pairs: list[tuple[float, bool]]) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of being right on the logit (Platt 1999).

    Args:
        pairs: Logit, and whether that was right.
    """
    from scipy.optimize import minimize  # noqa: PLC0415

    logits = np.array([one for one, _ in pairs])
    signs = np.where([right for _, right in pairs], 1.0, -1.0)

    def loss(weights: npt.NDArray[np.float64]) -> float:
        return float(np.logaddexp(0.0, -signs * (weights[0] * logits + weights[1])).mean())

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return float(slope), float(intercept)


def validation_outputs(net: HitNet, pool: HitPool) -> list[ValidationOutputs]:
    """What a network says of every take of a pool, stems and mono mixes."""
    outputs = []
    for mono in (False, True):
        takes = WholeTakes(pool, mono=mono)
        for i in range(len(takes)):
            batch, labels = takes[i], pool[i].labels
            with torch.inference_mode():
                take, channels = net(batch.features, batch.roles, batch.present)
            true, weight = target_onsets(batch.targets["hit_offset"][0].numpy()), batch.targets["hit_weight"][0].numpy()
            outputs.append(
                ValidationOutputs(take[0].numpy(), channels[0].numpy(), true, weight, labels.onset_frames, labels.piece)
            )
    return outputs


def main() -> int:
    """Run the command line; 0, or 2 where the input was the problem."""
    parser = argparse.ArgumentParser(prog="python -m models.export", description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        help="folder of the run's log, with config.yaml and checkpoints/; the weights of several are averaged",
    )
    parser.add_argument("--pool", type=Path, required=True, help="its validation takes set thresholds and calibration")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .onnx file")
    return exit_status(_run, parser.parse_args())


def _run(chosen: argparse.Namespace) -> None:
    net = load_average(chosen.runs, HitNet)
    decoding = fit_decoding(validation_outputs(net, HitPool(chosen.pool, Split.VALIDATION)))
    export_hitnet(net, decoding, chosen.out)
    print(f"{chosen.out}: {decoding.to_json()}")


if __name__ == "__main__":
    sys.exit(main())
