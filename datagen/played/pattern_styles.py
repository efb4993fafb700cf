"""The styles that patterns are written in; the symbols are explained in :mod:`datagen.played.pattern_style`."""

from beatnet_align.hits import Piece
from datagen.played.pattern_style import Style

K, S, SS = Piece.KICK, Piece.SNARE, Piece.SIDESTICK
HC, HO, HP, R = Piece.HIHAT_CLOSED, Piece.HIHAT_OPEN, Piece.HIHAT_PEDAL, Piece.RIDE
BELL, CHINA = Piece.RIDE_BELL, Piece.CHINA

EIGHTHS, SIXTEENTHS, QUARTERS = "X-x-X-x-X-x-X-x-", "XsxsXsxsXsxsXsxs", "X---X---X---X---"
BACKBEAT = "----X-------X---"
ROCK_KICKS = ("X-------X-------", "X-----x-X-------", "X--x----x-X-----", "X-x---x---X--?--", "X-------X-x---x-")

STRAIGHT_STYLES = (
    Style("rock", (70, 165), {HC: (EIGHTHS, EIGHTHS, QUARTERS), S: (BACKBEAT, "----X--?----X--g"), K: ROCK_KICKS}),
    Style("pop", (80, 130), {HC: (EIGHTHS, SIXTEENTHS), SS: (BACKBEAT,), K: ROCK_KICKS}),
    Style(
        "punk",
        (150, 215),
        {HC: (EIGHTHS,), S: (BACKBEAT, "--X---X---X---X-"), K: ("X---x---X-x-x---", "X---X---X---X---")},
    ),
    Style(
        "funk",
        (80, 125),
        {
            HC: (SIXTEENTHS, EIGHTHS, "X-xsX-xsX-xsX-xs"),
            HO: ("----------------", "--------------x-", "------x---------"),
            S: ("----X--g-g--X--g", "----X-gg-g-gX--g", "-g--X--g-g?-X-g-", "----d--g-g--X--g"),
            K: ("X-?---?---X--?--", "X-x-------x--x--", "X--x--x---x--x--"),
        },
    ),
    Style(
        "hip-hop",
        (65, 105),
        {HC: (EIGHTHS, SIXTEENTHS), S: (BACKBEAT, "----X--g----X-?-"), K: ("X--x---?--x-----", "X------x-xx-----")},
    ),
    Style(
        "house",
        (115, 132),
        {K: (QUARTERS,), S: (BACKBEAT,), HO: ("--x---x---x---x-",), HC: ("X-------x-------", "xsxsxsxsxsxsxsxs")},
    ),
    Style(
        "disco",
        (105, 135),
        {K: (QUARTERS,), S: (BACKBEAT,), HC: ("x-------x-------", "xs-sxs-sxs-sxs-s"), HO: ("--X---X---X---X-",)},
    ),
    Style(
        "half-time",
        (60, 160),
        {
            HC: (EIGHTHS, SIXTEENTHS, QUARTERS),
            S: ("--------X-------", "---g----X--g-g--"),
            K: ("X---------x-----", "X-x--x----x--?--"),
        },
    ),
    Style(
        "bossa",
        (55, 90),
        {HC: ("xsxsxsxsxsxsxsxs",), SS: ("X--X--X---X--X--", "X--X--X--X--X---"), K: ("X--xX--xX--xX--x",)},
        leads=(R,),
    ),
    Style(
        "samba",
        (85, 130),
        {
            S: ("XggXggXgXggXggXg", "XgXggXgXgXggXgXg"),
            K: ("x--Xx--Xx--Xx--X",),
            HP: ("--x---x---x---x-", "----x-------x---"),
        },
    ),
    Style(
        "baião",
        (80, 125),
        {
            HC: (EIGHTHS, SIXTEENTHS),
            S: ("---X--X----X--X-", "--g---X---g---Xg"),
            K: ("X--x----X--x----", "X--X--X-X--X----"),
        },
    ),
    Style(
        "songo",
        (85, 125),
        {R: ("X-x-X-x-X-x-X-x-",), S: ("--g-X-gg--g-X-g-",), K: ("---x--x----x--x-",), HP: (QUARTERS,)},
        leads=(BELL,),
    ),
    Style(
        "blast beat",
        (120, 220),
        {
            K: ("X-X-X-X-X-X-X-X-", "XxXxXxXxXxXxXxXx"),
            S: ("x-x-x-x-x-x-x-x-", "-x-x-x-x-x-x-x-x"),
            HC: ("X-X-X-X-X-X-X-X-",),
        },
        leads=(R, CHINA),
    ),
    Style(
        "double kick",
        (110, 200),
        {
            K: ("XxXxXxXxXxXxXxXx", "Xxx-Xxx-Xxx-Xxx-", "X-xxX-xxX-xxX-xx"),
            S: (BACKBEAT, "--------X-------"),
            HC: (QUARTERS, EIGHTHS),
        },
        leads=(R, CHINA, BELL),
    ),
    Style(
        "march",
        (80, 130),
        {
            S: ("XggsXggsXsXsXggd", "XxxxXxxxXxdxXxrx", "X-ggX-ggXgXgf---"),
            K: (QUARTERS, "X-------X-------"),
            HP: ("----x-------x---",),
        },
        fills=False,
    ),
)

