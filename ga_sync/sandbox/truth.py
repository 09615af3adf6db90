"""What is true of a property, read from the world itself: the answer key for whoever reads it through the APIs."""

from datetime import date, datetime, timedelta
from typing import Any

from ga_sync.sandbox.members import Memberships
from ga_sync.sandbox.world import EVENT_PREFIX, JUNK_IDS, Audience, Property, Row


def _ids(rows: tuple[Row, ...], place: int) -> dict[str, set[str]]:
    """Gather, for each id that is not junk, the users it came with."""
    found: dict[str, set[str]] = {}
    for row in rows:
        value = row.values[place]
        if value is not None and value not in JUNK_IDS:
            found.setdefault(value, set()).add(row.user)
    return found


def _inside(ids: dict[str, set[str]], members: frozenset[str]) -> list[str]:
    return sorted(one for one, users in ids.items() if not users.isdisjoint(members))


def _day(prop: Property, members: Memberships, day: date, now: datetime, place: int) -> dict[str, Any]:
    held = prop.day(day)
    seen = {"visible": _ids(held.rows[: held.count_at(now)], place), "final": _ids(held.rows, place)}
    custom = [one for one in prop.audiences if not one.built_in]
    audiences: dict[str, dict[str, list[str]]] = {
        str(one.audience_id): {when: _inside(ids, members.on(one, day)) for when, ids in seen.items()}
        for one in custom
    }
    inside = {when: set().union(*(one[when] for one in audiences.values())) for when in seen}
    return {
        "day": day.isoformat(),
        "audiences": audiences,
        "ids": {when: len(ids) for when, ids in seen.items()},
        "in_no_audience": {when: len(set(ids) - inside[when]) for when, ids in seen.items()},
    }


def audience_view(prop: Property, audience: Audience) -> dict[str, Any]:
    """Describe an audience."""
    return {
        "audience_id": str(audience.audience_id),
        "resource_name": prop.audience_name(audience),
        "display_name": audience.display_name,
        "kind": "built-in" if audience.built_in else "custom",
        "create_time": audience.create_time.isoformat(),
        "archived": audience.archived_at is not None,
    }


def property_view(prop: Property) -> dict[str, Any]:
    """Describe a property."""
    return {
        "property": prop.name,
        "display_name": prop.display_name,
        "account": f"accounts/{prop.account}",
        "time_zone": prop.time_zone,
        "first_day": prop.first_day.isoformat(),
        "recording_parameter": prop.recording_parameter,
        "dimensions": [
            {"parameter_name": one.parameter_name, "scope": one.scope, "archived": one.archived}
            for one in prop.dimensions
        ],
    }


def truth(
    prop: Property,
    members: Memberships,
    now: datetime,
    parameter: str | None = None,
    window: tuple[date | None, date | None] = (None, None),
) -> dict[str, Any]:
    """State, for every local day up to today and every custom audience, the ids visible now and the final ids.

    Ids of a day are final three days after it ended. Junk values are no ids. Archived audiences are listed too.

    Raises:
        KeyError: the property's rows do not carry the parameter.
    """
    name = parameter or prop.recording_parameter
    place = prop.index[EVENT_PREFIX + name]
    first = max(prop.first_day, window[0] or prop.first_day)
    last = min(prop.today(now), window[1] or date.max)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return {
        **property_view(prop),
        "parameter": name,
        "now": now.isoformat(),
        "audiences": [audience_view(prop, one) for one in prop.audiences],
        "days": [_day(prop, members, day, now, place) for day in days],
    }
