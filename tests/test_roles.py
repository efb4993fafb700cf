"""Channel names as engineers write them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.roles import Role, guess_role

NAMES = {
    Role.KICK: (
        "kick, Kick In, 01_Kick In, KikOut, KICKOUT, BD sub, BDsub, SubKick, sub kick, bass drum, BassDrum, kick-in.L, "
        "Kick Trig, Kick Click, MyKickMic, KD, 07KickDrum, kick_in_57, Kik, Kick Front"
    ),
    Role.SNARE: (
        "snare, SnrTop, SN btm, SNTop, Snare Bottom, snare_top, snaretop, Snare 2, SD1, Snare Side, 03 SnrTop_dup1, "
        "Snare.Under, snare trigger, snare hat side"
    ),
    Role.TOM: "rack tom 1, FT, Tom2, T1, t 3, 05_T2, TOM FLOOR, Floor, floortom, RackTom, Hi Tom, LoTom, toms.L, RT",
    Role.HIHAT: "HH, Hi-Hat, hat, HiHat, hi hat, HATS, hh_01, HHat, High Hat",
    Role.RIDE: "Ride, ride_cym, RD, 09-RIDE",
    Role.CYMBAL: "crash L, china, Splash, Cymbals, Crash1",
    Role.OVERHEAD: (
        "OH L, ohs, Overheads.R, OHL, OHR, Over Head Left, Overs, O.H. R, OH snare side, Ride side OH, overheadleft"
    ),
    Role.ROOM: "Room Far, rm mono, amb, Crush, Kick Room, RoomL, Mono Room, ROOM-OH, Ambience, Drum Rooms, Snare Verb",
    Role.CLICK: "click, Metronome, Click Track, CLK",
    Role.OTHER: (
        "front, side, mono, drums mix, Drums.3, booth, chat, bathroom, mushroom, custom, symptom, override, bride, "
        "thirds, channel 1, Audio 12, talkback, Overdub, OverDub, bass, guitar, '', 123, Track 2, Take 1, formats, 日本"
    ),
}
TABLE = [(name.strip(" '"), role) for role, names in NAMES.items() for name in names.split(",")]


@pytest.mark.parametrize(("name", "role"), TABLE)
def test_names_that_engineers_use(name: str, role: Role) -> None:
    assert guess_role(name) == role


@pytest.mark.parametrize(("name", "role"), [row for row in TABLE if row[0].isascii()])
def test_case_separators_and_take_numbers_do_not_matter(name: str, role: Role) -> None:
    if not any(first.islower() and second.isupper() for first, second in pairwise(name)):
        assert guess_role(name.lower()) == role
        assert guess_role(name.upper()) == role
    assert guess_role(f"02-{name}_05") == role
    assert guess_role(name.replace(" ", "_")) == role


@given(st.text())
def test_any_text_has_a_role(name: str) -> None:
    assert guess_role(name) in Role