SWUNG_STYLES = (
    Style(
        "swung hip-hop",
        (70, 105),
        {HC: (EIGHTHS, SIXTEENTHS), S: (BACKBEAT, "----X--g-g--X--g"), K: ("X--x---x--x-----", "X-?----x-xx--?--")},
        swing=(0.54, 0.66),
    ),
    Style(
        "swung funk",
        (80, 115),
        {HC: (SIXTEENTHS,), S: ("----X--g-g--X--g", "-g--X--g-g-gX--g"), K: ("X-?---?---X--?--", "X--x--x---x--x--")},
        swing=(0.53, 0.64),
    ),
    Style(
        "jazz eighths",
        (120, 220),
        {
            R: ("X-XxX-Xx", "X-XxX-X-", "XxX-XxX-"),
            HP: ("--x---x-",),
            S: ("---g----", "?--?---g", "-----g-?"),
            K: ("s-s-s-s-", "------?-"),
        },
        "1/8",
        (0.58, 0.7),
        leads=(),
    ),
    Style(
        "shuffle eighths",
        (90, 180),
        {HC: ("XxXxXxXx",), S: ("--X---X-", "-gX--gXg"), K: ("X---X---", "X--xX--x")},
        "1/8",
        (0.58, 0.7),
    ),
    Style(
        "rockabilly",
        (140, 210),
        {HC: ("X-X-X-X-", "XxXxXxXx"), S: ("--X---X-", "--X--xX-"), K: ("X---X---",)},
        "1/8",
        (0.54, 0.66),
    ),
)

TRIPLET_STYLES = (
    Style(
        "jazz swing",
        (80, 220),
        {
            R: ("X--x-xX--x-x", "X--X--X--x-x", "X-xX-xX--x--"),
            HP: ("---x-----x--",),
            S: ("-----g------", "--?--g--?--g", "-g---s----g-"),
            K: ("s--s--s--s--", "--------?---", "-----x------"),
        },
        "1/8T",
        leads=(HC,),
    ),
    Style(
        "shuffle",
        (75, 150),
        {HC: ("X-xX-xX-xX-x",), S: ("---X-----X--", "-g-X-g-g-X-g"), K: ("X-----X-----", "X----xX----x")},
        "1/8T",
    ),
    Style(
        "half-time shuffle",
        (75, 140),
        {HC: ("X-xX-xX-xX-x",), S: ("-g--g-Xg--g-", "-g--g-X--gg-"), K: ("X----x------", "X----x---x-?")},
        "1/8T",
    ),
    Style(
        "slow blues",
        (45, 75),
        {HC: ("XxxXxxXxxXxx",), S: ("---X-----X--",), K: ("X-----X-x---", "X----xX-----")},
        "1/8T",
    ),
    Style(
        "bembé",
        (80, 150),
        {
            BELL: ("X-X-xX-X-X-x", "X-X-XX-X-X-X"),
            K: ("X--------x--", "---x-----x--"),
            HP: ("X--X--X--X--",),
            S: ("--g---g-?---", "-----g--g---"),
        },
        "1/8T",
        leads=(),
    ),
    Style(
        "jazz waltz",
        (90, 190),
        {
            R: ("X--x-xX--", "X--x-xx-x"),
            HP: ("---x--x--",),
            S: ("-----g---", "--g---?--"),
            K: ("X--------", "s------?-"),
        },
        "1/8T",
        signature=(3, 4),
        leads=(),
    ),
)

ODD_STYLES = (
    Style(
        "waltz",
        (80, 180),
        {
            HC: ("X-x-X-x-X-x-", "X---x---x---"),
            S: ("----X---X---", "--------X---"),
            K: ("X-----------", "X-----x-----"),
        },
        signature=(3, 4),
    ),
    Style(
        "five four",
        (80, 170),
        {
            HC: ("X-x-X-x-X-x-X-x-X-x-",),
            S: ("----X-------X-------", "----X-----g-----X---"),
            K: ("X-----x-X-------X---", "X-------x-x---------"),
        },
        signature=(5, 4),
    ),
    Style(
        "seven eight",
        (90, 200),
        {HC: ("X-x-X-x-X-x-x-",), S: ("----X-----X---", "----X---g---X-"), K: ("X-----x-X-----", "X--x----x---?-")},
        signature=(7, 8),
    ),
    Style(
        "six eight",
        (70, 170),
        {
            HC: ("X-x-x-X-x-x-", "XsxsxsXsxsxs"),
            S: ("------X-----", "------X---gg"),
            K: ("X-----------", "X---x-----x-"),
        },
        signature=(6, 8),
    ),
    Style(
        "twelve eight",
        (80, 200),
        {HC: ("XxxXxxXxxXxx",), S: ("---X-----X--", "---X--g--X-g"), K: ("X-----X-----", "X----xX-x---")},
        "1/8",
        signature=(12, 8),
    ),
)

STYLES = STRAIGHT_STYLES + SWUNG_STYLES + TRIPLET_STYLES + ODD_STYLES
