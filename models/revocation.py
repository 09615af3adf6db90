"""The outbox of revocations: refresh tokens on their way to Google's revoke endpoint."""

from datetime import datetime

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes, UtcDateTime
from models.sealed import Sealed


class Revocation(DataBase):
    """A token that Google must be told about, sealed under the outbox's own key; deleted when Google has answered."""

    __tablename__ = "revocations"

    grant_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64))
    token: Mapped[Sealed] = mapped_column(SealedBytes)
    deadline: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
