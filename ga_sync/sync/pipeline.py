"""One run of one link, from the listing to the publication. Calls its parts in the right order, decides nothing.

A run stages whole days as it reads them and publishes them together: until then every answer comes from the former
generation. A run that is killed goes on, under a new lease, with the days it had staged.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ga_sync.analytics.client import Google
from ga_sync.analytics.errors import AnalyticsError
from ga_sync.analytics.quota import Kind, limits_for
from ga_sync.sync import shared_store, store, turns
from ga_sync.sync.announce import Announcer, Silence
from ga_sync.sync.breaker import Breaker
from ga_sync.sync.budget import AdminBudget
from ga_sync.sync.calls import Calls, Rim
from ga_sync.sync.days import DayReader
from ga_sync.sync.due import facts_due, listing_due, next_turn
from ga_sync.sync.errors import Busy, LinkGone, Parked
from ga_sync.sync.governor import Governor
from ga_sync.sync.listing import Lister, held_listing
from ga_sync.sync.opening import open_work
from ga_sync.sync.outcome import DAMAGED, Outcome, settle
from ga_sync.sync.publish import Publisher
from ga_sync.sync.quota import recall
from ga_sync.sync.work import Listing, Work
from jobs import registry
from jobs import store as jobs_store
from jobs.errors import LostLease
from jobs.registry import Again, Done, Task
from jobs.schedule import next_due
from models.errors import DataKeyGone, KeyringError, SealBroken
from models.keyring import Keyring
from models.session import Store
from oauth.errors import OauthError
from oauth.tokens import Tokens

_ADMIN = frozenset({Kind.ADMIN_PER_DAY, Kind.ADMIN_PER_MINUTE})
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
        budget: AdminBudget,
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
        new_id: Callable[[], str],
        wait: Callable[[Event, float], object] = Event.wait,
        announcer: Announcer | None = None,
    ) -> None:
        """Run links of ``data``.

        Args:
            data: the data store.
            keyring: opens what belongs to a link.
            google: the Analytics APIs.
            tokens: access tokens of grants.
            policy: settings that runs go by.
            budget: of the Admin API, which all processes share.
            clock: the current time, aware.
            jitter: draws from [0, 1) to spread retries.
            new_id: makes ids that no two callers get.
            wait: waits until the event is set or these seconds have passed.
            announcer: told of what the console may want to know; nobody is by default.
        """
        self._data, self._keyring, self._google, self._tokens = data, keyring, google, tokens
        self._policy, self._budget, self._clock = policy, budget, clock
        self._jitter, self._new_id, self._wait = jitter, new_id, wait
        announcer = announcer or Silence()
        self._lister = Lister()
        self._days = DayReader(data, policy.backfill_days, clock, new_id, self._list_again)
        self._breaker = Breaker(data, clock, announcer)
        self._publisher = Publisher(data, clock, new_id, self._breaker, announcer)

    def __call__(self, task: Task, held: registry.Held) -> Again | Done:
        """Run one link once; the run ends, unless the lease or the link is lost or the worker drains.

        What may pass by itself (the database, the keys) leaves the run open: the next claim goes on with what is
        staged. Anything else that nobody foresaw ends it as ``failed``.
        """
        try:
            work = self._begin(task, held)
        except SealBroken:
            return self._damaged(task)
        except (LinkGone, DataKeyGone):
            return Done()
        except Busy:
            return Again(self._clock() + turns.WAIT * (1 + self._jitter()))
        return Done() if work is None else self._run(work)

    def _run(self, work: Work) -> Again | Done:
        try:
            outcome = self._in_turn(work)
        except (LinkGone, DataKeyGone):
            return Done()
        return Again(self._clock() if outcome is None else outcome.next_due)

    def _damaged(self, task: Task) -> Again:
        """A row of the link does not open any more: only operators can mend that, and no other link waits for it."""
        run_id = self._publisher.refuse(task, DAMAGED)
        link_id = task.subject_id
        self._breaker.alarm(DAMAGED, of=link_id, link_id=link_id, run_id=run_id)
        return Again(next_due(self._clock(), link_id, self._policy.interval))

    def _begin(self, task: Task, held: registry.Held) -> Work | None:
        """Open the link and its run; None where nothing is to be done."""
        with self._data.transaction() as session:
            jobs_store.fence(session, task)
            now = self._clock()
            work = open_work(session, self._keyring, task, held, now=now, new_id=self._new_id)
            if work is not None:
                self._days.plan(session, work, work.link.time_zone)
            return work

    def _in_turn(self, work: Work) -> Outcome | None:
        """The run, and its turn at the property given back."""
        try:
            return self._guarded(work)
        finally:
            self._give_back(work)

    def _give_back(self, work: Work) -> None:
        try:
            with self._data.transaction() as session:
                turns.release(session, work.property_ref, work.link.link_id)
        except SQLAlchemyError as error:
            log.warning("turn_not_given_back", link_id=work.link.link_id, error=type(error).__name__)

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
            if work.left and not work.wanted:
                calls.governor.check()  # while nothing may be read, nothing need be listed
            self._list(work, calls)
            if not self._days.read(work, calls):
                return None
        except (Parked, AnalyticsError, OauthError) as stopped:
            error = stopped
        return self._end(work, calls, error)

    def _end(self, work: Work, calls: Calls, error: Exception | None) -> Outcome:
        link_id, now = work.link.link_id, self._clock()
        regular = next_turn(now, link_id, self._policy.interval, work.link.time_zone)
        outcome = settle(error, len(work.done), now, regular)
        self._publisher.publish(work, calls, outcome)
        if outcome.broken is not None:
            self._breaker.look(outcome.broken)
        if outcome.alarm:
            self._breaker.alarm(outcome.error or "", link_id=link_id, run_id=work.run_id)
        log.info("sync_ended", link_id=link_id, run_id=work.run_id, status=outcome.status.value)
        return outcome

    def _calls(self, work: Work) -> Calls:
        grant_id = work.link.grant_id

        def token(refused: str | None) -> str:
            self._check(work)  # after a pause or a removal Google is not called again
            return self._tokens.access_token(grant_id, refused=refused)

        def pause(seconds: float) -> None:
            self._wait(work.held.stopping, seconds)

        return Calls(self._google, Rim(token, pause, self._jitter, self._clock), self._governor(work))

    def _governor(self, work: Work) -> Governor:
        link_id = work.link.link_id
        with self._data.reading() as session:
            memory = recall(shared_store.property_quota(session, link_id), self._clock())

        def save(memory: dict[str, object]) -> None:
            with self._data.transaction() as session:
                shared_store.keep_quota(session, link_id, memory)

        limits = limits_for(work.link.service_level)
        return Governor(
            memory, limits, self._policy.quota_share, clock=self._clock, jitter=self._jitter, save=save
        )

    def _check(self, work: Work) -> None:
        if work.held.lost.is_set():
            raise LostLease("the lease of this run was lost")
        with self._data.reading() as session:
            store.require_live(session, work.link.link_id, work.link.customer_id, work.link.epoch)
        now = self._clock()
        if work.turn_until is not None and now >= work.turn_until:
            work.turn_until = self._turn_kept(work, now)

    def _turn_kept(self, work: Work, now: datetime) -> datetime:
        try:
            with self._data.transaction() as session:
                return turns.take(session, work.property_ref, work.link.link_id, now)
        except Busy as error:
            raise LostLease("this run stood still so long that another one reads the property") from error

    def _list(self, work: Work, calls: Calls) -> None:
        work.listing = self._listing(work, calls)
        if work.listing.at is not None:
            with self._data.transaction() as session:
                jobs_store.fence(session, work.task)
                self._days.plan(session, work, work.listing.time_zone)

    def _listing(self, work: Work, calls: Calls) -> Listing:
        """What Google lists, where that is due and paid for; else what is held."""
        now = self._clock()
        if not (work.wanted or self._is_due(work, now)):
            return held_listing(work)
        facts = work.wanted or facts_due(work.checked_at, now, work.link.link_id)
        try:
            return self._lister.list(work, calls, now, facts=facts)
        except Parked as parked:
            if work.checked_at is None or parked.kind not in _ADMIN:
                raise
            log.warning("listing_put_off", link_id=work.link.link_id, quota=parked.kind.value)
            return held_listing(work)

    def _list_again(self, work: Work, calls: Calls) -> Listing:
        """The audiences once more, in the midst of a run."""
        assert work.listing is not None
        listed = self._lister.list(work, calls, self._clock(), facts=False)
        return replace(work.listing, at=listed.at, segments=listed.segments)

    def _is_due(self, work: Work, now: datetime) -> bool:
        if work.checked_at is None:
            return True
        return listing_due(work.checked_at, now, self._budget.interval()) and self._budget.carries_turns()
