"""The log of changes: what each generation changed about who is in which segment, sealed, kept for seven days.

Every transaction that changes what is served collects the days that go and the days that come, and at its end gives
birth to one generation with one row of the log.
"""

from contextlib import suppress
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from ga_sync.index.cipher import LOOKUP
from ga_sync.index.codec import DayData, decode, encode
from ga_sync.index.day import build_day
from ga_sync.index.errors import DamagedDay
from ga_sync.sync import change_store, stage, store
from ga_sync.sync.changes import differences, unless_held
from models.change import Change
from models.day import Reading
from models.errors import SealBroken
from models.keyring import Sealer
from models.link import Link

KEPT = timedelta(days=7)
FROM_NOTHING, UNKNOWN = -1, -2
"""Instead of a number of events: nothing was held before, so that the present state says it all; or what was held
before could not be read, so that nobody can tell what left."""
_SLACK = timedelta(hours=1)


def opened_account(change: Change, sealer: Sealer) -> DayData:
    """One row of the log, as :mod:`ga_sync.sync.changes` writes it.

    Raises:
        SealBroken: altered or moved.
        DamagedDay: it opens, but is no account.
    """
    return decode(sealer.open(change.place(), change.value), sealer.key(LOOKUP))


def expire_days(session: Session, link: Link, oldest_kept: date, changelog: "Changelog") -> bool:
    """Delete the days of a locked link that left retention; whether there were any."""
    for reading in store.published(session, link.link_id, link.customer_id):
        if reading.day < oldest_kept:
            changelog.goes(reading)
    return store.expire_days(session, link.link_id, oldest_kept)


class Changelog:
    """What one transaction changes on one link, which it has locked."""

    def __init__(self, session: Session, link: Link, sealer: Sealer) -> None:
        self._session, self._link, self._sealer = session, link, sealer
        self._gone: list[DayData] = []
        self._come: list[DayData] = []
        self._days: set[date] = set()
        self._readable = True

    @property
    def touched(self) -> bool:
        """Whether any day goes or comes."""
        return bool(self._days)

    def replaces(self, new: Reading, old: Reading | None) -> None:
        """A staged day is published, in the place of a held one or of none."""
        if old is not None:
            self.goes(old)
        self._days.add(new.day)
        with suppress(SealBroken, DamagedDay):  # it is not served either
            self._come.append(stage.unseal(new, self._sealer))

    def goes(self, reading: Reading) -> None:
        """A published day gives way."""
        self._days.add(reading.day)
        try:
            self._gone.append(stage.unseal(reading, self._sealer))
        except (SealBroken, DamagedDay):
            self._readable = False

    def comes(self, day: date, data: DayData) -> None:
        """A day is published."""
        self._days.add(day)
        self._come.append(data)

    def write(self, now: datetime) -> None:
        """Give birth to the next generation, with its account; forget accounts that are too old."""
        link = self._link
        link.generation, link.generated_at = link.generation + 1, now
        events, account = self._account()
        change = Change(
            link_id=link.link_id,
            generation=link.generation,
            customer_id=link.customer_id,
            as_of=now,
            events=events,
        )
        change.value = self._sealer.seal(change.place(), encode(account))
        self._session.add(change)
        change_store.prune(self._session, link.link_id, now - KEPT - _SLACK)

    def _account(self) -> tuple[int, DayData]:
        self._session.flush()
        key = self._sealer.key(LOOKUP)
        if not self._readable:
            return UNKNOWN, build_day({}, key)
        shown_before = any(day.recordings for day in self._gone)
        if not shown_before and not change_store.any_other_day(self._session, self._link.link_id, self._days):
            return FROM_NOTHING, build_day({}, key)
        account = self._unless_held(differences(self._gone, self._come, key), key)
        return account.memberships, account

    def _unless_held(self, account: DayData, key: bytes) -> DayData:
        """The account without what other days show, before and after."""
        if not account.memberships:
            return account
        for reading in change_store.other_days(self._session, self._link.link_id, self._days):
            with suppress(SealBroken, DamagedDay):  # it is not served either
                account = unless_held(account, stage.unseal(reading, self._sealer), key)
        return account
