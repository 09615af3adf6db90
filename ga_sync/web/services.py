"""What the doors need of the house; the composition root gives it."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from ga_sync.accounts.at_once import AtOnce
from ga_sync.accounts.changes import Changes
from ga_sync.accounts.export import Exports
from ga_sync.accounts.factors import Factors
from ga_sync.accounts.forgetting import Forgetting
from ga_sync.accounts.keys import Keys
from ga_sync.accounts.linking import Linking
from ga_sync.accounts.links import Links
from ga_sync.accounts.purge import Purge
from ga_sync.accounts.recordings import Recordings
from ga_sync.accounts.sessions import Sessions
from ga_sync.accounts.users import Users
from ga_sync.analytics.client import Google
from ga_sync.settings import Settings
from models.keyring import Keyring
from models.session import Store
from oauth.consent import Consents


class Stores(Protocol):
    """Both databases."""

    @property
    def data(self) -> Store:
        """The data."""
        ...

    @property
    def keyring(self) -> Store:
        """The keys."""
        ...


class Services(Protocol):
    """A wired service."""

    settings: Settings
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    keyring: Keyring
    keyring_id: str
    keys: Keys
    at_once: AtOnce
    links: Links
    linking: Linking
    recordings: Recordings
    purge: Purge
    exports: Exports
    consents: Consents
    users: Users
    factors: Factors
    forgetting: Forgetting
    changes: Changes
    sessions: Sessions

    @property
    def google(self) -> Google:
        """Google's Admin and Data API."""
        ...

    @property
    def stores(self) -> Stores:
        """Both databases."""
        ...


Wired = NamedDependency[SkipValidation[Services]]
"""The service as handlers ask for it; it was checked where it was wired."""
