"""Built-in or made by the customer, and what a listing changes (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from ga_sync.analytics.client import Audience
from ga_sync.sync.window import local_day

BUILT_IN_NAMES = frozenset({"All Users", "Purchasers"})
ARCHIVED_AFTER = 2


@dataclass(frozen=True, slots=True)
class Known:
    """A segment we hold: its number, its name at Google, and how often it was absent since it was last listed.

    ``found_at`` is the listing that showed it first, which may be later than ``created_at``.
    """

    segment_id: str
    name: str
    created_at: datetime
    listed_at: datetime
    misses: int = 0
    label: str | None = None
    found_at: datetime | None = None

    @property
    def archived(self) -> bool:
        """Absent from two successful listings."""
        return self.misses >= ARCHIVED_AFTER


def is_built_in(audience: Audience, property_created: datetime | None) -> bool:
    """Google's own audience: no filter clauses, and its name or its birth with the property gives it away.

    A customer's audience must have clauses ("Required. Immutable.",
    https://developers.google.com/analytics/devguides/config/admin/v1/rest/v1alpha/properties.audiences).
    """
    if audience.has_clauses:
        return False
    born_with_property = property_created is not None and audience.create_time == property_created
    return audience.display_name in BUILT_IN_NAMES or born_with_property


def needs_birth(audience: Audience) -> bool:
    """Only the property's own time of creation can tell whether this one is built-in."""
    return not audience.has_clauses and audience.display_name not in BUILT_IN_NAMES


def custom(audiences: Iterable[Audience], property_created: datetime | None) -> list[Audience]:
    """What the customer made; built-ins are discarded here, before anything is stored or logged."""
    return [audience for audience in audiences if not is_built_in(audience, property_created)]


def after_listing(known: Mapping[str, Known], listed: Sequence[Audience], at: datetime) -> dict[str, Known]:
    """Every segment as it stands after a successful listing begun at ``at``: renamed, new, missed once more, back."""
    result = {segment_id: replace(held, misses=held.misses + 1) for segment_id, held in known.items()}
    for audience in listed:
        held = known.get(audience.audience_id)
        result[audience.audience_id] = Known(
            audience.audience_id,
            audience.display_name,
            audience.create_time or (held.created_at if held else at),
            at,
            0,
            held.label if held else None,
            held.found_at if held else at,
        )
    return result


def unasked(segments: Iterable[Known], day: date, began_at: datetime, time_zone: str) -> bool:
    """Whether a reading of ``day`` knew nothing of a segment that was there by then, for it was listed only later."""
    return any(
        segment.found_at is not None
        and began_at < segment.found_at
        and local_day(segment.created_at, time_zone) <= day
        for segment in segments
    )


def without_clauses(known: Mapping[str, Known], listed: Iterable[Audience]) -> int:
    """How many audiences seen for the first time look built-in, but are taken for the customer's own."""
    return sum(not audience.has_clauses and audience.audience_id not in known for audience in listed)


def asked_for(segments: Iterable[Known], day: date, time_zone: str) -> list[str]:
    """The segments to ask Google about for one day.

    Archived ones only for days on which they were still listed; one that was absent once may be back the next time.
    """
    return sorted(
        segment.segment_id
        for segment in segments
        if not segment.archived or day <= local_day(segment.listed_at, time_zone)
    )


def outlived(segments: Iterable[Known], oldest_kept: date, time_zone: str) -> set[str]:
    """Archived segments that were last listed before the oldest day kept."""
    return {
        segment.segment_id
        for segment in segments
        if segment.archived and local_day(segment.listed_at, time_zone) < oldest_kept
    }
