"""Every SQL statement about what links share, and how their runs went."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from models.budget import Budget
from models.link import Link, LinkStatus
from models.run import Run, RunStatus
from models.upsert import insert_into

_KEPT = timedelta(days=7)
_UNSYNCED = {"synchronize_session": False}


def spend(session: Session, name: str, day: date, limit: int) -> bool:
    """Spend one of a budget; False, and nothing spent, where ``limit`` is reached. The first of a day tidies up."""
    statement = (
        insert_into(session, Budget)
        .values(name=name, day=day, spent=1)
        .on_conflict_do_update(
            index_elements=["name", "day"], set_={"spent": Budget.spent + 1}, where=Budget.spent < limit
        )
        .returning(Budget.spent)
    )
    spent = session.scalar(statement, execution_options=_UNSYNCED)
    if spent == 1:
        session.execute(delete(Budget).where(Budget.name == name, Budget.day < day - _KEPT))
    return spent is not None


def spent(session: Session, name: str, day: date) -> int:
    """How much of a budget is spent."""
    return session.scalar(select(Budget.spent).where(Budget.name == name, Budget.day == day)) or 0


def links_at_work(session: Session) -> int:
    """How many links have turns."""
    at_work = (LinkStatus.ACTIVE, LinkStatus.BROKEN)
    return session.scalar(select(func.count()).select_from(Link).where(Link.status.in_(at_work))) or 0


def property_quota(session: Session, link_id: str) -> list[dict[str, Any]]:
    """What every link of the same property remembers of its quotas; they are the property's, whoever asked."""
    reference = select(Link.property_ref).where(Link.link_id == link_id).scalar_subquery()
    kept = session.scalars(select(Link.quota).where(Link.property_ref == reference))
    return [quota for quota in kept if quota]


def keep_quota(session: Session, link_id: str, quota: dict[str, Any]) -> None:
    """Remember a property's quotas with one of its links."""
    session.execute(
        update(Link).where(Link.link_id == link_id).values(quota=quota), execution_options=_UNSYNCED
    )


def broken_lately(session: Session, reason: str, since: datetime) -> Sequence[tuple[str, str]]:
    """(link, grant) of the links that are broken for a reason and had a run that ended so since."""
    failed = select(Run.run_id).where(
        Run.link_id == Link.link_id, Run.finished_at >= since, Run.error == reason
    )
    rows = session.execute(
        select(Link.link_id, Link.grant_id).where(
            Link.status == LinkStatus.BROKEN, Link.reason == reason, failed.exists()
        )
    )
    return [(link_id, grant_id) for link_id, grant_id in rows]


def mend(session: Session, link_ids: Sequence[str]) -> None:
    """Links that were taken for broken are not."""
    session.execute(
        update(Link).where(Link.link_id.in_(link_ids)).values(status=LinkStatus.ACTIVE, reason=None),
        execution_options=_UNSYNCED,
    )


def stopped_since(session: Session, link_id: str, limit: int = 4) -> datetime | None:
    """When the newest of the link's finished runs began that stopped on their way, one after the other.

    None where the last one did not stop.
    """
    runs = session.execute(
        select(Run.status, Run.started_at)
        .where(Run.link_id == link_id, Run.finished_at.is_not(None))
        .order_by(Run.queued_at.desc(), Run.run_id.desc())
        .limit(limit)
    )
    since = None
    for status, started_at in runs:
        if status != RunStatus.PARTIAL:
            break
        since = started_at
    return since
