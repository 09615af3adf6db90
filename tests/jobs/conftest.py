"""A store with the jobs' tables on either database."""

from collections.abc import Iterator

import pytest

from models.session import Store
from tests.clock import SettableClock
from tests.jobs.bench import TroubledStore, Workshop
from tests.postgres import DatabaseUrls


@pytest.fixture
def store(migrated_urls: DatabaseUrls) -> Iterator[Store]:
    """The data store, empty, at the newest schema."""
    store = Store(migrated_urls.data)
    yield store
    store.close()


@pytest.fixture
def second_store(store: Store, migrated_urls: DatabaseUrls) -> Iterator[Store]:
    """The same database seen by another process: connections of its own."""
    second = Store(migrated_urls.data)
    yield second
    second.close()


@pytest.fixture
def troubled(store: Store, migrated_urls: DatabaseUrls) -> Iterator[TroubledStore]:
    """The same database behind connections that fail when told to."""
    troubled = TroubledStore(migrated_urls.data)
    yield troubled
    troubled.close()


@pytest.fixture
def workshop(
    store: Store, second_store: Store, troubled: TroubledStore, clock: SettableClock
) -> Iterator[Workshop]:
    """Makes workers and stops them before the stores are closed."""
    workshop = Workshop(store, clock)
    yield workshop
    workshop.close()
