"""When work runs next, checked as pure arithmetic."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.schedule import backoff, next_due, spread

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
subjects = st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable())
moments = st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- Hypothesis adds the zone
intervals = st.timedeltas(timedelta(seconds=1), timedelta(days=40))


@pytest.mark.parametrize(
    ("attempt", "expected"), [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (10_000, 60)]
)
def test_waits_double_up_to_the_cap(attempt: int, expected: int) -> None:
    assert backoff(attempt, MINUTE, HOUR, 1.0) == expected * MINUTE


def test_jitter_takes_at_most_half_of_the_wait() -> None:
    assert backoff(3, MINUTE, HOUR, 0.0) == 2 * MINUTE
    assert backoff(3, MINUTE, HOUR, 0.5) == 3 * MINUTE


@given(subjects, intervals)
def test_an_offset_lies_within_the_interval_and_is_always_the_same(subject: str, interval: timedelta) -> None:
    assert timedelta(0) <= spread(subject, interval) < interval
    assert spread(subject, interval) == spread(subject, interval)


def test_offsets_are_the_same_in_every_release() -> None:
    assert spread("link-1", HOUR) == timedelta(seconds=2005, microseconds=643923)


def test_a_thousand_subjects_do_not_stampede() -> None:
    minutes = [spread(f"link-{n}", HOUR) // MINUTE for n in range(6000)]
    assert max(minutes.count(minute) for minute in range(60)) < 150
    assert min(minutes.count(minute) for minute in range(60)) > 50


@given(moments, subjects, intervals)
def test_the_next_turn_is_half_to_one_and_a_half_intervals_away(
    after: datetime, subject: str, interval: timedelta
) -> None:
    assert (
        interval / 2 <= next_due(after, subject, interval) - after < interval * 3 / 2 + timedelta(seconds=1)
    )


@given(moments, subjects, intervals)
def test_turns_that_begin_on_time_follow_each_other_at_the_interval(
    after: datetime, subject: str, interval: timedelta
) -> None:
    first = next_due(after, subject, interval)
    assert next_due(first, subject, interval) == first + interval


def test_a_turn_is_the_same_instant_in_every_zone() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    there = noon.astimezone(timezone(timedelta(hours=-8)))
    assert next_due(there, "link-1", HOUR) == next_due(noon, "link-1", HOUR)
    assert next_due(there, "link-1", HOUR).tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        next_due(datetime(2026, 11, 23, 12), "link-1", HOUR)  # noqa: DTZ001 -- that is the point
