"""Feel kept on purpose: told apart from drift and mistakes, and strength by piece."""

import numpy as np
import pytest

from beatnet_align.effect import BeatDetective
from beatnet_align.errors import InputError
from beatnet_align.feel import LEAST_STROKES, group_of, piece_feel_seconds
from beatnet_align.grid import Grid
from beatnet_align.hits import Hit, Piece
from beatnet_align.nearest_line import nearest_line_claims
from beatnet_align.quantise import QuantiseSettings, quantise
from beatnet_align.take import take_from_array
from beatnet_align.tempo_map import TempoMap

RATE = 8_000
TEMPO = TempoMap.constant(120.0, 0.0)
CHANNEL = {Piece.KICK: 0, Piece.SNARE: 1, Piece.HIHAT_CLOSED: 2}
BARS = 16


def groove(snare_seconds: float = 0.0, hihat_seconds: float = 0.0, drift_seconds: float = 0.0) -> list[Hit]:
    """Kick on 1 and 3, snare on 2 and 4, hats on the 8ths between them, with feel and a slow drift."""
    late = {Piece.KICK: 0.0, Piece.SNARE: snare_seconds, Piece.HIHAT_CLOSED: hihat_seconds}
    hits = []
    for eighth in range(8 * BARS):
        piece = Piece.HIHAT_CLOSED if eighth % 2 else Piece.SNARE if eighth % 4 == 2 else Piece.KICK
        drift = drift_seconds * np.sin(2.0 * np.pi * eighth / (8 * BARS))
        seconds = 0.5 + 0.25 * eighth + late[piece] + drift
        hits.append(Hit(round(seconds * RATE), CHANNEL[piece], piece, 0.9, 1.0))
    return hits


def feel(hits: list[Hit]) -> dict[str, float]:
    return piece_feel_seconds(hits, nearest_line_claims(hits, RATE, TEMPO, Grid()), RATE, TEMPO)


def test_feel_is_told_from_drift() -> None:
    for drift_seconds in (0.0, 0.025):
        found = feel(groove(snare_seconds=0.012, hihat_seconds=-0.008, drift_seconds=drift_seconds))
        assert found["snare"] - found["kick"] == pytest.approx(0.012, abs=0.003)
        assert found["hihat"] - found["kick"] == pytest.approx(-0.008, abs=0.003)


def test_a_kit_that_is_late_as_a_whole_has_no_feel() -> None:
    late = [Hit(hit.onset_samples + 160, hit.channel, hit.piece, 0.9, 1.0) for hit in groove()]
    assert feel(late) == pytest.approx({"kick": 0.0, "snare": 0.0, "hihat": 0.0}, abs=1e-9)


def test_few_strokes_have_no_feel() -> None:
    toms = [Hit(round((0.5 + 0.5 * i) * RATE) + 100, 1, Piece.TOM_HIGH, 0.9, 1.0) for i in range(LEAST_STROKES - 1)]
    assert feel(toms) == {}


def test_drags_are_no_feel() -> None:
    hits = groove()
    drags = [Hit(h.onset_samples - 400, h.channel, h.piece, 0.3, 1.0, -1.0) for h in hits if h.piece is Piece.SNARE]
    assert feel(sorted([*hits, *drags])) == pytest.approx({"kick": 0.0, "snare": 0.0, "hihat": 0.0}, abs=0.002)


def test_kept_feel_stays_and_the_rest_goes() -> None:
    hits = groove(snare_seconds=0.012, drift_seconds=0.02)
    hits[10] = Hit(hits[10].onset_samples + 200, hits[10].channel, hits[10].piece, 0.9, 1.0)  # a mistake
    take = take_from_array(np.zeros((3, 40 * RATE), np.float32), RATE, ("kick", "snare", "hihat"))
    for keep, snare_late in ((0.0, 0.0), (0.5, 0.006), (1.0, 0.012)):
        moves = quantise(hits, take, TEMPO, Grid(), QuantiseSettings(keep_feel=keep))
        late = {
            piece: [
                m.destination_samples / RATE - TEMPO.to_seconds(m.line_beats or 0.0) for m in moves if m.piece == piece
            ]
            for piece in CHANNEL
        }
        assert all(np.ptp(of) < 2.0 / RATE for of in late.values())
        assert np.median(late[Piece.SNARE]) - np.median(late[Piece.KICK]) == pytest.approx(snare_late, abs=0.003)


def test_a_piece_may_have_its_own_strength() -> None:
    hits = groove(snare_seconds=0.02, hihat_seconds=0.02)
    take = take_from_array(np.zeros((3, 40 * RATE), np.float32), RATE, ("kick", "snare", "hihat"))
    rules = QuantiseSettings(piece_strengths=(("hihat", 0.0), ("snare", 0.5)))
    moves = quantise(hits, take, TEMPO, Grid(), rules)
    shifts = {piece: {m.shift_samples for m in moves if m.piece == piece} for piece in CHANNEL}
    assert shifts == {Piece.KICK: {0}, Piece.SNARE: {-80}, Piece.HIHAT_CLOSED: {0}}
    assert QuantiseSettings(piece_strengths=(("hihat", 0.2), ("hihat_open", 0.7))).strength_of(Piece.HIHAT_OPEN) == 0.7


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"piece_strengths": {"cowbell": 0.5}}, "no such piece"),
        ({"piece_strengths": {"kick": 1.5}}, "strength of kick"),
        ({"keep_feel": -0.1}, "feel to keep"),
    ],
)
def test_impossible_feel_is_refused(rules: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BeatDetective(**rules)  # type: ignore[arg-type]


def test_every_piece_is_of_a_kind() -> None:
    assert group_of(Piece.HIHAT_OPEN) == "hihat"
    assert group_of(Piece.UNKNOWN) == "other"
