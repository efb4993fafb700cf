"""What the user of a run should know, one sentence each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from beatnet_align.audio_files import OpenTake
from beatnet_align.bar_selection import BarRange
from beatnet_align.edit_plan import DOUBTFUL, EditPlan, Flag
from beatnet_align.engines import Render
from beatnet_align.repair import Placement
from beatnet_align.roles import Role
from beatnet_align.stems import INTEGER_BITS
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray


def padding_remarks(opened: OpenTake) -> tuple[str, ...]:
    """Of stems that are shorter than the take."""
    if not opened.padded_stems:
        return ()
    names = ", ".join(stem.name for stem in opened.padded_stems)
    return (f"stems differ in length: {names} end before the take does and count as silent from there",)


def role_remarks(take: Take) -> tuple[str, ...]:
    """Of names that do not say what their channels are for."""
    unknown = [channel.name for channel in take.channels if channel.role is Role.OTHER]
    if len(unknown) < 2 or 2 * len(unknown) <= len(take.channels):
        return ()
    return (
        f"the names of {len(unknown)} of {len(take.channels)} channels do not say what they are for; hits are told "
        f'apart better with --role, such as --role "{unknown[0]}=kick"',
    )


def bar_remarks(named: Sequence[BarRange], tempo_map: TempoMap, take: Take) -> tuple[str, ...]:
    """Of bars that somebody named, but the take does not have."""
    start, stop = (tempo_map.to_beats(seconds) for seconds in (0.0, take.seconds))
    first, last = tempo_map.bar_of(np.array([start, stop])).tolist()
    return tuple(
        f"bars {one[0]}-{one[1]} are not in the take, which has bars {max(1, first)} to {last}"
        for one in dict.fromkeys(named)
        if one[1] < first or one[0] > last
    )


def group_remarks(plan: EditPlan) -> tuple[str, ...]:
    """Of channels that are cut apart from the others."""
    apart = [name for group in plan.splice.groups for name in group]
    if not apart:
        return ()
    return (
        f"{', '.join(apart)}: cut apart from other microphones, so the phase between those that hear the same hit "
        "changes where they are cut differently",
    )


def name_remarks(plan: EditPlan, take: Take) -> tuple[str, ...]:
    """Of a plan that was made of a take by another name."""
    if plan.take.name == take.name:
        return ()
    return (f"the plan was made of a take called {plan.take.name!r}, not {take.name!r}: is it the same recording?",)


def doubt_remarks(plan: EditPlan, edits_name: str) -> tuple[str, ...]:
    """Of moves that deserve a second look, in a file of that name."""
    edited = [move for move in plan.moves if Flag.OUTSIDE_BARS not in move.flags]
    doubtful = sum(1 for move in edited if DOUBTFUL.intersection(move.flags))
    if not doubtful:
        return ()
    return (f"{doubtful} of {len(edited)} hits are flagged as doubtful in {edits_name}",)


def repair_remarks(plan: EditPlan, placed: Sequence[Placement]) -> tuple[str, ...]:
    """Of places of a plan where hits were lifted out of the microphones, where the plan asks for that by itself."""
    if plan.repair.render is not Render.AUTO:
        return ()
    repaired = sum(1 for placement in placed if placement.repaired)
    if not repaired:
        return ()
    return (f"{repaired} of {len(placed)} places were separated, where a cut would leave a flam; the rest is spliced",)


def clipping_remarks(opened: OpenTake, peaks: FloatArray) -> tuple[str, ...]:
    """Of stems that cannot hold what the output reaches, [channels]: hits that fall together add up."""
    over = {
        stem.name: float(peaks[stem.rows].max())
        for stem in opened.stems
        if stem.subtype in INTEGER_BITS and peaks[stem.rows].max() > 1.0
    }
    if not over:
        return ()
    most_db = 20.0 * np.log10(max(over.values()))
    names = ", ".join(over)
    return (
        f"aligned hits add up to {most_db:.1f} dB over full scale and were clipped in {names}: leave them headroom",
    )


def why_no_hits(take: Take, path: Path) -> str:
    """What to tell somebody whose take, read from ``path``, has no hits."""
    block = 10 * take.sample_rate
    peak = max(float(np.max(np.abs(take.read(at, at + block)))) for at in range(0, take.samples, block))
    if peak == 0.0:
        return f"{path} is silent: every sample is zero; is it the right take?"
    return f"no hits were found in {path}; raise the sensitivity, or check the trigger channels"
