"""The engines by name, and the hit finder that each of them uses. Quick to import: the command line lists them."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from beatnet_align.errors import InputError

if TYPE_CHECKING:
    from beatnet_align.collection import OnsetSettings
    from beatnet_align.hits import Hit
    from beatnet_align.take import Take


class Engine(StrEnum):
    """Who decides what is a hit. Both send hits to their nearest line by the same rules, see ``quantise.py``."""

    NEURAL = "neural"
    ONSET_QUANTISE = "onset-quantise"


DEFAULT_ENGINE = Engine.NEURAL


def engine_called(name: str) -> Engine:
    """An engine by its name.

    Raises:
        InputError: There is none of that name.
    """
    try:
        return Engine(name)
    except ValueError as error:
        raise InputError(f"the engine must be one of {', '.join(Engine)}; found {name!r}") from error


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
