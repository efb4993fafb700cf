"""The one family of errors that users of the package need to catch."""


class BeatnetAlignError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(BeatnetAlignError, ValueError):
    """Something the caller gave cannot be used; the message says what was wrong, what was found and what to do."""


class OutputError(BeatnetAlignError, OSError):
    """A result could not be written (disk full, no permission, file in the way); nothing half-written is left."""
