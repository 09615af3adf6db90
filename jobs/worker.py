"""The worker: APScheduler is the clock, threads do the work, the database decides who works.

A tick claims what is ready, as long as a thread is free; a thread that is through claims the next job itself. A
heartbeat, at a third of the shortest lease, extends what is held. Any number of workers may run on PostgreSQL; on
SQLite (``exclusive``) one works and the others wait for its lease.

https://apscheduler.readthedocs.io/en/3.x/userguide.html
"""

import logging
import random
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Semaphore

from apscheduler.executors.pool import ThreadPoolExecutor as ClockThreads
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs import store as sql
from jobs.errors import GiveUp, LostLease, RetryAt
from jobs.registry import Again, Done, Held, Registry, Task
from jobs.schedule import backoff
from models.session import Store

WORKER_LEASE = "worker"
EXCLUSIVE = timedelta(seconds=30)

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Work:
    """A task in hand and the end of its lease as this process last wrote it."""

    task: Task
    held: Held
    until: datetime


class Worker:
    """Claims and does jobs until it is stopped; it starts and stops once."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        *,
        clock: Callable[[], datetime],
        owner: str,
        exclusive: bool,
        threads: int = 4,
        tick: float = 1.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Work on ``store``.

        Args:
            store: the data store, at the newest schema.
            registry: every kind of job, filled.
            clock: the current time, aware.
            owner: a name of this worker that no other one bears, at most 64 characters.
            exclusive: work only while holding the lease ``worker`` (SQLite: one worker at a time).
            threads: how many jobs at once.
            tick: seconds between two looks at the database.
            jitter: draws from [0, 1) to spread retries.
        """
        self._store, self._registry, self._clock, self._owner = store, registry, clock, owner
        self._exclusive, self._tick_seconds, self._jitter = exclusive, tick, jitter
        self._stopping, self._free = Event(), Semaphore(threads)
        self._ticking, self._door = Lock(), Lock()
        self._works: set[_Work] = set()
        self._futures: set[Future[None]] = set()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="job")
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ClockThreads(2)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin to work, in threads of its own."""
        shortest = self._registry.shortest_lease() or EXCLUSIVE
        beat = min(shortest, EXCLUSIVE).total_seconds() / 3
        self._scheduler.add_job(self._tick, "interval", seconds=self._tick_seconds)
        self._scheduler.add_job(self._beat, "interval", seconds=beat)
        self._scheduler.start()
        self.wake()

    def wake(self) -> None:
        """Look at the database now instead of at the next tick; nothing happens where it is not started."""
        with self._door:
            if self._scheduler.running and not self._stopping.is_set():
                self._pool.submit(self._tick)

    def stop(self, grace: float) -> int:
        """Drain: claim nothing more, tell the handlers, wait ``grace`` seconds, hand back what is left.

        Returns how many jobs were left unfinished: their handlers see ``lost`` set and may commit nothing any more,
        and the jobs are ready for another worker at once. Their threads end when the handlers do.
        """
        with self._door:  # nobody wakes it any more
            self._stopping.set()
        with self._ticking:  # a tick under way has handed over what it claimed
            futures = self._futures.copy()
        wait(futures, timeout=grace)
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
        self._pool.shutdown(wait=False)
        left = list(self._works.copy())
        for work in left:
            work.held.lost.set()
        self._hand_back(left)
        return len(left)

    def run_due(self, limit: int | None = None) -> int:
        """Do everything that is due now, one job after the other in the calling thread; how many claims were worked on.

        For tests and the demo: there is no heartbeat, and a handler that always returns ``Again(now)`` ends only at
        ``limit``. Where another worker holds the exclusive lease, nothing is done.
        """
        done = 0
        while (limit is None or done < limit) and (work := self._claim()) is not None:
            self._run(work)
            done += 1
        if not self._scheduler.running:
            self._hand_back([])
        return done

    def _tick(self) -> None:
        with self._ticking:
            while not self._stopping.is_set() and self._free.acquire(blocking=False):
                work = None
                try:
                    work = self._claim()
                finally:
                    if work is None:
                        self._free.release()
                if work is None:
                    return
                self._begin(work)

    def _begin(self, work: _Work) -> None:
        future = self._pool.submit(self._chain, work)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)

    def _chain(self, first: _Work) -> None:
        try:
            work: _Work | None = first
            while work is not None:
                self._run(work)
                work = None if self._stopping.is_set() else self._claim()
        finally:
            self._free.release()

    def _claim(self) -> _Work | None:
        try:
            with self._store.transaction() as session:
                work = self._claimed(session)
        except SQLAlchemyError as error:
            _log.warning("jobs could not be claimed (%s): trying again at the next tick", _name(error))
            return None
        if work is not None:
            self._works.add(work)
        return work

    def _claimed(self, session: Session) -> _Work | None:
        now = self._clock()
        if self._exclusive and not sql.hold_lease(session, WORKER_LEASE, self._owner, now, EXCLUSIVE):
            return None
        for work in [work for work in self._works.copy() if work.until <= now]:
            # The clock leapt ahead of the heartbeat: what is in hand here is not up for a claim.
            work.until = self._extended(session, work, now)
        shortest = self._registry.shortest_lease() or EXCLUSIVE
        task = sql.claim(session, self._registry.kinds(), now, self._owner, shortest)
        if task is None:
            return None
        until = now + self._registry.entry(task.kind).lease
        if until > now + shortest:
            sql.extend(session, task, until)
        return _Work(task, Held(stopping=self._stopping), until)

    def _beat(self) -> None:
        works, now = list(self._works.copy()), self._clock()
        try:
            with self._store.transaction() as session:
                if self._exclusive:
                    sql.hold_lease(session, WORKER_LEASE, self._owner, now, EXCLUSIVE)
                ends = [self._extended(session, work, now) for work in works]
        except SQLAlchemyError as error:
            _log.warning("leases could not be extended (%s): trying again at the next beat", _name(error))
            ends = [work.until for work in works]
        for work, until in zip(works, ends, strict=True):
            work.until = until
            if until <= now:
                work.held.lost.set()

    def _extended(self, session: Session, work: _Work, now: datetime) -> datetime:
        until = now + self._registry.entry(work.task.kind).lease
        try:
            sql.extend(session, work.task, until)
        except LostLease:
            return now
        return until

    def _run(self, work: _Work) -> None:
        try:
            self._work_and_settle(work)
        except LostLease:
            _log.info("%s was lost to another worker or removed", _label(work.task))
        except Exception as error:  # noqa: BLE001 -- the thread lives on, and so does the job
            _log.warning(
                "%s: its outcome could not be stored (%s): it runs again when its lease ends",
                _label(work.task),
                _name(error),
            )
        finally:
            self._works.discard(work)

    def _work_and_settle(self, work: _Work) -> None:
        task, entry = work.task, self._registry.entry(work.task.kind)
        try:
            outcome = entry.handler(task, work.held)
        except LostLease:
            raise
        except RetryAt as error:
            self._postpone(task, error.when, task.attempts + 1)
            _log.info("%s waits: %s", _label(task), error)
        except GiveUp as error:
            self._finish(task)
            _log.warning("%s gave up: %s", _label(task), error)
        except Exception as error:  # noqa: BLE001 -- one bad job never stops the others
            self._postpone_poison(task, error)
        else:
            self._settle(task, outcome)

    def _settle(self, task: Task, outcome: Again | Done) -> None:
        if isinstance(outcome, Again):
            self._postpone(task, outcome.at, attempts=0)
        else:
            self._finish(task)

    def _postpone_poison(self, task: Task, error: Exception) -> None:
        retry = self._registry.entry(task.kind).retry
        pause = backoff(task.attempts + 1, retry.base, retry.cap, self._jitter())
        try:  # first postponed, then told: whatever telling does, the job is out of the others' way
            self._postpone(task, self._clock() + pause, task.attempts + 1)
        finally:
            _log.error("%s failed, attempt %d:\n%s", _label(task), task.attempts + 1, story(error))

    def _postpone(self, task: Task, due_at: datetime, attempts: int) -> None:
        # A time in the past would put the job before all that wait already.
        with self._store.transaction() as session:
            sql.postpone(session, task, max(due_at, self._clock()), attempts)

    def _finish(self, task: Task) -> None:
        with self._store.transaction() as session:
            sql.finish(session, task)

    def _hand_back(self, works: list[_Work]) -> None:
        try:
            with self._store.transaction() as session:
                for work in works:
                    self._returned(session, work.task)
                if self._exclusive:
                    sql.release_lease(session, WORKER_LEASE, self._owner)
        except SQLAlchemyError as error:
            _log.warning("leases could not be given back (%s): they end by themselves", _name(error))

    def _returned(self, session: Session, task: Task) -> None:
        try:
            sql.postpone(session, task, self._clock(), task.attempts)
        except LostLease:
            _log.info("%s was settled or lost while the worker stopped", _label(task))


def story(error: BaseException) -> str:
    """Where an error and its causes came from: their types and stack frames, never their words.

    Words can quote what they complain about: an address, a row, a token.
    """
    parts = []
    seen: BaseException | None = error
    while seen is not None:
        parts.append(f"{_name(seen)} raised\n" + "".join(traceback.format_tb(seen.__traceback__)))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "because of ".join(parts)


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _label(task: Task) -> str:
    return f"job {task.job_id} ({task.kind} {task.subject_id}, epoch {task.epoch})"
