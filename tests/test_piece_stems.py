"""Laws of taking a take apart: pieces and rest add up to it, close microphones keep what is theirs, all or nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align import piece_stems
from beatnet_align.audio_files import load
from beatnet_align.bin_shares import WHOLE_DECAY
from beatnet_align.cli import main
from beatnet_align.edit_plan import Move
from beatnet_align.effect import BeatDetective
from beatnet_align.errors import InputError, OutputError
from beatnet_align.hits import Hit, Piece
from beatnet_align.lifting import BLOCK_SECONDS, CONTEXT_BEFORE_SECONDS
from beatnet_align.piece_stems import layers_of, lift_layers, own_layers, write_piece_stems
from beatnet_align.roles import Role
from beatnet_align.take import Audio, Channel, Take, take_from_array
from datagen.config import DatasetConfig, Sources, Split
from datagen.example import ExampleMaker
from datagen.stem_figures import DETECTED_HITS, TRUE_HITS, UNTOUCHED, figures_table, measure, si_sdr_db

RATE = 8_000
MICROPHONES = ("kick", "snare", "hihat", "overhead")
BLEED = {
    Piece.KICK: (1.0, 0.15, 0.05, 0.3),
    Piece.SNARE: (0.15, 1.0, 0.2, 0.4),
    Piece.HIHAT_CLOSED: (0.02, 0.1, 1.0, 0.3),
    Piece.CRASH: (0.05, 0.1, 0.2, 1.0),
}
BEATS = (Piece.KICK, Piece.HIHAT_CLOSED, Piece.SNARE, Piece.HIHAT_CLOSED)

Sound = npt.NDArray[np.float64]
Sounds = npt.NDArray[np.float32]


def sound_of(piece: Piece) -> Sound:
    seconds = np.arange(round((3.4 if piece is Piece.CRASH else 0.5) * RATE)) / RATE
    noise = np.random.default_rng(1).standard_normal(len(seconds))
    match piece:
        case Piece.KICK:
            return 0.6 * np.sin(2 * np.pi * 70 * seconds) * np.exp(-seconds / 0.06)
        case Piece.SNARE:
            tone = np.sin(2 * np.pi * 220 * seconds) * np.exp(-seconds / 0.07)
            return 0.3 * tone + 0.1 * noise * np.exp(-seconds / 0.04)
        case Piece.CRASH:
            return 0.2 * np.diff(noise, prepend=0.0) * np.exp(-seconds / 1.5)
        case _:
            return 0.2 * np.diff(noise, prepend=0.0) * np.exp(-seconds / 0.03)


def played(strikes: Sequence[tuple[int, Piece]], samples: int) -> dict[Piece, Sounds]:
    """[microphones, samples] of each piece."""
    images = {piece: np.zeros((len(MICROPHONES), samples), np.float32) for _, piece in strikes}
    for onset, piece in strikes:
        sound = sound_of(piece)[: samples - onset]
        images[piece][:, onset : onset + len(sound)] += np.outer(BLEED[piece], sound).astype(np.float32)
    return images


def moves_of(strikes: Sequence[tuple[int, Piece]]) -> list[Move]:
    own = {piece: MICROPHONES[int(np.argmax(levels))] for piece, levels in BLEED.items()}
    return [Move(onset, onset, own[piece], piece, 0.9, 1.0) for onset, piece in strikes]


def groove(seconds: float) -> list[tuple[int, Piece]]:
    onsets = range(RATE // 2, round((seconds - 0.6) * RATE), RATE // 4)
    return [(onset, BEATS[i % len(BEATS)]) for i, onset in enumerate(onsets)]


def lifted_whole(take: Take, moves: Sequence[Move]) -> npt.NDArray[np.float32]:
    return np.concatenate(list(lift_layers(take, moves)), axis=2)


@pytest.fixture
def hits_of_groove(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for hits finds those of the groove."""

    def find(take: Take, *_: object) -> list[Hit]:
        names = [channel.name for channel in take.channels]
        return [
            Hit(move.onset_samples, names.index(move.channel), move.piece, 0.9, 1.0)
            for move in moves_of(groove(take.seconds))
        ]

    monkeypatch.setattr(piece_stems, "find_hits", find)


