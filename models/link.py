"""One GA4 property with one custom dimension, under a grant."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Date, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes, UtcDateTime
from models.sealed import Place, Sealed


class LinkStatus(StrEnum):
    """The life of a link."""

    ACTIVE = "active"
    PAUSED = "paused"
    BROKEN = "broken"
    REMOVED = "removed"


class Link(DataBase):
    """A link.

    ``epoch`` fences writers: an older one may not commit. ``generation`` counts publications, the
    newest of them ``generated_at``. ``forgotten`` says how
    many of the keyring's forgets its days honour: fewer than there are, and they have to be applied anew.
    """

    __tablename__ = "links"

    link_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    grant_id: Mapped[str] = mapped_column(String(36), index=True)
    unique_ref: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    property_ref: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)
    property: Mapped[Sealed | None] = mapped_column(SealedBytes)
    display_name: Mapped[Sealed | None] = mapped_column(SealedBytes)
    parameter_name: Mapped[Sealed | None] = mapped_column(SealedBytes)
    time_zone: Mapped[str] = mapped_column(String(64))
    service_level: Mapped[str] = mapped_column(String(48))
    request_shape: Mapped[str] = mapped_column(String(16), default="together")
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(40))
    retention_days: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    first_day: Mapped[date] = mapped_column(Date)
    epoch: Mapped[int] = mapped_column(Integer, default=1)
    generation: Mapped[int] = mapped_column(Integer, default=0)
    generated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    as_of: Mapped[datetime | None] = mapped_column(UtcDateTime)
    segments_checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    forgotten: Mapped[int] = mapped_column(Integer, default=0)
    quota: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    purged_days: Mapped[int] = mapped_column(Integer, default=0)
    purged_segments: Mapped[int] = mapped_column(Integer, default=0)
    purged_recordings: Mapped[int] = mapped_column(Integer, default=0)

    def place(self, column: str) -> Place:
        """Where this link's sealed ``column`` belongs."""
        return Place(self.customer_id, "links", column, self.link_id)
