"""The chain of audit events: whole, or broken at a known number."""

import hashlib
import json
from datetime import timedelta, timezone

import pytest
from sqlalchemy import delete, select, update

from models import audit
from models.audit_event import AuditEvent
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


def test_a_digest_covers_the_former_one_and_every_word() -> None:
    words = (7, NOON, "actor", "verb", "object", "acme")
    body = [7, "2026-11-23T12:00:00.000000+00:00", "actor", "verb", "object", "acme"]
    expected = hashlib.sha256(b"x" * 32 + json.dumps(body).encode()).digest()
    assert audit.digest(b"x" * 32, *words) == expected
    elsewhere = (7, NOON.astimezone(timezone(timedelta(hours=-8))), *words[2:])
    assert audit.digest(b"x" * 32, *elsewhere) == expected
