"""When audiences and facts are read: hourly while the budget carries it, else spread evenly."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ga_sync.sync.due import DAY, HOUR, facts_due, for_turns, listing_due, listing_interval, next_turn, paced
from jobs.schedule import next_due

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(("budget", "expected"), [(40_000, 36_000), (10, 9), (9, 9), (1, 1)])
def test_a_tenth_of_the_budget_is_people_s(budget: int, expected: int) -> None:
    assert for_turns(budget) == expected


@pytest.mark.parametrize(
    ("links", "expected"),
    [(0, HOUR), (1, HOUR), (1440, HOUR), (18_000, DAY), (36_000, 2 * DAY), (12_000, DAY / 2)],
)
def test_listings_are_hourly_until_the_budget_does_not_carry_that(links: int, expected: timedelta) -> None:
    assert listing_interval(links, 36_000) == expected


@given(links=st.integers(1, 200_000), budget=st.integers(1, 50_000))
def test_all_links_together_stay_within_the_budget(links: int, budget: int) -> None:
    interval = listing_interval(links, budget)
    listings, facts = DAY / interval, min(DAY / interval, 1)
    assert links * (listings + facts) <= budget * 1.000001 or interval == HOUR
    assert interval > HOUR or links * 25 <= budget * 1.000001 or links == 0


def test_a_turn_that_is_a_little_early_is_the_one_that_is_due() -> None:
    assert listing_due(None, NOW, HOUR)
    assert listing_due(NOW - timedelta(minutes=54), NOW, HOUR)
    assert not listing_due(NOW - timedelta(minutes=53), NOW, HOUR)


def test_facts_are_due_first_and_then_once_a_day_at_the_link_s_own_time() -> None:
    assert facts_due(None, NOW, "a link")
    turns = [NOW + timedelta(hours=hours) for hours in range(10 * 24)]
    read = [turn for before, turn in pairwise(turns) if facts_due(before, turn, "a link")]
    assert len(read) in {9, 10}
    assert len({turn.hour for turn in read}) == 1


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 23, 8, tzinfo=UTC), 5),
        (datetime(2026, 11, 23, 14, tzinfo=UTC), 9_005),
        (datetime(2026, 11, 24, 7, 59, 59, tzinfo=UTC), 36_000),
        (datetime(2026, 11, 1, 19, 30, tzinfo=UTC), 18_005),
        (datetime(2026, 3, 8, 19, 30, tzinfo=UTC), 18_005),
    ],
    ids=["midnight Pacific", "a quarter of the day", "its last second", "25 hours", "23 hours"],
)
def test_turns_spend_their_part_as_the_pacific_day_passes(now: datetime, expected: int) -> None:
    assert paced(36_000, now) == expected


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- bounds are naive
    st.uuids().map(str),
    st.sampled_from([DAY, DAY * 1.5, DAY * 3]),
    st.sampled_from(["Pacific/Auckland", "Europe/Berlin", "America/Los_Angeles"]),
)
def test_turns_a_day_apart_lie_behind_google_s_nightly_refresh(
    now: datetime, link_id: str, interval: timedelta, zone: str
) -> None:
    turn = next_turn(now, link_id, interval, zone)
    local = turn.astimezone(ZoneInfo(zone))
    assert local.hour >= 4  # five, but for the night in which clocks change
    assert interval / 2 <= turn - now <= interval + DAY


def test_turns_of_every_day_come_a_day_apart_and_frequent_ones_by_their_own_grid() -> None:
    turns = [next_turn(NOW, "link", DAY, "Europe/Berlin")]
    turns += [next_turn(turns[0], "link", DAY, "Europe/Berlin")]
    assert turns[1] - turns[0] == DAY
    assert next_turn(NOW, "link", HOUR, "Europe/Berlin") == next_due(NOW, "link", HOUR)
