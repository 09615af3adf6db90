"""``ga-sync doctor``: everything that must be right before this serves, checked one by one, with what to do."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import ArgumentError, DBAPIError

from ga_sync import bootstrap
from ga_sync.settings import Settings, SettingsError
from models import migrate
from models.errors import ModelsError
from models.messages import LIMIT, Messages, remedy

REACH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: ``ok``, ``warning`` or ``error``; what was looked at; what to do."""

    level: str
    what: str
    advice: str

    def view(self) -> dict[str, str]:
        """As JSON."""
        return {"level": self.level, "what": self.what, "advice": self.advice}


def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which to mend them."""
    client = _checked("OAuth client", settings.require_google_client)
    return [client, *_databases(settings), *_warnings(settings), *_reach(settings)]


def _databases(settings: Settings) -> list[Finding]:
    try:
        stores = bootstrap.open_stores(settings)
    except (ArgumentError, ValueError, OSError) as error:
        return [
            Finding(
                "error",
                "databases",
                f"they cannot be opened ({type(error).__name__}): check GA_SYNC_DATABASE_URL, GA_SYNC_KEYRING_URL and "
                "GA_SYNC_DATA_DIR",
            )
        ]
    try:
        return list(_stores(settings, stores))
    finally:
        stores.close()


def _checked(what: str, check: Callable[[], object]) -> Finding:
    try:
        check()
    except (SettingsError, ModelsError) as error:
        return Finding("error", what, str(error))
    except DBAPIError as error:
        return Finding(
            "error", what, f"the database does not answer ({type(error.orig).__name__}): check its URL"
        )
    return Finding("ok", what, "")


def _stores(settings: Settings, stores: bootstrap.Stores) -> Iterator[Finding]:
    scripts = bootstrap.scripts()
    yield _checked("keyring store", lambda: migrate.require_current(stores.keyring, scripts, "keyring"))
    yield _checked("data store", lambda: migrate.require_current(stores.data, scripts, "data"))
    yield _checked("key-encryption key", lambda: bootstrap.open_kek(settings))
    opened = _checked("keyring", lambda: bootstrap.open_keyring(settings, stores).keyring_id())
    yield opened
    if opened.level == "ok":
        yield from _half_spent(Messages(stores.keyring))
    yield _checked("keyring of this data", lambda: bootstrap.same_keyring(settings, stores))


def _half_spent(messages: Messages) -> Iterator[Finding]:
    for kind, owner_id, sealed in messages.beyond_half():
        yield Finding(
            "warning",
            f"key of {kind} {owner_id}",
            f"it has sealed {sealed} messages, and at {LIMIT} it seals no more: before that, {remedy(kind)}",
        )


def _warnings(settings: Settings) -> Iterator[Finding]:
    provider, _, where = settings.kek.partition(":")
    if provider == "file" and Path(where).parent.absolute() == settings.data_dir.absolute():
        yield Finding(
            "warning",
            "place of the keys",
            "the key-encryption key lies beside the data: a stolen database file is safe, a stolen data directory is "
            "not; set GA_SYNC_KEK to another place",
        )
    if settings.allow_foreign_google:
        yield Finding(
            "warning", "Google", "GA_SYNC_ALLOW_FOREIGN_GOOGLE is set: tokens may go to another Google"
        )
    if settings.public_url.startswith("http://"):
        yield Finding(
            "warning", "public address", "GA_SYNC_PUBLIC_URL is plain http: good for this machine only"
        )


def _reach(settings: Settings) -> Iterator[Finding]:
    for name, url in settings.google_endpoints().items():
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port or (80 if parts.scheme == "http" else 443)
        try:
            socket.create_connection((parts.hostname or "", port), REACH_SECONDS).close()
        except OSError as error:
            yield Finding(
                "error", f"way to Google ({name})", f"{parts.hostname}:{port} does not answer: {error}"
            )
        else:
            yield Finding("ok", f"way to Google ({name})", "")
