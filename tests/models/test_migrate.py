"""Migrations bring a store to exactly the tables that the models describe."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text

import alembic as library
from models.data_key import DataKey
from models.errors import StoreNotReady
from models.keyring import Keyring, Owner
from models.migrate import Kind, require_current, upgrade
from models.session import Store
from models.tables import DataBase, KeyringBase
from tests.clock import NOON
from tests.models.bench import Monotonic, kek
from tests.postgres import DatabaseUrls

SCRIPTS = Path(__file__).parents[2] / "alembic"
KINDS: list[Kind] = ["data", "keyring"]


@pytest.fixture
def bare(database_urls: DatabaseUrls) -> Iterator[Store]:
    """An empty database."""
    store = Store(database_urls.data)
    yield store
    store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_an_upgraded_store_is_what_the_models_describe(bare: Store, kind: Kind) -> None:
    upgrade(bare, SCRIPTS, kind)
    metadata = (KeyringBase if kind == "keyring" else DataBase).metadata
    with bare.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    require_current(bare, SCRIPTS, kind)


def test_an_upgraded_keyring_never_gives_a_key_s_number_again(bare: Store) -> None:
    """Comparing tables does not see SQLite's AUTOINCREMENT."""
    upgrade(bare, SCRIPTS, "keyring")
    keyring = Keyring(bare, kek(), os.urandom, Monotonic())
    numbers = []
    for name in ("g1", "g2"):
        keyring.create(Owner("grant", name), "acme", NOON)
        with bare.reading() as session:
            numbers.append(session.scalars(select(DataKey.dek_id)).one())
        keyring.destroy([Owner("grant", name)], "acme", NOON)
    assert numbers == [1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_an_upgrade_may_be_repeated(bare: Store, kind: Kind) -> None:
    for _ in range(2):
        upgrade(bare, SCRIPTS, kind)
    require_current(bare, SCRIPTS, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_store_is_refused_with_what_to_do(bare: Store, kind: Kind) -> None:
    with pytest.raises(StoreNotReady, match="db upgrade"):
        require_current(bare, SCRIPTS, kind)


def test_a_store_of_the_other_kind_is_refused(bare: Store) -> None:
    upgrade(bare, SCRIPTS, "keyring")
    with pytest.raises(StoreNotReady, match="the data store"):
        require_current(bare, SCRIPTS, "data")


def test_a_store_that_a_newer_version_wrote_is_refused(bare: Store) -> None:
    upgrade(bare, SCRIPTS, "data")
    with bare.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'data_9999'"))
    with pytest.raises(StoreNotReady):
        require_current(bare, SCRIPTS, "data")


def test_each_store_has_its_own_chain() -> None:
    for kind in KINDS:
        assert list((SCRIPTS / "versions" / kind).glob("*.py"))


def test_the_scripts_do_not_hide_the_library() -> None:
    assert list(SCRIPTS.rglob("__init__.py")) == []
    assert library.__file__ is not None
    assert not Path(library.__file__).is_relative_to(SCRIPTS)
