"""A take before and after its flams were repaired: as played, spliced, separated, and as it should be."""

from collections.abc import Mapping
from enum import StrEnum

from beatnet_align.take import Take

BEFORE_SECONDS, AFTER_SECONDS = 0.25, 0.6
"""Heard around a flam."""


class Version(StrEnum):
    """What is compared."""

    TAKE = "take"
    SPLICED = "spliced"
    SEPARATED = "separated"
    TARGET = "target"

    @property
    def caption(self) -> str:
        """For people."""
        return AS_PLAYED if self is Version.TAKE else self.value


AS_PLAYED = "as played"

Versions = Mapping[Version, Take]
"""All of them, in one shape."""
