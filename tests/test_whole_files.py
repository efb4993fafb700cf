"""A file is there whole or not at all, whatever goes wrong."""

from pathlib import Path

import pytest

from beatnet_align.errors import InputError, OutputError
from beatnet_align.whole_files import written_whole


def write(path: Path, text: str, error: BaseException | None = None) -> None:
    with written_whole(path) as partial:
        partial.write_text(text)
        assert partial != path
        if error is not None:
            raise error


def test_what_was_written_gets_its_name(tmp_path: Path) -> None:
    for text in ("first", "second"):
        write(tmp_path / "a.txt", text)
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", text)]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (InputError("no"), InputError), (OSError(28, "No space"), OutputError)],
)
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: BaseException, raised: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(raised):
        write(path, "new", error)
    assert not list(tmp_path.iterdir())
    write(path, "old")
    with pytest.raises(raised):
        write(path, "new", error)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]


def test_the_systems_refusal_is_one_line_with_the_name(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^cannot write .*missing/a\.txt: No such file or directory$"):
        write(tmp_path / "missing" / "a.txt", "new")
