"""Takes on disk: what opens, what is refused, and that reading by ranges is the same as reading everything."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.audio_files import load, open_take
from beatnet_align.errors import InputError
from beatnet_align.roles import Role

RATE = 8_000


def noise(samples: int, channels: int = 1, seed: int = 0) -> npt.NDArray[np.float64]:
    """[samples, channels], as soundfile wants it."""
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (samples, channels))


def cut(path: Path, removed_bytes: int) -> None:
    path.write_bytes(path.read_bytes()[:-removed_bytes])


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, npt.NDArray[np.float32]]:
    """A folder of stems of several kinds, and its samples as soundfile reads them, silence added."""
    folder = tmp_path_factory.mktemp("mixed take")
    longest = 9 * RATE
    whole = np.zeros((7, longest), np.float32)
    row = 0
    for name, samples, channels, subtype in [
        ("01 Kick In.wav", longest, 1, "PCM_24"),
        ("02 SN top.flac", longest - 777, 1, "PCM_16"),
        ("03 OH.aiff", 5 * RATE, 2, "PCM_16"),
        ("04 Toms.flac", longest, 3, "PCM_24"),
    ]:
        sf.write(folder / name, noise(samples, channels, row), RATE, subtype=subtype)
        whole[row : row + channels, :samples] = sf.read(folder / name, dtype="float32", always_2d=True)[0].T
        row += channels
    (folder / "edits.json").write_text("{}")
    (folder / "notes.txt").write_text("hello")
    (folder / "rough mix.mp3").write_bytes(b"not for us")
    (folder / "._01 Kick In.wav").write_bytes(b"left by a Mac")
    (folder / "old.wav").mkdir()
    return folder, whole


def test_names_roles_and_lengths(mixed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    folder, whole = mixed
    with open_take(folder, {"04 Toms.2": Role.RIDE, "03 OH": Role.ROOM}) as opened:
        take = opened.take
        assert (take.name, take.sample_rate, take.samples) == (folder.name, RATE, whole.shape[1])
        assert [(channel.name, channel.role) for channel in take.channels] == [
            ("01 Kick In", Role.KICK),
            ("02 SN top", Role.SNARE),
            ("03 OH.L", Role.ROOM),
            ("03 OH.R", Role.ROOM),
            ("04 Toms.1", Role.TOM),
            ("04 Toms.2", Role.RIDE),
            ("04 Toms.3", Role.TOM),
        ]
        assert [(stem.name, stem.samples) for stem in opened.padded_stems] == [
            ("02 SN top.flac", 9 * RATE - 777),
            ("03 OH.aiff", 5 * RATE),
        ]


def test_load_is_the_whole_take(mixed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    folder, whole = mixed
    take = load(folder)
    np.testing.assert_array_equal(take.read(0, take.samples), whole)
    assert take.read(0, 1).dtype == np.float32


@settings(deadline=None, max_examples=25)
@given(
    ranges=st.lists(
        st.tuples(st.integers(-RATE, 9 * RATE), st.sampled_from([0, 1, 50, RATE, 4 * RATE, 9 * RATE])), max_size=12
    )
)
def test_any_sequence_of_ranges_is_a_slice_of_the_whole(
    mixed: tuple[Path, npt.NDArray[np.float32]], ranges: list[tuple[int, int]]
) -> None:
    folder, whole = mixed
    padded = np.pad(whole, ((0, 0), (RATE, 9 * RATE)))
    with open_take(folder) as opened:
        for start, length in ranges:
            audio = opened.take.read(start, start + length)
            np.testing.assert_array_equal(audio, padded[:, start + RATE : start + RATE + length])
            audio[:] = np.nan  # the reader's own copy must not suffer


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on, how many samples each read of a file decodes."""
    decoded: list[int] = []
    read = sf.SoundFile.read

    def counting(self: sf.SoundFile, out: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        block: npt.NDArray[np.float32] = read(self, out=out)
        decoded.append(block.size)
        return block

    monkeypatch.setattr(sf.SoundFile, "read", counting)
    return decoded


def test_overlapping_blocks_decode_each_sample_once(
    mixed: tuple[Path, npt.NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, whole = mixed
    with open_take(folder) as opened:
        decoded = counted(monkeypatch)
        for start in range(0, opened.take.samples, RATE):
            stop = min(start + 2 * RATE, opened.take.samples)
            np.testing.assert_array_equal(opened.take.read(start, stop), whole[:, start:stop])
            jittered = max(0, start - RATE // 3)
            np.testing.assert_array_equal(opened.take.read(jittered, stop), whole[:, jittered:stop])
    assert sum(decoded) == sum(stem.samples * stem.channels for stem in opened.stems)


def test_readers_some_seconds_apart_decode_each_sample_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rate, seconds = 8_000, 60
    whole = noise(seconds * rate, 2).T.astype(np.float32)
    for name, row in zip("ab", whole, strict=True):
        sf.write(tmp_path / f"{name}.wav", row, rate, subtype="FLOAT")
    with open_take(tmp_path) as opened:
        decoded = counted(monkeypatch)
        for start in range(0, seconds, 8):
            for ahead in (8, 0):
                first, last = (min((start + ahead + more) * rate, seconds * rate) for more in (0, 9))
                np.testing.assert_array_equal(opened.take.read(first, last), whole[:, first:last])
    assert sum(decoded) == whole.size


@pytest.mark.parametrize(("subtype", "dtype"), [("PCM_32", np.int32), ("DOUBLE", np.float64)])
def test_wide_samples_keep_every_bit(tmp_path: Path, subtype: str, dtype: npt.DTypeLike) -> None:
    sf.write(tmp_path / "a.wav", noise(1000), RATE, subtype="PCM_16")
    sf.write(tmp_path / "b.wav", noise(1000, 1, 1), RATE, subtype=subtype)
    audio = load(tmp_path).read(0, 1000)
    assert audio.dtype == np.float64
    stored = sf.read(tmp_path / "b.wav", dtype=np.dtype(dtype).name)[0]
    scale = 2.0**31 if subtype == "PCM_32" else 1.0
    np.testing.assert_array_equal(audio[1] * scale, stored)
    np.testing.assert_array_equal(audio[0], sf.read(tmp_path / "a.wav")[0])


def test_one_multichannel_file_is_a_take(tmp_path: Path) -> None:
    sf.write(tmp_path / "kit.w64", noise(500, 4), RATE, format="W64", subtype="FLOAT")
    sf.write(tmp_path / "other.wav", noise(500), 2 * RATE)
    with open_take(tmp_path / "kit.w64") as opened:
        assert opened.take.name == "kit"
        assert [channel.name for channel in opened.take.channels] == ["kit.1", "kit.2", "kit.3", "kit.4"]


def test_a_folder_of_32_stems_opens_and_33_are_refused(tmp_path: Path) -> None:
    for i in range(32):
        sf.write(tmp_path / f"{i:02}.wav", noise(10, 1, i), RATE, subtype="FLOAT")
    audio = load(tmp_path).read(0, 10)
    np.testing.assert_array_equal(audio[31], noise(10, 1, 31)[:, 0].astype(np.float32))
    sf.write(tmp_path / "more.wav", noise(10, 2), RATE)
    with pytest.raises(InputError, match="34 channels in 33 files; remove some, 32 is the most"):
        open_take(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_named_with_file_and_time(tmp_path: Path, value: float) -> None:
    samples = noise(6 * RATE, 2)
    samples[5 * RATE, 1] = value
    sf.write(tmp_path / "a.wav", noise(10), RATE)
    sf.write(tmp_path / "bad.wav", samples, RATE, subtype="FLOAT")
    with open_take(tmp_path) as opened:
        opened.take.read(0, RATE)
        with pytest.raises(InputError, match=r"bad\.wav holds NaN or infinity at 5\.000 s"):
            opened.take.read(4 * RATE, 6 * RATE)


@pytest.mark.parametrize("removed_bytes", [3, 5000])
@pytest.mark.parametrize(
    ("name", "container", "endian"),
    [
        ("cut.wav", "WAV", "FILE"),
        ("cut.wav", "WAV", "BIG"),
        ("cut.wav", "WAVEX", "FILE"),
        ("cut.aiff", "AIFF", "FILE"),
        ("cut.w64", "W64", "FILE"),
        ("cut.rf64", "RF64", "FILE"),
        ("cut.caf", "CAF", "FILE"),
        ("cut.flac", "FLAC", "FILE"),
    ],
)
def test_a_file_that_was_cut_off_is_refused(
    tmp_path: Path, name: str, container: str, endian: str, removed_bytes: int
) -> None:
    path = tmp_path / name
    sf.write(path, noise(20_000), RATE, format=container, subtype="PCM_24", endian=endian)
    assert load(path).samples == 20_000
    cut(path, removed_bytes)
    with pytest.raises(InputError, match=rf"cut\.{container.lower()[:3]}.* cut off"):
        open_take(path)


def test_damage_in_the_middle_of_a_flac_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hurt.flac"
    sf.write(path, noise(20 * RATE), RATE, subtype="PCM_24")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(50)
    path.write_bytes(content)
    with open_take(path) as opened:
        opened.take.read(0, RATE)
        with pytest.raises(InputError, match=r"hurt\.flac is damaged or cut off: it cannot be decoded near \d+\.\d+ s"):
            opened.take.read(RATE, 20 * RATE)


def test_a_file_that_shrinks_while_it_is_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shrinks.wav"
    sf.write(path, noise(60 * RATE), RATE)
    with open_take(path) as opened:
        opened.take.read(0, RATE)
        os.truncate(path, 1000)
        with pytest.raises(InputError, match=r"shrinks\.wav is damaged or cut off"):
            opened.take.read(50 * RATE, 60 * RATE)


def test_lengths_that_recorders_leave_open_are_taken_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "streamed.wav"
    sf.write(path, noise(1000), RATE, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[4:8] = content[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert load(path).samples == 1000


def test_a_flac_without_a_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "streamed.flac"
    sf.write(path, noise(1000), RATE, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(InputError, match="does not say how long it is"):
        open_take(path)


def test_what_cannot_be_a_take_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*nowhere; give a folder"):
        open_take(tmp_path / "nowhere")
    with pytest.raises(InputError, match="found nothing; give the folder"):
        open_take(tmp_path)
    (tmp_path / "Audio Files").mkdir()
    (tmp_path / "session.ptx").write_bytes(b"")
    with pytest.raises(InputError, match=r"found Audio Files/, session\.ptx; give the folder"):
        open_take(tmp_path)
    stem = tmp_path / "Kick.wav"
    for content in (b"", b"RIFF", b"this is not audio", b"RIFF\0\0\0\0WAVEdata", b"caff\0\1\0\0free" + b"\xff" * 8):
        stem.write_bytes(content)
        with pytest.raises(InputError, match=r"cannot read .*Kick\.wav: .*; export it again"):
            open_take(tmp_path)
    sf.write(stem, noise(0), RATE)
    with pytest.raises(InputError, match=r"Kick\.wav holds no samples"):
        open_take(tmp_path)
    sf.write(stem, noise(1000), RATE, subtype="ULAW")
    with pytest.raises(InputError, match=r"Kick\.wav holds ULAW samples; export it again"):
        open_take(tmp_path)
    stem.unlink()
    stem.symlink_to(tmp_path / "gone.wav")
    with pytest.raises(InputError, match=r"cannot read .*Kick\.wav: No such file"):
        open_take(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_missing_permission_is_named(tmp_path: Path) -> None:
    sf.write(tmp_path / "Kick.wav", noise(10), RATE)
    (tmp_path / "Kick.wav").chmod(0)
    with pytest.raises(InputError, match=r"cannot read .*Kick\.wav: Permission denied"):
        open_take(tmp_path)


def test_stems_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", noise(10), 44_100)
    sf.write(tmp_path / "b.wav", noise(10), 48_000)
    sf.write(tmp_path / "c.wav", noise(10), 44_100)
    with pytest.raises(InputError, match=r"44100 Hz: a\.wav, c\.wav; 48000 Hz: b\.wav\); convert"):
        open_take(tmp_path)
    (tmp_path / "b.wav").unlink()
    sf.write(tmp_path / "a.aiff", noise(10), 44_100)
    with pytest.raises(InputError, match=r"a\.aiff and a\.wav in .* both give a channel named 'a'"):
        open_take(tmp_path)
    (tmp_path / "a.wav").rename(tmp_path / "a.L.wav")
    sf.write(tmp_path / "a.aiff", noise(10, 2), 44_100)
    with pytest.raises(InputError, match=r"a\.L\.wav and a\.aiff in .* both give a channel named 'a\.L'"):
        open_take(tmp_path)


def test_a_role_for_an_unknown_channel_lists_the_channels(tmp_path: Path) -> None:
    sf.write(tmp_path / "OH.wav", noise(10, 2), RATE)
    with pytest.raises(InputError, match=r"no channel 'Kick' .* the channels are OH\.L, OH\.R"):
        open_take(tmp_path, {"Kick": Role.KICK})
    with pytest.raises(InputError, match="sample rates of 8000 to 192000"):
        sf.write(tmp_path / "OH.wav", noise(10, 2), 4000)
        open_take(tmp_path)
