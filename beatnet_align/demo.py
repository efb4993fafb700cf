"""The main job on the take that comes with the package: align it, print before and after, draw a picture."""

from importlib.resources import files
from pathlib import Path

from beatnet_align.compare import Comparison, compare
from beatnet_align.effect import BeatDetective, Progress, no_progress
from beatnet_align.reference_hits import truth_tempo
from beatnet_align.tempo_source import TempoRequest


def demo_folder() -> Path:
    """The folder with take/, target/ and truth.json.

    Example:
        >>> from beatnet_align.effect import align
        >>> aligned = align(demo_folder() / "take", Path("aligned"))
    """
    return Path(str(files("beatnet_align"))) / "demo_take"


def run_demo(out_dir: Path, *, force: bool = False, progress: Progress = no_progress) -> Comparison:
    """Align the demo take with every engine and compare the results with its target.

    Args:
        out_dir: Gets the aligned stems, a folder an engine, and a picture of what the default engine did.
        force: Replace files that are there.
        progress: As for :func:`~beatnet_align.effect.align`.

    Raises:
        InputError: ``out_dir`` holds such files already.
        OutputError: The result could not be written.
    """
    folder = demo_folder()
    bpm, first_beat_seconds = truth_tempo(folder / "truth.json")
    return compare(
        folder / "take",
        BeatDetective(grid="1/16"),
        TempoRequest(bpm=bpm, first_beat_seconds=first_beat_seconds),
        target_path=folder / "target",
        out_dir=out_dir,
        force=force,
        progress=progress,
    )
