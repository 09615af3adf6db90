"""The plan and the spending of a property, as a link shows them."""

from datetime import UTC, datetime, timedelta

from ga_sync.accounts.views import quota
from ga_sync.analytics.quota import Kind, QuotaState, QuotaStatus
from ga_sync.sync.quota import Memory, remember
from models.link import Link
from models.run import Run
from tests.web.bench import House

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def link(memory: Memory | None) -> Link:
    kept = None if memory is None else remember(memory, NOW)
    return Link(service_level="GOOGLE_ANALYTICS_STANDARD", quota=kept, segments_checked_at=NOW)


def test_before_the_first_run_nothing_is_known() -> None:
    assert quota(link(None), None) is None


def test_what_google_told_stands_beside_its_limit_and_our_plan() -> None:
    told = QuotaState({Kind.TOKENS_PER_HOUR: QuotaStatus(3, 19_000)})
    memory = Memory(told, NOW, errors=[NOW], thresholded=[NOW] * 5)
    parked = Run(error="quota_tokens_per_hour", retry_at=NOW + timedelta(hours=1), days_left=7)
    assert quota(link(memory), parked) == {
        "tokens_per_hour": {"consumed": 3, "remaining": 19_000, "limit": 40_000},
        "plan": {
            "stopped_by": "quota_tokens_per_hour",
            "goes_on_at": "2026-11-23T13:00:00Z",
            "days_left": 7,
            "told_at": "2026-11-23T12:00:00Z",
            "segments_checked_at": "2026-11-23T12:00:00Z",
            "server_errors": 1,
            "thresholded_requests": 5,
        },
    }


def test_a_run_that_nothing_stopped_has_no_plan_but_its_turn() -> None:
    found = quota(link(Memory()), Run(error=None, days_left=0))
    assert found is not None
    assert (found["plan"]["stopped_by"], found["plan"]["goes_on_at"]) == (None, None)
    assert quota(link(Memory()), None) is not None


def test_a_synchronised_link_shows_it_at_the_door(fresh: House) -> None:
    _, link_id = fresh.linked()
    shown = fresh.call("GET", f"/v1/links/{link_id}")["quota"]
    assert shown["tokens_per_day"]["limit"] == 200_000
    assert shown["plan"]["stopped_by"] is None
