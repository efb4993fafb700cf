"""Networks that write aligned audio themselves: opened from a file or by name, with what has to be known of them.

The lab trains and exports them, see ``models/export_resynthesis.py``.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from beatnet_align.errors import InputError
from beatnet_align.onnx_networks import load_weights, open_network, other_weights

Network = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Audio [channels, samples] and conditioning [ROWS, samples] to audio [channels, samples]."""

FACTS_NAME, AUDIO_NAME, CONDITIONING_NAME, ALIGNED_NAME = "resynthesis", "audio", "conditioning", "aligned"

_PREFIX, _SUFFIX = "resynthesis_", ".onnx"


@dataclass(frozen=True)
class NetworkFacts:
    """What the effect has to know of a network.

    Attributes:
        name: Of the run.
        sample_rate: That it was trained at, in hertz.
        context_samples: How far an output sample reaches back and ahead in the input, at that rate.
        step_samples: Blocks may begin at multiples of this, where its strides and hops fall as in the whole take.
    """

    name: str
    sample_rate: int
    context_samples: tuple[int, int]
    step_samples: int = 1

    def to_json(self) -> str:
        """For an ONNX file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "NetworkFacts":
        """What :meth:`to_json` wrote."""
        told = json.loads(text)
        back, ahead = told["context_samples"]
        step = max(1, int(told["step_samples"]))
        return cls(str(told["name"]), int(told["sample_rate"]), (int(back), int(ahead)), step)


@dataclass(frozen=True)
class Resynthesiser:
    """A network with what is known of it."""

    facts: NetworkFacts
    network: Network


def open_resynthesiser(model: str) -> Resynthesiser:
    """A network by the name of one that comes with the package, or from a file.

    Raises:
        InputError: There is none, or the file holds another network.
    """
    path = Path(model)
    if path.is_file():
        content = path.read_bytes()
    elif model in shipped_names():
        content = load_weights(f"{_PREFIX}{model}{_SUFFIX}", other_weights())
    else:
        names = ", ".join(shipped_names()) or "none"
        raise InputError(
            f"there is no model {model!r}: give an .onnx file that models.export_resynthesis wrote, or the name of one "
            f"that comes with the program ({names})"
        )
    try:
        return resynthesiser(content)
    except InputError as error:
        raise InputError(f"{model}: {error}; give an .onnx file that models.export_resynthesis wrote") from error


def shipped_names() -> list[str]:
    """Networks that come with the package."""
    names = [one.name for one in files("beatnet_align").joinpath("weights").iterdir()]
    return sorted(
        name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        for name in names
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    )


def resynthesiser(model: bytes, threads: int | None = None) -> Resynthesiser:
    """A network from an ONNX file's bytes.

    Raises:
        InputError: They hold another network, or none.
    """
    session, facts = open_network(model, "resynthesis network", threads, FACTS_NAME, NetworkFacts.from_json)

    def run(audio: npt.NDArray[np.float32], rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        out: npt.NDArray[np.float32] = session.run([ALIGNED_NAME], {AUDIO_NAME: audio, CONDITIONING_NAME: rows})[0]
        return out

    return Resynthesiser(facts, run)
