"""A progress bar a stage of the work, on stderr."""

from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from tqdm import tqdm


class ProgressBar:
    """A tqdm bar a stage, on stderr; tqdm keeps silent where stderr is no terminal."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, stage: str, samples: int, total_samples: int) -> None:
        """Show that a stage has done further samples."""
        from tqdm import tqdm  # noqa: PLC0415

        if stage != self._stage:
            if self._bar is not None:
                self._bar.close()
            self._stage = stage
            self._bar = tqdm(total=total_samples, desc=stage, unit=" samples", unit_scale=True, disable=None)
        if self._bar is not None:
            self._bar.update(samples)
