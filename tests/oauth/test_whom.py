"""Whom this service calls: one list, in the settings and in the docs; no other module could call anybody."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ga_sync import settings
from ga_sync.analytics.client import AnalyticsClient
from ga_sync.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
# Whatever can open a connection. Database drivers are named by their addresses alone.
CALLERS = {
    "aiohttp", "boto3", "botocore", "ftplib", "grpc", "http", "httpx", "requests", "smtplib", "socket", "telnetlib",
    "urllib3", "websockets", "xmlrpc",
}  # fmt: skip
CALLING = {
    "oauth/google.py": {"httpx"},
    "oauth/outbound.py": {"httpx"},
    "ga_sync/accounts/webhooks.py": {"httpx"},  # the same client, behind the same fence
    "ga_sync/analytics/client.py": {"grpc"},
    "ga_sync/analytics/errors.py": {"grpc"},  # the names of what went wrong
    "ga_sync/doctor.py": {"socket"},  # whether Google's four hosts can be reached, those of the list
    "models/kms.py": {"boto3", "botocore"},
    "ga_sync/bootstrap.py": {"httpx", "socket"},  # hands the client over; the host's name
    "ga_sync/cli/processes.py": {"socket"},  # listens
}
# Not parts of the service: the sandbox, its demonstration, and what others import to ask us.
APART = ("ga_sync/sandbox/", "ga_sync/demo/", "ga_sync/client/")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _callers() -> dict[str, set[str]]:
    found = {}
    for room in ("ga_sync", "oauth", "jobs", "models"):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            whole = set(_imports(path))
            used = {one.partition(".")[0] for one in whole} & CALLERS
            used |= whole & {"urllib.request", "asyncio"}
            if used and not name.startswith(APART):
                found[name] = used
    return found


def test_nobody_else_can_call_anybody() -> None:
    assert _callers() == CALLING


def test_the_list_in_the_docs_is_the_list_in_the_settings() -> None:
    table = (
        (ROOT / "docs" / "security.md").read_text("utf-8").split("\n## Whom it calls\n")[1].split("\n## ")[0]
    )
    told = set(re.findall(r"GA_SYNC_\w+", table))
    assert told == {f"GA_SYNC_{name.upper()}" for name in Settings.model_fields if _is_address(name)}
    standard = settings.load(_env_file=None)
    for url in standard.google_endpoints().values():
        assert f"`{_host(url)}`" in table, url
    assert {_host(one) for one in standard.outbound_origins} == {"oauth2.googleapis.com"}


def _is_address(name: str) -> bool:
    """Whether a setting says where to call to; some listen, and some say what others call."""
    calls = name.endswith(("_uri", "_endpoint", "webhook_url", "database_url", "keyring_url"))
    return calls or name in {"kek", "kek_next"}


def _host(url: str) -> str:
    return urlsplit(url if "//" in url else f"//{url}").hostname or ""


def test_the_webhooks_origin_is_known_where_there_is_one() -> None:
    given = settings.load(
        _env_file=None, webhook_url="https://hooks.example/x?y", webhook_secret="whsec_" + "A" * 44
    )
    assert given.outbound_origins == {"https://oauth2.googleapis.com", "https://hooks.example"}


@pytest.mark.parametrize("variable", ["GOOGLE_CLOUD_UNIVERSE_DOMAIN", "GOOGLE_API_USE_MTLS_ENDPOINT"])
def test_no_variable_of_a_library_leads_calls_elsewhere(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, {"GOOGLE_API_USE_MTLS_ENDPOINT": "always"}.get(variable, "example.com"))
    with AnalyticsClient("http://127.0.0.1:8001", "http://127.0.0.1:8002") as client:
        targets = [channel._channel.target().decode() for channel in client._channels]  # noqa: SLF001
    assert [target.rpartition("/")[2] for target in targets] == ["127.0.0.1:8001", "127.0.0.1:8002"]
