"""Numbers for pictures: lines, bars, weeks, quotas."""

from datetime import date, timedelta
from typing import Any

from ga_sync.web.admin.spending import meters, runs_chart, tokens_chart, took
from ga_sync.web.console.drawing import bars, points, weeks
from ga_sync.web.customer.progress import read_so_far

RUN = {"status": "succeeded", "started_at": "2026-11-03T10:00:00Z", "finished_at": "2026-11-03T10:00:05Z"}


def test_a_line_touches_the_top_at_its_highest_value() -> None:
    assert points([0, 5, 10], 96, 24) == "0.0,23.0 48.0,12.0 96.0,1.0"
    assert points([], 96, 24) == ""
    assert points([0], 96, 24) == "0.0,23.0"


def test_bars_are_never_invisible_unless_nothing() -> None:
    drawn = bars([(0, "a", "none"), (1, "b", "one"), (1000, "c", "many")], 300, 100)
    assert [bar.height for bar in drawn] == [0.0, 1.0, 100.0]
    assert [bar.label for bar in drawn] == ["none", "one", "many"]
    assert bars([], 300, 100) == []


def test_weeks_begin_on_monday_newest_first() -> None:
    first = date(2026, 11, 5)  # a Thursday
    days = [{"day": (first + timedelta(number)).isoformat()} for number in range(6)]
    found = weeks(days)
    assert [week.monday for week in found] == [date(2026, 11, 9), date(2026, 11, 2)]
    assert [one and one["day"] for one in found[1].days][:4] == [None, None, None, "2026-11-05"]
    assert weeks([]) == []


def test_runs_as_charts_oldest_first_and_only_what_has_happened() -> None:
    waiting = {"status": "queued", "started_at": None, "finished_at": None, "tokens": 0}
    going = {"status": "running", "started_at": "2026-11-03T11:00:00Z", "finished_at": None, "tokens": 7}
    runs: list[dict[str, Any]] = [waiting, going, {**RUN, "tokens": 24}]
    assert took(runs[0]) is None
    assert took(runs[2]) == 5.0
    assert [bar.label for bar in runs_chart(runs)] == ["3 Nov 2026, 10:00 UTC: 5.0 s, succeeded"]
    assert [bar.label.rpartition(": ")[2] for bar in tokens_chart(runs)] == ["24 tokens", "7 tokens"]


def test_a_quota_without_numbers_is_not_drawn() -> None:
    told = {
        "tokens_per_day": {"consumed": 10, "remaining": 60, "limit": 100},
        "tokens_per_hour": {"consumed": 0, "remaining": 0, "limit": 40},
        "new_kind": {"consumed": None, "remaining": 5},
        "unknown": {"remaining": None},
        "empty": {"consumed": 0, "remaining": 0},
        "odd": 3,
    }
    assert [(meter.name, meter.remaining, meter.total) for meter in meters(told)] == [
        ("Tokens a day", 60, 100),
        ("Tokens an hour", 0, 40),
        ("new kind", 5, 5),
    ]
    assert meters(None) == []


def test_days_that_a_run_has_read_count_before_they_are_published() -> None:
    days = [{"day": f"2026-11-0{number}", "state": "missing"} for number in (1, 2, 3)]
    shown = read_so_far(days, {"status": "running", "days_read": 2})
    assert [one["state"] for one in shown] == ["read", "read", "missing"]
    assert [one["state"] for one in read_so_far(days, {"status": "failed", "days_read": 2})] == [
        "missing"
    ] * 3
    assert read_so_far(days, None)[0]["day"] == "2026-11-03"
