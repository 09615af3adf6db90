"""Looking for what must not be there: in every file of a folder, in every row of two databases."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.journeys.truth import Truth
from tests.postgres import DatabaseUrls

SHORTEST = 6
TOKENS = ("1//sandbox-", "ya29.sandbox-", "4/0sandbox-")
Place = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Canaries:
    """Words that would give a customer's data away wherever they stood readable."""

    words: frozenset[bytes]

    @classmethod
    def of(cls, truth: Truth, *more: str) -> "Canaries":
        """Everything learnt through a link: recording ids, names, and the beginnings of tokens."""
        words = {*truth.ids, *truth.names.values(), *TOKENS, *more}
        return cls(frozenset(word.encode() for word in words if len(word) >= SHORTEST))

    def found_in(self, places: Iterable[Place]) -> list[tuple[str, bytes]]:
        """Where which word stands."""
        return [(name, word) for name, body in places for word in self.words if word in body]


def in_files(folder: Path) -> Iterator[Place]:
    """Every file under a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes()


def in_databases(urls: DatabaseUrls) -> Iterator[Place]:
    """Every table of both databases, its values as bytes."""
    for url in urls:
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(
                    sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
                ).fetchall()
                values = (value for row in rows for value in row)
                yield table, b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in values)
