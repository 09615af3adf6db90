"""The answers of version 1 as they come, field by field. Members that a newer server adds are passed over."""

from datetime import date, datetime
from typing import Literal

import msgspec


class Completeness(msgspec.Struct, frozen=True):
    """The worst state among the days used, and how many days have which."""

    state: str
    days: dict[str, int]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer carries: when its generation was committed (None before the first), and how whole it is."""

    as_of: datetime | None
    completeness: Completeness


class Page(Answered, frozen=True, kw_only=True):
    """Ids by last-seen day descending; `next_cursor` is None at the end."""

    recording_ids: list[str]
    next_cursor: str | None


class Matches(Answered, frozen=True, kw_only=True):
    """Ids of which the filter is true, and of which it may be; both in the order asked."""

    matches: list[str]
    undecided: list[str]


class Group(msgspec.Struct, frozen=True):
    """The count of a day or of a segment."""

    key: str
    count: int


class Count(Answered, frozen=True, kw_only=True):
    """How many, exactly; `by` where it was asked for."""

    count: int
    by: list[Group] | None = None


class Held(msgspec.Struct, frozen=True):
    """The segments of one recording."""

    recording_id: str
    segment_ids: list[str]


class Memberships(Answered, frozen=True, kw_only=True):
    """The segments of each recording, in the order asked."""

    recordings: list[Held]


class Evidence(msgspec.Struct, frozen=True):
    """A day that says that a recording is in a segment."""

    day: date
    state: str
    fetched_at: datetime


class Reason(msgspec.Struct, frozen=True):
    """Whether a recording is in a segment of the filter, and the days that say so."""

    segment_id: str
    member: bool
    days: list[Evidence]


class Explained(msgspec.Struct, frozen=True):
    """Why a filter is true of a recording or not."""

    recording_id: str
    match: bool
    segments: list[Reason]


class Explanation(Answered, frozen=True, kw_only=True):
    """One for each recording, in the order asked."""

    recordings: list[Explained]


class SegmentInfo(msgspec.Struct, frozen=True):
    """A customer-made audience; the number is its key, names are data."""

    segment_id: str
    name: str
    label: str | None
    recordings: int
    first_day: date | None
    last_day: date | None
    created_at: datetime
    archived: bool


class DayInfo(msgspec.Struct, frozen=True):
    """One day with its state; `seen` is None before it is sealed, `recorded` until the store has said it."""

    day: date
    state: str
    reasons: list[str]
    recordings: int | None
    memberships: int | None
    seen: int | None
    recorded: int | None
    coverage: float | None
    fetched_at: datetime | None


class Change(msgspec.Struct, frozen=True):
    """A recording entered or left a segment."""

    segment_id: str
    recording_id: str
    change: Literal["entered", "left"]
    as_of: datetime


class Changes(msgspec.Struct, frozen=True):
    """A page of changes. Apply them, then remember `next`: it is the `since` of the following one."""

    changes: list[Change]
    next: str
    more: bool


class Exported(msgspec.Struct, frozen=True):
    """A recording with its newest day in the window."""

    recording_id: str
    last_day: date


class LinkInfo(msgspec.Struct, frozen=True):
    """A linked property. `reason` and `action` say what is wrong and what to do where it is `broken`."""

    link_id: str
    customer_id: str
    property: str
    display_name: str
    parameter_name: str
    time_zone: str
    status: Literal["active", "paused", "broken"]
    reason: str | None
    action: str | None
    retention_days: int
    next_sync_at: datetime | None
    days: dict[str, int]
