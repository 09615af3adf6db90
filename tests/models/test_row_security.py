"""PostgreSQL itself keeps customers apart, below every query: forced, and closed where nobody said for whom."""

import os
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import ProgrammingError

from models.data_key import DataKey
from models.errors import DataKeyGone
from models.grant import Grant
from models.keyring import OUTBOX, SYSTEM, Keyring, Owner
from models.messages import BLOCK
from models.session import EVERYBODY, Store, act_for
from models.tables import DataBase, KeyringBase
from tests.clock import NOON
from tests.migrated import PostgresTemplates
from tests.models.bench import PLACE, Monotonic, kek


@pytest.fixture
def store(postgres_templates: PostgresTemplates) -> Iterator[Store]:
    with postgres_templates.pair() as urls:
        store = Store(urls.data)
        for customer in ("acme", "globex"):
            add(store, customer, customer)
        yield store
        store.close()


@pytest.fixture
def keys(postgres_templates: PostgresTemplates) -> Iterator[Store]:
    with postgres_templates.pair() as urls:
        store = Store(urls.keyring)
        yield store
        store.close()


def add(store: Store, grant_id: str, customer: str) -> None:
    with store.transaction() as session:
        session.add(
            Grant(grant_id=grant_id, customer_id=customer, status="active", created_at=NOON, expires_at=NOON)
        )


def seen_by(store: Store, customer: str) -> list[str]:
    """The grants that a transaction for this customer sees."""

    def look() -> list[str]:
        act_for(customer)
        with store.reading() as session:
            return sorted(session.scalars(select(Grant.grant_id)))

    return copy_context().run(look)


POLICIES = text(
    "SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid "
    "WHERE c.relrowsecurity AND c.relforcerowsecurity AND p.polcmd = '*' "
    "AND pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(p.polwithcheck, p.polrelid)"
)


def test_every_table_with_a_customer_has_a_forced_policy(store: Store, keys: Store) -> None:
    for one, base, least in ((store, DataBase, 12), (keys, KeyringBase, 2)):
        tables = base.metadata.sorted_tables
        wanted = {table.name for table in tables if "customer_id" in table.columns}
        with one.reading() as session:
            assert set(session.scalars(POLICIES)) == wanted
        assert len(wanted) > least


def test_a_request_finds_the_keys_of_its_customer_and_the_systems_and_destroys_its_own_alone(
    keys: Store,
) -> None:
    def keyring() -> Keyring:  # as a process that holds no key in memory yet
        return Keyring(keys, kek(), os.urandom, Monotonic())

    keyring().initialise(NOON)
    owners = {customer: Owner("link", f"link of {customer}") for customer in ("acme", "globex")}
    for customer, owner in owners.items():
        keyring().create(owner, customer, NOON)
    keyring().create(Owner("grant", "dead"), "globex", NOON)
    keyring().destroy([Owner("grant", "dead")], "globex", NOON)

    def intrude() -> None:
        act_for("acme")
        mine = keyring()
        for owner in (owners["acme"], SYSTEM, OUTBOX):
            mine.sealer(owner)
        with pytest.raises(DataKeyGone):
            mine.sealer(owners["globex"])
        assert mine.buried() == set()
        with pytest.raises(ProgrammingError, match="row-level security"):
            mine.create(Owner("link", "another"), "globex", NOON)
        mine.destroy([SYSTEM, owners["globex"]], "acme", NOON)  # its own tombstones, and nothing of others
        mine.destroy([owners["acme"]], "acme", NOON)

    copy_context().run(intrude)
    for owner in (owners["globex"], SYSTEM, OUTBOX):
        keyring().sealer(owner)
    with pytest.raises(DataKeyGone):
        keyring().sealer(owners["acme"])


def test_a_request_of_one_customer_counts_what_it_seals_under_the_systems_key(keys: Store) -> None:
    keyring = Keyring(keys, kek(), os.urandom, Monotonic())
    keyring.initialise(NOON)

    def act() -> None:
        act_for("acme")
        keyring.sealer(SYSTEM).seal(PLACE, b"")
        with keys.transaction() as session:
            session.execute(update(DataKey).values(messages=0))

    copy_context().run(act)
    with keys.reading() as session:
        assert sorted(session.scalars(select(DataKey.messages))) == [0, BLOCK]


def test_a_transaction_sees_the_customer_it_acts_for(store: Store) -> None:
    assert seen_by(store, "acme") == ["acme"]
    assert seen_by(store, "globex") == ["globex"]
    assert seen_by(store, "nobody") == []
    assert seen_by(store, "' OR true --") == []
    assert seen_by(store, EVERYBODY) == ["acme", "globex"]
    with store.reading() as session:
        assert len(session.scalars(select(Grant)).all()) == 2, "the next transaction of the same connection"


def test_nothing_is_written_for_another_customer(store: Store) -> None:
    def intrude() -> None:
        act_for("acme")
        add(store, "mine", "acme")
        with pytest.raises(ProgrammingError, match="row-level security"):
            add(store, "theirs", "globex")
        with store.transaction() as session:
            session.execute(text("UPDATE grants SET status = 'revoked'"))
            session.execute(text("DELETE FROM grants WHERE grant_id = 'globex'"))

    copy_context().run(intrude)
    with store.reading() as session:
        states = dict(session.execute(select(Grant.grant_id, Grant.status)).all())
    assert states == {"acme": "revoked", "mine": "revoked", "globex": "active"}


def test_a_connection_that_does_not_say_for_whom_sees_nothing(store: Store) -> None:
    with store.reading() as session:
        session.execute(text("RESET ga_sync.customer"))
        assert session.scalars(select(Grant)).all() == []
