"""A whole row that is put back to what it was opens by itself; the link's head knows that it was another one since."""

import os
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from ga_sync.accounts.forgetting import Forgetting
from ga_sync.accounts.generation import Window
from ga_sync.accounts.links import Links
from ga_sync.accounts.recordings import Recordings
from ga_sync.accounts.retention import Retention
from ga_sync.index import heads
from ga_sync.index.cache import IndexCache
from ga_sync.index.head import NOTHING
from ga_sync.index.store import headed as headed_links
from ga_sync.index.store import mark_damaged
from models.link import LinkStatus
from models.sealed import Sealed
from tests.sync.bench import CUSTOMER, Bench, back, new_id
from tests.sync.fake_google import BUYERS, RETURNING
from tests.sync.rewind import Row, Snapshot

YESTERDAY = back(1)


def of_day(day: date) -> Callable[[Row], bool]:
    return lambda row: bool(row["day"] == day)


def named(bench: Bench) -> dict[str, tuple[str, str | None]]:
    """Name and label of each segment, as the doors show them."""
    with bench.data.reading() as session:
        held = heads.segments(session, bench.keyring, bench.link_id, CUSTOMER)
    return {one.segment_id: (one.name, one.label) for one in held}


def fresh(bench: Bench) -> IndexCache:
    """A process that has nothing in memory."""

    def damaged(reading_id: str, customer_id: str) -> None:
        with bench.data.transaction() as session:
            mark_damaged(session, reading_id, customer_id)

    return IndexCache(bench.keyring, 10**9, damaged)


def retention(bench: Bench) -> Retention:
    return Retention(bench.data, bench.keyring, clock=bench.clock, new_id=new_id)


def links(bench: Bench) -> Links:
    return Links(
        bench.data,
        bench.keyring,
        retention(bench),
        clock=bench.clock,
        new_id=new_id,
        retention_days=90,
    )


def forget(bench: Bench, *ids: str) -> None:
    cache = IndexCache(bench.keyring, 10**9)
    Forgetting(bench.data, bench.keyring, retention(bench), cache, clock=bench.clock).forget(
        bench.link_id, CUSTOMER, ids, "test"
    )


def alarms(bench: Bench, act: Callable[[], object] | None = None) -> list[tuple[str, str]]:
    """Which rows operators are told of while something happens, or while the link is looked at."""

    def look() -> None:
        bench.served(fresh(bench))

    with capture_logs() as logs:
        (act or look)()
    return [(line["table"], line["row"]) for line in logs if line["event"] == "integrity_failure"]


def changed(bench: Bench) -> Snapshot:
    """A link whose days and names are other ones than they were in the snapshot."""
    bench.sync()
    links(bench).label(bench.link_id, CUSTOMER, BUYERS, "old label", "test")
    before = Snapshot(bench.data)
    bench.google.members[YESTERDAY] = {BUYERS: ["late", "often"], RETURNING: ["often", "late"]}
    bench.google.rename(BUYERS, "Customers")
    links(bench).label(bench.link_id, CUSTOMER, BUYERS, "new label", "test")
    bench.sync()
    return before


def put_back_day(before: Snapshot, day: date = YESTERDAY) -> None:
    before.put_back("readings", of_day(day))
    before.put_back("days", of_day(day))


def test_a_day_put_back_is_noticed_is_not_served_and_is_read_anew(bench: Bench) -> None:
    before = changed(bench)
    put_back_day(before)
    old = bench.readings()[YESTERDAY].reading_id
    cache = fresh(bench)
    assert alarms(bench, lambda: bench.served(cache)) == [("readings", old)]
    served = bench.served(cache)
    assert served.days[YESTERDAY].state == "incomplete"
    assert YESTERDAY not in served.index.days
    assert "incomplete" not in {held.state for day, held in served.days.items() if day != YESTERDAY}
    assert bench.states()[YESTERDAY][1] == ("damaged", "young")
    assert alarms(bench) == []
    assert alarms(bench, bench.sync) == []
    assert bench.days()[YESTERDAY] == {BUYERS: {"late", "often"}, RETURNING: {"often", "late"}}
    assert YESTERDAY in bench.served(cache).index.days
    assert alarms(bench) == []


