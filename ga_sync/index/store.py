"""Every SQL statement of the index, and nothing else: what a query needs from the database."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from models.day import Day, Reading
from models.keyring import Sealer
from models.link import Link, LinkStatus
from models.segment import Segment


@dataclass(frozen=True, slots=True)
class HeldDay:
    """A published day without its value."""

    reading_id: str
    day: date
    time_zone: str
    state: str
    fetched_at: datetime

    def damaged(self) -> "HeldDay":
        """The same day once its value turned out not to open."""
        return replace(self, state="incomplete")


@dataclass(frozen=True, slots=True)
class HeldSegment:
    """A segment as the doors show it."""

    segment_id: str
    name: str
    label: str | None
    created_at: datetime
    misses: int


@dataclass(frozen=True, slots=True)
class Generation:
    """One publication: its number, and when it was committed (None before the first)."""

    number: int
    as_of: datetime | None


def link(session: Session, link_id: str, customer_id: str) -> Link | None:
    """The link with its generation; None where it is removed or another customer's."""
    return session.scalars(
        select(Link).where(
            Link.link_id == link_id, Link.customer_id == customer_id, Link.status != LinkStatus.REMOVED
        )
    ).first()


def days(session: Session, link_id: str, customer_id: str) -> list[HeldDay]:
    """The published days, without values, oldest first."""
    rows = session.execute(
        select(Reading.reading_id, Reading.day, Reading.time_zone, Reading.state, Reading.fetched_at)
        .join(Day, (Day.link_id == Reading.link_id) & (Day.reading_id == Reading.reading_id))
        .where(Day.link_id == link_id, Day.customer_id == customer_id)
        .order_by(Reading.day)
    )
    return [HeldDay(*row) for row in rows]


def values(session: Session, reading_ids: Collection[str], customer_id: str) -> list[Reading]:
    """Readings with their sealed values."""
    return list(
        session.scalars(
            select(Reading)
            .where(Reading.reading_id.in_(reading_ids), Reading.customer_id == customer_id)
            .options(undefer(Reading.value))
        )
    )


def generation(session: Session, link_id: str, customer_id: str) -> Generation | None:
    """What the link's row names now; None where it is removed or another customer's."""
    row = session.execute(
        select(Link.generation, Link.as_of).where(
            Link.link_id == link_id, Link.customer_id == customer_id, Link.status != LinkStatus.REMOVED
        )
    ).first()
    return None if row is None else Generation(*row)


def mark_damaged(session: Session, reading_id: str, customer_id: str) -> None:
    """Quarantine a reading that does not open: its day is ``incomplete``, and the next run reads it anew."""
    reading = session.scalars(
        select(Reading).where(Reading.reading_id == reading_id, Reading.customer_id == customer_id)
    ).first()
    if reading is not None:
        reading.state, reading.reasons = "incomplete", sorted({*reading.reasons, "damaged"})


def segments(session: Session, sealer: Sealer, link_id: str, customer_id: str) -> list[HeldSegment]:
    """Every segment, opened."""
    rows = session.scalars(
        select(Segment).where(Segment.link_id == link_id, Segment.customer_id == customer_id)
    )
    return sorted(
        (_opened(sealer, row) for row in rows), key=lambda held: (len(held.segment_id), held.segment_id)
    )


def _opened(sealer: Sealer, row: Segment) -> HeldSegment:
    label = None
    if row.label is not None:
        label = sealer.open(row.place("label", row.label_generation), row.label).decode()
    return HeldSegment(
        segment_id=sealer.open(row.place("segment_id"), row.segment_id).decode(),
        name=sealer.open(row.place("name", row.name_generation), row.name).decode(),
        label=label,
        created_at=row.created_at,
        misses=row.misses,
    )
