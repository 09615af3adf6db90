"""Asking Google what a property is and which segments its owner has made."""

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


def list_property(work: Work, calls: Calls, at: datetime) -> Listing:
    """The property's facts and the customer's own segments; built-ins are gone before anything else sees them.

    Raises:
        Parked, AnalyticsError: as :meth:`Calls.call`; MalformedAnswer for a time zone that this system does not know.
    """
    name = work.link.property
    facts = calls.call(lambda token: known_zone(calls.google.property(token, name)))
    listed = calls.call(lambda token: list(calls.google.audiences(token, name)))
    own = segments.custom(listed, facts.create_time)
    unusual = segments.without_clauses(work.known, own)
    if unusual:
        log.warning("audiences_without_clauses", link_id=work.link.link_id, count=unusual)
    changed = facts.time_zone != work.link.time_zone
    return Listing(
        at=at,
        segments=segments.after_listing(work.known, own, at),
        time_zone=facts.time_zone,
        display_name=facts.display_name,
        service_level=facts.service_level,
        changed_on=local_day(at, facts.time_zone) if changed else None,
    )


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
