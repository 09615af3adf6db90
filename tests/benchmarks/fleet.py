"""A fleet of links on one store, and a day of its turns by a clock that jumps from start to start.

The job store, the worker, the budget of the Admin API and what decides about it are the product's own. The runs are
stand-ins: they spend their calls and take as long as Google takes to answer. Google counts the Admin calls of the whole
project and refuses what is too much.
"""

import heapq
import os
import random
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import cast
from uuid import UUID

from sqlalchemy import Table, insert, text

from ga_sync.analytics.errors import QuotaExhausted
from ga_sync.sync.budget import AdminBudget, pacific_day
from ga_sync.sync.due import facts_due, listing_due
from jobs import store as jobs_store
from jobs.registry import Again, Held, Registry, Task
from jobs.schedule import Retry, next_due, spread
from jobs.worker import Worker
from models.job import Job
from models.link import Link, LinkStatus
from models.session import Store
from tests.clock import SettableClock

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
"""Midnight in Los Angeles, where Google's day of quotas begins."""
LINKS_EACH = 5
"""So many links a customer has."""
REPORTS, ANSWER = 5, timedelta(seconds=1.5)
"""Reports of a turn, and how long Google takes for each."""
WORKERS, THREADS = 4, 4
BUDGET = 40_000
A_DAY, A_MINUTE, A_SECOND = 50_000, 1_200, 10
LEASE = timedelta(seconds=60)
_CHUNK = 5_000


@dataclass
class Shape:
    """How large the fleet is and how often a link has its turn."""

    links: int = 100_000
    segments: int = 50
    interval: timedelta = timedelta(days=1)
    lasts: timedelta = timedelta(days=1)


class Project:
    """Google's count of our project's Admin calls, of a day, a minute and a second."""

    def __init__(self) -> None:
        self.refused, self.calls = 0, 0
        self._of_day: Counter[object] = Counter()
        self._lately: deque[datetime] = deque()
        self.in_a_minute = 0

    def asked(self, now: datetime) -> None:
        """One call more; it may be one too many."""
        while self._lately and now - self._lately[0] >= timedelta(minutes=1):
            self._lately.popleft()
        self._lately.append(now)
        self._of_day[pacific_day(now)] += 1
        self.calls += 1
        self.in_a_minute = max(self.in_a_minute, len(self._lately))
        of_second = sum(at == now for at in self._lately)
        too_many = (
            self._of_day[pacific_day(now)] > A_DAY or len(self._lately) > A_MINUTE or of_second > A_SECOND
        )
        self.refused += too_many


@dataclass
class Fleet:
    """What a simulated day showed."""

    shape: Shape
    project: Project = field(default_factory=Project)
    late: list[float] = field(default_factory=list)
    scheduler: float = 0.0
    database: float = 0.0
    seconds: float = 0.0
    listed: int = 0
    put_off: int = 0

    @property
    def late_p99(self) -> float:
        """Seconds between a turn's time and its start, of ninety-nine in a hundred."""
        return sorted(self.late)[int(len(self.late) * 0.99)] if self.late else 0.0

    @property
    def each_ms(self) -> float:
        """CPU time of worker and database to schedule one run, in milliseconds."""
        return (self.scheduler + self.database) / max(1, len(self.late)) * 1e3

    def core(self, interval: timedelta) -> float:
        """The share of a core that scheduling takes where every link has a turn each ``interval``."""
        return self.each_ms / 1e3 * self.shape.links / interval.total_seconds()


def lay_out(store: Store, shape: Shape) -> dict[str, datetime]:
    """Fill an empty store; when each link's turn comes."""
    chance = random.Random(4711)
    ids = [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(shape.links)]
    due = {one: next_due(START - shape.interval, one, shape.interval) for one in ids}
    due = {one: at if at >= START else at + shape.interval for one, at in due.items()}
    _fill(store, Link, (_link(number, one) for number, one in enumerate(ids)))
    _fill(store, Job, (_job(number, one, due[one]) for number, one in enumerate(ids)))
    segments = text(
        "INSERT INTO segments (row_id, link_id, customer_id, segment_ref, segment_id, name, name_generation,"
        " label_generation, created_at, listed_at, misses) "
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 99 + :segments) "
        "SELECT substr(link_id, 1, 32) || CAST(i AS VARCHAR), link_id, customer_id, CAST(:ref AS {bytes}) || "
        "CAST(CAST(i AS VARCHAR) AS {bytes}), :sealed, :sealed, 1, 0, created_at, created_at, 0 FROM links, n".format(
            bytes="BLOB" if store.is_sqlite else "BYTEA"
        )
    )
    with store.transaction() as session:
        session.execute(segments, {"segments": shape.segments, "ref": bytes(29), "sealed": bytes(60)})
    if not store.is_sqlite:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    return due


def _fill(store: Store, of: type[Link | Job], rows: Iterable[dict[str, object]]) -> None:
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK)):
        with store.transaction() as session:
            session.execute(insert(cast("Table", of.__table__)), chunk)


