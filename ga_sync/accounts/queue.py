"""Asking for a run of a link, in the caller's transaction.

The job is touched before the link is locked, always, so that two transactions cannot wait for each other.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from ga_sync.sync import store as sync_store
from jobs import store as jobs_store
from models.link import Link
from models.run import Run

SYNC = "sync"


def wake(session: Session, link_id: str, customer_id: str, now: datetime, new_id: Callable[[], str]) -> None:
    """Let the link's turn come at once."""
    jobs_store.enqueue(session, SYNC, link_id, customer_id, now, new_id)


def wanted_run(session: Session, row: Link, now: datetime, new_id: Callable[[], str]) -> Run:
    """The run that is queued or under way; a new one where there is none."""
    run = sync_store.unfinished_run(session, row.link_id, row.customer_id)
    if run is None:
        run = sync_store.new_run(row, new_id(), now)
        session.add(run)
    return run
