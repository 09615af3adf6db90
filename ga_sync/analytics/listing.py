"""What the Admin API lists, as plain values. Pure: raw protobuf in, frozen dataclasses out.

https://developers.google.com/analytics/devguides/config/admin/v1/rest
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.analytics import admin_v1alpha as admin

from ga_sync.analytics.errors import MalformedAnswer

_AUDIENCE_NAME = re.compile(r"properties/[0-9]+/audiences/([0-9]+)")


@dataclass(frozen=True, slots=True)
class PropertySummary:
    """A property that a Google user can see; reports may refuse it all the same.

    Attributes:
        property: ``properties/N``.
        display_name: as its owner named it.
        account: display name of the account it belongs to.
    """

    property: str
    display_name: str
    account: str


@dataclass(frozen=True, slots=True)
class Property:
    """A property by itself.

    Attributes:
        name: ``properties/N``.
        display_name: as its owner named it.
        time_zone: IANA name; its days begin and end there.
        create_time: aware, UTC; None if Google left it out.
        service_level: Google's enum name, ``GOOGLE_ANALYTICS_STANDARD`` or ``GOOGLE_ANALYTICS_360``; a number as
            text where Google invents another.
    """

    name: str
    display_name: str
    time_zone: str
    create_time: datetime | None
    service_level: str


@dataclass(frozen=True, slots=True)
class CustomDimension:
    """A custom dimension; the same parameter may stand in several scopes.

    Attributes:
        parameter_name: event parameter (or user property) that fills it.
        display_name: as its owner named it.
        scope: Google's enum name: ``EVENT``, ``USER``, ``ITEM``; a number as text where Google invents another.
    """

    parameter_name: str
    display_name: str
    scope: str


@dataclass(frozen=True, slots=True)
class Audience:
    """An audience, built-in or a customer's.

    Attributes:
        resource_name: ``properties/N/audiences/M``, stable.
        audience_id: ``M``.
        display_name: any Unicode, not unique, may change.
        has_clauses: whether it has filter clauses, as every customer's audience must.
        create_time: aware, UTC; None if Google left it out.
    """

    resource_name: str
    audience_id: str
    display_name: str
    has_clauses: bool
    create_time: datetime | None


def property_summaries(page: Any) -> Iterator[PropertySummary]:  # noqa: ANN401 - protobuf messages have no static type
    """The properties of one page of account summaries (a raw ``ListAccountSummariesResponse``), in its order."""
    for account in page.account_summaries:
        for found in account.property_summaries:
            yield PropertySummary(found.property, found.display_name, account.display_name)


def property_of(found: Any) -> Property:  # noqa: ANN401
    """A raw ``Property`` message as a plain value.

    Raises:
        MalformedAnswer: it has no name, or a time that no calendar has.
    """
    if not found.name:
        raise MalformedAnswer("a property without a name", "get_property")
    return Property(
        name=found.name,
        display_name=found.display_name,
        time_zone=found.time_zone,
        create_time=_time(found, "get_property"),
        service_level=_enum_name(admin.ServiceLevel, found.service_level),
    )


def dimensions(page: Any) -> Iterator[CustomDimension]:  # noqa: ANN401
    """The custom dimensions of one page (a raw ``ListCustomDimensionsResponse``), of every scope, in its order."""
    for found in page.custom_dimensions:
        scope = _enum_name(admin.CustomDimension.DimensionScope, found.scope)
        yield CustomDimension(found.parameter_name, found.display_name, scope)


def audiences(page: Any) -> Iterator[Audience]:  # noqa: ANN401
    """The audiences of one page (a raw ``ListAudiencesResponse``), in its order.

    Raises:
        MalformedAnswer: one has a name of another form, or a time that no calendar has.
    """
    for found in page.audiences:
        name = _AUDIENCE_NAME.fullmatch(found.name)
        if name is None:
            raise MalformedAnswer("an audience whose name has another form", "list_audiences")
        created = _time(found, "list_audiences")
        yield Audience(found.name, name[1], found.display_name, bool(found.filter_clauses), created)


def _time(found: Any, method: str) -> datetime | None:  # noqa: ANN401
    if not found.HasField("create_time"):
        return None
    try:
        moment: datetime = found.create_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as exc:
        raise MalformedAnswer("a time that no calendar has", method) from exc
    return moment


def _enum_name(enum: Any, number: int) -> str:  # noqa: ANN401
    return str(enum(number).name) if number in set(map(int, enum)) else str(number)
