"""List the hits of a drum kit in SFZ, the text format that samplers such as sfizz read.

The subset that drum kits use: headers with inheritance, ``#define``, ``#include``, keys, velocity ranges, round robins,
random ranges, level, pan, and where in the file to start and end. Keys become pieces by General MIDI's drum map.
Regions that answer the same stroke (usually the microphones of one hit) are mixed as a sampler would mix them, to
stereo. What else an instrument asks for is left out with one warning.

Own code since no maintained parser exists: sfzlint, the only one on PyPI, saw its last release in March 2022, needs
the superseded ``lark-parser``, and checks files rather than resolving their inheritance. The format is documented at
https://sfzformat.com.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError
from beatnet_align.hits import Piece
from datagen.kits.listing import UNKNOWN_LICENCE, HitParts, KitListing, SamplePart

_logger = logging.getLogger(__name__)

_P = Piece
PIECE_OF_KEY = (
    dict.fromkeys((35, 36), _P.KICK)
    | dict.fromkeys((38, 40), _P.SNARE)
    | dict.fromkeys((42, 22), _P.HIHAT_CLOSED)
    | dict.fromkeys((46, 26), _P.HIHAT_OPEN)
    | dict.fromkeys((41, 43), _P.TOM_FLOOR)
    | dict.fromkeys((45, 47), _P.TOM_MID)
    | dict.fromkeys((48, 50), _P.TOM_HIGH)
    | dict.fromkeys((49, 57), _P.CRASH)
    | dict.fromkeys((51, 59), _P.RIDE)
    | {37: _P.SIDESTICK, 44: _P.HIHAT_PEDAL, 52: _P.CHINA, 53: _P.RIDE_BELL, 55: _P.SPLASH}
)
"""General MIDI's percussion map (GM 1 specification), and 22 and 26, which Roland's kits use for the hats' edges."""

# What every opcode read here stands for when nothing is said.
_DEFAULTS = {
    "lovel": 0.0,
    "hivel": 127.0,
    "lorand": 0.0,
    "hirand": 1.0,
    "seq_length": 1.0,
    "seq_position": 1.0,
    "volume": 0.0,
    "amplitude": 100.0,
    "amp_veltrack": 100.0,
    "pan": 0.0,
    "offset": 0.0,
    "end": -2.0,  # no file ends there: until its end
    "pitch_keytrack": 100.0,
    "tune": 0.0,
    "transpose": 0.0,
}
_KEYS = ("lokey", "hikey", "pitch_keycenter")
_READ = {*_DEFAULTS, *_KEYS, "key", "sample", "default_path", "trigger"}
# Of no effect on a single stroke that rings out, or told by the same in other words.
_HARMLESS = re.compile(
    r"loop_?mode|loop_?start|loop_?end|group(_label)?|off_by|off_mode|off_time|polyphony|note_polyphony|"
    r"(region|master|global)_label|sw_.*|hint_.*|label_.*|set_(hd)?cc\d+|(lo|hi)chan|ampeg_release|image|version"
)
_SCOPES = ("global", "master", "group", "region")
_MAX_INCLUDES = 64

_TOKEN = re.compile(
    r"<(?P<header>\w+)>"
    r"|\#define\s+(?P<variable>\$\w+)\s+(?P<meaning>\S+)"
    r"|\#include\s+\"(?P<include>[^\"]+)\""
    r"|(?P<opcode>[\w$]+)=(?P<value>.*?)(?=\s+[\w$]+=|\s*<\w+>|\s*\#(?:define|include)\b|\s*$)",
    re.MULTILINE,
)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_NOTE = re.compile(r"([a-g])([#b]?)(-?\d+)")
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def list_sfz(path: Path) -> KitListing:
    """Read an SFZ instrument.

    Raises:
        InputError: Unreadable, includes without end, an opcode whose value makes no sense, or no key of the drum map.
    """
    reader = _Reader(path)
    reader.read(path)
    strokes: dict[tuple[int, ...], list[SamplePart]] = {}
    off_the_map: set[int] = set()
    for opcodes in reader.regions:
        for key, stroke, part in _sounding(opcodes, path):
            if key in PIECE_OF_KEY:
                strokes.setdefault(stroke, []).append(part)
            else:
                off_the_map.add(key)
    if not strokes:
        raise InputError(f"{path}: found {len(reader.regions)} regions, none on a key of General MIDI's drum map")
    hits: dict[Piece, tuple[HitParts, ...]] = {}
    for stroke, parts in strokes.items():
        piece = PIECE_OF_KEY[stroke[0]]
        hits[piece] = (*hits.get(piece, ()), tuple(parts))
    if reader.ignored or off_the_map:
        opcodes_ignored = ", ".join(sorted(reader.ignored)) or "none"
        keys_ignored = ", ".join(map(str, sorted(off_the_map))) or "none"
        _logger.warning("%s: left out opcodes: %s; keys off the drum map: %s", path, opcodes_ignored, keys_ignored)
    name = path.stem
    return KitListing(path, name, UNKNOWN_LICENCE, str(path), f"{name} (licence unknown)", None, None, hits)


