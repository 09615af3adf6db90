"""Somebody who may write the data database: takes rows as they are, and puts them back when they have changed."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table, delete, insert, select

from models.session import Store
from models.tables import DataBase

Row = dict[str, Any]
Which = Callable[[Row], bool]


def every(_row: Row) -> bool:
    """Each row."""
    return True


class Snapshot:
    """The data as it is at this moment, all of it."""

    def __init__(self, data: Store) -> None:
        self._data = data
        self.rows: dict[str, list[Row]] = {}
        with data.reading() as session:
            for name, table in DataBase.metadata.tables.items():
                self.rows[name] = [dict(row._mapping) for row in session.execute(select(table))]  # noqa: SLF001 -- its name

    def put_back(self, name: str, which: Which = every) -> None:
        """The rows of one table are again what they were, and those that came since are gone."""
        table = DataBase.metadata.tables[name]
        with self._data.transaction() as session:
            now = [dict(row._mapping) for row in session.execute(select(table))]  # noqa: SLF001 -- its name
            for row in filter(which, now):
                session.execute(delete(table).where(*_is(table, row)))
            old = list(filter(which, self.rows[name]))
            if old:
                session.execute(insert(table), old)

    def restore(self) -> None:
        """A backup is restored."""
        for name in self.rows:
            self.put_back(name)


def _is(table: Table, row: Row) -> list[Any]:
    return [column == row[column.name] for column in table.primary_key]
