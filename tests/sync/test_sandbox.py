"""The sync through the real client over gRPC: every segment of every day equals what the sandbox knows to be true."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ga_sync.analytics.client import AnalyticsClient
from ga_sync.analytics.reading import JUNK
from ga_sync.sandbox.generate import generate
from ga_sync.sandbox.server import Sandbox, start
from models.keyring import Keyring
from models.link import LinkStatus
from models.run import RunStatus
from models.sealed import Secret
from models.session import Store
from oauth.consent import Consents
from oauth.google import Google, http_client
from oauth.protocol import SCOPE, Endpoints
from oauth.tokens import Tokens
from tests.clock import SettableClock
from tests.models.bench import Monotonic, kek
from tests.oauth.fake_google import FakeGoogle
from tests.postgres import DatabaseUrls
from tests.sync.bench import BACKFILL, CUSTOMER, INTERVAL, RANDOM, Bench, new_id
from tests.sync.fake_google import FakeAnalytics

USER = "analytics@shop1.example"


@dataclass
class Journey:
    """A link whose Google is a sandbox."""

    bench: Bench
    sandbox: Sandbox
    client: AnalyticsClient
    http: httpx.Client
    property: str

    def sync(self) -> None:
        self.bench.sync(self.bench.pipeline(self.client))

    def control(self, method: str, path: str, body: object = None, **params: str) -> Any:  # noqa: ANN401 -- JSON
        answer = self.http.request(method, self.sandbox.control_url + path, json=body, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def truth(self) -> tuple[dict[date, dict[str, set[str]]], dict[date, int]]:
        """Per day the ids of each custom audience that can be seen now, and how many ids there are at all."""
        days = self.control("GET", "/truth", property=self.property)["days"]
        members = {
            date.fromisoformat(day["day"]): {
                number: set(ids["visible"]) for number, ids in day["audiences"].items() if ids["visible"]
            }
            for day in days
        }
        return members, {date.fromisoformat(day["day"]): day["ids"]["visible"] for day in days}

    def mood(self, kind: str, **more: object) -> None:
        self.control("POST", "/moods", {"kind": kind, **more})


@pytest.fixture
def journey(migrated_urls: DatabaseUrls, clock: SettableClock) -> Iterator[Journey]:
    """A consent given over HTTP and a link to the first shop's property."""
    data, keys = Store(migrated_urls.data), Store(migrated_urls.keyring)
    monotonic = Monotonic()
    keyring = Keyring(keys, kek(), RANDOM, monotonic)
    keyring.initialise(clock())
    world = generate(7, now=clock(), days=8, shops=1, agency_properties=0, sessions_per_day=40)
    with start(world, clock=clock) as sandbox, http_client() as oauth_http, httpx.Client() as http:
        oauth = Google(
            oauth_http,
            Endpoints(sandbox.auth_uri, sandbox.token_uri, sandbox.revoke_uri),
            client_id=sandbox.client_id,
            client_secret=Secret(sandbox.client_secret),
            monotonic=monotonic,
        )
        tokens = Tokens(data, keyring, oauth, client_id=sandbox.client_id, clock=clock, monotonic=monotonic)
        grant_id = consented(data, keyring, oauth, sandbox, clock, http)
        name = next(iter(world.properties.values())).name
        with AnalyticsClient(sandbox.admin_endpoint, sandbox.data_endpoint) as client:
            facts = client.property(tokens.access_token(grant_id), name)
            bench = Bench(data, keyring, tokens, FakeGoogle(), clock, grant_id, FakeAnalytics(facts))
            bench.link_id = bench.make_link(name)
            yield Journey(bench, sandbox, client, http, name)
    data.close()
    keys.close()


def consented(
    data: Store, keyring: Keyring, oauth: Google, sandbox: Sandbox, clock: SettableClock, http: httpx.Client
) -> str:
    consents = Consents(
        data,
        keyring,
        oauth,
        client_id=sandbox.client_id,
        public_url="http://127.0.0.1:8000",
        clock=clock,
        random=RANDOM,
        new_id=new_id,
    )
    begun = consents.begin(CUSTOMER, None, None)
    opening = consents.open(begun.ticket.reveal())
    form = re.search(r'name="request" value="([^"]+)"', http.get(opening.location).text)
    assert form is not None
    answer = http.post(
        sandbox.auth_uri, data={"request": form[1], "account": USER, "decision": "allow", "scope": SCOPE}
    )
    back = dict(httpx.QueryParams(urlsplit(answer.headers["location"]).query))
    assert consents.complete(back, opening.browser).status == "active"
    return begun.grant_id


def test_every_segment_of_every_day_equals_the_truth_now_and_a_day_later(journey: Journey) -> None:
    for _ in range(2):
        journey.sync()
        bench = journey.bench
        truth, seen = journey.truth()
        held = bench.days()
        assert len(held) >= BACKFILL
        assert held == {day: truth[day] for day in held}
        sealed = {day: row.seen for day, row in bench.readings().items() if row.state == "complete"}
        assert len(sealed) >= 2
        for day, count in sealed.items():  # Google's row count counts junk values too
            assert count is not None
            assert seen[day] <= count <= seen[day] + len(JUNK)
        assert bench.last_run.status == RunStatus.SUCCEEDED
        bench.clock.advance(timedelta(days=1))


def test_only_the_customer_s_own_audiences_are_known_by_their_names(journey: Journey) -> None:
    journey.sync()
    audiences = journey.control("GET", "/truth", property=journey.property)["audiences"]
    custom = {one["audience_id"]: (one["display_name"], 0) for one in audiences if one["kind"] == "custom"}
    assert journey.bench.names() == custom


def test_renamed_and_archived_audiences_stay_what_they_are(journey: Journey) -> None:
    journey.sync()
    before = journey.bench.days()
    renamed, archived, *_ = sorted({number for held in before.values() for number in held})
    number = journey.property.removeprefix("properties/")
    journey.control("POST", f"/audiences/{number}/{renamed}", {"display_name": "Umbenannt \U0001f3f7"})
    journey.control("POST", f"/audiences/{number}/{archived}", {"archived": True})
    for misses in (1, 2):
        journey.bench.clock.advance(INTERVAL)
        journey.sync()
        assert journey.bench.names()[archived][1] == misses
    assert journey.bench.names()[renamed][0] == "Umbenannt \U0001f3f7"
    after = journey.bench.days()
    assert all(before[day].get(archived, set()) <= after[day].get(archived, set()) for day in before)


def test_an_early_401_and_two_failures_are_overcome(journey: Journey) -> None:
    journey.mood("access_token_rejected", times=1, method="RunReport")
    journey.mood("call_error", code="UNAVAILABLE", times=2, method="RunReport")
    journey.sync()
    assert journey.bench.last_run.status == RunStatus.SUCCEEDED
    assert len(journey.bench.waits) == 2


def test_a_lost_property_breaks_the_link(journey: Journey) -> None:
    journey.mood("call_error", code="PERMISSION_DENIED", message="no access", method="RunReport")
    journey.sync()
    row = journey.bench.row()
    assert (row.status, row.reason) == (LinkStatus.BROKEN, "property_forbidden")
    assert journey.bench.grant_status() == "active"
