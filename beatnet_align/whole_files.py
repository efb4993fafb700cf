"""Files that are there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from beatnet_align.errors import OutputError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a hidden file to write to, which gets its name when all went well; after any failure none is left.

    Args:
        path: Where the file will be, in a folder that exists; what is there stays until it is replaced.

    Raises:
        OutputError: The system refused.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
        raise
