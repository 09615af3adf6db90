"""Every SQL statement of the accounts, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models.api_key import ApiKey
from models.audit_event import AuditEvent
from models.change import Change
from models.consent import Consent
from models.day import Day, Reading
from models.grant import Grant, GrantStatus
from models.head import Head
from models.link import Link, LinkStatus
from models.meta import KEYRING_ID, DataFact
from models.run import Run
from models.segment import Segment

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list goes on: after this sort key, at most so many."""

    after: str
    limit: int


def grant(session: Session, grant_id: str, customer_id: str, *, lock: bool = False) -> Grant | None:
    """One grant of a customer."""
    query = select(Grant).where(Grant.grant_id == grant_id, Grant.customer_id == customer_id)
    return session.scalars(query.with_for_update() if lock else query).first()


def grant_customer(session: Session, grant_id: str) -> str | None:
    """Whose grant this is."""
    return session.scalar(select(Grant.customer_id).where(Grant.grant_id == grant_id))


def link_owner(session: Session, link_id: str) -> tuple[str, str] | None:
    """Whose link this is, and its status."""
    row = session.execute(select(Link.customer_id, Link.status).where(Link.link_id == link_id)).first()
    return None if row is None else (row[0], row[1])


def grants(session: Session, customer_id: str | None, page: Page) -> list[Grant]:
    """A page of grants, by id."""
    query = select(Grant).where(Grant.grant_id > page.after).order_by(Grant.grant_id).limit(page.limit)
    return list(
        session.scalars(query if customer_id is None else query.where(Grant.customer_id == customer_id))
    )


def links(session: Session, customer_id: str | None, page: Page) -> list[Link]:
    """A page of links that are not removed, by id."""
    query = (
        select(Link)
        .where(Link.status != LinkStatus.REMOVED, Link.link_id > page.after)
        .order_by(Link.link_id)
        .limit(page.limit)
    )
    return list(
        session.scalars(query if customer_id is None else query.where(Link.customer_id == customer_id))
    )


def any_link(session: Session, link_id: str, customer_id: str, *, lock: bool = False) -> Link | None:
    """A link, removed or not."""
    query = select(Link).where(Link.link_id == link_id, Link.customer_id == customer_id)
    return session.scalars(query.with_for_update() if lock else query).first()


