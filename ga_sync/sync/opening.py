"""The beginning of a run, in one fenced transaction: the link opened, what a former holder staged taken up."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from ga_sync.sync import stage, store
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
    """
    row = store.link(session, task.subject_id, task.customer_id)
    if row is None or row.status == LinkStatus.PAUSED:
        return None
    sealer = sealer_of(keyring, row.link_id)
    run_id = _started(session, row, now, new_id).run_id
    store.discard_staged(session, row.link_id, keep_run=run_id)
    published = store.published(session, row.link_id, row.customer_id)
    return Work(
        task=task,
        held=held,
        link=open_link(sealer, row),
        sealer=sealer,
        run_id=run_id,
        known=store.segments(session, sealer, row.link_id, row.customer_id),
        days={reading.day: stage.held_of(reading) for reading in published},
        done={reading.day: reading.time_zone for reading in store.staged(session, run_id, row.customer_id)},
    )


def _started(session: Session, row: Link, now: datetime, new_id: Callable[[], str]) -> Run:
    run = store.unfinished_run(session, row.link_id, row.customer_id)
    if run is None:
        run = store.new_run(row, new_id(), now)
        session.add(run)
    run.status, run.started_at = RunStatus.RUNNING, run.started_at or now
    return run
