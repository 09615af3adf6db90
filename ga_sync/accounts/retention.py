"""Days leave retention, and what must be forgotten leaves the days: link by link, each in one transaction."""

from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy.orm import Session

from ga_sync.accounts import store
from ga_sync.index.store import AskedLink
from ga_sync.sync import change_store, forgets
from ga_sync.sync.changelog import KEPT, Changelog, expire_days
from ga_sync.sync.heads import Heading
from ga_sync.sync.links import sealer_of
from ga_sync.sync.window import local_day, oldest_kept
from models.errors import DataKeyGone
from models.keyring import Keyring
from models.link import Link, LinkStatus
from models.session import Store


def oldest_day(link: Link | AskedLink, now: datetime) -> date:
    """The oldest day that a link keeps at this moment."""
    return oldest_kept(local_day(now, link.time_zone), link.retention_days)


class Retention:
    """Keeps what is held to what may be held."""

    def __init__(
        self, data: Store, keyring: Keyring, *, clock: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        self._data, self._keyring = data, keyring
        self._clock, self._new_id = clock, new_id

    def apply(self) -> None:
        """Every link: days that left retention go, and forgets are applied that a crash or a restored backup missed."""
        now, counts = self._clock(), self._keyring.forgets.counts()
        with self._data.reading() as session:
            links = store.live_links(session)
            due = [
                link
                for link in links
                if link.forgotten < counts.get(link.link_id, 0)
                or store.has_day_before(session, link.link_id, oldest_day(link, now))
            ]
        for link in due:
            self.apply_to(link.link_id, link.customer_id)
        with self._data.transaction() as session:
            change_store.prune_all(session, now - KEPT)

    def apply_to(self, link_id: str, customer_id: str) -> None:
        """The same of one link; nothing happens to a removed one."""
        with self._data.transaction() as session:
            link = store.any_link(session, link_id, customer_id, lock=True)
            if link is not None and link.status != LinkStatus.REMOVED:
                self.apply_within(session, link)

    def apply_within(self, session: Session, link: Link) -> None:
        """The same in the caller's transaction, which has locked the link."""
        try:
            sealer = sealer_of(self._keyring, link.link_id)
        except DataKeyGone:  # it is being removed
            return
        heading = Heading(session, link, sealer)
        now, changelog = self._clock(), Changelog(session, link, sealer)
        expired = expire_days(session, link, oldest_day(link, now), changelog)
        forgotten = self._keyring.forgets.of(link.link_id)
        if link.forgotten != len(forgotten):
            forgets.apply(session, link, sealer, forgotten, changelog, self._new_id)
        if expired or changelog.touched:
            changelog.write(now)
        heading.write()
