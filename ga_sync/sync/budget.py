"""The Admin API's calls of one Pacific day, counted for all processes together."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from ga_sync.analytics.errors import QuotaExhausted
from ga_sync.analytics.quota import QUOTA_ZONE, Kind
from ga_sync.sync import shared_store
from ga_sync.sync.due import for_turns, listing_interval, paced
from models.session import Store

ADMIN = "admin"
REPORT = "run_report"
_COUNTED_ANEW = timedelta(minutes=10)


def pacific_day(now: datetime) -> date:
    """The day by which Google counts."""
    return now.astimezone(QUOTA_ZONE).date()


class AdminBudget:
    """What is left to ask of the Admin API today."""

    def __init__(self, data: Store, limit: int, clock: Callable[[], datetime]) -> None:
        """``limit`` is how many calls a day all processes of ``data`` make together."""
        self._data, self._limit, self._clock = data, limit, clock
        self._links = 0
        self._counted_at: datetime | None = None

    def count(self, method: str) -> None:
        """Count a call that is about to be made; reports are another quota's.

        Raises:
            QuotaExhausted: the budget of the day is spent; the call must not be made.
        """
        if method == REPORT:
            return
        with self._data.transaction() as session:
            counted = shared_store.spend(session, ADMIN, pacific_day(self._clock()), self._limit)
        if not counted:
            raise QuotaExhausted("our own budget of the day is spent", method, Kind.ADMIN_PER_DAY)

    def spent(self) -> int:
        """Calls made today."""
        with self._data.reading() as session:
            return shared_store.spent(session, ADMIN, pacific_day(self._clock()))

    def carries_turns(self) -> bool:
        """Whether links may be listed now without a person's asking: their part of the day is spent as it passes."""
        return self.spent() < paced(for_turns(self._limit), self._clock())

    def interval(self) -> timedelta:
        """How often each link's audiences may be read; links are counted every ten minutes."""
        now = self._clock()
        if self._counted_at is None or not timedelta(0) <= now - self._counted_at < _COUNTED_ANEW:
            with self._data.reading() as session:
                self._links, self._counted_at = shared_store.links_at_work(session), now
        return listing_interval(self._links, for_turns(self._limit))
