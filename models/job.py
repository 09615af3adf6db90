"""Work on time, claimed by compare-and-swap, and the leases of workers."""

from datetime import datetime

from sqlalchemy import Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, UtcDateTime

_HELD, _NEW = text("lease_until IS NOT NULL"), text("epoch = 0")


class Job(DataBase):
    """One thing to do again and again (or once): ``epoch`` grows with every claim and fences the former holder."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("uq_jobs_subject", "kind", "subject_id", unique=True),
        Index("ix_jobs_lease_until", "lease_until", postgresql_where=_HELD, sqlite_where=_HELD),
        Index("ix_jobs_never_claimed", "due_at", postgresql_where=_NEW, sqlite_where=_NEW),
    )

    job_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    subject_id: Mapped[str] = mapped_column(String(36))
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_owner: Mapped[str | None] = mapped_column(String(64))


class Lease(DataBase):
    """A right that one process holds at a time, such as being the worker of an SQLite store."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(UtcDateTime)
