"""Laws of repairs: what need not be lifted is spliced bit for bit, what is lifted goes to its own place."""

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from beatnet_align import rendering, separation
from beatnet_align.cut_list import validate
from beatnet_align.edit_plan import EditPlan, Move, RepairSettings, SpliceSettings, TakeFacts
from beatnet_align.engines import Fill, Render
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.piece_spectra import EXCERPT_SECONDS, LAST_DECAY_SECONDS, LEARNING_SECONDS
from beatnet_align.rendering import render, render_whole, stretches
from beatnet_align.repair import placements
from beatnet_align.roles import Role
from beatnet_align.separation import Separator
from beatnet_align.splice import Splicer
from beatnet_align.take import Audio, Take, take_from_array
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import IntArray

RATE = 8_000
FLAM_SECONDS = 0.015
HELD = 190
"""Samples of an attack that no join reaches, 400 samples or more before the end."""

AUTO, SPLICE, SEPARATE = (RepairSettings(render) for render in (Render.AUTO, Render.SPLICE, Render.SEPARATE))
MICROPHONES = ("kick", "snare", "overhead")
BLEED = {Piece.KICK: (1.0, 0.2, 0.5), Piece.SNARE: (0.2, 1.0, 0.5)}
KINDS = st.sampled_from([np.float32, np.float64])

Sound = npt.NDArray[np.float64]


def noise(channels: int, samples: int, seed: int = 0) -> Audio:
    return 0.3 * np.random.default_rng(seed).standard_normal((channels, samples)).astype(np.float32)


def plan_of(take: Take, goes: Sequence[tuple[int, int, int, Piece]], repair: RepairSettings = AUTO) -> EditPlan:
    """A plan of (onset, shift, line, piece), triggered by the channels in turn; the first hit of a line leads."""
    names = [channel.name for channel in take.channels]
    lines = [line for _, _, line, _ in goes]
    moves = tuple(
        Move(onset, onset + shift, names[i % len(names)], piece, 0.9, 1.0, line not in lines[:i], float(line))
        for i, (onset, shift, line, piece) in enumerate(goes)
    )
    return EditPlan(TakeFacts.of(take), moves, TempoMap.constant(120.0, 0.0), Grid(), repair=repair)


def is_valid(plan: EditPlan, take: Take) -> bool:
    try:
        validate(plan, take)
    except InputError:
        return False
    return True


@st.composite
def performances(draw: st.DrawFn, *, flams: bool = True) -> tuple[int, list[tuple[int, int, int, Piece]]]:
    """Length of a take, and (onset, shift, line, piece): lines with one to three hits, together or apart."""
    goes: list[tuple[int, int, int, Piece]] = []
    at = draw(st.integers(0, 300))
    for line in range(draw(st.integers(0, 5))):
        spread = sorted(draw(st.lists(st.integers(0, 160), min_size=1, max_size=3)))
        goal = at + draw(st.integers(-150, 300))
        together = not flams or draw(st.booleans())
        for late in spread:
            shift = goal - at if together else goal - at - late
            goes.append((at + late, shift, line, draw(st.sampled_from(Piece))))
        at += spread[-1] + draw(st.integers(100, 700) | st.integers(700, 6_000))
    return at + draw(st.integers(1, 2_000)), goes


def spliced(take: Take, plan: EditPlan) -> Audio:
    return Splicer(take, plan).read(0, take.samples)


@settings(max_examples=60)
@given(
    performance=performances(flams=False),
    channels=st.integers(1, 16),
    rate=st.sampled_from([8_000, 44_100, 96_000, 192_000]),
    kind=KINDS,
    silent=st.booleans(),
)
def test_where_nothing_is_off_its_line_the_output_is_the_splice(
    performance: tuple[int, list[tuple[int, int, int, Piece]]], channels: int, rate: int, kind: type, silent: bool
) -> None:
    samples, goes = performance
    audio: Audio = (noise(channels, samples) * (0.0 if silent else 1.0)).astype(kind)
    take = take_from_array(audio, rate)
    plan = plan_of(take, goes)
    assume(is_valid(plan, take))
    out = render_whole(take, plan)
    assert out.dtype == kind
    np.testing.assert_array_equal(out, spliced(take, plan))


