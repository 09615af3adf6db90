"""Which days a link wants and which of them a run reads, in every kind of time zone."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ga_sync.sync.window import (
    first_day,
    heals,
    heals_at,
    local_day,
    oldest_kept,
    same_days,
    seals_at,
    to_read,
    wanted,
)

TODAY = date(2026, 11, 23)


def back(n: int) -> date:
    return TODAY - timedelta(days=n)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", date(2026, 11, 23)),
        ("Pacific/Kiritimati", date(2026, 11, 24)),
        ("America/Los_Angeles", date(2026, 11, 23)),
        ("Pacific/Pago_Pago", date(2026, 11, 23)),
    ],
)
def test_the_day_is_the_property_s(zone: str, expected: date) -> None:
    assert local_day(datetime(2026, 11, 23, 12, tzinfo=UTC), zone) == expected


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        (date(2026, 11, 19), "UTC", datetime(2026, 11, 23, tzinfo=UTC)),
        (date(2026, 11, 19), "Asia/Kolkata", datetime(2026, 11, 22, 18, 30, tzinfo=UTC)),
        (
            date(2026, 3, 5),
            "America/New_York",
            datetime(2026, 3, 9, 4, tzinfo=UTC),
        ),  # clocks moved on the 8th
        (date(2026, 10, 29), "America/New_York", datetime(2026, 11, 2, 5, tzinfo=UTC)),  # and back on the 1st
        (
            date(2026, 3, 25),
            "Europe/Berlin",
            datetime(2026, 3, 28, 23, tzinfo=UTC),
        ),  # the night of the change
        (date(2026, 3, 26), "Europe/Berlin", datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (
            date(2026, 9, 2),
            "America/Santiago",
            datetime(2026, 9, 6, 4, tzinfo=UTC),
        ),  # a midnight that never was
    ],
)
def test_a_day_seals_at_local_midnight_four_days_on(day: date, zone: str, expected: datetime) -> None:
    assert seals_at(day, zone) == expected


def test_a_new_link_is_filled_back_today_included() -> None:
    first = first_day(TODAY, 30)
    assert first == back(29)
    assert wanted(TODAY, first, 90) == [back(n) for n in range(30)]


def test_an_old_link_wants_all_of_retention_and_a_short_one_less_than_its_backfill() -> None:
    assert wanted(TODAY, back(400), 90) == [back(n) for n in range(90)]
    assert wanted(TODAY, first_day(TODAY, 30), 5) == [back(n) for n in range(5)]
    assert oldest_kept(TODAY, 1) == TODAY


def test_the_future_is_never_wanted() -> None:
    assert wanted(TODAY, TODAY + timedelta(days=1), 90) == []
    assert max(wanted(TODAY, back(3), 90)) == TODAY


def test_inside_the_window_every_unsealed_day_is_read_and_what_is_missing_comes_first() -> None:
    days = wanted(TODAY, back(9), 90)
    states = dict(
        zip(days, ["provisional", "suspect", "incomplete", "complete", "complete", "missing"], strict=False)
    )
    assert to_read(days, states, 10) == [*(back(n) for n in range(5, 10)), back(0), back(1), back(2)]


def test_beyond_the_window_only_what_an_outage_left_is_read() -> None:
    days = wanted(TODAY, back(9), 90)
    states = dict.fromkeys(days, "complete")
    states |= {back(5): "provisional", back(6): "suspect", back(7): "incomplete"}
    del states[back(8)]
    assert to_read(days, states, 3) == [back(8), back(5)]


def test_a_sealed_day_that_is_due_for_one_reading_more_comes_last_and_only_inside_the_window() -> None:
    days = wanted(TODAY, back(5), 90)
    states = dict.fromkeys(days, "complete") | {back(0): "provisional"}
    assert to_read(days, states, 4, {back(2), back(5)}) == [back(0), back(2)]
    assert to_read(days, states | {back(2): "suspect"}, 4, {back(2)}) == [back(0), back(2)]


@pytest.mark.parametrize(
    ("began", "now", "expected"),
    [(13, 14, True), (13, 13, False), (14, 14, False), (15, 16, False), (5, 40, True)],
)
def test_a_sealed_day_heals_once_from_d_plus_14_on(began: int, now: int, *, expected: bool) -> None:
    day = date(2026, 11, 1)
    midnight = datetime(2026, 11, 1, 23, tzinfo=UTC) - timedelta(days=1)
    assert heals_at(day, "Europe/Berlin") == midnight + timedelta(days=14)
    began_at, at = midnight + timedelta(days=began), midnight + timedelta(days=now)
    assert heals(day, began_at, at, "Europe/Berlin") is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Asia/Calcutta", "Asia/Kolkata", True),
        ("UTC", "Etc/UTC", True),
        ("Europe/Berlin", "Europe/Paris", True),
        ("Europe/Berlin", "Africa/Lagos", False),
        ("Europe/Berlin", "Asia/Tokyo", False),
    ],
)
def test_two_names_of_one_zone_cut_the_same_days(one: str, other: str, *, expected: bool) -> None:
    assert same_days(one, other, datetime(2026, 11, 23, 12, tzinfo=UTC)) is expected


def test_a_link_with_all_days_sealed_reads_nothing() -> None:
    days = wanted(TODAY, back(5), 90)
    assert to_read(days, dict.fromkeys(days, "complete"), 30) == []
