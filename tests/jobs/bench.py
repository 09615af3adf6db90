"""What the tests of jobs share: wishes, claims and rows in one line each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event
from time import monotonic
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from jobs import store as sql
from jobs.registry import Handler, Registry, Task
from jobs.schedule import Retry
from jobs.worker import Worker
from models.job import Job
from models.session import Store
from tests.clock import SettableClock

LEASE = timedelta(minutes=5)
RETRY = Retry(timedelta(minutes=1), timedelta(hours=1))
PATIENCE = 20.0  # seconds after which a test that waits for an event has failed


def want(store: Store, subject: str, due_at: datetime, customer: str = "acme", kind: str = "sync") -> None:
    with store.transaction() as session:
        sql.enqueue(session, kind, subject, customer, due_at, lambda: str(uuid4()))


def claim(store: Store, now: datetime, owner: str = "one", lease: timedelta = LEASE) -> Task | None:
    with store.transaction() as session:
        return sql.claim(session, ["sync"], now, owner, lease)


def take(store: Store, now: datetime, owner: str = "one", lease: timedelta = LEASE) -> Task:
    task = claim(store, now, owner, lease)
    assert task is not None
    return task


def row(store: Store, subject: str) -> Job | None:
    with store.reading() as session:
        return session.scalars(select(Job).where(Job.subject_id == subject)).first()


def held_row(store: Store, subject: str) -> Job:
    job = row(store, subject)
    assert job is not None
    return job


def due(store: Store, subject: str) -> datetime | None:
    with store.reading() as session:
        return sql.next_due_at(session, "sync", subject)


def registry_of(handler: Handler, lease: timedelta = LEASE) -> Registry:
    registry = Registry()
    registry.register("sync", handler, lease=lease, retry=RETRY)
    return registry


def awaited(event: Event) -> bool:
    return event.wait(PATIENCE)


def eventually(true: Callable[[], bool]) -> bool:
    """Whether something becomes true within ``PATIENCE``; looked at every few milliseconds."""
    pause, end = Event(), monotonic() + PATIENCE
    while not true():
        if monotonic() > end:
            return False
        pause.wait(0.01)
    return True


class TroubledStore(Store):
    """A store whose writing transactions fail like a locked database, as soon as ``trouble`` is set."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.trouble = Event()
        self.refused = Event()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        if self.trouble.is_set():
            self.refused.set()
            raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))
        with super().transaction() as session:
            yield session


class Workshop:
    """Makes workers on one store and stops them all at the end."""

    def __init__(self, store: Store, clock: SettableClock) -> None:
        self.store, self.clock = store, clock
        self._workers: list[Worker] = []

    def worker(
        self,
        handler: Handler,
        owner: str = "one",
        *,
        store: Store | None = None,
        clock: Callable[[], datetime] | None = None,
        lease: timedelta = LEASE,
        threads: int = 4,
        tick: float = 0.05,
        exclusive: bool = False,
    ) -> Worker:
        """A worker for jobs of the kind `sync`; `store` and `clock` are the workshop's unless others are given."""
        worker = Worker(
            store or self.store,
            registry_of(handler, lease),
            clock=clock or self.clock,
            owner=owner,
            threads=threads,
            tick=tick,
            exclusive=exclusive,
            jitter=lambda: 0.0,
        )
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self._workers:
            worker.stop(PATIENCE)
