"""GridNet's lab: examples, batches, a tiny training from beginning to end, and the export."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from beatnet_align.errors import InputError
from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import ANSWERS, CANDIDATES, LEAVE, ORNAMENT, PATTERN_FEATURES, grid_tokens
from beatnet_align.gridnet import GridNetModel
from beatnet_align.hit_outputs import UNKNOWN_GROUP
from beatnet_align.line_confidence import BAR_HITS
from beatnet_align.line_decoding import choose_lines
from datagen.played.mixed_scores import mixed_score
from datagen.played.patterns import Patterns
from datagen.played.performance import EXACT, perform
from datagen.played.score import Score
from models import export_gridnet, train
from models.grid_data import IGNORED, GridBatches, collate, cropped
from models.grid_examples import GridExample, GridExamples, GridMaterial, meant_answers
from models.gridnet import GridNet
from models.gridnet_parts import HitAttention, RasterConvolutions
from models.heard_takes import HearingErrors, take_of, with_errors
from models.runs import load_network

TINY = Path(__file__).parents[1] / "configs" / "models" / "gridnet_tiny.yaml"
MATERIAL = GridMaterial(bars=(4, 6))


def examples(count: int, seed: int = 0) -> list[GridExample]:
    drawn, rng = GridExamples(MATERIAL), np.random.default_rng(seed)
    return [drawn.draw(rng) for _ in range(count)]


def test_examples_hold_every_kind_of_answer() -> None:
    answers = np.concatenate([example.answers for example in examples(60)])
    counts = np.bincount(answers[answers >= 0], minlength=ANSWERS)
    assert counts[LEAVE] > 0 and counts[ORNAMENT] > 0
    assert counts[CANDIDATES // 2] > counts[: CANDIDATES // 2].sum() > 0  # most are nearest their line, not all
    assert (answers < 0).mean() < 0.01


def test_the_answer_is_the_line_that_was_meant() -> None:
    rng = np.random.default_rng(5)
    take = take_of(perform(Patterns().pick(rng, 6), EXACT, rng), Grid(("1/32", "1/8T", "1/16T")))
    tokens = grid_tokens(take.struck, take.tempo_map, take.grid)
    answers = meant_answers(tokens, take)
    chosen = np.flatnonzero((answers >= 0) & (answers < CANDIDATES))
    assert len(chosen) > 20
    assert tokens.nominals_beats[chosen, answers[chosen]] == pytest.approx(take.nominals_beats[chosen])
    assert (answers[take.ornaments] == ORNAMENT).all()


def test_every_epoch_has_its_own_examples() -> None:
    batches = [next(iter(GridBatches(GridExamples(MATERIAL), 2, 40, (5, epoch, 0)))) for epoch in (0, 1)]
    assert batches[0].features.shape != batches[1].features.shape or not torch.equal(
        batches[0].features, batches[1].features
    )


def test_a_take_without_names_keeps_its_answers() -> None:
    rng = np.random.default_rng(1)
    take = take_of(perform(Patterns().pick(rng, 4), EXACT, rng), Grid(("1/32", "1/8T")))
    nothing = (0.0, 0.0)
    heard = with_errors(take, HearingErrors(nothing, nothing, nothing, 1.0, nothing, 0.0), rng)
    assert (heard.struck.groups == UNKNOWN_GROUP).all()
    assert np.array_equal(heard.struck.seconds, take.struck.seconds)
    assert np.array_equal(heard.nominals_beats, take.nominals_beats)


@pytest.mark.parametrize("unit_beats", [4.0, 1.0])
def test_mixed_scores_keep_bars_or_beats_whole(unit_beats: float) -> None:
    rng = np.random.default_rng(3)
    patterns = Patterns()
    straight = [score for score in (patterns.pick(rng, 6) for _ in range(60)) if score.swing == 0.5]
    four = [s for s in straight if s.notes and all(one.bar_beats == 4.0 for one in s.tempo_map.time_signatures)]
    shares = []
    for first, second in zip(four[::2], four[1::2], strict=False):
        mixed = mixed_score(first, second, rng, unit_beats, 0.2)  # Score checks the order of notes and ornaments
        made, of_first, of_second = (_in_units(score, unit_beats) for score in (mixed, first, second))
        for unit in made.keys() | of_first.keys() | of_second.keys():
            assert made.get(unit) in (of_first.get(unit), of_second.get(unit))
            shares.append(made.get(unit) == of_second.get(unit) != of_first.get(unit))
    assert 0.05 < np.mean(shares) < 0.35
    swung = next(score for score in (patterns.pick(rng, 4) for _ in range(200)) if score.swing != 0.5)
    with pytest.raises(InputError, match="straight"):
        mixed_score(four[0], swung, rng)


def _in_units(score: Score, unit_beats: float) -> dict[int, list[object]]:
    """What is played in each unit, and of ornaments what they adorn."""
    units: dict[int, list[object]] = {}
    for note in score.notes:
        main = None if note.ornament_of is None else score.notes[note.ornament_of]
        told = (note.piece, note.velocity, note.score_beats, main and (main.piece, main.velocity, main.score_beats))
        units.setdefault(int(note.score_beats // unit_beats), []).append(told)
    return units


def test_batches_are_filled_up_and_repeatable() -> None:
    batch, again = (next(iter(GridBatches(GridExamples(MATERIAL), 3, 50, (5, 0, 0)))) for _ in range(2))
    assert torch.equal(batch.features, again.features) and torch.equal(batch.answers, again.answers)
    assert batch.features.shape[:2] == batch.answers.shape == batch.present.shape
    assert (batch.answers[~batch.present] == IGNORED).all()


def test_convolutions_over_the_raster_answer_for_every_hit() -> None:
    net, batch = GridNet(RasterConvolutions(32, (1, 2, 4))).eval(), collate(examples(3))
    nothing = torch.zeros(*batch.candidates.shape[:3], PATTERN_FEATURES)
    logits = net(batch.features, batch.beats, batch.candidates, nothing, batch.present)
    assert logits.shape == (*batch.answers.shape, ANSWERS)
    assert torch.isfinite(logits).all()


def test_filling_up_changes_no_answer() -> None:
    net = GridNet(HitAttention(32, 2, 2)).eval()
    short, long = sorted(examples(8), key=lambda example: len(example.answers))[::7]
    assert len(short.answers) < len(long.answers)
    both, alone = collate([short, long]), collate([short])
    with torch.inference_mode():
        a, b = (
            net(
                one.features,
                one.beats,
                one.candidates,
                torch.zeros(*one.candidates.shape[:3], PATTERN_FEATURES),
                one.present,
            )
            for one in (both, alone)
        )
    assert torch.allclose(a[0, : len(short.answers)], b[0], atol=1e-4)


def test_crops_are_stretches() -> None:
    example = max(examples(8), key=lambda one: len(one.answers))
    crop = cropped(example, 20, np.random.default_rng(0))
    assert len(crop.answers) == len(crop.tokens.beats) == 20
    first = int(np.flatnonzero(example.tokens.beats == crop.tokens.beats[0])[0])
    assert np.array_equal(crop.answers, example.answers[first : first + 20])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gridnet")
    arguments = ["fit", "--config", str(TINY), "--trainer.logger.init_args.save_dir", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train", *arguments])
        train.main()
    return folder


def test_a_tiny_training_learns(run: Path) -> None:
    net, untrained = load_network(run, GridNet), GridNet(HitAttention(32, 1, 2)).eval()
    example = collate(examples(6, seed=9))
    meant = (example.answers >= 0) & (example.answers < CANDIDATES)
    nothing = torch.zeros(*example.candidates.shape[:3], PATTERN_FEATURES)
    with torch.inference_mode():
        trained_wrong, untrained_wrong = (
            float(
                (
                    one(example.features, example.beats, example.candidates, nothing, example.present).argmax(-1)
                    != example.answers
                )[meant]
                .float()
                .mean()
            )
            for one in (net, untrained)
        )
    assert trained_wrong < 0.25 < untrained_wrong


def test_the_exported_network_answers_as_torch_does(run: Path, tmp_path: Path) -> None:
    net = load_network(run, GridNet)
    path = tmp_path / "gridnet.onnx"
    path.write_bytes(export_gridnet.exported(net, 1.5))
    assert b"/work" not in path.read_bytes() and str(Path(__file__).parents[1]).encode() not in path.read_bytes()
    model = GridNetModel(path.read_bytes(), 1)
    example = examples(1, seed=4)[0]
    batch = collate([example])
    nothing = torch.zeros(*batch.candidates.shape[:3], PATTERN_FEATURES)
    with torch.inference_mode():
        first = net(batch.features, batch.beats, batch.candidates, nothing)[0]
        pattern = torch.from_numpy(example.tokens.pattern(first.softmax(-1).numpy()))[None]
        expected = (net(batch.features, batch.beats, batch.candidates, pattern)[0] / 1.5).log_softmax(-1).numpy()
    assert np.abs(model(example.tokens) - expected).max() < 1e-3


def test_the_temperature_undoes_a_scale(run: Path) -> None:
    net = load_network(run, GridNet)
    batches = [next(iter(GridBatches(GridExamples(MATERIAL), 6, 60, (6, 0, 0))))]
    plain = export_gridnet.fit_temperature(net, batches)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith(("score.3", "no_line")):
                parameter.mul_(0.5)
    # The second answer hears a pattern made from the first one's, which the scale changes a little.
    assert export_gridnet.fit_temperature(net, batches) == pytest.approx(0.5 * plain, abs=0.15)


def test_confidence_expects_as_many_errors_as_there_are(run: Path) -> None:
    net, drawn = load_network(run, GridNet), examples(30, seed=2)
    plain = GridNetModel(export_gridnet.exported(net, 1.0), 1)
    fitted = export_gridnet.fit_confidence(plain, drawn)
    model = GridNetModel(export_gridnet.exported(net, 1.0, fitted), 1)
    assert model.confidence == fitted
    expected, found, nats = 0.0, 0, {"plain": 0.0, "fitted": 0.0}
    for example in drawn:
        tokens = example.tokens
        chosen = choose_lines(model(tokens), tokens.lines_beats, tokens.groups.tolist(), beats=tokens.beats)
        told = (example.answers < CANDIDATES) & (chosen.answers < CANDIDATES)
        wrong = (chosen.answers != example.answers)[told]
        for name, confidence in (("plain", plain.confidence), ("fitted", fitted)):
            right = np.clip(confidence(tokens, chosen)[told] ** (1.0 / BAR_HITS), 1e-6, 1.0 - 1e-6)
            nats[name] -= float(np.log(np.where(wrong, 1.0 - right, right)).sum())
        expected += float((1.0 - right).sum())
        found += int(wrong.sum())
    assert expected == pytest.approx(found, rel=0.02)  # the law of a logistic regression with a bias
    assert nats["fitted"] < nats["plain"]


def test_export_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["export", str(tmp_path), "-o", str(tmp_path / "out.onnx")])
    assert export_gridnet.main() == 2
    assert "no trained GridNet" in capsys.readouterr().err
