"""The end of a run, in one fenced transaction: staged days take the place of held ones, and one generation is born."""

from collections.abc import Callable, Iterable
from datetime import date, datetime

from sqlalchemy.orm import Session

from ga_sync.index.errors import DamagedDay
from ga_sync.sync import stage, store
from ga_sync.sync.announce import Announcer
from ga_sync.sync.breaker import Breaker
from ga_sync.sync.calls import Calls
from ga_sync.sync.changelog import Changelog, expire_days
from ga_sync.sync.completeness import take_over
from ga_sync.sync.forgets import apply, clean_staged
from ga_sync.sync.heads import Heading
from ga_sync.sync.outcome import GRANT_DEAD, Outcome
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

    def __init__(
        self,
        data: Store,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        breaker: Breaker,
        announcer: Announcer,
    ) -> None:
        self._data, self._clock, self._new_id = data, clock, new_id
        self._breaker, self._announcer = breaker, announcer

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
            heading = Heading(session, link, work.sealer)
            now = self._clock()
            listed = work.listing is not None and self._apply_listing(session, link, work, work.listing)
            changelog = Changelog(session, link, work.sealer)
            staged = self._take_over(session, work, changelog)
            expired = self._expire(session, link, work.sealer, now, changelog)
            self._forget(session, link, work, changelog)
            if listed or staged or expired or changelog.touched:
                changelog.write(now)
            if staged or outcome.status is RunStatus.SUCCEEDED:
                link.as_of = now
            link.quota = calls.governor.memory()
            self._close(session, work, calls, outcome, now)
            self._mark(session, link, outcome, answered=staged)
            self._tell(session, link, work, outcome)
            heading.write()

    def abandon(self, task: Task, run_id: str) -> None:
        """Close a run that stopped for a reason nobody foresaw; what it staged goes with the next run."""
        with self._data.transaction() as session:
            jobs_store.fence(session, task)
            store.finish_run(session, run_id, RunStatus.FAILED, self._clock(), "internal", None)
            link = store.link(session, task.subject_id, task.customer_id)
            if link is not None:
                self._announcer.run_finished(session, link, run_id, RunStatus.FAILED, "internal")

    def refuse(self, task: Task, error: str) -> str:
        """Close as failed the run that could not begin; its id."""
        with self._data.transaction() as session:
            jobs_store.fence(session, task)
            link, now = store.link(session, task.subject_id, task.customer_id), self._clock()
            assert link is not None, "a link that is gone was left alone before"
            run = store.unfinished_run(session, link.link_id, link.customer_id)
            if run is None:
                run = store.new_run(link, self._new_id(), now)
                session.add(run)
            run.started_at = run.started_at or now
            run.status, run.finished_at, run.error = RunStatus.FAILED, now, error
            self._announcer.run_finished(session, link, run.run_id, RunStatus.FAILED, error)
            return run.run_id

    def _apply_listing(self, session: Session, link: Link, work: Work, listing: Listing) -> bool:
        """Whether Google listed the segments anew."""
        if listing.changed_on is None or listing.changed_on in work.done or not work.left:
            link.time_zone = listing.time_zone  # else the next run finds the change again, and marks its day
        if listing.at is None:
            return False
        fresh = [self._new_id() for _ in listing.segments]
        store.save_segments(session, work.sealer, link, listing.segments, fresh)
        link.segments_checked_at, link.service_level = listing.at, listing.service_level
        if listing.display_name != work.link.display_name:
            store.rename_property(link, work.sealer, listing.display_name)
        return True

    def _take_over(self, session: Session, work: Work, changelog: Changelog) -> bool:
        """Point days to the staged readings that replace what is held; whether anything was staged at all.

        What was to be forgotten since a day was staged is taken out of it here, under the lock of the link.
        """
        staged = store.staged(session, work.run_id, work.link.customer_id)
        held = store.published(session, work.link.link_id, work.link.customer_id)
        forgotten, shown = work.forgotten(), {reading.day: reading for reading in held}
        for reading in staged:
            clean_staged(reading, forgotten, work.sealer, self._new_id)
        accounts = {reading.day: stage.held_of(reading) for reading in staged}
        verdicts = take_over(accounts, {reading.day: stage.held_of(reading) for reading in held})
        sealed = {reading.day: reading for reading in held if reading.state == "complete"}
        for reading in staged:
            verdict = verdicts.get(reading.day)
            if verdict is None:
                session.delete(reading)
                if reading.day in sealed:  # it was read again, and stands
                    sealed[reading.day].began_at = reading.began_at
                continue
            reading.state, reading.reasons = verdict.state, list(verdict.reasons)
            changelog.replaces(reading, shown.get(reading.day))
            store.point_day(session, reading)
        session.flush()
        return bool(staged)

    def _forget(self, session: Session, link: Link, work: Work, changelog: Changelog) -> None:
        """Where a crash or a restored backup kept forgets from the days that are held, they are applied now."""
        forgotten = work.forgotten()
        if link.forgotten != len(forgotten):
            apply(session, link, work.sealer, forgotten, changelog, self._new_id)

    def _expire(
        self, session: Session, link: Link, sealer: Sealer, now: datetime, changelog: Changelog
    ) -> bool:
        """Delete what left retention; whether anything did."""
        oldest = oldest_kept(local_day(now, link.time_zone), link.retention_days)
        expired = expire_days(session, link, oldest, changelog)
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

    def _mark(self, session: Session, link: Link, outcome: Outcome, *, answered: bool) -> None:
        """A refusal that only the customer can lift breaks the link; reports that are answered again heal it.

        While many links are refused alike it is no customer's doing, and breaks none.
        """
        well = outcome.status is RunStatus.SUCCEEDED or (outcome.status is RunStatus.PARTIAL and answered)
        was_broken = link.status == LinkStatus.BROKEN
        if outcome.broken is not None and not self._breaker.is_open(session, outcome.broken):
            link.status, link.reason = LinkStatus.BROKEN, outcome.broken
            if not was_broken:
                self._announcer.link_broken(session, link)
        elif well and was_broken:
            link.status, link.reason = LinkStatus.ACTIVE, None
            self._announcer.link_recovered(session, link)

    def _tell(self, session: Session, link: Link, work: Work, outcome: Outcome) -> None:
        self._announcer.run_finished(session, link, work.run_id, outcome.status, outcome.error)
        if outcome.error == GRANT_DEAD:
            self._announcer.grant_dead(session, link.grant_id, link.customer_id)


def shown_segments(readings: Iterable[Reading], sealer: Sealer) -> set[str] | None:
    """Every segment that some held day shows a recording of; None where a damaged day keeps that secret."""
    try:
        return {segment for reading in readings for segment in stage.unseal(reading, sealer).segments}
    except (SealBroken, DamagedDay):
        return None
