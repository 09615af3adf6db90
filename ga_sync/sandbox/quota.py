"""Quota accounting of the Data API, per property, refilled by the sandbox's clock.

Hourly windows are clock hours; the day turns at midnight Pacific. While one kind is exhausted, every request to the
property fails. Source: https://developers.google.com/analytics/devguides/reporting/data/v1/quotas
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from ga_sync.sandbox.proto import Message
from ga_sync.sandbox.refusal import exhausted

PACIFIC = ZoneInfo("America/Los_Angeles")
LEARN = "To learn more, see https://developers.google.com/analytics/devguides/reporting/data/v1/quotas"
CONCURRENT = "concurrent_requests"
STANDARD: Mapping[str, int] = {
    "tokens_per_day": 200_000,
    "tokens_per_hour": 40_000,
    CONCURRENT: 10,
    "server_errors_per_project_per_hour": 10,
    "potentially_thresholded_requests_per_hour": 120,
    "tokens_per_project_per_hour": 14_000,
}
PREMIUM: Mapping[str, int] = {
    "tokens_per_day": 2_000_000,
    "tokens_per_hour": 400_000,
    CONCURRENT: 50,
    "server_errors_per_project_per_hour": 50,
    "potentially_thresholded_requests_per_hour": 120,
    "tokens_per_project_per_hour": 140_000,
}
MESSAGES: Mapping[str, str] = {
    "tokens_per_day": "Exhausted property tokens per day. These quota tokens will return in under 24 hours. "
    + LEARN,
    "tokens_per_hour": "Exhausted property tokens per hour. These quota tokens will return in under an hour. "
    + LEARN,
    "tokens_per_project_per_hour": "Exhausted property tokens for a project per hour. These quota tokens will return "
    "in under an hour. " + LEARN,
    CONCURRENT: "Exhausted concurrent requests quota. " + LEARN,
    "server_errors_per_project_per_hour": "Exhausted server errors quota. " + LEARN,
    "potentially_thresholded_requests_per_hour": "Exhausted potentially thresholded requests quota. This quota will "
    "refresh in under an hour. " + LEARN,
}
TOKENS = ("tokens_per_day", "tokens_per_hour", "tokens_per_project_per_hour")
THRESHOLDED = "potentially_thresholded_requests_per_hour"
ERRORS = "server_errors_per_project_per_hour"
ADMIN_DAILY = 50_000


def window(kind: str, now: datetime) -> str:
    """Name the window of a quota that an instant falls into."""
    if kind == "tokens_per_day":
        return now.astimezone(PACIFIC).date().isoformat()
    return now.strftime("%Y-%m-%dT%H")


def cost(days: int, rows: int) -> int:
    """Price a report in tokens: 1 for a small day, 10 for a full page of 250,000 rows, more for long ranges."""
    return 1 + rows // 28_000 + days // 7


@dataclass
class Ledger:
    """What one property has used. `active` is the number of requests under way."""

    limits: Mapping[str, int]
    used: dict[str, tuple[str, int]] = field(default_factory=dict)
    active: int = 0
    peak: int = 0

    def _used(self, kind: str, now: datetime) -> int:
        name, amount = self.used.get(kind, ("", 0))
        return amount if name == window(kind, now) else 0

    def remaining(self, kind: str, now: datetime) -> int:
        """Say what is left of a quota, never below 0."""
        taken = self.active if kind == CONCURRENT else self._used(kind, now)
        return max(0, self.limits[kind] - taken)

    def spend(self, kind: str, amount: int, now: datetime) -> None:
        """Use some of a quota in its present window."""
        self.used[kind] = (window(kind, now), self._used(kind, now) + amount)

    def leave(self, kind: str, amount: int, now: datetime) -> None:
        """Set what is left of a quota until its window ends; raises `KeyError` for an unknown kind."""
        self.used[kind] = (window(kind, now), self.limits[kind] - amount)

    def enter(self, now: datetime, *, thresholded: bool) -> None:
        """Begin a request.

        Raises:
            Refusal: RESOURCE_EXHAUSTED, with the sentence of the first exhausted kind. Nothing was begun.
        """
        for kind, message in MESSAGES.items():
            if self.remaining(kind, now) <= 0:
                raise exhausted(message)
        self.active += 1
        self.peak = max(self.peak, self.active)
        if thresholded:
            self.spend(THRESHOLDED, 1, now)

    def done(self) -> None:
        """End a request."""
        self.active -= 1

    def pay(self, tokens: int, now: datetime) -> None:
        """Charge a report's tokens to all three token quotas."""
        for kind in TOKENS:
            self.spend(kind, tokens, now)

    def report(self, quota: Message, tokens: int, now: datetime, *, thresholded: bool) -> None:
        """Write `PropertyQuota`: what this request consumed and what remains."""
        for kind in self.limits:
            status = getattr(quota, kind)
            status.remaining = self.remaining(kind, now)
            status.consumed = tokens if kind in TOKENS else int(thresholded and kind == THRESHOLDED)


@dataclass
class Quotas:
    """The ledgers of all properties, and the count of Admin calls of the day."""

    ledgers: dict[int, Ledger] = field(default_factory=dict)
    admin: tuple[str, int] = ("", 0)

    def of(self, number: int, *, premium: bool) -> Ledger:
        """Find or open a property's ledger."""
        if number not in self.ledgers:
            self.ledgers[number] = Ledger(PREMIUM if premium else STANDARD)
        return self.ledgers[number]

    def admin_call(self, now: datetime) -> None:
        """Count one Admin API call of the Cloud project.

        Raises:
            Refusal: RESOURCE_EXHAUSTED beyond 50,000 a Pacific day.
        """
        day = window("tokens_per_day", now)
        used = self.admin[1] if self.admin[0] == day else 0
        if used >= ADMIN_DAILY:
            raise exhausted("Quota exceeded for quota metric 'Requests' and limit 'Requests per day'.")
        self.admin = (day, used + 1)
