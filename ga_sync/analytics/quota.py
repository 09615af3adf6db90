"""What a property's quotas leave us, and when an exhausted one is worth asking again.

A property's quotas are shared with every other tool its owner uses, and an exhausted one stops them all; so we
are a guest and stop long before the wall. Source of kinds and limits:
https://developers.google.com/analytics/devguides/reporting/data/v1/quotas
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from zoneinfo import ZoneInfo

QUOTA_ZONE = ZoneInfo("America/Los_Angeles")
"""Google's quota days turn at midnight here."""
OWN_SHARE = 0.9
"""How much we use of the one property quota that nobody else can use: the tokens of our own Cloud project."""
MAX_RETRIES = 2
"""How often a call that Google failed is tried again: a property allows ten server errors an hour to all."""
SERVICE_LEVEL_360 = "GOOGLE_ANALYTICS_360"

_JUST_AFTER_MIDNIGHT = time(0, 5)
_DAILY_SPREAD = timedelta(minutes=5)
_HOUR = timedelta(minutes=60)
_CONCURRENT_WAIT = timedelta(seconds=30)
_CONCURRENT_SPREAD = timedelta(seconds=15)
_MINUTE = timedelta(seconds=60)
_FIRST_BACKOFF = timedelta(seconds=2)


class Kind(StrEnum):
    """The quotas that can be exhausted, longest wait first. ``ADMIN_*`` are our Cloud project's, not a property's."""

    TOKENS_PER_DAY = "tokens_per_day"
    ADMIN_PER_DAY = "admin_per_day"
    TOKENS_PER_HOUR = "tokens_per_hour"
    TOKENS_PER_PROJECT_PER_HOUR = "tokens_per_project_per_hour"
    THRESHOLDED = "thresholded"
    SERVER_ERRORS = "server_errors"
    UNKNOWN = "unknown"
    ADMIN_PER_MINUTE = "admin_per_minute"
    CONCURRENT_REQUESTS = "concurrent_requests"


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """One quota after one request: what that request used and what is left; None where Google did not say."""

    consumed: int | None
    remaining: int | None


@dataclass(frozen=True, slots=True)
class QuotaState:
    """A property's quotas as one answer reported them; a kind that the answer left out is absent."""

    kinds: Mapping[Kind, QuotaStatus] = field(default_factory=dict)

    def remaining(self, kind: Kind) -> int | None:
        """What is left of ``kind``, or None where Google did not say."""
        status = self.kinds.get(kind)
        return None if status is None else status.remaining

    def consumed(self, kind: Kind) -> int:
        """What the request used of ``kind``; 0 where Google did not say."""
        status = self.kinds.get(kind)
        return 0 if status is None else status.consumed or 0

    @property
    def tokens(self) -> int:
        """Tokens that the request cost."""
        return self.consumed(Kind.TOKENS_PER_DAY)


Limits = Mapping[Kind, int]

STANDARD: Limits = MappingProxyType(
    {
        Kind.TOKENS_PER_DAY: 200_000,
        Kind.TOKENS_PER_HOUR: 40_000,
        Kind.TOKENS_PER_PROJECT_PER_HOUR: 14_000,
        Kind.THRESHOLDED: 120,
        Kind.SERVER_ERRORS: 10,
        Kind.CONCURRENT_REQUESTS: 10,
    }
)
PREMIUM: Limits = MappingProxyType(
    {
        Kind.TOKENS_PER_DAY: 2_000_000,
        Kind.TOKENS_PER_HOUR: 400_000,
        Kind.TOKENS_PER_PROJECT_PER_HOUR: 140_000,
        Kind.THRESHOLDED: 120,
        Kind.SERVER_ERRORS: 50,
        Kind.CONCURRENT_REQUESTS: 50,
    }
)


def limits_for(service_level: str) -> Limits:
    """The limits of a property by its ``service_level``; anything but 360 is taken for a standard property."""
    return PREMIUM if service_level == SERVICE_LEVEL_360 else STANDARD


def headroom(state: QuotaState, limits: Limits, share: float) -> Kind | None:
    """The quota that forbids starting a request now, or None if there is room.

    Args:
        state: what the property's latest answer reported, within the quota's window.
        limits: of this property, see ``limits_for``.
        share: the part of every window that all users together may have spent before we stop, 0 to 1. Our own
            project's tokens are used up to ``OWN_SHARE`` whatever the share, for nobody else can use them.

    Returns:
        Of several the one that takes longest to refill. A quota that Google did not report forbids nothing.
    """
    return next((kind for kind in Kind if kind in limits and _is_low(kind, state, limits, share)), None)


def _is_low(kind: Kind, state: QuotaState, limits: Limits, share: float) -> bool:
    remaining = state.remaining(kind)
    used = OWN_SHARE if kind is Kind.TOKENS_PER_PROJECT_PER_HOUR else share
    return remaining is not None and remaining < round((1 - used) * limits[kind], 6)


def which(said: Kind, state: QuotaState | None) -> Kind:
    """The quota that a refusal is about: what the property's quotas show first, what the error's text says second.

    Args:
        said: the kind that the error names.
        state: the property's latest reported quotas, within their window, if any.

    Returns:
        ``said`` unless ``state`` shows another quota at zero and ``said`` not.
    """
    spent = [kind for kind in Kind if state is not None and state.remaining(kind) == 0]
    return said if said in spent or not spent else spent[0]


def retry_at(kind: Kind, now: datetime, jitter: float) -> datetime:
    """When a quota that is exhausted at ``now`` is worth asking again, in UTC.

    Args:
        kind: the exhausted quota. Daily ones wait for 00:05 in Los Angeles, when the day there has turned; hourly
            and unknown ones 60 minutes; requests at the same time 30 seconds.
        now: an aware time.
        jitter: 0 to 1; spreads those that would all wake at one moment (daily by 5 minutes, concurrent by 15 s).
    """
    if kind in {Kind.TOKENS_PER_DAY, Kind.ADMIN_PER_DAY}:
        return _next_turn(now) + jitter * _DAILY_SPREAD
    if kind is Kind.CONCURRENT_REQUESTS:
        return now.astimezone(UTC) + _CONCURRENT_WAIT + jitter * _CONCURRENT_SPREAD
    if kind is Kind.ADMIN_PER_MINUTE:
        return now.astimezone(UTC) + _MINUTE + jitter * _MINUTE
    return now.astimezone(UTC) + _HOUR


def _next_turn(now: datetime) -> datetime:
    """The first 00:05 in Los Angeles after ``now``: a local time of day, so a changed clock moves it in UTC."""
    local = now.astimezone(QUOTA_ZONE)
    today = datetime.combine(local.date(), _JUST_AFTER_MIDNIGHT, tzinfo=QUOTA_ZONE)
    if local < today:
        return today.astimezone(UTC)
    tomorrow = local.date() + timedelta(days=1)
    return datetime.combine(tomorrow, _JUST_AFTER_MIDNIGHT, tzinfo=QUOTA_ZONE).astimezone(UTC)


def backoff(failures: int, jitter: float) -> timedelta | None:
    """How long to wait after the ``failures``-th failure of Google in a row, or None: give up this run.

    Args:
        failures: 1 for the first. Waits 2 to 4 s, then 8 to 16 s; the third failure ends the run.
        jitter: 0 to 1.
    """
    if failures > MAX_RETRIES:
        return None
    growth: int = 4 ** (failures - 1)
    return _FIRST_BACKOFF * growth * (1 + jitter)
