"""The beginning of a run, in one fenced transaction: the link opened, what a former holder staged taken up."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from ga_sync.index import heads
from ga_sync.index.head import HEADLESS
from ga_sync.sync import shared_store, stage, store, turns
from ga_sync.sync.heads import Heading
from ga_sync.sync.links import open_link, sealer_of
from ga_sync.sync.work import Work
from jobs import registry
from jobs.registry import Task
from models.keyring import Keyring
from models.link import Link, LinkStatus
from models.run import Run, RunStatus


def open_work(
    session: Session,
    keyring: Keyring,
    task: Task,
    held: registry.Held,
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> Work | None:
    """The run that is queued, was left unfinished, or is new; None where the link is removed or paused.

    Raises:
        DataKeyGone: the link was removed.
        Busy: another link of the same property is being read.
    """
    row = store.link(session, task.subject_id, task.customer_id)
    if row is None or row.status == LinkStatus.PAUSED:
        return None
    assert row.property_ref is not None, "only a removed link has none"
    turn_until = turns.take(session, row.property_ref, row.link_id, now)
    sealer = sealer_of(keyring, row.link_id)
    run, wanted = _started(session, row, now, new_id)
    run_id = run.run_id
    store.discard_staged(session, row.link_id, keep_run=run_id)
    _mend(session, row, keyring)
    published = store.published(session, row.link_id, row.customer_id)
    return Work(
        task=task,
        held=held,
        link=open_link(sealer, row),
        sealer=sealer,
        forgotten=lambda: keyring.forgets.of(task.subject_id),
        run_id=run_id,
        wanted=wanted,
        checked_at=row.segments_checked_at,
        property_ref=row.property_ref,
        turn_until=turn_until,
        fresh_since=None if wanted else shared_store.stopped_since(session, row.link_id),
        known=store.segments(session, sealer, row.link_id, row.customer_id),
        days={reading.day: stage.held_of(reading) for reading in published},
        done={reading.day: reading.time_zone for reading in store.staged(session, run_id, row.customer_id)},
    )


def _mend(session: Session, row: Link, keyring: Keyring) -> None:
    """What was put back is taken out of use before the run plans by it."""
    found = heads.compare(session, keyring, row.link_id, row.customer_id)
    if found is HEADLESS:
        heads.tell(found, row.link_id)
    if found:
        link = store.locked_link(session, row.link_id, row.customer_id, row.epoch)
        Heading(session, link, sealer_of(keyring, row.link_id)).write()


def _started(session: Session, row: Link, now: datetime, new_id: Callable[[], str]) -> tuple[Run, bool]:
    """The run, and whether a person asked for it: then it was queued before it started."""
    run = store.unfinished_run(session, row.link_id, row.customer_id)
    if run is None:
        run = store.new_run(row, new_id(), now)
        run.started_at = now
        session.add(run)
    wanted = run.started_at is None or run.queued_at < run.started_at
    run.status, run.started_at = RunStatus.RUNNING, run.started_at or now
    return run, wanted
