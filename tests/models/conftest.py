"""Both stores on either database, and a keyring whose key and time the test holds."""

import os
from collections.abc import Iterator

import pytest

from models.keyring import Keyring
from models.session import Store
from tests.clock import NOON
from tests.models.bench import Monotonic, kek
from tests.postgres import DatabaseUrls


@pytest.fixture
def data(migrated_urls: DatabaseUrls) -> Iterator[Store]:
    """The data store with its tables."""
    store = Store(migrated_urls.data)
    yield store
    store.close()


@pytest.fixture
def keys(migrated_urls: DatabaseUrls) -> Iterator[Store]:
    """The keyring store with its tables and nothing in them."""
    store = Store(migrated_urls.keyring)
    yield store
    store.close()


@pytest.fixture
def monotonic() -> Monotonic:
    """Seconds that pass only when the test says so."""
    return Monotonic()


@pytest.fixture
def keyring(keys: Store, monotonic: Monotonic) -> Keyring:
    """An initialised keyring."""
    keyring = Keyring(keys, kek(), os.urandom, monotonic)
    keyring.initialise(NOON)
    return keyring
