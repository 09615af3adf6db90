"""Every SQL statement about jobs and leases: claim, fence, finish and postpone by compare-and-swap.

Each function works inside the caller's transaction and commits nothing. What they rely on:

* A job is *ready* at ``lease_until`` where somebody holds it, else at ``due_at``; it may be claimed once it is ready.
* A claim puts ``due_at`` to ``NOT_ASKED``. Whoever enqueues the job while it is worked on puts a real time there, and
  finishing or postponing takes the earlier of that time and its own: no wake-up is lost.
* ``epoch`` grows with every claim; whoever holds an older one changes nothing any more.

On PostgreSQL rows are locked (``FOR UPDATE``, ``SKIP LOCKED`` to claim); on SQLite the writing transaction, which
begins IMMEDIATE, is the only one. A transaction that also locks other rows touches its job first, always, so that
two of them cannot wait for each other.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from jobs.errors import LostLease
from jobs.registry import Task
from models.base import UtcDateTime
from models.job import Job, Lease
from models.upsert import insert_into

NOT_ASKED = datetime(9000, 1, 1, tzinfo=UTC)
_UNSYNCED = {"synchronize_session": False}  # rows are never loaded as objects here
_JOB = cast("Table", Job.__table__)
_LOOK = 256
"""How many of each sort of candidates a claim looks at."""


def enqueue(
    session: Session,
    kind: str,
    subject_id: str,
    customer_id: str,
    due_at: datetime,
    new_id: Callable[[], str],
) -> None:
    """Want the job of this kind and subject to run at ``due_at``; of several wishes the earliest wins.

    A job that is being worked on runs once more after it has finished. ``new_id`` gives a new job its id.
    """
    values = {
        "job_id": new_id(),
        "kind": kind,
        "subject_id": subject_id,
        "customer_id": customer_id,
        "due_at": due_at,
    }
    statement = insert_into(session, Job).values(values)
    wished = statement.excluded.due_at
    earlier = case((wished < Job.due_at, wished), else_=Job.due_at)
    session.execute(
        statement.on_conflict_do_update(index_elements=["kind", "subject_id"], set_={"due_at": earlier})
    )


def claim(
    session: Session, kinds: Collection[str], now: datetime, owner: str, lease: timedelta
) -> Task | None:
    """Take one job of these kinds that is ready, for ``lease`` from ``now``; None where there is none.

    The customer with the fewest jobs under lease goes first; then a job that nobody has claimed yet, for somebody waits
    for its first result; then what has been ready longest. Of two workers that ask at once each gets another job. A
    job whose holder vanished counts one failed attempt more. Where every customer is busy, it is the oldest few
    hundred jobs among which this is decided, so that a claim costs the same however many wait.
    """
    values = {"kinds": list(kinds), "now": now, "owner": owner, "until": now + lease}
    row = session.execute(_CLAIM, values).first()
    return None if row is None else Task(*row)


def extend(session: Session, task: Task, until: datetime) -> None:
    """Hold the job until ``until``, also where the lease has run out and nobody took it.

    Raises:
        LostLease: somebody did, or the job was settled or removed.
    """
    _swap(session, task, lease_until=until)


def postpone(session: Session, task: Task, due_at: datetime, attempts: int) -> None:
    """Let go of the job until ``due_at``, or until the earlier time that somebody asked for meanwhile.

    Raises:
        LostLease: it is not held any more.
    """
    values = {"job": task.job_id, "claimed": task.epoch, "wished": due_at, "failures": attempts}
    if session.execute(_POSTPONE, values).first() is None:
        raise _lost(task)


def finish(session: Session, task: Task) -> None:
    """End the job; where somebody asked for it meanwhile it stays and runs at that time.

    Raises:
        LostLease: it is not held any more.
    """
    ended = session.execute(
        delete(Job).where(_held(task), Job.due_at == NOT_ASKED).returning(Job.job_id),
        execution_options=_UNSYNCED,
    ).first()
    if ended is None:
        _swap(session, task, attempts=0, lease_until=None, lease_owner=None)


def fence(session: Session, task: Task) -> None:
    """Prove inside a handler's transaction that the job is still its own, and keep it so until the commit.

    Raises:
        LostLease: it is not; roll back.
    """
    if session.scalar(select(Job.job_id).where(_held(task)).with_for_update()) is None:
        raise _lost(task)


def remove(session: Session, kind: str, subject_id: str) -> None:
    """Forget the job; whoever works on it is fenced. Safe to repeat."""
    session.execute(
        delete(Job).where(Job.kind == kind, Job.subject_id == subject_id), execution_options=_UNSYNCED
    )


def exists(session: Session, kind: str, subject_id: str) -> bool:
    """Whether there is such a job, waiting or being worked on."""
    found = session.scalar(select(Job.job_id).where(Job.kind == kind, Job.subject_id == subject_id))
    return found is not None


def next_due_at(session: Session, kind: str, subject_id: str) -> datetime | None:
    """When the job is wanted next; None where there is no job, or it is being worked on and nobody asked for more."""
    due_at = session.scalar(select(Job.due_at).where(Job.kind == kind, Job.subject_id == subject_id))
    return None if due_at == NOT_ASKED else due_at


def hold_lease(session: Session, name: str, owner: str, now: datetime, duration: timedelta) -> bool:
    """Take or keep the lease ``name`` for ``duration`` from ``now``; False where another owner holds it.

    Nothing is written while more than two thirds are left, so asking often is cheap. A lease that ends more than two
    durations from now was given by a clock that has been put back since, and is void. All who ask for one name ask
    for the same duration.
    """
    left = timedelta(0)
    row = session.execute(select(Lease.owner, Lease.until).where(Lease.name == name)).first()
    if row is not None and row.owner == owner:
        left = row.until - now
    if duration * 2 / 3 < left <= duration:
        return True
    statement = insert_into(session, Lease).values(name=name, owner=owner, until=now + duration)
    free = or_(Lease.owner == owner, Lease.until <= now, Lease.until > now + 2 * duration)
    taken = statement.on_conflict_do_update(
        index_elements=["name"], set_={"owner": owner, "until": now + duration}, where=free
    ).returning(Lease.owner)
    return session.execute(taken).first() is not None


def lease_owner(session: Session, name: str, now: datetime) -> str | None:
    """Who holds a lease at ``now``, or None."""
    return session.scalar(select(Lease.owner).where(Lease.name == name, Lease.until > now))


def release_lease(session: Session, name: str, owner: str) -> None:
    """Give the lease back at once; nothing happens where another owner holds it."""
    session.execute(
        delete(Lease).where(Lease.name == name, Lease.owner == owner), execution_options=_UNSYNCED
    )


def _claim() -> ReturningUpdate[Any]:
    """The claim as one statement, built once: what it costs is what a fleet's scheduling costs."""
    now, kinds = bindparam("now", type_=UtcDateTime), _JOB.c.kind.in_(bindparam("kinds", expanding=True))
    waiting = and_(kinds, _JOB.c.lease_until.is_(None), _JOB.c.due_at <= now)
    vanished = and_(kinds, _JOB.c.lease_until <= now)
    never_claimed = _JOB.c.epoch == literal_column("0")  # as the partial index says it
    held = _JOB.alias("held")
    busy = (
        select(held.c.customer_id, func.count().label("jobs"))
        .where(held.c.lease_until > now)
        .group_by(held.c.customer_id)
        .subquery()
    )
    holds = select(held.c.job_id).where(held.c.customer_id == _JOB.c.customer_id, held.c.lease_until > now)
    candidates = union_all(
        *(
            select(select(_JOB.c.job_id).where(of).order_by(by).limit(_LOOK).subquery())
            for of, by in (
                (and_(waiting, ~holds.exists()), _JOB.c.due_at),
                (and_(waiting, never_claimed), _JOB.c.due_at),
                (waiting, _JOB.c.due_at),
                (vanished, _JOB.c.lease_until),
            )
        )
    )
    ready_at = func.coalesce(_JOB.c.lease_until, _JOB.c.due_at)
    first = case((never_claimed, 0), else_=1)
    chosen = (
        select(_JOB.c.job_id)
        .outerjoin(busy, busy.c.customer_id == _JOB.c.customer_id)
        .where(_JOB.c.job_id.in_(candidates), ready_at <= now)
        .order_by(func.coalesce(busy.c.jobs, 0), first, ready_at, _JOB.c.job_id)
        .limit(1)
        .with_for_update(of=_JOB, skip_locked=True)
        .scalar_subquery()
    )
    return (
        update(_JOB)
        .where(_JOB.c.job_id == chosen)
        .values(
            epoch=_JOB.c.epoch + 1,
            attempts=case((_JOB.c.lease_until.is_(None), _JOB.c.attempts), else_=_JOB.c.attempts + 1),
            # A wish for later than now, made while a former holder worked, still stands.
            due_at=case((_JOB.c.due_at > now, _JOB.c.due_at), else_=NOT_ASKED),
            lease_until=bindparam("until", type_=UtcDateTime),
            lease_owner=bindparam("owner"),
        )
        .returning(
            _JOB.c.job_id, _JOB.c.kind, _JOB.c.subject_id, _JOB.c.customer_id, _JOB.c.epoch, _JOB.c.attempts
        )
    )


def _postpone() -> ReturningUpdate[Any]:
    wished = bindparam("wished", type_=UtcDateTime)
    return (
        update(_JOB)
        .where(
            _JOB.c.job_id == bindparam("job"),
            _JOB.c.epoch == bindparam("claimed"),
            _JOB.c.lease_until.is_not(None),
        )
        .values(
            due_at=case((_JOB.c.due_at < wished, _JOB.c.due_at), else_=wished),
            attempts=bindparam("failures"),
            lease_until=None,
            lease_owner=None,
        )
        .returning(_JOB.c.job_id)
    )


_CLAIM, _POSTPONE = _claim(), _postpone()


def _held(task: Task) -> ColumnElement[bool]:
    return and_(Job.job_id == task.job_id, Job.epoch == task.epoch, Job.lease_until.is_not(None))


def _lost(task: Task) -> LostLease:
    return LostLease(f"job {task.job_id} is not held at epoch {task.epoch} any more")


def _swap(session: Session, task: Task, **values: object) -> None:
    swapped = session.execute(
        update(Job).where(_held(task)).values(**values).returning(Job.job_id), execution_options=_UNSYNCED
    ).first()
    if swapped is None:
        raise _lost(task)
