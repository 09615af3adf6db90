"""Which days a link wants, and which of them the next run reads (pure)."""

from collections.abc import Container, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SEALS_AFTER = timedelta(days=4)
HEALS_AFTER = timedelta(days=14)


def local_day(now: datetime, time_zone: str) -> date:
    """The property's own date at ``now``."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def seals_at(day: date, time_zone: str) -> datetime:
    """D+4 00:00 in the property's zone: a good reading begun from here on seals the day (Google's late events end)."""
    return _midnight(day + SEALS_AFTER, time_zone)


def heals_at(day: date, time_zone: str) -> datetime:
    """D+14 00:00 in the property's zone: from here on a sealed day is read once more, for Google mends days late."""
    return _midnight(day + HEALS_AFTER, time_zone)


def heals(day: date, began_at: datetime, now: datetime, time_zone: str) -> bool:
    """Whether a sealed day whose reading began at ``began_at`` is due for that."""
    return began_at < heals_at(day, time_zone) <= now


def _midnight(day: date, time_zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)


def same_days(one: str, other: str, now: datetime) -> bool:
    """Whether two time zones cut the last year into the same days: two names of one zone do."""
    if one == other:
        return True
    zones = ZoneInfo(one), ZoneInfo(other)
    moments = [now - timedelta(weeks=weeks) for weeks in range(53)]
    return all(len({moment.astimezone(zone).utcoffset() for zone in zones}) == 1 for moment in moments)


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


def to_read(
    days: list[date], states: Mapping[date, str], backfill_days: int, healing: Container[date] = ()
) -> list[date]:
    """The days the next run reads: first those of which nothing is held, newest first, then the others likewise.

    Inside the window (the newest ``backfill_days`` of ``days``): every day that is not sealed, and last of all those
    that are sealed and due for their one reading more (``healing``). Older ones: only those an outage left behind,
    that is missing, or last read while still young. What is missing comes first, so that a backfill that has to be
    spread over hours gets on although the young days are read again each time.
    """
    open_days = [day for day in days[:backfill_days] if states.get(day) != "complete"]
    left_behind = [
        day for day in days[backfill_days:] if states.get(day, "missing") in {"missing", "provisional"}
    ]
    unsealed = sorted(open_days + left_behind, key=lambda day: states.get(day, "missing") != "missing")
    return unsealed + [
        day for day in days[:backfill_days] if states.get(day) == "complete" and day in healing
    ]
