"""From lines chosen hit by hit to claims: who leads, who goes along with whom, and that the plan can always be cut."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.claims import Claim
from beatnet_align.cut_list import validate
from beatnet_align.edit_plan import EditPlan, Flag, Move, TakeFacts
from beatnet_align.grid import Grid
from beatnet_align.grid_tokens import ANSWERS, CANDIDATES, LEAVE, ORNAMENT, Struck, grid_tokens
from beatnet_align.hits import Hit, Piece
from beatnet_align.line_claims import line_claims
from beatnet_align.line_decoding import ChosenLines, choose_lines
from beatnet_align.quantise import SURE_LINE, quantise
from beatnet_align.take import Take, take_from_array
from beatnet_align.tempo_map import TempoMap

RATE = 8_000
CHANNELS = ("kick", "snare", "hihat")
KICK, SNARE, HIHAT = range(3)
PIECES = (Piece.KICK, Piece.SNARE, Piece.HIHAT_CLOSED)
TEMPO = TempoMap.constant(120.0, 0.0)
"""Lines of 16ths lie at multiples of 1000 samples, 0.25 beats."""

GONE, GRACE = "no hit", "ornament"
Meant = float | str


def silent_take(samples: int = 5 * RATE) -> Take:
    return take_from_array(np.zeros((len(CHANNELS), samples), np.float32), RATE, CHANNELS)


def strike(onset: int, channel: int = SNARE, salience: float = 0.0) -> Hit:
    return Hit(onset, channel, PIECES[channel], 0.9, 1.0, salience)


def meaning(hits: Sequence[Hit], meant: Sequence[Meant], sure: float = 0.95) -> ChosenLines:
    """Hits that were meant for lines in beats, or for none; the rest of the probability is the next line's."""
    lines = grid_tokens(Struck.of(hits, RATE), TEMPO, Grid()).lines_beats
    probabilities = np.zeros((len(hits), ANSWERS))
    answers = []
    for i, one in enumerate(meant):
        answer = (
            {GONE: LEAVE, GRACE: ORNAMENT}[one] if isinstance(one, str) else int(np.flatnonzero(lines[i] == one)[0])
        )
        answers.append(answer)
        probabilities[i, answer] = sure
        probabilities[i, answer + 1 if answer + 1 < CANDIDATES else CANDIDATES // 2] += 1.0 - sure
    return ChosenLines(np.array(answers), probabilities, lines)


def claimed(*hits: tuple[Hit, Meant]) -> list[Claim]:
    struck, meant = zip(*hits, strict=True)
    return line_claims(struck, meaning(struck, meant), RATE)


def moved(*hits: tuple[Hit, Meant], sure: float = 0.95) -> tuple[Move, ...]:
    struck, meant = zip(*hits, strict=True)
    claims = line_claims(struck, meaning(struck, meant, sure), RATE)
    moves = quantise(struck, silent_take(), TEMPO, Grid(), claim_maker=lambda *_: claims)
    plan = EditPlan(TakeFacts.of(silent_take()), moves, TEMPO, Grid())
    validate(plan, silent_take())
    return moves


def test_hits_go_to_the_lines_they_were_meant_for_however_far() -> None:
    moves = moved((strike(2_600), 0.5), (strike(3_700), 0.75))
    assert [move.destination_samples for move in moves] == [2_000, 3_000]
    assert all(move.leads and not move.flags for move in moves)
    assert [move.line_confidence for move in moves] == pytest.approx([0.95, 0.95])
    assert [move.runner_up_beats for move in moves] == [0.75, 1.0]


def test_a_line_that_is_not_sure_is_flagged() -> None:
    (move,) = moved((strike(2_100), 0.5), sure=SURE_LINE - 0.01)
    assert move.flags == (Flag.UNSURE_LINE,)
    assert not moved((strike(2_100), 0.5), sure=SURE_LINE + 0.01)[0].flags


def test_a_flam_of_two_pieces_is_one_claim_led_by_the_more_salient() -> None:
    hat, kick = moved((strike(1_850, HIHAT, -5.0), 0.5), (strike(2_100, KICK, 5.0), 0.5))
    assert (kick.leads, kick.destination_samples) == (True, 2_000)
    assert (hat.leads, hat.flags) == (False, (Flag.FOLLOWS_LEAD,))


def test_a_hit_whose_line_was_passed_goes_along_and_is_flagged() -> None:
    kick, hat, snare = moved((strike(2_050, KICK), 0.5), (strike(2_100, HIHAT), 0.25), (strike(3_050), 0.75))
    assert (kick.destination_samples, snare.destination_samples) == (2_000, 3_000)
    assert hat.shift_samples == kick.shift_samples
    assert {Flag.TWO_CLAIMS, Flag.UNSURE_LINE, Flag.FOLLOWS_LEAD} == set(hat.flags)
    assert (hat.line_beats, hat.runner_up_beats) == (0.5, 0.25)
    assert hat.line_confidence == pytest.approx(0.05)


def test_two_strokes_of_a_piece_on_a_line_keep_their_spacing() -> None:
    first, second = moved((strike(1_900, salience=1.0), 0.5), (strike(2_300), 0.5))
    assert [first.destination_samples, second.destination_samples] == [2_000, 2_400]
    assert Flag.TWO_CLAIMS in second.flags


def test_an_ornament_goes_with_its_own_piece_and_keeps_its_spacing() -> None:
    hat, grace, kick, main = moved(
        (strike(1_100, HIHAT), 0.25), (strike(1_500), GRACE), (strike(1_900, KICK), 0.5), (strike(2_040), 0.5)
    )
    assert (hat.destination_samples, kick.destination_samples, main.destination_samples) == (1_000, 2_000, 2_000)
    assert (grace.shift_samples, grace.line_beats) == (main.shift_samples, 0.5)
    assert (grace.flags, grace.leads) == ((Flag.ORNAMENT,), False)


def test_a_drag_behind_its_main_stroke_goes_with_that() -> None:
    main, grace, other = moved((strike(2_040), 0.5), (strike(2_500), GRACE), (strike(3_040, KICK), 0.75))
    assert grace.shift_samples == main.shift_samples == -40
    assert grace.flags == (Flag.ORNAMENT,)
    assert other.destination_samples == 3_000


def test_an_ornament_that_its_main_stroke_is_cut_off_from_is_flagged() -> None:
    grace, hat, main = moved((strike(1_500), GRACE), (strike(1_600, HIHAT), 0.5), (strike(2_400), 0.75))
    assert grace.shift_samples == hat.shift_samples == 400
    assert {Flag.ORNAMENT, Flag.TWO_CLAIMS} <= set(grace.flags)
    assert main.destination_samples == 3_000


def test_an_ornament_of_nothing_is_a_stroke() -> None:
    (alone,) = moved((strike(2_040), GRACE))
    assert (alone.destination_samples, alone.leads) == (2_000, True)
    assert alone.flags == (Flag.UNSURE_LINE,)


def test_what_is_probably_no_hit_goes_along_with_the_hit_before() -> None:
    main, noise, following = moved((strike(2_040), 0.5), (strike(2_900), GONE), (strike(3_450, KICK), 0.75))
    assert noise.shift_samples == main.shift_samples
    assert {Flag.FOLLOWS_LEAD, Flag.LOW_CONFIDENCE} == set(noise.flags)
    assert following.destination_samples == 3_000


def test_what_is_probably_no_hit_goes_with_the_hit_behind_where_that_is_near_or_the_first() -> None:
    noise, main, tick, following = moved(
        (strike(1_000), GONE), (strike(2_040), 0.5), (strike(3_390), GONE), (strike(3_450, KICK), 0.75)
    )
    assert noise.shift_samples == main.shift_samples == -40
    assert tick.shift_samples == following.shift_samples == -450


def test_a_take_of_no_hits_has_one_claim() -> None:
    (claim,) = claimed((strike(2_040), GONE), (strike(2_540, salience=3.0), GONE), (strike(9_540), GONE))
    assert (claim.members, claim.lead) == ((0, 1, 2), 1)


struck_hits = st.lists(
    st.builds(strike, st.integers(0, 3 * RATE), st.integers(0, 2), st.floats(-20.0, 20.0)), min_size=1, max_size=40
)


@settings(max_examples=200)
@given(struck_hits, st.integers(0, 999), st.floats(0.02, 2.0), st.floats(60.0, 300.0))
def test_whatever_the_network_says_the_plan_can_be_cut(played: list[Hit], seed: int, spread: float, bpm: float) -> None:
    hits, take, grid = sorted(played), silent_take(), Grid(("1/16", "1/8T"))
    tempo_map = TempoMap.constant(bpm, 0.3)
    said = np.log(np.random.default_rng(seed).dirichlet(np.full(ANSWERS, spread), len(hits)) + 1e-9)
    lines = grid_tokens(Struck.of(hits, RATE), tempo_map, grid).lines_beats
    claims = line_claims(hits, choose_lines(said, lines, [(hit.channel, hit.piece) for hit in hits]), RATE)

    assert [i for claim in claims for i in claim.members] == list(range(len(hits)))
    assert all(before.line_beats < after.line_beats for before, after in pairwise(claims))
    for claim in claims:
        assert claim.lead in claim.members
        assert len(claim.decisions) == len(claim.members)
        assert all(decision.runner_up_beats != claim.line_beats for decision in claim.decisions)
    moves = quantise(hits, take, tempo_map, grid, claim_maker=lambda *_: claims)
    assert [move.onset_samples for move in moves] == [hit.onset_samples for hit in hits]
    validate(EditPlan(TakeFacts.of(take), moves, tempo_map, grid), take)
