"""Several customers' links on one store, a sandbox Google behind the official clients, a clock that the stage sets."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
from google.analytics import data_v1beta as data

from ga_sync.analytics.answers import ReportPage
from ga_sync.analytics.client import AnalyticsClient
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.day import decode
from ga_sync.sandbox.generate import generate
from ga_sync.sandbox.server import Sandbox, start
from ga_sync.sync import store as sync_store
from ga_sync.sync.budget import AdminBudget
from ga_sync.sync.pipeline import Pipeline, Policy
from ga_sync.sync.stage import members_of
from ga_sync.sync.window import first_day, local_day
from jobs import store as jobs_store
from jobs.registry import Again, Held
from models.keyring import Keyring, Owner
from models.link import Link, LinkStatus
from models.migrate import upgrade
from models.run import Run
from models.sealed import Secret
from models.session import Store
from oauth.consent import Consents
from oauth.google import Google, http_client
from oauth.protocol import Endpoints
from oauth.tokens import Tokens
from tests.chaos.faults import Disturber, Mood
from tests.chaos.walks import consent
from tests.clock import NOON, SettableClock
from tests.models.bench import Monotonic, kek

INTERVAL = timedelta(hours=3)
BACKFILL = 6
PAGE = 80
"""Rows of a page: one report in four needs more than one."""
BUDGET = 2_000
LEASE = timedelta(minutes=5)


class SmallPages(AnalyticsClient):
    """The official client, asking for small pages, so that a small world has many; it tells where each page begins."""

    begins: Callable[[int], None] = staticmethod(lambda _offset: None)

    def run_report(self, token: str, request: data.RunReportRequest) -> ReportPage:
        """As the client, but at most ``PAGE`` rows."""
        request.limit = min(request.limit, PAGE)
        self.begins(request.offset)
        return super().run_report(token, request)


@dataclass
class Stage:
    """Everything wired; ``turn`` gives one link one turn."""

    data: Store
    keyring: Keyring
    sandbox: Sandbox
    http: httpx.Client
    clock: SettableClock
    pipeline: Pipeline
    budget: AdminBudget
    disturber: Disturber
    links: dict[str, str] = field(default_factory=dict)

    def turn(self, link_id: str) -> datetime:
        """One claim of the link's job, done and settled; when it wants the next."""
        with self.data.transaction() as session:
            jobs_store.enqueue(session, "sync", link_id, link_id, self.clock(), lambda: link_id)
            task = jobs_store.claim(session, ["sync"], self.clock(), "chaos", LEASE)
        assert task is not None
        outcome = self.pipeline(task, Held())
        assert isinstance(outcome, Again)
        with self.data.transaction() as session:
            jobs_store.finish(session, task)
        return outcome.at

    def last_run(self, link_id: str) -> Run:
        with self.data.reading() as session:
            run = session.query(Run).filter(Run.link_id == link_id).order_by(Run.queued_at.desc()).first()
        assert run is not None
        return run

    def link(self, link_id: str) -> Link:
        with self.data.reading() as session:
            row = session.get(Link, link_id)
        assert row is not None
        return row

    def read_now(self, link_id: str) -> dict[date, tuple[str, dict[str, set[str]]]]:
        """The held days that were read at this very moment, opened, with their states."""
        sealer = self.keyring.sealer(Owner("link", link_id))
        with self.data.reading() as session:
            rows = sync_store.published(session, link_id, link_id, values=True)
        return {
            row.day: (
                row.state,
                {
                    one: set(ids)
                    for one, ids in members_of(
                        decode(sealer.open(row.place(), row.value), sealer.key(LOOKUP))
                    ).items()
                },
            )
            for row in rows
            if row.fetched_at == self.clock()
        }

    def states(self, link_id: str) -> dict[date, str]:
        """The state of each held day."""
        with self.data.reading() as session:
            return {row.day: row.state for row in sync_store.published(session, link_id, link_id)}

    def window(self, link_id: str) -> set[date]:
        """The days that a run reads as long as they are not sealed."""
        today = local_day(self.clock(), self.link(link_id).time_zone)
        return {today - timedelta(days=back) for back in range(BACKFILL)}

    def truth(self, link_id: str) -> dict[date, dict[str, set[str]]]:
        """What is visible of each day now, of the customer's own audiences."""
        answer = self.http.get(f"{self.sandbox.control_url}/truth", params={"property": self.links[link_id]})
        return {
            date.fromisoformat(day["day"]): {
                number: set(ids["visible"]) for number, ids in day["audiences"].items() if ids["visible"]
            }
            for day in answer.json()["days"]
        }

    def peaks(self) -> dict[str, int]:
        """The most requests at one time, by property."""
        found: dict[str, int] = self.http.get(f"{self.sandbox.control_url}/requests").json()[
            "max_concurrency_by_property"
        ]
        return found