def _link(number: int, link_id: str) -> dict[str, object]:
    return {
        "link_id": link_id,
        "customer_id": f"customer-{number // LINKS_EACH}",
        "grant_id": f"grant-{number // LINKS_EACH}",
        "unique_ref": link_id.encode(),
        "property_ref": link_id.encode(),
        "time_zone": "Europe/Berlin",
        "service_level": "GOOGLE_ANALYTICS_STANDARD",
        "request_shape": "together",
        "status": LinkStatus.ACTIVE.value,
        "retention_days": 90,
        "created_at": START - timedelta(days=100),
        "first_day": (START - timedelta(days=130)).date(),
        "epoch": 1,
        "generation": 1,
        "forgotten": 0,
        "purged_days": 0,
        "purged_segments": 0,
        "purged_recordings": 0,
    }


def _job(number: int, link_id: str, due_at: datetime) -> dict[str, object]:
    return {
        "job_id": link_id,
        "kind": "sync",
        "subject_id": link_id,
        "customer_id": f"customer-{number // LINKS_EACH}",
        "due_at": due_at,
        "attempts": 0,
        "epoch": 1,
    }


class Day:
    """A day of the fleet: at each second in which a turn comes, the threads that are free claim what is due."""

    def __init__(self, store: Store, shape: Shape, due: dict[str, datetime], wishes: int = 200) -> None:
        """``wishes`` links are asked for by people in the course of the day, at any moment."""
        self._store, self._shape, self._due = store, shape, due
        self._clock = SettableClock(START)
        self._budget = AdminBudget(store, BUDGET, self._clock)
        every = max(shape.interval, self._budget.interval())
        self._checked = {one: START - spread(f"listed {one}", every) for one in due}
        chance = random.Random(1)
        moments = sorted(START + shape.lasts * chance.random() for _ in range(wishes))
        self._wishes = deque(zip(moments, chance.choices(list(due), k=wishes), strict=True))
        self._wanted: set[str] = set()
        self._turns = list(due.values())
        heapq.heapify(self._turns)
        self._busy: list[datetime] = []
        self._handling = 0.0
        self.found = Fleet(shape)
        registry = Registry()
        retry = Retry(timedelta(seconds=30), timedelta(hours=1))
        registry.register("sync", self._run, lease=LEASE, retry=retry)
        self._worker = Worker(store, registry, clock=self._clock, owner="fleet", exclusive=False)

    def simulate(self) -> Fleet:
        """From midnight on; what it showed."""
        wall, backend = time.perf_counter(), _backend(self._store)
        database = _cpu_of(backend)
        for moment in self._moments():
            self._clock.set(moment)
            while self._wishes and self._wishes[0][0] <= moment:
                self._want(*self._wishes.popleft())
            while self._busy and self._busy[0] <= moment:
                heapq.heappop(self._busy)
            free = WORKERS * THREADS - len(self._busy)
            began, self._handling = time.process_time(), 0.0
            if free:
                self._worker.run_due(limit=free)
            self.found.scheduler += time.process_time() - began - self._handling
        self.found.database = _cpu_of(backend) - database
        self.found.seconds = time.perf_counter() - wall
        self._worker.stop(0)
        return self.found

    def _moments(self) -> Iterator[datetime]:
        """Each whole second after which a turn or a wish has come, or a thread has got free while turns wait."""
        at, end = START, START + self._shape.lasts
        while at < end:
            yield at
            while self._turns and self._turns[0] <= at:
                heapq.heappop(self._turns)
            ahead = [*self._turns[:1], *(one for one, _ in list(self._wishes)[:1])]
            if len(self._busy) >= WORKERS * THREADS:
                ahead.append(self._busy[0])
            at = max(at, min(ahead, default=end).replace(microsecond=0)) + timedelta(seconds=1)

    def _want(self, moment: datetime, link_id: str) -> None:
        self._wanted.add(link_id)
        self._due[link_id] = moment
        with self._store.transaction() as session:
            jobs_store.enqueue(session, "sync", link_id, "unused", moment, lambda: link_id)

    def _run(self, task: Task, _held: Held) -> Again:
        """A stand-in for a run: it spends what a run spends, and its thread is busy for as long."""
        began, now, link_id = time.process_time(), self._clock(), task.subject_id
        self.found.late.append((now - self._due[link_id]).total_seconds())
        calls = self._listed(link_id, now)
        ends = now + (REPORTS + calls) * ANSWER
        heapq.heappush(self._busy, ends)
        self._due[link_id] = next_due(ends, link_id, self._shape.interval)
        heapq.heappush(self._turns, self._due[link_id])
        self._handling += time.process_time() - began
        return Again(self._due[link_id])

    def _listed(self, link_id: str, now: datetime) -> int:
        """How many Admin calls the run makes, decided as :mod:`ga_sync.sync.pipeline` does."""
        checked, wanted = self._checked[link_id], link_id in self._wanted
        self._wanted.discard(link_id)
        due = listing_due(checked, now, self._budget.interval()) and self._budget.carries_turns()
        if not (wanted or due):
            return 0
        methods = ["audiences", *(["property"] if wanted or facts_due(checked, now, link_id) else [])]
        for method in methods:
            try:
                self._budget.count(method)
            except QuotaExhausted:
                self.found.put_off += 1
                return 0
            self.found.project.asked(now)
        self._checked[link_id] = now
        self.found.listed += 1
        return len(methods)


def _backend(store: Store) -> Path | None:
    """Where the system counts the CPU time of PostgreSQL's process for this store's connection."""
    if store.is_sqlite:
        return None
    with store.reading() as session:
        return Path(f"/proc/{session.scalar(text('SELECT pg_backend_pid()'))}/stat")


def _cpu_of(stat: Path | None) -> float:
    if stat is None or not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
