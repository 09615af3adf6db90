"""Commands run in this process, against databases and a sandbox Google of their own."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from ga_sync import bootstrap, settings
from ga_sync.cli.app import run
from ga_sync.sandbox.generate import generate
from ga_sync.sandbox.server import Sandbox, start
from tests.cli.ended import Cli
from tests.journeys import browser
from tests.journeys.truth import Truth, read

CUSTOMER = "acme"
DAYS = 3


@pytest.fixture
def google() -> Iterator[Sandbox]:
    """A small world."""
    world = generate(5, now=datetime.now(UTC), days=6, shops=1, agency_properties=0, sessions_per_day=40)
    with start(world, clock=lambda: datetime.now(UTC)) as sandbox:
        yield sandbox


@pytest.fixture
def cli(
    google: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    """Commands on a machine where nothing was made yet."""
    monkeypatch.chdir(tmp_path)
    variables = google.environment() | {
        "GA_SYNC_DATA_DIR": str(tmp_path / "var"),
        "GA_SYNC_BACKFILL_DAYS": str(DAYS),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return Cli(run, capsys)


@pytest.fixture
def installed(cli: Cli) -> Cli:
    """Commands on a machine with a keyring and a schema."""
    assert cli("keyring", "init").code == 0
    assert cli("db", "upgrade").code == 0
    return cli


@dataclass(frozen=True, slots=True)
class Linked:
    """A customer with an active grant and a link that was read once."""

    cli: Cli
    google: Sandbox
    grant_id: str
    link_id: str

    @property
    def truth(self) -> Truth:
        """What the sandbox knows of the property."""
        (prop,) = self.google.world.properties.values()
        first = prop.today(datetime.now(UTC)) - timedelta(days=DAYS - 1)
        query = {"property": prop.name, "from": first.isoformat()}
        return read(httpx.get(f"{self.google.control_url}/truth", params=query, trust_env=False).json())

    def mood(self, kind: str) -> None:
        """Put the sandbox into a mood."""
        url = f"{self.google.control_url}/moods"
        assert httpx.post(url, json={"kind": kind}, trust_env=False).status_code == httpx.codes.OK


@pytest.fixture
def linked(installed: Cli, google: Sandbox) -> Linked:
    """Consent, link and first run, in this process."""
    (prop,) = google.world.properties.values()
    with bootstrap.Service(settings.load()) as service:
        begun = service.consents.begin(CUSTOMER, None, None)
        opening = service.consents.open(begun.ticket.reveal())
        with browser.opened() as window:
            back = browser.decide(window, opening.location, "analytics@shop1.example")
        service.consents.complete(dict(parse_qsl(urlsplit(back).query)), opening.browser)
        wish = service.linking.wish(begun.grant_id, prop.name, prop.recording_parameter, None)
        view, _ = service.linking.create(wish, CUSTOMER, "test")
        assert service.worker().run_due(limit=3) > 0
    return Linked(installed, google, begun.grant_id, view["link_id"])


@pytest.fixture
def working(linked: Linked) -> Iterator[Linked]:
    """The same with a worker beside it."""
    with bootstrap.Service(settings.load()) as service:
        worker = service.worker(tick=0.05)
        worker.start()
        try:
            yield linked
        finally:
            worker.stop(8)
