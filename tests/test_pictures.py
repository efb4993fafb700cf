"""The picture of an alignment can be drawn for any take, and shows what it is given."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from beatnet_align.errors import InputError, OutputError
from beatnet_align.pictures import DOTS_PER_INCH, SIZE_INCHES, HitMarks, Window, before_after
from beatnet_align.take import Take, take_from_array
from beatnet_align.units import FloatArray

pyplot = pytest.importorskip("matplotlib.image")

LINES = np.arange(0.5, 3.0, 0.5)
NO_HITS = HitMarks(np.array([]), np.array([]), [])


def noise(channels: int = 4) -> Take:
    audio = 0.1 * np.random.default_rng(0).standard_normal((channels, 24_000))
    return take_from_array(audio, 8_000, [f"mic {number}" for number in range(channels)])


def marks(late_seconds: float) -> HitMarks:
    deviations = np.full(len(LINES), late_seconds)
    deviations[0] = np.nan
    return HitMarks(LINES + late_seconds, deviations, [0, 1, 2, 0, 1])


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(pyplot.imread(path), np.float32)


def test_the_picture_has_the_size_it_should(tmp_path: Path) -> None:
    before_after(tmp_path / "a.png", noise(), noise(), LINES, marks(0.03), marks(0.0))
    height, width = pixels(tmp_path / "a.png").shape[:2]
    assert (width, height) == tuple(round(inches * DOTS_PER_INCH) for inches in SIZE_INCHES)


def test_what_is_drawn_depends_on_every_argument(tmp_path: Path) -> None:
    take = noise()
    loud_end = take.read(0, take.samples).copy()
    loud_end[:, 12_000:] *= 3
    other = replace(take_from_array(loud_end, 8_000), channels=take.channels)
    plain = (take, LINES, marks(0.03), marks(0.0), None)
    drawings: list[tuple[Take, FloatArray, HitMarks, HitMarks, Window | None]] = [
        plain,
        (other, *plain[1:]),
        (take, LINES, marks(0.02), marks(0.0), None),
        (take, LINES, marks(0.03), marks(0.01), None),
        (take, LINES, marks(0.03), marks(0.0), Window(1.0, 2.0)),
        (take, LINES + 0.1, marks(0.03), marks(0.0), Window(1.0, 2.0)),
        (take, LINES, marks(0.03), marks(0.0), Window(1.0, 2.0, (3,))),
    ]
    seen = set()
    for output, lines, before, after, window in drawings:
        before_after(tmp_path / "a.png", take, output, lines, before, after, window=window)
        seen.add(pixels(tmp_path / "a.png").tobytes())
    assert len(seen) == len(drawings)


@pytest.mark.parametrize("channels", [1, 2, 32])
def test_silence_without_hits_or_lines_is_drawn_as_well(tmp_path: Path, channels: int) -> None:
    silence = take_from_array(np.zeros((channels, 100), np.float32), 8_000)
    before_after(tmp_path / "a.png", silence, silence, np.array([]), NO_HITS, NO_HITS)
    assert (tmp_path / "a.png").stat().st_size > 0


def test_mistakes_are_explained(tmp_path: Path) -> None:
    take, path = noise(), tmp_path / "a.png"
    with pytest.raises(InputError, match="two renders of one take"):
        before_after(path, take, noise(3), LINES, NO_HITS, NO_HITS)
    with pytest.raises(InputError, match="nothing lies between"):
        before_after(path, take, take, LINES, NO_HITS, NO_HITS, window=Window(2.0, 1.0))
    with pytest.raises(InputError, match="the take has 0 to 3"):
        before_after(path, take, take, LINES, NO_HITS, NO_HITS, window=Window(1.0, 2.0, (4,)))
    with pytest.raises(InputError, match="one of each for every hit"):
        HitMarks(LINES, LINES, [0])
    assert not path.exists()
    with pytest.raises(OutputError, match=r"cannot write .*a\.png: No such file"):
        before_after(tmp_path / "missing" / "a.png", take, take, LINES, NO_HITS, NO_HITS)
