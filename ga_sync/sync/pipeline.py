"""One run of one link, from the listing to the publication. Calls its parts in the right order, decides nothing.

A run stages whole days as it reads them and publishes them together: until then every answer comes from the former
generation. A run that is killed goes on, under a new lease, with the days it had staged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Event

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ga_sync.analytics.client import Google
from ga_sync.analytics.errors import AnalyticsError
from ga_sync.analytics.quota import limits_for
from ga_sync.index.day import DayData
from ga_sync.index.errors import DamagedDay
from ga_sync.index.store import mark_damaged
from ga_sync.sync import segments, stage, store
from ga_sync.sync.calls import Calls, Rim
from ga_sync.sync.errors import LinkGone, Parked
from ga_sync.sync.fetch import DayFetcher, Fetched
from ga_sync.sync.listing import list_property
from ga_sync.sync.opening import open_work
from ga_sync.sync.outcome import Outcome, settle
from ga_sync.sync.publish import Publisher
from ga_sync.sync.quota import recall
from ga_sync.sync.window import local_day, to_read, wanted
from ga_sync.sync.work import Work
from jobs import registry
from jobs import store as jobs_store
from jobs.errors import LostLease
from jobs.registry import Again, Done, Task
from models.errors import DataKeyGone, KeyringError, SealBroken
from models.keyring import Keyring
from models.session import Store
from oauth.errors import OauthError
from oauth.tokens import Tokens

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings that runs go by."""

    interval: timedelta
    backfill_days: int
    quota_share: float


