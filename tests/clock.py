"""A clock that tests set: callable like the one of the composition root, and moved only by the test."""

from datetime import UTC, datetime, timedelta
from threading import Lock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class SettableClock:
    """Answers the moment it was set to, as an aware UTC datetime, to any number of threads.

    It stands in wherever the code takes a `Callable[[], datetime]`. It never moves by itself, so two
    readings without `advance` or `set` between them are equal.
    """

    def __init__(self, now: datetime = NOON) -> None:
        """Start at `now`; raises ValueError if it has no time zone."""
        self._lock = Lock()
        self._now = _in_utc(now)

    def __call__(self) -> datetime:
        """The moment it stands at, in UTC."""
        with self._lock:
            return self._now

    def advance(self, by: timedelta) -> None:
        """Move by a duration; a negative one is a clock that was put back."""
        with self._lock:
            self._now += by

    def set(self, to: datetime) -> None:
        """Move to a moment in any time zone; raises ValueError if it has none."""
        moment = _in_utc(to)
        with self._lock:
            self._now = moment


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: give it one, such as datetime.UTC")
    return moment.astimezone(UTC)
