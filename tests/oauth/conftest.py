"""Permission over real stores and a fake Google; nothing here leaves the process."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from models.grant import Grant
from models.kek import KEY_BYTES, LocalKek
from models.keyring import Keyring
from models.sealed import Secret
from models.session import Store
from oauth.consent import Consents, Opening
from oauth.google import Google, http_client
from oauth.outcome import Completed
from oauth.protocol import Endpoints
from oauth.revocation import Revocations
from oauth.tokens import Tokens
from tests.clock import SettableClock
from tests.oauth.fake_google import CLIENT_ID, CLIENT_SECRET, ENDPOINTS, FakeGoogle
from tests.postgres import DatabaseUrls

CUSTOMER = "acme"
PUBLIC_URL = "http://127.0.0.1:8000"
KEK = LocalKek("env:TEST", {1: bytes(range(KEY_BYTES))}, 1, os.urandom)
RETURN_URL = "https://console.example/done"


class Monotonic:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Room:
    """The package, put together as the product does it."""

    data: Store
    keys: Store
    keyring: Keyring
    fake: FakeGoogle
    http: httpx.Client
    clock: SettableClock
    monotonic: Monotonic

    @property
    def google(self) -> Google:
        return self.google_at(ENDPOINTS)

    def google_at(self, endpoints: Endpoints) -> Google:
        return Google(
            self.http,
            endpoints,
            client_id=CLIENT_ID,
            client_secret=Secret(CLIENT_SECRET),
            monotonic=self.monotonic,
        )

    @property
    def consents(self) -> Consents:
        return self.consents_over(self.keyring, self.google)

    def consents_over(self, keyring: Keyring, google: Google) -> Consents:
        return Consents(
            self.data,
            keyring,
            google,
            client_id=CLIENT_ID,
            public_url=PUBLIC_URL,
            clock=self.clock,
            random=os.urandom,
            new_id=lambda: str(uuid.uuid4()),
        )

    def tokens(self, client_id: str = CLIENT_ID) -> Tokens:
        """As one process has it: nothing is held yet."""
        return Tokens(
            self.data,
            self.keyring,
            self.google,
            client_id=client_id,
            clock=self.clock,
            monotonic=self.monotonic,
        )

    @property
    def revocations(self) -> Revocations:
        return Revocations(self.data, self.keyring, self.google, clock=self.clock)

    def grant(self, grant_id: str) -> Grant:
        with self.data.reading() as session:
            grant = session.get(Grant, grant_id)
        assert grant is not None
        return grant

    def opened(self, customer_id: str = CUSTOMER, grant_id: str | None = None) -> tuple[str, str, Opening]:
        """A new address, opened: grant, ticket, opening."""
        begun = self.consents.begin(customer_id, RETURN_URL, grant_id)
        ticket = begun.ticket.reveal()
        return begun.grant_id, ticket, self.consents.open(ticket)

    def finished(self, opening: Opening) -> Completed:
        """The person allows in the same browser."""
        return self.consents.complete(self.fake.consent(opening.location), opening.browser)

    def active_grant(self, customer_id: str = CUSTOMER) -> str:
        grant_id, _, opening = self.opened(customer_id)
        assert self.finished(opening).status == "active"
        return grant_id

    def bury(self, grant_id: str) -> None:
        """What an admin's revocation does, in the caller's transaction."""
        with self.data.transaction() as session:
            grant = session.get(Grant, grant_id)
            assert grant is not None
            self.revocations.bury(session, grant, self.clock())


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


@pytest.fixture
def room(migrated_urls: DatabaseUrls, clock: SettableClock, monotonic: Monotonic) -> Iterator[Room]:
    """Both stores of one kind, a keyring, and a fake Google."""
    data, keys = Store(migrated_urls.data), Store(migrated_urls.keyring)
    keyring = Keyring(keys, KEK, os.urandom, monotonic)
    keyring.initialise(clock())
    fake = FakeGoogle()
    with http_client(fake.transport()) as http:
        yield Room(data, keys, keyring, fake, http, clock, monotonic)
    data.close()
    keys.close()
