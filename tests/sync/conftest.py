"""A bench over both kinds of database, at the newest schema, with one active grant and one link."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.keyring import Keyring
from models.sealed import Secret
from models.session import Store
from oauth.consent import Consents
from oauth.google import Google, http_client
from oauth.tokens import Tokens
from tests.clock import SettableClock
from tests.models.bench import Monotonic, kek
from tests.oauth.fake_google import CLIENT_ID, CLIENT_SECRET, ENDPOINTS, FakeGoogle
from tests.postgres import DatabaseUrls
from tests.postgres_server import Server
from tests.sync.bench import BACKFILL, CUSTOMER, Bench, back, new_id
from tests.sync.fake_google import BUYERS, RETURNING, FakeAnalytics
from tests.sync.ready import migrated, postgres_copy, postgres_template, sqlite_copy, sqlite_urls


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases, migrated once."""
    folder = tmp_path_factory.mktemp("template")
    migrated(sqlite_urls(folder))
    return folder


@pytest.fixture(scope="session")
def postgres_pair(postgres: Server) -> Iterator[DatabaseUrls]:
    """Both databases on the server, migrated once."""
    with postgres_template(postgres) as urls:
        yield urls


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseUrls]:
    """Two databases at the newest schema: the test runs once on each kind."""
    if request.param == "sqlite":
        yield sqlite_copy(request.getfixturevalue("sqlite_files"), tmp_path)
        return
    server: Server = request.getfixturevalue("postgres")
    with postgres_copy(server, request.getfixturevalue("postgres_pair")) as urls:
        yield urls


@pytest.fixture
def bench(migrated_urls: DatabaseUrls, clock: SettableClock) -> Iterator[Bench]:
    """One link of one customer, six days of members at Google, nothing read yet."""
    data, keys = Store(migrated_urls.data), Store(migrated_urls.keyring)
    monotonic = Monotonic()
    keyring = Keyring(keys, kek(), os.urandom, monotonic)
    keyring.initialise(clock())
    fake = FakeGoogle()
    with http_client(fake.transport()) as http:
        oauth = Google(
            http,
            ENDPOINTS,
            client_id=CLIENT_ID,
            client_secret=Secret(CLIENT_SECRET),
            monotonic=monotonic,
        )
        tokens = Tokens(data, keyring, oauth, client_id=CLIENT_ID, clock=clock, monotonic=monotonic)
        bench = Bench(data, keyring, tokens, fake, clock, consented(data, keyring, oauth, fake, clock))
        bench.google = world()
        bench.link_id = bench.make_link()
        yield bench
    data.close()
    keys.close()


def consented(data: Store, keyring: Keyring, oauth: Google, fake: FakeGoogle, clock: SettableClock) -> str:
    """An active grant, by the consent itself."""
    consents = Consents(
        data,
        keyring,
        oauth,
        client_id=CLIENT_ID,
        public_url="http://127.0.0.1:8000",
        clock=clock,
        random=os.urandom,
        new_id=new_id,
    )
    begun = consents.begin(CUSTOMER, None, None)
    opening = consents.open(begun.ticket.reveal())
    assert consents.complete(fake.consent(opening.location), opening.browser).status == "active"
    return begun.grant_id


def world() -> FakeAnalytics:
    """Every day its own buyers, and one who is there on all days and returns."""
    return FakeAnalytics(
        members={
            back(n): {BUYERS: [f"buyer-{n}-{i}" for i in range(3)] + ["often"], RETURNING: ["often"]}
            for n in range(BACKFILL)
        },
        strangers={back(n): {f"nobody-{n}"} for n in range(BACKFILL)},
    )
