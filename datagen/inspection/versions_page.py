"""A page that shows stretches of a take with their pictures and plays them before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from beatnet_align.errors import OutputError

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em; color: #222; }
img { width: 100%; }
th { text-align: left; padding-right: 1em; font-weight: normal; }
thead th { font-weight: bold; }
audio { width: 240px; }
"""


@dataclass(frozen=True)
class Shown:
    """A stretch with the files that show it.

    Attributes:
        title: Of its section.
        picture: The PNG.
        captions: Version to what people call it, in order.
        excerpts: What is heard to the file of every version.
        remarks: What there is to say of each version, under its caption; none of those that are not in here.
    """

    title: str
    picture: Path
    captions: Mapping[Any, str]
    excerpts: Mapping[str, Mapping[Any, Path]]
    remarks: Mapping[str, str] = field(default_factory=dict)


def write_page(path: Path, title: str, introduction: str, shown: Sequence[Shown], overview: Path | None) -> None:
    """Write the page; all files lie in its folder.

    Raises:
        OutputError: It cannot be written.
    """
    sections = "\n".join(_section(number, one) for number, one in enumerate(shown, 1))
    first = "" if overview is None else f"{_picture(overview, 'overview')}\n"
    page = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        f"<p>{escape(introduction)}</p>\n{first}{sections}\n</html>\n"
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another place with -o") from error


def _section(number: int, shown: Shown) -> str:
    heads = "".join(f"<th>{escape(caption)}</th>" for caption in shown.captions.values())
    rows = "\n".join(
        f"<tr><th>{escape(what)}</th>{''.join(_player(files[version]) for version in shown.captions)}</tr>"
        for what, files in shown.excerpts.items()
    )
    said = "".join(f"<td>{escape(shown.remarks.get(version, ''))}</td>" for version in shown.captions)
    remarks = f"\n<tr><th></th>{said}</tr>" if shown.remarks else ""
    return (
        f"<h2>{number}. {escape(shown.title)}</h2>\n{_picture(shown.picture, shown.title)}\n"
        f"<table>\n<thead><tr><th></th>{heads}</tr></thead>\n{rows}{remarks}\n</table>"
    )


def _picture(path: Path, text: str) -> str:
    return f'<img src="{quote(path.name)}" alt="{escape(text)}">'


def _player(path: Path) -> str:
    return f'<td><audio controls preload="none" src="{quote(path.name)}"></audio></td>'
