"""Groove templates: what was played comes back, lines without hits are filled, files survive."""

from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.errors import InputError, OutputError
from beatnet_align.groove import GrooveTemplate


@given(st.lists(st.floats(-0.1, 0.1), min_size=16, max_size=16), st.integers(3, 9), st.integers(0, 99))
def test_extract_gives_back_the_offsets_played(offsets: list[float], bars: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    beats = np.tile(np.array(offsets), bars) + np.arange(16 * bars) / 4
    template = GrooveTemplate.extract(rng.permutation(beats), "1/16", 4.0)
    np.testing.assert_allclose(template.offsets_beats, offsets, atol=1e-9)
    np.testing.assert_allclose(np.arange(16) / 4 + template.offsets_at(np.arange(16) / 4), beats[:16], atol=1e-9)


@given(st.floats(-0.12, 0.12))
def test_one_wild_hit_in_five_does_not_move_a_line(wild: float) -> None:
    beats = np.array([0.02, 4.02, 8.02, 12.02, 16.0 + wild])
    assert GrooveTemplate.extract(beats, "1/16", 4.0).offsets_beats[0] == pytest.approx(0.02)


def test_lines_without_hits_take_the_median_of_their_class_or_zero() -> None:
    beats = np.array([0.0, 0.55, 1.0, 1.57, 2.01])  # the off-beats are late; beat 3's off-beat was not played
    template = GrooveTemplate.extract(beats, "1/8", 3.0)
    np.testing.assert_allclose(template.offsets_beats, [0, 0.05, 0, 0.07, 0.01, 0.06])
    assert GrooveTemplate.extract(np.array([0.1]), "1/8", 1.0).offsets_beats == pytest.approx((0.1, 0.0))


def test_weights_decide_between_hits_on_one_line() -> None:
    beats, weights = np.array([0.0, 0.08]), np.array([0.1, 0.9])
    assert GrooveTemplate.extract(beats, "1/4", 1.0, weights).offsets_beats == pytest.approx((0.08,))
    assert GrooveTemplate.extract(beats, "1/4", 1.0).offsets_beats == pytest.approx((0.04,))


def test_files_survive_and_are_not_overwritten(tmp_path: Path) -> None:
    template = GrooveTemplate("1/8T", 1.0, (0.0, 0.1, -0.05), "shuffle")
    path = tmp_path / "shuffle.json"
    template.save(path)
    assert GrooveTemplate.load(path) == template
    with pytest.raises(OutputError, match="exists already"):
        template.save(path)
    template.save(path, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["shuffle.json"]
    with pytest.raises(OutputError, match="cannot write"):
        template.save(tmp_path / "absent" / "x.json")


def test_a_groove_from_midi(tmp_path: Path) -> None:
    track = mido.MidiTrack()
    ticks = [0, 260, 480, 740, 1920]  # off-beats 20 ticks late, 480 a beat; the last note opens bar 2
    for before, at in zip([0, *ticks], ticks, strict=False):
        track.append(mido.Message("note_on", channel=9, note=36, velocity=100, time=at - before))
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(tmp_path / "beat.mid")
    template = GrooveTemplate.from_midi(tmp_path / "beat.mid", "1/8")
    assert (template.length_beats, template.name) == (8.0, "beat")
    np.testing.assert_allclose(template.offsets_beats, [0, 20 / 480] * 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GrooveTemplate("1/5", 4.0, ()), "unknown grid division"),
        (lambda: GrooveTemplate("1/8", 1.1, (0.0, 0.0)), "whole number"),
        (lambda: GrooveTemplate("1/8", float("nan"), (0.0, 0.0)), "whole number"),
        (lambda: GrooveTemplate("1/8", 1.0, (0.0,)), "2 lines, found 1"),
        (lambda: GrooveTemplate("1/8", 1.0, (0.0, 0.25)), "below 0.25 beats"),
        (lambda: GrooveTemplate("1/8", 1.0, (0.0, float("nan"))), "below 0.25 beats"),
        (lambda: GrooveTemplate.extract(np.empty(0), "1/8", 1.0), "at least one onset"),
        (lambda: GrooveTemplate.extract(np.zeros(2), "1/8", 1.0, np.ones(3)), "found"),
        (lambda: GrooveTemplate.from_json({"name": "x"}), "malformed"),
        (lambda: GrooveTemplate.load(Path("absent.json")), "cannot read"),
    ],
)
def test_bad_templates_say_what_is_wrong(make: Callable[[], GrooveTemplate], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"division": "1/8"}', "\x00", '"a"'])
def test_a_file_that_is_no_template(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="is no groove template"):
        GrooveTemplate.load(path)
