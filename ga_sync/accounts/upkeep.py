"""What happens once an hour: addresses expire, days leave retention, idle and dead grants are looked after."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from ga_sync.accounts import store
from ga_sync.accounts.purge import Purge
from ga_sync.accounts.retention import Retention
from ga_sync.accounts.sessions import Sessions
from ga_sync.accounts.webhooks import Outbox
from jobs import store as jobs_store
from jobs.registry import Again, Done, Held, Task
from models import audit
from models.errors import ModelsError
from models.session import Store
from oauth.consent import Consents
from oauth.errors import OauthError
from oauth.tokens import Tokens

UPKEEP = "upkeep"
EVERY = timedelta(hours=1)
IDLE = timedelta(hours=20)
AUDIT_KEPT = timedelta(days=400)
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
        retention: Retention,
        sessions: Sessions,
        outbox: Outbox,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._data, self._consents, self._tokens, self._purge = data, consents, tokens, purge
        self._retention, self._sessions, self._outbox = retention, sessions, outbox
        self._clock, self._new_id = clock, new_id

    def queue(self) -> None:
        """Want the job, now."""
        with self._data.transaction() as session:
            jobs_store.enqueue(session, UPKEEP, UPKEEP, _EVERYBODY, self._clock(), self._new_id)

    def job(self, _task: Task, held: Held) -> Again | Done:
        """The handler; each part can run twice."""
        self._consents.expire_pending(self._clock())
        self._retention.apply()
        self._sessions.expire()
        self._purge_overdue()
        self._keep_alive(held)
        self._outbox.find_dead(self._data)
        with self._data.transaction() as session:
            audit.trim(session, self._clock() - AUDIT_KEPT)
        self._purge.clean()  # days that left retention, people, keys: a log of SQLite's still holds them
        return Again(self._clock() + EVERY)

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