class Pipeline:
    """The handler of ``sync`` jobs."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        google: Google,
        tokens: Tokens,
        policy: Policy,
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
        new_id: Callable[[], str],
        wait: Callable[[Event, float], object] = Event.wait,
    ) -> None:
        """Run links of ``data``.

        Args:
            data: the data store.
            keyring: opens what belongs to a link.
            google: the Analytics APIs.
            tokens: access tokens of grants.
            policy: settings that runs go by.
            clock: the current time, aware.
            jitter: draws from [0, 1) to spread retries.
            new_id: makes ids that no two callers get.
            wait: waits until the event is set or these seconds have passed.
        """
        self._data, self._keyring, self._google, self._tokens = data, keyring, google, tokens
        self._policy, self._clock, self._jitter, self._new_id = policy, clock, jitter, new_id
        self._wait = wait
        self._publisher = Publisher(data, clock, new_id)

    def __call__(self, task: Task, held: registry.Held) -> Again | Done:
        """Run one link once; the run ends, unless the lease or the link is lost or the worker drains.

        What may pass by itself (the database, the keys) leaves the run open: the next claim goes on with what is
        staged. Anything else that nobody foresaw ends it as ``failed``.
        """
        try:
            work = self._begin(task, held)
            outcome = None if work is None else self._guarded(work)
        except (LinkGone, DataKeyGone):
            return Done()
        if work is None:
            return Done()
        return Again(self._clock() if outcome is None else outcome.next_due)

    def _begin(self, task: Task, held: registry.Held) -> Work | None:
        """Open the link and its run; None where nothing is to be done."""
        with self._data.transaction() as session:
            jobs_store.fence(session, task)
            now = self._clock()
            work = open_work(session, self._keyring, task, held, now=now, new_id=self._new_id)
            if work is not None:
                self._plan(session, work, work.link.time_zone)
            return work

    def _guarded(self, work: Work) -> Outcome | None:
        try:
            return self._read_and_publish(work)
        except (LinkGone, LostLease, KeyringError, SQLAlchemyError):
            raise
        except Exception:
            self._publisher.abandon(work.task, work.run_id)
            raise

    def _read_and_publish(self, work: Work) -> Outcome | None:
        """The end of the run; None where the worker drains."""
        error: Exception | None = None
        calls = self._calls(work)
        try:
            self._list(work, calls)
            if not self._read_days(work, calls):
                return None
        except (Parked, AnalyticsError, OauthError) as stopped:
            error = stopped
        return self._end(work, calls, error)

    def _end(self, work: Work, calls: Calls, error: Exception | None) -> Outcome:
        outcome = settle(error, len(work.done), self._clock(), self._policy.interval)
        if outcome.alarm:
            log.error(
                "sync_needs_operator", link_id=work.link.link_id, run_id=work.run_id, error=outcome.error
            )
        self._publisher.publish(work, calls, outcome)
        log.info("sync_ended", link_id=work.link.link_id, run_id=work.run_id, status=outcome.status.value)
        return outcome

    def _calls(self, work: Work) -> Calls:
        grant_id = work.link.grant_id

        def token(refused: str | None) -> str:
            self._check(work)  # after a pause or a removal Google is not called again
            return self._tokens.access_token(grant_id, refused=refused)

        def pause(seconds: float) -> None:
            self._wait(work.held.stopping, seconds)

        rim = Rim(token, pause, self._jitter, self._clock)
        with self._data.reading() as session:
            quota = recall(store.property_quota(session, work.link.link_id), self._clock())
        return Calls(self._google, rim, limits_for(work.link.service_level), self._policy.quota_share, quota)

    def _check(self, work: Work) -> None:
        if work.held.lost.is_set():
            raise LostLease("the lease of this run was lost")
        with self._data.reading() as session:
            store.require_live(session, work.link.link_id, work.link.customer_id, work.link.epoch)

    def _list(self, work: Work, calls: Calls) -> None:
        work.listing = list_property(work, calls, self._clock())
        with self._data.transaction() as session:
            jobs_store.fence(session, work.task)
            self._plan(session, work, work.listing.time_zone)

    def _plan(self, session: Session, work: Work, time_zone: str) -> None:
        """What is left to read, by the days of this zone; a day staged in another one is read anew."""
        today = local_day(self._clock(), time_zone)
        days = wanted(today, work.link.first_day, work.link.retention_days)
        states = {day: held.state if held.readable else "missing" for day, held in work.days.items()}
        work.done = {day: zone for day, zone in work.done.items() if zone == time_zone}
        work.left = [day for day in to_read(days, states, self._policy.backfill_days) if day not in work.done]
        store.set_left(session, work.run_id, read=len(work.done), left=len(work.left))

    def _read_days(self, work: Work, calls: Calls) -> bool:
        """Read what is left, newest first; False when the worker drains."""
        assert work.listing is not None
        time_zone = work.listing.time_zone
        fetcher = DayFetcher(calls, work.link.property, work.link.parameter_name, self._clock)
        for day in list(work.left):
            if work.held.stopping.is_set():
                return False
            asked = segments.asked_for(work.listing.segments.values(), day, time_zone)
            self._stage(work, fetcher.fetch(day, time_zone, asked), calls)
        return True

    def _stage(self, work: Work, fetched: Fetched, calls: Calls) -> None:
        """Build, judge and stage one day; whether it takes the held one's place is decided at the end of the run."""
        assert work.listing is not None
        held = work.days.get(fetched.day)
        data = stage.build(fetched, work.sealer)
        absent = [known.segment_id for known in work.listing.segments.values() if known.misses]
        if held is not None and absent:
            data = self._carried_over(work, fetched.day, data, absent)
        self._commit_day(work, stage.judge_day(fetched, data, held, work.listing.changed_on), calls)

    def _carried_over(self, work: Work, day: date, data: DayData, absent: list[str]) -> DayData:
        with self._data.reading() as session:
            row = store.published_day(session, work.link.link_id, work.link.customer_id, day)
        if row is None:
            return data
        try:
            return stage.carried_over(data, stage.unseal(row, work.sealer), absent, work.sealer)
        except (SealBroken, DamagedDay):
            log.exception("day_damaged", link_id=work.link.link_id, day=day.isoformat())
            self._quarantine(work, row.reading_id)
            return data

    def _quarantine(self, work: Work, reading_id: str) -> None:
        """A held reading that does not open keeps no other from its place."""
        with self._data.transaction() as session:
            jobs_store.fence(session, work.task)
            mark_damaged(session, reading_id, work.link.customer_id)

    def _commit_day(self, work: Work, judged: stage.Judged, calls: Calls) -> None:
        link, fetched = work.link, judged.fetched
        names = {
            "reading_id": self._new_id(),
            "link_id": link.link_id,
            "customer_id": link.customer_id,
            "run_id": work.run_id,
        }
        reading = stage.seal(judged, names, work.sealer)
        cost = calls.take_cost()
        with self._data.transaction() as session:
            jobs_store.fence(session, work.task)
            store.locked_link(session, link.link_id, link.customer_id, link.epoch)
            store.unstage(session, work.run_id, fetched.day)
            session.add(reading)
            store.progress(
                session, work.run_id, days=1, requests=cost.requests, rows=cost.rows, tokens=cost.tokens
            )
        work.done[fetched.day] = fetched.time_zone
        work.left.remove(fetched.day)
