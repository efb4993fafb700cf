"""Shifts come back from audio alone, from 30 ms away and to a sample; the command that counts them runs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from beatnet_align.hits import Piece
from datagen.kits.synth_pieces import synthesise_kit
from models import shift_figures
from models.shift_recovery import Stage, recover_shifts

RATE = 44_100
TINY = Path(__file__).parents[1] / "configs" / "datagen" / "tiny.yaml"


def struck(piece: Piece, onsets_samples: list[int], seed: int = 1) -> torch.Tensor:
    """[hits, 2, samples]: one strike at several places, in two microphones over a little noise."""
    strike = synthesise_kit(seed, RATE).pick(piece, 0.8, np.random.default_rng(0)).audio[0][:2_500]
    rng = np.random.default_rng(5)
    audio = np.zeros((len(onsets_samples), 2, 6_000), np.float32)
    for row, onset in zip(audio, onsets_samples, strict=True):
        row[0, onset : onset + len(strike)] += strike
        row[1, onset + 70 : onset + 70 + len(strike)] += 0.3 * strike
    return torch.from_numpy(audio + 1e-4 * rng.standard_normal(audio.shape).astype(np.float32))


@pytest.mark.parametrize("piece", [Piece.KICK, Piece.SNARE, Piece.HIHAT_CLOSED])
def test_shifts_of_30_ms_are_recovered_to_a_sample(piece: Piece) -> None:
    shifts = np.array([-1_323, -700, -31, 9, 412, 1_323])
    take, target = struck(piece, [2_000] * len(shifts)), struck(piece, [2_000 + int(shift) for shift in shifts])
    found = recover_shifts(take, target, RATE).numpy() * RATE
    np.testing.assert_allclose(found, shifts, atol=1.0)


def test_waveforms_alone_do_not_find_home() -> None:
    """Why there is a schedule."""
    take, target = struck(Piece.SNARE, [2_000]), struck(Piece.SNARE, [2_700])
    found = recover_shifts(take, target, RATE, (Stage(0.0, 200, 0.0025),))
    assert abs(float(found[0]) * RATE - 700) > 50


def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift_figures, "PROBED_SECONDS", np.array([0.001]))
    assert shift_figures.main([str(TINY), "--split", "train", "--examples", "2", "--hits", "1"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in (*shift_figures.KERNELS, *shift_figures.SCHEDULES))
    assert shift_figures.main([str(TINY), "--split", "test", "--examples", "1"]) == 2