def test_a_first_page_shows_nothing_that_was_put_back(bench: Bench) -> None:
    """Also where the index is not in memory."""
    before = changed(bench)
    put_back_day(before)
    cache = IndexCache(bench.keyring, 10**9, start=lambda _work: None)
    recordings = Recordings(bench.data, bench.keyring, cache, clock=bench.clock, random=os.urandom)
    page = recordings.query(bench.link_id, CUSTOMER, {"segment": BUYERS}, Window(), 50, None)
    assert page["completeness"]["days"]["incomplete"] == 1
    assert {"often", "buyer-0-0", "buyer-2-0"} < set(page["recording_ids"])
    assert {"late", "buyer-1-0"}.isdisjoint(page["recording_ids"])


def test_a_run_notices_a_day_put_back_by_itself_and_reads_it_anew(bench: Bench) -> None:
    """Nobody has asked in between; and nothing is carried over from what was put back."""
    bench.sync()
    before = Snapshot(bench.data)
    bench.google.members[YESTERDAY] = {BUYERS: ["new"]}
    bench.sync()
    put_back_day(before)
    bench.google.archive(RETURNING)
    old = bench.readings()[YESTERDAY].reading_id
    assert alarms(bench, bench.sync) == [("readings", old)]
    assert bench.days()[YESTERDAY] == {BUYERS: {"new"}}
    assert alarms(bench) == []


def test_a_day_that_is_not_read_again_stays_out_of_use(bench: Bench) -> None:
    """Writing the head vouches for nothing that the writer has not written."""
    before = changed(bench)
    put_back_day(before)
    old = bench.readings()[YESTERDAY].reading_id
    assert alarms(bench, lambda: retention(bench).apply_to(bench.link_id, CUSTOMER)) == [("readings", old)]
    links(bench).label(bench.link_id, CUSTOMER, BUYERS, "another", "test")
    assert YESTERDAY not in bench.served(fresh(bench)).index.days
    assert alarms(bench) == []


def test_a_forgotten_recording_does_not_come_back_with_its_day(bench: Bench) -> None:
    bench.sync()
    before = Snapshot(bench.data)
    forget(bench, "often")
    for day in list(bench.states()):
        put_back_day(before, day)
    served = bench.served(fresh(bench))
    assert served.index.days == ()
    assert {held.state for held in served.days.values()} == {"incomplete"}
    bench.sync()
    assert all("often" not in ids for held in bench.days().values() for ids in held.values())
    assert alarms(bench) == []


def test_a_staged_value_from_before_a_forget_does_not_come_back(bench: Bench) -> None:
    """A reading that is rewritten before it is published takes another id with it."""
    staged: list[Snapshot] = []

    def remember(method: str) -> None:
        if method == "run_report" and not staged and bench.stored() > 1:
            staged.append(Snapshot(bench.data))
            forget(bench, "often")

    bench.google.before = remember
    bench.sync()
    assert staged
    readings = {row["reading_id"] for row in staged[0].rows["readings"]}
    assert readings.isdisjoint(row.reading_id for row in bench.readings().values())
    assert alarms(bench) == []


def test_a_day_that_had_left_retention_does_not_come_back(bench: Bench) -> None:
    bench.sync()
    before = Snapshot(bench.data)
    links(bench).change(bench.link_id, CUSTOMER, 3, "test")
    gone = back(4)
    put_back_day(before, gone)
    assert [table for table, _ in alarms(bench)] == ["readings"]
    assert gone not in bench.served(fresh(bench)).index.days
    retention(bench).apply_to(bench.link_id, CUSTOMER)
    assert gone not in bench.states()
    assert alarms(bench) == []


def test_a_day_that_the_head_does_not_know_gains_nothing_by_the_next_write(bench: Bench) -> None:
    bench.sync()
    before = Snapshot(bench.data)
    for kept in (3, 90):
        links(bench).change(bench.link_id, CUSTOMER, kept, "test")
    put_back_day(before, back(4))
    label_once_more(bench)
    assert back(4) not in bench.served(fresh(bench)).index.days
    assert alarms(bench) == []
    bench.sync()
    assert back(4) in bench.served(fresh(bench)).index.days


def test_a_deleted_day_and_a_deleted_segment_are_noticed(bench: Bench) -> None:
    bench.sync()
    empty = Snapshot(bench.data)
    empty.rows["readings"], empty.rows["segments"] = [], []
    empty.put_back("readings", of_day(YESTERDAY))
    assert alarms(bench) == [("heads", bench.link_id)]
    bench.sync()
    assert (YESTERDAY in bench.states(), alarms(bench)) == (True, [])
    empty.put_back("segments")
    assert alarms(bench) == [("heads", bench.link_id)]
    bench.sync()
    assert (set(named(bench)), alarms(bench)) == ({BUYERS, RETURNING}, [])


