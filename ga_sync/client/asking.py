"""What is asked: filters, windows of days, candidates. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

Filter: TypeAlias = Mapping[str, Any]
"""`segment`, `all_`, `any_` and `not_` make them."""


def segment(segment_id: str) -> Filter:
    """Who is in a segment, by its id."""
    return {"segment": segment_id}


def all_(*filters: Filter) -> Filter:
    """Whoever every one of these is true of."""
    return {"all": list(filters)}


def any_(*filters: Filter) -> Filter:
    """Whoever at least one of these is true of."""
    return {"any": list(filters)}


def not_(filter_: Filter) -> Filter:
    """Whoever this is not true of."""
    return {"not": filter_}


@dataclass(frozen=True, slots=True)
class Window:
    """Days, both inclusive, in the property's time zone; None is open."""

    first: date | None = None
    last: date | None = None

    def members(self) -> dict[str, str]:
        """Give `from` and `to`, where they are set."""
        days = {"from": self.first, "to": self.last}
        return {name: day.isoformat() for name, day in days.items() if day is not None}


EVER = Window()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording, with the day that the store has it on where it knows: that decides what is undecided."""

    id: str
    day: date | None = None


def as_json(candidate: str | Candidate) -> dict[str, str]:
    """Give a candidate as `match` takes it."""
    if isinstance(candidate, str):
        return {"id": candidate}
    return {"id": candidate.id} | ({} if candidate.day is None else {"day": candidate.day.isoformat()})
