"""Every SQL statement of the sync, and nothing else. Each takes the caller's transaction and the link's customer."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, undefer

from ga_sync.sync.errors import LinkGone
from ga_sync.sync.segments import Known
from models.day import Day, Reading
from models.keyring import Sealer
from models.link import Link, LinkStatus
from models.run import Run, RunStatus
from models.segment import Segment

UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)
_AT_REST = (LinkStatus.REMOVED, LinkStatus.PAUSED)


def link(session: Session, link_id: str, customer_id: str) -> Link | None:
    """A link that is not removed."""
    return session.scalars(
        select(Link).where(
            Link.link_id == link_id, Link.customer_id == customer_id, Link.status != LinkStatus.REMOVED
        )
    ).first()


def locked_link(session: Session, link_id: str, customer_id: str, epoch: int) -> Link:
    """The link, locked for this transaction.

    Raises:
        LinkGone: it was removed or paused, or its epoch moved on.
    """
    found = session.scalars(
        select(Link).where(Link.link_id == link_id, Link.customer_id == customer_id).with_for_update()
    ).first()
    if found is None or found.epoch != epoch or found.status in _AT_REST:
        raise _gone()
    return found


def require_live(session: Session, link_id: str, customer_id: str, epoch: int) -> None:
    """Prove that the link may be worked on at this moment; nothing is locked.

    Raises:
        LinkGone: it was removed or paused, or its epoch moved on.
    """
    query = select(Link.link_id).where(
        Link.link_id == link_id,
        Link.customer_id == customer_id,
        Link.epoch == epoch,
        Link.status.not_in(_AT_REST),
    )
    if session.scalar(query) is None:
        raise _gone()


def _gone() -> LinkGone:
    return LinkGone("the link was removed, paused or taken over while it was synchronised")


def unfinished_run(session: Session, link_id: str, customer_id: str) -> Run | None:
    """The run that is queued or under way."""
    return session.scalars(
        select(Run)
        .where(Run.link_id == link_id, Run.customer_id == customer_id, Run.status.in_(UNFINISHED))
        .order_by(Run.queued_at)
    ).first()


def run(session: Session, run_id: str, customer_id: str) -> Run | None:
    """One run."""
    return session.scalars(select(Run).where(Run.run_id == run_id, Run.customer_id == customer_id)).first()


def new_run(held: Link, run_id: str, now: datetime) -> Run:
    """A queued run."""
    return Run(
        run_id=run_id,
        link_id=held.link_id,
        customer_id=held.customer_id,
        status=RunStatus.QUEUED,
        queued_at=now,
        days_read=0,
        days_left=0,
        requests=0,
        rows=0,
        tokens=0,
    )


def segments(session: Session, sealer: Sealer, link_id: str, customer_id: str) -> dict[str, Known]:
    """Every segment held, by its number, opened."""
    rows = session.scalars(
        select(Segment).where(Segment.link_id == link_id, Segment.customer_id == customer_id)
    )
    opened = [_known(sealer, row) for row in rows]
    return {known.segment_id: known for known in opened}


def _known(sealer: Sealer, row: Segment) -> Known:
    label = None
    if row.label is not None:
        label = sealer.open(row.place("label", row.label_generation), row.label).decode()
    return Known(
        segment_id=sealer.open(row.place("segment_id"), row.segment_id).decode(),
        name=sealer.open(row.place("name", row.name_generation), row.name).decode(),
        created_at=row.created_at,
        listed_at=row.listed_at,
        misses=row.misses,
        label=label,
        found_at=row.found_at,
    )


def segment_row(session: Session, sealer: Sealer, link_id: str, segment_id: str) -> Segment | None:
    """The row of a segment, found by its blind index."""
    reference = sealer.blind("segment", segment_id)
    return session.scalars(
        select(Segment).where(Segment.link_id == link_id, Segment.segment_ref == reference)
    ).first()


def save_segments(
    session: Session, sealer: Sealer, held: Link, segments_: Mapping[str, Known], ids: Sequence[str]
) -> None:
    """Write every segment as it stands now; ``ids`` are fresh row ids for those that are new."""
    fresh = iter(ids)
    for known in segments_.values():
        row = segment_row(session, sealer, held.link_id, known.segment_id)
        if row is None:
            row = _new_segment(sealer, held, known, next(fresh))
            session.add(row)
        else:
            _rename(sealer, row, known.name)
        row.created_at, row.listed_at, row.misses = known.created_at, known.listed_at, known.misses


def _new_segment(sealer: Sealer, held: Link, known: Known, row_id: str) -> Segment:
    row = Segment(
        row_id=row_id,
        link_id=held.link_id,
        customer_id=held.customer_id,
        name_generation=1,
        label_generation=0,
        found_at=known.found_at,
    )
    row.segment_ref = sealer.blind("segment", known.segment_id)
    row.segment_id = sealer.seal(row.place("segment_id"), known.segment_id.encode())
    row.name = sealer.seal(row.place("name", 1), known.name.encode())
    return row


def _rename(sealer: Sealer, row: Segment, name: str) -> None:
    if sealer.open(row.place("name", row.name_generation), row.name).decode() == name:
        return
    row.name_generation += 1
    row.name = sealer.seal(row.place("name", row.name_generation), name.encode())


def set_label(sealer: Sealer, row: Segment, label: str | None) -> None:
    """The customer's own name for a segment, kept apart from Google's."""
    row.label_generation += 1
    row.label = (
        None if label is None else sealer.seal(row.place("label", row.label_generation), label.encode())
    )


def drop_segments(session: Session, sealer: Sealer, link_id: str, segment_ids: Sequence[str]) -> None:
    """Forget archived segments whose last day has left retention."""
    for segment_id in segment_ids:
        row = segment_row(session, sealer, link_id, segment_id)
        if row is not None:
            session.delete(row)


def published(session: Session, link_id: str, customer_id: str, *, values: bool = False) -> list[Reading]:
    """The reading that each held day points to."""
    query = (
        select(Reading)
        .join(
            Day,
            (Day.link_id == Reading.link_id)
            & (Day.day == Reading.day)
            & (Day.reading_id == Reading.reading_id),
        )
        .where(Day.link_id == link_id, Day.customer_id == customer_id)
        .order_by(Reading.day.desc())
    )
    return list(session.scalars(query.options(undefer(Reading.value)) if values else query))


def staged(session: Session, run_id: str, customer_id: str) -> list[Reading]:
    """What a run has read so far."""
    return list(
        session.scalars(
            select(Reading).where(
                Reading.run_id == run_id, Reading.customer_id == customer_id, Reading.published.is_(False)
            )
        )
    )


def discard_staged(session: Session, link_id: str, keep_run: str | None) -> None:
    """Delete what runs staged and never published."""
    session.execute(
        delete(Reading).where(
            Reading.link_id == link_id, Reading.published.is_(False), Reading.run_id != (keep_run or "")
        )
    )


def unstage(session: Session, run_id: str, day: date) -> None:
    """Delete what a run has staged for one day, because it reads the day anew."""
    session.execute(
        delete(Reading).where(Reading.run_id == run_id, Reading.day == day, Reading.published.is_(False))
    )


def point_day(session: Session, reading: Reading) -> None:
    """Let a day point to ``reading`` and delete what it pointed to before."""
    day = session.get(Day, (reading.link_id, reading.day))
    if day is None:
        day = Day(link_id=reading.link_id, day=reading.day, customer_id=reading.customer_id, reading_id=None)
        session.add(day)
    if day.reading_id is not None:
        session.execute(delete(Reading).where(Reading.reading_id == day.reading_id))
    day.reading_id, reading.published = reading.reading_id, True


def expire_days(session: Session, link_id: str, oldest_kept: date) -> bool:
    """Delete the days that left retention, with their readings; whether there were any."""
    session.execute(delete(Reading).where(Reading.link_id == link_id, Reading.day < oldest_kept))
    gone = session.scalars(
        delete(Day).where(Day.link_id == link_id, Day.day < oldest_kept).returning(Day.day)
    )
    return bool(gone.all())


def published_day(session: Session, link_id: str, customer_id: str, day: date) -> Reading | None:
    """The reading that one held day points to, with its sealed value."""
    return session.scalars(
        select(Reading)
        .join(Day, Day.reading_id == Reading.reading_id)
        .where(Day.link_id == link_id, Day.customer_id == customer_id, Day.day == day)
        .options(undefer(Reading.value))
    ).first()


def rename_property(held: Link, sealer: Sealer, display_name: str) -> None:
    """The property's name as its owner has it now."""
    held.display_name = sealer.seal(held.place("display_name"), display_name.encode())


def set_left(session: Session, run_id: str, *, read: int, left: int) -> None:
    """How many days a run has read and still has to read."""
    session.execute(update(Run).where(Run.run_id == run_id).values(days_read=read, days_left=left))


def progress(session: Session, run_id: str, *, days: int, requests: int, rows: int, tokens: int) -> None:
    """Add to what a run has cost and done so far."""
    session.execute(
        update(Run)
        .where(Run.run_id == run_id)
        .values(
            days_read=Run.days_read + days,
            days_left=Run.days_left - days,
            requests=Run.requests + requests,
            rows=Run.rows + rows,
            tokens=Run.tokens + tokens,
        )
    )


def finish_run(
    session: Session, run_id: str, status: str, at: datetime, error: str | None, retry_at: datetime | None
) -> None:
    """Close a run."""
    session.execute(
        update(Run)
        .where(Run.run_id == run_id)
        .values(status=status, finished_at=at, error=error, retry_at=retry_at)
    )
