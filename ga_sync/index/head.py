"""The head of a link (pure): what its days and segments are, and which rows do not fit it.

Every row of a link opens by itself, also one that is put back as it once was. So each transaction that changes one
writes down, in one sealed value, which reading each day holds and how often each segment's names were written; a row
that says something else was put back, exchanged or deleted behind our back (decision 9).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import NamedTuple

_DIGEST_BYTES = 16


class DayFact(NamedTuple):
    """Which reading a day holds; ``means`` is a digest of the rest of its row, ``damaged`` that it is quarantined."""

    reading_id: str
    means: str
    damaged: bool = False

    def fits(self, head: "DayFact | None") -> bool:
        """Whether the head knows this row; that it was quarantined since is no change behind our back."""
        if head is None or head.reading_id != self.reading_id:
            return False
        return self.damaged or self.means == head.means


class SegmentFact(NamedTuple):
    """How often a segment's name and label were written; ``means`` is a digest of what else its row says."""

    name_generation: int
    label_generation: int
    means: str


NEVER_WRITTEN = SegmentFact(0, 0, "")


@dataclass(frozen=True, slots=True)
class Facts:
    """A link at one moment, by its rows or by its head.

    Attributes:
        generation: the newest publication.
        days: what each held day's reading is.
        segments: what each segment's row is, by the row's id.
    """

    generation: int
    days: Mapping[date, DayFact]
    segments: Mapping[str, SegmentFact]


@dataclass(frozen=True, slots=True)
class Off:
    """What does not fit a head.

    Attributes:
        days: held days whose row is another one, with the row's reading.
        segments: rows of segments that are other ones.
        gone: days and rows of segments that the head has and the tables have not.
        generation: whether the link's row names another publication.
    """

    days: Mapping[date, DayFact]
    segments: frozenset[str]
    gone: frozenset[str]
    generation: bool

    def __bool__(self) -> bool:
        return bool(self.days or self.segments or self.gone or self.generation)

    @property
    def readings(self) -> frozenset[str]:
        """The readings that must not be served."""
        return frozenset(fact.reading_id for fact in self.days.values())

    @property
    def unmarked(self) -> list[str]:
        """Those of them that are not quarantined yet."""
        return sorted(fact.reading_id for fact in self.days.values() if not fact.damaged)


NOTHING = Off({}, frozenset(), frozenset(), generation=False)
HEADLESS = Off({}, frozenset(), frozenset({"head"}), generation=False)


def _moment(part: object) -> str:
    """A time as some drivers give it, in the zone of their connection."""
    assert isinstance(part, datetime)
    return part.astimezone(UTC).isoformat()


_TEXT = json.JSONEncoder(default=_moment, check_circular=False)


def meaning(*columns: object) -> str:
    """A digest of a row's clear columns as the driver gives them."""
    return blake2b(_TEXT.encode(columns).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def off(head: Facts, rows: Facts) -> Off:
    """What of the rows does not fit the head."""
    lost_days = {day.isoformat() for day in head.days.keys() - rows.days.keys()}
    return Off(
        {day: fact for day, fact in rows.days.items() if not fact.fits(head.days.get(day))},
        frozenset(row for row, fact in rows.segments.items() if fact != head.segments.get(row)),
        frozenset(lost_days | (head.segments.keys() - rows.segments.keys())),
        generation=head.generation != rows.generation,
    )


def following(head: Facts, strange: Off, rows: Facts) -> Facts:
    """The head after a transaction that found ``strange`` and left these rows.

    A day that did not fit and holds the same reading still is as strange as before: writing a head vouches for nothing
    that its writer has not written.
    """
    days: dict[date, DayFact] = {}
    for day, fact in rows.days.items():
        found = strange.days.get(day)
        known = head.days.get(day) if found and found.reading_id == fact.reading_id else fact
        if known is not None:
            days[day] = known
    return Facts(rows.generation, days, rows.segments)


def encode(facts: Facts) -> bytes:
    """A head, to be sealed."""
    days = {day.isoformat(): fact[:2] for day, fact in facts.days.items()}
    return json.dumps(
        [facts.generation, days, facts.segments], separators=(",", ":"), sort_keys=True
    ).encode()


def decode(value: bytes) -> Facts:
    """The head that :func:`encode` wrote."""
    generation, days, segments = json.loads(value)
    return Facts(
        int(generation),
        {date.fromisoformat(day): DayFact(*fact) for day, fact in days.items()},
        {row: SegmentFact(*fact) for row, fact in segments.items()},
    )