@settings(max_examples=60)
@given(performance=performances(), channels=st.integers(1, 4), fill=st.sampled_from(Fill))
def test_outside_repaired_stretches_the_output_is_the_splice(
    performance: tuple[int, list[tuple[int, int, int, Piece]]], channels: int, fill: Fill
) -> None:
    samples, goes = performance
    take = take_from_array(noise(channels, samples), RATE)
    plan = replace(plan_of(take, goes), splice=SpliceSettings(fill=fill))
    assume(is_valid(plan, take))
    repaired = np.zeros(samples, bool)
    joins = Splicer(take, plan).joins_samples()
    for one in stretches(placements(plan), samples, RATE, plan.splice.crossfade_seconds, joins):
        repaired[one.start : one.stop] = True
    out = render_whole(take, plan)
    np.testing.assert_array_equal(out[:, ~repaired], spliced(take, plan)[:, ~repaired])


@settings(max_examples=25)
@given(
    performance=performances(),
    channels=st.integers(1, 4),
    rate=st.sampled_from([8_000, 44_100, 96_000]),
    kind=KINDS,
    power=st.integers(-20, 20),
)
def test_hits_that_are_lifted_and_put_back_are_what_they_were(
    performance: tuple[int, list[tuple[int, int, int, Piece]]], channels: int, rate: int, kind: type, power: int
) -> None:
    samples, goes = performance
    audio: Audio = noise(channels, samples).astype(kind) * kind(2.0**power)
    take = take_from_array(audio, rate)
    out = render_whole(take, plan_of(take, [(onset, 0, line, piece) for onset, _, line, piece in goes], SEPARATE))
    np.testing.assert_allclose(out, audio, rtol=0.0, atol=1e-5 * float(np.abs(audio).max()))


@settings(max_examples=15)
@given(performance=performances(), channels=st.integers(1, 4), shift=st.integers(1, 400))
def test_hits_that_move_alike_come_with_all_that_sounds_behind_them(
    performance: tuple[int, list[tuple[int, int, int, Piece]]], channels: int, shift: int
) -> None:
    samples, goes = performance
    assume(goes)
    audio = noise(channels, samples + 800)
    audio[:, :400] = audio[:, -400:] = 0.0
    take = take_from_array(audio, RATE)
    alike = [(onset + 400, -shift, line, piece) for onset, _, line, piece in goes]
    out = render_whole(take, plan_of(take, alike, SEPARATE))
    first, last = alike[0][0], alike[-1][0] + HELD
    np.testing.assert_allclose(out[:, first - shift : last - shift], audio[:, first:last], rtol=0.0, atol=2e-5)


@settings(max_examples=25)
@given(performance=performances(), channels=st.integers(1, 4), block=st.integers(50, 9_000), everywhere=st.booleans())
def test_the_block_size_is_inaudible(
    performance: tuple[int, list[tuple[int, int, int, Piece]]], channels: int, block: int, everywhere: bool
) -> None:
    samples, goes = performance
    take = take_from_array(noise(channels, samples), RATE)
    plan = plan_of(take, goes, SEPARATE if everywhere else AUTO)
    assume(is_valid(plan, take))
    whole = render_whole(take, plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "BLOCK_SECONDS", block / RATE)
        blocks = list(render(take, plan))
    assert [piece.shape[1] for piece in blocks[:-1]] == [block] * (len(blocks) - 1)
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)


