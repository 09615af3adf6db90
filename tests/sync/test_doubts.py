"""Answers that speak against themselves: rows that come and go, flags, totals, collapses."""

from datetime import timedelta

import pytest

from ga_sync.analytics.answers import Flags
from models.run import RunStatus
from tests.sync.bench import BACKFILL, INTERVAL, TODAY, Bench, back
from tests.sync.fake_google import BUYERS


def members(bench: Bench) -> dict[str, set[str]]:
    return {number: set(ids) for number, ids in bench.google.members[TODAY].items()}


# Rows that come and go between pages.


def test_row_counts_that_differ_between_pages_are_read_again_at_once(bench: Bench) -> None:
    bench.google.page_size = 3
    bench.google.row_counts.extend([5, 6])
    bench.sync()
    assert [call.offset for call in bench.google.calls if call.day == TODAY] == [0, 3, 0, 3]
    assert bench.states()[TODAY] == ("provisional", ("young",))
    assert bench.days()[TODAY] == members(bench)


def test_a_second_difference_makes_the_day_incomplete(bench: Bench) -> None:
    bench.google.page_size = 3
    bench.google.row_counts.extend([5, 6, 5, 6])
    bench.sync()
    assert bench.states()[TODAY] == ("incomplete", ("row_count", "young"))
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_of_two_readings_that_both_miss_rows_the_fuller_one_is_kept(bench: Bench) -> None:
    bench.google.row_counts.extend([9, 5, 9])

    def shrink(_method: str) -> None:
        if [call.offset for call in bench.google.calls if call.day == TODAY].count(0) > 1:
            bench.google.members[TODAY] = {BUYERS: ["often"]}

    bench.google.page_size = 5
    bench.google.before = shrink
    bench.sync()
    assert len(bench.days()[TODAY][BUYERS]) == 4


def test_rows_that_never_come_make_the_day_incomplete(bench: Bench) -> None:
    bench.google.row_counts.extend([900, 900, 900, 900])
    bench.sync()
    assert bench.states()[TODAY] == ("incomplete", ("row_count", "young"))


# What answers say against themselves.


@pytest.mark.parametrize(
    ("flags", "state", "reason"),
    [
        (Flags(data_loss_from_other_row=True), "incomplete", "other_row"),
        (Flags(sampled=True), "incomplete", "sampled"),
        (Flags(truncations=("41",)), "incomplete", "truncated"),
        (Flags(subject_to_thresholding=True), "suspect", "thresholded"),
    ],
)
def test_an_old_day_that_google_doubts_is_not_sealed_and_is_read_again(
    bench: Bench, flags: Flags, state: str, reason: str
) -> None:
    bench.google.flags[back(5)] = flags
    bench.sync()
    assert bench.states()[back(5)] == (state, (reason,))
    assert bench.readings()[back(5)].seen is None
    bench.google.flags.clear()
    bench.clock.advance(INTERVAL)
    bench.sync()
    assert bench.states()[back(5)] == ("complete", ())


def test_a_literal_other_makes_the_day_incomplete(bench: Bench) -> None:
    bench.google.members[back(5)][BUYERS].append("(other)")
    bench.sync()
    assert bench.states()[back(5)] == ("incomplete", ("other_value",))


def test_rows_below_the_total_make_the_day_incomplete(bench: Bench) -> None:
    bench.google.totals[back(5)] = 99
    bench.sync()
    assert bench.states()[back(5)] == ("incomplete", ("rows_below_total",))


def test_a_smaller_incomplete_reading_never_replaces_a_fuller_day(bench: Bench) -> None:
    bench.sync()
    before = bench.readings()[TODAY]
    bench.google.members[TODAY] = {BUYERS: ["only one"]}
    bench.google.flags[TODAY] = Flags(data_loss_from_other_row=True)
    bench.clock.advance(INTERVAL)
    bench.sync()
    assert bench.readings()[TODAY].reading_id == before.reading_id
    assert bench.states()[TODAY] == ("provisional", ("young",))
    assert bench.stored() == BACKFILL
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_a_collapse_shows_at_sealing_also_within_the_first_run(bench: Bench) -> None:
    bench.change_link(first_day=back(14))
    for n in range(15):
        ids = [f"id-{n}-{i}" for i in range(300)]
        bench.google.members[back(n)] = {BUYERS: ids[: 3 if n == 6 else 300]}
        bench.google.strangers[back(n)] = set(ids)
    bench.sync()
    assert bench.states()[back(6)] == ("suspect", ("collapse",))
    assert bench.readings()[back(6)].seen == 300
    assert {bench.states()[back(n)][0] for n in range(4, 15) if n != 6} == {"complete"}


def test_a_collapsed_reading_leaves_the_fuller_provisional_one_in_place(bench: Bench) -> None:
    bench.change_link(first_day=back(14))
    for n in range(15):
        ids = [f"id-{n}-{i}" for i in range(300)]
        bench.google.members[back(n)] = {BUYERS: ids}
    bench.sync()
    bench.google.strangers[back(3)] = set(bench.google.members[back(3)][BUYERS])
    bench.google.members[back(3)] = {BUYERS: ["id-3-0"]}
    bench.clock.advance(timedelta(days=1))
    bench.sync()
    assert bench.states()[back(3)] == ("provisional", ("young",))
    assert len(bench.days()[back(3)][BUYERS]) == 300
