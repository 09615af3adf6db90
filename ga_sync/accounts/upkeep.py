"""What happens once an hour: addresses expire, days leave retention, idle and dead grants are looked after."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from ga_sync.accounts import store
from ga_sync.accounts.purge import Purge
from ga_sync.sync import store as sync_store
from ga_sync.sync.window import local_day, oldest_kept
from jobs import store as jobs_store
from jobs.registry import Again, Done, Held, Task
from models.errors import ModelsError
from models.session import Store
from oauth.consent import Consents
from oauth.errors import OauthError
from oauth.tokens import Tokens

UPKEEP = "upkeep"
EVERY = timedelta(hours=1)
IDLE = timedelta(hours=20)
_EVERYBODY = "*"

log = structlog.get_logger()


class Upkeep:
    """The hourly job."""

    def __init__(
        self,
        data: Store,
        consents: Consents,
        tokens: Tokens,
        purge: Purge,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._data, self._consents, self._tokens, self._purge = data, consents, tokens, purge
        self._clock, self._new_id = clock, new_id

    def queue(self) -> None:
        """Want the job, now."""
        with self._data.transaction() as session:
            jobs_store.enqueue(session, UPKEEP, UPKEEP, _EVERYBODY, self._clock(), self._new_id)

    def job(self, _task: Task, held: Held) -> Again | Done:
        """The handler; each part can run twice."""
        self._consents.expire_pending(self._clock())
        self.expire_days()
        self._purge_overdue()
        self._keep_alive(held)
        return Again(self._clock() + EVERY)

    def expire_days(self) -> None:
        """Delete the days that left retention."""
        now = self._clock()
        with self._data.reading() as session:
            links = store.retentions(session)
        for link_id, time_zone, retention_days in links:
            oldest = oldest_kept(local_day(now, time_zone), retention_days)
            with self._data.transaction() as session:
                store.lock_link(session, link_id)  # first, as the end of a run does
                if sync_store.expire_days(session, link_id, oldest):
                    store.next_generation(session, link_id)

    def _purge_overdue(self) -> None:
        """Grants that were dead or without links for too long are destroyed as if revoked."""
        with self._data.reading() as session:
            overdue = store.overdue_grants(session, self._clock())
        for grant_id, customer_id in overdue:
            self._purge.grant(grant_id, customer_id, "system")

    def _keep_alive(self, held: Held) -> None:
        """One refresh a day notices a revocation at Google and keeps idle tokens alive."""
        with self._data.reading() as session:
            idle = store.idle_grants(session, self._clock() - IDLE)
        for grant_id in idle:
            if held.stopping.is_set() or held.lost.is_set():
                return
            try:
                self._tokens.keep_alive(grant_id)
            except (OauthError, ModelsError) as error:  # of this grant alone
                log.warning("grant_refresh_failed", grant_id=grant_id, error=type(error).__name__)
