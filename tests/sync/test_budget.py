"""The Admin API's calls of a day: counted by all processes, spent when due, and never the end of a sync."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest

from ga_sync.analytics.errors import MalformedAnswer, QuotaExhausted
from ga_sync.analytics.quota import Kind
from ga_sync.sync.budget import AdminBudget, pacific_day
from models.budget import Budget
from models.run import RunStatus
from tests.sync.bench import BACKFILL, INTERVAL, Bench
from tests.sync.fake_google import BORN, BUYERS, audience


def admin_calls(bench: Bench) -> list[str]:
    """The Admin API's methods since the last look."""
    methods = [call.method for call in bench.google.calls if call.method != "run_report"]
    bench.google.calls.clear()
    return methods


def turn(bench: Bench, after: timedelta = INTERVAL) -> int:
    """The link's own next turn, and how many listings it made; facts come with one a day, when it falls so."""
    bench.clock.advance(after)
    bench.sync(wanted=False)
    return admin_calls(bench).count("audiences")


def test_two_processes_count_together_and_stop_at_the_limit(bench: Bench) -> None:
    one, other = (AdminBudget(bench.data, 5, bench.clock) for _ in range(2))
    with ThreadPoolExecutor(4) as pool:
        for budget in (one, other) * 2:
            pool.submit(budget.count, "list_audiences").result()
    one.count("get_property")
    with pytest.raises(QuotaExhausted) as refusal:
        other.count("get_property")
    assert refusal.value.kind is Kind.ADMIN_PER_DAY
    assert (one.spent(), other.spent()) == (5, 5)


def test_reports_are_another_quota_s(bench: Bench) -> None:
    budget = AdminBudget(bench.data, 1, bench.clock)
    for _ in range(3):
        budget.count("run_report")
    assert budget.spent() == 0


def test_the_day_turns_at_midnight_pacific_and_old_days_go(bench: Bench) -> None:
    assert pacific_day(datetime(2026, 11, 23, 7, 59, tzinfo=UTC)) == date(2026, 11, 22)
    budget = AdminBudget(bench.data, 1, bench.clock)
    budget.count("get_property")
    bench.clock.advance(timedelta(days=9))
    budget.count("get_property")
    assert budget.spent() == 1
    with bench.data.reading() as session:
        assert [row.day for row in session.query(Budget)] == [pacific_day(bench.clock())]


def test_links_are_counted_every_ten_minutes(bench: Bench) -> None:
    budget = AdminBudget(bench.data, 10, bench.clock)
    assert budget.interval() == timedelta(hours=3)
    bench.make_link("properties/1")
    assert budget.interval() == timedelta(hours=3)
    bench.clock.advance(timedelta(minutes=10))
    assert budget.interval() == timedelta(days=1) / 3.5
    bench.clock.advance(-timedelta(days=1))
    bench.make_link("properties/2")
    assert budget.interval() == timedelta(days=1) / 2


def test_the_first_turn_of_a_link_reads_everything(bench: Bench) -> None:
    bench.sync(wanted=False)
    assert admin_calls(bench) == ["property", "audiences"]
    assert bench.row().segments_checked_at == bench.clock()


def test_a_turn_lists_once_an_hour_and_reads_facts_once_a_day(bench: Bench) -> None:
    bench.sync(wanted=False)
    admin_calls(bench)
    for _ in range(24):
        bench.clock.advance(INTERVAL)
        bench.sync(wanted=False)
    calls = admin_calls(bench)
    assert (calls.count("audiences"), calls.count("property")) == (24, 1)


def test_between_two_listings_the_held_segments_serve(bench: Bench) -> None:
    bench.sync(wanted=False)
    listed_at = bench.clock()
    admin_calls(bench)
    bench.google.rename(BUYERS, "Customers")
    assert turn(bench, timedelta(minutes=20)) == 0
    row = bench.row()
    assert (row.segments_checked_at, row.generation, bench.names()[BUYERS][0]) == (listed_at, 2, "Buyers")
    assert bench.last_run.status == RunStatus.SUCCEEDED
    assert turn(bench, timedelta(minutes=40)) == 1
    assert bench.names()[BUYERS][0] == "Customers"


