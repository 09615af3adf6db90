"""Many links that fail alike at once have one cause, and it is not their customers': one alarm, and none is broken.

A cause that Google names as ours (a disabled API, a refused client) never breaks a link; this is for those that look
like the customers' own doing, such as a refused permission, while a Cloud project is suspended.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from ga_sync.sync import shared_store
from ga_sync.sync.announce import Announcer
from jobs import store as jobs_store
from models.link import Link
from models.session import Store

WINDOW = timedelta(minutes=15)
OPEN = timedelta(minutes=30)
ALARM = timedelta(hours=1)
ALIKE = 5
"""Grants, of different Google accounts, that fail alike within the window; in large fleets one in a hundred links."""
_OWNER = "common cause"

log = structlog.get_logger()


def is_common(grants: int, links: int) -> bool:
    """Whether so many grants that fail alike, of a fleet of so many links, have a cause in common (pure)."""
    return grants >= max(ALIKE, links // 100)


class Breaker:
    """Open, for a reason, while links fail for it together."""

    def __init__(self, data: Store, clock: Callable[[], datetime], announcer: Announcer) -> None:
        self._data, self._clock, self._announcer = data, clock, announcer

    def is_open(self, session: Session, reason: str) -> bool:
        """Whether this reason is nobody's own at the moment."""
        return jobs_store.lease_owner(session, _name(reason), self._clock()) is not None

    def look(self, reason: str) -> None:
        """A link just failed for ``reason``: if many did, mend them all and raise one alarm."""
        now = self._clock()
        with self._data.transaction() as session:
            if self.is_open(session, reason):
                jobs_store.hold_lease(session, _name(reason), _OWNER, now, OPEN)
                return
            alike = shared_store.broken_lately(session, reason, now - WINDOW)
            if not is_common(len({grant_id for _, grant_id in alike}), shared_store.links_at_work(session)):
                return
            jobs_store.hold_lease(session, _name(reason), _OWNER, now, OPEN)
            self._mend(session, [link_id for link_id, _ in alike])
        log.error("common_cause", reason=reason, links=len(alike))

    def _mend(self, session: Session, link_ids: list[str]) -> None:
        shared_store.mend(session, link_ids)
        for link_id in link_ids:
            link = session.get(Link, link_id)
            assert link is not None, "it was found in this transaction"
            self._announcer.link_recovered(session, link)

    def alarm(self, cause: str, *, of: str = "", **where: str) -> None:
        """Call the operators, once an hour for one cause however many links have it, unless it is ``of`` one alone."""
        with self._data.transaction() as session:
            name = f"alarm:{cause}:{of}" if of else f"alarm:{cause}"
            first = jobs_store.hold_lease(session, name[:40], where["run_id"], self._clock(), ALARM)
        say = log.error if first else log.info
        say("sync_needs_operator" if first else "sync_needs_operator_still", error=cause, **where)


def _name(reason: str) -> str:
    return f"breaker:{reason}"[:40]
