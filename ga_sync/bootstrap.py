"""The composition root: the only module that names every concrete class. Everything is checked before it serves."""

import os
import random
import secrets
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import httpx
import structlog

from ga_sync.accounts.at_once import AtOnce
from ga_sync.accounts.burial import Burial
from ga_sync.accounts.changes import Changes
from ga_sync.accounts.export import Exports
from ga_sync.accounts.factors import Factors
from ga_sync.accounts.forgetting import Forgetting
from ga_sync.accounts.keys import Keys
from ga_sync.accounts.linking import Linking
from ga_sync.accounts.links import Links
from ga_sync.accounts.passwords import Passwords
from ga_sync.accounts.purge import BURY, REVOKE, Purge
from ga_sync.accounts.queue import SYNC
from ga_sync.accounts.recordings import Recordings
from ga_sync.accounts.retention import Retention
from ga_sync.accounts.sessions import Sessions
from ga_sync.accounts.upkeep import UPKEEP, Upkeep
from ga_sync.accounts.users import Users
from ga_sync.accounts.views import View
from ga_sync.accounts.webhooks import NOTICE, WEBHOOK, Notices, Outbox, Postman, signing_key
from ga_sync.analytics.client import AnalyticsClient
from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache
from ga_sync.settings import Settings, SettingsError
from ga_sync.sync.budget import AdminBudget
from ga_sync.sync.pipeline import Pipeline, Policy
from jobs.registry import Registry
from jobs.schedule import Retry
from jobs.worker import Worker
from models import kek_file, migrate
from models.audit import append
from models.errors import KeyringMismatch
from models.forgets import LINK
from models.kek import Kek
from models.kek_chain import open_chain
from models.kek_chain import open_kek as open_kek_of
from models.keyring import Keyring
from models.meta import KEYRING_ID, DataFact
from models.rotation import Rotated, rotation_of
from models.sealed import Place, Secret
from models.session import EVERYBODY, Store
from models.upsert import insert_into
from oauth import places
from oauth import store as oauth_store
from oauth.consent import Consents
from oauth.google import Google as OAuthGoogle
from oauth.google import http_client
from oauth.protocol import Endpoints
from oauth.revocation import Revocations
from oauth.tokens import Tokens

log = structlog.get_logger()
INDEX_BYTES = 2_000_000_000
_LEASE = timedelta(seconds=60)
_RETRY = Retry(base=timedelta(seconds=30), cap=timedelta(hours=1))


def new_id() -> str:
    """A random id (RFC 9562, version 4)."""
    return str(uuid.uuid4())


def clock_of(settings: Settings) -> Callable[[], datetime]:
    """The wall clock; in tests moved by the seconds that stand in ``GA_SYNC_CLOCK_OFFSET_FILE``, read at each use."""
    path = settings.clock_offset_file
    if path is None:
        return lambda: datetime.now(UTC)

    def shifted() -> datetime:
        try:
            offset = float(path.read_text(encoding="ascii") or 0)
        except (OSError, ValueError):  # absent or half-written: no shift
            offset = 0.0
        return datetime.now(UTC) + timedelta(seconds=offset)

    return shifted


def scripts() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "alembic"


def open_kek(settings: Settings) -> Kek:
    """The key-encryption key that ``GA_SYNC_KEK`` names, and beside it the one that ``GA_SYNC_KEK_NEXT`` names.

    Raises:
        KekUnusable: it is absent or malformed.
    """
    return open_chain((settings.kek, settings.kek_next), os.environ, secrets.token_bytes)


@dataclass(frozen=True, slots=True)
class Stores:
    """Both databases."""

    data: Store
    keyring: Store

    def upgrade(self) -> None:
        """Bring both to this version's schema."""
        migrate.upgrade(self.keyring, scripts(), "keyring")
        migrate.upgrade(self.data, scripts(), "data")

    def close(self) -> None:
        """Close every connection."""
        self.data.close()
        self.keyring.close()


def open_stores(settings: Settings) -> Stores:
    """Both databases, not yet checked."""
    return Stores(Store(settings.database_url), Store(settings.keyring_url))


def open_keyring(settings: Settings, stores: Stores) -> Keyring:
    """The keyring under its key-encryption key, not yet proved."""
    return Keyring(stores.keyring, open_kek(settings), secrets.token_bytes, time.monotonic, _does_not_open)


def _does_not_open(place: Place) -> None:
    """Somebody altered, moved or rolled back what is stored: operators must look, and the row is named, no value."""
    log.error("integrity_failure", table=place.table, column=place.column, row=place.row)


def init_keyring(settings: Settings) -> str:
    """Make the key file where there is none, the keyring's schema and the system's keys; the keyring's id.

    Raises:
        KeyringExists: it is there already and is never overwritten.
    """
    stores = open_stores(settings)
    try:
        migrate.upgrade(stores.keyring, scripts(), "keyring")
        provider, _, where = settings.kek.partition(":")
        if provider == "file" and where and not Path(where).exists():
            kek_file.create_file(Path(where), secrets.token_bytes)
        return open_keyring(settings, stores).initialise(clock_of(settings)())
    finally:
        stores.close()


