"""What is remembered of a property's quotas from one run to the next."""

from datetime import UTC, datetime, timedelta

import pytest

from ga_sync.analytics.quota import Kind, QuotaState, QuotaStatus
from ga_sync.sync.quota import recall, remember

AT = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)  # 23:30 of the 22nd in Los Angeles
STATE = QuotaState(
    {
        Kind.TOKENS_PER_DAY: QuotaStatus(3, 1000),
        Kind.TOKENS_PER_HOUR: QuotaStatus(3, 100),
        Kind.CONCURRENT_REQUESTS: QuotaStatus(None, 4),
    }
)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(0), {Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_HOUR}),
        (timedelta(minutes=29), {Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_HOUR}),
        (timedelta(minutes=30), {Kind.TOKENS_PER_HOUR}),  # midnight in Los Angeles
        (timedelta(minutes=59, seconds=59), {Kind.TOKENS_PER_HOUR}),
        (timedelta(hours=1), set()),
    ],
)
def test_each_quota_is_remembered_for_its_own_window(after: timedelta, expected: set[Kind]) -> None:
    recalled = recall(remember(STATE, AT, None), AT + after)
    assert recalled is not None
    assert set(recalled.kinds) == expected
    assert all(recalled.kinds[kind] == STATE.kinds[kind] for kind in expected)


def test_where_google_said_nothing_the_former_memory_stays_with_its_time() -> None:
    before = remember(STATE, AT, None)
    assert remember(None, AT + timedelta(hours=5), before) == before
    assert remember(None, AT, None) is None
    assert recall(None, AT) is None
