"""Takes with known grid positions: truth is on offer, errors have their sizes, rewritten scores sound alike."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.grid_tokens import grid_tokens
from beatnet_align.hits import Piece
from beatnet_align.tempo_map import TempoMap
from beatnet_align.units import FloatArray
from datagen.config import Split
from datagen.played.grooves import load_grooves
from datagen.played.patterns import Patterns
from datagen.played.performance import AS_PLAYED, perform
from datagen.played.score import Note, Score
from models import grid_takes
from models.grid_examples import DRUMMERS
from models.grid_scores import as_triplets, count_bars
from models.grid_takes import GRID_SETS
from models.heard_takes import HITNETS_ERRORS, GridTake, with_errors

GROOVES = Path(__file__).parents[2] / "shared" / "data" / "groove"
needs_grooves = pytest.mark.skipif(not GROOVES.is_dir(), reason="needs the Groove MIDI Dataset in shared/data/groove")
FROM_PATTERNS = [name for name in GRID_SETS if name != "real_triplets"]


def takes_of(name: str, seed: int = 0, count: int = 4, bars: int = 8) -> list[GridTake]:
    return GRID_SETS[name].takes([Patterns()], seed, count, bars)


def late_seconds(take: GridTake) -> FloatArray:
    """[counted hits], from the lines without swing."""
    return (take.struck.seconds - take.tempo_map.to_seconds(take.nominals_beats))[take.counted]


def score(beats: list[float], division: str, swing: float = 0.5, bpm: float = 90.0, drummer: str = "me") -> Score:
    """Snare strokes, each a little off in its own way."""
    notes = tuple(Note(Piece.SNARE, 0.8, at, 0.004 * np.sin(7.0 * at)) for at in beats)
    return Score(notes, TempoMap.constant(bpm, 0.5), (division,), swing, "test", "test", drummer, "CC0")


@pytest.mark.parametrize("name", FROM_PATTERNS)
def test_truth_is_on_offer_and_in_order(name: str) -> None:
    for take in takes_of(name):
        struck, shape = take.struck, take.struck.seconds.shape
        arrays = (struck.groups, struck.velocities, struck.confidences, take.nominals_beats, take.is_hit)
        assert all(array.shape == shape for array in arrays) and len(struck.seconds)
        assert np.all(np.diff(struck.seconds) >= 0.0) and take.is_hit.all() and 1 <= take.bars <= 9
        np.testing.assert_allclose(take.grid.nominal_of_nearest(take.nominals_beats), take.nominals_beats, atol=1e-5)
        tokens = grid_tokens(struck, take.tempo_map, take.grid)
        off = np.abs(tokens.nominals_beats - take.nominals_beats[:, None]).min(axis=1)[take.counted]
        assert off.max() < 1e-5


@given(name=st.sampled_from(FROM_PATTERNS), seed=st.integers(0, 99))
@settings(max_examples=10)
def test_a_seed_fixes_the_takes(name: str, seed: int) -> None:
    (one,), (same,) = (takes_of(name, seed, 1, 4) for _ in range(2))
    np.testing.assert_array_equal(one.struck.seconds, same.struck.seconds)
    rngs = (np.random.default_rng(seed) for _ in range(2))
    heard, again = (with_errors(one, HITNETS_ERRORS, rng) for rng in rngs)
    np.testing.assert_array_equal(heard.struck.confidences, again.struck.confidences)


@pytest.mark.parametrize(("name", "sd_seconds"), [("straight16_120", 0.020), ("mixed_120", 0.015), ("fast_180", 0.030)])
def test_jitter_has_the_size_that_the_set_names(name: str, sd_seconds: float) -> None:
    late = np.concatenate([late_seconds(take) for take in takes_of(name, count=12)])
    assert late.std() == pytest.approx(sd_seconds, rel=0.1) and abs(late.mean()) < sd_seconds / 5.0
    assert np.abs(late).max() < 5.0 * sd_seconds  # no tail


@pytest.mark.parametrize(("name", "peak_seconds"), [("drift90_120", 0.09), ("drift130_120", 0.13)])
def test_drift_is_slow_and_as_large_as_the_set_names(name: str, peak_seconds: float) -> None:
    peaks = []
    for take in takes_of(name, count=6, bars=16):
        late = late_seconds(take)
        peaks.append(np.abs(late).max())
        assert np.abs(np.diff(late)).max() < 0.06
    assert peak_seconds * 0.8 < max(peaks) < peak_seconds + 0.03


@pytest.mark.parametrize(("name", "step_beats"), [("swung8", 0.5), ("swung16", 0.25)])
def test_swung_takes_are_played_swung_and_asked_straight(name: str, step_beats: float) -> None:
    for take in takes_of(name):
        assert take.grid.swing == 0.5 and 0.56 <= take.played_grid.swing <= 0.67
        delayed = np.rint(take.nominals_beats[take.counted] / step_beats) % 2 == 1
        late_beats = late_seconds(take) * take.tempo_map.bpm_at(0.0) / 60.0
        assert abs(np.median(late_beats[~delayed])) < 0.01
        if delayed.any():
            swing = 0.5 + np.median(late_beats[delayed]) / (2.0 * step_beats)
            assert swing == pytest.approx(take.played_grid.swing, abs=0.03)


def test_mixed_takes_have_lines_that_only_16ths_and_only_triplets_have() -> None:
    ticks = np.concatenate([np.rint(take.nominals_beats * 24) for take in takes_of("mixed_120", count=6)]).astype(int)
    assert np.mean(ticks % 24 % 8 == 0) > 0.3 and np.isin(ticks % 24, (8, 16)).mean() > 0.02
    assert np.isin(ticks % 24, (6, 18)).mean() > 0.02


def test_errors_have_their_shares_and_leave_the_truth_of_real_hits() -> None:
    rng = np.random.default_rng(0)
    takes = takes_of("straight16_120", count=16)
    heard = [with_errors(take, HITNETS_ERRORS, rng) for take in takes]
    played = sum(len(take.is_hit) for take in takes)
    real = sum(int(take.is_hit.sum()) for take in heard)
    false = sum(int((~take.is_hit).sum()) for take in heard)
    assert 1.0 - real / played == pytest.approx(HITNETS_ERRORS.dropped_share[0], abs=0.02)
    assert false / played == pytest.approx(HITNETS_ERRORS.inserted_share[0], abs=0.012)
    misnamed, sure, unsure = [], [], []
    for before, after in zip(takes, heard, strict=True):
        assert np.all(np.diff(after.struck.seconds) >= 0.0)
        assert np.isnan(after.nominals_beats[~after.is_hit]).all() and not after.ornaments[~after.is_hit].any()
        for i in np.flatnonzero(after.is_hit):
            near = np.flatnonzero(np.abs(before.struck.seconds - after.struck.seconds[i]) < 0.01)
            same = near[before.struck.velocities[near] == after.struck.velocities[i]]
            assert after.nominals_beats[i] in before.nominals_beats[same]
            if len(same) == 1:
                misnamed.append(before.struck.groups[same[0]] != after.struck.groups[i])
        sure += after.struck.confidences[after.is_hit].tolist()
        unsure += after.struck.confidences[~after.is_hit].tolist()
    assert np.mean(misnamed) == pytest.approx(HITNETS_ERRORS.misnamed_share[0], abs=0.02)
    assert np.mean(sure) == pytest.approx(0.95, abs=0.02) and np.mean(unsure) < 0.8 and max(unsure) > min(sure)


def test_ornaments_are_marked_and_do_not_count() -> None:
    notes = (
        Note(Piece.SNARE, 0.2, 1.0, ornament_of=1, ornament_seconds=-0.03),
        Note(Piece.SNARE, 0.9, 1.0),
        Note(Piece.KICK, 0.9, 2.0),
    )

    class One:
        def pick(self, _rng: np.random.Generator, _bars: int) -> Score:
            return Score(notes, TempoMap.constant(90.0, 0.5), ("1/8",), 0.5, "test", "test", "me", "CC0")

    (take,) = GRID_SETS["straight16_120"].takes([One()], 0, 1, 1)
    assert take.ornaments.tolist() == [True, False, False] and take.counted.tolist() == [False, True, True]
    assert take.nominals_beats.tolist() == [1.0, 1.0, 2.0]


@pytest.mark.parametrize("swing", [0.63, 2.0 / 3.0, 0.68])
@pytest.mark.parametrize("bpm", [80.0, 150.0])
def test_a_shuffle_in_triplets_sounds_alike(swing: float, bpm: float) -> None:
    shuffle = score([i / 2 for i in range(32)], "1/8", swing, bpm)
    written = as_triplets(shuffle)
    assert written.divisions == ("1/8T",) and written.swing == 0.5
    assert {round(note.score_beats % 1.0, 3) for note in written.notes} == {0.0, 0.667}
    assert_sounds_alike(shuffle, written)


def test_sixteenth_triplets_at_twice_the_tempo_sound_alike() -> None:
    triplets = score([i / 6 for i in range(96)], "1/16T")
    written = as_triplets(triplets)
    assert written.divisions == ("1/8T",) and written.tempo_map.bpm_at(0.0) == 180.0
    assert count_bars(written) == 2 * count_bars(triplets)
    assert_sounds_alike(triplets, written)


@pytest.mark.parametrize(("division", "swing"), [("1/8", 0.57), ("1/8", 0.5), ("1/16", 0.65), ("1/8T", 0.5)])
def test_other_scores_stay_as_they_are(division: str, swing: float) -> None:
    plain = score([0.0, 1.0, 2.0], division, swing)
    assert as_triplets(plain) is plain


def assert_sounds_alike(one: Score, other: Score) -> None:
    played, again = (
        [stroke.performed_seconds for stroke in perform(each, AS_PLAYED, np.random.default_rng(0)).strokes]
        for each in (one, other)
    )
    np.testing.assert_allclose(played, again, atol=1e-9)


def test_patterns_have_no_real_triplets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_takes, "PICK_TRIES", 50)
    with pytest.raises(InputError, match="Groove MIDI Dataset"):
        takes_of("real_triplets", count=1, bars=1)


@pytest.mark.parametrize(("count", "bars"), [(0, 4), (1, 0)])
def test_nothing_asked_for_is_refused(count: int, bars: int) -> None:
    with pytest.raises(InputError, match="at least one"):
        takes_of("straight16_120", count=count, bars=bars)


@needs_grooves
def test_real_triplets_are_played_on_triplets() -> None:
    grooves = load_grooves(GROOVES, "validation", DRUMMERS[Split.TEST])
    takes = GRID_SETS["real_triplets"].takes([grooves], 0, 2, 8)
    ticks = np.concatenate([np.rint(take.nominals_beats * 24) for take in takes]).astype(int) % 24
    assert set(ticks) <= {0, 6, 8, 12, 16, 18} and np.isin(ticks, (8, 16)).mean() > 0.05
