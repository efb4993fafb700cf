"""The engines by name: who finds hits, chooses positions and renders. Quick to import for the command line."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar, assert_never

from beatnet_align.errors import InputError

if TYPE_CHECKING:
    from beatnet_align.claims import ClaimMaker
    from beatnet_align.collection import OnsetSettings
    from beatnet_align.hits import Hit
    from beatnet_align.take import Take


class Engine(StrEnum):
    """Who decides what is a hit and, where nobody says otherwise, where it belongs."""

    NEURAL = "neural"
    ONSET_QUANTISE = "onset-quantise"

    @property
    def positions(self) -> "Positions":
        """How the engine chooses them by itself."""
        return Positions.NEURAL if self is Engine.NEURAL else Positions.NEAREST

    @property
    def render(self) -> "Render":
        """How the engine renders by itself."""
        return Render.AUTO if self is Engine.NEURAL else Render.SPLICE


class Positions(StrEnum):
    """How the grid position of a hit is chosen: by a network, which knows the phrase, or as the nearest line."""

    NEURAL = "neural"
    NEAREST = "nearest"


class Render(StrEnum):
    """How a plan becomes sound: by cuts, by masks that lift each hit out, or by masks where a cut leaves a flam."""

    AUTO = "auto"
    SPLICE = "splice"
    SEPARATE = "separate"


class Fill(StrEnum):
    """What sounds at joins.

    AUTOREGRESSIVE continues the tail over gaps by a model of it. NEURAL lets a network mix both sides, in gaps of up to
    80 ms and where attacks move closer; longer gaps are continued by the model.
    """

    AUTO = "auto"
    EXTEND = "extend"
    STRETCH = "stretch"
    AUTOREGRESSIVE = "autoregressive"
    NEURAL = "neural"


DEFAULT_ENGINE = Engine.NEURAL
RESYNTHESIS = "resynthesis"
"""No engine of this module: a network that writes the audio itself and decides nothing, see ``resynthesis.py``."""

Choice = TypeVar("Choice", bound=StrEnum)


def engine_called(name: str) -> Engine:
    """An engine by its name.

    Raises:
        InputError: There is none of that name.
    """
    return _called(Engine, "engine", name)


def positions_called(name: str) -> Positions:
    """A way of choosing positions by its name.

    Raises:
        InputError: There is none of that name.
    """
    return _called(Positions, "positions", name)


def render_called(name: str) -> Render:
    """A way of rendering by its name.

    Raises:
        InputError: There is none of that name.
    """
    return _called(Render, "render", name)


def _called(kind: type[Choice], what: str, name: str) -> Choice:
    try:
        return kind(name)
    except ValueError as error:
        raise InputError(f"the {what} must be one of {', '.join(kind)}; found {name!r}") from error


def find_hits(
    take: "Take",
    engine: Engine = DEFAULT_ENGINE,
    settings: "OnsetSettings | None" = None,
    progress: Callable[[int], None] = lambda _: None,
) -> "list[Hit]":
    """Find the hits of a take as an engine does.

    Args:
        take: Any number of channels; read once, in blocks.
        engine: NEURAL hears all channels together with HitNet; ONSET_QUANTISE looks for jumps in level.
        settings: Sensitivity, trigger channels, and the merge window of ONSET_QUANTISE.
        progress: Told how many further samples have been analysed.

    Returns:
        In order of time; empty where nothing was struck.

    Raises:
        InputError: A trigger channel does not exist.
    """
    # The finders are imported where they are used: --help needs neither them nor NumPy.
    match engine:
        case Engine.NEURAL:
            from beatnet_align import hitnet  # noqa: PLC0415

            return hitnet.find_hits(take, settings, progress)
        case Engine.ONSET_QUANTISE:
            from beatnet_align import collection  # noqa: PLC0415

            return collection.find_hits(take, settings, progress)
        case _:
            assert_never(engine)


def claim_maker(positions: Positions) -> "ClaimMaker":
    """What sends hits to lines: NEURAL asks GridNet, NEAREST follows the rules of ``nearest_line.py``."""
    match positions:
        case Positions.NEURAL:
            from beatnet_align.gridnet import gridnet_claims  # noqa: PLC0415

            return gridnet_claims
        case Positions.NEAREST:
            from beatnet_align.nearest_line import nearest_line_claims  # noqa: PLC0415

            return nearest_line_claims
        case _:
            assert_never(positions)
