"""Every SQL statement about the log of changes, and nothing else."""

from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, undefer

from models.change import Change
from models.day import Day, Reading


def other_days(session: Session, link_id: str, changed: Collection[date]) -> Iterator[Reading]:
    """The published readings of all days but these, with their sealed values, a few at a time, newest first."""
    query = (
        select(Reading)
        .join(Day, Day.reading_id == Reading.reading_id)
        .where(Day.link_id == link_id, Reading.recordings > 0, Day.day.not_in(list(changed)))
        .order_by(Day.day.desc())
        .options(undefer(Reading.value))
    )
    with closing(session.scalars(query.execution_options(yield_per=4))) as found:
        for reading in found:
            yield reading
            session.expunge(reading)


def any_other_day(session: Session, link_id: str, changed: Collection[date]) -> bool:
    """Whether another day shows a recording at all."""
    query = (
        select(Reading.reading_id)
        .join(Day, Day.reading_id == Reading.reading_id)
        .where(Day.link_id == link_id, Reading.recordings > 0, Day.day.not_in(list(changed)))
    )
    return session.scalar(query.limit(1)) is not None


def staged(session: Session, link_id: str) -> list[Reading]:
    """What the runs of a link have staged and not published."""
    return list(
        session.scalars(select(Reading).where(Reading.link_id == link_id, Reading.published.is_(False)))
    )


def prune(session: Session, link_id: str, before: datetime) -> None:
    """Delete what is older."""
    session.execute(delete(Change).where(Change.link_id == link_id, Change.as_of < before))


def prune_all(session: Session, before: datetime) -> None:
    """Delete what is older, of every link."""
    session.execute(delete(Change).where(Change.as_of < before))


def rows(session: Session, link_id: str) -> list[Change]:
    """The whole log of a link, oldest first."""
    return list(session.scalars(select(Change).where(Change.link_id == link_id).order_by(Change.generation)))


def row(session: Session, link_id: str, generation: int) -> Change | None:
    """What one generation changed."""
    return session.get(Change, (link_id, generation))


def rows_after(session: Session, link_id: str, generation: int, most: int) -> list[Change]:
    """What up to ``most`` later generations changed, oldest first."""
    query = select(Change).where(Change.link_id == link_id, Change.generation > generation)
    return list(session.scalars(query.order_by(Change.generation).limit(most)))
