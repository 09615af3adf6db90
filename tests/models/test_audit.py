"""The chain of audit events: whole, or broken at a known number."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone
from threading import Barrier

import pytest
from sqlalchemy import delete, event, select, update
from sqlalchemy.exc import IntegrityError

from models import audit
from models.audit_event import AuditEvent, AuditHead
from models.meta import DataFact
from models.session import Store
from tests.clock import NOON


def write(store: Store, events: int) -> None:
    for number in range(events):
        with store.transaction() as session:
            moment = NOON + timedelta(seconds=number, microseconds=number)
            audit.append(session, moment, "key:k1", "grant.revoke", f"grant:g{number}", "acme")


def first_break(store: Store) -> int | None:
    with store.reading() as session:
        return audit.first_break(session)


def change(store: Store, event: int, **values: object) -> None:
    with store.transaction() as session:
        session.execute(update(AuditEvent).where(AuditEvent.number == event).values(**values))


def test_an_empty_chain_and_a_long_one_are_whole(data: Store) -> None:
    assert first_break(data) is None
    write(data, 10)
    assert first_break(data) is None


def test_events_of_one_transaction_follow_each_other(data: Store) -> None:
    with data.transaction() as session:
        for _ in range(3):
            audit.append(session, NOON, "a", "v", "o", "c")
    with data.reading() as session:
        assert list(session.scalars(select(AuditEvent.number).order_by(AuditEvent.number))) == [1, 2, 3]
    assert first_break(data) is None


@pytest.mark.parametrize(
    "values",
    [
        {"actor": "key:k2"},
        {"verb": "grant.show"},
        {"object": "grant:other"},
        {"customer_id": "other"},
        {"at": NOON},
        {"digest": bytes(32)},
    ],
)
def test_any_changed_word_breaks_the_chain_there(data: Store, values: dict[str, object]) -> None:
    write(data, 6)
    change(data, 3, **values)
    assert first_break(data) == 3


@pytest.mark.parametrize(("number", "found"), [(1, 2), (3, 4)])
def test_a_deleted_event_breaks_the_chain_after_it(data: Store, number: int, found: int) -> None:
    write(data, 6)
    with data.transaction() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.number == number))
    assert first_break(data) == found


def test_renumbered_and_inserted_events_break_the_chain(data: Store) -> None:
    write(data, 3)
    change(data, 3, number=9)
    assert first_break(data) == 9


def test_an_event_that_is_rolled_back_leaves_no_gap(data: Store) -> None:
    write(data, 1)

    def fail() -> None:
        with data.transaction() as session:
            audit.append(session, NOON, "a", "v", "o", "c")
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    write(data, 1)
    assert first_break(data) is None


def test_writers_at_once_wait_for_each_other_and_make_one_whole_chain(data: Store) -> None:
    """Also for the first event of all, when there is no head yet to wait for."""
    barrier = Barrier(8)

    def act(_: int) -> None:
        barrier.wait()
        write(data, 5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(8)))
    with data.reading() as session:
        assert len(session.scalars(select(AuditEvent.number)).all()) == 40
    assert first_break(data) is None


@pytest.mark.parametrize("kept", [0, 3, 5])
def test_events_cut_off_the_end_are_missed_at_the_first_of_them(data: Store, kept: int) -> None:
    write(data, 6)
    with data.transaction() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.number > kept))
    assert first_break(data) == kept + 1


def test_an_event_written_past_the_head_is_noticed(data: Store) -> None:
    """A chain that was made longer by another hand than ours, every digest being right."""
    write(data, 3)
    with data.reading() as session:
        former = session.get_one(AuditEvent, 3).digest
    words = (4, NOON, "a", "v", "o", "c")
    with data.transaction() as session:
        names = ("number", "at", "actor", "verb", "object", "customer_id")
        row = dict(zip(names, words, strict=True))
        session.add(AuditEvent(**row, digest=audit.digest(former, *words)))
    assert first_break(data) == 4


@pytest.mark.parametrize(
    ("values", "found"), [({"digest": bytes(32)}, 3), ({"number": 2}, 2), ({"number": 9}, 4)]
)
def test_a_changed_head_is_noticed(data: Store, values: dict[str, object], found: int) -> None:
    write(data, 3)
    with data.transaction() as session:
        session.execute(update(AuditHead).values(**values))
    assert first_break(data) == found


def test_without_its_head_a_chain_is_broken_and_takes_no_more_events(data: Store) -> None:
    write(data, 3)
    with data.transaction() as session:
        session.execute(delete(AuditHead))
    assert first_break(data) == 1
    with pytest.raises(IntegrityError):
        write(data, 1)


def test_a_chain_that_grows_while_it_is_checked_is_whole(data: Store) -> None:
    """Events and head are read in one statement: an event that comes between is in neither or in both."""
    write(data, 3)
    with data.reading() as session:
        for _ in range(3):
            assert audit.first_break(session) is None
            write(data, 1)


def test_the_head_is_locked_after_everything_else_of_its_transaction(data: Store) -> None:
    """Else two transactions could wait for each other: one with the head, one with what it still has to write."""
    write(data, 1)
    said: list[str] = []
    event.listen(data.engine, "before_cursor_execute", lambda *words: said.append(words[2].lower()))
    with data.transaction() as session:
        session.add(DataFact(name="a", value="1"))
        audit.append(session, NOON, "a", "v", "o", "c")
    tables = [table for words in said for table in ("facts", "audit_head", "audit_events") if table in words]
    assert tables[:2] == ["facts", "audit_head"]
    assert tables.count("facts") == 1


def test_a_digest_covers_the_former_one_and_every_word() -> None:
    words = (7, NOON, "actor", "verb", "object", "acme")
    body = [7, "2026-11-23T12:00:00.000000+00:00", "actor", "verb", "object", "acme"]
    expected = hashlib.sha256(b"x" * 32 + json.dumps(body).encode()).digest()
    assert audit.digest(b"x" * 32, *words) == expected
    elsewhere = (7, NOON.astimezone(timezone(timedelta(hours=-8))), *words[2:])
    assert audit.digest(b"x" * 32, *elsewhere) == expected


def trim(store: Store, seconds: int) -> int:
    with store.transaction() as session:
        return audit.trim(session, NOON + timedelta(seconds=seconds))


def test_a_chain_whose_oldest_events_have_left_is_whole_and_goes_on(data: Store) -> None:
    write(data, 10)
    assert [trim(data, 4), trim(data, 4), trim(data, 7)] == [4, 0, 3]
    assert first_break(data) is None
    write(data, 2)
    assert first_break(data) is None
    with data.reading() as session:
        assert list(session.scalars(select(AuditEvent.number).order_by(AuditEvent.number))) == [
            8,
            9,
            10,
            11,
            12,
        ]
    assert trim(data, 1_000) == 5
    assert first_break(data) is None
    write(data, 1)
    assert first_break(data) is None


@pytest.mark.parametrize(
    ("values", "found"),
    [({"trimmed": 3}, 5), ({"trimmed_digest": bytes(32)}, 5), ({"trimmed_digest": None}, 5)],
)
def test_a_changed_beginning_is_noticed(data: Store, values: dict[str, object], found: int) -> None:
    write(data, 10)
    trim(data, 4)
    with data.transaction() as session:
        session.execute(update(AuditHead).values(**values))
    assert first_break(data) == found


def test_an_event_that_is_missed_after_the_beginning_is_noticed_and_keeps_the_rest_as_evidence(
    data: Store,
) -> None:
    write(data, 10)
    trim(data, 2)
    with data.transaction() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.number.in_([3, 6])))
    assert first_break(data) == 4
    assert trim(data, 6) == 0
    assert first_break(data) == 4


def test_an_event_that_a_clock_put_back_has_dated_early_waits_for_the_one_before_it(data: Store) -> None:
    with data.transaction() as session:
        for seconds in (0, 10, 5, 20):
            audit.append(session, NOON + timedelta(seconds=seconds), "a", "v", "o", "c")
    assert trim(data, 8) == 1
    assert trim(data, 15) == 2
    assert first_break(data) is None
