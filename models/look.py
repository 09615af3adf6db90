"""A look at the database: one short reading statement, compiled once, outside of any transaction.

SQLAlchemy's own way to the same row takes ten times as long (a transaction, the statement's compiled form found anew, a
connection taken and given back), which shows where every request begins with one.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine, PoolProxiedConnection, Select
from sqlalchemy.exc import SQLAlchemyError

Values = Mapping[str, object] | tuple[object, ...]
Row = Sequence[Any]
Found = TypeVar("Found")
_KEPT = 256
"""Of so many values of a column what they mean is kept (SQLite gives times as text, mostly the same ones again), and so
many rows while nothing is committed."""


class Unseen(Exception):
    """The look could not be had now: the database is locked, busy, or away."""


class Look(Generic[Found]):
    """One statement, a snapshot by itself, that gives at most one row."""

    def __init__(
        self, database: "Pooled | Kept", statement: Select[*tuple[Any, ...]], make: Callable[[Row], Found]
    ) -> None:
        dialect = database.engine.dialect
        compiled = statement.compile(dialect=dialect)
        self._sql, self._order = str(compiled), compiled.positiontup
        self._errors = (dialect.loaded_dbapi.Error, SQLAlchemyError)
        self._database, self._make = database, make
        self._read: list[tuple[int, Callable[[Any], Any]]] = [
            (number, read if dialect.name != "sqlite" else lru_cache(_KEPT)(read))
            for number, column in enumerate(statement.selected_columns)
            if (read := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]
        self._seen: tuple[object, dict[Values, Found | None]] = (None, {})

    def __call__(self, values: Mapping[str, object]) -> Found | None:
        """What is made of the row with these values bound, its columns as the models have them; None without one.

        Raises:
            Unseen: not now; a question that may wait asks in a transaction.
        """
        bound = values if self._order is None else tuple([values[name] for name in self._order])
        try:
            version = self._database.version()
            return self._looked(bound) if version is None else self._seen_or_looked(version, bound)
        except self._errors as error:
            raise Unseen(type(error).__name__) from error

    def _seen_or_looked(self, version: object, bound: Values) -> Found | None:
        """The same again, while the database says that nothing was committed."""
        known, seen = self._seen
        if known != version or len(seen) > _KEPT:
            seen = {}
            self._seen = version, seen
        if bound not in seen:
            seen[bound] = self._looked(bound)
        return seen[bound]

    def _looked(self, bound: Values) -> Found | None:
        row = self._database.row(self._sql, bound)
        if row is None:
            return None
        found = list(row)
        for number, read in self._read:
            if found[number] is not None:
                found[number] = read(found[number])
        return self._make(found)


class Pooled:
    """A connection of a pool for each look: it may have died since the last one."""

    def __init__(self, engine: Engine) -> None:
        """Of an engine whose connections begin nothing by themselves."""
        self.engine = engine

    def row(self, sql: str, bound: Values) -> Row | None:
        """The first row."""
        with closing(self.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(sql, bound)
            found: Row | None = cursor.fetchone()
            return found

    def version(self) -> None:
        """PostgreSQL does not tell for less than a look whether something was committed."""

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


class Kept:
    """One connection to SQLite, with the statements prepared on it, for one look at a time: each reads but a few pages.

    A statement is read to its end, so that no snapshot of it is left to hold up who empties the log.
    """

    def __init__(self, engine: Engine) -> None:
        """Of an engine whose connections begin nothing by themselves."""
        self.engine, self._lock = engine, threading.Lock()
        self._pooled: PoolProxiedConnection | None = None
        self._opened = 0
        self._ask: Callable[[str, Values], Any] = self._first

    def _first(self, sql: str, bound: Values) -> Any:  # noqa: ANN401 -- a DBAPI cursor
        self._pooled, self._opened = self.engine.raw_connection(), self._opened + 1
        driver: Any = self._pooled.driver_connection
        self._ask = driver.execute
        return self._ask(sql, bound)

    def row(self, sql: str, bound: Values) -> Row | None:
        """The first row."""
        with self._lock:
            rows: list[Row] = self._ask(sql, bound).fetchall()
        return rows[0] if rows else None

    def version(self) -> tuple[int, Any]:
        """Another one than before wherever somebody has committed since (https://www.sqlite.org/pragma.html#pragma_data_version).

        It changes with every commit of another connection, and this one writes nothing. To ask for it takes half as
        long as to look.
        """
        row = self.row("PRAGMA data_version", ())
        return self._opened, None if row is None else row[0]

    def close(self) -> None:
        """Close the connection; a later look opens another."""
        with self._lock:
            if self._pooled is not None:
                self._pooled.close()
            self._pooled, self._ask = None, self._first
        self.engine.dispose()
