"""Days of a link and the readings they point to."""

from datetime import date, datetime

from sqlalchemy import JSON, Boolean, Date, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes, UtcDateTime
from models.sealed import Place, Sealed


class Day(DataBase):
    """A wanted day of a link: which published reading it holds, and what the recording store says it has."""

    __tablename__ = "days"

    link_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    reading_id: Mapped[str | None] = mapped_column(String(36))
    recorded: Mapped[int | None] = mapped_column(Integer)


class Reading(DataBase):
    """One reading of one day, whole. Immutable; staged until its run publishes it, deleted when another replaces it.

    ``came`` and ``went`` are how many memberships differ from the sealed reading it took the place of, None where it
    took the place of none.
    """

    __tablename__ = "readings"
    __table_args__ = (Index("ix_readings_link_day", "link_id", "day"),)

    reading_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    link_id: Mapped[str] = mapped_column(String(36))
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    run_id: Mapped[str] = mapped_column(String(36), index=True)
    day: Mapped[date] = mapped_column(Date)
    published: Mapped[bool] = mapped_column(Boolean, default=False)
    time_zone: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    reasons: Mapped[list[str]] = mapped_column(JSON)
    seen: Mapped[int | None] = mapped_column(Integer)
    recordings: Mapped[int] = mapped_column(Integer)
    memberships: Mapped[int] = mapped_column(Integer)
    rows: Mapped[int] = mapped_column(Integer)
    junk: Mapped[int] = mapped_column(Integer)
    came: Mapped[int | None] = mapped_column(Integer)
    went: Mapped[int | None] = mapped_column(Integer)
    value: Mapped[Sealed] = mapped_column(SealedBytes, deferred=True)

    def place(self) -> Place:
        """Where this reading's value belongs."""
        return Place(self.customer_id, "readings", "value", self.reading_id)
