"""A property's quotas between runs: remembered with the link as Google last told them (pure)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ga_sync.analytics.quota import QUOTA_ZONE, Kind, QuotaState, QuotaStatus

Remembered = Mapping[str, Any]
_DAILY = {Kind.TOKENS_PER_DAY}
_MOMENTARY = {Kind.CONCURRENT_REQUESTS}


def remember(state: QuotaState | None, at: datetime, before: Remembered | None) -> dict[str, Any] | None:
    """What to keep of the newest answer; without one, what was kept before."""
    if state is None:
        return dict(before) if before else None
    kinds = {
        kind.value: {"consumed": status.consumed, "remaining": status.remaining}
        for kind, status in state.kinds.items()
    }
    return {"at": at.isoformat(), "kinds": kinds}


def recall(kept: Remembered | None, now: datetime) -> QuotaState | None:
    """What still holds of it: hourly quotas for an hour, daily ones until the day turns at midnight Pacific."""
    if kept is None:
        return None
    at = datetime.fromisoformat(kept["at"])
    kinds = {
        Kind(name): QuotaStatus(status["consumed"], status["remaining"])
        for name, status in kept["kinds"].items()
        if _still_holds(Kind(name), at, now)
    }
    return QuotaState(kinds)


def _still_holds(kind: Kind, at: datetime, now: datetime) -> bool:
    if kind in _MOMENTARY:
        return False
    if kind in _DAILY:
        return at.astimezone(QUOTA_ZONE).date() == now.astimezone(QUOTA_ZONE).date()
    return now - at < timedelta(hours=1)
