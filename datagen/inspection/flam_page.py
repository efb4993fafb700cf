"""A page that shows flams with their pictures and plays them before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from beatnet_align.errors import OutputError
from datagen.inspection.flam_versions import Excerpts, Version
from datagen.inspection.flams import Flam

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em; color: #222; }
img { width: 100%; }
th { text-align: left; padding-right: 1em; font-weight: normal; }
thead th { font-weight: bold; }
audio { width: 240px; }
"""


@dataclass(frozen=True)
class ShownFlam:
    """A flam with the files that show it."""

    flam: Flam
    picture: Path
    excerpts: Excerpts


def write_page(path: Path, title: str, shown: Sequence[ShownFlam], overview: Path) -> None:
    """Write the page; all files lie in its folder.

    Raises:
        OutputError: It cannot be written.
    """
    sections = "\n".join(_section(number, one) for number, one in enumerate(shown, 1))
    page = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        "<p>Each microphone as it was played, as a cut leaves it, with every hit moved by itself, and as it should be. "
        "Filled marks: where the hits belong; hollow marks and dotted lines: where they were played.</p>\n"
        f"{_picture(overview, 'overview')}\n{sections}\n</html>\n"
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another place with -o") from error


def _section(number: int, shown: ShownFlam) -> str:
    heads = "".join(f"<th>{escape(version.caption)}</th>" for version in Version)
    rows = "\n".join(
        f"<tr><th>{escape(what)}</th>{''.join(_player(files[version]) for version in Version)}</tr>"
        for what, files in shown.excerpts.items()
    )
    return (
        f"<h2>{number}. {escape(shown.flam.title)}</h2>\n{_picture(shown.picture, shown.flam.title)}\n"
        f"<table>\n<thead><tr><th></th>{heads}</tr></thead>\n{rows}\n</table>"
    )


def _picture(path: Path, text: str) -> str:
    return f'<img src="{quote(path.name)}" alt="{escape(text)}">'


def _player(path: Path) -> str:
    return f'<td><audio controls preload="none" src="{quote(path.name)}"></audio></td>'
