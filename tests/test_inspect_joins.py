"""Inspecting joins: the widest in what rings are chosen, and what is heard and seen is what the splice renders."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import matplotlib.image as mpl_image
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.audio_files import load
from beatnet_align.cut_list import cut_list
from beatnet_align.demo import demo_folder
from beatnet_align.edit_plan import EditPlan, Move, SpliceSettings, TakeFacts
from beatnet_align.engines import Fill, Render
from beatnet_align.errors import InputError, OutputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.rendering import render_whole
from beatnet_align.roles import Role
from beatnet_align.take import Take
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import seconds_to_samples
from datagen.inspect_joins import (
    AFTER_SECONDS,
    BEFORE_SECONDS,
    FILLS,
    captions_of,
    filled,
    inspect_joins,
    main,
    spans_of,
    spliced,
)
from datagen.inspection.excerpts import FADE_SECONDS, MIX
from datagen.inspection.hard_joins import LEAST_GAP_SECONDS, TAILS, HardJoin, hardest_joins, joins_of_plan
from datagen.inspection.join_pictures import HEADROOM, waveform_height
from datagen.inspection.listening import PEAK, stereo
from datagen.inspection.session import Knows, decided

JOINS = 3
RATE = 8_000
PIECES = (Piece.KICK, Piece.HIHAT_CLOSED, Piece.HIHAT_OPEN, Piece.RIDE, Piece.TOM_FLOOR)


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joins") / "deep" / "inside"
    assert main([str(demo_folder()), "-o", str(folder), "--joins", str(JOINS)]) == 0
    return folder


@pytest.fixture(scope="module")
def plan(demo_take: Take) -> EditPlan:
    return decided(demo_folder(), demo_take, Knows.TRUTH, Render.SPLICE)


@pytest.fixture(scope="module")
def chosen(plan: EditPlan) -> list[HardJoin]:
    return hardest_joins(plan, JOINS)


def plan_of(strokes: list[tuple[Piece, int]]) -> EditPlan:
    """Strokes 250 ms apart, each so many milliseconds early."""
    facts = TakeFacts("take", RATE, RATE * (2 + len(strokes)), ("mono",), (Role.OTHER,))
    moves = tuple(
        Move(at - early_ms * RATE // 1_000, at, "mono", piece, 0.9, 1.0, line_beats=0.5 * i)
        for i, (piece, early_ms) in enumerate(strokes)
        for at in [RATE + i * RATE // 4]
    )
    return EditPlan(facts, moves, TempoMap.constant(120.0, 0.0), Grid())


strokes_lists = st.lists(st.tuples(st.sampled_from(PIECES), st.integers(-40, 40)), min_size=2, max_size=16)


@given(strokes=strokes_lists, count=st.integers(1, 6))
def test_what_is_chosen_is_wide_and_tails_come_first(strokes: list[tuple[Piece, int]], count: int) -> None:
    plan = plan_of(strokes)
    found = joins_of_plan(plan)
    least = LEAST_GAP_SECONDS * RATE
    torn = [after - before for (_, before), (_, after) in pairwise(strokes)]
    assert [join.gap for join in found] == [gap * RATE // 1_000 for gap in torn if abs(gap) >= 5]
    if not found:
        with pytest.raises(InputError, match="no hard joins"):
            hardest_joins(plan, count)
        return
    joins = hardest_joins(plan, count)
    assert len(joins) == min(count, len(found))
    assert [join.attack for join in joins] == sorted(join.attack for join in joins)
    assert all(abs(join.gap) >= least and join.ringing for join in joins)
    assert set().union(*(join.tails for join in joins)) <= TAILS
    # Alone, the hardest is one with a tail if there is any, and none of these is wider.
    (hardest,) = hardest_joins(plan, 1)
    rivals = [join for join in found if join.tails] or found
    assert hardest in rivals
    assert abs(hardest.gap) == max(abs(join.gap) for join in rivals)


@given(strokes=strokes_lists)
def test_a_join_lies_in_front_of_its_attack_and_behind_the_one_before(strokes: list[tuple[Piece, int]]) -> None:
    plan = plan_of(strokes)
    spans = spans_of(plan)
    assert set(spans) == FILLS
    cuts = cut_list(plan, plan.take.channels)
    for join in joins_of_plan(plan):
        (cut,) = (cut for cut in cuts if cut.first_onset_samples == join.onset)
        before = cuts[cuts.index(cut) - 1]
        assert join.attack == join.onset + cut.shift_samples
        for laid_out in spans.values():
            span = join.span(laid_out)
            assert span is not None
            assert before.last_onset_samples + before.shift_samples < span.start < span.stop <= join.attack


def test_an_open_hi_hat_rings_until_the_pedal_or_the_stick_ends_it() -> None:
    rings = joins_of_plan(plan_of([(Piece.HIHAT_OPEN, 0), (Piece.KICK, 20)]))
    assert [join.tails for join in rings] == [(Piece.HIHAT_OPEN,)]
    ended = joins_of_plan(plan_of([(Piece.HIHAT_OPEN, 0), (Piece.HIHAT_CLOSED, 0), (Piece.KICK, 20)]))
    assert [join.tails for join in ended] == [()]


def test_titles_tell_what_happens_to_what() -> None:
    gap, overlap = joins_of_plan(plan_of([(Piece.RIDE, 0), (Piece.KICK, 20), (Piece.SNARE, -10)]))
    assert gap.title == "gap of 20 ms in ride, before kick at 1.250 s"
    assert overlap.title == "overlap of 30 ms in ride, before snare at 1.500 s"


def test_every_fill_is_shown_and_those_that_sound_alike_share_a_column(
    demo_take: Take, plan: EditPlan, chosen: list[HardJoin]
) -> None:
    target = load(demo_folder() / "target")
    versions = spliced(demo_take, target, plan)
    assert list(versions) == ["take", *Fill, "target"]
    for join in hardest_joins(plan, 100):
        spans = {fill: join.span(laid_out) for fill, laid_out in spans_of(plan).items()}
        bounds = {fill: (span.start, span.stop) for fill, span in spans.items() if span is not None}
        captions = captions_of(join, versions, bounds)
        assert (captions["take"], captions["target"]) == ("as played", "target")
        named = [name for version, caption in captions.items() if version in FILLS for name in caption.split(", ")]
        assert sorted(named) == sorted(FILLS)
        if join.gap < 0:  # only the network mixes where nothing opens
            assert len(captions) == 4
            assert captions[Fill.NEURAL.value] == Fill.NEURAL.value
    assert any(join.gap > 0 for join in chosen)


def test_excerpts_are_what_the_splice_renders_at_one_gain(
    out_dir: Path, chosen: list[HardJoin], demo_take: Take, plan: EditPlan
) -> None:
    rate = demo_take.sample_rate
    fade = seconds_to_samples(FADE_SECONDS, rate)
    rendered = {fill.value: render_whole(demo_take, filled(plan, fill)) for fill in Fill}
    rendered |= {name: (t := load(demo_folder() / name)).read(0, t.samples) for name in ("take", "target")}
    for number, join in enumerate(chosen, 1):
        start, stop = (seconds_to_samples(s, rate) for s in join.window_seconds(BEFORE_SECONDS, AFTER_SECONDS))
        gains = []
        files = sorted(out_dir.glob(f"{number:02d}.{MIX}.*.wav"))
        assert {file.name.split(".")[2] for file in files} >= {"take", "target"}
        for file in files:
            heard = sf.read(file, always_2d=True)[0].T
            wanted = stereo(rendered[file.name.split(".")[2]][:, start:stop].astype(np.float32), demo_take.channels)
            inner = heard[:, fade:-fade], wanted[:, fade:-fade]
            gains.append(float(np.sum(inner[0] * inner[1]) / np.sum(inner[1] ** 2)))
            np.testing.assert_allclose(inner[0], gains[-1] * inner[1], atol=2e-4)
        np.testing.assert_allclose(gains, gains[0], rtol=1e-3)
        assert max(np.max(np.abs(sf.read(file)[0])) for file in files) == pytest.approx(PEAK, abs=1e-3)


@pytest.mark.parametrize("joined", [(900, 1_100), (300, 1_100)])
def test_waveforms_are_as_high_as_what_rings_in_the_join_even_where_it_begins_before_them(
    joined: tuple[int, int],
) -> None:
    ringing = np.zeros(1_000, np.float32)
    ringing[450] = 0.5  # at 950, inside either join of a picture that begins at 500
    assert waveform_height([ringing, ringing], 500, joined) == pytest.approx(HEADROOM * 0.5)


def test_pictures_show_something(out_dir: Path) -> None:
    pictures = sorted(out_dir.glob("*.png"))
    assert [path.name for path in pictures] == [f"{number:02d}.png" for number in range(1, JOINS + 1)]
    for path in pictures:
        pixels = mpl_image.imread(path)[..., :3]
        assert pixels.shape[1] > 500
        assert 0.2 < np.mean(np.any(pixels < 0.95, axis=2)) < 0.95


def test_the_page_shows_every_file_and_names_none_that_is_not_there(out_dir: Path, chosen: list[HardJoin]) -> None:
    page = (out_dir / "index.html").read_text(encoding="utf-8")
    named = {unquote(name) for name in re.findall(r'src="([^"]+)"', page)}
    assert named == {path.name for path in out_dir.iterdir()} - {"index.html"}
    assert all(join.title in page for join in chosen)
    told = [float(decibels) for decibels in re.findall(r"<td>(\d+\.\d\d) dB</td>", page)]
    assert len(told) == len(list(out_dir.glob(f"*.{MIX}.*.wav"))) - JOINS


def test_a_session_without_a_target_is_shown_without_it(tmp_path: Path) -> None:
    session = tmp_path / "session"
    shutil.copytree(demo_folder(), session)
    shutil.rmtree(session / "target")
    written = inspect_joins(session, tmp_path / "out", 1)
    assert written[-1].name == "index.html"
    assert all(path.exists() for path in written)
    assert not [path for path in written if ".target." in path.name]
    assert " dB" not in written[-1].read_text(encoding="utf-8")


def test_the_neural_engine_may_decide(
    demo_take: Take, demo_plan: EditPlan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spliced_plan = replace(demo_plan, splice=SpliceSettings())
    monkeypatch.setattr("datagen.inspection.session.BeatDetective.plan", lambda *_: spliced_plan)
    written = inspect_joins(demo_folder(), tmp_path, 1, Knows.NEURAL)
    (join,) = hardest_joins(spliced_plan, 1)
    assert join.title in written[-1].read_text(encoding="utf-8")


def without_hits(folder: Path) -> None:
    (folder / "truth.json").write_text('{"bpm": 112.0, "first_beat_seconds": 0.5, "hits": []}', encoding="utf-8")


def in_time(folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    for hit in truth["hits"]:
        hit["target_seconds"] = hit["performed_seconds"]
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "truth.json").unlink(), "truth.json"),
        (lambda folder: shutil.rmtree(folder / "take"), "take"),
        (lambda folder: (folder / "target" / "room.flac").unlink(), "differ in rate, length or channels"),
        (without_hits, "no hard joins"),
        (in_time, "no hard joins"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    damage: Callable[[Path], object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = tmp_path / "session"
    shutil.copytree(demo_folder(), session)
    damage(session)
    assert main([str(session), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_places_that_cannot_be_written_and_odd_counts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        inspect_joins(demo_folder(), tmp_path / "file", 1)
    with pytest.raises(InputError, match="cannot show 0 joins"):
        inspect_joins(demo_folder(), tmp_path / "out", 0)
