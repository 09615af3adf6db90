"""The configuration: defaults, the environment, and a sentence for everything that is refused."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ga_sync import settings
from ga_sync.settings import Settings, SettingsError
from ga_sync.values import is_loopback

SANDBOX = {
    "google_auth_uri": "http://127.0.0.1:9001/auth",
    "google_token_uri": "http://127.0.0.1:9001/token",
    "google_revoke_uri": "http://127.0.0.1:9001/revoke",
    "google_admin_endpoint": "http://127.0.0.1:9002",
    "google_data_endpoint": "http://127.0.0.1:9002",
}
ELSEWHERE = {name: f"https://google.test/{name}" for name in SANDBOX}
FOREIGN = "may only point to this machine, unless GA_SYNC_ALLOW_FOREIGN_GOOGLE=1"
ALL_FIVE = "also set GA_SYNC_GOOGLE_ADMIN_ENDPOINT, GA_SYNC_GOOGLE_DATA_ENDPOINT, GA_SYNC_GOOGLE_REVOKE_URI"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set around the tests is not theirs."""
    for name in os.environ:
        if name.startswith("GA_SYNC_"):
            monkeypatch.delenv(name)


def load(**overrides: Any) -> Settings:  # noqa: ANN401 -- any field
    return settings.load(_env_file=None, **overrides)


def refusal(**overrides: Any) -> str:  # noqa: ANN401 -- any field
    with pytest.raises(SettingsError) as refused:
        load(**overrides)
    return str(refused.value)


def test_without_any_setting_everything_lies_in_var_and_listens_on_this_machine() -> None:
    found, here = load(), Path("var").absolute()
    assert found.database_url == f"sqlite:///{here}/ga_sync.db"
    assert found.keyring_url == f"sqlite:///{here}/keyring.db"
    assert found.kek == f"file:{here}/kek.json"
    assert (found.public_url, found.redirect_uri) == (
        "http://127.0.0.1:8000",
        "http://127.0.0.1:8000/oauth/callback",
    )
    assert found.listen_address == ("127.0.0.1", 8000)
    assert (found.retention_days, found.backfill_days, found.quota_share) == (90, 30, 0.5)
    assert (found.sync_interval, found.admin_daily_budget) == (timedelta(hours=1), 40_000)
    assert (found.return_origins, found.google_is_local) == ((), False)


def test_every_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "DATA_DIR": str(tmp_path),
        "PUBLIC_URL": "https://ga.example.com/",
        "LISTEN": "[::1]:9000",
        "RETURN_ORIGINS": "https://a.example, http://localhost:3000/ ,",
        "SYNC_INTERVAL": "15m",
        "RETENTION_DAYS": "30",
        "KEYRING_URL": "",
        "WEBHOOK_URL": "https://console.example/hook",
        "WEBHOOK_SECRET": "whsec_c2VjcmV0",
    }.items():
        monkeypatch.setenv(f"GA_SYNC_{name}", value)
    found = load()
    assert found.database_url == f"sqlite:///{tmp_path}/ga_sync.db"
    assert found.keyring_url == f"sqlite:///{tmp_path}/keyring.db"
    assert (found.public_url, found.listen_address) == ("https://ga.example.com", ("::1", 9000))
    assert found.return_origins == ("https://a.example", "http://localhost:3000")
    assert (found.sync_interval, found.retention_days) == (timedelta(minutes=15), 30)


def test_a_dot_env_file_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("GA_SYNC_BACKFILL_DAYS=7\nOTHER=1\n", encoding="utf-8")
    assert settings.load(_env_file=tmp_path / "env").backfill_days == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", timedelta(seconds=90)),
        ("90s", timedelta(seconds=90)),
        (" 30 m ", timedelta(minutes=30)),
        ("1h", timedelta(hours=1)),
        ("2d", timedelta(days=2)),
        (timedelta(hours=3), timedelta(hours=3)),
    ],
)
def test_durations_are_written_with_their_unit(text: object, expected: timedelta) -> None:
    assert load(sync_interval=text).sync_interval == expected


