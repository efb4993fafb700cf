"""Kits from disk: what is found, what is refused, how strikes are measured, chosen and merged."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from beatnet_align.onset_timing import smoothed_energy
from datagen.kits.listing import guess_piece
from datagen.kits.loading import FALLBACK_PIECES, Kit, Strike, load_kit, merge_kits
from datagen.kits.own_microphone import own_microphone
from datagen.kits.strikes import make_strike, resample, velocity_layers
from datagen.kits.tuning import INTERVALS, Tuning, draw_tuning

SHARED_KITS = Path(__file__).parents[2] / "shared" / "data" / "kits"
RATE = 44_100
Samples = npt.NDArray[np.float32]

needs_shared = pytest.mark.skipif(not SHARED_KITS.is_dir(), reason=f"the shared kits are not at {SHARED_KITS}")


def every_strike(kit: Kit) -> Iterator[Strike]:
    return (strike for layers in kit.strikes.values() for layer in layers for strike in layer)


def naive_onset(strike: npt.NDArray[np.floating]) -> int:
    """The rule of ``onset_timing.py`` by the detector's own smoothing; silence in front, for attacks at the start."""
    energy = smoothed_energy(np.concatenate([np.zeros(100), strike.astype(np.float64)]), RATE)
    return int(np.flatnonzero(energy > energy.max() / 1000)[0]) - 100


def blow(peak: float, channels: int = 1, delays: tuple[int, ...] = (), seconds: float = 0.3, seed: int = 0) -> Samples:
    """A decaying burst of noise, [channels, samples], each channel later by its delay."""
    time = np.arange(round(seconds * RATE)) / RATE
    burst = np.random.default_rng(seed).uniform(-1, 1, len(time)) * np.exp(-time / 0.04)
    burst *= peak / np.max(np.abs(burst))
    rows = [np.concatenate([np.zeros(delay), burst])[: len(time)] for delay in (delays or (0,) * channels)]
    return np.array(rows, np.float32)