def rotate_keyring(settings: Settings, progress: Callable[[int, int], None]) -> Rotated:
    """Change the key-encryption key while everything runs; ``progress`` is told how many of how many are done.

    Raises:
        StoreNotReady, KeyringError: with a sentence that says what to do.
    """
    stores = open_stores(settings)
    try:
        migrate.require_current(stores.keyring, scripts(), "keyring")
        keyring = open_keyring(settings, stores)
        keyring.keyring_id()
        current, following = (
            open_kek_of(spec, os.environ, secrets.token_bytes) if spec else None
            for spec in (settings.kek, settings.kek_next)
        )
        assert current is not None, "it opened before"
        return rotation_of(stores.keyring, keyring, current, following, progress).run()
    finally:
        stores.close()


def same_keyring(settings: Settings, stores: Stores) -> None:
    """Raises KeyringMismatch where the data names another keyring than the configured one."""
    bind(stores.data, open_keyring(settings, stores).keyring_id())


def bind(data: Store, keyring_id: str) -> None:
    """Let the data name its keyring, once; of processes that start together, all see what the first one wrote.

    Raises:
        KeyringMismatch: it names another one.
    """
    with data.transaction() as session:
        fact = insert_into(session, DataFact).values(name=KEYRING_ID, value=keyring_id)
        session.execute(fact.on_conflict_do_nothing())
        if session.get_one(DataFact, KEYRING_ID).value != keyring_id:
            raise KeyringMismatch(
                "the data belongs to another keyring: set GA_SYNC_KEYRING_URL to the one it was written with"
            )


