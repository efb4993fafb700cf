"""From networks to audio: what ships comes back whole, hard joins are the effect's own, and gradients find home."""

import sys
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.edit_plan import EditPlan, SpliceSettings
from beatnet_align.engines import Fill
from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import CANDIDATE_FEATURES, CANDIDATES, PATTERN_FEATURES, TOKEN_FEATURES, GridTokens
from beatnet_align.hit_features import FEATURES
from beatnet_align.hit_refiner import POSITIONS, ROWS, WINDOW_SAMPLES, HitRefiner, decode
from beatnet_align.hitnet import HitNetModel, find_hits
from beatnet_align.roles import Role
from beatnet_align.splice import Splicer
from beatnet_align.take import Take, take_from_array
from beatnet_align.tempo_map import TempoMap
from datagen.config import DatasetConfig, Sources
from datagen.dataset import read_pairs, write_dataset
from datagen.oracle import read_example
from models import end_to_end_figures, train
from models.audio_losses import AudioLosses
from models.end_to_end import HARD, SPLICE, Decisions, EndToEnd, Softness, soft_decode, stretch_of
from models.end_to_end_data import EndToEndData, Stretch
from models.end_to_end_training import Stage, parameter_losses, spliced, stage_at
from models.grid_data import IGNORED
from models.heard_splices import HeardSplice, Listener
from models.planned_joins import NOBODY, PlannedJoins
from models.shipped_networks import (
    OFFSET_ROWS,
    NetworkFiles,
    OffsetStates,
    gridnet_of,
    offsets_of,
    refiner_of,
    with_offsets,
    with_threshold,
)

TINY = Path(__file__).parents[1] / "configs" / "models" / "end_to_end_tiny.yaml"
SOFT = Softness(lines=1.0, sureness=0.1, crossfade_samples=441.0, fractions=True)
SECONDS = 6.0


@lru_cache(maxsize=1)
def shipped() -> NetworkFiles:
    return NetworkFiles.shipped()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("end_to_end") / "dataset"
    config = DatasetConfig(
        "end to end",
        seed=1,
        seconds=SECONDS,
        bars=2,
        channels=(3, 4),
        clean_probability=1.0,
        drop_channel_probability=0.0,
        train=Sources(3, ("synth1",), groove_probability=0.0),
        validation=Sources(1, ("synth101",), groove_probability=0.0),
        test=Sources(1, ("synth201",), groove_probability=0.0),
    )
    write_dataset(config, folder, workers=1, suffix="wav")
    return folder


@pytest.fixture(scope="module")
def take(dataset: Path) -> Take:
    return read_example(dataset, next(read_pairs(dataset)))[0]


@pytest.fixture(scope="module")
def heard(dataset: Path, take: Take) -> HeardSplice:
    found = Listener(shipped())(take, next(read_pairs(dataset)))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def plan(dataset: Path, take: Take) -> EditPlan:
    entry = next(read_pairs(dataset))
    tempo_map, grid = TempoMap.from_json(entry["tempo_map"]), Grid.from_json(entry["grid"])
    return Listener(shipped()).plan(take, tempo_map, grid, SpliceSettings(fill=Fill.EXTEND), as_heard=True)


@pytest.fixture(scope="module")
def stretch(dataset: Path, take: Take, heard: HeardSplice) -> Stretch:
    """The whole take."""
    target = read_example(dataset, next(read_pairs(dataset)))[1]
    source, wanted = (torch.from_numpy(one.read(0, one.samples)) for one in (take, target))
    return Stretch(heard, 0, 0, source, wanted)


def networks() -> EndToEnd:
    return EndToEnd(shipped())


def level_db(audio: torch.Tensor, against: torch.Tensor) -> float:
    return float(10.0 * torch.log10((audio**2).sum() / (against**2).sum() + 1e-30))


