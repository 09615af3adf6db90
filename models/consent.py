"""A consent under way: the address we gave out, and the state of the browser that opened it last."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes, UtcDateTime
from models.sealed import Sealed


class Consent(DataBase):
    """One address made by ``POST /v1/grants``; the address's secret is stored as its SHA-256."""

    __tablename__ = "consents"

    consent_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    grant_id: Mapped[str] = mapped_column(String(36), index=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    ticket_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    return_url: Mapped[str | None] = mapped_column(String(2048))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    consumed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ConsentState(DataBase):
    """One opening of that address: single use, ten minutes, bound to the browser's cookie."""

    __tablename__ = "consent_states"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    consent_id: Mapped[str] = mapped_column(String(36), index=True)
    customer_id: Mapped[str] = mapped_column(String(64))
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    verifier: Mapped[Sealed] = mapped_column(SealedBytes)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