@contextmanager
def staged(folder: Path, seed: int, shops: int, *, disturbed: bool) -> Iterator[Stage]:
    """A stage in a folder; the same seed gives the same world and the same faults."""
    chance, clock = random.Random(seed), SettableClock(NOON)
    with ExitStack() as undo:
        stores = [Store(f"sqlite:///{folder / name}.db") for name in ("data", "keyring")]
        for store, kind in zip(stores, ("data", "keyring"), strict=True):
            undo.callback(store.close)
            upgrade(store, Path("alembic"), kind)  # type: ignore[arg-type]  # one of the two kinds
        keyring = Keyring(stores[1], kek(), os.urandom, Monotonic())
        keyring.initialise(clock())
        world = generate(seed, now=clock(), days=8, shops=shops, agency_properties=0, sessions_per_day=40)
        sandbox = undo.enter_context(start(world, clock=clock))
        http = undo.enter_context(httpx.Client())

        def put(moods: list[Mood]) -> None:
            http.put(f"{sandbox.control_url}/moods", json={"moods": moods}).raise_for_status()

        def rename() -> None:
            prop = chance.choice(list(world.properties.values()))
            audience = chance.choice([one for one in prop.audiences if one.clauses])
            path = f"{sandbox.control_url}/audiences/{prop.number}/{audience.audience_id}"
            http.post(path, json={"display_name": f"Renamed {chance.random()}"}).raise_for_status()

        disturber = Disturber(chance, put, rename, on=False)
        yield _wired(undo, stores[0], keyring, sandbox, http, clock, disturber, disturbed=disturbed)


def _wired(
    undo: ExitStack,
    store: Store,
    keyring: Keyring,
    sandbox: Sandbox,
    http: httpx.Client,
    clock: SettableClock,
    disturber: Disturber,
    *,
    disturbed: bool,
) -> Stage:
    tokens, consents = _permissions(undo, store, keyring, sandbox, clock)
    budget = AdminBudget(store, BUDGET, clock)

    def before(method: str) -> None:
        budget.count(method)
        disturber(method)

    client = SmallPages(sandbox.admin_endpoint, sandbox.data_endpoint, before_call=before)
    client.begins = disturber.begins
    undo.enter_context(client)
    ids = random.Random(1)
    pipeline = Pipeline(
        store,
        keyring,
        client,
        tokens,
        Policy(INTERVAL, BACKFILL, 0.5),
        budget,
        clock=clock,
        jitter=disturber.chance.random,
        new_id=lambda: str(UUID(int=ids.getrandbits(128))),
        wait=lambda _event, _seconds: None,
    )
    stage = Stage(store, keyring, sandbox, http, clock, pipeline, budget, disturber)
    for number, prop in enumerate(sandbox.world.properties.values()):
        user = next(user.email for user in sandbox.world.users.values() if prop.number in user.properties)
        link_id = str(UUID(int=ids.getrandbits(128)))
        grant_id = consent(consents, sandbox, http, link_id, user)
        stage.links[link_id] = prop.name
        _link(stage, link_id, grant_id, prop.name, prop.recording_parameter, str(prop.zone), number)
    disturber.on = disturbed
    return stage


def _permissions(
    undo: ExitStack, store: Store, keyring: Keyring, sandbox: Sandbox, clock: Callable[[], datetime]
) -> tuple[Tokens, Consents]:
    oauth = Google(
        undo.enter_context(http_client()),
        Endpoints(sandbox.auth_uri, sandbox.token_uri, sandbox.revoke_uri),
        client_id=sandbox.client_id,
        client_secret=Secret(sandbox.client_secret),
        monotonic=Monotonic(),
    )
    tokens = Tokens(store, keyring, oauth, client_id=sandbox.client_id, clock=clock, monotonic=Monotonic())
    consents = Consents(
        store,
        keyring,
        oauth,
        client_id=sandbox.client_id,
        public_url="http://127.0.0.1:8000",
        clock=clock,
        random=os.urandom,
        new_id=lambda: str(UUID(bytes=os.urandom(16))),
    )
    return tokens, consents


def _link(
    stage: Stage, link_id: str, grant_id: str, property_name: str, parameter: str, zone: str, number: int
) -> None:
    now = stage.clock()
    sealer = stage.keyring.create(Owner("link", link_id), link_id, now)
    row = Link(
        link_id=link_id,
        customer_id=link_id,
        grant_id=grant_id,
        unique_ref=link_id.encode(),
        property_ref=f"property-{number}".encode(),
        time_zone=zone,
        service_level="GOOGLE_ANALYTICS_STANDARD",
        status=LinkStatus.ACTIVE,
        retention_days=90,
        created_at=now,
        first_day=first_day(local_day(now, zone), BACKFILL),
    )
    for column, text in (
        ("property", property_name),
        ("display_name", "Shop"),
        ("parameter_name", parameter),
    ):
        setattr(row, column, sealer.seal(row.place(column), text.encode()))
    with stage.data.transaction() as session:
        session.add(row)
