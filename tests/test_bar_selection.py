"""Bars as people name them, and which of a take's bars are meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.bar_selection import BarRange, BarSelection, parse_bars
from beatnet_align.errors import InputError

ranges = st.tuples(st.integers(-4, 40), st.integers(0, 9)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(bar=st.integers(-10, 60), only=st.none() | ranges, apart_from=st.lists(ranges, max_size=3))
def test_a_bar_is_meant_when_it_is_asked_for_and_not_left_out(
    bar: int, only: BarRange | None, apart_from: list[BarRange]
) -> None:
    asked_for = only is None or bar in range(only[0], only[1] + 1)
    left_out = any(bar in range(first, last + 1) for first, last in apart_from)
    assert (bar in BarSelection(only, tuple(apart_from))) == (asked_for and not left_out)


@given(ranges)
def test_a_range_is_read_as_it_is_written(bars: BarRange) -> None:
    if bars[0] >= 0:
        assert parse_bars(f"{bars[0]}-{bars[1]}", "--bars") == bars
        assert parse_bars(str(bars[0]), "--bars") == (bars[0], bars[0])


@pytest.mark.parametrize("text", ["", "five", "1-", "1-2-3", "2.5", "-"])
def test_what_is_no_range_is_told_with_the_option(text: str) -> None:
    with pytest.raises(InputError, match=f"--leave-bars wants FIRST-LAST or one bar.*found {text!r}"):
        parse_bars(text, "--leave-bars")


def test_a_range_ends_after_it_starts() -> None:
    for selection in ((5, 4), ()), (None, ((1, 2), (5, 4))):
        with pytest.raises(InputError, match="ends before it starts: 5-4"):
            BarSelection(*selection)