def test_a_row_of_a_reading_that_says_something_else_is_noticed(bench: Bench) -> None:
    """Its value is the same; what it means is not."""
    bench.sync()
    row = Snapshot(bench.data)
    for one in row.rows["readings"]:
        one["state"], one["reasons"] = "complete", []
    row.put_back("readings", of_day(YESTERDAY))
    assert alarms(bench) == [("readings", bench.readings()[YESTERDAY].reading_id)]


def test_names_put_back_are_not_shown_and_come_from_google_again(bench: Bench) -> None:
    before = changed(bench)
    assert named(bench)[BUYERS] == ("Customers", "new label")
    before.put_back("segments")
    rows = sorted(row["row_id"] for row in before.rows["segments"])
    assert alarms(bench, lambda: named(bench)) == [("segments", row) for row in rows]
    assert named(bench) == {BUYERS: (BUYERS, None), RETURNING: (RETURNING, None)}
    bench.sync()
    assert named(bench) == {BUYERS: ("Customers", None), RETURNING: ("Returning", None)}
    assert alarms(bench) == []
    before.put_back("segments")
    assert named(bench)[BUYERS] == (BUYERS, None)


def test_a_label_over_a_name_that_was_put_back_is_kept(bench: Bench) -> None:
    before = changed(bench)
    before.put_back("segments")
    links(bench).label(bench.link_id, CUSTOMER, BUYERS, "mine", "test")
    assert named(bench) == {BUYERS: (BUYERS, "mine"), RETURNING: (RETURNING, None)}
    bench.sync()
    assert named(bench) == {BUYERS: ("Customers", "mine"), RETURNING: ("Returning", None)}
    assert alarms(bench) == []


def test_a_link_put_back_to_an_older_publication_is_noticed_and_goes_on(bench: Bench) -> None:
    before = changed(bench)
    generation = bench.row().generation
    before.put_back("links", lambda row: bool(row["link_id"] == bench.link_id))
    assert alarms(bench) == [("heads", bench.link_id)]
    bench.sync()
    assert bench.last_run.status == "succeeded"
    assert bench.row().generation == generation + 1
    assert alarms(bench) == []


def test_a_head_put_back_alone_does_not_fit_the_days_of_today(bench: Bench) -> None:
    before = changed(bench)
    before.put_back("heads")
    told = {table for table, _ in alarms(bench)}
    assert told == {"heads", "readings", "segments"}
    bench.sync()
    assert alarms(bench) == []
    assert {state for state, _ in bench.states().values()} == {"provisional", "complete"}


def test_an_altered_head_is_told_of_and_is_written_anew(bench: Bench) -> None:
    bench.sync()
    broken = Snapshot(bench.data)
    box = broken.rows["heads"][0]["value"]
    broken.rows["heads"][0]["value"] = Sealed(box.ciphertext[:-1] + bytes([box.ciphertext[-1] ^ 1]))
    broken.put_back("heads")
    with bench.data.reading() as session:
        assert heads.look(session, bench.keyring, bench.link_id, CUSTOMER) is NOTHING
    bench.sync()
    assert alarms(bench) == []
    put_back_day(broken)
    assert [table for table, _ in alarms(bench)] == ["readings"]


def test_a_link_without_a_head_is_served_and_gets_one_with_the_next_write(bench: Bench) -> None:
    """As after the upgrade."""
    bench.sync()
    none = Snapshot(bench.data)
    none.rows["heads"] = []
    none.put_back("heads")
    assert alarms(bench) == []
    assert len(bench.served(fresh(bench)).index.days) == 6
    links(bench).label(bench.link_id, CUSTOMER, BUYERS, "label", "test")
    assert Snapshot(bench.data).rows["heads"][0]["number"] == 1


def test_a_head_that_was_deleted_is_missed(bench: Bench) -> None:
    """The keyring remembers that there was one; a removed link has none and misses none."""
    bench.sync()
    assert alarms(bench) == []
    none = Snapshot(bench.data)
    none.rows["heads"] = []
    none.put_back("heads")
    for _ in range(2):
        assert alarms(bench) == [("heads", bench.link_id)]
    assert alarms(bench, bench.sync) == [("heads", bench.link_id)]
    assert alarms(bench) == []
    none.put_back("heads")
    bench.change_link(status=LinkStatus.REMOVED)
    with bench.data.reading() as session:
        assert heads.look(session, bench.keyring, bench.link_id, CUSTOMER) is NOTHING