@pytest.mark.parametrize("shift", [-20_000, -9_000, 9_000, 20_000])
def test_a_hit_that_moves_far_arrives_whole_whatever_the_blocks(shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    take = take_from_array(noise(2, 60_000), RATE)
    plan = plan_of(take, [(30_000, shift, 0, Piece.SNARE)], SEPARATE)
    whole = render_whole(take, plan)
    attack = whole[:, 30_000 + shift :][:, :HELD]
    np.testing.assert_allclose(attack, take.read(30_000, 30_000 + HELD), rtol=0.0, atol=2e-5)
    monkeypatch.setattr(rendering, "BLOCK_SECONDS", 0.5)
    np.testing.assert_array_equal(render_whole(take, plan), whole)


@settings(max_examples=15)
@given(performance=performances(), turned=st.lists(st.booleans(), min_size=3, max_size=3))
def test_turning_the_polarity_of_a_microphone_turns_its_output_alone(
    performance: tuple[int, list[tuple[int, int, int, Piece]]], turned: list[bool]
) -> None:
    samples, goes = performance
    audio, sign = noise(3, samples), np.where(turned, -1, 1).astype(np.float32)[:, None]
    take, other = take_from_array(audio, RATE), take_from_array(audio * sign, RATE)
    plan = replace(plan_of(take, goes, SEPARATE), splice=SpliceSettings(fill=Fill.EXTEND))
    assume(is_valid(plan, take))
    np.testing.assert_array_equal(render_whole(other, plan), render_whole(take, plan) * sign)


@settings(max_examples=15)
@given(performance=performances())
def test_microphones_that_hear_the_same_stay_the_same_and_a_silent_one_silent(
    performance: tuple[int, list[tuple[int, int, int, Piece]]],
) -> None:
    samples, goes = performance
    audio = noise(1, samples)
    take = take_from_array(np.concatenate([audio, audio, np.zeros_like(audio)]), RATE)
    plan = replace(plan_of(take, goes, SEPARATE), splice=SpliceSettings(fill=Fill.EXTEND))
    assume(is_valid(plan, take))
    out = render_whole(take, plan)
    np.testing.assert_allclose(out[0], out[1], rtol=0.0, atol=2e-6)
    assert not out[2].any()


def test_rendering_twice_gives_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    take, plan, _ = flammed(RATE, FLAM_SECONDS)
    once = render_whole(take, plan)
    monkeypatch.setattr(separation, "KEPT_BLOCKS", 1)
    np.testing.assert_array_equal(render_whole(take, plan), once)


def kick(rate: int) -> Sound:
    seconds = np.arange(rate // 2) / rate
    return np.asarray(np.sin(2 * np.pi * 90 * seconds) * np.exp(-seconds / 0.08))


def snare(rate: int) -> Sound:
    seconds = np.arange(rate // 2) / rate
    bright = np.diff(np.random.default_rng(0).standard_normal(len(seconds)), prepend=0.0)
    return np.asarray(0.5 * bright * np.exp(-seconds / 0.05))


def played(
    hits: Sequence[tuple[int, Piece]], samples: int, rate: int, only: Piece | None = None
) -> npt.NDArray[np.float64]:
    """What the microphones hear of (onset, piece), of all pieces or of one."""
    sounds = {Piece.KICK: kick(rate), Piece.SNARE: snare(rate)}
    audio = np.zeros((len(MICROPHONES), samples + rate))
    for onset, piece in hits:
        if only in (None, piece):
            audio[:, onset : onset + rate // 2] += np.array(BLEED[piece])[:, None] * sounds[piece]
    return audio[:, :samples]


def flammed(rate: int, late_seconds: float, kind: type = np.float32) -> tuple[Take, EditPlan, Sound]:
    """Kicks, snares, and both on one line but struck apart; their plan, and what it should sound like."""
    samples, late = 9 * rate, round(late_seconds * rate)
    goes: list[tuple[int, int, int, Piece]] = []
    for line in range(16):
        at = rate // 4 + line * rate // 2
        pair = [(at, 0, line, Piece.KICK), (at + late, -late, line, Piece.SNARE)]
        goes += sorted(pair) if line % 3 == 2 else [pair[0] if line % 3 == 0 else (at, 0, line, Piece.SNARE)]
    audio: Audio = played([(onset, piece) for onset, _, _, piece in goes], samples, rate).astype(kind)
    take = take_from_array(audio, rate, MICROPHONES)
    target = played([(onset + shift, piece) for onset, shift, _, piece in goes], samples, rate)
    plan = plan_of(take, goes)
    # The kick stays, so that only the snare has to be moved.
    moves = tuple(replace(move, leads=move.piece is Piece.KICK or move.shift_samples == 0) for move in plan.moves)
    return take, replace(plan, moves=moves), target


def error_db(audio: Audio, target: Sound) -> npt.NDArray[np.float64]:
    """[channels], of what is wrong, under what is right."""
    return np.asarray(10 * np.log10(((audio - target) ** 2).sum(axis=1) / (target**2).sum(axis=1)))


@pytest.mark.parametrize("rate", [8_000, 44_100])
@pytest.mark.parametrize("late_seconds", [FLAM_SECONDS, -FLAM_SECONDS, 0.006, 0.030])
def test_a_flam_is_repaired_in_every_microphone(rate: int, late_seconds: float) -> None:
    take, plan, target = flammed(rate, late_seconds)
    cut, lifted = spliced(take, plan), render_whole(take, plan)
    assert (error_db(lifted, target) < -25.0).all()
    assert (error_db(lifted, target) < error_db(cut, target) - 12.0).all()


@pytest.mark.parametrize("rate", [8_000, 44_100])
@pytest.mark.parametrize("late_seconds", [FLAM_SECONDS, -FLAM_SECONDS])
def test_every_piece_sounds_on_its_line_in_its_own_microphone(rate: int, late_seconds: float) -> None:
    take, plan, _ = flammed(rate, late_seconds)
    lifted = render_whole(take, plan)
    landed = [(move.destination_samples, move.piece) for move in plan.moves]
    furthest = round(0.020 * rate)
    lags = np.arange(-furthest, furthest + 1)
    for microphone, piece in enumerate((Piece.KICK, Piece.SNARE)):
        alone = played(landed, take.samples, rate, piece)[microphone]
        likeness = [float(lifted[microphone] @ np.roll(alone, lag)) for lag in lags.tolist()]
        assert lags[int(np.argmax(likeness))] == 0


def test_what_is_always_struck_together_stays_with_its_own_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    late, samples = round(0.008 * RATE), 6 * RATE
    goes = []
    for line in range(10):
        at = RATE // 4 + line * RATE // 2
        goes += [(at, 0, line, Piece.KICK), (at + late, -late, line, Piece.SNARE)]
    heard: Audio = played([(onset, piece) for onset, _, _, piece in goes], samples, RATE).astype(np.float32)
    take = take_from_array(heard, RATE, MICROPHONES)
    target = played([(onset + shift, piece) for onset, shift, _, piece in goes], samples, RATE)
    plan = plan_of(take, goes, SEPARATE)
    own = {Piece.KICK: "kick", Piece.SNARE: "snare"}
    plan = replace(plan, moves=tuple(replace(move, channel=own[move.piece]) for move in plan.moves))
    favoured = error_db(render_whole(take, plan), target)
    monkeypatch.setattr(separation, "MOVING_FAVOUR", 1.0)
    alike = error_db(render_whole(take, plan), target)
    assert (favoured[:2] < alike[:2] - 1.0).all()
    np.testing.assert_allclose(favoured[2], alike[2], atol=0.1)


def test_little_is_left_where_the_hit_was() -> None:
    take, plan, target = flammed(44_100, 0.030)
    cut, lifted = spliced(take, plan), render_whole(take, plan)
    for move in plan.moves:
        if move.shift_samples:
            old_attack = slice(move.onset_samples, move.onset_samples + 441)
            left = [float(((out - target)[1, old_attack] ** 2).sum()) for out in (cut, lifted)]
            assert left[1] < left[0] / 300


@settings(max_examples=6)
@given(kind=KINDS, power=st.integers(-12, 12))
def test_scaling_the_take_scales_the_result(kind: type, power: int) -> None:
    take, plan, _ = flammed(RATE, FLAM_SECONDS, kind)
    gain = kind(2.0**power)
    audio: Audio = (take.read(0, take.samples) * gain).astype(kind)
    louder = take_from_array(audio, RATE, MICROPHONES)
    out = render_whole(take, plan)
    np.testing.assert_allclose(render_whole(louder, plan) / gain, out, rtol=0.0, atol=1e-3)


def test_the_order_of_the_microphones_does_not_matter() -> None:
    take, plan, _ = flammed(RATE, FLAM_SECONDS)
    order = [2, 0, 1]
    turned = take_from_array(take.read(0, take.samples)[order], RATE, [MICROPHONES[i] for i in order])
    out = render_whole(turned, replace(plan, take=TakeFacts.of(turned)))
    np.testing.assert_allclose(out, render_whole(take, plan)[order], rtol=0.0, atol=1e-3)


def test_groups_that_are_cut_apart_are_repaired_together() -> None:
    take, plan, target = flammed(RATE, FLAM_SECONDS)
    late = tuple(replace(move, leads=True) for move in plan.moves)
    split = replace(plan, moves=late, splice=SpliceSettings(groups=(("kick",), ("snare",))), repair=SEPARATE)
    assert (error_db(render_whole(take, split), target) < -25.0).all()


def test_only_the_bars_that_are_named_are_repaired() -> None:
    take, plan, target = flammed(RATE, FLAM_SECONDS)
    out = render_whole(take, replace(plan, repair=replace(AUTO, bars=(2, 2))))
    cut, lifted = spliced(take, plan), render_whole(take, plan)
    flams = [(move.destination_samples, int(move.line_beats or 0) // 4) for move in plan.moves if move.shift_samples]
    for at, bar in flams:
        near = slice(at - 8, at + 400)
        if bar == 1:
            np.testing.assert_allclose(out[:, near], lifted[:, near], rtol=0.0, atol=2e-3)
        else:
            np.testing.assert_array_equal(out[:, near], cut[:, near])
    assert (error_db(out, target) < error_db(cut, target)).all()


EDGES = [
    [(0, 0, 0, Piece.KICK), (120, -120, 0, Piece.SNARE)],
    [(0, 200, 0, Piece.KICK), (1, 199, 0, Piece.SNARE), (300, -100, 0, Piece.CRASH)],
    [(0, 0, 0, Piece.KICK), (120, -120, 0, Piece.SNARE), (15_880, 0, 1, Piece.KICK), (16_000, -120, 1, Piece.SNARE)],
    [(15_900, -900, 0, Piece.UNKNOWN), (16_000, -1_000, 0, Piece.UNKNOWN)],
    [(15_999, 0, 0, Piece.HIHAT_OPEN), (16_000, -100, 0, Piece.RIDE)],
    [(16_000, 0, 0, Piece.KICK)],
    [(0, 0, 0, Piece.KICK)],
]


@pytest.mark.parametrize("repair", [AUTO, SEPARATE])
@pytest.mark.parametrize("goes", EDGES)
def test_hits_at_the_edges_are_rendered(goes: list[tuple[int, int, int, Piece]], repair: RepairSettings) -> None:
    for audio in (noise(2, 16_001), np.zeros((2, 16_001), np.float32), 0.5 + noise(2, 16_001)):
        take = take_from_array(audio, RATE)
        out = render_whole(take, plan_of(take, goes, repair))
        assert out.shape == audio.shape
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 4 * np.abs(audio).max()


@pytest.mark.parametrize("samples", [1, 2, 17, 255, 1_001])
def test_a_take_may_be_shorter_than_a_window(samples: int) -> None:
    for rate in (8_000, 44_100, 192_000):
        take = take_from_array(noise(3, samples), rate)
        out = render_whole(take, plan_of(take, [(samples - 1, 1 - samples, 0, Piece.SNARE)], SEPARATE))
        assert out.shape == (3, samples)
        assert np.isfinite(out).all()


@settings(max_examples=25)
@given(
    channels=st.integers(1, 8),
    rate=st.sampled_from([44_100, 48_000, 96_000]),
    kind=KINDS,
    offset=st.sampled_from([0.0, 0.5]),
    ceiling=st.sampled_from([0.1, 1.0]),
    odd=st.integers(0, 9),
)
def test_any_take_is_rendered_in_its_own_shape_and_type(
    channels: int, rate: int, kind: type, offset: float, ceiling: float, odd: int
) -> None:
    samples = rate // 2 + odd
    audio: Audio = np.clip(3.0 * noise(channels, samples) + offset, -ceiling, ceiling).astype(kind)
    take = take_from_array(audio, rate)
    late = rate // 100
    goes = [(0, late, 0, Piece.KICK), (late, 0, 0, Piece.SNARE), (samples - 1, -late, 1, Piece.UNKNOWN)]
    out = render_whole(take, plan_of(take, goes))
    assert out.shape == audio.shape
    assert out.dtype == kind
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 4 * ceiling


class Endless:
    """Silence of any length, that tells how much of it is read."""

    def __init__(self, channels: int, samples: int) -> None:
        self.channels, self.samples = channels, samples
        self.longest = self.read_in_all = 0

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        assert 0 <= start_samples <= stop_samples <= self.samples
        self.longest = max(self.longest, stop_samples - start_samples)
        self.read_in_all += stop_samples - start_samples
        return np.zeros((self.channels, stop_samples - start_samples), np.float32)


@pytest.mark.parametrize("repair", [AUTO, SEPARATE])
def test_a_long_take_is_read_a_stretch_at_a_time(repair: RepairSettings) -> None:
    samples, late = 600 * RATE, 120
    source = Endless(1, samples)
    take = replace(take_from_array(np.zeros((1, 1), np.float32), RATE), samples=samples, source=source)
    goes: list[tuple[int, int, int, Piece]] = []
    for line, onset in enumerate(range(1_000, samples - 5_000, 4_000)):
        flam = late if line % 40 == 3 else 0
        goes += [(onset, 0, line, Piece.KICK), (onset + flam, -flam, line, Piece.SNARE)]
    done: list[int] = []
    assert sum(block.shape[1] for block in render(take, plan_of(take, goes, repair), done.append)) == samples
    assert sum(done) == samples
    assert source.longest <= (EXCERPT_SECONDS + LAST_DECAY_SECONDS) * RATE


@pytest.mark.parametrize("blocks", [1, 3])
def test_no_thread_is_left_behind(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "BLOCK_SECONDS", 1.0)
    before = set(threading.enumerate())
    take = take_from_array(noise(1, 3 * RATE), RATE)
    plan = plan_of(take, [(RATE * i + late, -late, i, Piece.KICK) for i in range(3) for late in (0, 200)], SEPARATE)
    rendered = render(take, plan)
    for _ in range(blocks):
        next(rendered)
    assert set(threading.enumerate()) - before
    rendered.close()
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize("repair", [AUTO, SEPARATE])
def test_auto_lifts_what_a_cut_leaves_off_its_place_and_separate_everything(
    repair: RepairSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    class Spy(Separator):
        def __init__(
            self, take: Take, plan: EditPlan, shifts: Sequence[int], lifted: Sequence[bool], heard: IntArray
        ) -> None:
            asked.extend(lifted)
            super().__init__(take, plan, shifts, lifted, heard)

    monkeypatch.setattr(rendering, "Separator", Spy)
    take = take_from_array(noise(2, 20 * RATE), RATE)
    goes = [(onset * RATE, 0, onset, Piece.KICK) for onset in range(1, 19)]
    goes = sorted([*goes, *((onset * RATE + 120, -120, onset, Piece.SNARE) for onset in (6, 7, 12))])
    render_whole(take, plan_of(take, goes, repair))
    assert asked == [repair is SEPARATE or piece is Piece.SNARE for _, _, _, piece in goes]


@settings(max_examples=25)
@given(
    performance=performances(),
    fill=st.sampled_from(Fill),
    asked=st.lists(st.integers(0, 40_000), min_size=2, max_size=6),
)
def test_what_is_asked_for_is_the_same_whatever_else_is(
    performance: tuple[int, list[tuple[int, int, int, Piece]]], fill: Fill, asked: list[int]
) -> None:
    samples, goes = performance
    take = take_from_array(noise(2, samples), RATE)
    plan = replace(plan_of(take, goes, SEPARATE), splice=SpliceSettings(fill=fill))
    assume(goes and is_valid(plan, take))
    edges = sorted({edge % samples for edge in asked})
    parts = np.array(edges[: len(edges) // 2 * 2], np.int64).reshape(-1, 2)
    shifts, wanted = [shift for _, shift, _, _ in goes], [True] * len(goes)
    everything = np.array([[0, samples]], np.int64)
    with (
        closing(Separator(take, plan, shifts, wanted, everything)) as whole,
        closing(Separator(take, plan, shifts, wanted, parts)) as partial,
    ):
        for start, stop in parts.tolist():
            np.testing.assert_allclose(partial.read(start, stop), whole.read(start, stop), rtol=0.0, atol=1e-4)


def test_what_is_not_repaired_costs_no_listening() -> None:
    samples = 600 * RATE
    source = Endless(1, samples)
    take = replace(take_from_array(np.zeros((1, 1), np.float32), RATE), samples=samples, source=source)
    goes = [(onset, 0, line, Piece.KICK) for line, onset in enumerate(range(1_000, samples, 4_000))]
    assert sum(block.shape[1] for block in render(take, plan_of(take, goes))) == samples
    assert source.read_in_all == samples


def test_one_flam_in_a_long_take_is_learned_from_a_minute() -> None:
    samples = 600 * RATE
    source = Endless(1, samples)
    take = replace(take_from_array(np.zeros((1, 1), np.float32), RATE), samples=samples, source=source)
    goes = [(onset, 0, line, Piece.KICK) for line, onset in enumerate(range(1_000, samples, 4_000))]
    goes.insert(1, (1_120, -120, 0, Piece.KICK))
    assert sum(block.shape[1] for block in render(take, plan_of(take, goes))) == samples
    assert source.read_in_all < samples + (LEARNING_SECONDS + 4 * EXCERPT_SECONDS) * RATE


@pytest.mark.parametrize("render_as", Render)
def test_a_click_stays_bit_for_bit(render_as: Render) -> None:
    take = take_from_array(noise(3, RATE), RATE, ["kick", "snare", "click"])
    goes = [(1_000, 120, 0, Piece.KICK), (1_080, -60, 0, Piece.SNARE)]
    out = render_whole(take, plan_of(take, goes, RepairSettings(render_as)))
    np.testing.assert_array_equal(out[2], take.read(0, RATE)[2])
    assert all((row != before).any() for row, before in zip(out[:2], take.read(0, RATE), strict=False))


def test_a_click_that_a_group_names_goes_with_it() -> None:
    take, plan, _ = flammed(RATE, FLAM_SECONDS)
    audio = take.read(0, take.samples)
    names, roles = [*MICROPHONES, "click"], [*(channel.role for channel in take.channels), Role.CLICK]
    clicked = take_from_array(np.concatenate([audio, audio[:1]]), RATE, names, roles)
    together = SpliceSettings(groups=((MICROPHONES[0], "click"),))
    plan = replace(plan, take=TakeFacts.of(clicked), splice=together, repair=SEPARATE)
    out, cut = render_whole(clicked, plan), spliced(clicked, plan)
    np.testing.assert_array_equal(out[-1], cut[-1])
    assert not np.array_equal(cut[-1], audio[0])
