"""What the tests of the sync share: a link over real stores, a fake Google on the other side, one run in one call."""

import os
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from threading import Event

from sqlalchemy import select

from ga_sync.analytics.client import Google
from ga_sync.index.cache import IndexCache, Served
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.day import decode
from ga_sync.index.store import AskedLink
from ga_sync.sync import store as sync_store
from ga_sync.sync.announce import Announcer
from ga_sync.sync.budget import AdminBudget
from ga_sync.sync.pipeline import Pipeline, Policy
from ga_sync.sync.stage import members_of
from ga_sync.sync.window import first_day, local_day
from jobs import store as jobs_store
from jobs.registry import Again, Done, Held, Task
from jobs.schedule import next_due
from models.day import Day, Reading
from models.grant import Grant
from models.keyring import Keyring, Owner, Sealer
from models.link import Link, LinkStatus
from models.run import Run
from models.session import Store
from oauth.tokens import Tokens
from tests.clock import SettableClock
from tests.oauth.fake_google import FakeGoogle
from tests.sync.fake_google import PARAMETER, PROPERTY, FakeAnalytics

CUSTOMER = "acme"
INTERVAL = timedelta(hours=1)
BACKFILL = 6
LEASE = timedelta(minutes=5)
TODAY = date(2026, 11, 23)


def back(days: int) -> date:
    """D-days."""
    return TODAY - timedelta(days=days)


def new_id() -> str:
    return str(uuid.uuid4())


def held_signals(*, stopping: bool = False, lost: bool = False) -> Held:
    """What a worker signals."""
    held = Held(Event(), Event())
    if stopping:
        held.stopping.set()
    if lost:
        held.lost.set()
    return held


