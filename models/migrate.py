"""Bring a store to the newest schema with Alembic, and tell whether this version can live with what is there.

The scripts are ``alembic/`` in a checkout and ``ga_sync/migrations`` in an installed wheel; the caller says where.

A migration that only adds what older versions can leave alone says ``EXPANDS = True``. The store itself remembers the
newest one that does not, its *floor*: a version that knows the floor goes on beside a newer one, and comes back after
it (docs/decisions/0008-two-versions-at-once.md).
"""

from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, insert, inspect, select

from alembic import command
from models.errors import StoreNotReady
from models.meta import SCHEMA_FLOOR, DataFact, KeyringFact
from models.session import Store

Kind = Literal["data", "keyring"]


def _config(scripts: Path, kind: Kind) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("version_locations", str(scripts / "versions" / kind))
    config.set_main_option("path_separator", "os")
    config.attributes["kind"] = kind
    return config


def upgrade(store: Store, scripts: Path, kind: Kind) -> None:
    """Apply every migration that is missing; nothing happens where none is, or where a newer version was here.

    Raises:
        StoreNotReady: a newer version was here and left nothing that this one can live with.
    """
    config = _config(scripts, kind)
    known = ScriptDirectory.from_config(config)
    with store.engine.execution_options(writes=True).begin() as connection:
        if _is_ahead(connection, known):
            _require_floor(connection, known, kind)
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        facts, floor = _facts(kind), _floor(known)
        if _held_floor(connection, kind) != floor:
            connection.execute(delete(facts).where(facts.name == SCHEMA_FLOOR))
            connection.execute(insert(facts).values(name=SCHEMA_FLOOR, value=floor))


def require_current(store: Store, scripts: Path, kind: Kind) -> None:
    """Refuse a store that this version cannot live with.

    Raises:
        StoreNotReady: it is empty, behind, or too far ahead.
    """
    known = ScriptDirectory.from_config(_config(scripts, kind))
    with store.engine.connect() as connection:
        if _is_ahead(connection, known):
            _require_floor(connection, known, kind)
        elif _revision(connection) != known.get_current_head():
            raise StoreNotReady(f"the {kind} store is not at this version's schema: run `ga-sync db upgrade`")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_ahead(connection: Connection, known: ScriptDirectory) -> bool:
    """Whether the store is at a revision that this version has never heard of."""
    revision = _revision(connection)
    return revision is not None and revision not in _names(known)


def _names(known: ScriptDirectory) -> set[str]:
    return {script.revision for script in known.walk_revisions()}


def _floor(known: ScriptDirectory) -> str:
    """The newest migration that older versions cannot live with; the first one always is."""
    breaking = (
        script.revision for script in known.walk_revisions() if not getattr(script.module, "EXPANDS", False)
    )
    return next(breaking)


def _require_floor(connection: Connection, known: ScriptDirectory, kind: Kind) -> None:
    if _held_floor(connection, kind) not in _names(known):
        raise StoreNotReady(
            f"a newer version wrote the {kind} store, and this one cannot live with what it changed: "
            "start the newer version, or restore a backup of before"
        )


def _held_floor(connection: Connection, kind: Kind) -> str | None:
    facts = _facts(kind)
    if not inspect(connection).has_table(facts.__tablename__):
        return None
    return connection.scalar(select(facts.value).where(facts.name == SCHEMA_FLOOR))


def _facts(kind: Kind) -> type[DataFact] | type[KeyringFact]:
    return KeyringFact if kind == "keyring" else DataFact
