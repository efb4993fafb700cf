"""Lines, strokes and joins: read back out of the conditioning, labelled, laid out and rendered as the effect does."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.conditioning import conditioning_rows
from beatnet_align.grid import Grid
from beatnet_align.tempo_map import TempoChange, TempoMap
from models.resynthesis.conditioning import Told
from models.resynthesis.implicit_warp import ImplicitWarp, read_between
from models.resynthesis.line_features import BLOCK_SAMPLES, FEATURES, line_features
from models.resynthesis.line_finder import Sightings, first_blocks, window_blocks
from models.resynthesis.line_training import line_loss, wanted_onsets
from models.resynthesis.lines import awaited, line_places
from models.resynthesis.segments import kept_lines, segments, spliced_softly, turns, written

RATE = 22_050
GRIDS = [Grid(), Grid(("1/16",), 0.62), Grid(("1/8T", "1/16")), Grid(("1/8",), 0.7), Grid(("1/32",))]


def noise(channels: int, samples: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy((0.1 * rng.standard_normal((1, channels, samples))).astype(np.float32))


@pytest.mark.parametrize("grid", GRIDS)
def test_lines_are_read_back_to_half_a_sample(grid: Grid) -> None:
    tempo_map = TempoMap((TempoChange(0.0, 97.0), TempoChange(3.0, 141.0)), 0.213)
    rows = torch.from_numpy(conditioning_rows(tempo_map, grid, 1.0, RATE, 0, 3 * RATE))[None]
    found = line_places(rows, RATE)[0]
    lines = tempo_map.to_seconds(grid.lines_beats(-2.0, 9.0)) * RATE
    expected = lines[(lines > 1) & (lines < 3 * RATE - 2)]
    assert found[found.isfinite()].numpy() == pytest.approx(expected, abs=0.5)


def test_a_metronome_gives_sixteenths_and_nothing_gives_lines_of_its_own() -> None:
    tempo_map = TempoMap.constant(120.0, 0.2)
    rows = torch.from_numpy(conditioning_rows(tempo_map, Grid(("1/8T",)), 1.0, RATE, 0, 2 * RATE))[None]
    found = line_places(rows, RATE, Told.METRONOME)[0]
    expected = (0.2 + 0.125 * np.arange(12)) * RATE
    assert found[found.isfinite()].numpy() == pytest.approx(expected, abs=2.0)
    assert line_places(rows, RATE, Told.NONE)[0, :3].numpy() == pytest.approx(0.125 * RATE * np.arange(3))


def test_only_the_stroke_that_leads_a_line_is_awaited() -> None:
    places = torch.tensor([[1_000.0, 2_000.0, 3_000.0, torch.nan]])
    strokes = torch.tensor([[[1_100.0, 1_000.0, 1.0], [900.0, 1_000.0, 0.0], [2_950.0, 3_001.0, 1.0], [torch.nan] * 3]])
    wanted = awaited(places, strokes, RATE)[0]
    assert wanted.tolist()[0] == 1_100.0 and wanted.tolist()[2] == 2_950.0
    assert wanted[[1, 3]].isnan().all()


def test_features_do_not_hear_a_gain() -> None:
    audio = noise(3, 30_080)[0]
    features = line_features(audio, RATE)
    assert features.shape == (3, FEATURES, 30_080 // 128) and line_features(audio[:, :-9], RATE).shape == features.shape
    torch.testing.assert_close(line_features(0.1 * audio, RATE), features, atol=1e-3, rtol=0)


def sightings_at(places: torch.Tensor, onsets: torch.Tensor, samples: int) -> Sightings:
    """Sure of given onsets; NaN for none."""
    blocks, _ = window_blocks(places, RATE, samples // 128)
    first = first_blocks(places, RATE)
    struck = onsets.isfinite()
    block = (onsets.nan_to_num() / BLOCK_SAMPLES).floor().to(torch.int64)
    logits = torch.zeros(*blocks.shape[:2], blocks.shape[2] + 1)
    at = torch.where(struck, block - first, blocks.shape[2])
    logits.scatter_(2, at[..., None], 40.0)
    offsets = torch.zeros(blocks.shape)
    share = onsets.nan_to_num() / BLOCK_SAMPLES - block
    offsets.scatter_(2, (block - first).clamp(0, blocks.shape[2] - 1)[..., None], share[..., None])
    return Sightings(places, first, logits, offsets)


@given(seed=st.integers(0, 1_000))
def test_what_was_seen_is_said_to_the_sample_and_costs_little(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = 60 * 1_024
    places = torch.arange(4_000.0, 56_000.0, 2_756.25)[None]
    late = torch.from_numpy(rng.integers(-900, 900, places.shape).astype(np.float32))
    onsets = torch.where(torch.from_numpy(rng.random(places.shape) < 0.6), (places + late).round(), torch.nan)
    seen = sightings_at(places, onsets, samples)
    struck = onsets.isfinite()
    torch.testing.assert_close(seen.onsets()[struck], onsets[struck], atol=0.01, rtol=0)
    torch.testing.assert_close(seen.onsets(1.0)[struck], onsets[struck], atol=0.01, rtol=0)
    assert ((seen.chances() > 0.5) == struck).all()
    leading = torch.stack([onsets, places.round(), torch.ones_like(places)], dim=-1)
    wanted, told = wanted_onsets(seen, leading, samples, RATE)
    assert told.any() and torch.equal(wanted.isfinite(), struck)
    # Labels are spread over neighbouring blocks, so even the truth costs something where there are strokes.
    missed = sightings_at(places, torch.full_like(onsets, torch.nan), samples)
    assert line_loss(seen, leading, samples, RATE) < line_loss(missed, leading, samples, RATE) or not struck[told].any()


def test_no_two_lines_move_the_same_stroke() -> None:
    places = torch.tensor([[10_000.0, 11_000.0, 12_000.0]])
    seen = sightings_at(places, torch.tensor([[10_500.0, 10_500.0, 11_900.0]]), 40_960)
    seen.logits[0, 0] *= 0.1
    assert kept_lines(seen, seen.onsets(), RATE)[0].tolist() == [False, True, True]


def joins(seed: int, strokes: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    onsets = torch.from_numpy(3_000.0 + np.cumsum(rng.integers(2_000, 4_000, (1, strokes)), axis=1)).float()
    shifts = torch.from_numpy(rng.integers(-700, 701, (1, strokes))).float()
    kept = torch.from_numpy(rng.random((1, strokes)) < 0.8)
    return onsets, shifts, kept


@settings(max_examples=30)
@given(seed=st.integers(0, 1_000))
def test_every_attack_moves_bit_for_bit_in_all_channels(seed: int) -> None:
    onsets, shifts, kept = joins(seed)
    audio = noise(3, 30_000, seed)
    output = written(audio, segments(onsets, shifts, kept, RATE))
    for onset, shift in zip(onsets[kept].int().tolist(), shifts[kept].int().tolist(), strict=True):
        first, last = onset - 15, onset + 300
        torch.testing.assert_close(output[..., first + shift : last + shift], audio[..., first:last], atol=0, rtol=0)


@settings(max_examples=15)
@given(seed=st.integers(0, 1_000))
def test_what_is_trained_is_what_is_written(seed: int) -> None:
    onsets, shifts, kept = joins(seed)
    audio = noise(2, 30_000, seed)
    parts = segments(onsets, shifts, kept, RATE)
    parts = parts._replace(starts=parts.starts.round(), lengths=parts.lengths.round())
    hard, soft = written(audio, parts), spliced_softly(audio, parts)
    assert float(10.0 * torch.log10((hard - soft).square().sum() / hard.square().sum() + 1e-30)) < -80.0


def test_a_shift_that_no_stroke_renews_returns_to_none() -> None:
    onset, shift, kept = torch.tensor([[5_000.0]]), torch.tensor([[400.0]]), torch.tensor([[True]])
    audio = noise(1, 4 * RATE)
    output = written(audio, segments(onset, shift, kept, RATE))
    torch.testing.assert_close(output[..., 6_000:30_000], audio[..., 5_600:29_600], atol=0, rtol=0)
    torch.testing.assert_close(output[..., 3 * RATE :], audio[..., 3 * RATE :], atol=0, rtol=0)


@settings(max_examples=20)
@given(seed=st.integers(0, 1_000))
def test_the_warp_is_monotone_and_still_while_a_stroke_sounds(seed: int) -> None:
    torch.manual_seed(seed)
    onsets, shifts, kept = joins(seed)
    net = ImplicitWarp(width=16, stem_width=8, dilations=(1,))
    with torch.inference_mode():
        for parameter in net.speed.parameters():
            parameter.mul_(4.0)
        delays = net._delays(torch.randn(1, 16, 235), onsets, shifts, kept, 30_000)[0]
    read_at = torch.arange(30_000) - delays
    assert (read_at[1:] > read_at[:-1]).all()
    for onset, shift in zip(onsets[kept].int().tolist(), shifts[kept].int().tolist(), strict=True):
        assert (delays[onset + shift - 15 : onset + shift + 300] == shift).all()


def test_reading_by_whole_delays_is_exact_and_by_half_a_sample_nearly() -> None:
    audio = noise(2, 4_000)
    torch.testing.assert_close(
        read_between(audio, torch.full((1, 4_000), 7.0))[..., 7:], audio[..., :-7], atol=0, rtol=0
    )
    time = torch.arange(4_000.0)
    sine, later = (torch.sin(0.4 * (time - delay))[None, None] for delay in (0.0, 2.5))
    read = read_between(sine, torch.full((1, 4_000), 2.5))
    torch.testing.assert_close(read[..., 50:-50], later[..., 50:-50], atol=2e-3, rtol=0)


def test_turns_follow_joins() -> None:
    onsets, shifts = torch.tensor([[5_000.0, 9_000.0]]), torch.tensor([[100.0, -50.0]])
    parts = segments(onsets, shifts, torch.ones(1, 2, dtype=torch.bool), RATE)
    turn = turns(parts, 20_000)
    assert turn.after[0, [4_000, 5_100, 8_950, 15_000]].tolist() == [0.0, 100.0, -50.0, -50.0]
    assert turn.before[0, [5_100, 8_950]].tolist() == [0.0, 100.0]
    assert ((turn.along >= 0.0) & (turn.along <= 1.0)).all()