def links_of(session: Session, grant_id: str, customer_id: str, *, lock: bool = False) -> list[Link]:
    """The links under a grant that are not removed."""
    query = (
        select(Link)
        .where(Link.grant_id == grant_id, Link.customer_id == customer_id, Link.status != LinkStatus.REMOVED)
        .order_by(Link.link_id)
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return list(session.scalars(query))


def link_by_reference(session: Session, unique_ref: bytes) -> Link | None:
    """The link of one (customer, property, parameter)."""
    return session.scalars(select(Link).where(Link.unique_ref == unique_ref)).first()


def linked(session: Session, customer_id: str, property_refs: Sequence[bytes]) -> dict[bytes, str]:
    """Which of these properties a customer has linked: reference → link id."""
    rows = session.execute(
        select(Link.property_ref, Link.link_id).where(
            Link.customer_id == customer_id, Link.property_ref.in_(list(property_refs))
        )
    )
    return {reference: link_id for reference, link_id in rows if reference is not None}


def last_run(session: Session, link_id: str) -> Run | None:
    """The newest run of a link."""
    return session.scalars(
        select(Run).where(Run.link_id == link_id).order_by(Run.queued_at.desc(), Run.run_id.desc()).limit(1)
    ).first()


def runs(session: Session, link_id: str, customer_id: str, before: Run | None, limit: int) -> list[Run]:
    """A page of runs, newest first."""
    query = select(Run).where(Run.link_id == link_id, Run.customer_id == customer_id)
    if before is not None:
        same_time = (Run.queued_at == before.queued_at) & (Run.run_id < before.run_id)
        query = query.where((Run.queued_at < before.queued_at) | same_time)
    return list(session.scalars(query.order_by(Run.queued_at.desc(), Run.run_id.desc()).limit(limit)))


def held_days(session: Session, link_id: str, customer_id: str) -> dict[date, Reading]:
    """The reading each held day shows."""
    rows = session.scalars(
        select(Reading)
        .join(Day, (Day.link_id == Reading.link_id) & (Day.reading_id == Reading.reading_id))
        .where(Day.link_id == link_id, Day.customer_id == customer_id)
    )
    return {reading.day: reading for reading in rows}


def recorded(session: Session, link_id: str, customer_id: str) -> dict[date, int]:
    """What the recording store says it has, by day."""
    rows = session.execute(
        select(Day.day, Day.recorded).where(
            Day.link_id == link_id, Day.customer_id == customer_id, Day.recorded.is_not(None)
        )
    )
    return {day: count for day, count in rows if count is not None}


def put_recorded(session: Session, link: Link, day: date, count: int) -> None:
    """Note what the recording store has for a day."""
    row = session.get(Day, (link.link_id, day))
    if row is None:
        session.add(Day(link_id=link.link_id, day=day, customer_id=link.customer_id, recorded=count))
    else:
        row.recorded = count


def segment_count(session: Session, link_id: str) -> int:
    """How many segments a link has."""
    return session.scalar(select(func.count()).select_from(Segment).where(Segment.link_id == link_id)) or 0


def erase_link(session: Session, link: Link, now: datetime) -> None:
    """Delete everything learnt through a link; its row stays as a receipt with nothing to read in it."""
    for table in (Segment, Reading, Day, Run, Change, Head):
        session.execute(delete(table).where(table.link_id == link.link_id))
    link.status, link.epoch, link.removed_at = LinkStatus.REMOVED, link.epoch + 1, now
    link.unique_ref = link.property_ref = None
    link.property = link.display_name = link.parameter_name = None
    link.time_zone, link.quota = "", None


def live_links_among(session: Session, link_ids: Sequence[str]) -> list[Link]:
    """Of these, the links that a restored backup brought back."""
    return list(
        session.scalars(
            select(Link)
            .where(Link.link_id.in_(link_ids), Link.status != LinkStatus.REMOVED)
            .order_by(Link.link_id)
        )
    )


def live_grants_among(session: Session, grant_ids: Sequence[str]) -> list[Grant]:
    """Of these, the grants that a restored backup brought back."""
    closed = (GrantStatus.REVOKING, GrantStatus.REVOKED)
    return list(
        session.scalars(
            select(Grant)
            .where(Grant.grant_id.in_(grant_ids), Grant.status.not_in(closed))
            .order_by(Grant.grant_id)
            .with_for_update()
        )
    )


def customers_grants(session: Session, customer_id: str) -> list[str]:
    """The ids of all grants of a customer."""
    return list(
        session.scalars(
            select(Grant.grant_id).where(Grant.customer_id == customer_id).order_by(Grant.grant_id)
        )
    )


def audit(session: Session, customer_id: str | None, before: int | None, limit: int) -> list[AuditEvent]:
    """A page of audit events, newest first."""
    query = select(AuditEvent).order_by(AuditEvent.number.desc()).limit(limit)
    if customer_id is not None:
        query = query.where(AuditEvent.customer_id == customer_id)
    if before is not None:
        query = query.where(AuditEvent.number < before)
    return list(session.scalars(query))


def all_links(session: Session, customer_id: str) -> list[tuple[str, str]]:
    """(link, status) of every link that a customer ever had."""
    rows = session.execute(
        select(Link.link_id, Link.status).where(Link.customer_id == customer_id).order_by(Link.link_id)
    )
    return [(link_id, status) for link_id, status in rows]


def customers_keys(session: Session, customer_id: str) -> list[ApiKey]:
    """The API keys that are bound to a customer."""
    return list(
        session.scalars(select(ApiKey).where(ApiKey.customer_id == customer_id).order_by(ApiKey.key_id))
    )


def consents(session: Session, customer_id: str) -> list[Consent]:
    """The addresses that were given out for a customer."""
    return list(
        session.scalars(
            select(Consent).where(Consent.customer_id == customer_id).order_by(Consent.consent_id)
        )
    )


def live_links(session: Session) -> list[Link]:
    """Every link that is not removed."""
    return list(session.scalars(select(Link).where(Link.status != LinkStatus.REMOVED).order_by(Link.link_id)))


def has_day_before(session: Session, link_id: str, oldest: date) -> bool:
    """Whether a link holds anything of an older day."""
    query = select(Day.day).where(Day.link_id == link_id, Day.day < oldest).limit(1)
    return session.scalar(query) is not None


def overdue_grants(session: Session, now: datetime) -> list[tuple[str, str]]:
    """(grant, customer) of every grant whose time to be purged has come."""
    rows = session.execute(
        select(Grant.grant_id, Grant.customer_id).where(
            Grant.purge_at <= now, Grant.status.in_((GrantStatus.ACTIVE, GrantStatus.RECONSENT_REQUIRED))
        )
    )
    return [(grant_id, customer_id) for grant_id, customer_id in rows]


def dead_grants(session: Session) -> list[tuple[str, str]]:
    """(grant, customer) of every grant that Google ended."""
    rows = session.execute(
        select(Grant.grant_id, Grant.customer_id).where(Grant.status == GrantStatus.RECONSENT_REQUIRED)
    )
    return [(grant_id, customer_id) for grant_id, customer_id in rows]


def idle_grants(session: Session, since: datetime) -> list[str]:
    """Active grants whose token was not refreshed since."""
    return list(
        session.scalars(
            select(Grant.grant_id).where(
                Grant.status == GrantStatus.ACTIVE,
                (Grant.refreshed_at.is_(None)) | (Grant.refreshed_at < since),
            )
        )
    )


def named_keyring(session: Session) -> str | None:
    """Which keyring the data names; raises where the database does not answer."""
    return session.scalar(select(DataFact.value).where(DataFact.name == KEYRING_ID))