@dataclass
class _Reader:
    """Walks the text once, gathering every region's opcodes with what it inherits."""

    root: Path
    regions: list[dict[str, str]] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)
    _variables: dict[str, str] = field(default_factory=dict)
    _scopes: dict[str, dict[str, str]] = field(default_factory=lambda: {scope: {} for scope in _SCOPES})
    _header: str = ""
    _default_path: str = ""
    _includes: int = 0

    def read(self, path: Path) -> None:
        self._read_text(path)
        self._close_region()

    def _read_text(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        for token in _TOKEN.finditer(_COMMENT.sub(" ", text)):
            if token["header"]:
                self._open(token["header"])
            elif token["variable"]:
                self._variables[token["variable"]] = token["meaning"]
            elif token["include"]:
                self._includes += 1
                if self._includes > _MAX_INCLUDES:
                    raise InputError(f"{path}: more than {_MAX_INCLUDES} includes; does a file include itself?")
                self._read_text(self.root.parent / self._resolved(token["include"]).replace("\\", "/"))
            else:
                self._set(self._resolved(token["opcode"]).lower(), self._resolved(token["value"]).strip())

    def _resolved(self, text: str) -> str:
        for variable in sorted(self._variables, key=len, reverse=True):  # $KICKS before $KICK
            text = text.replace(variable, self._variables[variable])
        return text

    def _open(self, header: str) -> None:
        self._close_region()
        self._header = header
        if header in _SCOPES:
            for inner in _SCOPES[_SCOPES.index(header) :]:
                self._scopes[inner] = {}

    def _close_region(self) -> None:
        if self._header == "region":
            self.regions.append({name: value for scope in _SCOPES for name, value in self._scopes[scope].items()})
        self._header = ""

    def _set(self, opcode: str, value: str) -> None:
        if self._header == "control" and opcode == "default_path":
            self._default_path = value
        elif self._header in _SCOPES and opcode == "key":
            self._scopes[self._header] |= dict.fromkeys(_KEYS, value)
        elif self._header in _SCOPES and opcode == "sample":
            self._scopes[self._header]["sample"] = value if value.startswith("*") else self._default_path + value
        elif self._header in _SCOPES and opcode in _READ:
            self._scopes[self._header][opcode] = value
        elif (self._header in _SCOPES or self._header == "control") and not _HARMLESS.fullmatch(opcode):
            self.ignored.add(opcode)


def _sounding(opcodes: dict[str, str], path: Path) -> Iterator[tuple[int, tuple[int, ...], SamplePart]]:
    """What one region plays: for each key that has a piece of its own, the key, the stroke it answers, and the sample.

    Strokes that are equal sound together.
    """
    sample = opcodes.get("sample", "")
    if not sample or sample.startswith("*") or opcodes.get("trigger", "attack") != "attack":
        return
    numbers = {name: _number(opcodes, name, path) for name in _DEFAULTS}
    low, high = (_key(opcodes.get(name, default), path) for name, default in (("lokey", "0"), ("hikey", "127")))
    amplitude = numbers["amplitude"] / 100.0 * _velocity_amplitude(numbers["hivel"], numbers["amp_veltrack"])
    if amplitude <= 0.0 or numbers["hivel"] < 1:
        return
    end = int(numbers["end"]) + 1
    if end == 0:
        return  # end=-1 means that the region is not played
    conditions = [numbers[name] for name in ("lovel", "hivel", "lorand", "hirand", "seq_length", "seq_position")]
    pieces_seen: set[Piece] = set()
    for key in range(low, high + 1):
        piece = PIECE_OF_KEY.get(key)
        if piece in pieces_seen or (piece is None and low != high):
            continue
        pieces_seen |= {piece} if piece else set()
        centre = _key(opcodes.get("pitch_keycenter", "60"), path)
        semitones = (key - centre) * numbers["pitch_keytrack"] / 100.0 + numbers["tune"] / 100.0 + numbers["transpose"]
        yield (
            key,
            (key, *(round(1000 * condition) for condition in conditions)),
            SamplePart(
                path=path.parent / sample.replace("\\", "/"),
                gain_db=numbers["volume"] + 20.0 * float(np.log10(amplitude)),
                pan=float(np.clip(numbers["pan"] / 100.0, -1.0, 1.0)),
                offset_samples=max(0, int(numbers["offset"])),
                end_samples=end if end > 0 else None,
                semitones=semitones,
            ),
        )


def _velocity_amplitude(velocity: float, track_percent: float) -> float:
    """Gain at a MIDI velocity: its square over 127², as far as ``amp_veltrack`` says."""
    share = track_percent / 100.0
    return max(0.0, 1.0 - share + share * (velocity / 127.0) ** 2)


def _number(opcodes: dict[str, str], name: str, path: Path) -> float:
    value = opcodes.get(name)
    if value is None:
        return _DEFAULTS[name]
    try:
        return float(value)
    except ValueError as error:
        raise InputError(f"{path}: {name}={value} is not a number") from error


def _key(value: str, path: Path) -> int:
    """MIDI key of a number or a note name, c4 being 60."""
    note = _NOTE.fullmatch(value.strip().lower())
    if note:
        accidental = {"": 0, "#": 1, "b": -1}[note[2]]
        return 12 * (int(note[3]) + 1) + _SEMITONES[note[1]] + accidental
    try:
        return int(value)
    except ValueError as error:
        raise InputError(f"{path}: the key {value!r} is neither a number nor a note name") from error
