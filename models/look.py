"""A look at the database: one short reading statement, compiled once, outside of any transaction.

SQLAlchemy's own way to the same row takes six times as long (a transaction, and the statement's compiled form found
anew), which shows where every request begins with one.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from sqlalchemy import Engine, Select
from sqlalchemy.exc import SQLAlchemyError


class Unseen(Exception):
    """The look could not be had now: the database is locked, busy, or away."""


class Look:
    """One statement, a snapshot by itself, that gives at most one row."""

    def __init__(self, engine: Engine, statement: Select[*tuple[Any, ...]]) -> None:
        """Of an engine whose connections begin nothing by themselves."""
        self._engine, dialect = engine, engine.dialect
        compiled = statement.compile(dialect=dialect)
        self._sql, self._order = str(compiled), compiled.positiontup
        self._errors = (dialect.loaded_dbapi.Error, SQLAlchemyError)
        self._read = [
            (number, read)
            for number, column in enumerate(statement.selected_columns)
            if (read := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]

    def __call__(self, values: Mapping[str, object]) -> list[Any] | None:
        """The row with these values bound, its columns as the models have them; None where there is none.

        Raises:
            Unseen: not now; a question that may wait asks in a transaction.
        """
        bound = values if self._order is None else [values[name] for name in self._order]
        try:
            with closing(self._engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
                cursor.execute(self._sql, bound)
                row = cursor.fetchone()
        except self._errors as error:
            raise Unseen(type(error).__name__) from error
        if row is None:
            return None
        found = list(row)
        for number, read in self._read:
            found[number] = read(found[number])
        return found
