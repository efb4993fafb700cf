"""Importing human-edited takes: what our own effect did to the demo take is recovered, to the sample."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf

from beatnet_align.audio_files import load
from beatnet_align.collection import OnsetSettings
from beatnet_align.cut_list import Cut, cut_list
from beatnet_align.demo import demo_folder
from beatnet_align.edit_plan import EditPlan
from beatnet_align.effect import BeatDetective, align
from beatnet_align.engines import Engine, Fill
from beatnet_align.errors import InputError, OutputError
from beatnet_align.reference_hits import reference_hits_from_truth, truth_tempo
from beatnet_align.rendering import render_whole
from beatnet_align.splice import Continued, Fade, Plain, Span, Stretched, timeline
from beatnet_align.take import Audio, Take, take_from_array
from beatnet_align.tempo_source import TempoRequest
from datagen.edited.joins import StretchKind
from datagen.edited.lags import lag_scores
from datagen.edited.recovery import EditedPair, recover_edits
from datagen.edited_pairs import import_edited_pair, import_session
from datagen.sessions import find_sessions

RATE = 44_100
KNOWN_TEMPO = TempoRequest(bpm=112.0, first_beat_seconds=0.5)
CLASSICAL = BeatDetective(engine=Engine.ONSET_QUANTISE)
"""Recovery finds the hits as this engine does, so that both speak of the same ones."""


@dataclass(frozen=True)
class Edited:
    """What the effect did to the demo take."""

    plan: EditPlan
    audio: Audio
    cuts: list[Cut]
    joins: list[Span]

    def shift_at(self, onset_samples: int) -> int:
        return next((c.shift_samples for c in self.cuts[::-1] if c.first_onset_samples <= onset_samples), 0)


def like(take: Take, audio: npt.NDArray[np.floating]) -> Take:
    names = [channel.name for channel in take.channels]
    return take_from_array(audio.astype(np.float32), take.sample_rate, names, name="edited")


def edited(take: Take, detective: BeatDetective) -> Edited:
    plan = detective.plan(take, KNOWN_TEMPO)
    cuts = cut_list(plan, plan.take.channels)
    spans = timeline(cuts, take.samples, take.sample_rate, plan.splice)
    return Edited(plan, render_whole(take, plan), cuts, [span for span in spans if not isinstance(span, Plain)])


@pytest.fixture(scope="module")
def default(demo_take: Take) -> Edited:
    return edited(demo_take, CLASSICAL)


def check(pair: EditedPair, truth: Edited) -> None:
    """Every hit moved as far as it did; every join is found, where it is and as what it is."""
    assert [hit.hit.onset_samples for hit in pair.hits] == [move.onset_samples for move in truth.plan.moves]
    for hit in pair.hits:
        assert hit.target_samples - hit.hit.onset_samples == truth.shift_at(hit.hit.onset_samples)
        assert pair.segments[hit.segment].cut.shift_samples == truth.shift_at(hit.hit.onset_samples)
    assert len(pair.cuts) == len(pair.stretches) == len(truth.joins)
    for cut, stretch, join in zip(pair.cuts, pair.stretches, truth.joins, strict=True):
        assert join.start <= cut.destination_samples <= join.stop
        assert stretch.start_samples <= cut.destination_samples <= stretch.stop_samples
        if isinstance(join, Stretched):
            # A tail stretched by a sixth is as good as a crossfade.
            slight = (join.stop - join.start) < 1.2 * (join.stop - join.start - join.shift_in + join.shift_out)
            assert stretch.kind is StretchKind.STRETCHED or (slight and stretch.kind is StretchKind.CROSSFADE)
        elif isinstance(join, Continued):
            # More of the tail is no recorded sound, though it may be as level as a stretched one.
            assert stretch.kind in {StretchKind.STRETCHED, StretchKind.REPLACED}
        else:
            assert isinstance(join, Fade)
            assert stretch.kind is StretchKind.CROSSFADE
    assert all(segment.confidence > 0.99 for segment in pair.segments)


@pytest.mark.parametrize(
    "detective",
    [
        CLASSICAL,
        replace(CLASSICAL, pad_seconds=0.010, crossfade_seconds=0.002),
        replace(CLASSICAL, strength=0.5, fill=Fill.STRETCH),
        replace(CLASSICAL, grid="1/8", max_move_seconds=0.04),
    ],
)
def test_edits_of_the_effect_are_recovered_to_the_sample(demo_take: Take, detective: BeatDetective) -> None:
    truth = edited(demo_take, detective)
    pair = recover_edits(demo_take, like(demo_take, truth.audio), KNOWN_TEMPO)
    check(pair, truth)
    assert pair.exact
    assert not pair.lost
    for stretch, join in zip(pair.stretches, truth.joins, strict=True):
        # The first and last samples of a join may round to what stands beside it.
        assert 0 <= stretch.start_samples - join.start <= 2
        assert 0 <= join.stop - stretch.stop_samples <= 2


def dithered(audio: Audio) -> Audio:
    rng = np.random.default_rng(0)
    noise = rng.random(audio.shape) - rng.random(audio.shape)
    return (np.rint(0.7 * audio * 2**15 + noise) / 2**15).astype(np.float32)


def levelled(audio: Audio) -> Audio:
    return audio * np.array([0.3, 1.4, 0.5, 1.0, 1.0, 0.1], np.float32)[:, None]


@pytest.mark.parametrize("change", [dithered, levelled])
def test_changed_levels_and_dither_do_not_matter(
    demo_take: Take, default: Edited, change: Callable[[Audio], Audio]
) -> None:
    pair = recover_edits(demo_take, like(demo_take, change(default.audio)), KNOWN_TEMPO)
    check(pair, default)
    assert not pair.exact
    for stretch, join in zip(pair.stretches, default.joins, strict=True):
        assert abs(stretch.start_samples - join.start) <= 0.003 * RATE
        assert abs(stretch.stop_samples - join.stop) <= 0.003 * RATE


def test_takes_that_are_the_same_have_no_cuts(demo_take: Take) -> None:
    pair = recover_edits(demo_take, demo_take, KNOWN_TEMPO)
    assert pair.exact
    assert not pair.cuts
    assert not pair.stretches
    assert not pair.lost
    assert all(hit.target_samples == hit.hit.onset_samples for hit in pair.hits)
    assert "0 cuts" in str(pair)


def hard_cut(take: Take, places: list[int], shifts: list[int]) -> Audio:
    """The take with each stretch between places of the output at its own shift, without fades."""
    edges = [0, *places, take.samples]
    parts = [take.read(a - s, b - s) for a, b, s in zip(edges, edges[1:], shifts, strict=False)]
    joined: Audio = np.concatenate(parts, axis=1, dtype=np.float32)
    return joined


@pytest.mark.parametrize("gain", [1.0, 0.8])
def test_hard_cuts_are_found_to_the_sample(demo_take: Take, gain: float) -> None:
    places, shifts = [60_000, 150_000, 300_123, 419_000], [0, 441, -77, 1_000, 1_000 - 3_000]
    audio = hard_cut(demo_take, places, shifts)
    pair = recover_edits(demo_take, like(demo_take, gain * audio), KNOWN_TEMPO)
    assert [cut.shift_samples for cut in pair.cuts] == shifts[1:]
    # Where both sides are alike for a while, nobody can tell which sample was cut.
    assert [cut.destination_samples for cut in pair.cuts] == pytest.approx(places, abs=2 if gain == 1.0 else 8)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_fades_of_other_shapes_are_crossfades(demo_take: Take, power: float) -> None:
    """Straight fades, and the equal-power ones that digital audio workstations offer."""
    start, stop, shift = 150_000, 150_882, 441
    ramp = np.linspace(0.0, 1.0, stop - start)
    audio = hard_cut(demo_take, [start], [0, shift])
    outgoing, incoming = demo_take.read(start, stop), demo_take.read(start - shift, stop - shift)
    audio[:, start:stop] = (1.0 - ramp) ** power * outgoing + ramp**power * incoming
    pair = recover_edits(demo_take, like(demo_take, audio), KNOWN_TEMPO)
    (stretch,), (cut,) = pair.stretches, pair.cuts
    assert stretch.kind is StretchKind.CROSSFADE
    assert start <= stretch.start_samples < cut.destination_samples < stretch.stop_samples <= stop
    assert stretch.stop_samples - stretch.start_samples >= stop - start - 4


def test_moved_sound_without_a_hit_is_found_too(demo_take: Take, default: Edited) -> None:
    """Listening to the kick alone, the hits of everything else are moved sound that nobody told of."""
    pair = recover_edits(demo_take, like(demo_take, default.audio), KNOWN_TEMPO, OnsetSettings(triggers=("kick",)))
    assert len(pair.hits) < 0.6 * len(default.plan.moves)
    found = {cut.shift_samples for cut in pair.cuts}
    moved = {cut.shift_samples for cut in default.cuts if cut.shift_samples}
    assert len(found & moved) > 0.9 * len(moved)
    assert found <= moved | {0}


@pytest.mark.parametrize("what", ["silence", "noise", "other"])
def test_replaced_sound_is_flagged(demo_take: Take, default: Edited, what: str) -> None:
    audio = default.audio.copy()
    start, stop = 176_400, 180_400
    audio[:, start:stop] = {
        "silence": np.float32(0.0),
        "noise": 0.05 * np.random.default_rng(1).standard_normal((len(audio), stop - start)).astype(np.float32),
        "other": demo_take.read(300_000, 300_000 + stop - start),
    }[what]
    pair = recover_edits(demo_take, like(demo_take, audio), KNOWN_TEMPO)
    (stretch,) = (one for one in pair.stretches if one.start_samples < stop and one.stop_samples > start)
    assert stretch.kind is StretchKind.REPLACED
    assert stretch.start_samples <= start + 2
    assert stretch.stop_samples >= stop - 2
    assert len(pair.cuts) == len(default.joins)


def test_a_trimmed_take_moved_as_a_whole(demo_take: Take) -> None:
    trimmed = like(demo_take, demo_take.read(4_410, demo_take.samples - 20_000))
    pair = recover_edits(demo_take, trimmed, KNOWN_TEMPO)
    assert [cut.shift_samples for cut in pair.cuts] == [-4_410]
    assert not pair.stretches
    assert pair.edited_samples == trimmed.samples


def test_other_takes_are_refused(demo_take: Take) -> None:
    other = like(demo_take, demo_take.read(0, demo_take.samples)[:, ::-1])
    with pytest.raises(InputError, match=r"of \d+ hits .* same take before and after"):
        recover_edits(demo_take, other, KNOWN_TEMPO)
    with pytest.raises(InputError, match="same take before and after"):
        recover_edits(demo_take, load(demo_folder() / "target"), KNOWN_TEMPO)
    noise = like(demo_take, 0.1 * np.random.default_rng(2).standard_normal((6, 200_000)))
    with pytest.raises(InputError, match=r"of \d+ hits"):
        recover_edits(demo_take, noise, KNOWN_TEMPO)
    with pytest.raises(InputError, match="no hits"):
        recover_edits(like(demo_take, np.zeros((6, 100_000))), demo_take, KNOWN_TEMPO)


def test_lags_are_scored_at_any_level() -> None:
    rng = np.random.default_rng(3)
    searched = rng.standard_normal((3, 2_000))
    scores = lag_scores(searched[:, 700:1_000] * np.array([[0.01], [1.0], [9.0]]), searched)
    assert len(scores) == 1_701
    assert int(np.argmax(scores)) == 700
    assert scores[700] == pytest.approx(1.0)
    assert np.max(np.delete(scores, 700)) < 0.5
    np.testing.assert_array_equal(lag_scores(np.zeros((2, 50)), searched[:2]), 0.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    after = tmp_path_factory.mktemp("pair") / "after"
    before = demo_folder() / "take"
    align(before, after, CLASSICAL, KNOWN_TEMPO)
    return before, after


def test_a_session_is_written_whole(folders: tuple[Path, Path], tmp_path: Path, default: Edited) -> None:
    before, after = folders
    out_dir = tmp_path / "new" / "session"
    pair = import_session(before, after, out_dir, bpm=112.0, first_beat_seconds=0.5)
    assert find_sessions(out_dir) == [out_dir]
    for part, source in (("take", before), ("target", after)):
        stems = sorted(path.name for path in source.glob("*.flac"))
        assert sorted(path.name for path in (out_dir / part).iterdir()) == stems
        assert all((out_dir / part / name).read_bytes() == (source / name).read_bytes() for name in stems)
    assert truth_tempo(out_dir / "truth.json") == (112.0, 0.5)
    hits = reference_hits_from_truth(out_dir)
    assert len(hits) == len(pair.hits) == len(default.plan.moves)
    for hit, move in zip(hits, default.plan.moves, strict=True):
        assert hit.channel == move.channel
        assert hit.piece is move.piece
        assert round(hit.performed_seconds * RATE) == move.onset_samples
        moved = round((hit.target_seconds - hit.performed_seconds) * RATE)
        assert moved == default.shift_at(move.onset_samples)
        assert abs(hit.target_seconds - 0.5 - hit.score_beats * 60 / 112) <= 60 / 112 / 8 + 1e-6
        assert not hit.ornament
    mains = [hit.score_beats for hit in hits if hit.main]
    assert set(mains) == {hit.score_beats for hit in hits}
    assert np.median([hit.own_energy for hit in hits]) > 0.9
    truth = json.loads((out_dir / "truth.json").read_text(encoding="utf-8"))
    assert len(truth["segments"]) == len(pair.segments)
    assert {stretch["kind"] for stretch in truth["stretches"]} >= {"crossfade", "replaced"}


def test_an_unknown_tempo_is_estimated(folders: tuple[Path, Path]) -> None:
    pair = import_edited_pair(*folders)
    assert pair.tempo_map.bpm_at(0.0) == pytest.approx(112.0, rel=0.005)
    assert any("assumed" in note for note in pair.notes)
    assert "47 cuts" in str(pair)


def test_single_files_may_be_called_what_they_like(demo_take: Take, default: Edited, tmp_path: Path) -> None:
    for name, audio in (("raw", demo_take.read(0, demo_take.samples)), ("edited", default.audio)):
        sf.write(tmp_path / f"{name}.wav", audio.T, RATE, subtype="FLOAT")
    import_session(tmp_path / "raw.wav", tmp_path / "edited.wav", tmp_path / "session", bpm=112.0)
    assert (tmp_path / "session" / "target" / "raw.wav").read_bytes() == (tmp_path / "edited.wav").read_bytes()
    assert (tmp_path / "session" / "take" / "raw.wav").exists()


def test_pairs_that_do_not_belong_together_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    before, _ = folders
    audio = np.random.default_rng(4).standard_normal((2, 8_000)) / 10
    for name, rate in (("a", 44_100), ("b", 48_000)):
        (tmp_path / name).mkdir()
        sf.write(tmp_path / name / "kick.wav", audio[0], rate)
    with pytest.raises(InputError, match="44100 Hz, b has 48000 Hz"):
        import_edited_pair(tmp_path / "a", tmp_path / "b")
    with pytest.raises(InputError, match="same channels, but 'hihat' is only in take"):
        import_edited_pair(before, tmp_path / "a")
    with pytest.raises(InputError, match="there is no"):
        import_edited_pair(before, tmp_path / "nowhere")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_nothing_is_overwritten_or_left_half_written(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = folders
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="not an empty folder"):
        import_session(before, after, full)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("datagen.edited_pairs.shutil.copyfile", no_space)
    with pytest.raises(OutputError, match="No space left"):
        import_session(before, after, tmp_path / "session", bpm=112.0, first_beat_seconds=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@dataclass(frozen=True)
class Looped:
    """The demo take over and over, made as it is read."""

    audio: Audio
    lengths: set[int]

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        self.lengths.add(stop_samples - start_samples)
        return self.audio[:, np.arange(start_samples, stop_samples) % self.audio.shape[1]]


def test_takes_are_read_in_windows(demo_take: Take, default: Edited) -> None:
    copies, lengths = 4, set[int]()
    before, after = (
        replace(demo_take, samples=copies * demo_take.samples, source=Looped(audio, lengths))
        for audio in (demo_take.read(0, demo_take.samples), default.audio)
    )
    pair = recover_edits(before, after, KNOWN_TEMPO)
    assert len(pair.cuts) == pytest.approx(len(default.joins) * copies, abs=copies)
    assert max(lengths) < 13 * RATE
