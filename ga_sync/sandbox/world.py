"""The data of the sandbox: who may read which property, and what happened on it, row by row.

A `Row` is what one user did in one session within one local day. A day of a property is a pure function of the
day (`Property.source`) plus rows added by hand, so new days exist as soon as somebody looks at them.
"""

import bisect
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

EVENT_PREFIX = "customEvent:"
USER_PREFIX = "customUser:"
JUNK_IDS = frozenset({"", "(not set)", "(other)", "(data not available)"})


@dataclass(frozen=True, slots=True)
class Row:
    """Events that share every value: one user, one session, one local day, one hour.

    `values` follows `Property.fields`; `None` means that the events carried no such value. `visible_at` is when
    Google begins to report the row (late events up to 72 hours). `sessions` is 0 where the session began on an
    earlier day. `events` is the event count.
    """

    at: datetime
    visible_at: datetime
    user: str
    values: tuple[str | None, ...]
    events: int = 1
    sessions: int = 1


@dataclass(slots=True)
class Audience:
    """An audience; `clauses` are raw `AudienceFilterClause` messages, none for the two that Google makes."""

    audience_id: int
    display_name: str
    create_time: datetime
    clauses: tuple[Any, ...] = ()
    description: str = ""
    membership_days: int = 540
    exclusion_mode: int = 0
    archived_at: datetime | None = None

    @property
    def built_in(self) -> bool:
        """Whether Google made it: it selects by no clauses."""
        return not self.clauses


@dataclass(slots=True)
class CustomDimension:
    """A registered parameter; scope is `EVENT` or `USER`."""

    dimension_id: int
    parameter_name: str
    display_name: str
    scope: str = "EVENT"
    archived: bool = False

    @property
    def api_name(self) -> str:
        """How a report names it: `customEvent:parameter` or `customUser:parameter`."""
        return (EVENT_PREFIX if self.scope == "EVENT" else USER_PREFIX) + self.parameter_name


@dataclass(frozen=True)
class DayRows:
    """The rows of one local day, in the order in which they become visible."""

    rows: tuple[Row, ...]

    @cached_property
    def _times(self) -> list[datetime]:
        return [row.visible_at for row in self.rows]

    def count_at(self, now: datetime) -> int:
        """Say how many of the rows can be seen at `now`."""
        return bisect.bisect_right(self._times, now)


def in_order(rows: Iterable[Row]) -> DayRows:
    """Put the rows of a day into the order in which they become visible."""
    return DayRows(tuple(sorted(rows, key=lambda row: row.visible_at)))


def no_rows(_: date) -> Iterable[Row]:
    """Be the source of a property that has only rows added by hand."""
    return ()


@dataclass
class Property:
    """One GA4 property. `version` rises whenever rows or audiences change, so that nothing stale is served."""

    number: int
    display_name: str
    account: int
    time_zone: str
    create_time: datetime
    fields: tuple[str, ...]
    first_day: date
    recording_parameter: str
    currency_code: str = "EUR"
    premium: bool = False
    source: Callable[[date], Iterable[Row]] = no_rows
    audiences: list[Audience] = field(default_factory=list)
    dimensions: list[CustomDimension] = field(default_factory=list)
    added: dict[date, list[Row]] = field(default_factory=dict)
    version: int = 0
    _days: dict[date, DayRows] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The resource name, `properties/N`."""
        return f"properties/{self.number}"

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Where a field's value stands in `Row.values`."""
        return {name: place for place, name in enumerate(self.fields)}

    @property
    def zone(self) -> ZoneInfo:
        """The property's time zone."""
        return ZoneInfo(self.time_zone)

    def today(self, now: datetime) -> date:
        """Give the local day of an instant."""
        return now.astimezone(self.zone).date()

    def day(self, day: date) -> DayRows:
        """Give all rows a local day will ever have; an empty one before `first_day`."""
        held = self._days.get(day)
        if held is None:
            made = self.source(day) if day >= self.first_day else ()
            held = self._days[day] = in_order((*made, *self.added.get(day, ())))
        return held

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows by hand, each to the local day of its time."""
        for row in rows:
            day = self.today(row.at)
            self.added.setdefault(day, []).append(row)
            self._days.pop(day, None)
            self.first_day = min(self.first_day, day)
        self.version += 1

    def audience(self, audience_id: int) -> Audience | None:
        """Find an audience, archived ones too."""
        return next((one for one in self.audiences if one.audience_id == audience_id), None)

    def audience_name(self, audience: Audience) -> str:
        """Give the resource name, `properties/N/audiences/M`."""
        return f"{self.name}/audiences/{audience.audience_id}"


@dataclass(frozen=True, slots=True)
class GoogleUser:
    """Somebody who can consent: an address and the numbers of the properties they may read."""

    email: str
    properties: frozenset[int]


@dataclass
class World:
    """Everything the sandbox knows. `lock` guards every read and change; hold it while a report is made."""

    seed: int
    accounts: dict[int, str]
    properties: dict[int, Property]
    users: dict[str, GoogleUser]
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def find(self, name: str) -> Property | None:
        """Find a property by number or resource name."""
        number = name.removeprefix("properties/")
        return self.properties.get(int(number)) if number.isascii() and number.isdigit() else None


def default_audiences(number: int, create_time: datetime) -> list[Audience]:
    """Make the two audiences that Google gives every property, born with it and without clauses."""
    first = number * 10
    return [
        Audience(first, "All Users", create_time, description="All users"),
        Audience(
            first + 1,
            "Purchasers",
            create_time,
            description="Users who have purchased in the last 540 days",
        ),
    ]


def utc(moment: datetime) -> datetime:
    """Express an aware moment in UTC."""
    return moment.astimezone(UTC)