def test_the_refiner_comes_back_whole() -> None:
    windows = np.random.default_rng(0).normal(size=(5, ROWS, WINDOW_SAMPLES)).astype(np.float32)
    with torch.no_grad():
        found = refiner_of(shipped().refiner)(torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(found, shipped().opened()[1].logits(windows), atol=1e-3)


def test_gridnet_comes_back_whole(heard: HeardSplice) -> None:
    said = networks()(heard, np.zeros(0, np.int64), HARD)
    with torch.no_grad():
        found = (said.line_logits[1].double() / networks().temperature).log_softmax(-1).numpy()
    np.testing.assert_allclose(found, shipped().opened()[2](heard.tokens), atol=1e-3)
    shapes = ((TOKEN_FEATURES,), (), (CANDIDATES, CANDIDATE_FEATURES), (CANDIDATES, PATTERN_FEATURES))
    assert gridnet_of(shipped().gridnet)(*(torch.zeros(1, 7, *shape) for shape in shapes)).shape[:2] == (1, 7)


def test_hitnets_offsets_come_back_and_change_nothing_else() -> None:
    features = np.random.default_rng(0).normal(size=(3, 90, FEATURES)).astype(np.float32)
    roles = [Role.KICK, Role.SNARE, Role.OVERHEAD]
    take, channels = shipped().opened()[0](features, roles)
    offsets = offsets_of(shipped().hitnet)
    with torch.no_grad():
        found = offsets(torch.from_numpy(OffsetStates(shipped().hitnet)(features, roles))).numpy().T
        np.testing.assert_allclose(found, take[list(OFFSET_ROWS)], atol=1e-4)
        offsets.bias.add_(0.25)
    changed, unchanged = HitNetModel(with_offsets(shipped().hitnet, offsets))(features, roles)
    expected = take.copy()
    expected[list(OFFSET_ROWS)] += 0.25
    np.testing.assert_allclose(changed, expected, atol=1e-5)
    np.testing.assert_array_equal(unchanged, channels)
    others = [row for row in range(len(take)) if row not in OFFSET_ROWS]
    np.testing.assert_array_equal(changed[others], take[others])


def test_another_threshold_changes_nothing_else(heard: HeardSplice) -> None:
    before, after = shipped().opened()[1], HitRefiner(with_threshold(shipped().refiner, 0.75))
    assert after.threshold == 0.75 != before.threshold
    np.testing.assert_array_equal(after.logits(heard.windows), before.logits(heard.windows))


@pytest.mark.parametrize("reopened", [refiner_of, gridnet_of, offsets_of])
def test_files_of_another_kind_are_refused(reopened: object) -> None:
    assert callable(reopened)
    for content in (b"something else", shipped().refiner if reopened is not refiner_of else shipped().gridnet):
        with pytest.raises(InputError, match="these weights are no"):
            reopened(content)


def test_untrained_networks_are_written_as_they_were(heard: HeardSplice) -> None:
    before, after = shipped().opened(), networks().trained_files().opened()
    assert (after[1].threshold, after[2].temperature) == (before[1].threshold, before[2].temperature)
    assert after[2].confidence == before[2].confidence
    np.testing.assert_allclose(after[1].logits(heard.windows), before[1].logits(heard.windows), atol=1e-3)
    np.testing.assert_allclose(after[2](heard.tokens), before[2](heard.tokens), atol=1e-3)


@given(seed=st.integers(0, 200), sharpness=st.floats(0.1, 10.0))
def test_soft_decoding_is_the_effects_own(seed: int, sharpness: float) -> None:
    logits = (sharpness * np.random.default_rng(seed).normal(size=(4, POSITIONS + 1))).astype(np.float32)
    for found, expected in zip(soft_decode(torch.from_numpy(logits)), decode(logits), strict=True):
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_what_is_heard_is_what_the_effect_hears(heard: HeardSplice, take: Take) -> None:
    # The refiner hears around estimates that are whole samples here, and may be none in the effect.
    effects_own = [hit.onset_samples for hit in find_hits(take, as_heard=True)]
    np.testing.assert_allclose(heard.onsets, effects_own, atol=1, rtol=0)
    # As exactly as two runtimes agree before a sample is rounded.
    every = np.arange(len(heard.onsets))
    said = networks()(heard, every, HARD)
    assert np.abs(said.onsets.detach().numpy() - heard.onsets).max() < 0.55
    assert np.abs(said.own_onsets.detach().numpy() - heard.places).max() < 0.55


def test_from_overheads_alone_onsets_are_where_they_are_heard(dataset: Path, take: Take) -> None:
    """The effect's own lie earlier: it takes kicks and snares back by the way to the overheads."""
    rows = [row for row, channel in enumerate(take.channels) if channel.role is Role.OVERHEAD]
    overheads = take_from_array(take.read(0, take.samples)[rows], take.sample_rate, [f"OH {row}" for row in rows])
    from_afar = Listener(shipped())(overheads, next(read_pairs(dataset)))
    assert from_afar is not None
    effects_own = [hit.onset_samples for hit in find_hits(overheads, as_heard=True)]
    np.testing.assert_allclose(from_afar.onsets, effects_own, atol=1, rtol=0)
    assert min(from_afar.onsets.tolist()) > 0
    struck = [hit.onset_samples for hit in find_hits(overheads)]
    assert len(struck) == len(from_afar.onsets) and sum(struck) < from_afar.onsets.sum()


def test_what_was_heard_can_be_kept(heard: HeardSplice, tmp_path: Path) -> None:
    heard.save(tmp_path / "take.npz")
    read = HeardSplice.read(tmp_path / "take.npz")
    for kind, one, other in (
        (HeardSplice, heard, read),
        (GridTokens, heard.tokens, read.tokens),
        (PlannedJoins, heard.joins, read.joins),
    ):
        for part in fields(kind):
            if part.name not in ("tokens", "joins"):
                np.testing.assert_array_equal(getattr(one, part.name), getattr(other, part.name))
    assert list(tmp_path.iterdir()) == [tmp_path / "take.npz"]


def test_most_of_a_clean_take_is_matched_with_its_truth(heard: HeardSplice) -> None:
    matched = np.isfinite(heard.true_onsets)
    assert matched.mean() > 0.7
    assert not (heard.audible & ~matched).any()
    assert np.median(np.abs(heard.true_onsets - heard.onsets)[matched]) < 44.1
    lines = (heard.answers >= 0) & (heard.answers < CANDIDATES)
    assert lines.mean() > 0.7
    led = heard.joins.leads[heard.joins.leads != NOBODY]
    told = led[lines[led]]
    on_line = heard.line_samples[told, heard.answers[told]]
    destinations = dict(zip(heard.joins.leads, heard.joins.destinations, strict=True))
    assert np.median(np.abs(on_line - [destinations[lead] for lead in told])) < 1.0


def said_as_heard(heard: HeardSplice, softness: Softness = HARD) -> tuple[EndToEnd, Decisions]:
    """What the networks say, with onsets to the very sample of the plan."""
    road = networks()
    said: Decisions = road(heard, np.arange(len(heard.onsets)), softness)
    exact = said.onsets + (torch.from_numpy(heard.onsets) - said.onsets).detach()
    return road, said._replace(onsets=exact)


def test_hard_joins_are_the_splice_of_the_effect(heard: HeardSplice, take: Take, plan: EditPlan) -> None:
    road, said = said_as_heard(heard)
    spliced_here = SPLICE(torch.from_numpy(take.read(0, take.samples)), road.joins(heard, said, HARD))
    onsets = zip(plan.moves, heard.onsets.tolist(), strict=True)  # a sample apart at most, see above
    as_heard = replace(plan, moves=tuple(replace(move, onset_samples=onset) for move, onset in onsets))
    expected = torch.from_numpy(Splicer(take, as_heard).read(0, take.samples))
    assert len(heard.joins.starts) > 5
    assert level_db(spliced_here.detach() - expected, expected) < -80.0


@pytest.mark.parametrize("share", [0.0, 0.31, 0.6])
def test_a_stretch_is_a_part_of_the_whole(heard: HeardSplice, take: Take, share: float) -> None:
    road, said = said_as_heard(heard)
    joins = road.joins(heard, said, HARD)
    source = torch.from_numpy(take.read(0, take.samples))
    start, margin = int(share * take.samples), 13_230
    stop = start + take.samples // 4
    inside = stretch_of(joins, start, stop)
    assert len(inside.starts_samples) == len(inside.shifts_samples) - 1
    part = SPLICE(source[:, start:stop], inside)[:, margin:-margin]
    whole = SPLICE(source, joins)[:, start + margin : stop - margin]
    assert level_db((part - whole).detach(), whole.detach()) < -80.0


@pytest.mark.parametrize("name", ["spectral", "envelope", "waveform"])
def test_gradients_of_every_distance_reach_every_network(stretch: Stretch, name: str) -> None:
    road = networks()
    said: Decisions = road(stretch.heard, stretch.hits, SOFT)
    distances = AudioLosses(44_100)(spliced(road, stretch, said, SOFT), stretch.target)
    assert distances is not None
    for network in (road.offsets, road.refiner, road.gridnet):
        told = torch.autograd.grad(
            getattr(distances, name), list(network.parameters()), allow_unused=True, retain_graph=True
        )
        gradients = [gradient for gradient in told if gradient is not None]
        assert gradients
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
        assert max(float(gradient.abs().max()) for gradient in gradients) > 0.0


def test_hard_lines_have_no_gradient(stretch: Stretch) -> None:
    road = networks()
    hard_lines = replace(SOFT, lines=0.0)
    said: Decisions = road(stretch.heard, stretch.hits, hard_lines)
    distances = AudioLosses(44_100)(spliced(road, stretch, said, hard_lines), stretch.target)
    assert distances is not None
    told = torch.autograd.grad(distances.spectral, list(road.gridnet.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in told)


def test_audio_alone_brings_onsets_home(stretch: Stretch) -> None:
    """All hits heard 4 ms late, by HitNet alone: envelopes and spectra of one take tell the offsets."""
    road = networks()
    road.threshold = 2.0
    late_ms = 4.0
    with torch.no_grad():
        road.offsets.bias.add_(late_ms * 44.1 / 256)
    softness = replace(SOFT, sureness=0.0, lines=0.0)
    optimiser = torch.optim.Adam([road.offsets.bias], lr=0.08)
    losses, own = AudioLosses(44_100), []
    totals = []
    stretch = stretch._replace(take=stretch.take[:2], target=stretch.target[:2])
    for _ in range(14):
        said: Decisions = road(stretch.heard, stretch.hits, softness)
        distances = losses(spliced(road, stretch, said, softness), stretch.target)
        assert distances is not None
        loss = distances.spectral + distances.envelope
        (road.offsets.bias.grad,) = torch.autograd.grad(loss, (road.offsets.bias,))
        optimiser.step()
        totals.append(float(loss.detach()))
        own.append(said.own_onsets.detach().numpy() - stretch.heard.places[said.chosen.numpy()])
    assert min(totals) < 0.8 * totals[0]
    assert np.median(np.abs(own[0])) == pytest.approx(late_ms * 44.1, rel=0.02)
    assert np.median(np.abs(own[-1])) < 0.5 * np.median(np.abs(own[0]))


def test_nothing_differs_from_itself_and_silence_says_nothing(stretch: Stretch) -> None:
    losses = AudioLosses(44_100)
    distances = losses(stretch.target, stretch.target)
    assert distances is not None
    assert all(float(one) == pytest.approx(0.0, abs=1e-4) for one in distances)
    assert losses(stretch.target, torch.zeros_like(stretch.target)) is None


def test_parameter_losses_fall_where_the_truth_is_told(stretch: Stretch) -> None:
    heard = stretch.heard
    said: Decisions = networks()(heard, stretch.hits, HARD)
    before = {name: float(loss.detach()) for name, loss in parameter_losses(stretch, said).items()}
    assert all(np.isfinite(loss) and loss > 0.0 for loss in before.values())
    true = torch.from_numpy(heard.true_onsets[stretch.hits])
    answers = torch.from_numpy(np.where(heard.answers == IGNORED, 0, heard.answers))
    right = 20.0 * torch.nn.functional.one_hot(answers, said.line_logits[0].shape[-1]).float()
    told = parameter_losses(stretch, said._replace(own_onsets=true, line_logits=(right, right)))
    after = {name: float(loss.detach()) for name, loss in told.items()}
    assert after["offsets"] == pytest.approx(0.0, abs=1e-9)
    assert after["lines"] < 1e-3
    assert after["refiner"] == pytest.approx(before["refiner"])


def test_stages_follow_each_other_and_soften_towards_the_next() -> None:
    stages = [Stage(1.0, softness=SOFT), Stage(3.0, spectral=1.0, softness=HARD), Stage(1.0, waveform=1.0)]
    assert [stage_at(stages, progress)[0] for progress in (0.0, 0.19, 0.21, 0.79, 0.81, 1.0)] == [
        stages[0],
        stages[0],
        stages[1],
        stages[1],
        stages[2],
        stages[2],
    ]
    assert [stage.listens for stage in stages] == [False, True, True]
    assert stage_at(stages, 0.1)[1] == Softness(0.5, 0.05, 220.5, fractions=True)
    assert stage_at(stages, 0.0)[1] == SOFT


def test_epochs_hear_other_stretches_and_validation_the_same(dataset: Path, tmp_path: Path) -> None:
    data = EndToEndData(dataset, tmp_path, seconds=1.0, channels=2)
    data.prepare_data()
    for loader, differ in ((data.train_dataloader(), True), (data.val_dataloader(), False)):
        first, second = ([(one.start, one.target.shape) for one in loader] for _ in range(2))
        assert (first != second) is differ
    for one in data.train_dataloader():
        assert one.target.shape == (2, 44_100)
        assert one.take.shape[1] == one.target.shape[1] + 2 * one.margin
        assert one.hits.size


def test_a_tiny_training_runs_through_all_stages_and_is_measured(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "fit", "--config", str(TINY), "--data.init_args.dataset", str(dataset)]
    arguments += ["--data.init_args.cache", str(tmp_path / "heard")]
    arguments += ["--trainer.logger.init_args.save_dir", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", arguments)
    train.main()
    columns = (tmp_path / "run" / "metrics.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"train/refiner", "train/lines", "train/waveform", "validation/spectral"} <= set(columns)
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    weights = tmp_path / "weights"
    told = [str(dataset), f"trained={checkpoint}", f"in part={checkpoint}@refiner", "--weights", str(weights)]
    told += ["--sure-from", "0.5"]
    assert end_to_end_figures.main(told) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 takes of test"
    assert lines[1].split("  ")[-1].strip() == "perfect knowledge"
    figures = {line[:20].strip(): [float(one) for one in line[20:].split()] for line in lines[2:]}
    assert {"cuts median ms", "landed <= 2", "lines right", "MR-STFT", "envelope", "extra", "missing"} <= set(figures)
    assert figures["cuts median ms"][4] < 0.02
    assert figures["cuts <= 0.1"][4] == 1.0
    assert {path.name for path in (weights / "trained").iterdir()} == set(shipped().by_name())
    assert (weights / "trained" / "refiner.onnx").read_bytes() != shipped().refiner
    in_part = {path.name: path.read_bytes() for path in (weights / "in part").iterdir()}
    assert in_part["refiner.onnx"] == (weights / "trained" / "refiner.onnx").read_bytes()
    assert (in_part["hitnet.onnx"], in_part["gridnet.onnx"]) == (shipped().hitnet, shipped().gridnet)


def test_what_cannot_be_measured_is_refused(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.ckpt").write_bytes(b"something else")
    for told, message in (
        ([str(dataset), "nothing"], "NAME=CHECKPOINT"),
        ([str(dataset), "one=last.ckpt@seamnet"], "gridnet,hitnet,refiner"),
        ([str(dataset), f"other={tmp_path / 'other.ckpt'}"], "no checkpoint"),
        ([str(tmp_path)], "no finished dataset"),
    ):
        assert end_to_end_figures.main(told) == 2
        assert message in capsys.readouterr().err
