"""Every SQL statement of the index, and nothing else: what a query needs from the database."""

from collections.abc import Callable, Collection, Container, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    LargeBinary,
    Select,
    SQLColumnExpression,
    bindparam,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session, undefer
from sqlalchemy.types import NullType

from ga_sync.index.head import DayFact, Facts, SegmentFact, meaning
from models.day import Day, Reading
from models.head import Head
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


class AskedLink(NamedTuple):
    """What a question needs of a link's row, at one moment; the fields are the columns' names."""

    link_id: str
    customer_id: str
    status: str
    time_zone: str
    retention_days: int
    first_day: date
    generation: int
    generated_at: datetime | None
    as_of: datetime | None
    segments_checked_at: datetime | None

    @classmethod
    def of(cls, row: Link) -> "AskedLink":
        """The same of a row that is in hand already."""
        return cls(*(getattr(row, name) for name in cls._fields))


ASKED = tuple(Link.__table__.c[name] for name in AskedLink._fields)
"""The columns of an `AskedLink`, in its order."""
_OF_LINK: BindParameter[str] = bindparam("link_id")
_OF_CUSTOMER: BindParameter[str] = bindparam("customer_id")
_ASKED_LINK = select(*ASKED).where(
    Link.link_id == _OF_LINK, Link.customer_id == _OF_CUSTOMER, Link.status != LinkStatus.REMOVED
)


def link(session: Session, link_id: str, customer_id: str) -> AskedLink | None:
    """The link with its generation; None where it is removed or another customer's."""
    row = session.execute(_ASKED_LINK, {"link_id": link_id, "customer_id": customer_id}).first()
    return None if row is None else AskedLink(*row)


def days(session: Session, link_id: str, customer_id: str) -> list[HeldDay]:
    """The published days, without values, oldest first."""
    rows = session.execute(
        select(Reading.reading_id, Reading.day, Reading.time_zone, Reading.state, Reading.fetched_at)
        .join(Day, (Day.link_id == Reading.link_id) & (Day.reading_id == Reading.reading_id))
        .where(Day.link_id == link_id, Day.customer_id == customer_id)
        .order_by(Reading.day)
    )
    return [HeldDay(*row) for row in rows]


def values(session: Session, reading_ids: Collection[str], customer_id: str) -> Iterator[Reading]:
    """Readings with their sealed values, a few at a time, so that not all of them are in memory at once."""
    query = _readings(reading_ids, customer_id).options(undefer(Reading.value))
    for reading in session.scalars(query.execution_options(yield_per=4)):
        session.expunge(reading)
        yield reading


def _readings(reading_ids: Collection[str], customer_id: str) -> Select[Reading]:
    return select(Reading).where(Reading.reading_id.in_(reading_ids), Reading.customer_id == customer_id)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a reading's sealed value: `bytes` of `whole` bytes."""

    reading: Reading
    bytes: bytes
    whole: int


def prefixes(
    session: Session, reading_ids: Collection[str], customer_id: str, size: Callable[[int], int]
) -> Iterator[Prefix]:
    """Readings without their values, and of each value only the beginning: `size` bytes for so many recordings.

    SQLite reads only the pages of it (https://www.sqlite.org/c3ref/blob_open.html), PostgreSQL only the slices
    (https://www.postgresql.org/docs/current/storage-toast.html: a value that does not compress is kept as it is).
    """
    whole = func.length(Reading.value)
    if session.get_bind().dialect.name == "sqlite":
        driver: Any = session.connection().connection.driver_connection
        query = _readings(reading_ids, customer_id).add_columns(whole, literal_column("readings.rowid"))
        for reading, length, row in session.execute(query).all():
            with driver.blobopen("readings", "value", row, readonly=True) as blob:
                yield Prefix(reading, blob.read(size(reading.recordings)), length)
        return
    for reading, length in session.execute(_readings(reading_ids, customer_id).add_columns(whole)).all():
        start = func.substring(Reading.value, 1, size(reading.recordings), type_=LargeBinary)
        yield Prefix(
            reading,
            bytes(session.scalar(select(start).where(Reading.reading_id == reading.reading_id)) or b""),
            length,
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


def segments(
    session: Session, sealer: Sealer, link_id: str, customer_id: str, strange: Container[str] = ()
) -> list[HeldSegment]:
    """Every segment, opened; of ``strange`` rows nothing but the number is believed."""
    rows = session.scalars(
        select(Segment).where(Segment.link_id == link_id, Segment.customer_id == customer_id)
    )
    opened = (_opened(sealer, row, believed=row.row_id not in strange) for row in rows)
    return sorted(opened, key=lambda held: (len(held.segment_id), held.segment_id))


def _opened(sealer: Sealer, row: Segment, *, believed: bool) -> HeldSegment:
    number = sealer.open(row.place("segment_id"), row.segment_id).decode()
    if not believed:
        return HeldSegment(number, number, None, row.created_at, row.misses)
    label = None
    if row.label is not None:
        label = sealer.open(row.place("label", row.label_generation), row.label).decode()
    return HeldSegment(
        segment_id=number,
        name=sealer.open(row.place("name", row.name_generation), row.name).decode(),
        label=label,
        created_at=row.created_at,
        misses=row.misses,
    )


def _as_stored(*columns: SQLColumnExpression[Any]) -> list[ColumnElement[Any]]:
    """As the driver gives them: the same each time, for half of the work."""
    return [type_coerce(column, NullType()) for column in columns]


_DAY_FACTS = (
    select(
        Day.day,
        Reading.reading_id,
        *_as_stored(
            Reading.state,
            Reading.reasons,
            Reading.time_zone,
            Reading.began_at,
            Reading.fetched_at,
            Reading.seen,
            Reading.recordings,
            Reading.memberships,
        ),
    )
    .join(Reading, (Day.link_id == Reading.link_id) & (Day.reading_id == Reading.reading_id))
    .where(Day.link_id == _OF_LINK, Day.customer_id == _OF_CUSTOMER)
)
_SEGMENT_FACTS = select(
    Segment.row_id,
    Segment.name_generation,
    Segment.label_generation,
    *_as_stored(
        Segment.label.is_(None), Segment.created_at, Segment.listed_at, Segment.found_at, Segment.misses
    ),
).where(Segment.link_id == _OF_LINK, Segment.customer_id == _OF_CUSTOMER)


def head(session: Session, link_id: str, customer_id: str) -> Head | None:
    """The link's head as it is committed now; None before the first."""
    return session.scalars(
        select(Head)
        .where(Head.link_id == link_id, Head.customer_id == customer_id)
        .execution_options(populate_existing=True)
    ).first()


def headed(session: Session) -> list[str]:
    """The links that have a head."""
    return list(session.scalars(select(Head.link_id)))


def head_number(session: Session, link_id: str) -> int | None:
    """How often the link's head was written."""
    return session.scalar(select(Head.number).where(Head.link_id == link_id))


def facts(session: Session, link_id: str, customer_id: str) -> Facts:
    """What the rows of a link say, without opening any."""
    link = {"link_id": link_id, "customer_id": customer_id}
    return Facts(
        session.scalar(select(Link.generation).where(Link.link_id == link_id)) or 0,
        {
            day: DayFact(reading, meaning(*rest), "damaged" in rest[1])
            for day, reading, *rest in session.execute(_DAY_FACTS, link)
        },
        {
            row: SegmentFact(name, label, meaning(*rest))
            for row, name, label, *rest in session.execute(_SEGMENT_FACTS, link)
        },
    )
