"""Google's refusals, row by row, in Google's words: from what gRPC brings to what becomes of run, link and people."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.api_core import exceptions as api
from google.rpc.error_details_pb2 import ErrorInfo
from structlog.testing import capture_logs

from ga_sync.accounts.views import LINK_ACTIONS
from ga_sync.analytics.errors import AnalyticsError, classify
from tests.clock import NOON
from tests.sync.bench import BACKFILL, TODAY, Bench

_FROM_STATUS: Any = api.from_grpc_status
MIDNIGHT = datetime(2026, 11, 24, 8, 5, tzinfo=UTC)
"""Five past midnight in Los Angeles, after noon in UTC."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEARN = "To learn more, see https://developers.google.com/analytics/devguides/reporting/data/v1/quotas"


@dataclass(frozen=True)
class Row:
    """What Google says so often, and what must become of it.

    Attributes:
        again: how long after the run the link's turn comes, at least; None for its regular turn.
        within: how much later it may come, for retries are spread.
    """

    code: str
    said: str
    times: int
    status: str
    error: str | None
    link: str = "active"
    reason: str = ""
    alarm: bool = False
    again: timedelta | None = None
    within: timedelta = timedelta(0)
    asked: int | None = None
    waited: int = 0


ROWS = {
    "400 archived": Row(
        "INVALID_ARGUMENT",
        "Field customEvent:sessioncam_id is not a valid dimension. For a list of valid dimensions and metrics, see …",
        1,
        "failed",
        "dimension_unknown",
        link="broken",
        again=DAY,
        asked=1,
    ),
    "401 once": Row(
        "UNAUTHENTICATED", "Request had invalid authentication credentials.", 1, "succeeded", None
    ),
    "401 twice": Row(
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials.",
        2,
        "failed",
        "unauthenticated",
        asked=2,
    ),
    "403": Row(
        "PERMISSION_DENIED",
        "User does not have sufficient permissions for this property.",
        1,
        "failed",
        "property_forbidden",
        link="broken",
        again=DAY,
        asked=1,
    ),
    "403 disabled": Row(
        "PERMISSION_DENIED",
        "Google Analytics Data API has not been used in project 1 before or it is disabled.",
        1,
        "failed",
        "service_disabled",
        reason="SERVICE_DISABLED",
        alarm=True,
        asked=1,
    ),
    "403 scope": Row(
        "PERMISSION_DENIED",
        "Request had insufficient authentication scopes.",
        1,
        "failed",
        "scope_insufficient",
        link="broken",
        reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        again=DAY,
        asked=1,
    ),
    "429 day": Row(
        "RESOURCE_EXHAUSTED",
        "Exhausted property tokens per day. These quota tokens will return in under 24 hours.",
        1,
        "partial",
        "quota_tokens_per_day",
        again=MIDNIGHT - NOON,
        within=timedelta(minutes=5),
        asked=1,
    ),
    "429 hour": Row(
        "RESOURCE_EXHAUSTED",
        f"Exhausted property tokens per hour. {LEARN}",
        1,
        "partial",
        "quota_tokens_per_hour",
        again=HOUR,
        asked=1,
    ),
    "429 project": Row(
        "RESOURCE_EXHAUSTED",
        f"Exhausted property tokens for a project per hour. These quota tokens will return in under an hour. {LEARN}",
        1,
        "partial",
        "quota_tokens_per_project_per_hour",
        again=HOUR,
        asked=1,
    ),
    "429 thresholded": Row(
        "RESOURCE_EXHAUSTED",
        f"Exhausted potentially thresholded requests quota. This quota will refresh in under an hour. {LEARN}",
        1,
        "partial",
        "quota_thresholded",
        again=HOUR,
        asked=1,
    ),
    "429 server errors": Row(
        "RESOURCE_EXHAUSTED",
        "Exhausted server errors quota.",
        1,
        "partial",
        "quota_server_errors",
        again=HOUR,
        asked=1,
    ),
    "429 concurrent": Row(
        "RESOURCE_EXHAUSTED", "Exhausted concurrent requests quota.", 1, "succeeded", None, waited=1
    ),
    "429 concurrent twice": Row(
        "RESOURCE_EXHAUSTED",
        "Exhausted concurrent requests quota.",
        2,
        "partial",
        "quota_concurrent_requests",
        again=timedelta(seconds=30),
        within=timedelta(seconds=15),
        asked=2,
        waited=1,
    ),
    "500": Row("INTERNAL", "Internal error encountered.", 2, "succeeded", None, waited=2),
    "503": Row("UNAVAILABLE", "The service is currently unavailable.", 2, "succeeded", None, waited=2),
    "503 thrice": Row(
        "UNAVAILABLE",
        "The service is currently unavailable.",
        3,
        "failed",
        "google_unavailable",
        asked=3,
        waited=2,
    ),
}


def refusal(row: Row) -> AnalyticsError:
    """As the client raises it for what comes over the wire."""
    info = ErrorInfo(reason=row.reason) if row.reason else None
    raised = _FROM_STATUS(
        grpc.StatusCode[row.code], row.said, details=[info] if info else [], error_info=info
    )
    return classify(raised, "run_report")


@pytest.mark.parametrize("name", ROWS)
def test_each_row_of_the_table_becomes_what_it_says(bench: Bench, name: str) -> None:
    row = ROWS[name]
    bench.google.fail("run_report", *[refusal(row) for _ in range(row.times)])
    with capture_logs() as logs:
        outcome = bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (row.status, row.error)
    assert (bench.row().status, bench.row().reason) == (
        row.link,
        row.error if row.link == "broken" else None,
    )
    assert bench.grant_status() == "active"
    assert ("sync_needs_operator" in [line["event"] for line in logs]) is row.alarm
    assert bench.google.days_asked() == [TODAY] * row.asked if row.asked else len(bench.states()) == BACKFILL
    assert len(bench.waits) == row.waited
    if row.again is None:
        assert outcome.at == bench.regular()
    else:
        wait = outcome.at - bench.clock()
        assert row.again - timedelta(seconds=1) <= wait <= row.again + row.within
    if row.link == "broken":
        assert LINK_ACTIONS[str(row.error)].endswith(".")
