"""Runs that Google refuses or disturbs: how they end, what they leave, and who is told."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ga_sync.analytics import errors as google
from ga_sync.analytics.quota import Kind, QuotaState, QuotaStatus
from jobs.registry import Again
from models.link import LinkStatus
from models.run import RunStatus
from tests.sync.bench import BACKFILL, INTERVAL, TODAY, Bench, back, held_signals
from tests.sync.fake_google import BUYERS, RETURNING

REPORT = "run_report"


def unavailable(method: str = REPORT) -> google.GoogleUnavailable:
    return google.GoogleUnavailable("backend error", method)


def quota(kind: Kind, remaining: int, consumed: int = 1) -> QuotaState:
    return QuotaState(
        {
            Kind.TOKENS_PER_DAY: QuotaStatus(consumed, 199_000),
            kind: QuotaStatus(consumed, remaining),
        }
    )


# Refusals.


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (google.DimensionUnknown("x", REPORT), "dimension_unknown"),
        (google.PropertyForbidden("x", REPORT), "property_forbidden"),
        (google.ScopeInsufficient("x", REPORT), "scope_insufficient"),
        (google.NotFound("x", REPORT), "not_found"),
    ],
)
def test_a_refusal_for_the_customer_breaks_the_link_until_a_run_goes_well(
    bench: Bench, error: google.AnalyticsError, slug: str
) -> None:
    bench.google.fail(REPORT, error)
    outcome = bench.sync()
    row, run = bench.row(), bench.last_run
    assert (run.status, run.error, run.retry_at, run.days_left) == (RunStatus.FAILED, slug, None, BACKFILL)
    assert (row.status, row.reason, row.as_of) == (LinkStatus.BROKEN, slug, None)
    assert outcome.at == bench.clock() + timedelta(days=1)
    assert bench.grant_status() == "active"
    bench.sync()
    assert (bench.row().status, bench.row().reason) == (LinkStatus.ACTIVE, None)


def test_a_broken_link_heals_as_soon_as_reports_are_answered(bench: Bench) -> None:
    bench.change_link(status=LinkStatus.BROKEN, reason="property_forbidden")
    bench.google.quota = quota(Kind.TOKENS_PER_HOUR, 1)
    bench.sync()
    assert bench.last_run.status == RunStatus.PARTIAL
    assert bench.row().status == LinkStatus.ACTIVE


def test_a_broken_link_stays_broken_while_nothing_is_answered(bench: Bench) -> None:
    bench.change_link(status=LinkStatus.BROKEN, reason="property_forbidden")
    bench.google.fail("property", *[unavailable("property")] * 3)
    bench.sync()
    assert (bench.row().status, bench.row().reason) == (LinkStatus.BROKEN, "property_forbidden")


def test_a_refusal_in_the_middle_keeps_the_days_that_were_read(bench: Bench) -> None:
    def forbid(_method: str) -> None:
        if len(bench.google.days_asked()) == 3:
            bench.google.fail(REPORT, google.PropertyForbidden("x", REPORT))

    bench.google.before = forbid
    bench.sync()
    assert set(bench.states()) == {back(0), back(1)}
    assert (bench.last_run.status, bench.last_run.days_left) == (RunStatus.FAILED, 4)
    assert bench.row().generation == 1


@pytest.mark.parametrize(
    "error",
    [
        google.ServiceDisabled("x", "property"),
        google.BadRequest("x", "property"),
        google.Incompatible("x", "property"),
    ],
)
def test_our_own_fault_alarms_operators_and_breaks_no_link(
    bench: Bench, error: google.AnalyticsError
) -> None:
    bench.google.fail("property", error)
    with capture_logs() as logs:
        outcome = bench.sync()
    alarms = [line for line in logs if line["event"] == "sync_needs_operator"]
    assert [line["error"] for line in alarms] == [error.slug.replace("-", "_")]
    assert (bench.last_run.status, bench.row().status) == (RunStatus.FAILED, LinkStatus.ACTIVE)
    assert outcome.at == bench.regular()


def test_a_failed_listing_changes_nothing_but_the_run(bench: Bench) -> None:
    bench.sync()
    before = bench.row()
    bench.clock.advance(INTERVAL)
    bench.google.fail("audiences", *[unavailable("audiences")] * 3)
    bench.sync()
    after, run = bench.row(), bench.last_run
    assert (run.status, run.error, run.days_left) == (RunStatus.FAILED, "google_unavailable", 4)
    assert (after.generation, after.as_of) == (before.generation, before.as_of)
    assert after.segments_checked_at == before.segments_checked_at


# Stale tokens.


def test_a_401_is_answered_with_one_fresh_token(bench: Bench) -> None:
    bench.google.fail(REPORT, google.Unauthenticated("stale", REPORT))
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED
    first, second = [call.token for call in bench.google.calls if call.day == TODAY]
    assert first != second
    assert bench.google.calls[-1].token == second


def test_a_401_that_stays_fails_the_run_and_the_grant_stays_active(bench: Bench) -> None:
    bench.google.fail(REPORT, *[google.Unauthenticated("stale", REPORT)] * 2)
    outcome = bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "unauthenticated")
    assert bench.google.days_asked() == [TODAY, TODAY]
    assert bench.grant_status() == "active"
    assert bench.row().status == LinkStatus.ACTIVE
    assert outcome.at == bench.regular()


def test_a_dead_grant_fails_the_run_and_is_tried_again_slowly(bench: Bench) -> None:
    bench.oauth.set_mood("invalid_grant")
    outcome = bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "grant_dead")
    assert bench.grant_status() == "reconsent_required"
    assert outcome.at == bench.clock() + timedelta(days=1)
    assert bench.google.calls == []
    assert (bench.row().generation, bench.row().as_of) == (0, None)


def test_a_token_endpoint_that_fails_is_asked_again_at_the_next_turn(bench: Bench) -> None:
    bench.oauth.set_mood("html_503")
    outcome = bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "token_unavailable")
    assert bench.grant_status() == "active"
    assert outcome.at == bench.regular()


def test_a_refused_client_is_the_operators_alarm(bench: Bench) -> None:
    bench.oauth.set_mood("invalid_client")
    with capture_logs() as logs:
        bench.sync()
    assert "sync_needs_operator" in [line["event"] for line in logs]
    assert bench.last_run.error == "client_refused"
    assert bench.grant_status() == "active"


# Google's own errors.


@pytest.mark.parametrize("error", [unavailable(), google.MalformedAnswer("x", REPORT)])
def test_google_s_failures_are_tried_again_at_most_twice(bench: Bench, error: google.AnalyticsError) -> None:
    bench.google.fail(REPORT, error, error)
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED
    assert bench.waits == [3.0, 12.0]
    assert bench.google.days_asked()[:4] == [TODAY, TODAY, TODAY, back(1)]
    assert bench.last_run.requests == BACKFILL + 2 + 2


def test_the_third_failure_ends_the_run(bench: Bench) -> None:
    bench.google.fail(REPORT, *[unavailable()] * 3)
    outcome = bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "google_unavailable")
    assert bench.google.days_asked() == [TODAY] * 3
    assert bench.last_run.requests == 3
    assert outcome.at == bench.regular() == bench.last_run.retry_at


def test_after_some_days_it_ends_the_run_as_partial(bench: Bench) -> None:
    def fail(_method: str) -> None:
        if len(bench.google.days_asked()) == 2:
            bench.google.fail(REPORT, *[unavailable()] * 3)

    bench.google.before = fail
    bench.sync()
    run = bench.last_run
    assert (run.status, run.days_read, run.days_left) == (RunStatus.PARTIAL, 1, BACKFILL - 1)
    assert set(bench.states()) == {TODAY}


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "Europe", "../etc/passwd"])
def test_a_time_zone_that_nobody_knows_is_a_malformed_answer(bench: Bench, zone: str) -> None:
    bench.google.move_to(zone)
    bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "malformed_answer")
    assert bench.row().time_zone == "Europe/Berlin"


# Surprises.


def test_an_unforeseen_error_closes_the_run_and_is_raised(bench: Bench) -> None:
    def burst(_method: str) -> None:
        if len(bench.google.days_asked()) == 2:
            raise ZeroDivisionError

    bench.google.before = burst
    task = bench.claim()
    with pytest.raises(ZeroDivisionError):
        bench.pipeline()(task, held_signals())
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "internal")
    assert bench.stored() == 1
    bench.google.before = lambda _method: None
    bench.settle(task, Again(bench.clock()))
    bench.sync()
    assert [run.status for run in bench.runs()] == [RunStatus.FAILED, RunStatus.SUCCEEDED]
    assert bench.stored() == BACKFILL
    assert bench.days()[TODAY] == {
        BUYERS: {"buyer-0-0", "buyer-0-1", "buyer-0-2", "often"},
        RETURNING: {"often"},
    }
