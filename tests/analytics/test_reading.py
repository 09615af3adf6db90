"""A day's reading equals what a naive reader finds, in any order of rows and pages."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ga_sync.analytics.reading import JUNK, Columns, DayReading, Dropped, Flags, ReportPage, combine, read_day

Row = tuple[str, str, int]
ASKED = ["p/1", "p/2", "p/3"]


def page(
    rows: Sequence[Row], row_count: int | None = None, total: int | None = None, flags: Flags | None = None
) -> ReportPage:
    columns = Columns([a for a, _, _ in rows], [b for _, b, _ in rows], [n for _, _, n in rows])
    return ReportPage(columns, len(rows) if row_count is None else row_count, total, flags or Flags())


def members(reading: DayReading) -> dict[str, set[str]]:
    return {name: {reading.ids[n] for n in part} for name, part in reading.members.items()}


def test_ordered_rows_of_two_pages_become_one_reading() -> None:
    pages = [
        page([("p/1", "a", 2), ("p/1", "b", 1)], row_count=4, total=9),
        page([("p/1", "c", 1), ("p/2", "b", 5)], row_count=4, total=9),
    ]
    reading = read_day(iter(pages), ASKED)
    assert reading.ids == ["a", "b", "c"]
    assert {name: part.tolist() for name, part in reading.members.items()} == {
        "p/1": [0, 1, 2],
        "p/2": [1],
        "p/3": [],
    }
    assert all(part.dtype == np.uint32 for part in reading.members.values())
    assert (reading.rows, reading.row_counts, reading.expected, reading.steady) == (4, (4, 4), 4, True)
    assert (reading.events, reading.total, reading.memberships) == (9, 9, 4)
    assert reading.whole
    assert not reading.below_total
    assert reading.dropped == Dropped()


def test_an_empty_day_is_whole() -> None:
    reading = read_day([page([])], ASKED)
    assert (reading.ids, reading.memberships, reading.whole, reading.below_total) == ([], 0, True, False)
    assert members(reading) == {"p/1": set(), "p/2": set(), "p/3": set()}


def test_no_page_and_no_audience_are_an_empty_reading() -> None:
    reading = read_day([], [])
    assert (reading.ids, dict(reading.members), reading.row_counts, reading.whole) == ([], {}, (), True)


def test_rows_fewer_than_announced_are_not_whole() -> None:
    assert not read_day([page([("p/1", "a", 1)], row_count=2)], ASKED).whole


def test_a_row_count_that_changes_between_pages_is_not_whole() -> None:
    pages = [page([("p/1", "a", 1)], row_count=3), page([("p/1", "b", 1)], row_count=2)]
    reading = read_day(pages, ASKED)
    assert (reading.rows, reading.expected, reading.steady, reading.whole) == (2, 2, False, False)


def test_rows_below_the_total_show_and_junk_counts_among_them() -> None:
    rows = [("p/1", "a", 1), ("p/1", "", 4)]
    assert read_day([page(rows, total=6)], ASKED).below_total
    assert not read_day([page(rows, total=5)], ASKED).below_total
    assert not read_day([page(rows)], ASKED).below_total


def test_a_total_missing_from_one_page_is_taken_from_another() -> None:
    assert read_day([page([], total=3), page([])], ASKED).total == 3
    assert read_day([page([]), page([], total=0)], ASKED).total == 0


@pytest.mark.parametrize("value", sorted(JUNK))
def test_junk_is_dropped_and_counted(value: str) -> None:
    reading = read_day([page([("p/1", value, 1), ("p/1", "a", 1), ("p/2", value, 1)])], ASKED)
    assert reading.ids == ["a"]
    assert reading.dropped == Dropped(junk=2, other_value=value == "(other)")


def test_values_that_only_look_like_junk_are_ids() -> None:
    odd = [" ", "(Not Set)", "(other) ", "not set"]
    assert read_day([page([("p/1", one, 1) for one in odd])], ASKED).ids == odd


def test_ids_beyond_the_cut_are_dropped_and_ids_at_it_flagged() -> None:
    rows = [
        ("p/1", "x" * 100, 1),
        ("p/2", "x" * 100, 1),
        ("p/1", "é" * 100, 1),
        ("p/1", "y" * 101, 1),
        ("p/1", "a", 1),
    ]
    reading = read_day([page(rows)], ASKED)
    assert (reading.ids_of_100, reading.dropped) == (2, Dropped(overlong=1))
    assert reading.ids == ["x" * 100, "é" * 100, "a"]


def test_audiences_not_asked_for_are_dropped() -> None:
    reading = read_day([page([("p/9", "a", 1), ("p/1", "b", 1), ("p/9", "", 1)])], ASKED)
    assert (reading.ids, reading.dropped) == (["b"], Dropped(strangers=2))


def test_an_other_among_the_audiences_is_seen() -> None:
    reading = read_day([page([("(other)", "a", 1)])], ASKED)
    assert reading.dropped == Dropped(strangers=1, other_value=True)


def test_an_other_of_any_page_is_seen() -> None:
    pages = [page([("p/1", "(other)", 1)]), page([("p/1", "a", 1)])]
    assert read_day(pages, ASKED).dropped.other_value


def test_rows_that_come_twice_count_once() -> None:
    pages = [page([("p/1", "a", 1), ("p/1", "b", 1)]), page([("p/1", "b", 1), ("p/2", "b", 1)])]
    reading = read_day(pages, ASKED)
    assert members(reading) == {"p/1": {"a", "b"}, "p/2": {"b"}, "p/3": set()}
    assert (reading.rows, reading.memberships, reading.dropped.duplicates) == (4, 3, 1)


def test_an_audience_asked_for_twice_is_one() -> None:
    assert members(read_day([page([("p/1", "a", 1)])], ["p/1", "p/1"])) == {"p/1": {"a"}}


def test_flags_of_all_pages_join() -> None:
    pages = [page([], flags=Flags(sampled=True)), page([], flags=Flags(data_loss_from_other_row=True))]
    assert read_day(pages, ASKED).flags == Flags(sampled=True, data_loss_from_other_row=True)


IDS = st.one_of(st.text("ab", max_size=3), st.sampled_from(["(other)", "x" * 100, "x" * 101, "é", "é"]))
ROWS = st.lists(st.tuples(st.sampled_from([*ASKED, "p/9", "(other)"]), IDS, st.integers(0, 5)), max_size=40)


@given(st.lists(ROWS, max_size=4), st.booleans())
def test_any_rows_in_any_pages_give_what_a_naive_reader_finds(pages: list[list[Row]], ordered: bool) -> None:  # noqa: FBT001
    pages = [sorted(rows) for rows in pages] if ordered else pages
    rows = [row for rows in pages for row in rows]
    good = [(a, b) for a, b, _ in rows if a in ASKED and b not in JUNK and len(b) <= 100]
    reading = read_day(map(page, pages), ASKED)
    assert members(reading) == {name: {b for a, b in good if a == name} for name in ASKED}
    assert reading.ids == list(dict.fromkeys(b for _, b in good))
    assert all(part.tolist() == sorted(set(part.tolist())) for part in reading.members.values())
    dropped = reading.dropped
    assert dropped.strangers == sum(a not in ASKED for a, _, _ in rows)
    assert dropped.junk == sum(a in ASKED and b in JUNK for a, b, _ in rows)
    assert dropped.duplicates + dropped.again == len(rows) - len({(a, b) for a, b, _ in rows})
    assert reading.memberships == len(set(good))
    assert len(rows) == reading.rows == reading.memberships + sum([*_counts(dropped)])
    assert dropped.other_value == any("(other)" in (a, b) for a, b, _ in rows)
    if not dropped.duplicates + dropped.again:
        assert reading.events == sum(n for _, _, n in rows)
    assert reading.ids_of_100 == sum(len(one) == 100 for one in reading.ids)


def _counts(dropped: Dropped) -> tuple[int, int, int, int]:
    return dropped.strangers, dropped.junk, dropped.overlong, dropped.duplicates


@given(ROWS)
def test_one_report_for_each_audience_reads_like_one_for_all(rows: list[Row]) -> None:
    known = [row for row in rows if row[0] in ASKED]
    whole = read_day([page(known, total=7)], ASKED)
    apart = [read_day([page([row for row in known if row[0] == name], total=1)], [name]) for name in ASKED]
    joint = combine(apart)
    assert members(joint) == members(whole)
    assert sorted(joint.ids) == sorted(whole.ids)
    assert all(part.tolist() == sorted(part.tolist()) for part in joint.members.values())
    assert (joint.rows, joint.expected, joint.steady) == (whole.rows, whole.expected, whole.steady)
    assert (joint.events, joint.total, joint.dropped) == (whole.events, 3, whole.dropped)
    assert (joint.ids_of_100, joint.row_counts) == (whole.ids_of_100, tuple(one.rows for one in apart))


def test_a_combined_total_needs_every_total() -> None:
    apart = [read_day([page([], total=1)], ["p/1"]), read_day([page([], row_count=1)], ["p/2"])]
    joint = combine(apart)
    assert (joint.total, joint.whole, joint.below_total) == (None, False, False)


def test_merging_a_million_rows_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Four full pages, ordered and shuffled; the aim is a million rows a second, printed and not asserted."""
    asked = [f"properties/123456789/audiences/{n}" for n in range(40)]
    rows = np.arange(1_000_000)
    for name, order in (("ordered", rows), ("shuffled", np.random.default_rng(7).permutation(rows))):
        pages = [
            ReportPage(
                Columns(
                    [asked[n // 25_000] for n in part], [f"{n % 400_000:032x}" for n in part], [1] * len(part)
                ),
                10**6,
            )
            for part in np.split(order, 4)
        ]
        begun = time.process_time()
        reading = read_day(pages, asked)
        spent = time.process_time() - begun
        with capsys.disabled():
            print(f"\n1,000,000 {name} rows into one reading: {spent:.2f} s CPU")  # noqa: T201
        assert (reading.memberships, len(reading.ids), reading.whole) == (1_000_000, 400_000, True)


def test_a_row_that_comes_twice_counts_once_and_the_total_shows_whether_another_is_missing() -> None:
    rows = [(ASKED[0], "a", 2), (ASKED[0], "a", 2), (ASKED[0], "b", 1), (ASKED[0], "", 4), (ASKED[0], "", 4)]
    repeated = read_day([page(rows, total=7)], ASKED)
    assert (repeated.events, repeated.dropped.duplicates, repeated.dropped.again) == (7, 1, 1)
    assert (repeated.whole, repeated.below_total) == (True, False)
    assert not read_day([page(rows, total=8)], ASKED).whole
    assert not read_day([page(rows, total=None)], ASKED).whole
