"""Built-in or the customer's own, and what a listing changes."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ga_sync.analytics.client import Audience
from ga_sync.sync.segments import (
    Known,
    after_listing,
    asked_for,
    custom,
    is_built_in,
    outlived,
    without_clauses,
)
from tests.sync.fake_google import BORN, MADE, audience

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (audience("1", "All Users", clauses=False, made=BORN), True),
        (audience("1", "Purchasers", clauses=False, made=BORN), True),
        (audience("1", "All Users", clauses=False, made=MADE), True),
        (audience("1", "Alle Nutzer", clauses=False, made=BORN), True),
        (audience("1", "All Users", clauses=True, made=MADE), False),
        (audience("1", "All Users", clauses=True, made=BORN), False),
        (audience("1", "Purchasers", clauses=True), False),
        (audience("1", "all users", clauses=False, made=MADE), False),
        (audience("1", "Campaign", clauses=False, made=MADE), False),
        (audience("1", "Campaign", clauses=False, made=None), False),
        (audience("1", "Campaign", clauses=True), False),
    ],
)
def test_built_in_has_no_clauses_and_its_name_or_its_birth_gives_it_away(
    one: Audience, *, expected: bool
) -> None:
    assert is_built_in(one, BORN) is expected
    assert custom([one], BORN) == ([] if expected else [one])


def test_without_the_property_s_birth_the_name_decides() -> None:
    assert is_built_in(audience("1", "All Users", clauses=False, made=None), None)
    assert not is_built_in(audience("1", "Campaign", clauses=False, made=None), None)


def known(number: str = "7", name: str = "Buyers", misses: int = 0, listed: datetime = BEFORE) -> Known:
    return Known(number, name, MADE, listed, misses, label="ours")


def test_a_new_audience_becomes_a_segment_without_a_label() -> None:
    assert after_listing({}, [audience("7", "Buyers")], NOW) == {
        "7": Known("7", "Buyers", MADE, NOW, 0, None, NOW)
    }


def test_a_renamed_audience_is_the_same_segment_and_keeps_its_label() -> None:
    after = after_listing({"7": known()}, [audience("7", "Customers")], NOW)
    assert after == {"7": Known("7", "Customers", MADE, NOW, 0, "ours")}


def test_two_audiences_may_share_a_name() -> None:
    after = after_listing({}, [audience("7", "Same"), audience("8", "Same")], NOW)
    assert sorted(after) == ["7", "8"]


def test_archived_is_absent_from_two_listings() -> None:
    once = after_listing({"7": known()}, [], NOW)
    assert (once["7"].misses, once["7"].archived, once["7"].listed_at) == (1, False, BEFORE)
    twice = after_listing(once, [], NOW)
    assert (twice["7"].misses, twice["7"].archived, twice["7"].label) == (2, True, "ours")


def test_back_in_the_list_it_is_the_same_segment() -> None:
    after = after_listing({"7": known(misses=5)}, [audience("7", "Buyers")], NOW)
    assert after == {"7": Known("7", "Buyers", MADE, NOW, 0, "ours")}


def test_a_time_of_creation_that_google_leaves_out_is_the_first_sight_and_stays() -> None:
    bare = audience("7", "Buyers", made=None)
    first = after_listing({}, [bare], BEFORE)
    assert first["7"].created_at == BEFORE
    assert after_listing(first, [bare], NOW)["7"].created_at == BEFORE


def test_those_that_only_look_built_in_are_told_when_first_seen() -> None:
    odd, usual = audience("8", "Campaign", clauses=False), audience("7", "Buyers")
    assert without_clauses({}, [odd, usual]) == 1
    assert without_clauses({"8": known("8")}, [odd, usual]) == 0


def test_archived_ones_are_asked_for_on_the_days_when_they_were_listed() -> None:
    day = date(2026, 11, 20)
    segments = [
        known("7"),
        known("9", misses=1),
        known("8", misses=2, listed=datetime(2026, 11, 20, 1, tzinfo=UTC)),
    ]
    assert asked_for(segments, day, "UTC") == ["7", "8", "9"]
    assert asked_for(segments, day + timedelta(days=1), "UTC") == ["7", "9"]
    assert asked_for(segments, day, "America/New_York") == ["7", "9"]


def test_an_archived_one_is_outlived_when_its_last_listed_day_has_gone() -> None:
    segments = [known("7"), known("8", misses=2), known("9", misses=1)]
    assert outlived(segments, date(2026, 11, 23), "UTC") == set()
    assert outlived(segments, date(2026, 11, 24), "UTC") == {"8"}
