"""Quotas of the property and of our own project: refused, short, remembered, shared."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ga_sync.analytics import errors as google
from ga_sync.analytics.quota import Kind, QuotaState, QuotaStatus
from models.link import LinkStatus
from models.run import RunStatus
from tests.sync.bench import BACKFILL, TODAY, Bench, back
from tests.sync.fake_google import FakeAnalytics

REPORT = "run_report"


def quota(kind: Kind, remaining: int, consumed: int = 1) -> QuotaState:
    return QuotaState(
        {
            Kind.TOKENS_PER_DAY: QuotaStatus(consumed, 199_000),
            kind: QuotaStatus(consumed, remaining),
        }
    )


def test_a_refused_quota_parks_the_run_until_it_refills(bench: Bench) -> None:
    refusal = google.QuotaExhausted("Exhausted property tokens per day", REPORT, Kind.TOKENS_PER_DAY)
    bench.google.fail(REPORT, refusal)
    outcome = bench.sync()
    run = bench.last_run
    just_after_midnight = datetime(2026, 11, 24, 8, 5, tzinfo=UTC)
    assert (run.status, run.error) == (RunStatus.PARTIAL, "quota_tokens_per_day")
    assert just_after_midnight <= outcome.at < just_after_midnight + timedelta(minutes=5)
    assert (run.retry_at, run.days_left, run.requests) == (outcome.at, BACKFILL, 1)
    assert bench.row().status == LinkStatus.ACTIVE


def test_the_admin_api_s_quota_parks_too_and_alarms_operators(bench: Bench) -> None:
    refusal = google.QuotaExhausted("per minute", "audiences", Kind.ADMIN_PER_MINUTE)
    bench.google.fail("audiences", refusal)
    with capture_logs() as logs:
        outcome = bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.PARTIAL, "quota_admin_per_minute")
    assert bench.last_run.days_left == BACKFILL
    assert outcome.at == bench.clock() + timedelta(seconds=90)
    assert "sync_needs_operator" in [line["event"] for line in logs]


@pytest.mark.parametrize(
    ("kind", "wall"),
    [
        (Kind.TOKENS_PER_HOUR, 20_000),
        (Kind.TOKENS_PER_PROJECT_PER_HOUR, 1_400),
        (Kind.THRESHOLDED, 60),
        (Kind.SERVER_ERRORS, 5),
        (Kind.CONCURRENT_REQUESTS, 5),
    ],
)
def test_no_request_starts_while_less_than_our_share_is_left(bench: Bench, kind: Kind, wall: int) -> None:
    bench.google.quota = quota(kind, wall, consumed=3)
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED
    bench.clock.advance(timedelta(hours=2))
    bench.google.calls.clear()
    bench.google.quota = quota(kind, wall - 1, consumed=3)
    outcome = bench.sync()
    run = bench.last_run
    assert (run.status, run.error) == (RunStatus.PARTIAL, f"quota_{kind.value}")
    assert bench.google.days_asked() == [TODAY]
    assert (run.requests, run.tokens, run.days_read) == (1, 3, 1)
    assert run.retry_at == outcome.at > bench.clock()


def test_what_was_told_of_the_hour_is_remembered_within_it_and_not_beyond(bench: Bench) -> None:
    bench.google.quota = quota(Kind.TOKENS_PER_HOUR, 100)
    bench.sync()
    bench.google.quota = None
    bench.google.calls.clear()
    bench.clock.advance(timedelta(minutes=40))
    bench.sync()
    assert (bench.google.days_asked(), bench.last_run.error) == ([], "quota_tokens_per_hour")
    bench.clock.advance(timedelta(minutes=20))  # a run that heard nothing new did not prolong it
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_another_customer_s_link_of_the_same_property_shares_the_memory(bench: Bench) -> None:
    bench.google.quota = quota(Kind.TOKENS_PER_HOUR, 100)
    bench.sync()
    bench.google.calls.clear()
    bench.link_id = bench.make_link(customer="rival")
    bench.sync()
    assert bench.google.days_asked() == []
    bench.link_id = bench.make_link(property_name="properties/1", customer="rival")
    bench.google = FakeAnalytics(
        facts=bench.google.facts.__class__(
            "properties/1", "Other", "Europe/Berlin", None, "GOOGLE_ANALYTICS_360"
        )
    )
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_a_360_property_has_larger_quotas(bench: Bench) -> None:
    bench.google.quota = QuotaState({Kind.TOKENS_PER_HOUR: QuotaStatus(1, 100_000)})
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED
    bench.change_link(service_level="GOOGLE_ANALYTICS_360")
    bench.sync()
    assert bench.last_run.error == "quota_tokens_per_hour"


def parked_after(bench: Bench, reports: int) -> None:
    """Google refuses the n-th report."""

    def refuse(_method: str) -> None:
        if len(bench.google.days_asked()) == reports:
            bench.google.before = lambda _method: None
            bench.google.fail(REPORT, google.QuotaExhausted("tokens per hour", REPORT, Kind.TOKENS_PER_HOUR))

    bench.google.before = refuse


def test_the_turn_after_a_stop_goes_on_where_it_stopped(bench: Bench) -> None:
    parked_after(bench, 3)
    bench.sync(wanted=False)
    assert (bench.last_run.status, bench.last_run.days_read) == (RunStatus.PARTIAL, 2)
    bench.clock.advance(timedelta(hours=1))
    bench.google.calls.clear()
    parked_after(bench, 2)
    bench.sync(wanted=False)
    bench.clock.advance(timedelta(hours=1))
    bench.sync(wanted=False)
    assert sorted(set(bench.google.days_asked()), reverse=True) == [back(n) for n in range(2, BACKFILL)]
    assert bench.last_run.status == RunStatus.SUCCEEDED
    bench.google.calls.clear()
    bench.clock.advance(timedelta(hours=1))
    bench.sync(wanted=False)
    assert bench.google.days_asked() == [back(n) for n in range(4)]


def test_a_person_s_wish_after_a_stop_reads_everything(bench: Bench) -> None:
    parked_after(bench, 3)
    bench.sync(wanted=False)
    bench.clock.advance(timedelta(hours=1))
    bench.google.calls.clear()
    bench.sync()
    assert sorted(bench.google.days_asked(), reverse=True) == [back(n) for n in range(BACKFILL)]
