"""A whole service over real databases, with the sandbox as Google: what a console and a recording store would see."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from litestar import Litestar
from litestar.testing import TestClient

from ga_sync import bootstrap, settings
from ga_sync.sandbox.generate import AGENCY, generate
from ga_sync.sandbox.server import Sandbox, start
from ga_sync.sandbox.world import GoogleUser
from ga_sync.web.app import create_app
from tests.clock import SettableClock
from tests.postgres import drop_database, fresh_database
from tests.postgres_server import Server

ACME, GLOBEX = "acme", "globex"
PARAMETER = "sessioncam_id"
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
CONSOLE_ORIGIN = "https://console.example"
PUBLIC = "http://127.0.0.1:8000"
SHOP_USER = "analytics@shop1.example"
Json = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """Migrated, empty databases with an initialised keyring, to be copied for each house."""

    folder: Path
    server: Server | None
    data: str
    keyring: str

    @contextmanager
    def copy(self, folder: Path) -> Iterator[tuple[str, str]]:
        """The addresses of a copy, gone afterwards."""
        shutil.copy2(self.folder / "kek.json", folder / "kek.json")
        if self.server is None:
            for name in ("data.db", "keyring.db"):
                shutil.copy2(self.folder / name, folder / name)
            yield f"sqlite:///{folder / 'data.db'}", f"sqlite:///{folder / 'keyring.db'}"
            return
        urls = fresh_database(self.server, self.data), fresh_database(self.server, self.keyring)
        try:
            yield urls
        finally:
            for url in urls:
                drop_database(self.server, url)


@contextmanager
def template(folder: Path, server: Server | None) -> Iterator[Template]:
    """Two databases of one kind at the newest schema."""
    if server is None:
        urls = f"sqlite:///{folder / 'data.db'}", f"sqlite:///{folder / 'keyring.db'}"
    else:
        urls = fresh_database(server), fresh_database(server)
    values = settings.load(_env_file=None, data_dir=folder, database_url=urls[0], keyring_url=urls[1])
    bootstrap.init_keyring(values)
    stores = bootstrap.open_stores(values)
    stores.upgrade()
    stores.close()
    bootstrap.Service(values, google=False).close()  # the data names its keyring
    yield Template(folder, server, *urls)
    for url in urls if server is not None else ():
        assert server is not None
        drop_database(server, url)


@dataclass
class House:
    """One service, its doors and its Google. Every key is for every customer, unless a test makes its own."""

    service: bootstrap.Service
    client: TestClient[Litestar]
    sandbox: Sandbox
    clock: SettableClock
    folder: Path
    urls: tuple[str, str]
    keys: dict[str, str] = field(default_factory=dict)

    def headers(self, role: str = "console", customer: str = "*") -> dict[str, str]:
        """The header of a key of this role, made when it is first asked for."""
        name = f"{role} {customer}"
        if name not in self.keys:
            self.keys[name] = self.service.keys.create(role, customer, "test")
        return {"authorization": f"Bearer {self.keys[name]}"}

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        role: str = "console",
        customer: str = "*",
        expect: int = 200,
    ) -> Json:
        """Ask a door; the answer, which must have the status that is expected."""
        headers = self.headers(role, customer)
        if body is None:
            answer = self.client.request(method, path, headers=headers)
        else:
            answer = self.client.request(method, path, headers=headers, json=body)
        assert answer.status_code == expect, answer.text
        found: Json = answer.json() if answer.content else {}
        return found

    def refused(self, slug: str, method: str, path: str, body: object = None, **how: Any) -> Json:  # noqa: ANN401
        """Ask a door that refuses with this slug, and the status that belongs to it."""
        status = {"not-found": 404, "conflict": 409, "paused": 423, "unavailable": 503, "forbidden": 403}
        problem = self.call(method, path, body, expect=status.get(slug, 422), **how)
        assert problem["type"] == f"/problems/{slug}"
        assert problem["detail"]
        return problem

    def mood(self, kind: str, **values: object) -> None:
        """Let Google be in a mood."""
        httpx.post(f"{self.sandbox.control_url}/moods", json={"kind": kind, **values}).raise_for_status()

    def calm(self) -> None:
        """Take every mood away."""
        httpx.delete(f"{self.sandbox.control_url}/moods").raise_for_status()

    def truth(self, property_name: str) -> Json:
        """What is true of a property."""
        query = {"property": property_name, "parameter": PARAMETER}
        found: Json = httpx.get(f"{self.sandbox.control_url}/truth", params=query).raise_for_status().json()
        return found

    def requests(self) -> list[Json]:
        """What Google was asked so far."""
        found: Json = httpx.get(f"{self.sandbox.control_url}/requests").raise_for_status().json()
        return list(found["requests"])

    def begin(self, customer: str = ACME, **body: object) -> Json:
        """A new grant with its addresses."""
        return self.call("POST", "/v1/grants", {"customer_id": customer, **body}, expect=201)

    def open(self, address: str, method: str = "POST") -> str:
        """Open an address of ours in the browser; where it leads to."""
        answer = self.client.request(method, address.removeprefix(PUBLIC), follow_redirects=False)
        assert answer.status_code in {302, 303}, answer.text
        return str(answer.headers["location"])

    def decide(
        self,
        location: str,
        user: str = SHOP_USER,
        decision: str = "allow",
        scopes: tuple[str, ...] = (SCOPE,),
    ) -> str:
        """Answer Google's consent page; where the browser is sent back to, on our side."""
        page = httpx.get(location).raise_for_status().text
        asked = re.search(r'name="request" value="([^"]+)"', page)
        assert asked is not None
        form = {"request": asked[1], "account": user, "scope": list(scopes), "decision": decision}
        answer = httpx.post(location.partition("?")[0], data=form)
        return answer.headers["location"].removeprefix(PUBLIC)

    def back(self, callback: str) -> httpx.Response:
        """Come back from Google in the same browser."""
        return self.client.get(callback, follow_redirects=False)

    def consent(self, customer: str = ACME, user: str = SHOP_USER, **body: object) -> str:
        """A consent from the first address to the last page: the grant's id."""
        begun = self.begin(customer, **body)
        answer = self.back(self.decide(self.open(begun["link_url"]), user))
        assert answer.status_code == 200, answer.text
        return str(begun["grant_id"])

    def property_of(self, grant_id: str, number: int = 0) -> str:
        """One of the properties that the grant sees."""
        found = self.call("GET", f"/v1/grants/{grant_id}/properties")["properties"]
        return str(found[number]["property"])

    def link(self, grant_id: str, number: int = 0, *, expect: int = 201) -> str:
        """A link of one of the grant's properties."""
        name = self.property_of(grant_id, number)
        found = self.sandbox.world.find(name)
        assert found is not None
        body = {"grant_id": grant_id, "property": name, "parameter_name": found.recording_parameter}
        return str(self.call("POST", "/v1/links", body, expect=expect)["link_id"])

    def work(self) -> int:
        """Do everything that is due."""
        return self.service.worker().run_due(limit=50)

    def linked(self, customer: str = ACME, user: str = SHOP_USER) -> tuple[str, str]:
        """A grant and its one link, synchronised."""
        grant_id = self.consent(customer, user)
        link_id = self.link(grant_id)
        self.work()
        last = self.call("GET", f"/v1/links/{link_id}")["last_run"]
        assert last["status"] == "succeeded", last
        return grant_id, link_id

    def forward(self, **span: float) -> None:
        """Let time pass, here and at Google."""
        self.clock.advance(timedelta(**span))


