"""Migrations bring a store to exactly the tables that the models describe."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
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


# --- two versions at once: docs/decisions/0008-two-versions-at-once.md -----------------------------------

NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{kind}_next", "{head}", None, None
EXPANDS = {expands}


def upgrade() -> None:
    op.add_column("{table}", sa.Column("a_later_thought", sa.String(10), nullable=True))
"""
TABLE = {"data": "grants", "keyring": "data_keys"}


def next_version(folder: Path, kind: Kind, *, expands: bool) -> Path:
    """The scripts of a version that adds a column."""
    scripts = shutil.copytree(SCRIPTS, folder / "alembic")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_locations", str(SCRIPTS / "versions" / kind))
    config.set_main_option("path_separator", "os")
    head = ScriptDirectory.from_config(config).get_current_head()
    written = NEXT.format(kind=kind, head=head, table=TABLE[kind], expands=expands)
    (scripts / "versions" / kind / "2099_01_01_next.py").write_text(written, "utf-8")
    return scripts


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_goes_on_with_what_the_next_one_only_added(bare: Store, tmp_path: Path, kind: Kind) -> None:
    """It starts, and its `db upgrade` changes nothing; the next one finds its own schema again."""
    upgrade(bare, SCRIPTS, kind)
    later = next_version(tmp_path, kind, expands=True)
    upgrade(bare, later, kind)
    for _ in range(2):
        require_current(bare, SCRIPTS, kind)
        upgrade(bare, SCRIPTS, kind)
        require_current(bare, later, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_refuses_what_the_next_one_changed(bare: Store, tmp_path: Path, kind: Kind) -> None:
    """A migration breaks unless it says that it does not."""
    upgrade(bare, next_version(tmp_path, kind, expands=False), kind)
    for step in (require_current, upgrade):
        with pytest.raises(StoreNotReady, match="cannot live with what it changed"):
            step(bare, SCRIPTS, kind)


def test_a_store_that_says_nothing_of_its_floor_is_refused(bare: Store) -> None:
    upgrade(bare, SCRIPTS, "data")
    with bare.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'data_9999'"))
        session.execute(text("DELETE FROM facts"))
    with pytest.raises(StoreNotReady, match="a newer version wrote the data store"):
        require_current(bare, SCRIPTS, "data")


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("versions/*/*.py")), ids=lambda path: path.stem)
def test_a_migration_that_says_it_expands_only_adds(path: Path) -> None:
    """Tables, indexes, and columns that may be left out, so that an insert that never heard of them goes through."""
    written = path.read_text("utf-8")
    calls = set(re.findall(r"\bop\.(\w+)\(", written)) - {"f"}
    assert calls
    if "EXPANDS = True" in written:
        assert calls <= {"create_table", "create_index", "add_column"}
        for column in re.findall(r"op\.add_column\((.*?)\)\n", written, re.DOTALL):
            assert "nullable=True" in column or "server_default" in column, column


def test_each_store_has_its_own_chain() -> None:
    for kind in KINDS:
        assert list((SCRIPTS / "versions" / kind).glob("*.py"))


def test_the_scripts_do_not_hide_the_library() -> None:
    assert list(SCRIPTS.rglob("__init__.py")) == []
    assert library.__file__ is not None
    assert not Path(library.__file__).is_relative_to(SCRIPTS)
