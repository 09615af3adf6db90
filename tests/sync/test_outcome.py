"""Every way a run ends, and when the link's turn comes again."""

from datetime import UTC, datetime, timedelta

import pytest

from ga_sync.analytics import errors as google
from ga_sync.analytics.quota import Kind
from ga_sync.sync.errors import Parked
from ga_sync.sync.outcome import Outcome, settle
from models.run import RunStatus
from oauth.errors import GrantDead, GrantNotUsable, OauthError, OurFault, ScopeWider, TryLater

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = NOW + timedelta(minutes=17)
FAILED, PARTIAL = RunStatus.FAILED, RunStatus.PARTIAL


def ended(error: Exception | None, days_read: int = 0) -> Outcome:
    return settle(error, days_read, NOW, NOW + HOUR)


def test_a_run_that_read_all_it_wanted_has_succeeded() -> None:
    assert ended(None) == Outcome(RunStatus.SUCCEEDED, None, None, NOW + HOUR)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_run_parked_by_a_quota_is_partial_until_it_refills(kind: Kind) -> None:
    alarm = kind in {Kind.ADMIN_PER_DAY, Kind.ADMIN_PER_MINUTE}
    assert ended(Parked(kind, LATER)) == Outcome(
        PARTIAL, f"quota_{kind.value}", LATER, LATER, None, alarm=alarm
    )


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (google.DimensionUnknown("x", "run_report"), "dimension_unknown"),
        (google.PropertyForbidden("x", "run_report"), "property_forbidden"),
        (google.ScopeInsufficient("x", "run_report"), "scope_insufficient"),
        (google.NotFound("x", "run_report"), "not_found"),
    ],
)
def test_what_only_the_customer_can_mend_breaks_the_link(error: google.AnalyticsError, slug: str) -> None:
    assert ended(error, 3) == Outcome(FAILED, slug, None, NOW + DAY, broken=slug)


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (google.BadRequest("x", "run_report"), "bad_request"),
        (google.Incompatible("x", "run_report"), "incompatible"),
        (google.ServiceDisabled("x", "run_report"), "service_disabled"),
    ],
)
def test_our_own_faults_alarm_operators_and_break_nothing(error: google.AnalyticsError, slug: str) -> None:
    assert ended(error, 3) == Outcome(FAILED, slug, NOW + HOUR, NOW + HOUR, None, alarm=True)


def test_a_401_that_stays_fails_the_run_and_breaks_nothing() -> None:
    error = google.Unauthenticated("x", "run_report")
    assert ended(error, 3) == Outcome(FAILED, "unauthenticated", NOW + HOUR, NOW + HOUR)


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (google.GoogleUnavailable("x", "run_report"), "google_unavailable"),
        (google.MalformedAnswer("x", "run_report"), "malformed_answer"),
        (TryLater("ReadTimeout"), "token_unavailable"),
        (ScopeWider(), "token_unavailable"),
    ],
)
def test_what_passes_leaves_a_run_partial_if_it_read_anything(error: Exception, slug: str) -> None:
    assert ended(error, 1) == Outcome(PARTIAL, slug, NOW + HOUR, NOW + HOUR)
    assert ended(error, 0) == Outcome(FAILED, slug, NOW + HOUR, NOW + HOUR)


@pytest.mark.parametrize("error", [GrantDead("invalid_grant"), GrantNotUsable("revoking")])
def test_a_dead_grant_is_tried_again_slowly(error: OauthError) -> None:
    assert ended(error, 3) == Outcome(FAILED, "grant_dead", None, NOW + DAY)


def test_a_refused_client_alarms_operators() -> None:
    assert ended(OurFault("client"), 3) == Outcome(
        FAILED, "client_refused", NOW + HOUR, NOW + HOUR, None, alarm=True
    )
