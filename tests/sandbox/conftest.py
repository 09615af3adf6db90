"""A started sandbox, a person who consents over plain HTTP, and Google's official clients."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import grpc
import httpx
import pytest
from google.analytics import admin_v1alpha, data_v1beta
from google.analytics.admin_v1alpha.services.analytics_admin_service.transports import (
    AnalyticsAdminServiceGrpcTransport,
)
from google.analytics.data_v1beta.services.beta_analytics_data.transports import (
    BetaAnalyticsDataGrpcTransport,
)

from ga_sync.sandbox.authorize import READONLY, challenge_of
from ga_sync.sandbox.generate import AGENCY, generate
from ga_sync.sandbox.server import Sandbox, start
from ga_sync.sandbox.world import World

Loose: TypeAlias = Any  # the visitor of conftest, JSON, and messages without static types


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REDIRECT = "http://127.0.0.1:9/oauth/callback"
VERIFIER = "v" * 64


@dataclass
class Visitor:
    """Somebody with a browser and Google's clients."""

    sandbox: Sandbox
    channel: Any
    http: httpx.Client
    answers: dict[str, Any] = field(default_factory=dict)

    @property
    def admin(self) -> Loose:
        transport = AnalyticsAdminServiceGrpcTransport(channel=self.channel)
        return admin_v1alpha.AnalyticsAdminServiceClient(transport=transport)

    @property
    def data(self) -> Loose:
        return data_v1beta.BetaAnalyticsDataClient(
            transport=BetaAnalyticsDataGrpcTransport(channel=self.channel)
        )

    def query(self, **changes: str | None) -> dict[str, str]:
        wanted = {
            "client_id": "sandbox-client",
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": READONLY,
            "state": "state-1",
            "access_type": "offline",
            "prompt": "consent",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def page(self, **changes: str | None) -> httpx.Response:
        return self.http.get(self.sandbox.auth_uri, params=self.query(**changes))

    def form(self, **changes: str | None) -> str:
        found = re.search(r'name="request" value="([^"]+)"', self.page(**changes).text)
        assert found
        return found[1]

    def decide(
        self, account: str = AGENCY, decision: str = "allow", *, tick: bool = True, **changes: Loose
    ) -> dict[str, str]:
        form = {"request": self.form(**changes), "account": account, "decision": decision}
        if tick:
            form["scope"] = READONLY
        answer = self.http.post(self.sandbox.auth_uri, data=form)
        assert answer.status_code == 302, answer.text
        return {
            name: found[0] for name, found in parse_qs(urlsplit(answer.headers["location"]).query).items()
        }

    def exchange(self, code: str, **changes: str | None) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "client_id": "sandbox-client",
            "client_secret": "sandbox-secret",
            **changes,
        }
        kept = {name: value for name, value in form.items() if value is not None}
        return self.http.post(self.sandbox.token_uri, data=kept)

    def refresh(self, token: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        client = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
        return self.http.post(self.sandbox.token_uri, data={**form, **client, **changes})

    def revoke(self, token: str) -> httpx.Response:
        return self.http.post(self.sandbox.revoke_uri, data={"token": token})

    def sign_in(self, account: str = AGENCY, **changes: Loose) -> dict[str, Any]:
        tokens: dict[str, Any] = self.exchange(self.decide(account, **changes)["code"]).json()
        return tokens

    def bearer(self, account: str = AGENCY) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.sign_in(account)['access_token']}")]

    def control(self, method: str, path: str, body: Loose = None, **params: str) -> Loose:
        answer = self.http.request(method, self.sandbox.control_url + path, json=body, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def mood(self, kind: str, **more: Loose) -> None:
        self.control("POST", "/moods", {"kind": kind, **more})

    def report(self, prop: str, metadata: list[tuple[str, str]], **more: Loose) -> Loose:
        """Ask for the ids of each audience on one day; `day`, `names` and any field of the request may be given."""
        day = more.pop("day", "2026-11-18")
        names = more.pop("names", ["audienceResourceName", "customEvent:sessioncam_id"])
        metrics = more.pop("metrics", ["eventCount"])
        request = {
            "property": prop,
            "date_ranges": [{"start_date": day, "end_date": day}],
            "dimensions": [{"name": name} for name in names],
            "metrics": [{"name": name} for name in metrics],
            "limit": 250_000,
            **more,
        }
        return self.data.run_report(data_v1beta.RunReportRequest(request), metadata=metadata, timeout=100)


def by(*names: str) -> list[dict[str, Any]]:
    """Order by dimensions."""
    return [{"dimension": {"dimension_name": name}} for name in names]


@pytest.fixture
def order() -> Callable[..., list[dict[str, Any]]]:
    return by


@pytest.fixture
def world() -> World:
    return generate(7, now=NOW, days=12, shops=2, agency_properties=1, sessions_per_day=40)


@pytest.fixture
def visit() -> Iterator[Callable[[World], Visitor]]:
    """Start a sandbox over a world and visit it; all of it is stopped at the end, leaving no thread behind."""
    undo: list[Callable[[], object]] = []
    before = set(threading.enumerate())

    def begin(world: World) -> Visitor:
        sandbox = start(world, clock=lambda: NOW)
        channel = grpc.insecure_channel(
            sandbox.data_endpoint.removeprefix("http://"), options=[("grpc.max_receive_message_length", -1)]
        )
        http = httpx.Client(timeout=30)
        undo.extend((http.close, channel.close, sandbox.stop))
        return Visitor(sandbox, channel, http)

    yield begin
    for step in undo:
        step()
    left = [one for one in threading.enumerate() if one not in before and one.name.startswith("sandbox")]
    assert left == []


@pytest.fixture
def visitor(visit: Callable[[World], Visitor], world: World) -> Visitor:
    return visit(world)


@pytest.fixture
def shop(world: World) -> str:
    """The first shop's property, which has every kind of audience."""
    return next(iter(world.properties.values())).name
