"""Runs that go well: the first one of a link, and those after it."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from ga_sync.index.cache import IndexCache
from ga_sync.sync import store
from jobs.registry import Again, Done
from models.keyring import Owner
from models.run import RunStatus
from tests.sync.bench import BACKFILL, INTERVAL, TODAY, Bench, back, held_signals
from tests.sync.fake_google import BUYERS, EVERYONE, RETURNING

WINDOW = [back(n) for n in range(BACKFILL)]


def test_the_first_run_reads_every_day_of_the_window_newest_first(bench: Bench) -> None:
    outcome = bench.sync()
    assert bench.google.days_asked() == WINDOW
    assert bench.google.seen_asked() == [back(4), back(5)]
    assert outcome.at == bench.regular()
    run = bench.last_run
    assert (run.status, run.days_read, run.days_left, run.error) == (RunStatus.SUCCEEDED, BACKFILL, 0, None)
    assert (run.requests, run.rows) == (BACKFILL + 2, 5 * BACKFILL + 2)


def test_what_is_held_is_what_google_says(bench: Bench) -> None:
    bench.sync()
    assert bench.days() == {
        day: {number: set(ids) for number, ids in held.items()} for day, held in bench.google.members.items()
    }
    states = {day: state for day, (state, _) in bench.states().items()}
    assert states == {back(n): "provisional" if n < 4 else "complete" for n in range(BACKFILL)}
    assert {back(n): bench.readings()[back(n)].seen for n in (3, 4)} == {back(3): None, back(4): 5}


def test_nothing_shows_before_the_publication_and_then_everything_at_once(bench: Bench) -> None:
    cache = IndexCache(bench.keyring, 1 << 20)
    seen = []

    def look(_method: str) -> None:
        row = bench.row()
        seen.append((row.generation, row.as_of, bench.served(cache).index.days))

    bench.google.before = look
    bench.sync()
    assert set(seen) == {(0, None, ())}
    assert (bench.row().generation, bench.row().as_of) == (1, bench.clock())
    assert bench.served(cache).index.days == tuple(sorted(WINDOW))


def test_built_in_audiences_are_neither_asked_for_nor_stored(bench: Bench) -> None:
    bench.sync()
    assert bench.names() == {BUYERS: ("Buyers", 0), RETURNING: ("Returning", 0)}
    assert all(EVERYONE not in call.audiences for call in bench.google.calls)


def test_no_name_and_no_id_stands_in_clear_in_the_database(bench: Bench) -> None:
    bench.sync()
    with bench.data.reading() as session:
        tables = ("links", "segments", "readings", "days", "runs", "jobs")
        rows = [row for table in tables for row in session.execute(text(f"SELECT * FROM {table}"))]
    stored = b"".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        for row in rows
        for value in row
    )
    for secret in (b"buyer-", b"often", b"Buyers", b"Returning", b"sessioncam_id"):
        assert secret not in stored


def test_junk_is_counted_and_dropped(bench: Bench) -> None:
    bench.google.members[TODAY] = {BUYERS: ["real", "", "(not set)", "(data not available)"]}
    bench.sync()
    assert bench.days()[TODAY] == {BUYERS: {"real"}}
    assert (bench.readings()[TODAY].junk, bench.readings()[TODAY].rows) == (3, 4)


def test_the_next_run_reads_only_the_unsealed_days_and_replaces_each_whole(bench: Bench) -> None:
    bench.sync()
    bench.google.calls.clear()
    bench.google.members[back(1)] = {RETURNING: ["somebody else"]}
    bench.clock.advance(INTERVAL)
    bench.sync()
    assert bench.google.days_asked() == WINDOW[:4]
    assert bench.days()[back(1)] == {RETURNING: {"somebody else"}}
    assert bench.stored() == BACKFILL
    assert bench.row().generation == 2


def test_a_day_is_sealed_by_the_first_good_reading_after_d_plus_4(bench: Bench) -> None:
    bench.sync()
    bench.clock.advance(timedelta(days=1))
    bench.sync()
    reading = bench.readings()[back(3)]
    assert (reading.state, reading.reasons, reading.seen) == ("complete", [], 5)
    assert bench.states()[TODAY + timedelta(days=1)] == ("provisional", ("young",))


def test_sealed_days_are_never_asked_for_again(bench: Bench) -> None:
    bench.sync()
    bench.clock.advance(timedelta(days=5))
    bench.sync()
    bench.google.calls.clear()
    bench.clock.advance(timedelta(hours=1))
    bench.sync()
    assert bench.google.days_asked() == [TODAY + timedelta(days=5 - n) for n in range(4)]


def test_a_run_that_reads_nothing_still_publishes(bench: Bench) -> None:
    bench.change_link(first_day=TODAY + timedelta(days=1))
    bench.sync()
    assert bench.google.days_asked() == []
    assert (bench.row().generation, bench.row().as_of) == (1, bench.clock())
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_a_link_without_segments_holds_empty_days_and_still_counts_ids(bench: Bench) -> None:
    bench.google.listed = bench.google.listed[:1]
    bench.sync()
    assert bench.google.days_asked() == []
    assert bench.google.seen_asked() == [back(4), back(5)]
    assert bench.days() == {day: {} for day in WINDOW}
    assert bench.states()[back(5)] == ("complete", ())
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_a_day_without_rows_is_a_day(bench: Bench) -> None:
    bench.google.members.clear()
    bench.google.strangers.clear()
    bench.sync()
    assert bench.days() == {day: {} for day in WINDOW}
    assert bench.states()[back(5)] == ("complete", ())
    assert bench.readings()[back(5)].seen == 0


ODD = [
    "nul\0",
    "line\nbreak",
    "\u05e9\u05dc\u05d5\u05dd",
    "\U0001f3a5" * 20,
    "\u00e9",
    "e\u0301",
    " blank ",
    "'quoted\" \\",
    "UPPER",
    "upper",
    "f" * 32,
    "F" * 32,
    "x" * 99,
]


def test_odd_ids_come_back_as_they_are(bench: Bench) -> None:
    bench.google.members[TODAY] = {BUYERS: ODD}
    bench.sync()
    assert bench.days()[TODAY] == {BUYERS: set(ODD)}
    assert bench.states()[TODAY] == ("provisional", ("young",))


def test_ids_of_exactly_100_characters_are_told_and_kept(bench: Bench) -> None:
    bench.google.members[back(5)] = {BUYERS: ["y" * 100, "z" * 101]}
    bench.sync()
    assert bench.days()[back(5)] == {BUYERS: {"y" * 100}}
    assert bench.states()[back(5)] == ("complete", ("ids_of_100",))


@pytest.mark.parametrize("rows", [5, 6, 7, 11, 12, 13])
def test_pages_of_any_fill_make_one_day(bench: Bench, rows: int) -> None:
    bench.google.page_size = 6
    bench.google.members[TODAY] = {BUYERS: [f"id-{n:03}" for n in range(rows)]}
    bench.sync()
    assert bench.days()[TODAY] == {BUYERS: {f"id-{n:03}" for n in range(rows)}}
    offsets = [call.offset for call in bench.google.calls if call.day == TODAY]
    assert offsets == list(range(0, rows, 6))
    assert bench.states()[TODAY] == ("provisional", ("young",))


def test_an_outage_is_caught_up_to_retention(bench: Bench) -> None:
    bench.sync()
    bench.clock.advance(timedelta(days=20))
    today = TODAY + timedelta(days=20)
    bench.sync()
    missed = [today - timedelta(days=n) for n in range(20)]
    left_open = [back(n) for n in range(4)]
    bench.google.calls.clear()
    assert set(bench.states()) == {*missed, *WINDOW}
    assert all(bench.states()[day][0] == "complete" for day in left_open)


def test_days_beyond_retention_go_with_their_readings(bench: Bench) -> None:
    bench.change_link(retention_days=3)
    bench.sync()
    assert bench.day_rows() == {back(n) for n in range(3)}
    bench.clock.advance(timedelta(days=1))
    bench.sync()
    assert bench.day_rows() == {TODAY + timedelta(days=1), TODAY, back(1)}
    assert bench.stored() == 3


def test_a_queued_run_is_the_one_that_runs(bench: Bench) -> None:
    with bench.data.transaction() as session:
        session.add(store.new_run(bench.row(), "the-queued-one", bench.clock()))
    bench.sync()
    assert [run.run_id for run in bench.runs()] == ["the-queued-one"]


@pytest.mark.parametrize("status", ["paused", "removed"])
def test_a_link_at_rest_is_left_alone(bench: Bench, status: str) -> None:
    bench.change_link(status=status)
    outcome = bench.pipeline()(bench.claim(), held_signals())
    assert outcome == Done()
    assert bench.google.calls == []
    assert bench.runs() == []


def test_a_link_whose_key_is_destroyed_is_left_alone(bench: Bench) -> None:
    """A revocation destroys the keys first: a run that begins before the rows are gone reads nothing."""
    bench.sync()
    calls, runs = len(bench.google.calls), len(bench.runs())
    bench.clock.advance(timedelta(hours=1))
    task = bench.claim()
    bench.keyring.destroy([Owner("link", bench.link_id)], "acme", bench.clock())
    assert bench.pipeline()(task, held_signals()) == Done()
    assert (len(bench.google.calls), len(bench.runs())) == (calls, runs)


def test_two_links_of_one_property_are_apart(bench: Bench) -> None:
    other = bench.make_link(customer="rival")
    bench.sync()
    task = bench.claim(other)
    outcome = bench.pipeline()(task, held_signals())
    assert isinstance(outcome, Again)
    mine = {reading.reading_id for reading in bench.readings().values()}
    bench.link_id = other
    assert not mine & {reading.reading_id for reading in bench.readings().values()}
    assert bench.row().customer_id == "rival"
