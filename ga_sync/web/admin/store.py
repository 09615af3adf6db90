"""Every SQL statement of the administrators' pages, and nothing else."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models.grant import Grant, GrantStatus
from models.job import Job
from models.link import Link, LinkStatus
from models.run import Run, RunStatus

_DEAD = (GrantStatus.RECONSENT_REQUIRED, GrantStatus.REVOKING, GrantStatus.REVOKED, GrantStatus.FAILED)
_BROKEN = (Link.status == LinkStatus.BROKEN) | (
    (Link.status == LinkStatus.ACTIVE) & (Grant.grant_id.is_(None) | Grant.status.in_(_DEAD))
)
_SHOWN = case((_BROKEN, LinkStatus.BROKEN.value), else_=Link.status)


def link_counts(session: Session) -> dict[str, int]:
    """How many links are in which state; a link whose grant is dead is broken."""
    rows = session.execute(
        select(_SHOWN, func.count())
        .outerjoin(Grant, Grant.grant_id == Link.grant_id)
        .where(Link.status != LinkStatus.REMOVED)
        .group_by(_SHOWN)
    )
    return {str(status): count for status, count in rows}


def grant_counts(session: Session) -> dict[str, int]:
    """How many grants are in which state."""
    rows = session.execute(select(Grant.status, func.count()).group_by(Grant.status))
    return {str(status): count for status, count in rows}


def links_by_need(session: Session, status: str | None, offset: int, limit: int) -> list[tuple[str, str]]:
    """(link, customer), what needs attention first: broken, then those whose newest run failed, then by age."""
    failed = (
        select(Run.status)
        .where(Run.link_id == Link.link_id)
        .order_by(Run.queued_at.desc(), Run.run_id.desc())
        .limit(1)
        .correlate(Link)
        .scalar_subquery()
    )
    need = case((_BROKEN, 0), (failed == RunStatus.FAILED, 1), (failed == RunStatus.PARTIAL, 2), else_=3)
    query = (
        select(Link.link_id, Link.customer_id)
        .outerjoin(Grant, Grant.grant_id == Link.grant_id)
        .where(Link.status != LinkStatus.REMOVED)
        .order_by(need, Link.created_at, Link.link_id)
        .offset(offset)
        .limit(limit)
    )
    if status is not None:
        query = query.where(_SHOWN.in_([status]))
    return [(link_id, customer_id) for link_id, customer_id in session.execute(query)]


def grants_by_need(session: Session, offset: int, limit: int) -> list[Grant]:
    """Grants, those that a customer must renew first, then the living, then the rest; newest first."""
    need = case(
        (Grant.status == GrantStatus.RECONSENT_REQUIRED, 0),
        (Grant.status == GrantStatus.REVOKING, 1),
        (Grant.status == GrantStatus.ACTIVE, 2),
        (Grant.status == GrantStatus.PENDING, 3),
        else_=4,
    )
    query = select(Grant).order_by(need, Grant.created_at.desc(), Grant.grant_id).offset(offset).limit(limit)
    return list(session.scalars(query))


def neighbours(session: Session, grant_id: str, property_refs: Sequence[bytes]) -> list[Link]:
    """Links of other grants that read the same properties: the same person may have given those, too."""
    query = (
        select(Link)
        .where(
            Link.grant_id != grant_id,
            Link.property_ref.in_(list(property_refs)),
            Link.status != LinkStatus.REMOVED,
        )
        .order_by(Link.customer_id, Link.link_id)
    )
    return list(session.scalars(query))


def other_living_grants(session: Session, grant_id: str) -> int:
    """How many other grants are active."""
    query = select(func.count()).where(Grant.status == GrantStatus.ACTIVE, Grant.grant_id != grant_id)
    return session.scalar(query) or 0


def jobs_due(session: Session, now: datetime) -> dict[str, int]:
    """How many jobs of each kind wait though their time has come."""
    free = Job.lease_until.is_(None) | (Job.lease_until <= now)
    rows = session.execute(select(Job.kind, func.count()).where(Job.due_at <= now, free).group_by(Job.kind))
    return {str(kind): count for kind, count in rows}


def revocations_pending(session: Session) -> int:
    """How many grants are destroyed here while Google has not confirmed it."""
    return session.scalar(select(func.count()).where(Grant.google == "pending")) or 0


def oldest_answer(session: Session) -> datetime | None:
    """The oldest commit time among active links; None where none has answered yet."""
    return session.scalar(select(func.min(Link.as_of)).where(Link.status == LinkStatus.ACTIVE))
