"""What a report request may say: names, limits, dates. Pure.

Source: https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/properties/runReport
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ga_sync.sandbox.filters import fields_of
from ga_sync.sandbox.proto import Message
from ga_sync.sandbox.world import EVENT_PREFIX, USER_PREFIX, Property

AUDIENCE_FIELDS = ("audienceResourceName", "audienceName", "audienceId")
TIME_FIELDS = ("date", "dateHour", "hour")
METRICS = ("eventCount", "sessions", "activeUsers", "totalUsers")
MAX_RANGES, MAX_DIMENSIONS, MAX_METRICS = 4, 9, 10
SCHEMA = "https://developers.google.com/analytics/devguides/reporting/data/v1/api-schema"


class BadRequestError(ValueError):
    """A request that Google refuses with INVALID_ARGUMENT; the sentence is the message."""


@dataclass(frozen=True, slots=True)
class Span:
    """One date range of a request: its name and its local days, both ends included."""

    name: str
    days: tuple[date, ...]


def _day(text: str, today: date) -> date:
    if text in ("today", "yesterday"):
        return today - timedelta(days=text == "yesterday")
    if match := re.fullmatch(r"(\d{1,5})daysAgo", text):
        return today - timedelta(days=int(match[1]))
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a local day has no zone
    except ValueError as error:
        raise BadRequestError(
            f"Invalid date: {text!r}. Dates are YYYY-MM-DD, NdaysAgo, yesterday, or today."
        ) from error


def spans(request: Message, today: date, first_day: date = date.min) -> tuple[Span, ...]:
    """Read the date ranges; each is named as asked, else `date_range_<n>`.

    Days before `first_day` and after today hold nothing and are left out.
    """
    if not request.date_ranges:
        raise BadRequestError("A dateRange is required.")
    if len(request.date_ranges) > MAX_RANGES:
        raise BadRequestError(f"Requests are limited to {MAX_RANGES} dateRanges.")
    found = []
    for place, asked in enumerate(request.date_ranges):
        first, last = _day(asked.start_date, today), _day(asked.end_date, today)
        if last < first:
            raise BadRequestError(f"The startDate {first} is after the endDate {last}.")
        start, end = max(first, first_day), min(last, today)
        days = tuple(start + timedelta(days=n) for n in range((end - start).days + 1))
        found.append(Span(asked.name or f"date_range_{place}", days))
    return tuple(found)


def valid_dimensions(prop: Property) -> set[str]:
    """Name every dimension that a report on this property may use."""
    custom = {one.api_name for one in prop.dimensions if not one.archived}
    plain = {name for name in prop.fields if not name.startswith((EVENT_PREFIX, USER_PREFIX))}
    return {*AUDIENCE_FIELDS, *TIME_FIELDS, *plain, *custom}


def _unknown(kind: str, name: str) -> BadRequestError:
    return BadRequestError(
        f"Field {name} is not a valid {kind}. For a list of valid dimensions and metrics, see {SCHEMA} "
    )


def check(request: Message, prop: Property) -> None:
    """Refuse what Google refuses: unknown names, too many of them, a bad limit or offset.

    Raises:
        BadRequestError: with Google's sentence.
    """
    if len(request.dimensions) > MAX_DIMENSIONS:
        raise BadRequestError(f"Requests are limited to {MAX_DIMENSIONS} dimensions.")
    if not 0 < len(request.metrics) <= MAX_METRICS:
        raise BadRequestError(f"Requests need at least one and are limited to {MAX_METRICS} metrics.")
    if request.limit < 0 or request.offset < 0:
        raise BadRequestError("The limit must be positive and the offset must not be negative.")
    names = [one.name for one in request.dimensions]
    asked = fields_of(request.dimension_filter)
    for name in (*names, *sorted(asked)):
        if name not in valid_dimensions(prop):
            raise _unknown("dimension", name)
    for name in (*(one.name for one in request.metrics), *sorted(fields_of(request.metric_filter))):
        if name not in METRICS:
            raise _unknown("metric", name)
    if len(set(names)) < len(names):
        raise BadRequestError("A dimension is named twice.")


def reads_audiences(request: Message) -> bool:
    """Whether the request names an audience dimension (potentially thresholded)."""
    asked = {one.name for one in request.dimensions} | fields_of(request.dimension_filter)
    return not asked.isdisjoint(AUDIENCE_FIELDS)
