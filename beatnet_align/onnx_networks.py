"""Open exported networks: weights and what was measured for them in one file, which ships or is put before those."""

import os
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from beatnet_align.errors import InputError

if TYPE_CHECKING:
    import onnxruntime

MAX_THREADS = 4

WEIGHTS_VARIABLE = "BEATNET_ALIGN_WEIGHTS"
"""Environment variable: a folder whose files take the place of those of the same name that ship."""

Measured = TypeVar("Measured")


def other_weights() -> Path | None:
    """The folder of weights that somebody asked for in place of those that ship.

    Raises:
        InputError: It cannot be read, holds no weights, or some of a name that does not ship.
    """
    told = os.environ.get(WEIGHTS_VARIABLE)
    if not told:
        return None
    folder = Path(told).resolve()
    found = sorted(path.name for path in folder.glob("*.onnx") if path.is_file())
    shipped = sorted(one.name for one in _shipped().iterdir() if one.name.endswith(".onnx"))
    if not found:
        raise InputError(f"{WEIGHTS_VARIABLE} names {told}, where there are no weights (.onnx)")
    if unknown := sorted({*found} - {*shipped}):
        raise InputError(
            f"{WEIGHTS_VARIABLE} names {told}: {', '.join(unknown)} takes no place; names are {', '.join(shipped)}"
        )
    return folder


def other_weights_remarks() -> tuple[str, ...]:
    """What to say where other networks run than those that ship: a forgotten variable is easily missed.

    Raises:
        InputError: As for :func:`other_weights`.
    """
    folder = other_weights()
    return () if folder is None else (f"networks in {folder} take the place of those that come with the program",)


def load_weights(name: str, folder: Path | None = None) -> bytes:
    """An ONNX file of the package, or of a folder that is put before it and has such a file.

    Raises:
        InputError: The folder's file cannot be read.
    """
    if folder is None or not (folder / name).is_file():
        return _shipped().joinpath(name).read_bytes()
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error


def load_network(kind: Callable[[bytes], Measured], name: str, folder: Path | None) -> Measured:
    """A network of :func:`load_weights`, opened.

    Raises:
        InputError: The folder's file cannot be read, or is no such network; the message names it.
    """
    try:
        return kind(load_weights(name, folder))
    except InputError as error:
        raise error if folder is None else InputError(f"{folder / name}: {error}") from error


def _shipped() -> Traversable:
    return files("beatnet_align").joinpath("weights")


def quiet_onnxruntime() -> ModuleType:
    """The library that runs networks, told to keep and send nothing of who runs them: some versions would unasked.

    Who sets the variable decides.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415 - slow to import, and --help must be quick

    library: ModuleType = onnxruntime
    return library


def open_network(
    model: bytes,
    network: str,
    threads: int | None,
    entry: str,
    parse: Callable[[str], Measured],
    absent: str | None = None,
) -> "tuple[onnxruntime.InferenceSession, Measured]":
    """A network ready to run on a CPU, and an entry of its metadata.

    Args:
        model: An ONNX file's bytes.
        network: What it should be, for the message.
        threads: How many it may use; the machine's cores, up to four, when None.
        entry: Name in the metadata.
        parse: Reads its text.
        absent: The text where the file lacks the entry; None where it must not.

    Raises:
        InputError: The file is none, or lacks an entry that it must have.
    """
    onnxruntime = quiet_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(MAX_THREADS, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others have work for a waiting core
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        text = session.get_modelmeta().custom_metadata_map.get(entry, absent)
        measured = None if text is None else parse(text)
    except Exception as error:  # onnxruntime's own errors share no other base
        raise InputError(f"these weights are no {network}'s: {error}") from error
    if measured is None:
        raise InputError(f"these weights are no {network}'s: they lack the entry {entry!r}")
    return session, measured
