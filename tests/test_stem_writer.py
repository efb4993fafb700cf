"""Stems come back bit for bit in their own format, or nothing is written at all."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from beatnet_align.audio_files import OpenTake, open_take
from beatnet_align.errors import InputError, OutputError
from beatnet_align.stem_writer import check_out_dir, quantise, write_stems
from beatnet_align.stems import INTEGER_BITS
from beatnet_align.take import Audio

TAGS = {"title": "Take 3", "artist": "Ünï Çødé", "comment": "c", "album": "a", "date": "2024", "genre": "g"}


class Kind(NamedTuple):
    """A way to store samples."""

    suffix: str
    container: str
    subtype: str
    endian: str = "FILE"


KINDS = [
    *(Kind("wav", "WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(Kind("aiff", "AIFF", s) for s in ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(Kind("flac", "FLAC", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
    Kind("wav", "WAV", "PCM_24", "BIG"),
    Kind("wav", "WAVEX", "PCM_24"),
    Kind("wav", "RF64", "FLOAT"),
    Kind("w64", "W64", "PCM_24"),
    Kind("aif", "AIFF", "PCM_16", "LITTLE"),
    Kind("caf", "CAF", "PCM_24", "LITTLE"),
]


def stored(kind: Kind, samples: int, channels: int, seed: int) -> npt.NDArray[np.int32] | npt.NDArray[np.float64]:
    """Samples over the whole range of a format, both ends of it included."""
    rng = np.random.default_rng(seed)
    if kind.subtype not in INTEGER_BITS:
        audio = rng.normal(0, 2, (samples, channels))  # well above full scale, as float stems may be
        return audio.astype(np.float32).astype(np.float64) if kind.subtype == "FLOAT" else audio
    bits = INTEGER_BITS[kind.subtype]
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    values = rng.integers(low, high, (samples, channels), endpoint=True)
    values[0], values[-1] = low, high
    return (values << 32 - bits).astype(np.int32)


def write(path: Path, kind: Kind, audio: npt.NDArray[np.generic], rate: int) -> None:
    sf.write(path, audio, rate, format=kind.container, subtype=kind.subtype, endian=kind.endian)


def content(path: Path) -> npt.NDArray[np.generic]:
    with sf.SoundFile(path) as file:
        dtype = "int32" if file.subtype in INTEGER_BITS else "float64"
        audio: npt.NDArray[np.generic] = file.read(dtype=dtype, always_2d=True)
        return audio


def blocks(opened: OpenTake, size: int) -> Iterator[Audio]:
    for start in range(0, opened.take.samples, size):
        yield opened.take.read(start, min(start + size, opened.take.samples))


@settings(deadline=None, max_examples=60)
@given(
    kinds=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 4)), min_size=1, max_size=4),
    rate=st.sampled_from([8_000, 44_100, 48_000, 96_000, 192_000]),
    samples=st.integers(2, 3000),
    size=st.integers(100, 4000),
    seed=st.integers(0, 99),
)
def test_what_was_not_touched_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory,
    kinds: list[tuple[Kind, int]],
    rate: int,
    samples: int,
    size: int,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("law")
    (folder / "in").mkdir()
    for i, (kind, channels) in enumerate(kinds):
        length = max(2, samples // (i + 1))
        write(folder / "in" / f"{i}.{kind.suffix}", kind, stored(kind, length, channels, seed + i), rate)
    with open_take(folder / "in") as opened:
        write_stems(opened, blocks(opened, size), folder / "out")
    for i, (kind, channels) in enumerate(kinds):
        name = f"{i}.{kind.suffix}"
        before, after = sf.info(folder / "in" / name), sf.info(folder / "out" / name)
        for fact in ("samplerate", "channels", "frames", "format", "subtype", "endian"):
            assert getattr(before, fact) == getattr(after, fact), (kind, fact)
        assert after.channels == channels
        np.testing.assert_array_equal(content(folder / "in" / name), content(folder / "out" / name), str(kind))
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(stem.name for stem in opened.stems)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_integers_are_rounded_and_held_at_full_scale(bits: int) -> None:
    step = 2.0 ** (1 - bits)
    audio = np.array([-2.0, -1.0, -0.6 * step, -0.4 * step, 0.0, 0.6 * step, 1 - step, 1.0, 1.5])
    top = (1 << bits - 1) - 1
    expected = [-top - 1, -top - 1, -1, 0, 0, 1, top, top, top]
    np.testing.assert_array_equal(quantise(audio, bits) >> (32 - bits), expected)


@pytest.fixture
def take_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "take"
    folder.mkdir()
    for name in ("Kick.wav", "Snare.flac"):
        with sf.SoundFile(folder / name, "w", 48_000, 1, subtype="PCM_24") as file:
            for tag, text in TAGS.items():
                setattr(file, tag, text)
            file.write(np.random.default_rng(0).uniform(-1, 1, 30_000))
    return folder


def test_tags_and_extra_files_travel(take_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with open_take(take_dir) as opened:
        write_stems(opened, blocks(opened, 7000), out, extra_files={"edits.json": b"{}"})
    for name in ("Kick.wav", "Snare.flac"):
        with sf.SoundFile(out / name) as file:
            assert file.copy_metadata() == TAGS
    assert (out / "edits.json").read_bytes() == b"{}"


def test_nothing_is_overwritten_without_force(take_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "edits.json").write_bytes(b"old")
    (out / "other.txt").write_bytes(b"kept")
    (out / ".Kick.wav.partial").write_bytes(b"left by a run that was killed")
    with open_take(take_dir) as opened:
        with pytest.raises(InputError, match=r"edits\.json exists; use --force"):
            write_stems(opened, blocks(opened, 7000), out, extra_files={"edits.json": b"new"})
        assert (out / "edits.json").read_bytes() == b"old"
        for _ in range(2):
            write_stems(opened, blocks(opened, 7000), out, force=True, extra_files={"edits.json": b"new"})
    assert (out / "edits.json").read_bytes() == b"new"
    assert sorted(path.name for path in out.iterdir()) == ["Kick.wav", "Snare.flac", "edits.json", "other.txt"]


def test_the_take_itself_is_never_replaced(take_dir: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(take_dir)
    with open_take(take_dir) as opened:
        for out in (take_dir, link, take_dir / ".." / take_dir.name):
            with pytest.raises(InputError, match="a stem of the take itself, never to be replaced"):
                check_out_dir(opened, out, force=True)
    with open_take(take_dir / "Kick.wav") as opened, pytest.raises(InputError, match="never to be replaced"):
        write_stems(opened, blocks(opened, 7000), take_dir, force=True)


def test_files_and_folders_in_the_way_are_named(take_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "out" / "Kick.wav").mkdir(parents=True)
    with open_take(take_dir) as opened:
        for out in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(InputError, match="file is a file; choose another folder"):
                check_out_dir(opened, out, force=True)
        with pytest.raises(InputError, match=r"Kick\.wav is a folder and in the way"):
            check_out_dir(opened, tmp_path / "out", force=True)


def test_a_full_disk_is_noticed_before_the_work(
    take_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(1000))
    with open_take(take_dir) as opened, pytest.raises(OutputError, match=r"needs about 0\.2 MB, and its disk has 0\.0"):
        check_out_dir(opened, tmp_path / "new" / "out", force=False)


@pytest.mark.parametrize("error", [InputError("bad block"), KeyboardInterrupt(), OutputError("no")])
@pytest.mark.parametrize("existing", [False, True])
def test_a_failed_run_leaves_nothing(take_dir: Path, tmp_path: Path, error: BaseException, existing: bool) -> None:
    out = tmp_path / "new" / "out"
    if existing:
        out.mkdir(parents=True)
        (out / "Kick.wav").write_bytes(b"old")

    def failing(opened: OpenTake) -> Iterator[Audio]:
        yield opened.take.read(0, 10_000)
        raise error

    with open_take(take_dir) as opened, pytest.raises(type(error)):
        write_stems(opened, failing(opened), out, force=True)
    if existing:
        assert [path.name for path in out.iterdir()] == ["Kick.wav"]
        assert (out / "Kick.wav").read_bytes() == b"old"
    else:
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("there", [(), ("Kick.wav", "Snare.flac", "edits.json"), ("Kick.wav",)])
def test_a_run_that_fails_while_names_are_given_takes_them_back(
    take_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...]
) -> None:
    replace = Path.replace
    for name in there:
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text(f"the old {name}")

    def refusing(self: Path, target: Path) -> Path:
        if target.name == "Snare.flac" and self.suffix == ".partial":
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refusing)
    with open_take(take_dir) as opened, pytest.raises(OutputError, match=r"Snare\.flac: Permission denied"):
        write_stems(opened, blocks(opened, 7000), tmp_path / "out", force=True, extra_files={"edits.json": b"{}"})
    assert (tmp_path / "out").exists() == bool(there)
    left = {path.name: path.read_text() for path in (tmp_path / "out").glob("*")}
    assert left == {name: f"the old {name}" for name in there}


def test_audio_that_does_not_fit_the_take_is_refused(take_dir: Path, tmp_path: Path) -> None:
    block = np.zeros((2, 20_000), np.float32)
    with open_take(take_dir) as opened:
        for bad, message in [
            ([block], "ends after 20000 of 30000"),
            ([block, block], "does not fit"),
            ([block[:1]], "does not fit"),
            ([block * np.nan], "NaN or infinity"),
        ]:
            with pytest.raises(OutputError, match=message):
                write_stems(opened, bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


WRITE_WITH_LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from beatnet_align.audio_files import open_take
from beatnet_align.errors import OutputError
from beatnet_align.stem_writer import write_stems
with open_take(Path(sys.argv[1])) as opened:
    block = opened.take.read(0, opened.take.samples)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    try:
        write_stems(opened, [block], Path(sys.argv[2]))
    except OutputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("name", ["Kick.wav", "Snare.flac"])
@pytest.mark.parametrize("limit_bytes", [10, 3000, 70_000])
@pytest.mark.parametrize("flags", [[], ["-O"]])
def test_a_disk_that_fills_up_leaves_nothing(
    take_dir: Path, tmp_path: Path, name: str, limit_bytes: int, flags: list[str]
) -> None:
    run = [sys.executable, *flags, "-c", WRITE_WITH_LITTLE_ROOM, str(take_dir / name), str(tmp_path / "out")]
    done = subprocess.run([*run, str(limit_bytes)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("could not write"), done.stderr
    assert name in done.stdout
    assert done.stdout.count("\n") == 1
    assert not (tmp_path / "out").exists()
