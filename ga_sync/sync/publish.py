"""The end of a run, in one fenced transaction: staged days take the place of held ones, and one generation is born."""

from collections.abc import Callable, Iterable
from datetime import date, datetime

from sqlalchemy.orm import Session

from ga_sync.index.errors import DamagedDay
from ga_sync.sync import stage, store
from ga_sync.sync.calls import Calls
from ga_sync.sync.completeness import take_over
from ga_sync.sync.outcome import Outcome
from ga_sync.sync.quota import remember
from ga_sync.sync.segments import outlived
from ga_sync.sync.window import local_day, oldest_kept
from ga_sync.sync.work import Listing, Work
from jobs import store as jobs_store
from jobs.registry import Task
from models.day import Reading
from models.errors import SealBroken
from models.keyring import Sealer
from models.link import Link, LinkStatus
from models.run import RunStatus
from models.session import Store


class Publisher:
    """Ends runs."""

    def __init__(self, data: Store, clock: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._data, self._clock, self._new_id = data, clock, new_id

    def publish(self, work: Work, calls: Calls, outcome: Outcome) -> None:
        """Publish what the run staged and close it.

        The generation grows where an answer may differ. ``as_of`` moves only where something was learnt about days
        (also that all of them are sealed), so that the age of an answer shows while runs fail.

        Raises:
            LostLease, LinkGone: somebody else was first; nothing changed.
        """
        with self._data.transaction() as session:
            jobs_store.fence(session, work.task)
            link = store.locked_link(session, work.link.link_id, work.link.customer_id, work.link.epoch)
            now = self._clock()
            if work.listing is not None:
                self._apply_listing(session, link, work, work.listing)
            staged = self._take_over(session, work)
            expired = self._expire(session, link, work.sealer, now)
            if work.listing is not None or staged or expired:
                link.generation += 1
            if staged or outcome.status is RunStatus.SUCCEEDED:
                link.as_of = now
            link.quota = remember(calls.told, now, link.quota)
            _mark(link, outcome, answered=staged)
            self._close(session, work, calls, outcome, now)

    def abandon(self, task: Task, run_id: str) -> None:
        """Close a run that stopped for a reason nobody foresaw; what it staged goes with the next run."""
        with self._data.transaction() as session:
            jobs_store.fence(session, task)
            store.finish_run(session, run_id, RunStatus.FAILED, self._clock(), "internal", None)

    def _apply_listing(self, session: Session, link: Link, work: Work, listing: Listing) -> None:
        fresh = [self._new_id() for _ in listing.segments]
        store.save_segments(session, work.sealer, link, listing.segments, fresh)
        link.segments_checked_at, link.service_level = listing.at, listing.service_level
        store.rename_property(link, work.sealer, listing.display_name)
        if listing.changed_on is None or listing.changed_on in work.done or not work.left:
            link.time_zone = listing.time_zone  # else the next run finds the change again, and marks its day

    def _take_over(self, session: Session, work: Work) -> bool:
        """Point days to the staged readings that replace what is held; whether anything was staged at all."""
        staged = store.staged(session, work.run_id, work.link.customer_id)
        held = store.published(session, work.link.link_id, work.link.customer_id)
        accounts = {reading.day: stage.held_of(reading) for reading in staged}
        verdicts = take_over(accounts, {reading.day: stage.held_of(reading) for reading in held})
        for reading in staged:
            verdict = verdicts.get(reading.day)
            if verdict is None:
                session.delete(reading)
                continue
            reading.state, reading.reasons = verdict.state, list(verdict.reasons)
            store.point_day(session, reading)
        session.flush()
        return bool(staged)

    def _expire(self, session: Session, link: Link, sealer: Sealer, now: datetime) -> bool:
        """Delete what left retention; whether anything did."""
        oldest = oldest_kept(local_day(now, link.time_zone), link.retention_days)
        expired = store.expire_days(session, link.link_id, oldest)
        return self._drop_archived(session, link, sealer, oldest) or expired

    def _drop_archived(self, session: Session, link: Link, sealer: Sealer, oldest: date) -> bool:
        """Archived segments go, name and number, when the last day of theirs has left retention."""
        known = store.segments(session, sealer, link.link_id, link.customer_id).values()
        gone = outlived(known, oldest, link.time_zone)
        if not gone:
            return False
        held = store.published(session, link.link_id, link.customer_id, values=True)
        shown = shown_segments(held, sealer)
        if shown is None:
            return False
        store.drop_segments(session, sealer, link.link_id, sorted(gone - shown))
        return bool(gone - shown)

    def _close(self, session: Session, work: Work, calls: Calls, outcome: Outcome, now: datetime) -> None:
        cost = calls.take_cost()  # of a day that was not finished
        store.progress(
            session, work.run_id, days=0, requests=cost.requests, rows=cost.rows, tokens=cost.tokens
        )
        store.finish_run(session, work.run_id, outcome.status, now, outcome.error, outcome.retry_at)


def _mark(link: Link, outcome: Outcome, *, answered: bool) -> None:
    """A refusal that only the customer can lift breaks the link; reports that are answered again heal it."""
    well = outcome.status is RunStatus.SUCCEEDED or (outcome.status is RunStatus.PARTIAL and answered)
    if outcome.broken is not None:
        link.status, link.reason = LinkStatus.BROKEN, outcome.broken
    elif well and link.status == LinkStatus.BROKEN:
        link.status, link.reason = LinkStatus.ACTIVE, None


def shown_segments(readings: Iterable[Reading], sealer: Sealer) -> set[str] | None:
    """Every segment that some held day shows a recording of; None where a damaged day keeps that secret."""
    try:
        return {segment for reading in readings for segment in stage.unseal(reading, sealer).segments}
    except (SealBroken, DamagedDay):
        return None
