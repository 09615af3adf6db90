"""The sandbox's clock: a given clock plus an offset that a test may move."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time; it runs as the clock under it runs, shifted by `offset`."""

    def __init__(self, base: Callable[[], datetime]) -> None:
        self._base = base
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Tell the time in UTC."""
        return (self._base() + self.offset).astimezone(UTC)

    def set(self, now: datetime) -> None:
        """Make it `now`; the clock runs on from there."""
        self.offset = now - self._base()

    def advance(self, by: timedelta) -> None:
        """Move the clock on."""
        self.offset += by
