"""People over real stores, whose passwords cost nothing to hash."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from ga_sync.accounts.attempts import Attempts
from ga_sync.accounts.factors import Factors
from ga_sync.accounts.passwords import Passwords
from ga_sync.accounts.sessions import Sessions
from ga_sync.accounts.users import Invitation, Person, Users
from models.keyring import Keyring
from models.session import Store
from models.user import User
from tests.clock import SettableClock
from tests.models.bench import Monotonic, kek
from tests.postgres import DatabaseUrls

ADA, SECRET = "Ada@example.com", "four words are enough"
HOME = "192.0.2.1"


def cheap(memory: int = 8) -> PasswordHasher:
    """Argon2id that costs nothing: what it costs in use is not under test."""
    return PasswordHasher(time_cost=1, memory_cost=memory, parallelism=1)


@dataclass
class People:
    """People over real stores."""

    data: Store
    keyring: Keyring
    clock: SettableClock
    hasher: PasswordHasher

    @property
    def users(self) -> Users:
        return Users(
            self.data, self.keyring, Passwords(self.hasher), **self._rim(), new_id=lambda: str(uuid.uuid4())
        )

    @property
    def sessions(self) -> Sessions:
        return Sessions(self.data, self.keyring, Passwords(self.hasher), **self._rim())

    @property
    def attempts(self) -> Attempts:
        return Attempts(self.data, self.keyring, Passwords(self.hasher), self.clock)

    @property
    def factors(self) -> Factors:
        return Factors(self.data, self.keyring, Passwords(self.hasher), **self._rim())

    def _rim(self) -> dict[str, Any]:
        return {"clock": self.clock, "random": os.urandom}

    def add(self, email: str = ADA, role: str = "console", customer: str = "acme") -> Invitation:
        return self.users.add(email, role, customer, "test")

    def ready(self, email: str = ADA) -> Person:
        """An account with its password."""
        return self.users.set_password(self.add(email).token, SECRET)

    def row(self) -> User:
        with self.data.reading() as session:
            return session.scalars(select(User)).one()


@pytest.fixture
def people(migrated_urls: DatabaseUrls, clock: SettableClock) -> Iterator[People]:
    data, keys = Store(migrated_urls.data), Store(migrated_urls.keyring)
    keyring = Keyring(keys, kek(), os.urandom, Monotonic())
    keyring.initialise(clock())
    yield People(data, keyring, clock, cheap())
    data.close()
    keys.close()
