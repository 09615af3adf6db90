"""What customers change at Google: names, audiences that go and come back, the time zone; and what ages away."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from ga_sync.analytics import errors as google
from ga_sync.analytics.answers import Flags
from ga_sync.analytics.quota import Kind
from models.day import Reading
from models.run import RunStatus
from models.segment import Segment
from tests.sync.bench import BACKFILL, INTERVAL, TODAY, Bench, back, held_signals
from tests.sync.fake_google import BORN, BUYERS, RETURNING, audience


def test_a_renamed_segment_keeps_its_number_and_its_members(bench: Bench) -> None:
    bench.sync()
    bench.google.rename(BUYERS, "K\u00e4ufer \U0001f6d2")
    bench.clock.advance(INTERVAL)
    bench.sync()
    assert bench.names()[BUYERS] == ("K\u00e4ufer \U0001f6d2", 0)
    assert BUYERS in bench.days()[back(5)]


def test_the_property_s_own_facts_follow(bench: Bench) -> None:
    bench.google.facts = bench.google.facts.__class__(
        bench.google.facts.name, "New shop", "Europe/Berlin", BORN, "GOOGLE_ANALYTICS_360"
    )
    bench.sync()
    row = bench.row()
    assert row.display_name is not None
    assert bench.sealer().open(row.place("display_name"), row.display_name) == b"New shop"
    assert (row.service_level, row.segments_checked_at) == ("GOOGLE_ANALYTICS_360", bench.clock())


def test_a_new_segment_is_asked_for_at_once(bench: Bench) -> None:
    bench.sync()
    bench.google.listed.append(audience("55", "New"))
    bench.google.members[TODAY]["55"] = ["first"]
    bench.clock.advance(INTERVAL)
    bench.sync()
    assert bench.days()[TODAY]["55"] == {"first"}
    assert bench.names()["55"] == ("New", 0)


def test_an_audience_without_clauses_that_is_not_built_in_is_told_once(bench: Bench) -> None:
    bench.google.listed.append(audience("55", "Odd one", clauses=False))
    with capture_logs() as logs:
        bench.sync()
        bench.sync()
    told = [line for line in logs if line["event"] == "audiences_without_clauses"]
    assert [line["count"] for line in told] == [1]
    assert all("Odd one" not in str(line) for line in logs)
    assert "55" in bench.names()


def test_an_archived_segment_keeps_what_is_held_where_google_gives_no_row(bench: Bench) -> None:
    bench.sync()
    bench.google.archive(RETURNING)
    for day in (TODAY, back(1)):
        del bench.google.members[day][RETURNING]
    for misses in (1, 2):
        bench.google.calls.clear()
        bench.clock.advance(INTERVAL)
        bench.sync()
        assert bench.names()[RETURNING] == ("Returning", misses)
    asked = {call.day: call.audiences for call in bench.google.calls if call.audiences}
    assert asked[TODAY] == (RETURNING, BUYERS)
    assert [bench.days()[back(n)][RETURNING] for n in range(BACKFILL)] == [{"often"}] * BACKFILL
    assert bench.readings()[TODAY].memberships == 5


def test_news_about_an_archived_segment_are_taken(bench: Bench) -> None:
    bench.sync()
    bench.google.archive(RETURNING)
    bench.google.members[TODAY][RETURNING] = ["another"]
    bench.sync()
    assert bench.days()[TODAY][RETURNING] == {"another"}


def test_an_archived_segment_is_not_asked_for_on_later_days(bench: Bench) -> None:
    bench.sync()
    bench.google.archive(RETURNING)
    bench.sync()
    bench.clock.advance(timedelta(days=1))
    bench.google.calls.clear()
    bench.sync()
    asked = {call.day: call.audiences for call in bench.google.calls if call.audiences}
    assert asked[TODAY + timedelta(days=1)] == (BUYERS,)
    assert asked[TODAY] == (RETURNING, BUYERS)


def test_a_segment_that_comes_back_is_the_same(bench: Bench) -> None:
    bench.sync()
    before = list(bench.google.listed)
    bench.google.archive(RETURNING)
    bench.sync()
    bench.sync()
    bench.google.listed = before
    bench.sync()
    assert bench.names()[RETURNING] == ("Returning", 0)


def test_an_archived_segment_goes_when_its_last_day_has_left_retention(bench: Bench) -> None:
    bench.change_link(retention_days=3)
    bench.sync()
    bench.google.archive(RETURNING)
    bench.google.listed.append(audience("55", "Listed"))
    for held in bench.google.members.values():
        held.pop(RETURNING)
    bench.sync()
    bench.sync()
    for _ in range(2):
        bench.clock.advance(timedelta(days=1))
        bench.sync()
        assert set(bench.names()) == {BUYERS, RETURNING, "55"}
    bench.clock.advance(timedelta(days=1))
    bench.sync()
    assert set(bench.names()) == {BUYERS, "55"}


def test_a_segment_stays_while_a_day_that_still_shows_it_is_kept(bench: Bench) -> None:
    bench.sync()
    bench.google.archive(RETURNING)
    bench.sync()
    bench.sync()
    with bench.data.transaction() as session:
        for row in session.scalars(select(Segment)):
            row.listed_at = bench.clock() - timedelta(days=365)
    bench.sync()
    assert RETURNING in bench.names()


def test_a_damaged_day_keeps_every_archived_segment(bench: Bench) -> None:
    bench.sync()
    bench.google.archive(RETURNING)
    for held in bench.google.members.values():
        held.pop(RETURNING)
    bench.sync()
    bench.sync()
    with bench.data.transaction() as session:
        for row in session.scalars(select(Segment)):
            row.listed_at = bench.clock() - timedelta(days=365)
    bench.damage(back(5))
    bench.sync()
    assert RETURNING in bench.names()


@pytest.mark.parametrize("value", [None, b"no day at all"])
def test_a_damaged_day_is_quarantined_when_it_is_found_and_read_anew(
    bench: Bench, value: bytes | None
) -> None:
    bench.sync()
    bench.google.archive(RETURNING)
    bench.damage(TODAY, value)
    bench.google.members[TODAY] = {BUYERS: ["one"]}
    bench.google.flags[TODAY] = Flags(data_loss_from_other_row=True)
    with capture_logs() as logs:
        bench.sync()
    assert "day_damaged" in [line["event"] for line in logs]
    assert bench.states()[TODAY] == ("incomplete", ("other_row", "young"))
    assert bench.days()[TODAY] == {BUYERS: {"one"}}


# The time zone.


def test_unsealed_days_are_read_anew_in_the_new_zone_and_the_day_of_the_change_is_marked(
    bench: Bench,
) -> None:
    bench.sync()
    bench.google.calls.clear()
    bench.google.move_to("Pacific/Kiritimati")
    bench.sync()
    tomorrow = TODAY + timedelta(days=1)
    assert bench.google.days_asked() == [tomorrow, *(back(n) for n in range(4))]
    assert bench.row().time_zone == "Pacific/Kiritimati"
    zones = {day: reading.time_zone for day, reading in bench.readings().items()}
    assert zones == {
        tomorrow: "Pacific/Kiritimati",
        **{back(n): "Pacific/Kiritimati" if n < 4 else "Europe/Berlin" for n in range(BACKFILL)},
    }
    marked = [day for day, (_, reasons) in bench.states().items() if "time_zone_changed" in reasons]
    assert marked == [tomorrow]
    assert bench.states()[back(3)] == ("complete", ())  # D+4 has begun there


def test_the_mark_stays_until_the_day_goes(bench: Bench) -> None:
    bench.sync()
    bench.google.move_to("America/New_York")
    bench.sync()
    bench.clock.advance(timedelta(days=5))
    bench.sync()
    assert bench.states()[TODAY] == ("complete", ("time_zone_changed",))


def test_a_change_that_was_found_but_whose_day_was_not_read_is_found_again(bench: Bench) -> None:
    bench.sync()
    bench.google.move_to("America/New_York")
    bench.google.fail("run_report", google.QuotaExhausted("x", "run_report", Kind.TOKENS_PER_HOUR))
    bench.sync()
    assert bench.row().time_zone == "Europe/Berlin"
    bench.sync()
    assert bench.row().time_zone == "America/New_York"
    assert "time_zone_changed" in bench.states()[TODAY][1]


def test_days_staged_in_the_former_zone_are_read_anew(bench: Bench) -> None:
    held = held_signals()

    def drain(_method: str) -> None:
        if len(bench.google.days_asked()) == 2:
            held.stopping.set()

    bench.google.before = drain
    bench.sync(held=held)
    bench.google.before = lambda _method: None
    bench.google.calls.clear()
    bench.google.move_to("America/New_York")
    bench.sync()
    assert bench.google.days_asked() == [back(n) for n in range(BACKFILL)]
    assert {reading.time_zone for reading in bench.readings().values()} == {"America/New_York"}
    assert bench.stored() == BACKFILL


def test_a_day_is_the_property_s_day_when_clocks_change(bench: Bench) -> None:
    bench.google.move_to("America/New_York")
    bench.change_link(time_zone="America/New_York", first_day=date(2026, 10, 30))
    bench.at(datetime(2026, 11, 5, 4, 59, tzinfo=UTC))  # a minute to midnight of the 4th
    bench.sync()
    days = bench.google.days_asked()
    assert (days[0], days[-1]) == (date(2026, 11, 4), date(2026, 10, 30))
    bench.google.calls.clear()
    bench.clock.advance(timedelta(minutes=1))
    bench.sync()
    assert bench.google.days_asked()[0] == date(2026, 11, 5)
    assert bench.last_run.status == RunStatus.SUCCEEDED


# Ageing.


def test_damaged_days_beyond_the_window_are_read_again_too(bench: Bench) -> None:
    bench.sync()
    bench.clock.advance(timedelta(days=30))
    bench.sync()
    with bench.data.transaction() as session:
        reading = session.get(Reading, bench.readings()[TODAY].reading_id)
        assert reading is not None
        reading.state, reading.reasons = "incomplete", ["damaged"]
    bench.google.calls.clear()
    bench.sync()
    assert TODAY in bench.google.days_asked()
    assert bench.states()[TODAY] == ("complete", ())


def test_days_go_also_when_google_cannot_be_asked(bench: Bench) -> None:
    bench.change_link(retention_days=2)
    bench.sync()
    before = bench.row()
    bench.clock.advance(timedelta(days=1))
    bench.google.fail("property", *[google.GoogleUnavailable("x", "property")] * 3)
    bench.sync()
    assert bench.day_rows() == {TODAY}
    assert (bench.row().generation, bench.row().as_of) == (before.generation + 1, before.as_of)
