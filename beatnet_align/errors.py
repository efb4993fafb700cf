"""The one family of errors that users of the package need to catch, and how others are told."""


class BeatnetAlignError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(BeatnetAlignError, ValueError):
    """Something the caller gave cannot be used; the message says what was wrong, what was found and what to do."""


class OutputError(BeatnetAlignError, OSError):
    """A result could not be written (disk full, no permission, file in the way); nothing half-written is left."""


def told(error: OSError) -> str:
    """One line about a call that the system refused, with the file's name where it is known."""
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"