@pytest.mark.parametrize("text", ["1h30m", "soon", "", "-1h", "1w"])
def test_other_durations_are_refused(text: str) -> None:
    assert refusal(sync_interval=text) == (
        "GA_SYNC_SYNC_INTERVAL: must be a duration such as 90s, 30m, 1h or 1d"
    )


def test_several_refusals_are_named_together() -> None:
    said = refusal(retention_days=0, quota_share=2, backfill_days="many")
    for name in ("GA_SYNC_RETENTION_DAYS: ", "GA_SYNC_QUOTA_SHARE: ", "GA_SYNC_BACKFILL_DAYS: "):
        assert name in said


def test_a_refusal_never_shows_the_value() -> None:
    assert "hunter2" not in refusal(retention_days="hunter2")
    assert "hunter2" not in refusal(database_url="mysql://root:hunter2@db/ga", keyring_url="sqlite:///k.db")


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"sync_interval": "0s"}, "GA_SYNC_SYNC_INTERVAL must be at least 1s"),
        (
            {"database_url": "postgresql+psycopg://db/ga"},
            "GA_SYNC_KEYRING_URL must be set with PostgreSQL: the keys live apart from the data",
        ),
        (
            {"database_url": "mysql://db/ga", "keyring_url": "sqlite:///k.db"},
            "GA_SYNC_DATABASE_URL must be sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME",
        ),
        (
            {"database_url": "postgresql+psycopg://a:b@:c/d", "keyring_url": "sqlite:///k.db"},
            "GA_SYNC_DATABASE_URL must be sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME",
        ),
        (
            {"keyring_url": "redis://keys"},
            "GA_SYNC_KEYRING_URL must be sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME",
        ),
        (
            {"database_url": "sqlite:///one.db", "keyring_url": "sqlite:///one.db"},
            "GA_SYNC_KEYRING_URL must be another database than GA_SYNC_DATABASE_URL: the keys live apart",
        ),
        ({"kek": "vault:kv"}, "GA_SYNC_KEK must be file:PATH, env:NAME or awskms:KEY_ARN"),
        ({"public_url": "ga.example.com"}, "GA_SYNC_PUBLIC_URL must be a URL such as https://ga.example.com"),
        ({"public_url": "https://["}, "GA_SYNC_PUBLIC_URL must be a URL such as https://ga.example.com"),
        (
            {"public_url": "http://ga.example.com"},
            "GA_SYNC_PUBLIC_URL must be https off this machine: Google and browsers require it",
        ),
        ({"tls_cert": "c.pem"}, "GA_SYNC_TLS_CERT and GA_SYNC_TLS_KEY are set together"),
        ({"tls_key": "k.pem"}, "GA_SYNC_TLS_CERT and GA_SYNC_TLS_KEY are set together"),
        ({"listen": "8000"}, "GA_SYNC_LISTEN must be HOST:PORT, such as 127.0.0.1:8000"),
        ({"listen": "127.0.0.1:http"}, "GA_SYNC_LISTEN must be HOST:PORT, such as 127.0.0.1:8000"),
        ({"listen": "127.0.0.1:65536"}, "GA_SYNC_LISTEN must be HOST:PORT, such as 127.0.0.1:8000"),
        (
            {"return_origins": "https://a.example/path"},
            "GA_SYNC_RETURN_ORIGINS: must be origins such as https://console.example.com, separated by commas",
        ),
        (
            {"webhook_url": "http://console.example/hook", "webhook_secret": "s"},
            "GA_SYNC_WEBHOOK_URL must be an https address (http on this machine only)",
        ),
        (
            {"webhook_url": "hook", "webhook_secret": "s"},
            "GA_SYNC_WEBHOOK_URL must be an https address (http on this machine only)",
        ),
        (
            {"webhook_url": "http://127.0.0.1:1/hook"},
            "GA_SYNC_WEBHOOK_SECRET must be set with GA_SYNC_WEBHOOK_URL: events are signed",
        ),
        (
            {name: SANDBOX[name] for name in ("google_auth_uri", "google_token_uri")},
            f"Google's addresses are overridden all five together: {ALL_FIVE}",
        ),
        (
            ELSEWHERE,
            f"GA_SYNC_GOOGLE_ADMIN_ENDPOINT {FOREIGN}",
        ),
        (
            {**ELSEWHERE, "google_token_uri": "http://google.test/token", "allow_foreign_google": True},
            "GA_SYNC_GOOGLE_TOKEN_URI must be https off this machine",
        ),
        (
            {**ELSEWHERE, "google_token_uri": "https://[", "allow_foreign_google": True},
            "GA_SYNC_GOOGLE_TOKEN_URI must be https off this machine",
        ),
        (
            {"clock_offset_file": "offset"},
            "GA_SYNC_CLOCK_OFFSET_FILE is for tests: all five Google addresses must be on loopback",
        ),
        (
            {**ELSEWHERE, "allow_foreign_google": True, "clock_offset_file": "offset"},
            "GA_SYNC_CLOCK_OFFSET_FILE is for tests: all five Google addresses must be on loopback",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_set(overrides: dict[str, Any], sentence: str) -> None:
    assert refusal(**overrides) == sentence


def test_another_google_on_this_machine_needs_no_permission_and_may_shift_the_clock() -> None:
    found = load(**SANDBOX, clock_offset_file="offset")
    assert found.google_is_local
    assert found.clock_offset_file == Path("offset")
    assert found.google_endpoints()["GA_SYNC_GOOGLE_DATA_ENDPOINT"] == "http://127.0.0.1:9002"


def test_a_foreign_google_needs_permission() -> None:
    found = load(**ELSEWHERE, allow_foreign_google="1")
    assert (found.google_is_local, found.google_token_uri) == (False, "https://google.test/google_token_uri")


def test_google_s_own_hosts_are_the_same_in_every_spelling() -> None:
    found = load(
        google_admin_endpoint="https://analyticsadmin.googleapis.com/",
        google_data_endpoint="https://analyticsdata.googleapis.com",
    )
    assert found.google_admin_endpoint == "analyticsadmin.googleapis.com"
    assert "GA_SYNC_GOOGLE_ADMIN_ENDPOINT: " in refusal(google_admin_endpoint=7)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("127.0.0.1:8000", True),
        ("http://127.8.9.1/x", True),
        ("http://localhost", True),
        ("[::1]:80", True),
        ("http://127.0.0.1.example", False),
        ("https://localhost.example", False),
        ("10.0.0.1", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_this_machine_is_told_from_others(url: str, *, expected: bool) -> None:
    assert is_loopback(url) is expected


def test_the_oauth_client_comes_from_its_file_unless_set_by_name(tmp_path: Path) -> None:
    path = tmp_path / "client.json"
    path.write_text(json.dumps({"web": {"client_id": "id", "client_secret": "s3cret"}}), encoding="utf-8")
    found = load(google_client_secrets_file=path)
    found.require_google_client()
    assert (found.google_client_id, found.google_client_secret.get_secret_value()) == ("id", "s3cret")
    assert "s3cret" not in repr(found)
    named = load(google_client_secrets_file=path, google_client_id="mine", google_client_secret="own")
    assert (named.google_client_id, named.google_client_secret.get_secret_value()) == ("mine", "own")


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"installed": {}}', '{"web": {"client_id": "x"}}', '{"web": 1}']
)
def test_another_file_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "client.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert refusal(google_client_secrets_file=path) == (
        "GA_SYNC_GOOGLE_CLIENT_SECRETS_FILE is not a readable client file of a *web* OAuth client"
    )


@pytest.mark.parametrize("given", [{}, {"google_client_id": "id"}, {"google_client_secret": "s"}])
def test_without_an_oauth_client_nothing_starts(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="set GA_SYNC_GOOGLE_CLIENT_ID and GA_SYNC_GOOGLE_CLIENT_SECRET"):
        load(**given).require_google_client()


def test_lists_and_durations_may_come_as_such() -> None:
    assert load(return_origins=("https://a.example",)).return_origins == ("https://a.example",)


def test_postgresql_with_a_keyring_of_its_own_is_taken() -> None:
    found = load(database_url="postgresql+psycopg://db/ga", keyring_url="postgresql+psycopg://db/keys")
    assert found.keyring_url == "postgresql+psycopg://db/keys"
