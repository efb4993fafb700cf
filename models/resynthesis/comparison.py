"""Let everybody align the same takes, measure and show what came of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tqdm import tqdm

from beatnet_align.compare import UNTOUCHED, mean_figures
from beatnet_align.pictures import Window
from beatnet_align.take import Take
from models.resynthesis.attention_pictures import draw_looks, look
from models.resynthesis.candidates import Candidate
from models.resynthesis.comparison_table import Figures
from models.resynthesis.figures import figures_of
from models.resynthesis.held_out import CUTTERS, HeldOutTake, cut, heard_as
from models.resynthesis.receptive_field import draw_reach, measure_reach
from models.resynthesis.report_page import Section, as_png, excerpts
from models.resynthesis.version_pictures import TARGET, draw_map, draw_versions

SHOWN_TAKES, SHOWN_SECONDS, HEARD_SECONDS = 3, 2.0, 6.0
USED_SHARE = 0.99


@dataclass
class Comparison:
    """What came of some takes.

    Attributes:
        rows: Figures of everybody, means of the takes.
        sections: Of the page.
        pictures: PNG files' bytes by name.
    """

    rows: dict[str, Figures]
    sections: list[Section] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)

    def show(self, name: str, section: Section) -> None:
        """Put a section with one picture on the page."""
        self.sections.append(section)
        self.pictures[f"{name}.png".replace(" ", "_")] = section.pictures[0]


def compare_candidates(
    takes: Sequence[HeldOutTake], candidates: Sequence[Candidate], earlier: Mapping[str, Figures] | None = None
) -> Comparison:
    """Measure everybody on all takes, and show the first few of them and each candidate.

    Args:
        takes: At least one.
        candidates: Beside those that cut.
        earlier: Rows that were measured on the same takes before; who is among them is not measured again.
    """
    earlier = earlier or {}
    candidates = [candidate for candidate in candidates if candidate.name not in earlier]
    cutters = [name for name in CUTTERS if name not in earlier]
    measured: list[dict[str, dict[str, float]]] = []
    shown: list[tuple[HeldOutTake, dict[str, Take]]] = []
    for held in tqdm(takes, unit=" takes", disable=None):
        made = _outputs(held, cutters, candidates)
        measured.append(
            {name: figures_of(held, output) | speed for name, (output, speed) in made.items() if name not in earlier}
        )
        if len(shown) < SHOWN_TAKES:
            shown.append((held, {name: output for name, (output, _) in made.items()}))
    rows: dict[str, Figures] = {**earlier, **mean_figures(measured)}
    comparison = Comparison(rows)
    about = [_about(candidate, takes[0]) for candidate in candidates]
    for candidate, (facts, _) in zip(candidates, about, strict=True):
        rows[candidate.name] = {**rows[candidate.name], **facts}
    comparison.show("map", Section("Where everybody stands", pictures=(as_png(draw_map(rows)),)))
    for held, versions in shown:
        comparison.show(held.name, _shown_take(held, versions))
    for candidate, (_, section) in zip(candidates, about, strict=True):
        comparison.show(candidate.name, section)
    return comparison


def _outputs(
    held: HeldOutTake, cutters: Sequence[str], candidates: Sequence[Candidate]
) -> dict[str, tuple[Take, dict[str, float]]]:
    """What everybody makes of a take, and how many times faster than real time; leaving it alone takes no time."""
    made: dict[str, tuple[Take, dict[str, float]]] = {UNTOUCHED: (held.take, {})}
    makers = {name: partial(cut, held, name) for name in cutters} | {
        candidate.name: partial(candidate.write, held) for candidate in candidates
    }
    for name, make in makers.items():
        started = time.perf_counter()
        output = heard_as(held.take, make())
        made[name] = output, {"times_real_time": held.take.seconds / (time.perf_counter() - started)}
    return made


def _about(candidate: Candidate, held: HeldOutTake) -> tuple[dict[str, float], Section]:
    """What is known of a candidate besides, and where it attends, or how far it listens where it does not attend."""
    facts, looks = candidate.facts, look(candidate, held)
    if looks is not None:
        picture = as_png(draw_looks(candidate.name, looks))
        return facts, Section(f"Attention of {candidate.name}", f"Take: {held.name}.", (picture,))
    reach = measure_reach(candidate, held)
    facts["used_seconds"] = 2.0 * reach.used_seconds(USED_SHARE)
    picture = as_png(draw_reach(candidate.name, reach))
    return facts, Section(f"Receptive field of {candidate.name}", f"Take: {held.name}.", (picture,))


def _shown_take(held: HeldOutTake, made: Mapping[str, Take]) -> Section:
    versions = {UNTOUCHED: held.take, TARGET: held.target, **made}
    picture = as_png(draw_versions(held, versions, _middle(held.take, SHOWN_SECONDS)))
    text = f"{len(held.take.channels)} microphones; the players hold all of them in stereo, at one level."
    return Section(held.name, text, (picture,), excerpts(versions, _middle(held.take, HEARD_SECONDS)))


def _middle(take: Take, seconds: float) -> Window:
    middle = take.seconds / 2.0
    return Window(max(0.0, middle - seconds / 2.0), min(take.seconds, middle + seconds / 2.0))
