"""A look gives a row as the models have it, sees every customer and every commit, and never waits."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import bindparam, literal_column, select

from models.api_key import ApiKey
from models.link import Link, LinkStatus
from models.look import Row, Unseen
from models.session import EVERYBODY, Store, act_for
from tests.clock import NOON
from tests.postgres import DatabaseUrls, drop_database, fresh_database
from tests.postgres_server import Server

COLUMNS = (
    Link.link_id,
    Link.status,
    Link.retention_days,
    Link.first_day,
    Link.created_at,
    Link.as_of,
    Link.unique_ref,
)
BY_ID = select(*COLUMNS).where(Link.link_id == bindparam("link_id"))


@pytest.fixture
def data(migrated_urls: DatabaseUrls) -> Iterator[Store]:
    """A store with one link."""
    store = Store(migrated_urls.data)
    with store.transaction() as session:
        session.add(
            Link(
                link_id="L1",
                customer_id="acme",
                grant_id="g",
                unique_ref=b"\0\xff",
                time_zone="UTC",
                service_level="x",
                status=LinkStatus.ACTIVE,
                retention_days=90,
                created_at=NOON,
                first_day=NOON.date(),
                as_of=datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC),
            )
        )
    yield store
    act_for(EVERYBODY)
    store.close()


def test_a_look_gives_what_a_transaction_gives(data: Store) -> None:
    with data.reading() as session:
        row = session.execute(BY_ID, {"link_id": "L1"}).one()
    look = data.look(BY_ID, list)
    for _ in range(12):  # more than a driver takes to prepare a statement
        assert look({"link_id": "L1"}) == list(row)
    assert look({"link_id": "L1' OR 1=1 --"}) is None


def test_a_look_sees_what_was_committed_since_the_last_and_nothing_before(data: Store) -> None:
    look = data.look(select(Link.retention_days).where(Link.link_id == bindparam("link_id")), list)
    assert look({"link_id": "L1"}) == [90]
    with data.transaction() as session:
        session.get_one(Link, "L1").retention_days = 30
        session.flush()
        assert look({"link_id": "L1"}) == [90]
    assert look({"link_id": "L1"}) == [30]


def test_what_was_seen_is_given_again_until_somebody_commits(
    migrated_urls: DatabaseUrls, data: Store
) -> None:
    asked: list[object] = []
    other = Store(migrated_urls.data)

    def days_of(row: Row) -> int:
        asked.append(row)
        return int(row[2])

    look = data.look(BY_ID, days_of)
    for name in ("L1", "L1", "nobody", "L1"):
        look({"link_id": name})
    assert len(asked) == (1 if data.is_sqlite else 3)
    for days in (31, 32):
        with other.transaction() as session:
            session.get_one(Link, "L1").retention_days = days
        assert [look({"link_id": "L1"}) for _ in range(2)] == [days, days]
    with other.transaction() as session:
        session.delete(session.get_one(Link, "L1"))
    other.close()
    assert look({"link_id": "L1"}) is None


def test_what_was_seen_on_another_connection_is_not_given_again(data: Store) -> None:
    look = data.look(select(Link.retention_days).where(Link.link_id == bindparam("link_id")), list)
    for days in (10, 20, 30):  # a connection counts the commits that it sees, and another counts anew
        with data.transaction() as session:
            session.get_one(Link, "L1").retention_days = days
        data.close()
        assert look({"link_id": "L1"}) == [days]


def test_no_more_is_kept_than_a_few_hundred(data: Store) -> None:
    look = data.look(BY_ID, list)
    for number in range(600):
        assert look({"link_id": f"L{number + 2}"}) is None
    assert len(look._seen[1]) < 300  # noqa: SLF001 -- nobody else sees it


def test_a_look_sees_every_customer_whoever_is_acted_for(data: Store) -> None:
    act_for("globex")
    assert data.look(BY_ID, list)({"link_id": "L1"}) is not None


def test_a_look_does_not_wait_for_who_holds_every_connection(data: Store) -> None:
    held = [data.engine.connect() for _ in range(5)]
    began = time.monotonic()
    assert data.look(BY_ID, list)({"link_id": "L1"}) is not None
    assert time.monotonic() - began < timedelta(seconds=5).total_seconds()
    for connection in held:
        connection.close()


def test_many_who_look_wait_for_nobody_and_hold_up_nobody(data: Store) -> None:
    began = time.monotonic()
    for days in range(40):
        assert data.look(BY_ID, list)({"link_id": "L1"}) is not None
        with data.transaction() as session:
            session.get_one(Link, "L1").retention_days = days
    assert time.monotonic() - began < 20
    assert data.checkpoint(tries=1), "no look is left in the middle of its statement"


def test_a_store_that_was_closed_can_be_looked_at_again(data: Store) -> None:
    look = data.look(BY_ID, list)
    for _ in range(2):
        assert look({"link_id": "L1"}) is not None
        data.close()


def test_what_cannot_be_looked_at_now_is_said_as_that(data: Store) -> None:
    look = data.look(select(ApiKey.role).where(ApiKey.key_id == bindparam("key_id")), list)
    assert look({"key_id": "a"}) is None
    rename(data, "api_keys", "elsewhere")
    try:
        for _ in range(20):  # a failed look gives its connection back
            with pytest.raises(Unseen):
                look({"key_id": "a"})
    finally:
        rename(data, "elsewhere", "api_keys")
    assert look({"key_id": "a"}) is None


def test_a_look_at_postgresql_ends_after_a_second(postgres: Server) -> None:
    store = Store(fresh_database(postgres))
    try:
        look = store.look(select(literal_column("pg_sleep(30)")), list)
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(Unseen, match="QueryCanceled"):
                look({})
            assert 0.5 < time.monotonic() - began < 10
    finally:
        store.close()
        drop_database(postgres, store.url.render_as_string(hide_password=False))


def rename(data: Store, table: str, name: str) -> None:
    with data.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")