def write(path: Path, audio: Samples, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, audio.T, rate, subtype="FLOAT" if path.suffix == ".wav" else "PCM_16")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A kit of two pieces and three microphones; the kick is nearest its own, and loudest there."""
    for index, peak in enumerate((0.05, 0.2, 0.8)):
        write(tmp_path / "kick" / f"{index:02}.flac", peak * blow(1.0, delays=(30, 100, 140), seed=index))
        write(tmp_path / "hihat_half" / f"{index:02}.flac", peak * blow(1.0, delays=(200, 40, 160), seed=index))
    described = {
        "name": "tiny",
        "sample_rate": RATE,
        "microphones": ["kick", "overhead", "room"],
        "pieces": {"kick": 3, "hihat_half": 3},
        "licence": "CC0-1.0",
        "source": "made here",
    }
    (tmp_path / "kit.json").write_text(json.dumps(described))
    return tmp_path


def test_a_kit_folder_is_loaded_with_its_own_microphones(folder: Path) -> None:
    kit = load_kit(folder)
    assert (kit.name, kit.licence, kit.sample_rate) == ("tiny", "CC0-1.0", RATE)
    assert kit.attribution == "made here (CC0-1.0)"
    assert kit.is_multimicrophone
    assert {piece: layers[0][0].own_microphone for piece, layers in kit.strikes.items()} == {
        Piece.KICK: 0,
        Piece.HIHAT_OPEN: 1,
    }
    assert [len(layer) for layer in kit.strikes[Piece.KICK]] == [1, 1, 1]  # 12 dB apart
    assert all(strike.onset_samples == naive_onset(strike.audio[strike.own_microphone]) for strike in every_strike(kit))


def test_a_kit_is_decoded_once_and_nobody_can_change_it(folder: Path) -> None:
    kit = load_kit(folder)
    assert load_kit(folder / "kit.json").strikes is not kit.strikes  # another path, another entry
    assert load_kit(folder) is kit
    for strike in every_strike(kit):
        with pytest.raises(ValueError, match="read-only"):
            strike.audio[0, 0] = 1.0


def test_resampling_keeps_time_and_level(folder: Path) -> None:
    kit, faster = load_kit(folder), load_kit(folder, sample_rate=48_000)
    assert faster.sample_rate == 48_000
    for before, after in zip(every_strike(kit), every_strike(faster), strict=True):
        assert after.audio.shape[1] / before.audio.shape[1] == pytest.approx(48_000 / RATE, rel=0.02)
        assert after.loudness_db == pytest.approx(before.loudness_db, abs=0.6)


@given(to_hz=st.sampled_from([22_050, 48_000, 96_000]), hertz=st.floats(100.0, 6_000.0))
def test_resampling_is_transparent_to_a_tone(to_hz: int, hertz: float) -> None:
    """Outside reference: the same sine, sampled at the other rate."""
    shape = np.hanning(4_410)
    tone = (shape * np.sin(2 * np.pi * hertz * np.arange(4_410) / RATE)).astype(np.float32)
    heard = resample(tone[None], RATE, to_hz)[0]
    start = round(0.5 * (len(heard) - 0.1 * to_hz) * 2)  # the lead that the filter was given
    time = (np.arange(len(heard)) - start) / to_hz
    inside = (time > 0.02) & (time < 0.08)
    expected = (0.5 - 0.5 * np.cos(2 * np.pi * time * RATE / 4_409)) * np.sin(2 * np.pi * hertz * time)
    assert np.max(np.abs(heard - expected)[inside]) < 0.01


Spoiler = Callable[[Path], object]


def change(**changes: object) -> Spoiler:
    def spoil(folder: Path) -> None:
        manifest = folder / "kit.json"
        described = json.loads(manifest.read_text()) | changes
        manifest.write_text(json.dumps({key: value for key, value in described.items() if value is not None}))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change(microphones=None), r"kit\.json: lacks microphones; a kit needs name, "),
        (change(microphones=["kick", "kick", "room"]), "microphones must be 1 to 32 different names"),
        (change(sample_rate="44100"), "sample_rate must be"),
        (change(sample_rate=48_000), r"00\.flac: 44100 Hz, but its kit.json says 48000"),
        (change(pieces={}), "pieces must name at least one"),
        (change(pieces={"kick": 3, "gong": 1}), "unknown piece 'gong'; known are kick, snare"),
        (change(pieces={"kick": 3, "snare": 2}), "the piece 'snare' has no hits"),
        (change(pieces={"kick": 4}), "'kick' should have 4 hits, found 3"),
        (change(microphones=["kick", "room"]), r"00\.flac: 3 channels, but its kit.json lists 2"),
        (lambda folder: (folder / "kit.json").write_text("{"), r"kit\.json: cannot be read as JSON"),
        (lambda folder: (folder / "kit.json").write_text("[]"), r"kit\.json: must hold one JSON object"),
        (lambda folder: (folder / "kick" / "01.flac").write_bytes(b"no audio"), r"01\.flac: cannot be read as audio"),
        (lambda folder: write(folder / "kick" / "01.flac", blow(0.0, 3) * 0), r"01\.flac: the sample is silent"),
        (
            lambda folder: write(folder / "kick" / "01.flac", blow(0.1, 3) * np.array([[0], [1], [1]], np.float32)),
            r"01\.flac: silent on kick",
        ),
    ],
)
def test_bad_kit_folders_are_refused_by_name(
    folder: Path, spoil: Spoiler, message: str, recwarn: pytest.WarningsRecorder
) -> None:
    with np.errstate(all="ignore"):
        spoil(folder)
    with pytest.raises(InputError, match=message):
        load_kit(folder)


def test_a_path_that_is_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such kit"):
        load_kit(tmp_path / "nowhere")
    with pytest.raises(InputError, match="found 0 audio files and none named after a piece"):
        load_kit(tmp_path)


def test_one_shots_are_sorted_into_pieces_by_their_names(tmp_path: Path) -> None:
    write(tmp_path / "kick" / "a.wav", blow(0.9))
    write(tmp_path / "kick" / "b.wav", blow(0.1))
    write(tmp_path / "Snare 01.wav", blow(0.5, channels=2))
    write(tmp_path / "Hats" / "OpenHat.wav", blow(0.5))
    write(tmp_path / "cowbell.wav", blow(0.5))
    kit = load_kit(tmp_path)
    assert set(kit.strikes) == {Piece.KICK, Piece.SNARE, Piece.HIHAT_CLOSED}
    assert kit.microphones == ("mix.L", "mix.R")
    assert not kit.is_multimicrophone
    soft, loud = kit.strikes[Piece.KICK]
    assert soft[0].loudness_db < loud[0].loudness_db
    np.testing.assert_array_equal(loud[0].audio[0], loud[0].audio[1])


def test_mono_one_shots_make_a_mono_kit(tmp_path: Path) -> None:
    write(tmp_path / "kick.wav", blow(0.9))
    write(tmp_path / "snare.wav", blow(0.9))
    assert load_kit(tmp_path).microphones == ("mono",)


def test_mixed_rates_need_a_wanted_rate(tmp_path: Path) -> None:
    write(tmp_path / "kick.wav", blow(0.9))
    write(tmp_path / "snare.wav", blow(0.9), rate=48_000)
    with pytest.raises(InputError, match=r"snare\.wav: 48000 Hz beside 44100 Hz in one kit"):
        load_kit(tmp_path)
    assert load_kit(tmp_path, sample_rate=RATE).sample_rate == RATE


def test_a_sample_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    audio = blow(0.9)
    audio[0, 7] = np.nan
    write(tmp_path / "kick.wav", audio)
    with pytest.raises(InputError, match=r"kick\.wav: the sample holds NaN"):
        load_kit(tmp_path)


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("Kick-01", Piece.KICK),
        ("BD_hard", Piece.KICK),
        ("Bass Drum 3", Piece.KICK),
        ("snare_edge", Piece.SNARE),
        ("SD 12", Piece.SNARE),
        ("SideStick", Piece.SIDESTICK),
        ("Rim1", Piece.SIDESTICK),
        ("HH", Piece.HIHAT_CLOSED),
        ("ClosedHat", Piece.HIHAT_CLOSED),
        ("CHH_2", Piece.HIHAT_CLOSED),
        ("hhclosed_03", Piece.HIHAT_CLOSED),
        ("HHOpen_03", Piece.HIHAT_OPEN),
        ("open hi-hat", Piece.HIHAT_OPEN),
        ("hihat_half", Piece.HIHAT_OPEN),
        ("Hat Pedal", Piece.HIHAT_PEDAL),
        ("Tom1", Piece.TOM_HIGH),
        ("Tom 02", Piece.TOM_MID),
        ("Floor Tom", Piece.TOM_FLOOR),
        ("tom_floor", Piece.TOM_FLOOR),
        ("LowTom", Piece.TOM_FLOOR),
        ("Ride Bell", Piece.RIDE_BELL),
        ("Ride01", Piece.RIDE),
        ("Crash 16in", Piece.CRASH),
        ("Splash", Piece.SPLASH),
        ("CHINA", Piece.CHINA),
        ("Cowbell", None),
        ("HatChoke-Hard", None),
        ("HatSwish_2", None),
        ("Snare Roll", None),
        ("Clap", None),
        ("Vocal", None),
    ],
)
def test_usual_names_mean_a_piece(name: str, piece: Piece | None) -> None:
    assert guess_piece(name) is piece


@given(
    lead=st.integers(0, 3_000),
    attack=st.integers(1, 500),
    seed=st.integers(0, 99),
    noise=st.sampled_from([0.0, 1e-4]),
)
def test_a_strike_is_measured_by_the_rule_and_trimmed_around_it(
    lead: int, attack: int, seed: int, noise: float
) -> None:
    raw = blow(0.8, seed=seed)[0].astype(np.float64)
    raw[:attack] *= np.linspace(0, 1, attack)
    raw = np.concatenate([np.zeros(lead), raw, np.zeros(5_000)])
    raw += noise * np.random.default_rng(seed).standard_normal(len(raw))
    untouched = raw.copy()
    strike = make_strike(raw[None], 0, RATE)
    np.testing.assert_array_equal(raw, untouched)
    assert not strike.audio.flags.writeable
    assert abs(naive_onset(strike.audio[0]) - strike.onset_samples) <= 1
    assert 0 <= strike.onset_samples <= 441
    start = naive_onset(raw) - strike.onset_samples  # what lies from the fade-in to the fade-out is the file's own
    body = slice(max(0, 50 - min(0, start)), strike.audio.shape[1] - 900)
    np.testing.assert_allclose(strike.audio[0, body], raw[start + body.start : start + body.stop].astype(np.float32))
    assert strike.audio.shape[1] < len(raw) - 4_000 or noise
    assert abs(strike.audio[0, -1]) < 1e-5


@given(levels_db=st.lists(st.floats(-60.0, 0.0), min_size=1, max_size=20))
def test_layers_run_from_soft_to_loud_and_hold_every_strike(levels_db: list[float]) -> None:
    strikes = [Strike(np.zeros((1, 1), np.float32), 0, 0, level) for level in levels_db]
    layers = velocity_layers(strikes)
    flat = [strike.loudness_db for layer in layers for strike in layer]
    assert flat == sorted(levels_db)
    assert all(len(layer) <= 4 and layer[-1].loudness_db - layer[0].loudness_db < 6.0 for layer in layers)


def made_kit(name: str, microphones: tuple[str, ...], pieces: dict[Piece, int], multimicrophone: bool = True) -> Kit:
    """Pieces on the given own microphone, four layers of two."""
    strikes = {}
    for piece, own in pieces.items():
        audios = [
            level * blow(1.0, delays=tuple(20 if row == own else 90 for row in range(len(microphones))), seed=turn)
            for level in (0.01, 0.05, 0.2, 0.9)
            for turn in range(2)
        ]
        strikes[piece] = velocity_layers([make_strike(audio, own, RATE) for audio in audios])
    return Kit(name, f"licence of {name}", name, f"by {name}", RATE, microphones, multimicrophone, strikes)


@given(velocity=st.floats(0.0, 1.0), seed=st.integers(0, 50))
def test_picking_is_fixed_by_the_generator(velocity: float, seed: int) -> None:
    kit = made_kit("one", ("kick", "overhead"), {Piece.KICK: 0})
    one, other = np.random.default_rng(seed), np.random.default_rng(seed)
    picked = [kit.pick(Piece.KICK, velocity, one) for _ in range(3)]
    assert [id(strike) for strike in picked] == [id(kit.pick(Piece.KICK, velocity, other)) for _ in range(3)]


def test_harder_blows_pick_louder_layers_and_every_round_robin_has_its_turn() -> None:
    kit = made_kit("one", ("kick", "overhead"), {Piece.KICK: 0})
    rng = np.random.default_rng(3)
    picked = {velocity: [kit.pick(Piece.KICK, velocity, rng) for _ in range(60)] for velocity in (0.0, 0.4, 0.6, 1.0)}
    means = [np.mean([strike.loudness_db for strike in strikes]) for strikes in picked.values()]
    assert means == sorted(means)
    assert {id(strike) for strike in picked[1.0]} == {id(strike) for strike in kit.strikes[Piece.KICK][-1]}
    assert len({id(strike) for strikes in picked.values() for strike in strikes}) == 8


def test_gain_brings_any_strike_to_its_velocity() -> None:
    kit = made_kit("one", ("kick", "overhead"), {Piece.KICK: 0})
    loudest = kit.strikes[Piece.KICK][-1][-1]
    assert kit.velocity_gain_db(Piece.KICK, 1.0, loudest) == pytest.approx(0.0)
    assert kit.velocity_gain_db(Piece.KICK, 0.5, loudest) == pytest.approx(-16.0)  # half of the 32 dB
    assert kit.velocity_gain_db(Piece.KICK, 0.0, loudest) == -24.0


def test_missing_pieces_fall_back_to_the_likest() -> None:
    kit = made_kit("one", ("kick", "overhead"), {Piece.TOM_HIGH: 1, Piece.HIHAT_CLOSED: 1})
    rng = np.random.default_rng(0)
    assert kit.sounding_piece(Piece.TOM_MID) is Piece.TOM_HIGH
    assert kit.pick(Piece.HIHAT_PEDAL, 0.5, rng) in [
        strike for layer in kit.strikes[Piece.HIHAT_CLOSED] for strike in layer
    ]
    assert kit.has_piece(Piece.TOM_FLOOR)
    assert not kit.has_piece(Piece.KICK)
    with pytest.raises(InputError, match="kit 'one' has no kick and nothing like it, only tom_high, hihat_closed"):
        kit.pick(Piece.KICK, 0.5, rng)


def test_fallbacks_never_lead_to_the_piece_itself() -> None:
    assert all(piece not in others and len(set(others)) == len(others) for piece, others in FALLBACK_PIECES.items())


@pytest.mark.parametrize("speed", INTERVALS)
def test_a_drum_tuned_otherwise_rings_so_much_higher_and_shorter(speed: Fraction) -> None:
    time = np.arange(RATE) / RATE
    tone = np.sin(2.0 * np.pi * 400.0 * time) * np.exp(-time / 0.2)
    strike = make_strike(np.array([tone, 0.5 * np.roll(tone, 90)]), 0, RATE)
    tuned = Tuning({Piece.SNARE: speed}).tuned(Piece.SNARE, strike, RATE)
    spectrum = np.abs(np.fft.rfft(tuned.audio[0, tuned.onset_samples :], 1 << 18))
    assert np.argmax(spectrum) * RATE / (1 << 18) == pytest.approx(400.0 * float(speed), rel=0.01)
    assert tuned.onset_samples == naive_onset(tuned.audio[0])
    lag = naive_onset(tuned.audio[1]) - naive_onset(tuned.audio[0])
    assert lag == pytest.approx(90 / float(speed), abs=2)
    assert abs(tuned.loudness_db - strike.loudness_db) < 1.0


def test_what_is_struck_on_one_cymbal_is_tuned_together_and_drums_by_themselves() -> None:
    drawn = [draw_tuning(np.random.default_rng(seed)).speeds for seed in range(40)]
    for speeds in drawn:
        assert speeds[Piece.HIHAT_OPEN] == speeds[Piece.HIHAT_CLOSED] == speeds[Piece.HIHAT_PEDAL]
        assert speeds[Piece.RIDE] == speeds[Piece.RIDE_BELL]
    assert any(speeds[Piece.KICK] != speeds[Piece.SNARE] for speeds in drawn)
    assert {speeds[Piece.KICK] for speeds in drawn} == set(INTERVALS)


@pytest.mark.parametrize(
    ("piece", "microphones", "levels", "own"),
    [
        (Piece.KICK, ("snare", "kick", "oh"), (0.9, 0.5, 0.9), 1),
        (Piece.SNARE, ("snare_bottom", "snare_top", "oh"), (0.9, 0.5, 0.5), 1),
        (Piece.SNARE, ("snare_bottom", "oh"), (0.5, 0.9), 0),
        (Piece.TOM_MID, ("tom_1", "tom_2", "oh"), (0.1, 0.5, 0.9), 1),
        (Piece.TOM_MID, ("kick", "snare", "oh", "room"), (0.9, 0.9, 0.2, 0.9), 2),
        (Piece.RIDE, ("ride", "overheads.L", "overheads.R"), (0.001, 0.2, 0.5), 2),  # its own is gated: not used
        (Piece.CRASH, ("kick", "room"), (0.5, 0.9), 0),
        (Piece.CRASH, ("room.L", "room.R"), (0.1, 0.9), 1),
    ],
)
def test_the_own_microphone_follows_names_then_level(
    piece: Piece, microphones: tuple[str, ...], levels: tuple[float, ...], own: int
) -> None:
    heard = np.array(levels, np.float32)[:, None] * blow(1.0)
    assert own_microphone(piece, microphones, [heard], RATE) == own


def test_among_microphones_about_as_loud_the_first_to_hear_is_the_own() -> None:
    heard = blow(1.0, delays=(200, 60)) * np.array([[0.9], [0.6]], np.float32)
    assert own_microphone(Piece.TOM_MID, ("front", "side"), [heard], RATE) == 1


def test_merging_keeps_each_sound_in_its_microphones_and_silence_elsewhere() -> None:
    snares = made_kit("snares", ("snare_top", "overheads.L", "overheads.R"), {Piece.SNARE: 0})
    drums = made_kit("drums", ("kick", "snare_top", "overhead", "room"), {Piece.KICK: 0, Piece.SNARE: 1})
    merged = merge_kits("both", [snares, drums])
    assert merged.microphones == ("snare_top", "overheads.L", "overheads.R", "kick", "room")
    assert merged.licence == "licence of snares AND licence of drums"
    snare, kick = merged.strikes[Piece.SNARE][0][0], merged.strikes[Piece.KICK][0][0]
    np.testing.assert_array_equal(snare.audio[:3], snares.strikes[Piece.SNARE][0][0].audio)
    assert not snare.audio[3:].any()
    before = drums.strikes[Piece.KICK][0][0]
    assert merged.microphones[kick.own_microphone] == "kick"
    assert kick.onset_samples == before.onset_samples == naive_onset(kick.audio[kick.own_microphone])
    assert kick.loudness_db == pytest.approx(before.loudness_db)
    np.testing.assert_allclose(kick.audio[3], before.audio[0], rtol=1e-6)
    np.testing.assert_allclose(kick.audio[1], before.audio[2] / np.sqrt(2), rtol=1e-6)
    np.testing.assert_array_equal(kick.audio[1], kick.audio[2])
    assert not kick.audio.flags.writeable


def test_kits_that_do_not_go_together_are_refused() -> None:
    real = made_kit("real", ("kick", "overhead"), {Piece.KICK: 0})
    mix = made_kit("mix", ("mono",), {Piece.SNARE: 0}, multimicrophone=False)
    with pytest.raises(InputError, match=r"different kinds .* real: True, mix: False"):
        merge_kits("both", [real, mix])
    with pytest.raises(InputError, match="at least one kit"):
        merge_kits("none", [])


@needs_shared
@pytest.mark.parametrize(
    ("name", "microphones", "own"),
    [
        ("rumpf", ("mono",), {}),
        ("fluid", ("mix.L", "mix.R"), {}),
        (
            "frankensnare_10_basic",
            ("snare_top", "snare_bottom", "overheads.L", "overheads.R"),
            {Piece.SNARE: "snare_top"},
        ),
        (
            "muldjord_cymbals",
            ("kick", "snare_top", "hihat", "ride", "overheads.L", "overheads.R", "room.L", "room.R"),
            {Piece.RIDE: "overheads.L", Piece.CHINA: "overheads.R"},
        ),
    ],
)
def test_shared_kits_obey_the_rules(name: str, microphones: tuple[str, ...], own: dict[Piece, str]) -> None:
    kit = load_kit(SHARED_KITS / name)
    assert kit.microphones == microphones
    assert kit.is_multimicrophone is (len(microphones) > 2)
    for strike in every_strike(kit):
        assert abs(naive_onset(strike.audio[strike.own_microphone]) - strike.onset_samples) <= 1
    for piece, microphone in own.items():
        assert kit.microphones[kit.strikes[piece][0][0].own_microphone] == microphone
    for layers in kit.strikes.values():
        levels = [strike.loudness_db for layer in layers for strike in layer]
        assert levels == sorted(levels)
