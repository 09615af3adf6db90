"""What is remembered of a property's quotas from one run to the next, by all of its links together."""

from datetime import UTC, datetime, timedelta

import pytest

from ga_sync.analytics.quota import Kind, QuotaState, QuotaStatus
from ga_sync.sync.quota import Memory, recall, remember

AT = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)  # 23:30 of the 22nd in Los Angeles
MINUTE = timedelta(minutes=1)
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
        (29 * MINUTE, {Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_HOUR}),
        (30 * MINUTE, {Kind.TOKENS_PER_HOUR}),  # midnight in Los Angeles
        (timedelta(minutes=59, seconds=59), {Kind.TOKENS_PER_HOUR}),
        (60 * MINUTE, set()),
    ],
)
def test_each_quota_is_remembered_for_its_own_window(after: timedelta, expected: set[Kind]) -> None:
    recalled = recall([remember(Memory(STATE, AT), AT)], AT + after).holds(AT + after)
    assert recalled is not None
    assert set(recalled.kinds) == expected
    assert all(recalled.kinds[kind] == STATE.kinds[kind] for kind in expected)


def test_where_nobody_said_anything_nothing_holds() -> None:
    assert recall([], AT) == Memory()
    assert recall([remember(Memory(), AT)], AT) == Memory()
    assert Memory().holds(AT) is None


def test_of_several_links_the_newest_word_counts() -> None:
    older = remember(Memory(QuotaState({Kind.TOKENS_PER_HOUR: QuotaStatus(1, 1)}), AT - MINUTE), AT)
    newer, silent = remember(Memory(STATE, AT), AT), remember(Memory(), AT)
    assert recall([silent, newer, older], AT).told == STATE


def test_what_links_did_adds_up_and_what_they_passed_on_counts_once() -> None:
    first = Memory(errors=[AT - 3 * MINUTE, AT - 2 * MINUTE], thresholded=[AT])
    both = recall([remember(first, AT), remember(Memory(errors=[AT - MINUTE]), AT)], AT)
    assert both.errors == [AT - 3 * MINUTE, AT - 2 * MINUTE, AT - MINUTE]
    assert recall([remember(first, AT), remember(both, AT)], AT) == both


def test_what_was_done_is_forgotten_after_an_hour() -> None:
    memory = Memory(errors=[AT - 60 * MINUTE, AT - 59 * MINUTE], thresholded=[AT - 61 * MINUTE, AT])
    kept = recall([remember(memory, AT)], AT)
    assert (kept.errors, kept.thresholded) == ([AT - 59 * MINUTE], [AT])
