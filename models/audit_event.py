"""Who did what, append-only and hash-chained, and where the chain ends."""

from datetime import datetime

from sqlalchemy import Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, UtcDateTime


class AuditEvent(DataBase):
    """One act. ``digest`` covers this event and the digest before it; no personal value stands here."""

    __tablename__ = "audit_events"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    verb: Mapped[str] = mapped_column(String(40))
    object: Mapped[str] = mapped_column(String(80))
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class AuditHead(DataBase):
    """Both ends of the chain, one row: every writer waits for it, and events cut off the end are missed by it.

    ``trimmed`` events have left the log at its beginning; the digest of the last of them is where the chain begins.
    """

    __tablename__ = "audit_head"

    head_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    trimmed: Mapped[int | None] = mapped_column(Integer)
    trimmed_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
