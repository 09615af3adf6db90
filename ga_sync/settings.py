"""Every setting, read in one place from ``GA_SYNC_*`` environment variables and a ``.env`` file.

Nothing else reads the environment. What is wrong is refused here, with a sentence that says what to set.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ga_sync.values import duration, is_database, is_loopback, origins, parts

GOOGLE_AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 -- an address
GOOGLE_REVOKE_URI = "https://oauth2.googleapis.com/revoke"
GOOGLE_ADMIN_ENDPOINT = "analyticsadmin.googleapis.com"
GOOGLE_DATA_ENDPOINT = "analyticsdata.googleapis.com"
_KEKS = ("file:", "env:", "awskms:")
_HIGHEST_PORT = 65_535


class SettingsError(Exception):
    """The configuration is refused; the text says what to set (exit code 3)."""


def _endpoint(value: object) -> object:
    """Google's own hosts are the same with and without what a host may be written with."""
    if not isinstance(value, str):
        return value
    bare = value.removesuffix("/")
    host = bare.removeprefix("https://")
    return host if host in {GOOGLE_ADMIN_ENDPOINT, GOOGLE_DATA_ENDPOINT} else bare


Endpoint = Annotated[str, BeforeValidator(_endpoint)]


class Settings(BaseSettings):
    """The configuration of one process. Field names are the variables without ``GA_SYNC_``, in lower case."""

    model_config = SettingsConfigDict(
        env_prefix="GA_SYNC_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    data_dir: Path = Path("var")
    database_url: str = ""
    keyring_url: str = ""
    kek: str = ""
    kek_next: str = ""
    public_url: str = "http://127.0.0.1:8000"
    listen: str = "127.0.0.1:8000"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    return_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(origins)] = ()
    google_client_id: str = ""
    google_client_secret: SecretStr = SecretStr("")
    google_client_secrets_file: Path | None = None
    google_auth_uri: str = GOOGLE_AUTH_URI
    google_token_uri: str = GOOGLE_TOKEN_URI
    google_revoke_uri: str = GOOGLE_REVOKE_URI
    google_admin_endpoint: Endpoint = GOOGLE_ADMIN_ENDPOINT
    google_data_endpoint: Endpoint = GOOGLE_DATA_ENDPOINT
    allow_foreign_google: bool = False
    sync_interval: Annotated[timedelta, BeforeValidator(duration)] = timedelta(hours=1)
    retention_days: int = Field(90, ge=1, le=1600)
    backfill_days: int = Field(30, ge=1, le=1600)
    quota_share: float = Field(0.5, gt=0, le=1)
    admin_daily_budget: int = Field(40_000, ge=1)
    webhook_url: str = ""
    webhook_secret: SecretStr = SecretStr("")
    clock_offset_file: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._place_stores()
        self.public_url = self.public_url.rstrip("/")
        self._check_public_url()
        self._check_listening()
        self._check_google()
        self._read_client_secrets()
        self._check_webhook()
        if self.sync_interval < timedelta(seconds=1):
            raise ValueError("GA_SYNC_SYNC_INTERVAL must be at least 1s")
        return self

    def _place_stores(self) -> None:
        self.database_url = self.database_url or f"sqlite:///{self.data_dir.absolute()}/ga_sync.db"
        if not self.keyring_url and not self.database_url.startswith("sqlite"):
            raise ValueError(
                "GA_SYNC_KEYRING_URL must be set with PostgreSQL: the keys live apart from the data"
            )
        self.keyring_url = self.keyring_url or f"sqlite:///{self.data_dir.absolute()}/keyring.db"
        self.kek = self.kek or f"file:{self.data_dir.absolute()}/kek.json"
        for name, url in (("DATABASE_URL", self.database_url), ("KEYRING_URL", self.keyring_url)):
            if not is_database(url):
                raise ValueError(
                    f"GA_SYNC_{name} must be sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"
                )
        if self.keyring_url == self.database_url:
            raise ValueError(
                "GA_SYNC_KEYRING_URL must be another database than GA_SYNC_DATABASE_URL: the keys live apart"
            )
        for name, kek in (("KEK", self.kek), ("KEK_NEXT", self.kek_next or self.kek)):
            if not kek.startswith(_KEKS):
                raise ValueError(f"GA_SYNC_{name} must be file:PATH, env:NAME or awskms:KEY_ARN")

    def _check_public_url(self) -> None:
        scheme, host = parts(self.public_url)
        if scheme not in {"http", "https"} or not host:
            raise ValueError("GA_SYNC_PUBLIC_URL must be a URL such as https://ga.example.com")
        if scheme == "http" and not is_loopback(self.public_url):
            raise ValueError(
                "GA_SYNC_PUBLIC_URL must be https off this machine: Google and browsers require it"
            )

    def _check_listening(self) -> None:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("GA_SYNC_TLS_CERT and GA_SYNC_TLS_KEY are set together")
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
            raise ValueError("GA_SYNC_LISTEN must be HOST:PORT, such as 127.0.0.1:8000")

    def _check_webhook(self) -> None:
        if not self.webhook_url:
            return
        scheme, host = parts(self.webhook_url)
        if not host or (scheme != "https" and not (scheme == "http" and is_loopback(self.webhook_url))):
            raise ValueError("GA_SYNC_WEBHOOK_URL must be an https address (http on this machine only)")
        if not self.webhook_secret.get_secret_value():
            raise ValueError("GA_SYNC_WEBHOOK_SECRET must be set with GA_SYNC_WEBHOOK_URL: events are signed")

    def google_endpoints(self) -> dict[str, str]:
        """The five addresses of Google, by variable name."""
        return {
            "GA_SYNC_GOOGLE_AUTH_URI": self.google_auth_uri,
            "GA_SYNC_GOOGLE_TOKEN_URI": self.google_token_uri,
            "GA_SYNC_GOOGLE_REVOKE_URI": self.google_revoke_uri,
            "GA_SYNC_GOOGLE_ADMIN_ENDPOINT": self.google_admin_endpoint,
            "GA_SYNC_GOOGLE_DATA_ENDPOINT": self.google_data_endpoint,
        }

    @property
    def outbound_origins(self) -> frozenset[str]:
        """Where this process may send anything by HTTP; beside that it calls Google's two gRPC hosts, and AWS KMS."""
        urls = (self.google_token_uri, self.google_revoke_uri, self.webhook_url)
        return frozenset("{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in urls if url)

    @property
    def google_is_local(self) -> bool:
        """Whether all five addresses are on this machine: a sandbox or another test Google."""
        return all(is_loopback(url) for url in self.google_endpoints().values())

    def _check_google(self) -> None:
        endpoints = self.google_endpoints()
        missing = sorted(name for name, url in endpoints.items() if url == _STANDARD[name])
        changed = endpoints.keys() - set(missing)
        if changed and missing:
            raise ValueError(
                f"Google's addresses are overridden all five together: also set {', '.join(missing)}"
            )
        for name in sorted(changed):
            self._check_endpoint(name, endpoints[name])
        if self.clock_offset_file and not self.google_is_local:
            raise ValueError(
                "GA_SYNC_CLOCK_OFFSET_FILE is for tests: all five Google addresses must be on loopback"
            )

    def _check_endpoint(self, name: str, url: str) -> None:
        if is_loopback(url):
            return
        if not self.allow_foreign_google:
            raise ValueError(f"{name} may only point to this machine, unless GA_SYNC_ALLOW_FOREIGN_GOOGLE=1")
        scheme, host = parts(url if "://" in url else f"https://{url}")
        if scheme != "https" or not host:
            raise ValueError(f"{name} must be https off this machine")

    def _read_client_secrets(self) -> None:
        if self.google_client_secrets_file is None:
            return
        try:
            body: Any = json.loads(self.google_client_secrets_file.read_text(encoding="utf-8"))
            web = body["web"]
            self.google_client_id = self.google_client_id or str(web["client_id"])
            if not self.google_client_secret.get_secret_value():
                self.google_client_secret = SecretStr(str(web["client_secret"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(
                "GA_SYNC_GOOGLE_CLIENT_SECRETS_FILE is not a readable client file of a *web* OAuth client"
            ) from None

    def require_google_client(self) -> None:
        """Refuse to start without an OAuth client.

        Raises:
            SettingsError: no client id or no secret.
        """
        if not self.google_client_id or not self.google_client_secret.get_secret_value():
            raise SettingsError(
                "no Google OAuth client: set GA_SYNC_GOOGLE_CLIENT_ID and GA_SYNC_GOOGLE_CLIENT_SECRET, "
                "or GA_SYNC_GOOGLE_CLIENT_SECRETS_FILE"
            )

    @property
    def redirect_uri(self) -> str:
        """Where Google sends the browser back to."""
        return f"{self.public_url}/oauth/callback"

    @property
    def listen_address(self) -> tuple[str, int]:
        """Host and port of ``serve``."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


_STANDARD = {
    "GA_SYNC_GOOGLE_AUTH_URI": GOOGLE_AUTH_URI,
    "GA_SYNC_GOOGLE_TOKEN_URI": GOOGLE_TOKEN_URI,
    "GA_SYNC_GOOGLE_REVOKE_URI": GOOGLE_REVOKE_URI,
    "GA_SYNC_GOOGLE_ADMIN_ENDPOINT": GOOGLE_ADMIN_ENDPOINT,
    "GA_SYNC_GOOGLE_DATA_ENDPOINT": GOOGLE_DATA_ENDPOINT,
}


def load(**overrides: Any) -> Settings:  # noqa: ANN401 -- any field
    """Read the settings.

    Raises:
        SettingsError: a value is refused; every refusal is named, no value is shown.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(dict(item)) for item in error.errors())) from None


def _sentence(item: dict[str, Any]) -> str:
    where = "".join(f"GA_SYNC_{part}".upper() + ": " for part in item["loc"][:1])
    return where + str(item["msg"]).removeprefix("Value error, ")