@contextmanager
def house(source: Template, folder: Path, *, backfill: int = 3, **more: Any) -> Iterator[House]:  # noqa: ANN401
    """A house over a copy of ``source``, with a Google of its own; everything is stopped afterwards."""
    clock = SettableClock()
    world = generate(7, now=clock(), days=12, shops=1, agency_properties=3, sessions_per_day=20)
    for number in range(3):
        email = f"user{number}@agency.example"
        world.users[email] = GoogleUser(email, world.users[AGENCY].properties)
    with ExitStack() as undo:
        sandbox = undo.enter_context(start(world, clock=clock))
        urls = undo.enter_context(source.copy(folder))
        google = {
            name.removeprefix("GA_SYNC_").lower(): value for name, value in sandbox.environment().items()
        }
        values = settings.load(
            _env_file=None,
            data_dir=folder,
            database_url=urls[0],
            keyring_url=urls[1],
            backfill_days=backfill,
            quota_share=1,
            return_origins=CONSOLE_ORIGIN,
            **{**google, **more},
        )
        service = undo.enter_context(bootstrap.Service(values, clock=clock))
        client = undo.enter_context(TestClient(create_app(service), base_url=values.public_url))
        yield House(service, client, sandbox, clock, folder, urls)


HouseMaker = Callable[..., House]


def outcome_of(location: str) -> dict[str, str]:
    """What a return address carries."""
    return {
        name: values[0] for name, values in parse_qs(urlsplit(location).query, keep_blank_values=True).items()
    }


@dataclass(frozen=True)
class Shared:
    """A house that no test changes: one link, and what is true of it."""

    house: House
    grant_id: str
    link_id: str
    property_name: str

    @property
    def at(self) -> str:
        """The link's address."""
        return f"/v1/links/{self.link_id}"

    def members(self) -> dict[str, dict[str, set[str]]]:
        """Segment → day → the ids that Google shows now, of the days that the link wants."""
        found: dict[str, dict[str, set[str]]] = {}
        days = {day["day"] for day in self.house.call("GET", f"{self.at}/days")["days"]}
        for day in self.house.truth(self.property_name)["days"]:
            if day["day"] in days:
                for segment, ids in day["audiences"].items():
                    found.setdefault(segment, {})[day["day"]] = set(ids["visible"])
        return found

    def inside(self, first: date | None = None, last: date | None = None) -> dict[str, set[str]]:
        """Segment → ids, over a window of days."""
        return {
            segment: {
                one
                for day, ids in days.items()
                if (first is None or day >= first.isoformat()) and (last is None or day <= last.isoformat())
                for one in ids
            }
            for segment, days in self.members().items()
        }


def create_app_client(service: bootstrap.Service) -> TestClient[Litestar]:
    """The doors of another service."""
    return TestClient(create_app(service), base_url=PUBLIC)