@dataclass
class Bench:
    """One link of one customer."""

    data: Store
    keyring: Keyring
    tokens: Tokens
    oauth: FakeGoogle
    clock: SettableClock
    grant_id: str
    google: FakeAnalytics = field(default_factory=FakeAnalytics)
    waits: list[float] = field(default_factory=list)
    link_id: str = ""
    admin_budget: int = 1000

    def pipeline(
        self,
        google: Google | None = None,
        *,
        data: Store | None = None,
        share: float = 0.5,
        backfill: int = BACKFILL,
        announcer: Announcer | None = None,
    ) -> Pipeline:
        """As one process has it."""
        return Pipeline(
            data or self.data,
            self.keyring,
            google or self.google,
            self.tokens,
            Policy(INTERVAL, backfill, share),
            self.budget(),
            clock=self.clock,
            jitter=lambda: 0.5,
            new_id=new_id,
            wait=lambda _event, seconds: self.waits.append(seconds),
            announcer=announcer,
        )

    def budget(self) -> AdminBudget:
        """As one process has it; the fake Google counts its calls by it."""
        budget = AdminBudget(self.data, self.admin_budget, self.clock)
        self.google.count = budget.count
        return budget

    def make_link(
        self, property_name: str = PROPERTY, retention_days: int = 90, customer: str = CUSTOMER
    ) -> str:
        """A new link, as the doors make it."""
        now, link_id = self.clock(), new_id()
        zone = self.google.facts.time_zone
        sealer = self.keyring.create(Owner("link", link_id), customer, now)
        row = Link(
            link_id=link_id,
            customer_id=customer,
            grant_id=self.grant_id,
            unique_ref=link_id.encode(),
            property_ref=property_name.encode(),
            time_zone=zone,
            service_level=self.google.facts.service_level,
            status=LinkStatus.ACTIVE,
            retention_days=retention_days,
            created_at=now,
            first_day=first_day(local_day(now, zone), BACKFILL),
        )
        row.property = sealer.seal(row.place("property"), property_name.encode())
        row.display_name = sealer.seal(row.place("display_name"), b"Shop")
        row.parameter_name = sealer.seal(row.place("parameter_name"), PARAMETER.encode())
        with self.data.transaction() as session:
            session.add(row)
        return link_id

    def claim(self, link_id: str | None = None) -> Task:
        """Ask for a run now, and take it; no two are asked for at one moment, so runs have an order."""
        self.clock.advance(timedelta(microseconds=1))
        subject = link_id or self.link_id
        now = self.clock()
        with self.data.transaction() as session:
            jobs_store.enqueue(session, "sync", subject, self.row(subject).customer_id, now, new_id)
            task = jobs_store.claim(session, ["sync"], now, "one", LEASE)
        assert task is not None
        assert task.subject_id == subject
        return task

    def settle(self, task: Task, outcome: Again | Done) -> None:
        """What the worker does with an outcome."""
        with self.data.transaction() as session:
            if isinstance(outcome, Again):
                jobs_store.postpone(session, task, outcome.at, 0)
            else:
                jobs_store.finish(session, task)

    def sync(
        self, pipeline: Pipeline | None = None, held: Held | None = None, *, wanted: bool = True
    ) -> Again:
        """One whole run: a person's wish, or the link's own turn."""
        if wanted:
            self.want()
        task = self.claim()
        outcome = (pipeline or self.pipeline())(task, held or held_signals())
        self.settle(task, outcome)
        assert isinstance(outcome, Again)
        return outcome

    def want(self) -> None:
        """A person asks for a run, as the doors do; a moment after the one before, so that runs have an order."""
        self.clock.advance(timedelta(microseconds=1))
        with self.data.transaction() as session:
            row = session.get(Link, self.link_id)
            assert row is not None
            if sync_store.unfinished_run(session, self.link_id, row.customer_id) is None:
                session.add(sync_store.new_run(row, new_id(), self.clock()))

    def regular(self) -> datetime:
        """The link's next turn by its own grid."""
        return next_due(self.clock(), self.link_id, INTERVAL)

    def crash(self, task: Task) -> None:
        """The holder vanishes: its lease runs out."""
        self.clock.advance(LEASE + timedelta(seconds=1))

    def row(self, link_id: str | None = None) -> Link:
        with self.data.reading() as session:
            row = session.get(Link, link_id or self.link_id)
        assert row is not None
        return row

    def change_link(self, **values: object) -> None:
        """What somebody else commits meanwhile."""
        with self.data.transaction() as session:
            row = session.get(Link, self.link_id)
            assert row is not None
            for name, value in values.items():
                setattr(row, name, value)

    def pause(self) -> None:
        self.change_link(status=LinkStatus.PAUSED, epoch=self.row().epoch + 1)

    def grant_status(self) -> str:
        with self.data.reading() as session:
            grant = session.get(Grant, self.grant_id)
        assert grant is not None
        return grant.status

    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        with self.data.reading() as session:
            return list(
                session.scalars(
                    select(Run).where(Run.link_id == self.link_id).order_by(Run.queued_at, Run.started_at)
                )
            )

    @property
    def last_run(self) -> Run:
        return self.runs()[-1]

    def sealer(self) -> Sealer:
        return self.keyring.sealer(Owner("link", self.link_id))

    def readings(self) -> dict[date, Reading]:
        """What each held day shows."""
        with self.data.reading() as session:
            rows = sync_store.published(session, self.link_id, self.row().customer_id, values=True)
        return {row.day: row for row in rows}

    def days(self) -> dict[date, dict[str, set[str]]]:
        """The memberships that each held day shows, opened."""
        return {
            day: {
                segment: set(ids)
                for segment, ids in members_of(
                    decode(self.sealer().open(reading.place(), reading.value), self.sealer().key(LOOKUP))
                ).items()
            }
            for day, reading in self.readings().items()
        }

    def states(self) -> dict[date, tuple[str, tuple[str, ...]]]:
        return {day: (row.state, tuple(row.reasons)) for day, row in self.readings().items()}

    def stored(self) -> int:
        """How many readings there are, staged and published."""
        with self.data.reading() as session:
            return len(session.scalars(select(Reading.reading_id)).all())

    def day_rows(self) -> set[date]:
        with self.data.reading() as session:
            return set(session.scalars(select(Day.day).where(Day.link_id == self.link_id)))

    def names(self) -> dict[str, tuple[str, int]]:
        """Each segment's name and how often it was absent."""
        with self.data.reading() as session:
            known = sync_store.segments(session, self.sealer(), self.link_id, self.row().customer_id)
        return {segment: (one.name, one.misses) for segment, one in known.items()}

    def served(self, cache: IndexCache) -> Served:
        with self.data.reading() as session:
            row = session.get(Link, self.link_id)
            assert row is not None
            return cache.serve(session, AskedLink.of(row))

    def damage(self, day: date, value: bytes | None = None) -> None:
        """Somebody alters a stored value; with one given, seals that instead."""
        with self.data.transaction() as session:
            row = sync_store.published_day(session, self.link_id, self.row().customer_id, day)
            assert row is not None
            if value is None:
                row.value = self.sealer().seal(row.place().__class__("x", "x", "x", "x"), b"elsewhere")
            else:
                row.value = self.sealer().seal(row.place(), value)

    def at(self, moment: datetime) -> None:
        self.clock.set(moment)


RANDOM = os.urandom
