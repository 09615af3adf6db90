"""When a link's turn comes, and when its audiences and its property's facts are read (pure).

All Admin API calls of the Cloud project share one quota a Pacific day, the scarcest thing there is
(https://developers.google.com/analytics/devguides/config/admin/v1/quotas): so they are made when due, hourly while
the day's budget carries that for every link, else spread evenly over the links.
"""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ga_sync.analytics.quota import QUOTA_ZONE
from jobs.schedule import next_due, spread

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REFRESHED = timedelta(hours=5)
"""By then of a property's day Google has gone through the day before."""
RESERVE = 10
"""One call in so many of the budget is kept for people: linking, and their own "sync now"."""
BURST = 5
"""So many calls may come at once, whatever the hour."""
_SLACK = 10
_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)


def next_turn(now: datetime, link_id: str, interval: timedelta, time_zone: str) -> datetime:
    """When the link's turn comes again, its last one having begun at ``now``.

    Turns that are a day or more apart lie behind Google's nightly refresh: between 05:00 and midnight in the property's
    zone, each link at its own moment.
    """
    if interval < DAY:
        return next_due(now, link_id, interval)
    zone, moment = ZoneInfo(time_zone), REFRESHED + spread(link_id, DAY - REFRESHED)
    day = (now + interval).astimezone(zone).date()
    midnights = [datetime.combine(day + DAY * later, time(), zone) for later in range(2)]
    turns = [midnight.astimezone(UTC) + moment for midnight in midnights]
    return turns[0] if turns[0] - now >= interval / 2 else turns[1]


def for_turns(budget: int) -> int:
    """How much of a day's budget the links' own turns may spend."""
    return budget - budget // RESERVE


def paced(budget: int, now: datetime) -> int:
    """How much of a day's ``budget`` the links' turns may have spent by ``now``: as much as of the Pacific day is over.

    Without it a fleet that is due all at once, after an outage or at the day's turn, would ask more in a minute than
    Google allows (1,200, and ten a second from one address).
    """
    midnight = datetime.combine(now.astimezone(QUOTA_ZONE).date(), time(), QUOTA_ZONE)
    tomorrow = datetime.combine(midnight.date() + DAY, time(), QUOTA_ZONE)
    begun, ends = midnight.astimezone(UTC), tomorrow.astimezone(UTC)  # days of 23 and 25 hours too
    return min(budget, int(budget * ((now - begun) / (ends - begun))) + BURST)


def listing_interval(links: int, budget: int) -> timedelta:
    """How often the audiences of each link are read.

    A listing costs one call, the property's facts another one, once a day or, where listings are rarer, with each.

    Args:
        links: how many links share the budget.
        budget: calls a day that their turns may spend.
    """
    share = budget / max(links, 1)
    evenly = DAY / (share - 1) if share >= 2 else DAY * 2 / max(share, 1e-9)  # noqa: PLR2004 -- the two calls
    return max(HOUR, evenly)


def listing_due(checked_at: datetime | None, now: datetime, interval: timedelta) -> bool:
    """Whether a turn that begins at ``now`` reads the audiences; one that is a little early counts as the one due."""
    return checked_at is None or now - checked_at >= interval - interval / _SLACK


def facts_due(checked_at: datetime | None, now: datetime, link_id: str) -> bool:
    """Whether a listing also reads the property's facts: at a link's first, and once a day at the link's own time.

    A change of time zone shows in every report; only the name and the service level wait for this.
    """
    if checked_at is None:
        return True
    first = _ORIGIN + spread(link_id, DAY)
    return (checked_at - first) // DAY != (now - first) // DAY
