"""Databases at the newest schema, copied from templates that are migrated once for a whole run of tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.migrate import Kind, upgrade
from models.session import Store
from tests.postgres import DatabaseUrls, drop_database, fresh_database, fresh_pair
from tests.postgres_server import Server

SCRIPTS = Path("alembic")
KINDS: tuple[Kind, Kind] = ("data", "keyring")


def sqlite_urls(folder: Path) -> DatabaseUrls:
    """Two files in a folder."""
    return DatabaseUrls(*(f"sqlite:///{folder / f'{kind}.db'}" for kind in KINDS))


def migrated(urls: DatabaseUrls) -> DatabaseUrls:
    """The same addresses, both databases at the newest schema and closed."""
    for kind, url in zip(KINDS, urls, strict=True):
        store = Store(url)
        upgrade(store, SCRIPTS, kind)
        store.close()
    return urls


def sqlite_copy(template: Path, folder: Path) -> DatabaseUrls:
    """The files of ``template`` once more in ``folder``."""
    for kind in KINDS:
        shutil.copyfile(template / f"{kind}.db", folder / f"{kind}.db")
    return sqlite_urls(folder)


@contextmanager
def postgres_template(server: Server) -> Iterator[DatabaseUrls]:
    """Two migrated databases, dropped afterwards."""
    with fresh_pair(server) as urls:
        yield migrated(urls)


@contextmanager
def postgres_copy(server: Server, template: DatabaseUrls) -> Iterator[DatabaseUrls]:
    """Copies of a template, dropped afterwards."""
    urls = DatabaseUrls(*(fresh_database(server, url) for url in template))
    try:
        yield urls
    finally:
        for url in urls:
            drop_database(server, url)
