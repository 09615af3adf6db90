"""The filter of the workbench as an address: every click, every address read back."""

from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ga_sync.index.expression import All, Any_, Expression, Not, Segment
from ga_sync.web.console.wish import (
    MOST_GROUPS,
    OPERATORS,
    Group,
    Wish,
    act,
    expression_of,
    read_wish,
    without_unknown,
    write_wish,
)

ids = st.text("0123456789", min_size=1, max_size=4)
groups = st.builds(
    lambda operator, segments: Group(operator, tuple(dict.fromkeys(segments))),
    st.sampled_from(OPERATORS),
    st.lists(ids, max_size=4),
)
days = st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31))
wishes = st.builds(
    Wish,
    groups=st.lists(groups, max_size=MOST_GROUPS).map(tuple),
    join=st.sampled_from(["all", "any"]),
    first=days,
    last=days,
    text=st.text(max_size=40).map(str.strip),
    at=st.integers(0, 11),
)


@given(wishes)
def test_an_address_says_everything(wish: Wish) -> None:
    assert read_wish(parse_qsl(write_wish(wish), keep_blank_values=True)) == wish


@given(
    st.lists(st.tuples(st.sampled_from(["g", "join", "from", "to", "at", "filter"]), st.text(max_size=20)))
)
def test_no_address_is_an_error(query: list[tuple[str, str]]) -> None:
    wish = read_wish(query)
    assert read_wish(parse_qsl(write_wish(wish), keep_blank_values=True)) == wish


@given(
    wishes,
    st.text(max_size=30) | st.sampled_from(["add:1", "not:1", "drop:0:1", "op:1:all", "group", "clear"]),
)
def test_no_click_is_an_error(wish: Wish, action: str) -> None:
    after = act(wish, action)
    assert len(after.groups) <= max(MOST_GROUPS, len(wish.groups) + 1)


def clicked(*actions: str) -> Wish:
    wish = Wish()
    for action in actions:
        wish = act(wish, action)
    return wish


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["add:1"], Segment("1")),
        (["add:1", "add:2"], Any_((Segment("1"), Segment("2")))),
        (["add:1", "add:2", "op:0:all"], All((Segment("1"), Segment("2")))),
        (["add:1", "not:2"], All((Segment("1"), Not(Segment("2"))))),
        (["add:1", "not:2", "not:3"], All((Segment("1"), Not(Any_((Segment("2"), Segment("3"))))))),
        (["not:1", "add:2"], All((Segment("2"), Not(Segment("1"))))),
        (["add:1", "not:1"], Not(Segment("1"))),
        (["not:1", "add:1"], Segment("1")),
        (["add:1", "group", "add:2"], All((Segment("1"), Segment("2")))),
        (["add:1", "group", "add:2", "join:any"], Any_((Segment("1"), Segment("2")))),
        (["add:1", "group", "add:2", "join:any", "join:all"], All((Segment("1"), Segment("2")))),
        (
            ["add:1", "group", "add:2", "at:0", "add:3"],
            All((Any_((Segment("1"), Segment("3"))), Segment("2"))),
        ),
        (["add:1", "add:2", "drop:0:1"], Segment("2")),
        (["add:1", "group", "add:2", "drop:0:"], Segment("2")),
        (["add:1", "op:0:nonsense", "nonsense", "group", "group"], Segment("1")),
    ],
)
def test_clicks_build_the_filter(actions: list[str], expected: Expression) -> None:
    assert expression_of(clicked(*actions), ["1", "2", "3"]) == expected


def test_nothing_chosen_is_every_recording_of_any_segment() -> None:
    assert expression_of(Wish(), ["1", "2"]) == Any_((Segment("1"), Segment("2")))
    assert expression_of(Wish(), []) is None
    assert expression_of(clicked("add:1", "clear"), ["2"]) == Any_((Segment("2"),))


def test_a_text_is_given_up_for_groups() -> None:
    assert act(Wish(text="1 & 2"), "text:").text == ""


def test_segments_that_are_gone_are_left_out_and_counted() -> None:
    wish, dropped = without_unknown(clicked("add:1", "add:9", "not:8"), {"1"})
    assert (wish.chosen, dropped) == (frozenset({"1"}), 2)
