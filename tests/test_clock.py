"""The clock that tests set."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.clock import NOON, SettableClock


def test_the_clock_stands_still_until_it_is_moved(clock: SettableClock) -> None:
    assert clock() == clock() == NOON
    clock.advance(timedelta(hours=-13))
    assert clock() == datetime(2026, 11, 22, 23, tzinfo=UTC)


def test_the_clock_answers_in_utc_whatever_it_was_set_in(clock: SettableClock) -> None:
    clock.set(datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))))
    assert clock().isoformat() == "2026-12-31T19:15:00+00:00"


def test_a_moment_without_a_time_zone_is_refused(clock: SettableClock) -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValueError, match="has no time zone"):
        clock.set(naive)
    with pytest.raises(ValueError, match="has no time zone"):
        SettableClock(naive)
    assert clock() == NOON
