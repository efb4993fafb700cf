"""The nearest of some places, for many at once."""

import numpy as np

from beatnet_align.units import FloatArray


def nearest(wanted: FloatArray, places: FloatArray) -> FloatArray:
    """The one of ``places`` (ascending, at least one) that is nearest to each of ``wanted``, the earlier of two."""
    after = np.clip(np.searchsorted(places, wanted), 1, max(1, len(places) - 1))
    before = places[after - 1]
    later = places[np.minimum(after, len(places) - 1)]
    return np.asarray(np.where(wanted - before <= later - wanted, before, later))