def record(folder: Path, seconds: float = 4.0, extra: Sequence[str] = ()) -> dict[Piece, Sounds]:
    """Write the groove as stems; microphones beyond the four are quiet noise."""
    folder.mkdir()
    images = played(groove(seconds), round(seconds * RATE))
    whole = np.sum(list(images.values()), axis=0)
    for name, row in zip(MICROPHONES, whole, strict=True):
        sf.write(folder / f"{name}.{'flac' if name == 'snare' else 'wav'}", row, RATE, subtype="PCM_24")
    for name in extra:
        noise = 0.01 * np.random.default_rng(0).standard_normal(whole.shape[1])
        sf.write(folder / f"{name}.wav", noise, RATE, subtype="FLOAT")
    return images


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@settings(max_examples=20)
@given(
    samples=st.integers(1, 5 * RATE),
    places=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(Piece)), min_size=1, max_size=6),
    channels=st.integers(1, 3),
    silent=st.booleans(),
)
def test_layers_are_as_long_as_the_take_and_never_claim_what_is_not_there(
    samples: int, places: list[tuple[float, Piece]], channels: int, silent: bool
) -> None:
    audio = np.random.default_rng(0).normal(0, 0.0 if silent else 0.1, (channels, samples)).astype(np.float32)
    take = take_from_array(audio, RATE)
    moves = [
        Move(at, at, take.channels[0].name, piece, 1.0, 1.0)
        for at, piece in ((round(place * (samples - 1)), piece) for place, piece in places)
    ]
    layers = lifted_whole(take, moves)
    assert layers.shape == (len({piece for _, piece in places}), channels, samples)
    assert np.isfinite(layers).all()
    first = min(move.onset_samples for move in moves)
    assert not layers[:, :, : max(0, first - RATE // 100)].any()
    rest = audio - layers.sum(axis=0)
    assert np.sum(rest.astype(np.float64) ** 2) <= 1.05 * np.sum(audio.astype(np.float64) ** 2)
    if silent:
        assert not layers.any()


def test_hits_may_come_in_any_order() -> None:
    strikes = groove(3.0)
    take = take_from_array(np.sum(list(played(strikes, 3 * RATE).values()), axis=0), RATE, MICROPHONES)
    moves = moves_of(strikes)
    np.testing.assert_array_equal(lifted_whole(take, moves), lifted_whole(take, moves[::-1]))


def test_every_piece_is_itself_and_bleeds_less() -> None:
    strikes = groove(19.0)  # more than two blocks
    images = played(strikes, 19 * RATE)
    audio = np.sum(list(images.values()), axis=0)
    moves = moves_of(strikes)
    layers = lifted_whole(take_from_array(audio, RATE, MICROPHONES), moves)
    for layer, lifted in zip(layers_of(moves), layers, strict=True):
        own = int(np.argmax(BLEED[layer.piece]))
        for row in range(len(MICROPHONES)):
            before, after = (si_sdr_db(one[row], images[layer.piece][row]) for one in (audio, lifted))
            assert after > before + 3.0 or after > 20.0, (layer.kind, MICROPHONES[row], before, after)
        assert si_sdr_db(lifted[own], images[layer.piece][own]) > 14.0


def test_a_cymbal_rings_on_in_its_own_layer() -> None:
    images = played([(RATE, Piece.CRASH)], 6 * RATE)
    audio = images[Piece.CRASH]
    (layer,) = lifted_whole(take_from_array(audio, RATE, MICROPHONES), moves_of([(RATE, Piece.CRASH)]))
    late = slice(3 * RATE, round(4.2 * RATE))
    assert si_sdr_db(layer[3, late], audio[3, late]) > 15.0


def test_memory_does_not_grow_with_the_take() -> None:
    class Watched:
        longest = 0

        def read(self, start_samples: int, stop_samples: int) -> Audio:
            self.longest = max(self.longest, stop_samples - start_samples)
            return np.full((1, stop_samples - start_samples), 1e-3, np.float32)

    source = Watched()
    take = Take("long", RATE, 120 * RATE, (Channel("kick", Role.KICK),), source)
    moves = [Move(at, at, "kick", Piece.KICK, 1.0, 1.0) for at in range(0, take.samples, RATE)]
    longest = max(part.shape[2] for part in lift_layers(take, moves))
    assert longest <= RATE
    reach_seconds = BLOCK_SECONDS + CONTEXT_BEFORE_SECONDS + WHOLE_DECAY.let_go_seconds + 2.0
    assert source.longest < reach_seconds * RATE


@pytest.mark.parametrize(
    ("name", "role", "expected"),
    [
        ("kick", Role.KICK, {"kick"}),
        ("snare", Role.SNARE, {"snare", "sidestick"}),
        ("tom 1", Role.TOM, {"tom_high", "tom_mid"}),
        ("tom 2", Role.TOM, {"tom_floor", "unknown on tom 2"}),
        ("tom 2 bottom", Role.TOM, {"tom_high", "tom_mid", "tom_floor"}),
        ("hihat", Role.HIHAT, {"hihat_closed", "hihat_open", "hihat_pedal"}),
        ("ride", Role.RIDE, {"ride", "ride_bell"}),
        ("cymbals", Role.CYMBAL, {"crash", "splash", "china"}),
    ],
)
def test_what_belongs_to_a_close_microphone(name: str, role: Role, expected: set[str]) -> None:
    triggers = {Piece.TOM_HIGH: "tom 1", Piece.TOM_MID: "tom 1", Piece.TOM_FLOOR: "tom 2", Piece.UNKNOWN: "tom 2"}
    moves = [Move(i, i, triggers.get(piece, "elsewhere"), piece, 1.0, 1.0) for i, piece in enumerate(Piece)]
    layers = layers_of(moves)
    assert [layer.piece for layer in layers] == list(Piece)
    assert {layers[i].kind for i in own_layers(Channel(name, role), layers)} == expected


def test_what_is_unknown_belongs_to_the_tom_that_heard_it() -> None:
    layers = layers_of([Move(0, 0, "tom", Piece.UNKNOWN, 1.0, 1.0), Move(9, 9, "rack", Piece.TOM_HIGH, 1.0, 1.0)])
    assert {layers[i].piece for i in own_layers(Channel("tom", Role.TOM), layers)} == {Piece.UNKNOWN}


@pytest.mark.usefixtures("hits_of_groove")
def test_pieces_and_rest_add_up_and_close_microphones_keep_their_format(tmp_path: Path) -> None:
    images = record(tmp_path / "take")
    told: list[tuple[str, int, int]] = []
    written = write_piece_stems(
        tmp_path / "take", tmp_path / "out", rest=True, progress=lambda *done: told.append(done)
    )
    assert written.pieces == (Piece.KICK, Piece.SNARE, Piece.HIHAT_CLOSED)
    assert written.remarks == ()
    pieces = [f"pieces/{name}.wav" for name in ("kick", "snare", "hihat_closed", "rest")]
    assert files_in(tmp_path / "out") == {*pieces, "close/kick.wav", "close/snare.flac", "close/hihat.wav"}
    assert set(written.files) == files_in(tmp_path / "out")
    take = load(tmp_path / "take")
    whole = take.read(0, take.samples)
    parts = {name: sf.read(tmp_path / "out" / name, dtype="float32", always_2d=True)[0].T for name in pieces}
    np.testing.assert_allclose(np.sum(list(parts.values()), axis=0), whole, atol=1e-5)
    assert sf.info(tmp_path / "out" / "pieces/kick.wav").subtype == "FLOAT"
    names = [channel.name for channel in take.channels]
    for name, suffix, piece in (("kick", "wav", Piece.KICK), ("snare", "flac", Piece.SNARE)):
        path = tmp_path / "out" / "close" / f"{name}.{suffix}"
        assert (sf.info(path).subtype, sf.info(path).frames) == ("PCM_24", take.samples)
        close, row = sf.read(path, dtype="float32")[0], names.index(name)
        np.testing.assert_allclose(close, parts[f"pieces/{piece.value}.wav"][row], atol=1e-6)
        image = images[piece][MICROPHONES.index(name)]
        assert si_sdr_db(close, image) > si_sdr_db(whole[row], image) + 3.0
    assert sum(samples for stage, samples, _ in told if stage == "writing stems") == take.samples


@pytest.mark.usefixtures("hits_of_groove")
def test_a_close_microphone_that_nobody_struck_is_silent_and_said(tmp_path: Path) -> None:
    record(tmp_path / "take", extra=["ride"])
    written = write_piece_stems(tmp_path / "take", tmp_path / "out")
    assert not sf.read(tmp_path / "out" / "close" / "ride.wav")[0].any()
    assert written.remarks == ("silent in close, since no hit of theirs was found: ride",)
    assert "pieces/rest.wav" not in written.files


@pytest.mark.usefixtures("hits_of_groove")
def test_without_close_microphones_there_are_pieces_alone(tmp_path: Path) -> None:
    record(tmp_path / "take")
    roles = dict.fromkeys(MICROPHONES, Role.OTHER)
    written = write_piece_stems(tmp_path / "take", tmp_path / "out", roles=roles)
    assert not (tmp_path / "out" / "close").exists()
    assert "no channel is a close microphone" in written.remarks[0]


@pytest.mark.usefixtures("hits_of_groove")
def test_a_run_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path / "take")
    lift = piece_stems.lift_layers

    def failing(take: Take, moves: Sequence[Move]) -> Iterator[npt.NDArray[np.float32]]:
        yield next(lift(take, moves))
        raise OutputError("the lights went out")

    monkeypatch.setattr(piece_stems, "lift_layers", failing)
    with pytest.raises(OutputError, match="lights"):
        write_piece_stems(tmp_path / "take", tmp_path / "new" / "out", rest=True)
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("hits_of_groove")
def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    record(tmp_path / "take")
    write_piece_stems(tmp_path / "take", tmp_path / "out", rest=True)
    with pytest.raises(InputError, match="--force"):
        write_piece_stems(tmp_path / "take", tmp_path / "out")
    written = write_piece_stems(tmp_path / "take", tmp_path / "out", force=True)
    assert written.remarks == (f"{tmp_path / 'out' / 'pieces' / 'rest.wav'} is left from an earlier run",)
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "pieces").write_bytes(b"")
    with pytest.raises(InputError, match="is a file"):
        write_piece_stems(tmp_path / "take", tmp_path / "blocked", force=True)
    assert files_in(tmp_path / "blocked") == {"pieces"}
    (tmp_path / "take").rename(tmp_path / "close")
    with pytest.raises(InputError, match="stem of the take itself"):
        write_piece_stems(tmp_path / "close", tmp_path, force=True)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "take", seconds=3.0)
    classical = ["--engine", "onset-quantise"]
    assert main(["stems", str(tmp_path / "take"), "-o", str(tmp_path / "out"), "--rest", *classical]) == 0
    assert "files in" in capsys.readouterr().out
    assert {"close/kick.wav", "pieces/rest.wav"} <= files_in(tmp_path / "out")
    assert main(["stems", str(tmp_path / "take"), "-o", str(tmp_path / "out"), *classical]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    sf.write(tmp_path / "kick.wav", np.zeros(RATE), RATE)
    assert main(["stems", str(tmp_path / "kick.wav"), "-o", str(tmp_path / "none"), *classical]) == 2
    assert "is silent" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    with pytest.raises(SystemExit):
        main(["stems", "--help"])
    assert "Experimental" in capsys.readouterr().out


def test_unusable_listening_is_told_before_any_work(tmp_path: Path) -> None:
    record(tmp_path / "take", seconds=2.0)
    with pytest.raises(InputError, match="cowbell"):
        write_piece_stems(tmp_path / "take", tmp_path / "out", BeatDetective(triggers=("cowbell",)))
    assert not (tmp_path / "out").exists()


@given(gain=st.floats(1e-3, 1e3), noise_db=st.floats(-60, 20))
def test_si_sdr_forgives_gain_alone(gain: float, noise_db: float) -> None:
    at = 2 * np.pi * np.arange(RATE) / RATE
    reference, noise = np.sin(100 * at).astype(np.float32), np.cos(100 * at).astype(np.float32)
    estimated = np.float32(gain) * (reference + np.float32(10.0 ** (noise_db / 20.0)) * noise)
    assert si_sdr_db(estimated, reference) == pytest.approx(-noise_db, abs=0.05)
    assert si_sdr_db(0.0 * reference, reference) == -np.inf


def test_figures_of_a_generated_example() -> None:
    config = DatasetConfig(
        "tiny", test=Sources(1, ("synth201",), groove_probability=0.0), seconds=4.0, channels=(8, 10), images=True
    )
    figures = measure(ExampleMaker(config).make(Split.TEST, 0))
    assert {figure.whole_microphone for figure in figures} == {True, False}
    middle = {
        way: float(np.median([figure.si_sdr_db[way] for figure in figures if figure.whole_microphone]))
        for way in (UNTOUCHED, TRUE_HITS, DETECTED_HITS)
    }
    assert middle[TRUE_HITS] > middle[UNTOUCHED] + 3.0
    table = figures_table(figures)
    assert "all pieces" in table
    assert "all microphones" in table
