"""The bodies that version 1 takes; unknown members are refused, so that a misspelt one is not ignored."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """Root of all bodies."""


class NewGrant(Body):
    """``POST /v1/grants``."""

    customer_id: str
    return_url: str | None = None
    grant_id: str | None = None


class NewLink(Body):
    """``POST /v1/links``."""

    grant_id: str
    property: str
    parameter_name: str
    retention_days: int | None = None


class LinkChange(Body):
    """``PATCH /v1/links/{link_id}``."""

    retention_days: int


class Recorded(Body):
    """``PUT …/days/{day}/recorded``."""

    count: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Label(Body):
    """``PUT …/segments/{segment_id}/label``; the member must be there, null removes the label."""

    label: str | None


class Windowed(Body, kw_only=True):
    """A filter over days from..to, both inclusive."""

    filter: Any
    from_: date | None = msgspec.field(name="from", default=None)
    to: date | None = None


class Query(Windowed, kw_only=True):
    """``…/recordings/query``."""

    limit: int = 50
    cursor: str | None = None


class Candidate(Body):
    """A recording with the day that the recording store has it on."""

    id: str
    day: date | None = None


class Match(Windowed, kw_only=True):
    """``…/recordings/match``: one of the two lists."""

    recording_ids: list[str] | UnsetType = UNSET
    recordings: list[Candidate] | UnsetType = UNSET


class Count(Windowed, kw_only=True):
    """``…/recordings/count``."""

    by: Literal["day", "segment"] | None = None
    recording_ids: list[str] | UnsetType = UNSET


class Asked(Body):
    """``…/recordings/segments``."""

    recording_ids: list[str]


class Forgotten(Body):
    """``…/recordings/forget``."""

    recording_ids: list[str]


class Explain(Body):
    """``…/recordings/explain``."""

    filter: Any
    recording_ids: list[str]
