"""One page that holds everything: the table, pictures and players, in a single file that opens anywhere."""

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import soundfile as sf

from beatnet_align.pictures import Window
from beatnet_align.take import Take
from beatnet_align.units import seconds_to_samples
from datagen.inspection.listening import PEAK, stereo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 1400px; margin: 2em auto; padding: 0 1em; color: #222; }
img { max-width: 100%; }
table { border-collapse: collapse; font-size: 13px; }
td, th { padding: 2px 8px; text-align: left; border-bottom: 1px solid #ddd; }
audio { width: 300px; height: 32px; }
"""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: Its heading.
        text: A paragraph.
        pictures: PNG files' bytes.
        sounds: FLAC files' bytes by name.
    """

    title: str
    text: str = ""
    pictures: tuple[bytes, ...] = ()
    sounds: Mapping[str, bytes] | None = None


def page(title: str, table: str, sections: Sequence[Section]) -> str:
    """The page as HTML.

    Args:
        title: Its heading.
        table: In Markdown.
        sections: In order.
    """
    parts = "\n".join(_section(section) for section in sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n{_table(table)}\n{parts}\n</html>\n"
    )


def as_png(figure: "Figure") -> bytes:
    """A figure as a PNG file's bytes."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def excerpts(versions: Mapping[str, Take], window: Window) -> dict[str, bytes]:
    """A stretch of each version as a FLAC file's bytes: all microphones in stereo, as loud as they compare."""
    mixes = {}
    for name, take in versions.items():
        start, stop = (seconds_to_samples(at, take.sample_rate) for at in (window.start_seconds, window.stop_seconds))
        mixes[name] = stereo(take.read(start, stop).astype(np.float32), take.channels)
    loudest = max(float(np.max(np.abs(mix), initial=1e-9)) for mix in mixes.values())
    files = {}
    for name, mix in mixes.items():
        out = io.BytesIO()
        sf.write(out, (mix * (PEAK / loudest)).T, versions[name].sample_rate, "PCM_16", format="FLAC")
        files[name] = out.getvalue()
    return files


def _section(section: Section) -> str:
    pictures = "\n".join(
        f'<p><img src="data:image/png;base64,{_text(one)}" alt="{escape(section.title)}"></p>'
        for one in section.pictures
    )
    players = "\n".join(
        f'<tr><td>{escape(name)}</td><td><audio controls preload="none" src="data:audio/flac;base64,{_text(sound)}">'
        "</audio></td></tr>"
        for name, sound in (section.sounds or {}).items()
    )
    players = f"<table>{players}</table>" if players else ""
    return f"<h2>{escape(section.title)}</h2>\n<p>{escape(section.text)}</p>\n{pictures}\n{players}"


def _table(markdown: str) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in markdown.splitlines()]
    head, *body = (row for row in rows if not set("".join(row)) <= {"-"})
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in body]
    return "<table>" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")
