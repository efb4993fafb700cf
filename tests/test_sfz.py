"""SFZ instruments: inheritance, includes, keys and what a sampler would play."""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from datagen.kits.listing import HitParts
from datagen.kits.loading import load_kit
from datagen.kits.sfz import list_sfz

RATE = 44_100


def tone(level: float, hertz: float = 441.0, channels: int = 1) -> npt.NDArray[np.float32]:
    """A decaying tone, [samples, channels]."""
    time = np.arange(RATE // 5) / RATE
    one = level * np.sin(2 * np.pi * hertz * time) * np.exp(-time / 0.03)
    return np.repeat(one[:, None], channels, axis=1).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Samples").mkdir()
    for name, level in (("k soft.wav", 0.2), ("k_hard.wav", 0.8), ("s1.wav", 0.5), ("s2.wav", 0.5), ("room.wav", 0.1)):
        sf.write(tmp_path / "Samples" / name, tone(level), RATE, subtype="FLOAT")
    return tmp_path


def instrument(folder: Path, text: str) -> Path:
    path = folder / "kit.sfz"
    path.write_text(text)
    return path


def only_hit(path: Path, piece: Piece) -> HitParts:
    (hit,) = list_sfz(path).hits[piece]
    return hit


def test_regions_inherit_and_inner_headers_win(folder: Path) -> None:
    path = instrument(
        folder,
        """
        // a comment with <region> key=40 sample=never.wav in it
        <control> default_path=Samples\\
        <global> volume=-3 /* <region>
        key=38 sample=never.wav */
        <master> pan=20
        <group> key=36 volume=-6
        <region> hivel=63 sample=k soft.wav volume=-1
        <region> lovel=64 sample=k_hard.wav
        <group> key=38
        <region> sample=s1.wav
        <master>
        <region> key=37 sample=s2.wav
        """,
    )
    hits = list_sfz(path).hits
    soft, hard = (hit[0] for hit in hits[Piece.KICK])
    (snare,) = hits[Piece.SNARE][0]
    (stick,) = hits[Piece.SIDESTICK][0]
    assert soft.path == folder / "Samples" / "k soft.wav"
    assert hard.path == folder / "Samples" / "k_hard.wav"
    assert hard.gain_db == pytest.approx(-6.0)
    assert soft.gain_db == pytest.approx(-1.0 + 40.0 * np.log10(63 / 127))  # the square of velocity, by default
    assert [snare.gain_db, snare.pan] == pytest.approx([-3.0, 0.2])
    assert [stick.gain_db, stick.pan] == pytest.approx([-3.0, 0.0])


def test_defines_and_includes_are_put_in_place(folder: Path) -> None:
    (folder / "inner.sfz").write_text("<region> sample=$DIR/s1.wav key=$SNAREKEY")
    path = instrument(
        folder,
        """
        #define $DIR Samples
        #define $SNARE 99
        #define $SNAREKEY 38
        <group> amp_veltrack=0
        #include "inner.sfz"
        <region> sample=$DIR/s2.wav key=d2 seq_position=2
        """,
    )
    assert [hit[0].path.name for hit in list_sfz(path).hits[Piece.SNARE]] == ["s1.wav", "s2.wav"]


def test_an_include_of_itself_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="does a file include itself"):
        list_sfz(instrument(folder, '#include "kit.sfz"'))


def test_what_answers_the_same_stroke_is_mixed_as_a_sampler_would(folder: Path) -> None:
    path = instrument(
        folder,
        """
        <control> default_path=Samples/
        <group> key=36 lovel=1 hivel=127
        <region> sample=k_hard.wav pan=-100
        <region> sample=room.wav amplitude=50 volume=6.0206
        """,
    )
    parts = only_hit(path, Piece.KICK)
    assert [part.path.name for part in parts] == ["k_hard.wav", "room.wav"]
    kit = load_kit(path)
    assert kit.microphones == ("mix.L", "mix.R")
    assert not kit.is_multimicrophone
    ((strike,),) = kit.strikes[Piece.KICK]
    np.testing.assert_allclose(np.abs(strike.audio[1]).max() / np.abs(tone(0.1)).max(), 1.0, rtol=1e-3)
    np.testing.assert_allclose(
        np.abs(strike.audio[0]).max() / np.abs(tone(0.1 + np.sqrt(2) * 0.8)).max(), 1.0, rtol=1e-3
    )