def test_a_person_s_wish_is_listed_at_once(bench: Bench) -> None:
    bench.sync(wanted=False)
    admin_calls(bench)
    bench.clock.advance(timedelta(minutes=1))
    bench.sync()
    assert admin_calls(bench) == ["property", "audiences"]
    assert bench.row().segments_checked_at == bench.clock()


def test_a_spent_budget_stops_listings_and_no_sync(bench: Bench) -> None:
    bench.admin_budget = 4
    bench.sync(wanted=False)
    listed_at = bench.clock()
    bench.clock.advance(timedelta(hours=12))
    bench.budget().count("get_property")
    bench.budget().count("get_property")
    admin_calls(bench)
    bench.sync()
    assert admin_calls(bench) == []
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.SUCCEEDED, None)
    assert bench.row().segments_checked_at == listed_at
    assert turn(bench) == 0
    assert turn(bench, timedelta(hours=20)) == 1


def test_turns_leave_people_their_part(bench: Bench) -> None:
    bench.admin_budget = 20
    bench.sync(wanted=False)
    bench.clock.advance(timedelta(hours=6))
    for _ in range(16):
        bench.budget().count("get_property")
    admin_calls(bench)
    bench.sync(wanted=False)
    assert admin_calls(bench) == []
    bench.sync()
    assert admin_calls(bench) == ["property", "audiences"]


def test_a_new_link_waits_for_the_day_s_turn_when_nothing_is_left(bench: Bench) -> None:
    bench.admin_budget = 1
    outcome = bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.PARTIAL, "quota_admin_per_day")
    assert bench.last_run.days_left == BACKFILL
    assert outcome.at >= datetime(2026, 11, 24, 8, 5, tzinfo=UTC)


def test_while_a_quota_is_short_nothing_is_listed_either(bench: Bench) -> None:
    bench.sync(wanted=False)
    admin_calls(bench)
    bench.google.fail(
        "run_report", QuotaExhausted("Exhausted property tokens per day", "run_report", Kind.TOKENS_PER_DAY)
    )
    assert turn(bench) == 1
    bench.google.quota = None
    bench.sync(wanted=False)
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_an_audience_without_clauses_is_told_apart_by_the_property_s_birth(bench: Bench) -> None:
    bench.google.listed.append(audience("101", "Alle Nutzer", clauses=False, made=BORN))
    bench.sync(wanted=False)
    pipeline = bench.pipeline()
    admin_calls(bench)
    calls = []
    for _ in range(2):
        bench.clock.advance(INTERVAL)
        bench.sync(pipeline, wanted=False)
        calls.append(admin_calls(bench))
    assert calls[0].count("property") == 1
    assert calls[1] in (["audiences"], ["property", "audiences"])
    assert "101" not in bench.names()


def test_a_zone_that_nobody_knows_in_a_report_is_a_malformed_answer(bench: Bench) -> None:
    bench.google.reported_zone = "Mars/Olympus"
    bench.sync(wanted=False)
    assert (bench.last_run.status, bench.last_run.error) == (
        RunStatus.FAILED,
        MalformedAnswer.slug.replace("-", "_"),
    )


def test_a_report_tells_a_moved_property_before_the_facts_are_due(bench: Bench) -> None:
    bench.sync(wanted=False)
    admin_calls(bench)
    bench.google.reported_zone = "Asia/Tokyo"
    assert turn(bench) == 1
    assert bench.row().time_zone == "Asia/Tokyo"
    today = bench.clock().date()
    assert "time_zone_changed" in bench.states()[today][1]
    assert {row.time_zone for day, row in bench.readings().items() if "young" in row.reasons} == {
        "Asia/Tokyo"
    }


def test_another_name_of_the_same_zone_is_no_move(bench: Bench) -> None:
    bench.google.reported_zone = "Europe/Paris"
    bench.sync(wanted=False)
    assert bench.row().time_zone == "Europe/Berlin"
