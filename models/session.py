"""Engines and transactions: the only code that commits.

SQLite runs in WAL mode with ``secure_delete`` (https://www.sqlite.org/pragma.html#pragma_secure_delete), so that
deleted pages are overwritten; writing transactions begin IMMEDIATE, so that two writers wait instead of failing.

On PostgreSQL every table that has a customer is under forced row-level security: a transaction sees and writes the rows
of the customer it acts for, or of all where it acts for all (https://www.postgresql.org/docs/current/ddl-rowsecurity.html).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, event, make_url
from sqlalchemy.orm import Session

from models.look import Found, Kept, Look, Pooled, Row
from models.private import make_file, make_folder

EVERYBODY = "*"
_ACTING_FOR: ContextVar[str] = ContextVar("acting_for", default=EVERYBODY)
_SETTING = "ga_sync.customer"
_BUSY_MS = 15_000
_CHECKPOINT_MS = 50
_LOOK_SECONDS = 1.0


def _sqlite_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
    connection.isolation_level = None  # BEGIN is ours, below
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_waits_for_nothing(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=0")
    connection.execute("PRAGMA query_only=ON")


def _sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def act_for(customer_id: str) -> None:
    """From here on, in this task or thread, transactions see the rows of one customer (or of :data:`EVERYBODY`) alone.

    Enforced by PostgreSQL, below every query of ours; on SQLite the queries stand alone.
    """
    _ACTING_FOR.set(customer_id)


def _postgres_acts_for_everybody(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
    """A connection outside of a request is the service itself; without this line it would see nothing."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT set_config('{_SETTING}', '{EVERYBODY}', false)")
    connection.commit()


def _postgres_is_short(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {int(_LOOK_SECONDS * 1000)}")


def _postgres_begin(connection: Connection) -> None:
    customer_id = _ACTING_FOR.get()
    if customer_id != EVERYBODY:  # as long as the transaction (SET LOCAL)
        connection.exec_driver_sql(f"SELECT set_config('{_SETTING}', %s, true)", (customer_id,))


def _make_private(database: str) -> None:
    """The file and its folders, for their owner alone; the log that SQLite puts beside it has the file's own mode."""
    if database == ":memory:" or database.startswith("file:"):
        return
    make_folder(Path(database).parent)
    make_file(Path(database))


class Store:
    """One database: the data or the keyring.

    New SQLite files are made with mode 0600 in folders of mode 0700.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            _make_private(self.url.database)
        self.engine: Engine = create_engine(self.url, pool_pre_ping=not self.is_sqlite, hide_parameters=True)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _sqlite_pragmas)
            event.listen(self.engine, "begin", _sqlite_begin)
        else:
            event.listen(self.engine, "connect", _postgres_acts_for_everybody)
            event.listen(self.engine, "begin", _postgres_begin)
        self._writer = self.engine.execution_options(writes=True)
        self._looker = self._make_looker()

    def _make_looker(self) -> Pooled | Kept:
        """Connections of its own: a look waits for nobody who holds one of the others, nor long for anything."""
        if self.is_sqlite:
            looker = create_engine(self.url, hide_parameters=True)
            event.listen(looker, "connect", _sqlite_waits_for_nothing)
            return Kept(looker)
        looker = create_engine(
            self.url,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            max_overflow=0,
            pool_timeout=_LOOK_SECONDS,
            connect_args={"connect_timeout": 2},  # the least that libpq takes
        )
        event.listen(looker, "connect", _postgres_acts_for_everybody)
        event.listen(looker, "connect", _postgres_is_short)
        return Pooled(looker)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A writing transaction: committed when the block ends, rolled back when it raises."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A reading transaction: one snapshot, nothing to commit."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def look(self, statement: Select[*tuple[Any, ...]], make: Callable[[Row], Found]) -> Look[Found]:
        """A reading statement to be asked often, and what to make of its row. It sees every customer."""
        return Look(self._looker, statement, make)

    def checkpoint(self, sleep: Callable[[float], None] = time.sleep, tries: int = 50) -> bool:
        """Empty SQLite's write-ahead log, so that deleted values are in no file; True when it is empty.

        A reader holds it up. It gives up after ``tries``, each of which waits 50 ms for the lock and then sleeps
        50 ms: after 5 s, so that who called can come again later.

        On PostgreSQL the log is the server's own: what was sealed stays ciphertext there, and its key is gone.
        """
        if not self.is_sqlite:
            return True
        for _ in range(tries):
            if not self._checkpoint_once():
                return True
            sleep(0.05)
        return False

    def _checkpoint_once(self) -> bool:
        with closing(self.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(f"PRAGMA busy_timeout={_CHECKPOINT_MS}")
            try:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                row = cursor.fetchone()
            finally:
                cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            return row is None or bool(row[0])

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        self._looker.close()
