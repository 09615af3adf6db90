"""One Google consent: one refresh token, sealed under a key of its own."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes, UtcDateTime
from models.sealed import Sealed


class GrantStatus(StrEnum):
    """The life of a grant."""

    PENDING = "pending"
    ACTIVE = "active"
    RECONSENT_REQUIRED = "reconsent_required"
    REVOKING = "revoking"
    REVOKED = "revoked"
    FAILED = "failed"


class Grant(DataBase):
    """A grant. After revocation only the receipt's counters stay."""

    __tablename__ = "grants"

    grant_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    status: Mapped[str] = mapped_column(String(24))
    reason: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    purge_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    client_id: Mapped[str | None] = mapped_column(String(255))
    token: Mapped[Sealed | None] = mapped_column(SealedBytes)
    token_generation: Mapped[int] = mapped_column(Integer, default=0)
    token_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refreshed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    purged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    google: Mapped[str | None] = mapped_column(String(16))
    purged_links: Mapped[str] = mapped_column(String, default="")
    purged_days: Mapped[int] = mapped_column(Integer, default=0)
    purged_segments: Mapped[int] = mapped_column(Integer, default=0)
    purged_recordings: Mapped[int] = mapped_column(Integer, default=0)
