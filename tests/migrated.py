"""Databases that stand at the newest schema already: migrated once a process, copied for every test."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import delete, false, not_, text

from models.meta import SCHEMA_FLOOR, DataFact, KeyringFact
from models.migrate import Kind, upgrade
from models.session import Store
from models.tables import DataBase, KeyringBase
from tests.postgres import DatabaseUrls, drop_database, fresh_database
from tests.postgres_server import Server

SCRIPTS = Path(__file__).parent.parent / "alembic"
OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid()"
)
FACTS = {DataFact.__tablename__, KeyringFact.__tablename__}
KINDS: tuple[Kind, Kind] = ("data", "keyring")


def migrate(url: str, kind: Kind) -> None:
    """Bring an empty database to the newest schema, and leave no connection to it open."""
    store = Store(url)
    try:
        upgrade(store, SCRIPTS, kind)
        store.checkpoint()
    finally:
        store.close()


class SqliteTemplates:
    """One migrated file of each kind."""

    def __init__(self, folder: Path) -> None:
        self._files = {kind: folder / f"{kind}.db" for kind in KINDS}
        for kind, path in self._files.items():
            migrate(f"sqlite:///{path}", kind)

    def pair(self, folder: Path) -> DatabaseUrls:
        """Copies of both in ``folder``."""
        data, keyring = (shutil.copy(self._files[kind], folder / f"{kind}.db") for kind in KINDS)
        return DatabaseUrls(f"sqlite:///{data}", f"sqlite:///{keyring}")


class PostgresTemplates:
    """Migrated databases on a server, emptied and used again: making one costs a hundred times what emptying does."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._free: dict[Kind, list[str]] = {kind: [] for kind in KINDS}

    @contextmanager
    def pair(self) -> Iterator[DatabaseUrls]:
        """One of each, with what the migrations left in it and nothing else."""
        urls = {kind: self._taken(kind) for kind in KINDS}
        try:
            yield DatabaseUrls(urls["data"], urls["keyring"])
        finally:
            for kind, url in urls.items():
                self._empty(kind, url)
                self._free[kind].append(url)

    def _taken(self, kind: Kind) -> str:
        if self._free[kind]:
            return self._free[kind].pop()
        url = fresh_database(self._server)
        migrate(url, kind)
        return url

    def _empty(self, kind: Kind, url: str) -> None:
        """End whoever is still connected, then delete every row that was not there at first."""
        tables = {"data": DataBase, "keyring": KeyringBase}[kind].metadata.tables
        store = Store(url)
        try:
            with store.engine.begin() as connection:
                connection.execute(text(OTHERS))
                for table in tables.values():
                    kept = table.c.name == SCHEMA_FLOOR if table.name in FACTS else false()
                    connection.execute(delete(table).where(not_(kept)))
        finally:
            store.close()

    def drop(self) -> None:
        """Drop them all."""
        for url in itertools.chain.from_iterable(self._free.values()):
            drop_database(self._server, url)
