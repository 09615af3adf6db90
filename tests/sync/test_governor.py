"""A guest's manners, one property at a time."""

from datetime import timedelta
from typing import Any

import pytest

from ga_sync.analytics.quota import STANDARD, Kind, QuotaState, QuotaStatus
from ga_sync.sync.errors import Parked
from ga_sync.sync.governor import Governor
from ga_sync.sync.quota import Memory, recall
from tests.clock import SettableClock

MINUTE = timedelta(minutes=1)


def governor(
    clock: SettableClock, memory: Memory | None = None, saved: list[dict[str, Any]] | None = None
) -> Governor:
    kept: list[dict[str, Any]] = [] if saved is None else saved
    return Governor(memory or Memory(), STANDARD, 0.5, clock=clock, jitter=lambda: 0.0, save=kept.append)


def told(kind: Kind, remaining: int) -> QuotaState:
    return QuotaState({kind: QuotaStatus(1, remaining)})


def parked(one: Governor) -> Parked:
    with pytest.raises(Parked) as caught:
        one.check()
    return caught.value


def test_without_any_word_of_google_s_there_is_room(clock: SettableClock) -> None:
    governor(clock).check()


def test_the_fifth_failure_within_an_hour_is_the_last(clock: SettableClock) -> None:
    one = governor(clock)
    began = clock()
    assert [one.failed() for _ in range(5)] == [True, True, True, False, False]
    assert (parked(one).kind, parked(one).until) == (Kind.SERVER_ERRORS, began + 60 * MINUTE)
    clock.advance(60 * MINUTE)
    one.check()


def test_failures_are_kept_at_once_and_count_for_whoever_comes_next(clock: SettableClock) -> None:
    saved: list[dict[str, Any]] = []
    one = governor(clock, saved=saved)
    for _ in range(5):
        one.failed()
    assert parked(governor(clock, recall([saved[-1]], clock()))).kind is Kind.SERVER_ERRORS


def test_thresholded_requests_are_counted_where_google_does_not(clock: SettableClock) -> None:
    one = governor(clock)
    for _ in range(60):
        one.check()
        one.asked()
        clock.advance(timedelta(seconds=1))
    one.check()
    one.asked()
    refusal = parked(one)
    assert (refusal.kind, refusal.until) == (Kind.THRESHOLDED, clock() + 59 * MINUTE)
    clock.advance(59 * MINUTE)
    one.check()


def test_google_s_own_count_of_them_wins(clock: SettableClock) -> None:
    one = governor(clock)
    for _ in range(200):
        one.asked()
    one.answered(told(Kind.THRESHOLDED, 100))
    one.check()
    one.answered(told(Kind.THRESHOLDED, 59))
    assert parked(one).until == clock() + 60 * MINUTE


def test_the_hour_counts_from_what_google_told_not_from_looking_again(clock: SettableClock) -> None:
    memory = Memory(told(Kind.TOKENS_PER_HOUR, 10), clock())
    clock.advance(40 * MINUTE)
    assert parked(governor(clock, memory)).until == clock() + 20 * MINUTE


def test_an_answer_without_quotas_changes_nothing(clock: SettableClock) -> None:
    one = governor(clock, Memory(told(Kind.TOKENS_PER_HOUR, 10), clock()))
    one.answered(None)
    assert parked(one).kind is Kind.TOKENS_PER_HOUR


def test_a_refusal_is_read_by_the_quotas_first(clock: SettableClock) -> None:
    one = governor(clock)
    one.answered(told(Kind.TOKENS_PER_DAY, 0))
    assert one.refused(Kind.UNKNOWN).kind is Kind.TOKENS_PER_DAY
    assert governor(clock).refused(Kind.CONCURRENT_REQUESTS).until == clock() + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("remaining", "requests", "expected"),
    [(20_100, 10, True), (20_099, 10, False), (20_000, 0, True)],
)
def test_more_requests_have_room_only_within_our_share(
    clock: SettableClock, remaining: int, requests: int, *, expected: bool
) -> None:
    one = governor(clock)
    one.answered(told(Kind.TOKENS_PER_HOUR, remaining))
    assert one.has_room_for(requests) is expected


def test_a_quota_that_google_leaves_open_forbids_nothing(clock: SettableClock) -> None:
    one = governor(clock)
    one.answered(QuotaState({Kind.TOKENS_PER_DAY: QuotaStatus(1, None)}))
    assert one.has_room_for(60)
    assert not one.has_room_for(61)