def test_data_restored_from_before_the_heads_are_accepted_with_a_word(bench: Bench) -> None:
    bench.sync()
    assert alarms(bench) == []
    none = Snapshot(bench.data)
    none.rows["heads"] = []
    none.put_back("heads")
    with bench.data.reading() as session:
        headed = headed_links(session)
    assert bench.keyring.floors.sink("link", dict.fromkeys(headed, 1)) == 1
    assert alarms(bench) == []
    assert alarms(bench, bench.sync) == []


def test_a_restored_backup_raises_no_alarm_and_goes_on(bench: Bench) -> None:
    before = changed(bench)
    before.restore()
    assert alarms(bench) == []
    assert named(bench)[BUYERS] == ("Buyers", "old label")
    assert alarms(bench, bench.sync) == []
    assert bench.last_run.status == "succeeded"
    assert (named(bench)[BUYERS], alarms(bench)) == (("Customers", "old label"), [])


def a_life(bench: Bench) -> None:
    """Everything that may happen to a link, twice: the second time over what the first left."""
    for turn in range(2):
        bench.sync()
        links(bench).label(bench.link_id, CUSTOMER, BUYERS, f"label {turn}", "test")
        forget(bench, f"buyer-{turn}-0")
        bench.google.rename(RETURNING, f"Returning {turn}")
        bench.damage(back(2) if turn else YESTERDAY)
        bench.served(fresh(bench))
        links(bench).pause(bench.link_id, CUSTOMER, "test")
        links(bench).resume(bench.link_id, CUSTOMER, "test")
        bench.sync()
        links(bench).put_recorded(bench.link_id, CUSTOMER, YESTERDAY, 7)
        links(bench).change(bench.link_id, CUSTOMER, 30 if turn else 4, "test")
        bench.google.archive(RETURNING)
        bench.clock.advance(timedelta(days=turn * 3, hours=5))
        retention(bench).apply()
        bench.sync(wanted=False)


def test_no_honest_life_of_a_link_raises_an_alarm(bench: Bench) -> None:
    def told() -> list[tuple[str, str]]:
        return alarms(bench, lambda: a_life(bench))

    assert told() == []
    assert alarms(bench) == []
    assert len(Snapshot(bench.data).rows["heads"]) == 1


Act = Callable[[Bench], object]


def label_once_more(bench: Bench) -> None:
    links(bench).label(bench.link_id, CUSTOMER, BUYERS, "meanwhile", "test")


@pytest.mark.parametrize("act", [label_once_more, Bench.sync])
@pytest.mark.parametrize("table", ["heads", "readings", "segments"])
def test_what_is_written_while_a_link_is_looked_at_is_no_alarm(bench: Bench, act: Act, table: str) -> None:
    """Each statement may see a newer commit, where the database reads so."""
    bench.sync()
    bench.google.members[YESTERDAY] = {BUYERS: ["meanwhile"]}
    acts = [act]

    def meanwhile(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if acts and f"FROM {table}" in statement:
            acts.pop()(bench)

    event.listen(bench.data.engine, "after_cursor_execute", meanwhile)
    told = alarms(bench, lambda: bench.served(fresh(bench)))
    event.remove(bench.data.engine, "after_cursor_execute", meanwhile)
    assert (acts, told, alarms(bench)) == ([], [], [])


def test_a_segment_that_had_left_comes_back_without_its_name(bench: Bench) -> None:
    bench.sync()
    before = Snapshot(bench.data)
    bench.google.archive(RETURNING)
    for day in bench.google.members:
        bench.google.members[day] = {BUYERS: ["often"]}
    bench.sync()
    bench.clock.advance(timedelta(days=100))
    bench.sync()
    assert set(named(bench)) == {BUYERS}
    gone = {row["row_id"] for row in before.rows["segments"]} - {
        row["row_id"] for row in Snapshot(bench.data).rows["segments"]
    }
    before.put_back("segments", lambda row: row["row_id"] in gone)
    assert alarms(bench) == [("segments", row) for row in gone]
    label_once_more(bench)
    assert (named(bench)[RETURNING], alarms(bench)) == ((RETURNING, None), [])