class Service:
    """Everything wired, checked and ready; close it, or use it as a context manager."""

    def __init__(
        self, settings: Settings, *, google: bool = True, clock: Callable[[], datetime] | None = None
    ) -> None:
        """Wire everything.

        Args:
            settings: of this process.
            google: whether calls to Google will be made, so that an OAuth client must be configured.
            clock: the current time, aware; the wall clock where it is left out.

        Raises:
            SettingsError, StoreNotReady, KeyringError: with a sentence that says what to do.
        """
        self.settings = settings
        self.clock = clock or clock_of(settings)
        self.random: Callable[[int], bytes] = secrets.token_bytes
        if google:
            settings.require_google_client()
        with ExitStack() as undo:
            self.stores = open_stores(settings)
            undo.callback(self.stores.close)
            self._check_stores()
            self._wire(undo)
            self._close = undo.pop_all()

    def _check_stores(self) -> None:
        migrate.require_current(self.stores.keyring, scripts(), "keyring")
        migrate.require_current(self.stores.data, scripts(), "data")
        self.keyring = open_keyring(self.settings, self.stores)
        self.keyring_id = self.keyring.keyring_id()
        bind(self.stores.data, self.keyring_id)

    def _wire(self, undo: ExitStack) -> None:
        settings, data, clock = self.settings, self.stores.data, self.clock
        client_id = settings.google_client_id
        http = http_client(origins=settings.outbound_origins)
        undo.callback(http.close)
        oauth = OAuthGoogle(
            http,
            Endpoints(settings.google_auth_uri, settings.google_token_uri, settings.google_revoke_uri),
            client_id=client_id,
            client_secret=Secret(settings.google_client_secret.get_secret_value()),
            monotonic=time.monotonic,
        )
        self.budget = AdminBudget(data, settings.admin_daily_budget, clock)
        self.google = AnalyticsClient(
            settings.google_admin_endpoint, settings.google_data_endpoint, before_call=self.budget.count
        )
        undo.callback(self.google.close)
        self.consents = Consents(
            data,
            self.keyring,
            oauth,
            client_id=client_id,
            public_url=settings.public_url,
            clock=clock,
            random=secrets.token_bytes,
            new_id=new_id,
            activated=self._activated,
        )
        self.tokens = Tokens(
            data, self.keyring, oauth, client_id=client_id, clock=clock, monotonic=time.monotonic
        )
        self.revocations = Revocations(data, self.keyring, oauth, clock=clock)
        self.index = IndexCache(self.keyring, INDEX_BYTES, self._quarantine)
        undo.callback(self.index.close)
        self.outbox = Outbox(clock, new_id, listening=bool(settings.webhook_url))
        self.postman = self._postman(http)
        self._wire_accounts()

    def _postman(self, http: httpx.Client) -> Postman | None:
        """Who brings events to the console, if there is one. Raises SettingsError for a secret of another form."""
        settings = self.settings
        if not settings.webhook_url:
            return None
        try:
            key = signing_key(settings.webhook_secret.get_secret_value())
        except ValueError as error:
            raise SettingsError(str(error)) from None
        return Postman(
            self.stores.data, http, settings.webhook_url, key, clock=self.clock, jitter=random.random
        )

    def _wire_accounts(self) -> None:
        data, clock, settings = self.stores.data, self.clock, self.settings
        self._wire_people()
        self.retention = Retention(data, self.keyring, clock=clock, new_id=new_id)
        self.links = Links(
            data,
            self.keyring,
            self.retention,
            clock=clock,
            new_id=new_id,
            retention_days=settings.retention_days,
        )
        self.linking = Linking(
            data,
            self.keyring,
            self.google,
            self.tokens,
            self.links,
            clock=clock,
            new_id=new_id,
            backfill_days=settings.backfill_days,
        )
        self.recordings = Recordings(data, self.keyring, self.index, clock=clock, random=secrets.token_bytes)
        self.at_once = AtOnce(
            data, self.keys, self.keyring, self.index, clock=clock, random=secrets.token_bytes
        )
        self.purge = Purge(
            data,
            self.keyring,
            self.tokens,
            self.revocations,
            self.index,
            clock=clock,
            new_id=new_id,
            people=self.burial.people_of,
        )
        self.exports = Exports(data, self.links, self.recordings, clock=clock, accounts=self._accounts)
        self._wire_rights()

    def _wire_rights(self) -> None:
        data, keyring, clock = self.stores.data, self.keyring, self.clock
        self.forgetting = Forgetting(data, keyring, self.retention, self.index, clock=clock)
        self.changes = Changes(
            data, keyring, self.index, self.retention, clock=clock, random=secrets.token_bytes
        )
        people = (self.purge, self.retention, self.sessions, self.outbox)
        self.upkeep = Upkeep(data, self.consents, self.tokens, *people, clock=clock, new_id=new_id)

    def _wire_people(self) -> None:
        data, passwords, clock = self.stores.data, Passwords(), self.clock
        self.burial = Burial(data, self.keyring, clock=clock)
        self.keys = Keys(data, clock, secrets.token_bytes, self.burial.key)
        self.users = Users(
            data, self.keyring, passwords, clock=clock, random=secrets.token_bytes, new_id=new_id
        )
        self.sessions = Sessions(data, self.keyring, passwords, clock=clock, random=secrets.token_bytes)
        self.factors = Factors(data, self.keyring, passwords, clock=clock, random=secrets.token_bytes)

    def _accounts(self, customer_id: str) -> list[View]:
        return [person.view() for person in self.users.listed(customer_id)]

    def _activated(self, grant_id: str, customer_id: str) -> None:
        """A grant has a new permission: what stood still without it goes on at once."""
        self.links.wake_all(grant_id, customer_id)

    def _quarantine(self, reading_id: str, customer_id: str) -> None:
        """A stored day that does not open is shown as damaged, and read anew by the next run."""
        with self.stores.data.transaction() as session:
            index_store.mark_damaged(session, reading_id, customer_id)

    def prepare(self) -> None:
        """What must be done before the first answer: a restored backup learns what was destroyed since."""
        self.purge.bury_again()
        self.burial.again()
        self.retention.apply()

    def accept_restored(self) -> int:
        """Take restored data for the newest there are, though the keyring remembers later; how much was behind."""
        with self.stores.data.transaction() as session:
            tokens, headed = oauth_store.token_generations(session), index_store.headed(session)
            append(session, self.clock(), "cli", "keyring.restored", self.keyring_id, EVERYBODY)
        floors = self.keyring.floors
        return floors.sink(places.GRANT, tokens) + floors.sink(LINK, dict.fromkeys(headed, 1))

    def worker(self, *, tick: float = 1.0) -> Worker:
        """A worker with every kind of job registered."""
        settings = self.settings
        policy = Policy(settings.sync_interval, settings.backfill_days, settings.quota_share)
        registry = Registry()
        pipeline = Pipeline(
            self.stores.data,
            self.keyring,
            self.google,
            self.tokens,
            policy,
            self.budget,
            clock=self.clock,
            jitter=random.random,
            new_id=new_id,
            announcer=self.outbox,
        )
        registry.register(SYNC, pipeline, lease=_LEASE, retry=_RETRY)
        registry.register(REVOKE, self.purge.revoke_job, lease=_LEASE, retry=_RETRY)
        registry.register(BURY, self.purge.bury_job, lease=_LEASE, retry=_RETRY)
        registry.register(UPKEEP, self.upkeep.job, lease=_LEASE, retry=_RETRY)
        registry.register(
            NOTICE, Notices(self.stores.data, self.outbox, self.clock), lease=_LEASE, retry=_RETRY
        )
        if self.postman is not None:
            registry.register(WEBHOOK, self.postman, lease=_LEASE, retry=_RETRY)
        self.upkeep.queue()
        return Worker(
            self.stores.data,
            registry,
            clock=self.clock,
            owner=f"{socket.gethostname()[:24]}/{os.getpid()}/{secrets.token_hex(4)}",
            exclusive=self.stores.data.is_sqlite,
            tick=tick,
        )

    def close(self) -> None:
        """Close every connection."""
        self._close.close()

    def __enter__(self) -> Self:
        """Itself, to be closed at the end of a ``with`` block."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()
