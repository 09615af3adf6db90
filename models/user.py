"""Accounts of individuals, and their sessions."""

from datetime import datetime

from sqlalchemy import Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes, UtcDateTime
from models.sealed import Place, Sealed


class User(DataBase):
    """One person. The address is sealed; ``email_ref`` finds it. ``factor_since`` is None without a second factor."""

    __tablename__ = "users"

    user_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    role: Mapped[str] = mapped_column(String(16))
    email: Mapped[Sealed] = mapped_column(SealedBytes)
    email_ref: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    setup_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    setup_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    factor_secret: Mapped[Sealed | None] = mapped_column(SealedBytes)
    factor_generation: Mapped[int] = mapped_column(Integer, default=0)
    factor_begun_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    factor_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    factor_step: Mapped[int | None] = mapped_column(Integer)

    def place(self) -> Place:
        """Where the sealed address belongs."""
        return Place(self.customer_id, "users", "email", self.user_id)

    def factor_place(self) -> Place:
        """Where the sealed secret of the second factor belongs."""
        return Place(self.customer_id, "users", "factor_secret", self.user_id, self.factor_generation)


class ConsoleSession(DataBase):
    """One signed-in browser: its cookie is stored as SHA-256."""

    __tablename__ = "console_sessions"

    session_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[str] = mapped_column(String(36), index=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PendingSignIn(DataBase):
    """A browser that knew the password and owes the code: its cookie is stored as SHA-256."""

    __tablename__ = "pending_sign_ins"

    pending_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[str] = mapped_column(String(36), index=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RecoveryCode(DataBase):
    """A code for whoever has lost the app, as a hash under a key of the person's own; gone when it is used."""

    __tablename__ = "recovery_codes"

    code_ref: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(36), index=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
