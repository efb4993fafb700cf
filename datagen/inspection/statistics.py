"""Statistics of a dataset: what its manifest says, and what its audio tells about levels and bleed."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.units import FloatArray, seconds_to_ms, seconds_to_samples
from datagen.inspection.examples import DatasetExample, ExampleHit

ALONE_SECONDS = 0.05
"""A hit is measured where no other is so near."""

HEARD_SECONDS, BACKGROUND_SECONDS = 0.03, 0.01
HEARD_FROM_DB = 6.0
"""What rises less over what sounded before is not heard in a channel."""

LEAST_OWN_ENERGY = 0.8
BLEED_KINDS = {
    "other close microphones": None,
    "overheads": Role.OVERHEAD,
    "rooms": Role.ROOM,
}


@dataclass(frozen=True)
class HitLevels:
    """Levels of hits that sound alone, as the audio has them.

    Attributes:
        own_dbfs: For each group of pieces, [hits] on their own channel, mean power of 30 ms.
        bleed_db: For each of :data:`BLEED_KINDS`, [hits × channels] level there against that on the piece's own
            microphone, where it has one; a second microphone of one role, such as the kick's outer one, is left out.
    """

    own_dbfs: dict[str, FloatArray]
    bleed_db: dict[str, FloatArray]


def measure_levels(examples: Sequence[DatasetExample]) -> HitLevels:
    """Measure hits that sound alone; reads the takes of all ``examples``.

    Raises:
        InputError: A file cannot be read.
    """
    own: dict[str, list[float]] = defaultdict(list)
    bleed: dict[str, list[float]] = {kind: [] for kind in BLEED_KINDS}
    for example in examples:
        audio = example.read(example.take)
        names = [channel.name for channel in example.channels]
        for hit in _alone(example.hits):
            if hit.close not in names or hit.own_energy < LEAST_OWN_ENERGY:
                continue
            powers, heard = _powers(audio, seconds_to_samples(hit.performed_seconds, example.sample_rate), example)
            close = names.index(hit.close)
            if not heard[close]:
                continue
            levels_db = 10.0 * np.log10(np.maximum(powers, 1e-12))
            own[hit.group].append(float(levels_db[close]))
            for row in np.flatnonzero(heard):
                role = example.channels[row].role
                kind = _bleed_kind(role)
                if hit.own_microphone and role is not example.channels[close].role and kind is not None:
                    bleed[kind].append(float(levels_db[row] - levels_db[close]))
    return HitLevels(
        {group: np.array(values) for group, values in own.items()},
        {kind: np.array(values) for kind, values in bleed.items()},
    )


def _alone(hits: Sequence[ExampleHit]) -> Iterator[ExampleHit]:
    ordered = sorted(hits, key=lambda hit: hit.performed_seconds)
    times = np.array([-np.inf, *(hit.performed_seconds for hit in ordered), np.inf])
    apart = np.minimum(np.diff(times)[:-1], np.diff(times)[1:])
    return (hit for hit, seconds in zip(ordered, apart, strict=True) if seconds >= ALONE_SECONDS)


def _powers(
    audio: npt.NDArray[np.float32], onset: int, example: DatasetExample
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """[channels] power that a hit adds, and whether it is heard there."""
    before, after = (seconds_to_samples(s, example.sample_rate) for s in (BACKGROUND_SECONDS, HEARD_SECONDS))
    background = np.mean(audio[:, max(0, onset - before) : max(1, onset)].astype(np.float64) ** 2, axis=1)
    everything = np.mean(audio[:, onset : onset + after].astype(np.float64) ** 2, axis=1)
    return everything - background, everything > background * 10.0 ** (HEARD_FROM_DB / 10.0)


def _bleed_kind(role: Role) -> str | None:
    if role.is_close:
        return "other close microphones"
    return next((kind for kind, wanted in BLEED_KINDS.items() if role is wanted), None)


def ornament_spacings_seconds(examples: Sequence[DatasetExample]) -> FloatArray:
    """[ornaments] how long before (negative) or after its main stroke each one was played."""
    return np.array(
        [
            hit.performed_seconds - example.hits[hit.main_stroke].performed_seconds
            for example in examples
            for hit in example.hits
            if hit.ornament and hit.main_stroke is not None and 0 <= hit.main_stroke < len(example.hits)
        ],
        np.float64,
    )


def flam_spreads_seconds(examples: Sequence[DatasetExample]) -> FloatArray:
    """[lines with several pieces] from the first to the last stroke that belongs there, ornaments left out."""
    spreads = []
    for example in examples:
        lines: dict[float, list[ExampleHit]] = defaultdict(list)
        for hit in example.hits:
            if not hit.ornament:
                lines[hit.score_beats].append(hit)
        for struck in lines.values():
            if len({hit.piece for hit in struck}) > 1:
                times = [hit.performed_seconds for hit in struck]
                spreads.append(max(times) - min(times))
    return np.array(spreads, np.float64)


def summary_table(examples: Sequence[DatasetExample]) -> str:
    """What a dataset holds, as text: one line a figure, then a table of the pieces."""
    hits = [hit for example in examples for hit in example.hits]
    seconds = sum(example.seconds for example in examples)
    deviations_ms = seconds_to_ms(1.0) * np.array([hit.deviation_seconds for hit in hits if not hit.ornament])
    flams_ms = seconds_to_ms(1.0) * flam_spreads_seconds(examples)
    bpms = [example.tempo_map.bpm_at(0.0) for example in examples]
    counts = [len(example.channels) for example in examples]
    gaps = [later - earlier for one in examples for earlier, later in pairwise(_times(one.hits))]
    rows = [
        ("examples", f"{len(examples)} ({_counted(Counter(example.split for example in examples))})"),
        ("audio", f"{seconds / 3600.0:.2f} hours"),
        ("channels", f"{min(counts)} to {max(counts)}, median {np.median(counts):g}"),
        ("tempo", f"{min(bpms):.0f} to {max(bpms):.0f} BPM, median {np.median(bpms):.0f}"),
        ("grids", _counted(Counter(example.grid.name for example in examples))),
        ("swung", f"{np.mean([example.grid.swing > 0.5 for example in examples]):.0%} of examples"),
        ("hits", f"{len(hits)}, {len(hits) / seconds:.2f} a second"),
        ("ornaments", f"{sum(hit.ornament for hit in hits)}"),
        ("nearest hits", f"{_quantiles_ms(np.array(gaps) * 1e3, (0.01, 0.1, 0.5))} apart (1, 10, 50 %)"),
        ("deviation", f"{_quantiles_ms(deviations_ms, (0.05, 0.5, 0.95))} (5, 50, 95 %)"),
        ("flam spread", f"{_quantiles_ms(flams_ms, (0.5, 0.95))} (50, 95 % of lines with several pieces)"),
        ("kits", _counted(Counter(example.kit for example in examples))),
        ("licences", "; ".join(sorted({licence for example in examples for licence in example.licences}))),
    ]
    lines = [f"{name:14}{text}" for name, text in rows]
    lines += ["", f"{'piece':14}{'hits':>8}{'share':>8}{'velocity':>10}{'deviation mean, sd (ms)':>26}"]
    by_piece: dict[Piece, list[ExampleHit]] = defaultdict(list)
    for hit in hits:
        by_piece[hit.piece].append(hit)
    for piece, struck in sorted(by_piece.items(), key=lambda item: -len(item[1])):
        velocity = float(np.mean([hit.velocity for hit in struck]))
        late_ms = np.array([seconds_to_ms(hit.deviation_seconds) for hit in struck])
        spread = f"{late_ms.mean():+.1f}, {late_ms.std():.1f}"
        lines.append(f"{piece.value:14}{len(struck):8}{len(struck) / len(hits):8.1%}{velocity:10.2f}{spread:>26}")
    return "\n".join(lines)


def _times(hits: Sequence[ExampleHit]) -> list[float]:
    return sorted(hit.performed_seconds for hit in hits)


def _quantiles_ms(values_ms: FloatArray, shares: Sequence[float]) -> str:
    if not len(values_ms):
        return "none"
    return ", ".join(f"{np.quantile(values_ms, share):.1f}" for share in shares) + " ms"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
