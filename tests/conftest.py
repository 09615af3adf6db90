"""What every test may ask for: databases of both kinds, a clock that it sets, a browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from playwright.sync_api import Browser

from tests.chromium import CHROMIUM, chromium
from tests.clock import SettableClock
from tests.migrated import PostgresTemplates, SqliteTemplates
from tests.postgres import DatabaseUrls, fresh_pair, running_server, why_unavailable
from tests.postgres_server import Server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL for the whole run of this process; skips, saying why, where none can be had."""
    if reason := why_unavailable(os.environ):
        pytest.skip(reason)
    with running_server(os.environ) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Server) -> str:
    """The address of that server, for an ordinary role."""
    return postgres.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseUrls]:
    """Two empty databases, for data and keyring: the test runs once on each kind."""
    if request.param == "sqlite":
        yield DatabaseUrls(f"sqlite:///{tmp_path / 'data.db'}", f"sqlite:///{tmp_path / 'keyring.db'}")
        return
    server: Server = request.getfixturevalue("postgres")
    with fresh_pair(server) as urls:
        yield urls


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplates:
    """Migrated SQLite files to copy."""
    return SqliteTemplates(tmp_path_factory.mktemp("templates"))


@pytest.fixture(scope="session")
def postgres_templates(postgres: Server) -> Iterator[PostgresTemplates]:
    """Migrated PostgreSQL databases to copy."""
    templates = PostgresTemplates(postgres)
    yield templates
    templates.drop()


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseUrls]:
    """Two databases at the newest schema, for data and keyring: the test runs once on each kind."""
    if request.param == "sqlite":
        templates: SqliteTemplates = request.getfixturevalue("sqlite_templates")
        yield templates.pair(tmp_path)
        return
    originals: PostgresTemplates = request.getfixturevalue("postgres_templates")
    with originals.pair() as urls:
        yield urls


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """What a command configures for its own process does not outlive the test that ran it."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still until the test moves it."""
    return SettableClock()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, one at a time and not for longer than a module.

    Playwright keeps an event loop running in this thread, beside which nobody else can run one.
    """
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: install Debian's package chromium to run the browser tests")
    with chromium() as found:
        yield found
