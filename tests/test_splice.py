"""Laws of cutting: nothing moves that need not, microphones stay together, every attack sounds once and as it was."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from beatnet_align import rendering, splice
from beatnet_align.cut_list import channel_groups, cut_list, validate
from beatnet_align.edit_plan import EditPlan, Move, SpliceSettings, TakeFacts
from beatnet_align.engines import Fill
from beatnet_align.errors import InputError
from beatnet_align.fill import stretched_tail
from beatnet_align.grid import Grid
from beatnet_align.hits import Piece
from beatnet_align.rendering import render, render_whole
from beatnet_align.splice import Fade, Plain, Span, Splicer, Stretched, crossfade, timeline
from beatnet_align.take import Audio, Take, take_from_array
from beatnet_align.tempo_map import TempoMap

RATE = 8_000
GUARD, HOLD = 4, 280
"""Samples: 0.5 and 35 ms."""


def noise(channels: int, samples: int, seed: int) -> Audio:
    return 0.3 * np.random.default_rng(seed).standard_normal((channels, samples)).astype(np.float32)


def plan_of(take: Take, goes: Sequence[tuple[int, int]], how: SpliceSettings | None = None) -> EditPlan:
    """A plan with one hit for each (onset, shift), triggered by the channels in turn."""
    names = [channel.name for channel in take.channels]
    moves = tuple(
        Move(onset, onset + shift, names[i % len(names)], Piece.UNKNOWN, 0.9, 1.0, line_beats=float(i))
        for i, (onset, shift) in enumerate(goes)
    )
    return EditPlan(TakeFacts.of(take), moves, TempoMap.constant(120.0, 0.0), Grid(), splice=how or SpliceSettings())


def is_valid(plan: EditPlan, take: Take) -> bool:
    try:
        validate(plan, take)
    except InputError:
        return False
    return True


@st.composite
def performances(draw: st.DrawFn, least_samples: int = 1) -> tuple[int, list[tuple[int, int]]]:
    """Length of a take, and (onset, shift) of hits that keep their order: sparse, dense, at the edges, far moved."""
    spacings = st.integers(16, 40) | st.integers(16, 400) | st.integers(400, 6_000)
    count = draw(st.integers(0, 8))
    onsets = list(
        accumulate(draw(st.lists(spacings, min_size=count, max_size=count)), initial=draw(st.integers(0, 500)))
    )
    goals = list(
        accumulate(draw(st.lists(spacings, min_size=count, max_size=count)), initial=draw(st.integers(0, 500)))
    )
    stay = draw(st.lists(st.booleans(), min_size=count + 1, max_size=count + 1))
    samples = max(onsets[-1], goals[-1]) + draw(st.integers(1, 40) | st.integers(40, 4_000))
    goes = [(onset, 0 if keeps else goal - onset) for onset, goal, keeps in zip(onsets, goals, stay, strict=True)]
    return max(samples, least_samples), goes


splices = st.builds(
    SpliceSettings,
    pad_seconds=st.sampled_from([0.001, 0.005, 0.05]),
    crossfade_seconds=st.sampled_from([0.0005, 0.005, 0.05]),
    fill=st.sampled_from(Fill),
)


@given(channels=st.integers(1, 16), samples=st.integers(1, 4096), seed=st.integers(0, 99))
def test_a_crossfade_between_equals_is_inaudible(channels: int, samples: int, seed: int) -> None:
    audio = noise(channels, samples, seed)
    np.testing.assert_array_equal(crossfade(audio, audio), audio)


@given(samples=st.integers(1, 4096))
def test_a_crossfade_has_equal_gain_and_no_step(samples: int) -> None:
    fade = crossfade(np.zeros((1, samples)), np.ones((1, samples)))
    back = crossfade(np.ones((1, samples)), np.zeros((1, samples)))
    np.testing.assert_allclose(fade + back, 1.0, atol=1e-12)
    np.testing.assert_allclose(np.diff(np.pad(fade[0], 1, constant_values=(0.0, 1.0))), 1 / (samples + 1), atol=1e-12)


@settings(max_examples=40)
@given(
    channels=st.integers(1, 32),
    samples=st.integers(1, 20_000),
    rate=st.sampled_from([8_000, 44_100, 192_000]),
    kind=st.sampled_from([np.float32, np.float64]),
    onsets=st.lists(st.integers(0, 19_999), max_size=20),
    how=splices,
)
def test_a_plan_that_moves_nothing_is_the_identity(
    channels: int, samples: int, rate: int, kind: type, onsets: list[int], how: SpliceSettings
) -> None:
    audio: Audio = noise(channels, samples, 1).astype(kind)
    take = take_from_array(audio, rate)
    out = render_whole(take, plan_of(take, [(onset, 0) for onset in sorted(onsets) if onset < samples], how))
    assert out.dtype == audio.dtype
    np.testing.assert_array_equal(out, audio)


@settings(max_examples=200)
@given(performance=performances(), how=splices)
def test_every_attack_sounds_once_and_in_its_place(
    performance: tuple[int, list[tuple[int, int]]], how: SpliceSettings
) -> None:
    samples, goes = performance
    clicks = np.zeros((1, samples), np.float32)
    clicks[0, [onset for onset, _ in goes]] = 1.0
    take = take_from_array(clicks, RATE)
    plan = plan_of(take, goes, how)
    assume(is_valid(plan, take))
    expected = np.zeros((1, samples), np.float32)
    expected[0, [onset + shift for onset, shift in goes]] = 1.0
    out = render_whole(take, plan)
    np.testing.assert_array_equal(out == 1.0, expected == 1.0)
    np.testing.assert_allclose(out, expected, atol=1e-4)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_a_continued_tail_is_the_same_in_any_blocks(kind: type, rate: int) -> None:
    time = np.arange(rate) / rate
    rings = np.exp(-(time % 0.25) / 0.08) * np.sin(2 * np.pi * np.array([[180.0], [410.0]]) * (time % 0.25))
    take = take_from_array(rings.astype(kind), rate)
    late = rate // 20
    goes = [(rate // 4, 0), (rate // 2, late), (3 * rate // 4, 2 * late)]
    plan = plan_of(take, goes, SpliceSettings(fill=Fill.AUTOREGRESSIVE))
    whole, splicer = render_whole(take, plan), Splicer(take, plan)
    starts = list(range(0, take.samples, 1_237))
    blocks = [splicer.read(start, min(start + 1_237, take.samples)) for start in starts]
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)
    # Where the gap opened, the tail goes on as it fell.
    gap = slice(rate // 2, rate // 2 + late - rate // 100)
    ringing_on = np.abs(whole[:, gap]).max()
    assert 0.01 < ringing_on < np.abs(rings[:, rate // 2 - late : rate // 2]).max() * 1.05


@settings(max_examples=150)
@given(performance=performances(), how=splices)
def test_attacks_are_exact_from_onset_to_hold_or_next_join(
    performance: tuple[int, list[tuple[int, int]]], how: SpliceSettings
) -> None:
    samples, goes = performance
    audio = noise(2, samples, 3)
    take = take_from_array(audio, RATE)
    plan = plan_of(take, goes, how)
    assume(is_valid(plan, take))
    out = render_whole(take, plan)
    sounds = [(onset, onset + shift) for onset, shift in goes]
    following = [*sounds[1:], (samples, samples)]
    for (onset, goal), (next_onset, next_goal) in zip(sounds, following, strict=True):
        room = min(next_onset - onset, next_goal - goal) - GUARD
        kept = max(1, min(HOLD, room // 2))
        np.testing.assert_array_equal(out[:, goal : goal + kept], audio[:, onset : onset + kept])
        before = min(GUARD, goal, onset)  # the join ends in front of the attack
        if onset != goal:
            np.testing.assert_array_equal(out[:, goal - before : goal], audio[:, onset - before : onset])


@settings(max_examples=150)
@given(performance=performances(), how=splices, channels=st.integers(2, 5), split=st.booleans())
def test_all_channels_of_a_group_move_by_the_same_samples(
    performance: tuple[int, list[tuple[int, int]]], how: SpliceSettings, channels: int, split: bool
) -> None:
    samples, goes = performance
    ramp = np.arange(samples, dtype=np.float64)
    take = take_from_array(ramp + 1e6 * np.arange(1, channels + 1)[:, None], RATE)
    names = [channel.name for channel in take.channels]
    how = replace(how, groups=((names[-1], names[0]),)) if split else how
    plan = plan_of(take, goes, how)
    assume(is_valid(plan, take))
    out = render_whole(take, plan)
    assert out.shape == (channels, samples)
    for group in channel_groups(how, plan.take):
        rows = [names.index(name) for name in group]
        played = out[rows] - 1e6 * (1 + np.array(rows))[:, None]
        for span in timeline(cut_list(plan, group), samples, RATE, how):
            if isinstance(span, Plain):
                source = np.arange(span.start, span.stop) - span.shift
                inside = (source >= 0) & (source < samples)
                expected = np.broadcast_to(source[inside], (len(rows), inside.sum()))
                np.testing.assert_array_equal(played[:, span.start : span.stop][:, inside], expected)


@settings(max_examples=200)
@given(performance=performances(), how=splices)
def test_spans_follow_each_other_from_start_to_end(
    performance: tuple[int, list[tuple[int, int]]], how: SpliceSettings
) -> None:
    samples, goes = performance
    take = take_from_array(np.zeros((1, samples), np.float32), RATE)
    plan = plan_of(take, goes, how)
    assume(is_valid(plan, take))
    spans = timeline(cut_list(plan, ["channel 1"]), samples, RATE, how)
    assert spans[0].start == 0
    assert spans[-1].stop == samples
    assert all(before.stop == after.start for before, after in pairwise(spans))
    assert all(span.start < span.stop for span in spans)


@settings(max_examples=30)
@given(performance=performances(least_samples=2_000), how=splices, block=st.integers(50, 5_000), split=st.booleans())
def test_the_block_size_is_inaudible(
    performance: tuple[int, list[tuple[int, int]]], how: SpliceSettings, block: int, split: bool
) -> None:
    samples, goes = performance
    take = take_from_array(noise(3, samples, 5), RATE)
    how = replace(how, groups=(("channel 2",),)) if split else how
    plan = plan_of(take, goes, how)
    assume(is_valid(plan, take))
    whole = render_whole(take, plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "BLOCK_SECONDS", block / RATE)
        blocks = list(render(take, plan))
    assert [piece.shape[1] for piece in blocks[:-1]] == [block] * (len(blocks) - 1)
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)


@pytest.mark.parametrize("groups", [(), (("channel 2",),)])
def test_a_join_that_is_read_part_by_part_is_made_once(
    groups: tuple[tuple[str, ...], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = take_from_array(noise(3, 16_000, 5), RATE)
    how = SpliceSettings(fill=Fill.AUTOREGRESSIVE, groups=groups)
    splicer = Splicer(take, plan_of(take, [(onset, 100 * i) for i, onset in enumerate(range(500, 14_000, 1_500))], how))
    made: list[object] = []
    render_span = splice._render_span

    def noted(span: Span, audio: Audio, offset: int, sample_rate: int) -> Audio:
        made.append(span)
        return render_span(span, audio, offset, sample_rate)

    monkeypatch.setattr(splice, "_render_span", noted)
    whole = splicer.read(0, take.samples)
    joins = [span for span in made if not isinstance(span, Plain | Fade)]
    made.clear()
    parts = [splicer.read(start, min(start + 61, take.samples)) for start in range(0, take.samples, 61)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    assert len(joins) > 5 and len([span for span in made if not isinstance(span, Plain | Fade)]) <= len(joins)


def test_several_threads_may_read_at_once() -> None:
    take = take_from_array(noise(2, 16_000, 5), RATE)
    goes = [(onset, 100 * i) for i, onset in enumerate(range(500, 14_000, 1_500))]
    splicer = Splicer(take, plan_of(take, goes, SpliceSettings(fill=Fill.AUTOREGRESSIVE)))
    whole = splicer.read(0, take.samples)
    with ThreadPoolExecutor(8) as threads:
        parts = list(threads.map(lambda start: splicer.read(start, start + 400), [*range(0, 15_600, 200)] * 3))
    for start, part in zip([*range(0, 15_600, 200)] * 3, parts, strict=True):
        np.testing.assert_array_equal(part, whole[:, start : start + 400])


@settings(max_examples=30)
@given(performance=performances(), how=splices, power=st.integers(-12, 12))
def test_scaling_the_take_scales_the_result(
    performance: tuple[int, list[tuple[int, int]]], how: SpliceSettings, power: int
) -> None:
    samples, goes = performance
    audio, gain = noise(2, samples, 9), np.float32(2.0**power)
    take, louder = take_from_array(audio, RATE), take_from_array(audio * gain, RATE)
    plan = plan_of(take, goes, how)
    assume(is_valid(plan, take))
    out, scaled = render_whole(take, plan), render_whole(louder, plan)
    stretched = np.zeros(samples, bool)
    for span in timeline(cut_list(plan, ["channel 1", "channel 2"]), samples, RATE, how):
        stretched[span.start : span.stop] |= isinstance(span, Stretched)
    np.testing.assert_array_equal(scaled[:, ~stretched], out[:, ~stretched] * gain)
    np.testing.assert_allclose(scaled, out * gain, atol=1e-5 * float(gain))


def test_rendering_twice_gives_the_same_samples() -> None:
    take = take_from_array(noise(2, 8_000, 11), RATE)
    plan = plan_of(take, [(300, -200), (400, 2_000), (6_000, -100), (7_900, 60)])  # a long gap with a short tail
    np.testing.assert_array_equal(render_whole(take, plan), render_whole(take, plan))


@pytest.mark.parametrize("fill", list(Fill))
@pytest.mark.parametrize(
    "goes",
    [
        [(0, 400)],
        [(0, 3)],
        [(3, -3)],
        [(2, 7_000)],
        [(4_000, -4_000)],
        [(4_000, 3_999)],
        [(7_999, -4_000)],
        [(7_990, 9)],
        [(7_500, 490)],
        [(1_000, -900), (1_040, 4_000)],
        [(1_000, -900), (1_016, 4_000), (1_032, 6_000)],
        [(1_000, 4_000), (7_000, -1_984)],
        [(1_000, 20), (1_100, -20), (1_200, 20), (1_300, -20)],
    ],
)
def test_attacks_survive_at_the_edges(goes: list[tuple[int, int]], fill: Fill) -> None:
    clicks = np.zeros((1, 8_000), np.float32)
    clicks[0, [onset for onset, _ in goes]] = 1.0
    take = take_from_array(clicks, RATE)
    out = render_whole(take, plan_of(take, goes, SpliceSettings(fill=fill)))
    np.testing.assert_array_equal(np.flatnonzero(out == 1.0), [onset + shift for onset, shift in goes])
    assert np.count_nonzero(np.abs(out) > 1e-4) == len(goes)


def test_groups_move_apart_and_each_channel_with_its_own() -> None:
    audio = np.zeros((2, 8_000), np.float32)
    audio[:, 2_000] = audio[:, 2_060] = 1.0
    take = take_from_array(audio, RATE, ["kick", "snare"])
    how = SpliceSettings(groups=(("snare",),))
    plan = plan_of(take, [], how)
    kick = Move(2_000, 2_020, "kick", Piece.KICK, 1.0, 1.0, True, 1.0)
    snare = Move(2_060, 2_020, "snare", Piece.SNARE, 1.0, 1.0, False, 1.0)
    out = render_whole(take, replace(plan, moves=(kick, snare)))
    assert np.flatnonzero(out[0] == 1.0).tolist() == [2_020, 2_080]
    assert np.flatnonzero(out[1] == 1.0).tolist() == [1_960, 2_020]


def test_a_take_of_many_bits_keeps_them_even_where_it_has_no_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "BLOCK_SECONDS", 0.1)
    take = take_from_array(noise(1, 8_000, 2).astype(np.float64), RATE)
    assert {block.dtype for block in render(take, plan_of(take, [(10, 7_000)]))} == {np.dtype(np.float64)}


def test_a_long_take_is_read_a_stretch_at_a_time() -> None:
    longest, samples = 0, 600 * RATE
    onsets = range(1_000, samples - 5_000, 2_000)

    class Endless:
        def read(self, start_samples: int, stop_samples: int) -> Audio:
            nonlocal longest
            assert 0 <= start_samples <= stop_samples <= samples
            longest = max(longest, stop_samples - start_samples)
            return np.zeros((1, stop_samples - start_samples), np.float32)

    take = replace(take_from_array(np.zeros((1, 1), np.float32), RATE), samples=samples, source=Endless())
    plan = plan_of(take, [(onset, 150 - 300 * (i % 2)) for i, onset in enumerate(onsets)])
    done: list[int] = []
    assert sum(block.shape[1] for block in render(take, plan, done.append)) == samples
    assert sum(done) == samples
    assert longest < (rendering.BLOCK_SECONDS + 1.0) * RATE


def decaying(channels: int, samples: int, rate: int, seed: int = 0) -> Audio:
    """Tails of partials that ring for about 100 ms."""
    seconds = np.arange(samples) / rate
    hertz = np.random.default_rng(seed).uniform(150, 2_000, (channels, 1))
    return (0.5 * np.sin(2 * np.pi * hertz * seconds) * np.exp(-seconds / 0.1)).astype(np.float32)


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 3_000), st.integers(0, 20_000), st.sampled_from([np.float32, np.float64]))
def test_a_stretched_tail_is_as_long_as_asked_for(channels: int, samples: int, more: int, kind: type) -> None:
    tail: Audio = noise(channels, samples, 4).astype(kind)
    out = stretched_tail(tail, samples + more, 8_000)
    assert out.shape == (channels, samples + more)
    assert out.dtype == kind
    assert np.isfinite(out).all()


def test_stretched_silence_stays_silent() -> None:
    assert not stretched_tail(np.zeros((3, 500), np.float32), 700, 44_100).any()


@pytest.mark.parametrize("ratio", [1.0, 1.2, 1.5, 3.0, 20.0])
def test_stretching_is_repeatable_and_blind_to_level(ratio: float) -> None:
    tail = decaying(2, 4_410, 44_100)
    length = round(ratio * 4_410)
    out = stretched_tail(tail, length, 44_100)
    np.testing.assert_array_equal(stretched_tail(tail, length, 44_100), out)
    np.testing.assert_array_equal(stretched_tail(tail * np.float32(2**-9), length, 44_100), out * np.float32(2**-9))


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
@pytest.mark.parametrize("ratio", [1.1, 1.3, 1.5])
def test_a_stretched_tail_is_as_loud_as_the_tail(rate: int, ratio: float) -> None:
    tail = decaying(2, round(0.2 * rate), rate)
    out = stretched_tail(tail, round(0.2 * rate * ratio), rate)
    level_db = 10 * np.log10(np.mean(out**2) / np.mean(tail**2))
    assert abs(level_db) < 3.0
