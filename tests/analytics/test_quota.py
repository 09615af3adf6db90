"""A guest stops early, and knows when to come back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ga_sync.analytics.quota import (
    PREMIUM,
    QUOTA_ZONE,
    STANDARD,
    Kind,
    QuotaState,
    QuotaStatus,
    backoff,
    headroom,
    limits_for,
    retry_at,
    which,
)

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HOURLY = [
    Kind.TOKENS_PER_HOUR,
    Kind.TOKENS_PER_PROJECT_PER_HOUR,
    Kind.THRESHOLDED,
    Kind.SERVER_ERRORS,
    Kind.UNKNOWN,
]


def left(**remaining: int | None) -> QuotaState:
    return QuotaState({Kind(name): QuotaStatus(1, value) for name, value in remaining.items()})


def test_the_service_level_decides_the_limits() -> None:
    assert limits_for("GOOGLE_ANALYTICS_360") is PREMIUM
    assert limits_for("GOOGLE_ANALYTICS_STANDARD") is STANDARD
    assert limits_for("something new") is STANDARD


@pytest.mark.parametrize("kind", [kind for kind in STANDARD if kind is not Kind.TOKENS_PER_PROJECT_PER_HOUR])
def test_half_of_every_window_is_left_to_the_customer(kind: Kind) -> None:
    half = STANDARD[kind] // 2
    assert headroom(left(**{kind: half}), STANDARD, 0.5) is None
    assert headroom(left(**{kind: half - 1}), STANDARD, 0.5) is kind


def test_our_own_projects_tokens_are_used_to_nine_tenths_whatever_the_share() -> None:
    kind = Kind.TOKENS_PER_PROJECT_PER_HOUR
    assert headroom(left(**{kind: 1_400}), STANDARD, 0.1) is None
    assert headroom(left(**{kind: 1_399}), STANDARD, 0.9) is kind


def test_of_several_low_quotas_the_longest_wait_is_named() -> None:
    state = left(concurrent_requests=0, tokens_per_hour=0, tokens_per_day=0)
    assert headroom(state, STANDARD, 0.5) is Kind.TOKENS_PER_DAY


def test_what_google_does_not_report_forbids_nothing() -> None:
    assert headroom(QuotaState(), STANDARD, 0.5) is None
    assert headroom(left(tokens_per_day=None), STANDARD, 0.5) is None


def test_a_share_of_one_goes_to_the_wall_and_of_nothing_never_starts_after_the_first() -> None:
    assert headroom(left(tokens_per_day=0), STANDARD, 1.0) is None
    assert headroom(left(tokens_per_day=199_999), STANDARD, 0.0) is Kind.TOKENS_PER_DAY


def test_a_state_tells_what_a_request_cost() -> None:
    state = QuotaState(
        {Kind.TOKENS_PER_DAY: QuotaStatus(7, 100), Kind.SERVER_ERRORS: QuotaStatus(None, None)}
    )
    assert state.tokens == 7
    assert state.consumed(Kind.SERVER_ERRORS) == 0
    assert state.consumed(Kind.THRESHOLDED) == 0
    assert state.remaining(Kind.TOKENS_PER_DAY) == 100
    assert state.remaining(Kind.THRESHOLDED) is None


def test_the_reported_quotas_are_trusted_before_the_text() -> None:
    assert which(Kind.UNKNOWN, left(tokens_per_hour=0, concurrent_requests=3)) is Kind.TOKENS_PER_HOUR
    assert which(Kind.CONCURRENT_REQUESTS, left(tokens_per_day=0)) is Kind.TOKENS_PER_DAY
    assert which(Kind.THRESHOLDED, left(tokens_per_day=0, thresholded=0)) is Kind.THRESHOLDED
    assert which(Kind.THRESHOLDED, left(tokens_per_day=5)) is Kind.THRESHOLDED
    assert which(Kind.THRESHOLDED, None) is Kind.THRESHOLDED


@pytest.mark.parametrize("kind", HOURLY)
def test_hourly_kinds_wait_an_hour(kind: Kind) -> None:
    assert retry_at(kind, NOON, 0.7) == NOON + timedelta(minutes=60)


def test_concurrent_requests_wait_half_a_minute_and_spread() -> None:
    assert retry_at(Kind.CONCURRENT_REQUESTS, NOON, 0.0) == NOON + timedelta(seconds=30)
    assert retry_at(Kind.CONCURRENT_REQUESTS, NOON, 1.0) == NOON + timedelta(seconds=45)


def test_the_admin_minute_waits_one_to_two() -> None:
    assert retry_at(Kind.ADMIN_PER_MINUTE, NOON, 0.5) == NOON + timedelta(seconds=90)


@pytest.mark.parametrize("kind", [Kind.TOKENS_PER_DAY, Kind.ADMIN_PER_DAY])
@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-01-15T12:00Z", "2026-01-16T08:05Z"),  # winter: UTC-8
        ("2026-06-01T12:00Z", "2026-06-02T07:05Z"),  # summer: UTC-7
        ("2026-03-08T12:00Z", "2026-03-09T07:05Z"),  # the day that loses an hour
        ("2026-11-01T08:00Z", "2026-11-02T08:05Z"),  # the day that gains one
        ("2026-06-02T06:59Z", "2026-06-02T07:05Z"),  # a minute before midnight there
        ("2026-06-02T07:02Z", "2026-06-02T07:05Z"),  # the day has turned, Google may not have noticed
        ("2026-06-02T07:05Z", "2026-06-03T07:05Z"),  # asked at once, still exhausted: a day
    ],
)
def test_daily_kinds_wait_for_five_past_midnight_in_los_angeles(kind: Kind, now: str, then: str) -> None:
    assert retry_at(kind, datetime.fromisoformat(now), 0.0) == datetime.fromisoformat(then)


@given(
    st.integers(0, 10 * 365 * 86_400).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    st.sampled_from(Kind),
    st.floats(0, 1),
)
def test_the_time_to_ask_again_is_always_ahead_and_within_a_day(
    now: datetime, kind: Kind, jitter: float
) -> None:
    then = retry_at(kind, now, jitter)
    assert then.tzinfo is UTC
    assert now < then <= now + timedelta(hours=25, minutes=5)
    if kind is Kind.TOKENS_PER_DAY:
        local = then.astimezone(QUOTA_ZONE)
        assert local.hour == 0
        assert 5 <= local.minute <= 10


def test_google_is_tried_twice_more_and_then_left_alone() -> None:
    assert backoff(1, 0.0) == timedelta(seconds=2)
    assert backoff(1, 1.0) == timedelta(seconds=4)
    assert backoff(2, 0.5) == timedelta(seconds=12)
    assert backoff(3, 0.0) is None
