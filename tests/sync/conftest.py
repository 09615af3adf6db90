"""A bench over both kinds of database, at the newest schema, with one active grant and one link."""

import os
from collections.abc import Iterator

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
from tests.sync.bench import BACKFILL, CUSTOMER, Bench, back, new_id
from tests.sync.fake_google import BUYERS, RETURNING, FakeAnalytics


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
