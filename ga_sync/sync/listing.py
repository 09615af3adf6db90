"""Asking Google what a property is and which segments its owner has made."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from ga_sync.analytics.errors import MalformedAnswer
from ga_sync.analytics.listing import Property
from ga_sync.sync import segments
from ga_sync.sync.calls import Calls
from ga_sync.sync.window import local_day
from ga_sync.sync.work import Listing, Work

log = structlog.get_logger()


class Lister:
    """Lists properties; remembers when those were born whose audiences only that tells from built-in ones."""

    def __init__(self) -> None:
        self._born: dict[str, datetime | None] = {}

    def list(self, work: Work, calls: Calls, at: datetime, *, facts: bool) -> Listing:
        """The customer's own segments and, with ``facts``, the property's facts, else those that are held.

        Built-ins are gone before anything else sees them.

        Raises:
            Parked, AnalyticsError: as :meth:`Calls.call`; MalformedAnswer for a time zone that this system does not
                know.
        """
        name, link = work.link.property, work.link
        found = self._facts(work, calls) if facts else None
        listed = calls.call(lambda token: list(calls.google.audiences(token, name)))
        born = None
        if any(map(segments.needs_birth, listed)):
            born = self._birth(work, calls, found)
        own = segments.custom(listed, born)
        unusual = segments.without_clauses(work.known, own)
        if unusual:
            log.warning("audiences_without_clauses", link_id=link.link_id, count=unusual)
        zone = found.time_zone if found else link.time_zone
        return Listing(
            at=at,
            segments=segments.after_listing(work.known, own, at),
            time_zone=zone,
            display_name=found.display_name if found else link.display_name,
            service_level=found.service_level if found else link.service_level,
            changed_on=local_day(at, zone) if zone != link.time_zone else None,
        )

    def _facts(self, work: Work, calls: Calls) -> Property:
        name = work.link.property
        return calls.call(lambda token: known_zone(calls.google.property(token, name)))

    def _birth(self, work: Work, calls: Calls, found: Property | None) -> datetime | None:
        """A property's time of creation never changes."""
        link_id = work.link.link_id
        if found is not None:
            self._born[link_id] = found.create_time
        elif link_id not in self._born:
            self._born[link_id] = self._facts(work, calls).create_time
        return self._born[link_id]


def held_listing(work: Work) -> Listing:
    """What is held, where it is not yet time to ask again."""
    link = work.link
    return Listing(None, work.known, link.time_zone, link.display_name, link.service_level, None)


def moved(listing: Listing, time_zone: str, now: datetime) -> Listing:
    """The same in the zone that a report told."""
    return replace(listing, time_zone=time_zone, changed_on=local_day(now, time_zone))


def known_zone(facts: Property) -> Property:
    """The property itself.

    Raises:
        MalformedAnswer: its days cannot be told apart, for its time zone is none that this system knows.
    """
    try:
        ZoneInfo(facts.time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise MalformedAnswer("a time zone that is not known here", "get_property") from error
    return facts