def test_round_robins_random_ranges_and_velocities_are_hits_of_their_own(folder: Path) -> None:
    path = instrument(
        folder,
        """
        <control> default_path=Samples/
        <group> key=38 amp_veltrack=0
        <region> sample=s1.wav seq_length=2 seq_position=1
        <region> sample=s2.wav seq_length=2 seq_position=2
        <group> key=36 amp_veltrack=0
        <region> sample=k_hard.wav hirand=0.5
        <region> sample=k_hard.wav lorand=0.5
        <region> sample=k soft.wav hivel=60
        """,
    )
    kit = load_kit(path)
    assert [len(layer) for layer in kit.strikes[Piece.SNARE]] == [2]
    assert [len(layer) for layer in kit.strikes[Piece.KICK]] == [1, 2]  # 12 dB apart


def test_offset_and_end_cut_the_file(folder: Path) -> None:
    path = instrument(folder, "<region> key=36 sample=Samples/k_hard.wav offset=100 end=2099 amp_veltrack=0")
    (part,) = only_hit(path, Piece.KICK)
    assert (part.offset_samples, part.end_samples) == (100, 2100)
    ((strike,),) = load_kit(path).strikes[Piece.KICK]
    np.testing.assert_allclose(strike.audio[0, -2_000:-300], tone(0.8)[100:1_800, 0], atol=1e-6)


def test_a_key_away_from_the_centre_plays_faster(folder: Path) -> None:
    octave_up = instrument(folder, "<region> key=36 pitch_keycenter=24 sample=Samples/k_hard.wav amp_veltrack=0")
    (part,) = only_hit(octave_up, Piece.KICK)
    assert part.semitones == 12
    ((strike,),) = load_kit(octave_up).strikes[Piece.KICK]
    spectrum = np.abs(np.fft.rfft(strike.audio[0], RATE))
    assert abs(int(np.argmax(spectrum)) - 882) < 5
    untracked = "<region> key=36 pitch_keycenter=24 pitch_keytrack=0 sample=Samples/k_hard.wav"
    assert only_hit(instrument(folder, untracked), Piece.KICK)[0].semitones == 0


def test_one_region_over_many_keys_gives_each_piece_one_hit(folder: Path) -> None:
    path = instrument(folder, "<region> lokey=c2 hikey=40 pitch_keytrack=0 sample=Samples/s1.wav")
    assert {piece: len(hits) for piece, hits in list_sfz(path).hits.items()} == {
        Piece.KICK: 1,
        Piece.SIDESTICK: 1,
        Piece.SNARE: 1,
    }


def test_what_does_not_sound_at_a_stroke_is_left_out(folder: Path) -> None:
    path = instrument(
        folder,
        """
        <region> key=36 sample=Samples/k_hard.wav
        <region> key=38 sample=*silence
        <region> key=42 sample=Samples/s1.wav trigger=release
        <region> key=46 sample=Samples/s1.wav end=-1
        <region> key=49
        <curve> curve_index=7 v000=0
        """,
    )
    assert set(list_sfz(path).hits) == {Piece.KICK}


def test_unknown_opcodes_and_keys_give_one_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = instrument(
        folder,
        "<region> key=36 sample=Samples/k_hard.wav cutoff=300 fil_type=lpf_2p loop_mode=one_shot group=1\n"
        "<region> key=99 sample=Samples/s1.wav ampeg_attack=1",
    )
    with caplog.at_level(logging.WARNING):
        list_sfz(path)
    (record,) = caplog.records
    assert record.getMessage().endswith("left out opcodes: ampeg_attack, cutoff, fil_type; keys off the drum map: 99")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found 0 regions, none on a key"),
        ("<region> key=100 sample=Samples/s1.wav", "found 1 regions, none on a key"),
        ("<region> key=36 volume=loud sample=Samples/s1.wav", "volume=loud is not a number"),
        ("<region> key=h9 sample=Samples/s1.wav", "the key 'h9' is neither"),
        ('#include "gone.sfz"', r"gone\.sfz: cannot be read"),
        ("<region> key=36 sample=Samples/gone.wav", r"gone\.wav: no such file"),
    ],
)
def test_bad_instruments_are_refused(folder: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_kit(instrument(folder, text))


def test_a_folder_with_one_instrument_is_that_instrument(folder: Path) -> None:
    instrument(folder, "<region> key=36 sample=Samples/k_hard.wav")
    assert set(load_kit(folder).strikes) == {Piece.KICK}


def test_a_folder_with_several_instruments_is_ambiguous(folder: Path) -> None:
    instrument(folder, "<region> key=36 sample=Samples/k_hard.wav")
    (folder / "other.sfz").write_text("<region> key=38 sample=Samples/s1.wav")
    with pytest.raises(InputError, match=r"holds 2 SFZ instruments; give one of them, as .*kit\.sfz"):
        load_kit(folder)
