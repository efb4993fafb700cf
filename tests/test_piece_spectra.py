"""Laws of learning: templates are loud where their piece is, gains say how hard it was struck, rare ones count."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align import piece_spectra
from beatnet_align.edit_plan import Move
from beatnet_align.hits import Piece
from beatnet_align.piece_spectra import (
    DECAY_SECONDS,
    EXCERPT_SECONDS,
    GAIN_BANDS,
    LAST_DECAY_SECONDS,
    LEAD_IN_FRAMES,
    LEARNING_SECONDS,
    RISE_SECONDS,
    PieceSpectra,
    Strike,
    learn,
)
from beatnet_align.take import Audio, Take, take_from_array

RATE = 8_000
KICK, SNARE = Piece.KICK, Piece.SNARE
BLEED = {KICK: (1.0, 0.2, 0.5), SNARE: (0.2, 1.0, 0.5)}
"""How loud each piece is in its own, the other's and the overhead microphone."""

Played = tuple[int, Piece, float]
"""(onset, piece, strength)."""


def sound(piece: Piece, rate: int = RATE) -> npt.NDArray[np.float64]:
    """A kick is a falling tone of 90 Hz, a snare bright noise."""
    seconds = np.arange(rate // 2) / rate
    if piece is KICK:
        return np.asarray(np.sin(2 * np.pi * 90 * seconds) * np.exp(-seconds / 0.08))
    bright = np.diff(np.random.default_rng(0).standard_normal(len(seconds)), prepend=0.0)
    return np.asarray(0.5 * bright * np.exp(-seconds / 0.05))


def performed(played: Sequence[Played], samples: int, microphones: int = 3, rate: int = RATE) -> Audio:
    audio = np.zeros((microphones, samples + rate // 2))
    for onset, piece, strength in played:
        struck = strength * sound(piece, rate)
        audio[:, onset : onset + len(struck)] += np.array(BLEED[piece][:microphones])[:, None] * struck
    return audio[:, :samples].astype(np.float32)


def strikes_of(played: Sequence[Played]) -> list[Strike]:
    return [Strike.of(Move(onset, onset, "channel 1", piece, 1.0, 1.0)) for onset, piece, _ in played]


def in_turn(seconds: int, rate: int = RATE, strengths: Sequence[float] = (1.0,)) -> list[Played]:
    """Kick and snare in turn, two hits a second."""
    onsets = range(rate // 4, seconds * rate - rate // 2, rate // 2)
    return [(onset, (KICK, SNARE)[i % 2], strengths[i % len(strengths)]) for i, onset in enumerate(onsets)]


def gains_of(spectra: PieceSpectra, take: Take, strikes: Sequence[Strike]) -> npt.NDArray[np.float32]:
    levels = spectra.transform.levels(spectra.transform.forward(take.read(0, take.samples)))
    return spectra.gains(levels, strikes, [spectra.span(strike, 0, len(levels)) for strike in strikes])


def band_at(spectra: PieceSpectra, hertz: float) -> int:
    return int(np.searchsorted(spectra.transform.bands_hz, hertz, side="right")) - 1


def loudness(template: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """[channels], energy."""
    return np.asarray((template.astype(np.float64) ** 2).sum(axis=(0, 2)))


@settings(max_examples=6)
@given(rate=st.sampled_from([8_000, 22_050, 44_100]), microphones=st.integers(2, 3))
def test_templates_are_loud_where_their_piece_is(rate: int, microphones: int) -> None:
    played = in_turn(6, rate)
    take = take_from_array(performed(played, 6 * rate, microphones, rate), rate)
    spectra = learn(take, strikes_of(played))
    assert set(spectra.templates) == {"kick", "snare"}
    split = band_at(spectra, 300.0)
    for piece, own, other in ((KICK, 0, 1), (SNARE, 1, 0)):
        template = spectra.templates[piece.value]
        assert len(template) == round(DECAY_SECONDS[piece] * spectra.transform.frames_per_second) + LEAD_IN_FRAMES
        assert template.shape[1:] == (microphones, len(spectra.transform.bands_hz))
        energies = loudness(template)
        assert energies[own] == pytest.approx(25 * energies[other], rel=0.2)
        below, above = (float((template[:, own, part] ** 2).sum()) for part in (slice(0, split), slice(split, None)))
        assert (below > 20 * above) if piece is KICK else (above > 20 * below)


@settings(max_examples=6)
@given(seed=st.integers(0, 99))
def test_what_is_played_together_is_told_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    alone = in_turn(8)
    doubled = alone[: len(alone) // 2]
    others = [(onset + int(rng.integers(0, 160)), SNARE if piece is KICK else KICK, 1.0) for onset, piece, _ in doubled]
    played = sorted([*alone, *others])
    take = take_from_array(performed(played, 8 * RATE), RATE)
    templates = learn(take, strikes_of(played)).templates
    for piece, own, other in (("kick", 0, 1), ("snare", 1, 0)):
        energies = loudness(templates[piece])
        assert energies[own] > 8 * energies[other]


def test_templates_are_finite_positive_and_fall_after_the_attack() -> None:
    played = in_turn(6, strengths=(1.0, 0.4, 0.7))
    spectra = learn(take_from_array(performed(played, 6 * RATE), RATE), strikes_of(played))
    rise = round(RISE_SECONDS * spectra.transform.frames_per_second) + LEAD_IN_FRAMES
    for template in spectra.templates.values():
        assert np.isfinite(template).all()
        assert (template >= 0.0).all()
        assert (np.diff(template[rise:], axis=0) <= 1e-6 * template.max()).all()


def test_gains_are_proportional_to_strength() -> None:
    played = in_turn(8, strengths=(1.0, 0.3, 0.5, 0.9, 0.25))
    take, strikes = take_from_array(performed(played, 8 * RATE), RATE), strikes_of(played)
    spectra = learn(take, strikes)
    gains = gains_of(spectra, take, strikes)
    assert gains.shape == (len(strikes), len(spectra.transform.bands_hz))
    for piece, hertz in ((KICK, 90.0), (SNARE, 2_500.0)):
        mine = [i for i, (_, other, _) in enumerate(played) if other is piece]
        strengths = np.array([played[i][2] for i in mine])
        heard = gains[mine, band_at(spectra, hertz)]
        np.testing.assert_allclose(heard, strengths / np.exp(np.log(strengths).mean()), rtol=0.1)


def test_a_gain_is_one_of_a_few_for_many_bands() -> None:
    played = in_turn(4, 44_100)
    take, strikes = take_from_array(performed(played, 4 * 44_100, rate=44_100), 44_100), strikes_of(played)
    gains = gains_of(learn(take, strikes), take, strikes)
    assert all(1 < len(np.unique(row)) <= GAIN_BANDS for row in gains)


@settings(max_examples=8)
@given(power=st.integers(-12, 6))
def test_a_louder_take_has_louder_templates_and_the_same_gains(power: int) -> None:
    played = in_turn(4, strengths=(1.0, 0.5, 0.8))
    audio, gain = performed(played, 4 * RATE), np.float32(2.0**power)
    strikes = strikes_of(played)
    take, louder = take_from_array(audio, RATE), take_from_array(audio * gain, RATE)
    spectra, scaled = learn(take, strikes), learn(louder, strikes)
    for kind, template in spectra.templates.items():
        np.testing.assert_allclose(scaled.templates[kind], template * gain, rtol=0.01, atol=1e-4 * float(gain))
    np.testing.assert_allclose(gains_of(scaled, louder, strikes), gains_of(spectra, take, strikes), rtol=0.01)


@pytest.mark.parametrize("onset", [0, 1, RATE, 2 * RATE - 1])
def test_a_piece_that_is_struck_once_is_learned_from_that(onset: int) -> None:
    played = [(onset, SNARE, 0.8)]
    take, strikes = take_from_array(performed(played, 2 * RATE), RATE), strikes_of(played)
    spectra = learn(take, strikes)
    levels = spectra.transform.levels(spectra.transform.forward(take.read(0, take.samples)))
    span = spectra.span(strikes[0], 0, len(levels))
    said = spectra.templates["snare"][span.lag : span.lag + span.stop - span.start]
    said = said * gains_of(spectra, take, strikes)[0]
    np.testing.assert_allclose(said[:8].sum(axis=(0, 2)), levels[span.start :][:8].sum(axis=(0, 2)), rtol=0.15)


def test_an_unknown_piece_has_a_template_a_channel() -> None:
    played = in_turn(6)
    take = take_from_array(performed(played, 6 * RATE), RATE, ["one", "two", "over"])
    names = {KICK: "one", SNARE: "two"}
    strikes = [Strike.of(Move(at, at, names[piece], Piece.UNKNOWN, 1.0, 1.0)) for at, piece, _ in played]
    assert {strike.decay_seconds for strike in strikes} == {DECAY_SECONDS[Piece.UNKNOWN]}
    templates = learn(take, strikes).templates
    assert len(templates) == 2
    (of_one,), (of_two,) = ([kind for kind in templates if kind.endswith(name)] for name in ("one", "two"))
    first, second = loudness(templates[of_one]), loudness(templates[of_two])
    assert first[0] > 15 * first[1]
    assert second[1] > 15 * second[0]


def test_a_known_piece_is_one_kind_whatever_heard_it() -> None:
    heard = [Strike.of(Move(0, 0, channel, Piece.RIDE, 1.0, 1.0)) for channel in ("ride", "overheads.L")]
    assert heard[0] == heard[1]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_silence_is_learned_as_silence(kind: type) -> None:
    take = take_from_array(np.zeros((2, 3 * RATE), kind), RATE)
    strikes = strikes_of(in_turn(3))
    spectra = learn(take, strikes)
    assert all(template.max() < 1e-9 for template in spectra.templates.values())
    assert np.isfinite(gains_of(spectra, take, strikes)).all()


class Counted:
    """Audio in memory that counts how much of it is read."""

    def __init__(self, audio: Audio) -> None:
        self.audio, self.reads = audio, list[tuple[int, int]]()

    def read(self, start_samples: int, stop_samples: int) -> Audio:
        self.reads.append((start_samples, stop_samples))
        return self.audio[:, start_samples:stop_samples]


def counted(audio: Audio) -> tuple[Take, Counted]:
    source = Counted(audio)
    return replace(take_from_array(audio, RATE), source=source), source


def test_a_short_take_is_learned_whole() -> None:
    seconds = int(LEARNING_SECONDS) - 7
    played = in_turn(seconds)
    take, source = counted(performed(played, seconds * RATE, 2))
    learn(take, strikes_of(played))
    read = np.zeros(take.samples, bool)
    for start, stop in source.reads:
        read[start:stop] = True
    assert read.all()


@pytest.mark.parametrize("microphones", [1, 2, 3])
def test_learning_some_channels_at_a_time_changes_nothing(microphones: int, monkeypatch: pytest.MonkeyPatch) -> None:
    played = in_turn(8, strengths=(1.0, 0.5, 0.8))
    take = take_from_array(performed(played, 8 * RATE, microphones), RATE)
    together = learn(take, strikes_of(played))
    monkeypatch.setattr(piece_spectra, "CHANNELS_AT_ONCE", 1)
    apart = learn(take, strikes_of(played))
    for kind, template in together.templates.items():
        np.testing.assert_allclose(apart.templates[kind], template, rtol=1e-4, atol=1e-6)


def test_a_long_take_is_learned_from_excerpts_that_show_what_is_rare() -> None:
    seconds, rare = 180, 133 * RATE
    played = [hit for hit in in_turn(seconds) if hit[1] is KICK]
    played = sorted([*played, (rare, SNARE, 1.0)])
    take, source = counted(performed(played, seconds * RATE, 2))
    templates = learn(take, strikes_of(played)).templates
    assert max(stop - start for start, stop in source.reads) <= (EXCERPT_SECONDS + LAST_DECAY_SECONDS) * RATE
    longest = LEARNING_SECONDS * (1.0 + LAST_DECAY_SECONDS / EXCERPT_SECONDS)
    assert sum(stop - start for start, stop in source.reads) <= longest * RATE
    assert any(start <= rare < stop for start, stop in source.reads)
    energies = loudness(templates["snare"])
    assert energies[1] > 15 * energies[0]


def test_every_rare_piece_is_shown_even_where_that_takes_longer() -> None:
    pieces = [piece for piece in Piece if piece not in (KICK, SNARE, Piece.UNKNOWN)]
    apart = round(EXCERPT_SECONDS * RATE)
    samples = apart * (len(pieces) + 2)
    onsets = [apart * (i + 1) + RATE for i in range(len(pieces))]
    audio = performed([(onset, SNARE, 1.0) for onset in onsets], samples, 2)
    take, source = counted(audio)
    strikes = [Strike(onset, piece.value, 1.0) for onset, piece in zip(onsets, pieces, strict=True)]
    templates = learn(take, strikes).templates
    assert {piece.value for piece in pieces} == set(templates)
    assert all(any(start <= onset < stop for start, stop in source.reads) for onset in onsets)
    own = [loudness(template)[1] for template in templates.values()]
    assert min(own) > 0.5 * max(own)


@lru_cache
def of_one_snare() -> PieceSpectra:
    played = [(RATE, SNARE, 1.0)]
    return learn(take_from_array(performed(played, 2 * RATE), RATE), strikes_of(played))


@settings(max_examples=60)
@given(
    onset=st.integers(0, 40_000),
    first=st.integers(0, 300),
    frames=st.integers(1, 400),
    offset=st.integers(0, 200),
)
def test_a_span_lies_inside_the_frames_and_inside_the_template(
    onset: int, first: int, frames: int, offset: int
) -> None:
    spectra = of_one_snare()
    strike, hop = Strike(onset, "snare", 1.0), spectra.transform.hop_samples
    span = spectra.span(strike, first, frames, offset * hop)
    assert 0 <= span.start <= span.stop <= frames
    if span.stop > span.start:
        assert span.lag >= 0
        assert span.lag + span.stop - span.start <= len(spectra.templates["snare"])
        onset_frame = first + span.start - span.lag + LEAD_IN_FRAMES + offset
        assert abs(onset_frame * hop - onset) <= hop / 2
