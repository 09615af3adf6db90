"""Keyring store: wrapped data keys and the tombstones of destroyed ones."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import KeyringBase, UtcDateTime


class DataKey(KeyringBase):
    """One data key, wrapped. Destroying it is deleting this row; its number is never given again.

    ``floor`` is how often at least what it seals was written (:mod:`models.floors`).
    """

    __tablename__ = "data_keys"
    __table_args__ = (
        Index("uq_data_keys_owner", "owner_kind", "owner_id", "version", unique=True),
        {"sqlite_autoincrement": True},
    )

    dek_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    owner_kind: Mapped[str] = mapped_column(String(16))
    owner_id: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    version: Mapped[int] = mapped_column(Integer)
    kek_version: Mapped[int] = mapped_column(Integer)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    check_value: Mapped[bytes] = mapped_column(LargeBinary)
    floor: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    messages: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


def newest(session: Session, owner_kind: str, owner_id: str) -> DataKey | None:
    """An owner's key: of several the newest version."""
    own = select(DataKey).where(DataKey.owner_kind == owner_kind, DataKey.owner_id == owner_id)
    return session.scalars(own.order_by(DataKey.version.desc()).limit(1)).first()


class Tombstone(KeyringBase):
    """What was destroyed and must stay destroyed, whatever data backup is restored.

    ``google`` is what Google said of a grant's permission, once it said so; a restored backup cannot ask again.
    """

    __tablename__ = "tombstones"

    object_kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    object_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64))
    buried_at: Mapped[datetime] = mapped_column(UtcDateTime)
    google: Mapped[str | None] = mapped_column(String(16))
