"""Which days a link wants, and which of them the next run reads (pure)."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SEALS_AFTER = timedelta(days=4)


def local_day(now: datetime, time_zone: str) -> date:
    """The property's own date at ``now``."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def seals_at(day: date, time_zone: str) -> datetime:
    """D+4 00:00 in the property's zone: a good reading begun from here on seals the day (Google's late events end)."""
    midnight = datetime.combine(day + SEALS_AFTER, time(), ZoneInfo(time_zone))
    return midnight.astimezone(UTC)


def first_day(created: date, backfill_days: int) -> date:
    """The oldest day a new link wants."""
    return created - timedelta(days=backfill_days - 1)


def wanted(today: date, first: date, retention_days: int) -> list[date]:
    """Every day that should be held, newest first."""
    oldest = max(first, oldest_kept(today, retention_days))
    return [today - timedelta(days=back) for back in range((today - oldest).days + 1)]


def oldest_kept(today: date, retention_days: int) -> date:
    """The oldest day inside retention."""
    return today - timedelta(days=retention_days - 1)


def to_read(days: list[date], states: Mapping[date, str], backfill_days: int) -> list[date]:
    """The days the next run reads, newest first.

    Inside the window (the newest ``backfill_days`` of ``days``): every day that is not sealed. Older ones: only those
    an outage left behind, that is missing, or last read while still young.
    """
    open_days = [day for day in days[:backfill_days] if states.get(day) != "complete"]
    left_behind = [
        day for day in days[backfill_days:] if states.get(day, "missing") in {"missing", "provisional"}
    ]
    return open_days + left_behind
