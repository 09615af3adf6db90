"""Runs that Google refuses, disturbs or slows down: how they end, what they leave, and who is told."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ga_sync.analytics import errors as google
from ga_sync.analytics.answers import Flags
from ga_sync.analytics.quota import Kind, QuotaState, QuotaStatus
from jobs.registry import Again
from models.link import LinkStatus
from models.run import RunStatus
from tests.sync.bench import BACKFILL, INTERVAL, TODAY, Bench, back, held_signals
from tests.sync.fake_google import BUYERS, RETURNING, FakeAnalytics

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


def members(bench: Bench) -> dict[str, set[str]]:
    return {number: set(ids) for number, ids in bench.google.members[TODAY].items()}


# Rows that come and go between pages.


def test_row_counts_that_differ_between_pages_are_read_again_at_once(bench: Bench) -> None:
    bench.google.page_size = 3
    bench.google.row_counts.extend([5, 6])
    bench.sync()
    assert [call.offset for call in bench.google.calls if call.day == TODAY] == [0, 3, 5, 0, 3]
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
    assert outcome.at == bench.clock() + INTERVAL


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
    assert outcome.at == bench.clock() + INTERVAL


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
    assert outcome.at == bench.clock() + INTERVAL


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
    assert outcome.at == bench.clock() + INTERVAL == bench.last_run.retry_at


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


# Quotas.


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
