"""Two databases and a key file that can be put back to how they stood, on SQLite and on PostgreSQL."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString, Protocol

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.migrated import OTHERS
from tests.postgres import DatabaseUrls, fresh_pair, running_server

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
NAMES = ("data", "keyring")


class Place(Protocol):
    """Where a house stands."""

    folder: Path

    def urls(self) -> dict[str, str]:
        """The addresses of both databases."""

    def keep(self) -> None:
        """Remember how it stands now; nobody is connected."""

    def put_back(self) -> None:
        """Let it stand as it was kept."""


class Files:
    """SQLite."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._kept = folder / "var", folder / "kept"
        self.folder.mkdir(mode=0o700)

    def urls(self) -> dict[str, str]:
        return {name: f"sqlite:///{self.folder / name}.db" for name in NAMES}

    def keep(self) -> None:
        shutil.copytree(self.folder, self._kept)

    def put_back(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept, self.folder)


class Databases:
    """PostgreSQL: the rows are kept in a schema beside their own, the key file as a file."""

    def __init__(self, folder: Path, urls: DatabaseUrls) -> None:
        self._files, self._urls = Files(folder), urls
        self.folder = self._files.folder

    def urls(self) -> dict[str, str]:
        return dict(zip(NAMES, self._urls, strict=True))

    def keep(self) -> None:
        self._files.keep()
        self._all("CREATE SCHEMA kept", "CREATE TABLE kept.{0} AS TABLE public.{0}")

    def put_back(self) -> None:
        self._files.put_back()
        self._all(OTHERS, "DELETE FROM public.{0}", "INSERT INTO public.{0} SELECT * FROM kept.{0}")

    def _all(self, first: str, *each: LiteralString) -> None:
        """One statement, and then these of every table."""
        for url in self._urls:
            plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(plain) as connection:
                connection.execute("SET ga_sync.customer = '*'")
                connection.execute(first.encode())
                tables = connection.execute(TABLES).fetchall()
                for statement in each:
                    for (table,) in tables:
                        connection.execute(sql.SQL(statement).format(sql.Identifier(table)))


@contextmanager
def place(kind: str, folder: Path) -> Iterator[Place]:
    """A place of a kind: `sqlite` or `postgresql`."""
    if kind == "sqlite":
        yield Files(folder)
        return
    with running_server(os.environ) as server, fresh_pair(server) as urls:
        yield Databases(folder, urls)
